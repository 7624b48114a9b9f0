//! The child process: requests and answers, one line each.

use std::{
    io::{BufRead as _, BufReader, Read, Write as _},
    os::unix::process::{CommandExt as _, ExitStatusExt as _},
    process::{self, ChildStdin, Command, ExitStatus, Stdio},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use protocol::environment;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Diffusers, Failure};
use crate::{
    group::{Group, KEPT},
    tail::{Stream, Tail},
};

/// The program, which is part of ours.
const PROGRAM: &str = include_str!("engine.py");

/// How often is looked whether the answer is still wanted.
const LOOK: Duration = Duration::from_millis(50);

/// The longest answer; what is long is in files.
const MAX_LINE_BYTES: u64 = 1 << 20;

/// From the end of its output to its own end, if it ends.
const PARTING: Duration = Duration::from_secs(1);

/// Whether an answer is not wanted any more.
pub type Cancelled<'a> = &'a dyn Fn() -> bool;

/// A running child. Dropped, its whole group is killed.
#[derive(Debug)]
pub(super) struct Child {
    child: process::Child,
    group: Group,
    /// Lines for its standard input, which a thread writes: a child that does not read must not hold us up.
    lines: Sender<String>,
    n_sent: u64,
    /// How many of them it has taken.
    n_taken: Arc<AtomicU64>,
    answers: Receiver<String>,
    readers: Vec<JoinHandle<()>>,
    tail: Arc<Mutex<Tail>>,
    n_asked: u64,
    quiet: Duration,
    heed: Duration,
    grace: Duration,
}

/// What the child says when it does not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) kind: Kind,
    pub(super) detail: String,
}

/// The kinds of refusals, as the child names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    OutOfMemory,
    BaseDoesNotLoad,
    LoraDoesNotFit,
    MissingModule,
    Cancelled,
    Internal,
}

/// An answer: what was asked for, or why not.
pub(super) type Answer = Result<Map<String, Value>, Refusal>;

impl Child {
    /// Starts it.
    pub(super) fn start(settings: &Diffusers) -> Result<Self, Failure> {
        let started = |err| Failure::Start {
            python: settings.python.clone(),
            err,
        };
        let mut child = Command::new(&settings.python)
            .args(["-u", "-c", PROGRAM])
            // It must not get our credentials for the server and the provider.
            .env_clear()
            .envs(environment::of_machine(std::env::vars_os(), &KEPT))
            .env("PYTHONIOENCODING", "utf-8")
            // Everything that it needs is in files that it is given.
            .env("HF_HUB_OFFLINE", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()
            .map_err(started)?;
        let group = Group::of(child.id());
        let (Some(stdin), Some(stdout), Some(stderr)) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take())
        else {
            return Err(started(std::io::Error::other("it has no pipes")));
        };
        let (sender, answers) = sync_channel(16);
        let tail = Arc::new(Mutex::new(Tail::default()));
        let errors = Arc::clone(&tail);
        let readers = vec![
            thread::spawn(move || read_answers(stdout, &sender)),
            thread::spawn(move || read_errors(stderr, &errors)),
        ];
        let (lines, to_write) = channel();
        let n_taken = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&n_taken);
        // It ends with the pipe, or when there is nothing more to write.
        thread::spawn(move || write_lines(stdin, &to_write, &counted));
        Ok(Self {
            child,
            group,
            lines,
            n_sent: 0,
            n_taken,
            answers,
            readers,
            tail,
            n_asked: 0,
            quiet: settings.quiet,
            heed: settings.heed,
            grace: settings.grace,
        })
    }

    /// Asks for something and waits for the answer. After an error of its own the child is of no use.
    pub(super) fn ask(
        &mut self,
        op: &str,
        mut request: Value,
        is_cancelled: Cancelled,
    ) -> Result<Answer, Failure> {
        self.n_asked += 1;
        let id = self.n_asked;
        request["op"] = op.into();
        request["id"] = id.into();
        self.send(&request);
        let asked = Instant::now();
        let mut told_to_stop: Option<Instant> = None;
        loop {
            match self.answers.recv_timeout(LOOK) {
                Ok(line) => {
                    if let Some(answer) = read(&line, id)? {
                        return Ok(answer);
                    }
                }
                Err(RecvTimeoutError::Disconnected) => return Err(self.ended()),
                Err(RecvTimeoutError::Timeout) => {}
            }
            match told_to_stop {
                None if is_cancelled() => {
                    self.send(&json!({ "op": "cancel", "of": id }));
                    told_to_stop = Some(Instant::now());
                }
                Some(told) if told.elapsed() >= self.grace => {
                    self.end(LOOK);
                    return Err(Failure::Cancelled);
                }
                None if asked.elapsed() >= self.heed && !self.has_taken_all() => {
                    self.end(LOOK);
                    return Err(Failure::Deaf {
                        after: self.heed,
                        excerpt: self.tail().excerpt(),
                    });
                }
                _ if asked.elapsed() >= self.quiet => {
                    self.end(LOOK);
                    return Err(Failure::Hung {
                        after: self.quiet,
                        excerpt: self.tail().excerpt(),
                    });
                }
                _ => {}
            }
        }
    }

    /// Whether it still runs.
    pub(super) fn is_well(&mut self) -> bool {
        !self.readers.is_empty() && matches!(self.child.try_wait(), Ok(None))
    }

    /// What it printed last.
    pub(super) fn tail(&self) -> std::sync::MutexGuard<'_, Tail> {
        self.tail.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands a line to the thread that writes. One that cannot be written any more is not answered either.
    fn send(&mut self, request: &Value) {
        self.n_sent += 1;
        let _ = self.lines.send(format!("{request}\n"));
    }

    /// Whether every line has gone into its pipe.
    fn has_taken_all(&self) -> bool {
        self.n_taken.load(Ordering::SeqCst) >= self.n_sent
    }

    /// Why there are no more answers.
    fn ended(&mut self) -> Failure {
        let ending = self.end(PARTING);
        let excerpt = self.tail().excerpt();
        match ending {
            Ending::Found(status) => Failure::Crashed {
                how: describe(status),
                excerpt,
            },
            Ending::Killed => Failure::Mute { excerpt },
        }
    }

    /// Ends it, and waits until everything that it has printed is read.
    fn end(&mut self, patience: Duration) -> Ending {
        // It may be ending by itself, with an exit code that says why.
        let asked = Instant::now();
        let mut status = self.child.try_wait().ok().flatten();
        while status.is_none() && asked.elapsed() < patience {
            thread::yield_now();
            status = self.child.try_wait().ok().flatten();
        }
        self.group.kill();
        if status.is_none() {
            // Reaped, so that it is no zombie as long as the agent runs.
            let _ = self.child.wait();
        }
        self.group.end_stragglers();
        for reader in self.readers.drain(..) {
            // A reader ends with its pipe, and has nothing to say.
            let _ = reader.join();
        }
        status.map_or(Ending::Killed, Ending::Found)
    }
}

