//! Programs in place of containers, each in a process group of its own that ends with its pod.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    io::{BufRead as _, BufReader, Read},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak, mpsc},
    thread,
    time::Duration,
};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};

use super::{
    Inner,
    pod::{Pod, Source},
    relay::Relay,
};

/// What runs when a pod's container starts.
#[derive(Debug, Clone, Default)]
pub enum Runner {
    /// Nothing.
    #[default]
    None,
    /// A program, with the environment that the provider gives a container.
    Process(Program),
}

/// A program that stands in for an image.
#[derive(Debug, Clone)]
pub struct Program {
    /// The program.
    pub path: PathBuf,
    /// Arguments before those of the pod (`args`, which are split at spaces here).
    pub first_args: Vec<OsString>,
    /// Variables of ours that it gets too: containers inherit nothing else but `PATH`.
    pub inherited: Vec<String>,
    /// Variables of the pod that hold the control plane's address. They are replaced by the address of a relay,
    /// which the fault `control_plane_unreachable` cuts.
    pub relayed: Vec<String>,
    /// Time between the request to end and the kill.
    pub grace: Duration,
}

/// Where Debian's package `faketime` has its library.
const FAKETIME: [&str; 3] = [
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketime.so.1",
    "/usr/lib/faketime/libfaketime.so.1",
];

/// The containers that run, by the ids of their pods.
#[derive(Debug, Default)]
pub(super) struct Containers(Mutex<BTreeMap<String, Running>>);

#[derive(Debug)]
struct Running {
    container: Arc<Container>,
    /// They pass on until this is dropped.
    _relays: Vec<(String, Relay)>,
}

/// A process group; `None` when it has ended, after which its number may be somebody else's.
#[derive(Debug)]
struct Container(Mutex<Option<Pid>>);

impl Container {
    fn group(&self) -> MutexGuard<'_, Option<Pid>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn signal(&self, signal: Signal) {
        if let Some(group) = *self.group() {
            // One that has just ended needs no signal.
            let _ = kill_process_group(group, signal);
        }
    }
}

impl Containers {
    fn running(&self) -> MutexGuard<'_, BTreeMap<String, Running>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts a program for a pod; the thread that starts it stays until it has ended.
    pub(super) fn start(&self, inner: &Weak<Inner>, program: &Program, start: Start) {
        let Start { relays, what } = start;
        let container = Arc::new(Container(Mutex::new(None)));
        let running = Running {
            container: Arc::clone(&container),
            _relays: relays,
        };
        self.running().insert(what.pod.clone(), running);
        let (inner, program) = (Weak::clone(inner), program.clone());
        let (ready, started) = mpsc::channel();
        // Without a thread there is no container; the pod then shows one that ended.
        let _ = thread::Builder::new()
            .name("container".to_owned())
            .spawn(move || run(&inner, &program, &what, &container, ready));
        // So that whoever ends the container finds it.
        let _ = started.recv();
    }

    /// Asks a pod's program to end, and kills it when it does not.
    pub(super) fn end(&self, pod: &str, grace: Duration) {
        let Some(Running { container, .. }) = self.running().remove(pod) else {
            return;
        };
        container.signal(Signal::TERM);
        // A kill that nobody carries out is made up for when the simulator ends.
        let _ = thread::Builder::new().name("kill".to_owned()).spawn(move || {
            thread::sleep(grace);
            container.signal(Signal::KILL);
        });
    }

    /// Ends everything at once.
    pub(super) fn kill_all(&self) {
        for running in std::mem::take(&mut *self.running()).into_values() {
            running.container.signal(Signal::KILL);
        }
    }
}

/// A container to start, and the ways that it may talk to the control plane.
#[derive(Debug)]
pub(super) struct Start {
    pub(super) relays: Vec<(String, Relay)>,
    pub(super) what: What,
}

/// What a container is started with.
#[derive(Debug)]
pub(super) struct What {
    pub(super) pod: String,
    pub(super) n_starts: u32,
    pub(super) args: Vec<String>,
    pub(super) env: BTreeMap<String, String>,
}

fn run(inner: &Weak<Inner>, program: &Program, start: &What, container: &Container, ready: mpsc::Sender<()>) {
    let how = match run_to_end(inner, program, start, container, ready) {
        Ok(how) => how,
        Err(err) => format!("an error: {err}"),
    };
    // The simulator may be gone by now.
    if let Some(inner) = inner.upgrade() {
        inner.with(|world| world.container_ended(&start.pod, start.n_starts, world.now, &how));
    }
}

