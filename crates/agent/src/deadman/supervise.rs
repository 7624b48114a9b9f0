//! The supervisor: starts the worker, listens to it, asks the switch, and ends the machine. It never returns.

use std::{
    collections::VecDeque,
    ffi::OsString,
    io::{self, BufRead as _, BufReader, Read, Write as _},
    os::{
        fd::OwnedFd,
        unix::{net::UnixStream as StdUnixStream, process::CommandExt as _},
    },
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
    process::{ChildStderr, Command, Stdio},
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Duration,
};

use protocol::{agent::Finish, phase::Outcome, problem::chain};
use rental::{
    deadman::{
        Children, Deadman, Decision, Environment, Moment, Process, ROUND_PAUSE, Reason, Start, ThisMachine,
    },
    providers,
};
use rustix::process::{Signal, WaitStatus};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader as AsyncBufReader, Lines},
    net::{
        UnixStream,
        unix::{OwnedReadHalf, OwnedWriteHalf},
    },
    runtime::Runtime,
    signal::unix::{SignalKind, signal},
    sync::oneshot,
    time::{Instant, sleep, timeout},
};

use super::{Stderr, record};
use crate::{
    client::{Client, ClientError, MailboxAddress, Patience},
    link::{Claimed, Leave, Said},
};

/// From the request to end to the end: a provider kills after 5 s.
const GRACE: Duration = Duration::from_millis(4_500);
/// Between two looks at the clocks, by the provider's clock.
const LOOK: Duration = Duration::from_secs(1);
const SHORTEST_LOOK: Duration = Duration::from_millis(20);
/// A server that is there takes a report in this time; money runs meanwhile.
const REPORT_TIME: Duration = Duration::from_secs(5);
/// What a process has said is read within this time after its end.
const DRAIN_TIME: Duration = Duration::from_secs(1);
/// Lines of the worker's log that go into the report of its end, and characters of each.
const N_LINES: usize = 20;
const N_CHARS: usize = 300;
/// A line that is longer is passed on in parts.
const MOST_BYTES: u64 = 16 * 1024;

/// What the supervisor starts.
#[derive(Debug, Clone)]
pub struct Supervised {
    /// This program's arguments for the worker.
    pub args: Vec<OsString>,
    /// Where the machine's record is kept.
    pub record_dir: PathBuf,
}

/// Runs the worker, and ends the machine when it is done, or must be.
pub fn supervise(supervised: &Supervised) -> ! {
    let machine = ThisMachine::from_env();
    let runtime = runtime();
    let mut children = match runtime.block_on(async { Children::adopt() }) {
        Ok(children) => Some(children),
        Err(err) => {
            tracing::error!(error = %err, "failed to adopt processes");
            None
        }
    };
    // No error here is a reason to keep the machine running.
    let attended = catch_unwind(AssertUnwindSafe(|| match &mut children {
        Some(children) => runtime.block_on(attend(supervised, machine.name(), children)),
        None => "the machine's processes cannot be watched".to_owned(),
    }));
    let reason = attended.unwrap_or_else(|_| "the supervisor stopped unexpectedly".to_owned());
    tracing::warn!(machine.id = machine.name(), reason, "terminating this machine");
    loop {
        let _ = catch_unwind(AssertUnwindSafe(|| {
            runtime.block_on(async {
                if let Some(children) = &mut children {
                    children.end_all().await;
                }
                machine.end(&mut children).await
            })
        }));
        thread::sleep(ROUND_PAUSE);
    }
}

fn runtime() -> Runtime {
    loop {
        match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => return runtime,
            Err(err) => {
                tracing::error!(error = %err, "failed to start the runtime");
                thread::sleep(LOOK);
            }
        }
    }
}