/// How a child was when it was to be ended.
enum Ending {
    /// It had ended.
    Found(ExitStatus),
    /// It lived.
    Killed,
}

impl Drop for Child {
    fn drop(&mut self) {
        self.group.kill();
        // Reaped, so that it is no zombie as long as the agent runs.
        let _ = self.child.wait();
        self.group.end_stragglers();
    }
}

fn describe(status: ExitStatus) -> String {
    match status.signal() {
        // The kernel's own way to say that the machine's memory is full.
        Some(9) => "signal 9, which something else sent: was the machine's memory full?".to_owned(),
        Some(signal) => format!("signal {signal}"),
        None => format!("exit code {}", status.code().unwrap_or(-1)),
    }
}

/// Reads an answer; none if it is to a request that was given up.
fn read(line: &str, id: u64) -> Result<Option<Answer>, Failure> {
    let wrong = || Failure::Answer {
        answer: line.chars().take(300).collect(),
    };
    let mut answer: Map<String, Value> = serde_json::from_str(line).map_err(|_| wrong())?;
    match answer.remove("id").and_then(|id| id.as_u64()) {
        Some(of) if of == id => {}
        Some(of) if of < id => return Ok(None),
        _ => return Err(wrong()),
    }
    let Some(kind) = answer.remove("error") else {
        return Ok(Some(Ok(answer)));
    };
    let detail = answer.get("detail").and_then(Value::as_str);
    Ok(Some(Err(Refusal {
        kind: serde_json::from_value(kind).map_err(|_| wrong())?,
        detail: detail.unwrap_or_default().to_owned(),
    })))
}

fn write_lines(mut pipe: ChildStdin, lines: &Receiver<String>, n_taken: &AtomicU64) {
    for line in lines {
        if pipe
            .write_all(line.as_bytes())
            .and_then(|()| pipe.flush())
            .is_err()
        {
            return;
        }
        n_taken.fetch_add(1, Ordering::SeqCst);
    }
}

fn read_answers(pipe: impl Read, sender: &SyncSender<String>) {
    let mut pipe = BufReader::new(pipe);
    loop {
        let mut line = String::new();
        match pipe.by_ref().take(MAX_LINE_BYTES).read_line(&mut line) {
            // Nobody waits for more than one, so that a full queue means that the child talks nonsense.
            Ok(1..) if sender.try_send(line).is_ok() => {}
            _ => return,
        }
    }
}

fn read_errors(pipe: impl Read, tail: &Mutex<Tail>) {
    let mut pipe = BufReader::new(pipe);
    loop {
        let mut line = Vec::new();
        match pipe.by_ref().take(MAX_LINE_BYTES).read_until(b'\n', &mut line) {
            Ok(1..) => {
                let line = String::from_utf8_lossy(&line).trim_end().to_owned();
                tracing::debug!(line, "diffusers");
                let mut tail = tail.lock().unwrap_or_else(PoisonError::into_inner);
                tail.push(Stream::Err, line);
            }
            _ => return,
        }
    }
}
