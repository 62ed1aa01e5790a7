//! The files that stay in reach: landlock(7), as far as the kernel has it.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, PathBeneath, PathFd, RestrictionStatus, Ruleset,
    RulesetAttr, RulesetCreated, RulesetCreatedAttr, RulesetError, RulesetStatus, Scope,
    make_bitflags,
};

use super::{Plan, SandboxError, folder, step};

/// The newest rights that are asked for; a kernel that knows fewer gives what it has. Connecting to
/// unix sockets (version 9) stays allowed: outputs and the service manager are such.
const VERSION: ABI = ABI::V6;

/// What everybody may read: the names of interfaces and our own figures, the time zone.
const SYSTEM: &[&str] =
    &["/proc/self", "/sys/class/net", "/sys/devices", "/etc/localtime", "/usr/share/zoneinfo"];

/// What looking up a host's name takes. `resolv.conf` is often a link to a file that is replaced.
const NAMES: &[&str] = &[
    "/etc/hosts",
    "/etc/host.conf",
    "/etc/nsswitch.conf",
    "/etc/gai.conf",
    "/etc/resolv.conf",
    "/run/systemd/resolve",
    "/run/resolvconf",
    "/run/NetworkManager",
];

/// How far files are confined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Confinement {
    /// As planned.
    Full,
    /// By what this kernel knows.
    Partial,
    /// Not at all: Linux before 5.13, or without landlock.
    None,
}

impl fmt::Display for Confinement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full => "files confined",
            Self::Partial => "files confined as far as this kernel can",
            Self::None => "files not confined, as this kernel has no landlock",
        })
    }
}

/// Confines this thread and all that it starts. Says how far, and which paths are not there.
pub(super) fn confine(plan: &Plan) -> Result<(Confinement, Vec<PathBuf>), SandboxError> {
    let mut missing = Vec::new();
    let status = restrict(plan, &mut missing)
        .map_err(|error| step("confining files")(io::Error::other(error)))?;
    let confinement = match status.ruleset {
        RulesetStatus::FullyEnforced => Confinement::Full,
        RulesetStatus::PartiallyEnforced => Confinement::Partial,
        RulesetStatus::NotEnforced => Confinement::None,
    };
    Ok((confinement, missing))
}

fn restrict(plan: &Plan, missing: &mut Vec<PathBuf>) -> Result<RestrictionStatus, RulesetError> {
    let mut handled = Ruleset::default()
        .handle_access(AccessFs::from_all(VERSION))?
        .handle_access(AccessNet::BindTcp)?
        .scope(Scope::Signal)?;
    if !plan.network {
        handled = handled.handle_access(AccessNet::ConnectTcp)?;
    }
    let mut ruleset = handled.create()?;

    let names = if plan.network { NAMES } else { &[] };
    for path in SYSTEM.iter().chain(names) {
        // What a system does not have, it does not need.
        ruleset = allow(ruleset, Path::new(path), reading())?.0;
    }
    for (paths, access) in [(&plan.reads, reading()), (&plan.writes, reading() | writing())] {
        for path in paths {
            let (more, is_there) = allow(ruleset, folder(path), access)?;
            ruleset = more;
            if !is_there {
                missing.push(path.clone());
            }
        }
    }
    ruleset.restrict_self()
}

fn reading() -> BitFlags<AccessFs> {
    make_bitflags!(AccessFs::{ReadFile | ReadDir})
}

/// Making, renaming and removing files and folders; neither devices nor links nor sockets.
fn writing() -> BitFlags<AccessFs> {
    make_bitflags!(AccessFs::{
        WriteFile | Truncate | MakeReg | MakeDir | RemoveFile | RemoveDir | Refer
    })
}

/// Opens up what is beneath `path`, and says whether it is there.
fn allow(
    ruleset: RulesetCreated,
    path: &Path,
    access: BitFlags<AccessFs>,
) -> Result<(RulesetCreated, bool), RulesetError> {
    let Ok(opened) = PathFd::new(path) else { return Ok((ruleset, false)) };
    let file = AccessFs::from_file(VERSION);
    let access = if path.is_dir() { access } else { access & file };
    Ok((ruleset.add_rule(PathBeneath::new(opened, access))?, true))
}