/// Runs the worker until it has ended or must be; the reason why the machine is to be ended.
async fn attend(supervised: &Supervised, machine: &str, children: &mut Children) -> String {
    // A signal before it listens would kill it without its worker, or be lost if it is a container's first process.
    let (terminate, interrupt) = match (signal(SignalKind::terminate()), signal(SignalKind::interrupt())) {
        (Ok(terminate), Ok(interrupt)) => (terminate, interrupt),
        (Err(err), _) | (_, Err(err)) => return format!("failed to listen for signals: {err}"),
    };
    let environment = match Environment::read(|name| std::env::var(name).ok()) {
        Ok(environment) => environment,
        Err(err) => return err.to_string(),
    };
    let now = Moment::now();
    let start = record::count_start(&supervised.record_dir, machine, now).unwrap_or_else(|err| {
        tracing::warn!(error = chain(&err), "this start is not counted");
        Start {
            at: now,
            ran_before: Duration::ZERO,
            n_restarts: 0,
        }
    });
    tracing::info!(
        machine.id = machine,
        n_restarts = start.n_restarts,
        deadline = %environment.deadline,
        "supervising this machine"
    );
    let mut deadman = Deadman::new(environment, start);
    if let Decision::Terminate(reason) = deadman.decide(now) {
        return reason.to_string();
    }
    let worker = match Worker::start(supervised, children) {
        Ok(worker) => worker,
        Err(err) => return format!("failed to start the worker: {err}"),
    };
    let look = environment.scale.real(LOOK).clamp(SHORTEST_LOOK, LOOK);
    let mut attendance = Attendance {
        deadman,
        worker,
        terminate,
        interrupt,
        claimed: None,
        leaving: None,
    };
    let end = attendance.until_end(children, look).await;
    if !matches!(end, End::Ended(_)) {
        attendance.worker.process.kill_group();
    }
    children.end_all().await;
    attendance.conclude(end).await
}

/// A worker and what is known of it.
struct Attendance {
    deadman: Deadman,
    worker: Worker,
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
    claimed: Option<Claimed>,
    /// Why it was told to leave.
    leaving: Option<Reason>,
}

/// Why nothing is waited for any more.
enum End {
    /// The worker has ended.
    Ended(WaitStatus),
    /// The machine must end at once.
    Terminate(Reason),
    /// The machine was told to end, and the worker took too long.
    TooSlow,
}

impl Attendance {
    async fn until_end(&mut self, children: &mut Children, look: Duration) -> End {
        let mut end_by: Option<Instant> = None;
        let mut is_heard = true;
        loop {
            let is_told_to_end = tokio::select! {
                said = self.worker.said.next_line(), if is_heard => {
                    is_heard = self.take(said);
                    false
                }
                (process, status) = children.next_end() => {
                    if process == self.worker.process {
                        return End::Ended(status);
                    }
                    false
                }
                _ = self.terminate.recv() => true,
                _ = self.interrupt.recv() => true,
                () = sleep(look) => false,
            };
            if is_told_to_end && end_by.is_none() {
                tracing::warn!("this machine was asked to shut down");
                self.worker.process.signal(Signal::TERM);
                end_by = Some(Instant::now() + GRACE);
            }
            if end_by.is_some_and(|at| Instant::now() >= at) {
                return End::TooSlow;
            }
            let now = Moment::now();
            match self.deadman.decide(now) {
                Decision::Run => {}
                Decision::Leave(reason) if self.leaving.is_none() => {
                    self.leaving = Some(reason);
                    let leave = Leave {
                        reason: reason.to_string(),
                        within: self.deadman.time_to_leave(now),
                    };
                    tracing::warn!(
                        reason = leave.reason,
                        within_ms = leave.within.as_millis() as u64,
                        "stopping work on this machine"
                    );
                    self.worker.tell(&leave).await;
                }
                Decision::Leave(_) => {}
                Decision::Terminate(reason) => return End::Terminate(reason),
            }
        }
    }

    /// Takes a line of the worker's; false when there are no more.
    fn take(&mut self, line: io::Result<Option<String>>) -> bool {
        let Ok(Some(line)) = line else {
            return false;
        };
        match serde_json::from_str(&line) {
            Ok(Said::Claimed(claimed)) => self.claimed = Some(claimed),
            Ok(Said::Contact(contact)) => self.deadman.heard(contact),
            Ok(Said::Progress { at, what }) => self.deadman.progressed(at, what),
            // The line may hold a token.
            Err(_) => tracing::warn!("the worker said something unknown"),
        }
        true
    }

    /// Tells the server what the worker cannot tell any more; why the machine is ended.
    async fn conclude(mut self, end: End) -> String {
        let why = match end {
            End::Ended(status) if status.exit_status() == Some(0) => {
                return self
                    .leaving
                    .map_or_else(|| "the work is done".to_owned(), |reason| reason.to_string());
            }
            End::Ended(status) => format!("the agent stopped unexpectedly ({})", describe(status)),
            End::TooSlow => "the agent was told to stop by its machine".to_owned(),
            // There is no time or money left to wait for a response.
            End::Terminate(reason @ (Reason::Deadline | Reason::Budget)) => return reason.to_string(),
            End::Terminate(reason) => reason.to_string(),
        };
        while let Ok(line) = timeout(DRAIN_TIME, self.worker.said.next_line()).await
            && self.take(line)
        {}
        if let Some(claimed) = self.claimed.take() {
            let tail = self.worker.tail().await;
            let told = timeout(REPORT_TIME, report(&claimed, &why, &tail)).await;
            match told {
                Ok(Ok(())) => tracing::info!(attempt.id = %claimed.attempt, "the attempt's end is reported"),
                Ok(Err(err)) => tracing::warn!(error = chain(&err), "failed to report the attempt's end"),
                Err(_) => tracing::warn!("the server did not accept the report of the attempt's end"),
            }
        }
        why
    }
}

