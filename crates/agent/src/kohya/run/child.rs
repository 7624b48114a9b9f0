//! sd-scripts as a child process, in a group of its own that never outlives us.

use std::{
    process::{ExitStatus, Stdio},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncReadExt as _},
    process::{self, Command},
    sync::mpsc,
};

use protocol::environment;

use crate::{
    group::{Group, KEPT},
    kohya::{Kohya, failure::Failure, log::Stream, plan::Plan},
};

/// Python on a slow disk.
const PATIENCE: Duration = Duration::from_secs(60);
/// Ends with [`ABSENT`] if there is no such module. Nothing of it is loaded.
const FIND: &str =
    "import importlib.util, sys; sys.exit(93 if importlib.util.find_spec(sys.argv[1]) is None else 0)";
const ABSENT: i32 = 93;

/// Whether Python surely has no module of this name. It takes a moment; loading the base model takes minutes.
pub(super) async fn is_absent(module: &str, kohya: &Kohya) -> bool {
    let mut command = Command::new(&kohya.python);
    let status = command
        .args(["-c", FIND, module])
        .current_dir(&kohya.dir)
        .env_clear()
        .envs(environment::of_machine(std::env::vars_os(), &KEPT))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .status();
    let status = tokio::time::timeout(PATIENCE, status).await;
    matches!(status, Ok(Ok(status)) if status.code() == Some(ABSENT))
}

/// The child. Dropped, its whole group is killed: its data loaders are processes too.
pub(super) struct Child {
    child: process::Child,
    group: Option<Group>,
}

/// Both streams, in the order of arrival; closed when both are.
pub(super) type Output = mpsc::Receiver<(Stream, Vec<u8>)>;

impl Child {
    /// Starts sd-scripts with the plan's arguments.
    pub(super) fn start(kohya: &Kohya, plan: &Plan) -> Result<(Self, Output), Failure> {
        let mut command = Command::new(&kohya.python);
        command
            .arg(kohya.script())
            .args(&plan.args)
            .current_dir(&kohya.dir)
            // It must not get our credentials for the server and the provider.
            .env_clear()
            .envs(environment::of_machine(std::env::vars_os(), &KEPT))
            // Else lines of both streams arrive late and out of order.
            .env("PYTHONUNBUFFERED", "1")
            .env("PYTHONIOENCODING", "utf-8")
            // Its logger wraps lines at this many columns.
            .env("COLUMNS", "400")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        if kohya.missing_tokenizers().is_empty() {
            command.env("HF_HUB_OFFLINE", "1");
        }
        let mut child = command.spawn().map_err(|err| {
            let python = kohya.python.display();
            Failure::Machine(format!("failed to start `{python}` (--kohya-python): {err}"))
        })?;
        let group = child.id().map(Group::of);
        let (sender, output) = mpsc::channel(64);
        forward(Stream::Out, child.stdout.take(), sender.clone());
        forward(Stream::Err, child.stderr.take(), sender);
        Ok((Self { child, group }, output))
    }

    /// Waits for its end, and reaps it.
    pub(super) async fn wait(&mut self) -> std::io::Result<ExitStatus> {
        self.child.wait().await
    }

    /// Asks the whole group to end.
    pub(super) fn terminate(&self) {
        if let Some(group) = &self.group {
            group.terminate();
        }
    }

    /// Ends the whole group.
    pub(super) fn kill(&self) {
        if let Some(group) = &self.group {
            group.kill();
        }
    }

    /// Ends what it left behind, once it is reaped.
    pub(super) fn end_stragglers(&mut self) {
        if let Some(group) = &mut self.group {
            group.end_stragglers();
        }
    }
}

fn forward(
    stream: Stream,
    pipe: Option<impl AsyncRead + Unpin + Send + 'static>,
    sender: mpsc::Sender<(Stream, Vec<u8>)>,
) {
    let Some(mut pipe) = pipe else { return };
    tokio::spawn(async move {
        let mut buffer = vec![0; 16 * 1024];
        while let Ok(n_read @ 1..) = pipe.read(&mut buffer).await {
            if sender.send((stream, buffer[..n_read].to_vec())).await.is_err() {
                break;
            }
        }
    });
}
