//! The system calls that stay: seccomp(2).
//!
//! Two filters stand one above the other, and the kernel does what the stricter one says.
//!
//! - What a program needs that was taken over, and ours never (running programs, looking into other
//!   processes, loading code into the kernel), **kills the process**: there is nothing left to save,
//!   the kernel's log names the call, and the service manager starts us anew.
//! - Everything else that is not on the list of the thread's role **fails with EPERM**. A C library
//!   that is newer than the list tries a call that we do not know, and has an answer for its
//!   refusal; a sensor that dies of it on the day of an update would be no safer.
//!
//! Capture threads handle what an attacker sends, so they have the shortest list: they can neither
//! open a file nor a socket. Nobody can make memory executable.

use std::collections::BTreeMap;
use std::env::consts::ARCH;
use std::io;

use libc::{c_int, c_long};
use seccompiler::SeccompCmpArgLen::Dword;
use seccompiler::SeccompCmpOp::{Eq, MaskedEq};
use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule,
};

use super::{SandboxError, step};

/// What a thread is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Reads rings that are open, writes to memory and channels: no files, no sockets.
    Capture,
    /// Writes files, and sends over unix sockets, or the network if the plan says so. The collector
    /// too, if it writes files.
    Output,
}

/// Confines the main thread, and so all that it will start.
pub(super) fn restrict_process(network: bool) -> Result<(), SandboxError> {
    apply(list(KILLING), SeccompAction::Allow, SeccompAction::KillProcess)?;
    // The C library falls back to clone, whose flags a filter can see.
    let missing = SeccompAction::Errno(libc::ENOSYS as u32);
    apply(list(&[libc::SYS_clone3]), SeccompAction::Allow, missing)?;
    allow(main(network))
}

/// Confines this thread.
pub(super) fn restrict_thread(role: Role, network: bool) -> Result<(), SandboxError> {
    allow(match role {
        Role::Capture => capture(),
        Role::Output => output(network),
    })
}

/// System calls, each with the arguments that it may have: any if there are none.
type Calls = BTreeMap<c_long, Vec<SeccompRule>>;

fn allow(calls: Calls) -> Result<(), SandboxError> {
    apply(calls, SeccompAction::Errno(libc::EPERM as u32), SeccompAction::Allow)
}

fn apply(calls: Calls, others: SeccompAction, these: SeccompAction) -> Result<(), SandboxError> {
    let program = compile(calls, others, these)
        .map_err(|error| step("making a filter of system calls")(io::Error::other(error)))?;
    seccompiler::apply_filter(&program)
        .map_err(|error| step("confining system calls")(io::Error::other(error)))
}

fn compile(
    calls: Calls,
    others: SeccompAction,
    these: SeccompAction,
) -> Result<BpfProgram, BackendError> {
    SeccompFilter::new(calls, others, these, ARCH.try_into()?)?.try_into()
}

fn main(network: bool) -> Calls {
    let mut calls = output(network);
    calls.extend(list(ONLY_MAIN));
    // Packet sockets for interfaces that came back, netlink to list interfaces.
    allow_sockets(&mut calls, &[libc::AF_PACKET, libc::AF_NETLINK]);
    allow_values(&mut calls, libc::SYS_ioctl, 1, INTERFACE_REQUESTS);
    // A thread, but no process.
    let thread = libc::CLONE_THREAD as u64;
    calls.insert(libc::SYS_clone, vec![argument(0, MaskedEq(thread), thread)]);
    // What it takes to confine threads.
    allow_values(
        &mut calls,
        libc::SYS_prctl,
        0,
        &[libc::PR_SET_NO_NEW_PRIVS, libc::PR_SET_SECCOMP],
    );
    calls
}

fn output(network: bool) -> Calls {
    let mut calls = capture();
    calls.extend(list(FILES));
    calls.extend(list(SOCKETS));
    allow_sockets(&mut calls, &[libc::AF_UNIX]);
    if network {
        allow_sockets(&mut calls, &[libc::AF_INET, libc::AF_INET6]);
        calls.extend(list(&[libc::SYS_bind])); // senders of datagrams bind
    }
    allow_values(
        &mut calls,
        libc::SYS_ioctl,
        1,
        &[libc::FIONBIO as c_int, libc::FIONREAD as c_int],
    );
    calls
}