async fn report(claimed: &Claimed, why: &str, tail: &str) -> Result<(), ClientError> {
    let Ok(server) = claimed.server.parse() else {
        return Ok(());
    };
    let mut detail = why.to_owned();
    if !tail.is_empty() {
        detail = format!("{detail}; the last of its log:\n{tail}");
    }
    let finish = Finish {
        fence: claimed.fence,
        // It may work on another machine.
        outcome: Outcome::Lost,
        detail: Some(detail),
        result: None,
        picture: None,
        edited: None,
        disk_fault: false,
    };
    let lookup = |name: &str| std::env::var(name).ok();
    let scale = Environment::scale(lookup).unwrap_or_default();
    // A worker could not have claimed anything through one that is not right.
    let mailbox = MailboxAddress::read(lookup).ok().flatten();
    let client = Client::new(server, claimed.token.clone())?.by(mailbox, |time| scale.real(time));
    client
        .finish(claimed.attempt, &finish, Patience(REPORT_TIME))
        .await
}

fn describe(status: WaitStatus) -> String {
    match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => "for an unknown reason".to_owned(),
    }
}

/// The worker's process and the ways to and from it.
struct Worker {
    process: Process,
    said: Lines<AsyncBufReader<OwnedReadHalf>>,
    orders: OwnedWriteHalf,
    log: Arc<Mutex<VecDeque<String>>>,
    log_ended: Option<oneshot::Receiver<()>>,
}

impl Worker {
    fn start(supervised: &Supervised, children: &Children) -> io::Result<Self> {
        let (ours, theirs) = StdUnixStream::pair()?;
        ours.set_nonblocking(true)?;
        let (said, orders) = UnixStream::from_std(ours)?.into_split();
        let mut command = Command::new(std::env::current_exe()?);
        command
            .args(&supervised.args)
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stderr(Stdio::piped())
            .process_group(0);
        // Ending machines is not its business.
        for secret in providers::REGISTERED
            .iter()
            .flat_map(|kind| kind.machine_secrets())
        {
            command.env_remove(secret);
        }
        let (process, mut child) = children.start(&mut command)?;
        let log = Arc::default();
        let log_ended = child
            .stderr
            .take()
            .map(|stderr| pass_on(stderr, &log))
            .transpose()?;
        Ok(Self {
            process,
            said: AsyncBufReader::new(said).lines(),
            orders,
            log,
            log_ended,
        })
    }

    async fn tell(&mut self, leave: &Leave) {
        let Ok(mut line) = serde_json::to_vec(leave) else {
            return;
        };
        line.push(b'\n');
        // A worker that does not listen is killed when its time is over.
        let _ = timeout(LOOK, self.orders.write_all(&line)).await;
    }

    /// The last lines of its log, once it has ended.
    async fn tail(&mut self) -> String {
        if let Some(ended) = self.log_ended.take() {
            let _ = timeout(DRAIN_TIME, ended).await;
        }
        let lines = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        lines.iter().map(String::as_str).collect::<Vec<_>>().join("\n")
    }
}

/// Passes a worker's log on to ours and keeps its last lines. The receiver hears of its end.
fn pass_on(stderr: ChildStderr, log: &Arc<Mutex<VecDeque<String>>>) -> io::Result<oneshot::Receiver<()>> {
    let (ended, has_ended) = oneshot::channel::<()>();
    let log = Arc::clone(log);
    thread::Builder::new().name("log".to_owned()).spawn(move || {
        // Dropped with this thread, which tells the receiver.
        let _ended = ended;
        let mut reader = BufReader::new(stderr);
        let mut line = Vec::new();
        while reader
            .by_ref()
            .take(MOST_BYTES)
            .read_until(b'\n', &mut line)
            .is_ok_and(|n_bytes| n_bytes > 0)
        {
            let _ = Stderr.write_all(&line);
            let text = String::from_utf8_lossy(&line);
            let text = text.trim_end().chars().take(N_CHARS).collect();
            let mut lines = log.lock().unwrap_or_else(PoisonError::into_inner);
            lines.push_back(text);
            if lines.len() > N_LINES {
                lines.pop_front();
            }
            drop(lines);
            line.clear();
        }
    })?;
    Ok(has_ended)
}
