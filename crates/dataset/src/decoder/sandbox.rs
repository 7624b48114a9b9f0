//! How a worker gives up what it does not need.

use std::{collections::BTreeMap, fs, io};

use protocol::limits::{MAX_DECODER_BYTES, MAX_DECODING_TIME};
use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
};

use super::{Confinement, pool::MAX_BUSY};

/// Confines this process, from here to its end.
pub(super) fn enter() -> Confinement {
    let mut confinement = Confinement {
        holds: Vec::new(),
        missing: Vec::new(),
    };
    let mut note = |what: &str, outcome: io::Result<()>| match outcome {
        Ok(()) => confinement.holds.push(what.to_owned()),
        Err(err) => confinement.missing.push(format!("{what}: {err}")),
    };
    // If memory still runs out, the kernel kills this process and not the server. Some systems do not
    // allow this setting; the limits below work without it.
    let _ = fs::write("/proc/self/oom_score_adj", "1000");
    note("memory", limit_memory());
    // The owner ends a worker that has been busy for so long, and gives one picture this much time.
    note(
        "time",
        limit(Resource::Cpu, (MAX_BUSY + MAX_DECODING_TIME).as_secs()),
    );
    note("files", limit_files());
    note("system calls", forbid_system_calls());
    confinement
}

fn limit(resource: Resource, value: u64) -> io::Result<()> {
    let value = Some(value);
    setrlimit(
        resource,
        Rlimit {
            current: value,
            maximum: value,
        },
    )
    .map_err(io::Error::from)
}

/// The program itself and what its allocator set aside come on top.
fn limit_memory() -> io::Result<()> {
    let status = fs::read_to_string("/proc/self/status")?;
    limit(Resource::As, in_bytes(&status, "VmSize:")? + MAX_DECODER_BYTES)?;
    limit(Resource::Data, in_bytes(&status, "VmData:")? + MAX_DECODER_BYTES)
}

/// A value of `/proc/PID/status`, which has it in kilobytes.
pub(super) fn in_bytes(status: &str, name: &str) -> io::Result<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    kilobytes
        .map(|kilobytes| kilobytes << 10)
        .ok_or_else(|| io::Error::other(format!("/proc/self/status has no `{name}`")))
}

/// No file grows, none is opened, none is left behind when it breaks, and nobody looks into it.
fn limit_files() -> io::Result<()> {
    limit(Resource::Fsize, 0)?;
    limit(Resource::Core, 0)?;
    limit(Resource::Nofile, 3)?;
    set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(io::Error::from)
}

/// What an allocator, a mutex, pipes, a panic and the end of a process need. Everything else, files, sockets,
/// processes and threads among it, is answered with "not permitted".
const NEEDED: [i64; 24] = [
    libc::SYS_read,
    libc::SYS_write,
    libc::SYS_writev,
    libc::SYS_close,
    libc::SYS_fstat,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_madvise,
    libc::SYS_brk,
    libc::SYS_futex,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sigaltstack,
    libc::SYS_restart_syscall,
    libc::SYS_clock_gettime,
    libc::SYS_sched_yield,
    libc::SYS_sched_getaffinity,
    libc::SYS_getrandom,
    libc::SYS_getpid,
    libc::SYS_gettid,
    libc::SYS_tgkill,
    libc::SYS_exit,
    libc::SYS_exit_group,
];

/// Memory may be had, but none that can be executed.
const WITHOUT_EXEC: [i64; 2] = [libc::SYS_mmap, libc::SYS_mprotect];

fn forbid_system_calls() -> io::Result<()> {
    let program = filter().map_err(io::Error::other)?;
    seccompiler::apply_filter(&program).map_err(io::Error::other)
}

fn filter() -> Result<BpfProgram, seccompiler::BackendError> {
    // The third argument of both is what may be done with the pages.
    let exec = SeccompCmpOp::MaskedEq(libc::PROT_EXEC as u64);
    let without_exec = SeccompRule::new(vec![SeccompCondition::new(2, SeccompCmpArgLen::Dword, exec, 0)?])?;
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = NEEDED.map(|call| (call, Vec::new())).into();
    rules.extend(WITHOUT_EXEC.map(|call| (call, vec![without_exec.clone()])));
    let not_permitted = SeccompAction::Errno(libc::EPERM as u32);
    let filter = SeccompFilter::new(
        rules,
        not_permitted,
        SeccompAction::Allow,
        std::env::consts::ARCH.try_into()?,
    )?;
    filter.try_into()
}
