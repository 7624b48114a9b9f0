//! A server process with a folder of its own; both go when the test does, however it ends.

use std::{
    io::Write as _,
    net::{Ipv4Addr, TcpListener},
    os::unix::fs::chown,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

/// Runs a server and takes its folder away when it has ended. `setpriv` has the kernel end the shell when its
/// parent dies, so that a killed test leaves nothing behind either.
const KEEPER: &str = r#"
folder=$1 signal=$2
shift 2
"$@" >"$folder/log" 2>&1 </dev/null &
server=$!
trap 'kill -s "$signal" "$server" 2>/dev/null' TERM INT HUP
while kill -0 "$server" 2>/dev/null; do wait "$server"; done
rm -rf -- "$folder"
"#;

/// How long a server may take to come up or to end.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running server.
#[derive(Debug)]
pub(crate) struct Process {
    keeper: Child,
    folder: PathBuf,
    what: String,
}

/// How to run a server.
pub(crate) struct Launch<'a> {
    /// Its folder, which goes when it ends.
    pub(crate) folder: PathBuf,
    /// The signal that ends it in an orderly way: `INT`.
    pub(crate) signal: &'a str,
    /// The user to run as, when we are root and it refuses to be.
    pub(crate) user: Option<User>,
}

/// A user of this machine, by number.
#[derive(Debug, Clone, Copy)]
pub(crate) struct User {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

impl Process {
    /// Starts `command` and waits until `is_ready`.
    pub(crate) fn start(launch: Launch<'_>, command: &Command, is_ready: impl Fn() -> bool) -> Result<Self> {
        let Launch { folder, signal, user } = launch;
        let what = command.get_program().to_string_lossy().into_owned();
        let mut keeper = Command::new("setpriv");
        keeper.arg("--pdeathsig=TERM");
        if let Some(user) = user {
            keeper.args(user.flags());
        }
        keeper.args(["sh", "-c", KEEPER, "keeper"]);
        keeper.arg(&folder).arg(signal);
        keeper.arg(command.get_program()).args(command.get_args());
        keeper.current_dir(&folder).stdin(Stdio::null());
        let keeper = spawn_for_good(keeper).with_context(|| format!("failed to start {what}"))?;
        let mut process = Self { keeper, folder, what };
        process.wait_until(is_ready)?;
        Ok(process)
    }

    /// What the server wrote so far.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    /// Ends the server in an orderly way and waits for its end; its folder is gone then.
    pub(crate) fn stop(&mut self) {
        if matches!(self.keeper.try_wait(), Ok(None))
            && let Some(id) = i32::try_from(self.keeper.id()).ok().and_then(Pid::from_raw)
        {
            // One that has ended in between needs no signal.
            let _ = kill_process(id, Signal::TERM);
        }
        let _ = self.keeper.wait();
    }

    fn wait_until(&mut self, is_ready: impl Fn() -> bool) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while !is_ready() {
            if let Some(status) = self.keeper.try_wait()? {
                bail!("{} ended with {status} while it came up", self.what);
            }
            if Instant::now() > deadline {
                bail!(
                    "{} did not come up within {PATIENCE:?}: {}",
                    self.what,
                    self.log()
                );
            }
            thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.stop();
    }
}

impl User {
    /// A user by name, if we may become one: only root may, and only root must.
    pub(crate) fn instead_of_root(name: &str) -> Result<Option<Self>> {
        if !rustix::process::geteuid().is_root() {
            return Ok(None);
        }
        let number = |flag: &str| -> Result<u32> {
            let text = output(Command::new("id").args([flag, name]))?;
            text.trim().parse().with_context(|| format!("`id` says {text}"))
        };
        Ok(Some(Self {
            uid: number("-u")?,
            gid: number("-g")?,
        }))
    }

    pub(crate) fn flags(self) -> [String; 3] {
        [
            format!("--reuid={}", self.uid),
            format!("--regid={}", self.gid),
            "--clear-groups".to_owned(),
        ]
    }
}

/// A folder for a server that runs as `user`.
pub(crate) fn folder(user: Option<User>) -> Result<PathBuf> {
    let folder = tempfile::Builder::new().prefix("morpheus-sim-").tempdir()?.keep();
    if let Some(user) = user {
        chown(&folder, Some(user.uid), Some(user.gid))?;
    }
    Ok(folder)
}

/// A port that nobody listens on.
pub fn free_port() -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    Ok(listener.local_addr()?.port())
}

/// What a command prints; its errors are ours.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("failed to start {command:?}"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("{command:?} ended with {}: {}", output.status, said.trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Writes a file that only its owner may read.
pub(crate) fn write_secret(path: &Path, text: &str) -> Result<()> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.write(true).create_new(true).mode(0o600).open(path)?;
    Ok(file.write_all(text.as_bytes())?)
}

/// Starts a child from a thread that stays: the kernel's notice of a parent's death is one of its thread's.
fn spawn_for_good(mut command: Command) -> Result<Child> {
    let (sender, receiver) = mpsc::channel();
    thread::Builder::new().name("sim".to_owned()).spawn(move || {
        // The receiver waits below.
        let _ = sender.send(command.spawn());
        loop {
            thread::park();
        }
    })?;
    Ok(receiver.recv()??)
}
