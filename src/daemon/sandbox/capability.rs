//! Capabilities (capabilities(7)): all dropped but the one that opens packet sockets.

use rustix::io::{self, Errno};
use rustix::thread::{
    CapabilitySet, CapabilitySets, capabilities, capability_is_in_bounding_set,
    clear_ambient_capability_set, remove_capability_from_bounding_set, set_capabilities,
    set_keep_capabilities,
};

use super::{SandboxError, step};

/// What changing the user takes.
const TO_CHANGE_USER: CapabilitySet = CapabilitySet::SETUID.union(CapabilitySet::SETGID);

const NONE: CapabilitySet = CapabilitySet::empty();

/// Drops all but `CAP_NET_RAW` and, for the moment, what changing the user takes. Afterwards no
/// program that we could start would get any.
pub(super) fn drop_unneeded(changes_user: bool) -> Result<(), SandboxError> {
    let mut wanted = CapabilitySet::NET_RAW;
    if changes_user {
        wanted |= TO_CHANGE_USER;
    }
    let CapabilitySets { effective, permitted, .. } = read()?;
    // Only root may; for everybody else no_new_privs does the same.
    if effective.contains(CapabilitySet::SETPCAP) {
        drop_bounding().map_err(step("dropping capabilities from the bounding set"))?;
    }
    clear_ambient_capability_set().map_err(step("dropping ambient capabilities"))?;
    let kept = permitted & wanted;
    set(CapabilitySets { effective: kept, permitted: kept, inheritable: NONE })?;
    // The user change would take the permitted ones too.
    set_keep_capabilities(true).map_err(step("keeping capabilities"))
}

/// All that the kernel knows, which may be more than there are names for here.
fn drop_bounding() -> io::Result<()> {
    for number in 0..u64::BITS {
        let capability = CapabilitySet::from_bits_retain(1 << number);
        match capability_is_in_bounding_set(capability) {
            Ok(true) => remove_capability_from_bounding_set(capability)?,
            Ok(false) => {}
            Err(Errno::INVAL) => break,
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Leaves `CAP_NET_RAW` permitted where it was, and nothing in force. Says whether it is there.
pub(super) fn keep_net_raw_at_hand() -> Result<bool, SandboxError> {
    let sets = read()?;
    let kept = sets.permitted & CapabilitySet::NET_RAW;
    set(CapabilitySets { effective: NONE, permitted: kept, ..sets })?;
    set_keep_capabilities(false).map_err(step("keeping capabilities"))?;
    Ok(!kept.is_empty())
}

/// Drops all that this thread has.
pub(super) fn drop_all() -> Result<(), SandboxError> {
    set(CapabilitySets { effective: NONE, permitted: NONE, inheritable: NONE })
}

/// Does `work` with `CAP_NET_RAW` in force, to open an interface again: in the main thread only.
///
/// # Errors
///
/// When the capability is not permitted; `work` was not done then.
pub fn with_net_raw<T>(work: impl FnOnce() -> T) -> Result<T, SandboxError> {
    let _raised = Raised::new()?;
    Ok(work())
}

/// The capability is in force as long as this lives, a panic included.
struct Raised;

impl Raised {
    fn new() -> Result<Self, SandboxError> {
        in_force(CapabilitySet::NET_RAW).map_err(step("raising CAP_NET_RAW"))?;
        Ok(Self)
    }
}

impl Drop for Raised {
    fn drop(&mut self) {
        // To give a capability up is always allowed.
        let _ = in_force(NONE);
    }
}

fn in_force(effective: CapabilitySet) -> io::Result<()> {
    set_capabilities(None, CapabilitySets { effective, ..capabilities(None)? })
}

fn read() -> Result<CapabilitySets, SandboxError> {
    capabilities(None).map_err(step("reading capabilities"))
}

fn set(sets: CapabilitySets) -> Result<(), SandboxError> {
    set_capabilities(None, sets).map_err(step("dropping capabilities"))
}