fn capture() -> Calls {
    let mut calls = list(EVERYBODY);
    let not_executable = || vec![argument(2, MaskedEq(libc::PROT_EXEC as u64), 0)];
    calls.insert(libc::SYS_mmap, not_executable());
    calls.insert(libc::SYS_mprotect, not_executable());
    allow_values(&mut calls, libc::SYS_prctl, 0, &[libc::PR_SET_NAME]);
    // Whether the interface of a ring is still there, and switched on.
    calls.extend(list(&[libc::SYS_getsockname]));
    let state = [libc::SIOCGIFNAME as c_int, libc::SIOCGIFFLAGS as c_int];
    allow_values(&mut calls, libc::SYS_ioctl, 1, &state);
    // Only ourselves: this is how abort() works.
    let this = std::process::id() as c_int;
    allow_values(&mut calls, libc::SYS_tgkill, 0, &[this]);
    calls
}

fn list(calls: &[c_long]) -> Calls {
    calls.iter().map(|call| (*call, Vec::new())).collect()
}

fn allow_sockets(calls: &mut Calls, families: &[c_int]) {
    allow_values(calls, libc::SYS_socket, 0, families);
}

/// Also allows a call whose argument is one of these values.
fn allow_values(calls: &mut Calls, call: c_long, index: u8, values: &[c_int]) {
    let rules = values.iter().map(|value| argument(index, Eq, *value as u32 as u64));
    calls.entry(call).or_default().extend(rules);
}

/// A rule about one argument, of which the lower 32 bits count: all of ours are of that width.
///
/// # Panics
///
/// If the index is none of the six that there are: those above are written down.
fn argument(index: u8, operator: SeccompCmpOp, value: u64) -> SeccompRule {
    SeccompCondition::new(index, Dword, operator, value)
        .and_then(|condition| SeccompRule::new(vec![condition]))
        .expect("a system call has arguments 0 to 5")
}

/// Memory, time, waiting, and ending.
const EVERYBODY: &[c_long] = &[
    libc::SYS_read,
    libc::SYS_write,
    libc::SYS_readv,
    libc::SYS_writev,
    libc::SYS_close,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_madvise,
    libc::SYS_brk,
    libc::SYS_futex,
    libc::SYS_sched_yield,
    libc::SYS_sched_getaffinity,
    libc::SYS_getcpu,
    libc::SYS_membarrier,
    libc::SYS_rseq,
    libc::SYS_set_robust_list,
    libc::SYS_getpid,
    libc::SYS_gettid,
    libc::SYS_getrandom,
    libc::SYS_getrusage,
    libc::SYS_clock_gettime,
    libc::SYS_clock_getres,
    libc::SYS_clock_nanosleep,
    libc::SYS_nanosleep,
    libc::SYS_gettimeofday,
    libc::SYS_ppoll,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_poll,
    // Counters of a ring, its filter.
    libc::SYS_getsockopt,
    libc::SYS_setsockopt,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sigaltstack,
    libc::SYS_restart_syscall,
    libc::SYS_exit,
    libc::SYS_exit_group,
];

/// By which the C library renames there; `asm-generic/unistd.h` has it, libc has not.
#[cfg(target_arch = "aarch64")]
const RENAMEAT: c_long = 38;

/// Which files these reach, landlock decides.
const FILES: &[c_long] = &[
    libc::SYS_openat,
    libc::SYS_newfstatat,
    libc::SYS_fstat,
    libc::SYS_statx,
    libc::SYS_fstatfs,
    libc::SYS_statfs,
    libc::SYS_faccessat,
    libc::SYS_faccessat2,
    libc::SYS_readlinkat,
    libc::SYS_getcwd,
    libc::SYS_getdents64,
    libc::SYS_lseek,
    libc::SYS_pread64,
    libc::SYS_pwrite64,
    libc::SYS_pwritev,
    libc::SYS_fsync,
    libc::SYS_fdatasync,
    libc::SYS_ftruncate,
    libc::SYS_fallocate,
    libc::SYS_fadvise64,
    libc::SYS_copy_file_range,
    libc::SYS_sendfile,
    libc::SYS_fcntl,
    libc::SYS_flock,
    libc::SYS_dup,
    libc::SYS_renameat2,
    libc::SYS_unlinkat,
    libc::SYS_mkdirat,
    libc::SYS_fchmod,
    libc::SYS_fchmodat,
    libc::SYS_umask,
    #[cfg(target_arch = "aarch64")]
    RENAMEAT,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_open,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_stat,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_lstat,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_access,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_readlink,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_rename,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_unlink,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_mkdir,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_rmdir,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_chmod,
];

