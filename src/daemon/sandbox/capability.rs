//! Capabilities (capabilities(7)): all dropped but the one that opens packet sockets.

use std::io;

use caps::errors::CapsError;
use caps::{CapSet, Capability, CapsHashSet};

use super::{SandboxError, step};

/// What changing the user takes.
const TO_CHANGE_USER: [Capability; 2] = [Capability::CAP_SETUID, Capability::CAP_SETGID];

/// Drops all but `CAP_NET_RAW` and, for the moment, what changing the user takes. Afterwards no
/// program that we could start would get any.
pub(super) fn drop_unneeded(changes_user: bool) -> Result<(), SandboxError> {
    let mut wanted = CapsHashSet::from([Capability::CAP_NET_RAW]);
    if changes_user {
        wanted.extend(TO_CHANGE_USER);
    }
    drop_bounding().map_err(failed("dropping capabilities from the bounding set"))?;
    let permitted = read(CapSet::Permitted)?;
    let kept = permitted.intersection(&wanted).copied().collect();
    caps::clear(None, CapSet::Ambient).map_err(failed("dropping ambient capabilities"))?;
    set(CapSet::Effective, &kept)?;
    set(CapSet::Permitted, &kept)?;
    set(CapSet::Inheritable, &CapsHashSet::new())?;
    // The user change would take the permitted ones too.
    caps::securebits::set_keepcaps(true).map_err(failed("keeping capabilities"))
}

/// Only root may; for everybody else no_new_privs does the same.
fn drop_bounding() -> Result<(), CapsError> {
    if !caps::has_cap(None, CapSet::Effective, Capability::CAP_SETPCAP)? {
        return Ok(());
    }
    for capability in caps::runtime::thread_all_supported() {
        if caps::has_cap(None, CapSet::Bounding, capability)? {
            caps::drop(None, CapSet::Bounding, capability)?;
        }
    }
    Ok(())
}

/// Leaves `CAP_NET_RAW` permitted where it was, and nothing in force. Says whether it is there.
pub(super) fn keep_net_raw_at_hand() -> Result<bool, SandboxError> {
    let net_raw = CapsHashSet::from([Capability::CAP_NET_RAW]);
    let kept: CapsHashSet = read(CapSet::Permitted)?.intersection(&net_raw).copied().collect();
    set(CapSet::Effective, &CapsHashSet::new())?;
    set(CapSet::Permitted, &kept)?;
    caps::securebits::set_keepcaps(false).map_err(failed("keeping capabilities"))?;
    Ok(!kept.is_empty())
}

/// Drops all that this thread has.
pub(super) fn drop_all() -> Result<(), SandboxError> {
    let none = CapsHashSet::new();
    set(CapSet::Effective, &none)?;
    set(CapSet::Permitted, &none)?;
    set(CapSet::Inheritable, &none)
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
        caps::raise(None, CapSet::Effective, Capability::CAP_NET_RAW)
            .map_err(failed("raising CAP_NET_RAW"))?;
        Ok(Self)
    }
}

impl Drop for Raised {
    fn drop(&mut self) {
        // To give a capability up is always allowed.
        let _ = caps::clear(None, CapSet::Effective);
    }
}

fn read(set: CapSet) -> Result<CapsHashSet, SandboxError> {
    caps::read(None, set).map_err(failed("reading capabilities"))
}

fn set(set: CapSet, to: &CapsHashSet) -> Result<(), SandboxError> {
    caps::set(None, set, to).map_err(failed("dropping capabilities"))
}

fn failed(what: &'static str) -> impl FnOnce(CapsError) -> SandboxError {
    move |error| step(what)(io::Error::other(error.to_string()))
}