fn run_to_end(
    inner: &Weak<Inner>,
    program: &Program,
    start: &What,
    container: &Container,
    ready: mpsc::Sender<()>,
) -> std::io::Result<String> {
    // The container's disk: empty at each start, gone when it ends.
    let disk = tempfile::Builder::new().prefix("morpheus-pod-").tempdir()?;
    // The kernel ends the program when this thread dies with the simulator.
    let mut command = Command::new("setpriv");
    command
        .arg("--pdeathsig=KILL")
        .arg(&program.path)
        .args(&program.first_args)
        .args(&start.args)
        .env_clear()
        .envs(&start.env)
        .env("HOME", disk.path())
        .env("TMPDIR", disk.path())
        .current_dir(disk.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0);
    for name in program.inherited.iter().map(String::as_str).chain(["PATH"]) {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    let mut child = command.spawn()?;
    let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    *container.group() = group;
    // Nobody waits any more when the simulator has been dropped.
    let _ = ready.send(());
    drop(ready);
    let outputs: [Option<Box<dyn Read + Send>>; 2] = [
        child.stdout.take().map(|out| Box::new(out) as _),
        child.stderr.take().map(|out| Box::new(out) as _),
    ];
    let mut writers = Vec::new();
    for output in outputs.into_iter().flatten() {
        let (inner, pod) = (Weak::clone(inner), start.pod.clone());
        writers.push(thread::Builder::new().spawn(move || write_log(&inner, &pod, output))?);
    }
    if let Some(group) = group {
        // Waits without taking the exit status, so that the number stays taken while the rest is killed:
        // a container ends as a whole with its first process.
        while let Err(rustix::io::Errno::INTR) =
            waitid(WaitId::Pid(group), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT)
        {}
        let mut running = container.group();
        let _ = kill_process_group(group, Signal::KILL);
        *running = None;
    }
    let how = child.wait()?.to_string();
    // Its last words belong before its end; with all its processes gone, nobody holds the other ends.
    for writer in writers {
        let _ = writer.join();
    }
    Ok(how)
}

fn write_log(inner: &Weak<Inner>, pod: &str, output: impl Read) {
    for line in BufReader::new(output).lines() {
        let (Ok(line), Some(inner)) = (line, inner.upgrade()) else {
            return;
        };
        inner.with(|world| {
            let now = world.now;
            if let Some(pod) = world.pods.get_mut(pod) {
                pod.log.write(now, Source::Container, line);
            }
        });
    }
}

/// The library that gives a program another clock, if this machine has it.
pub(super) fn faketime() -> Option<&'static Path> {
    FAKETIME.iter().map(Path::new).find(|path| path.exists())
}

/// What a pod's container finds in its environment. The provider's own variables win over the pod's.
pub(super) fn environment(
    pod: &Pod,
    relays: &[(String, Relay)],
    faketime: Option<&Path>,
) -> BTreeMap<String, String> {
    let mut env = pod.wanted.env.clone();
    for (name, relay) in relays {
        env.insert(name.clone(), relay.url().to_owned());
    }
    let mut set = |name: &str, value: &str| env.insert(name.to_owned(), value.to_owned());
    set("RUNPOD_POD_ID", &pod.id);
    set("RUNPOD_API_KEY", &pod.key);
    set("RUNPOD_DC_ID", &pod.place);
    set("RUNPOD_POD_HOSTNAME", &format!("{}-sim", pod.id));
    set("RUNPOD_GPU_COUNT", &pod.gpu_count.to_string());
    set("RUNPOD_CPU_COUNT", "8");
    set("RUNPOD_PUBLIC_IP", "127.0.0.1");
    set("CUDA_VERSION", &pod.cuda_version);
    if let Some(volume) = pod
        .wanted
        .mounts
        .network
        .as_ref()
        .and_then(|mounts| mounts.first())
    {
        set("RUNPOD_VOLUME_ID", &volume.volume_id);
    }
    if let Some(library) = faketime.filter(|_| pod.clock_skew_s != 0) {
        set("LD_PRELOAD", &library.to_string_lossy());
        set("FAKETIME", &format!("{:+}s", pod.clock_skew_s));
        // A wrong clock shows the wrong time; it does not run backwards.
        set("FAKETIME_DONT_FAKE_MONOTONIC", "1");
    }
    env
}