/// Which sockets there are, is decided where they are made.
const SOCKETS: &[c_long] = &[
    libc::SYS_connect,
    libc::SYS_sendto,
    libc::SYS_sendmsg,
    libc::SYS_sendmmsg,
    libc::SYS_recvfrom,
    libc::SYS_recvmsg,
    libc::SYS_getsockname,
    libc::SYS_getpeername,
    libc::SYS_shutdown,
];

/// The runtime, threads to start, capabilities to raise.
const ONLY_MAIN: &[c_long] = &[
    libc::SYS_accept4,
    libc::SYS_bind,
    libc::SYS_listen,
    libc::SYS_socketpair,
    libc::SYS_pipe2,
    libc::SYS_eventfd2,
    libc::SYS_epoll_create1,
    libc::SYS_epoll_ctl,
    libc::SYS_epoll_pwait,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_epoll_wait,
    libc::SYS_clone3, // fails: see restrict_process
    libc::SYS_seccomp,
    libc::SYS_capget,
    libc::SYS_capset,
    libc::SYS_prlimit64,
    libc::SYS_sysinfo,
    libc::SYS_uname,
    libc::SYS_getppid,
    libc::SYS_getuid,
    libc::SYS_geteuid,
    libc::SYS_getgid,
    libc::SYS_getegid,
    libc::SYS_getresuid,
    libc::SYS_getresgid,
    libc::SYS_getgroups,
    // Whether our clock is synchronised; without CAP_SYS_TIME it can only be read.
    libc::SYS_adjtimex,
    libc::SYS_clock_adjtime,
];

/// What is asked of an interface when it is opened, and whether standard output is a terminal.
const INTERFACE_REQUESTS: &[c_int] = &[
    libc::SIOCGIFINDEX as c_int,
    libc::SIOCGIFNAME as c_int,
    libc::SIOCGIFFLAGS as c_int,
    libc::SIOCGIFMTU as c_int,
    libc::SIOCGIFHWADDR as c_int,
    libc::SIOCETHTOOL as c_int,
    libc::TCGETS as c_int,
];

/// Nothing of ours ever does these.
const KILLING: &[c_long] = &[
    libc::SYS_execve,
    libc::SYS_execveat,
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_process_madvise,
    libc::SYS_pidfd_getfd,
    libc::SYS_kcmp,
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_io_uring_setup,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_kexec_load,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_open_by_handle_at,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_keyctl,
    libc::SYS_personality,
    libc::SYS_reboot,
];

#[cfg(test)]
mod tests {
    use super::*;

    /// Instructions that the kernel takes: BPF_MAXINSNS.
    const LONGEST: usize = 4096;

    #[test]
    fn filters_compile_and_fit() {
        for calls in [capture(), output(false), output(true), main(false), main(true)] {
            let program =
                compile(calls, SeccompAction::Errno(libc::EPERM as u32), SeccompAction::Allow);
            assert!(program.unwrap().len() < LONGEST);
        }
    }

    #[test]
    fn roles_allow_less_and_less() {
        let (main, output, capture) = (main(true), output(true), capture());
        assert!(output.keys().all(|call| main.contains_key(call)));
        assert!(capture.keys().all(|call| output.contains_key(call)));
        for call in [libc::SYS_openat, libc::SYS_socket, libc::SYS_connect] {
            assert!(output.contains_key(&call) && !capture.contains_key(&call), "{call}");
        }
        // A ring asks for the state of its interface, and for nothing else.
        assert_eq!(capture[&libc::SYS_ioctl].len(), 2);
        for call in [libc::SYS_clone, libc::SYS_capset, libc::SYS_seccomp, libc::SYS_accept4] {
            assert!(main.contains_key(&call) && !output.contains_key(&call), "{call}");
        }
    }

    #[test]
    fn what_kills_is_on_no_list() {
        let main = main(true);
        assert!(KILLING.iter().all(|call| !main.contains_key(call)));
    }

    #[test]
    fn every_restricted_call_keeps_its_restriction() {
        let main = main(true);
        for call in [libc::SYS_socket, libc::SYS_ioctl, libc::SYS_prctl, libc::SYS_clone] {
            assert!(!main[&call].is_empty(), "{call} would be allowed whatever its arguments");
        }
        assert_eq!(main[&libc::SYS_socket].len(), 5);
    }
}
