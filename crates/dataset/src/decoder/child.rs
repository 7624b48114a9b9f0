//! One worker, as its owner has it.

use std::{
    fs,
    io::{self, ErrorKind},
    os::{fd::AsFd, unix::process::CommandExt as _},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    time::{Duration, Instant},
};

use bytes::Bytes;
use protocol::limits::{MAX_DECODER_BYTES, MAX_DECODING_TIME};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fs::{OFlags, fcntl_getfl, fcntl_setfl},
    pipe::fcntl_setpipe_size,
};

use super::{
    Confinement, DecodeError, PageTask, SplitPage, WorkerCommand,
    frame::{self, HEADER_BYTES, MAX_ANSWER_BYTES, Outline, kind},
    page::Collected,
    sandbox,
};
use crate::picture::{self, NormalizedPicture};

/// A worker that does not greet within this time will not.
const MAX_START: Duration = Duration::from_secs(30);
/// A picture hardly ever takes more than one exchange of this size.
const PIPE_BYTES: usize = 1 << 20;
/// A reason is a sentence.
const MAX_REASON_CHARS: usize = 400;

/// A process that decodes one picture at a time. It ends when this is dropped.
#[derive(Debug)]
pub(super) struct Worker {
    child: Child,
    to: ChildStdin,
    from: ChildStdout,
    confinement: Option<Confinement>,
    /// Pictures that it has decoded, and the time that it took.
    pub(super) n_pictures: u32,
    pub(super) busy: Duration,
}

/// Why a worker gave no picture.
pub(super) enum Failure {
    /// The picture is refused, and the worker is as good as before.
    Refused(String),
    /// The worker ended, or spoke nonsense.
    Broken,
    /// It took longer than one picture may.
    Slow,
}

impl From<io::Error> for Failure {
    fn from(err: io::Error) -> Self {
        match err.kind() {
            ErrorKind::TimedOut => Self::Slow,
            _ => Self::Broken,
        }
    }
}

impl Worker {
    /// Starts one, and does not wait until it is ready.
    pub(super) fn start(WorkerCommand { program, args }: &WorkerCommand) -> io::Result<Self> {
        let mut child = Command::new(program)
            .args(args)
            .env_clear()
            // mimalloc: do not reserve a gigabyte at startup, which would exceed the memory limit.
            .env("MIMALLOC_ARENA_RESERVE", "0")
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            // A terminal's Ctrl-C is only for the server, which finishes its current work.
            .process_group(0)
            .spawn()?;
        let pipes = child.stdin.take().zip(child.stdout.take());
        let (to, from) = pipes.ok_or_else(|| io::Error::other("it has no pipes"))?;
        for pipe in [to.as_fd(), from.as_fd()] {
            fcntl_setfl(pipe, fcntl_getfl(pipe)? | OFlags::NONBLOCK)?;
            // Smaller pipes only take more turns.
            let _ = fcntl_setpipe_size(pipe, PIPE_BYTES);
        }
        Ok(Self {
            child,
            to,
            from,
            confinement: None,
            n_pictures: 0,
            busy: Duration::ZERO,
        })
    }

    /// What it says that keeps it in.
    pub(super) fn confinement(&mut self) -> Result<&Confinement, DecodeError> {
        let confinement = match self.confinement.take() {
            Some(confinement) => confinement,
            None => self.greet().map_err(DecodeError::Unavailable)?,
        };
        Ok(self.confinement.insert(confinement))
    }

    fn greet(&mut self) -> io::Result<Confinement> {
        let mut conversation = Conversation::new(self, MAX_START);
        let (of_kind, hello) = conversation.frame()?;
        if of_kind != kind::HELLO {
            return Err(nonsense());
        }
        serde_json::from_slice(&hello).map_err(io::Error::other)
    }

    /// Has it decode a picture.
    pub(super) fn normalize(&mut self, bytes: &[u8]) -> Result<NormalizedPicture, Failure> {
        let started = Instant::now();
        let mut conversation = Conversation::new(self, MAX_DECODING_TIME);
        conversation.send(&frame::header(kind::PICTURE, bytes.len()))?;
        conversation.send(bytes)?;
        let mut png = Vec::new();
        let mut thumbnail = None;
        let answer = loop {
            let (of_kind, part) = conversation.frame()?;
            match of_kind {
                kind::PNG if (png.len() + part.len()) as u64 <= MAX_DECODER_BYTES => {
                    png.extend_from_slice(&part)
                }
                kind::THUMBNAIL if picture::thumbnail_type(&part).is_some() => thumbnail = Some(part),
                kind::OUTLINE => break normalized(png, thumbnail, &part).map_err(Failure::from),
                kind::REFUSED => break Err(Failure::Refused(shown(&part))),
                _ => return Err(nonsense().into()),
            }
        };
        self.n_pictures += 1;
        self.busy += started.elapsed();
        answer
    }

    /// Has it split a page.
    pub(super) fn page(&mut self, bytes: &[u8], task: &PageTask) -> Result<SplitPage, Failure> {
        let started = Instant::now();
        let task = serde_json::to_vec(task).map_err(io::Error::other)?;
        let mut conversation = Conversation::new(self, MAX_DECODING_TIME);
        conversation.send(&frame::header(kind::TASK, task.len()))?;
        conversation.send(&task)?;
        conversation.send(&frame::header(kind::PICTURE, bytes.len()))?;
        conversation.send(bytes)?;
        let mut collected = Collected::default();
        let mut png = Vec::new();
        let mut n_bytes = 0;
        let answer = loop {
            let (of_kind, part) = conversation.frame()?;
            n_bytes += part.len() as u64;
            match of_kind {
                kind::PNG if n_bytes <= MAX_DECODER_BYTES => png.extend_from_slice(&part),
                kind::PART => {
                    let part = serde_json::from_slice(&part).map_err(io::Error::other)?;
                    collected
                        .add(std::mem::take(&mut png), part)
                        .ok_or_else(nonsense)?;
                }
                kind::PAGE => {
                    let outline = serde_json::from_slice(&part).map_err(io::Error::other)?;
                    break Ok(collected.page(outline).ok_or_else(nonsense)?);
                }
                kind::REFUSED => break Err(Failure::Refused(shown(&part))),
                _ => return Err(nonsense().into()),
            }
        };
        self.n_pictures += 1;
        self.busy += started.elapsed();
        answer
    }

    /// The most memory that it has had, in bytes; 0 for one that has ended.
    pub(super) fn peak_bytes(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()));
        status.map_or(0, |status| sandbox::in_bytes(&status, "VmHWM:").unwrap_or(0))
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // It may have ended already; either way it is not left behind as a zombie.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A worker's word is checked: the picture is what it says, and nothing but pixels.
fn normalized(png: Vec<u8>, thumbnail: Option<Vec<u8>>, outline: &[u8]) -> io::Result<NormalizedPicture> {
    let Outline {
        width,
        height,
        notes,
        measures,
    } = serde_json::from_slice(outline).map_err(io::Error::other)?;
    if !picture::is_plain_png(&png, (width, height)) {
        return Err(nonsense());
    }
    let notes = notes.iter().take(16).map(|note| shown(note.as_bytes())).collect();
    let picture = NormalizedPicture::new(png, (width, height), notes);
    Ok(picture.with_views(measures, thumbnail.map(Bytes::from)))
}

fn shown(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    text.chars()
        .filter(|c| !c.is_control())
        .take(MAX_REASON_CHARS)
        .collect()
}

fn nonsense() -> io::Error {
    io::Error::new(ErrorKind::InvalidData, "its response is invalid")
}

/// Bytes to and from a worker, up to a point in time.
struct Conversation<'a> {
    to: &'a ChildStdin,
    from: &'a ChildStdout,
    deadline: Instant,
}

impl<'a> Conversation<'a> {
    fn new(worker: &'a Worker, time: Duration) -> Self {
        Self {
            to: &worker.to,
            from: &worker.from,
            deadline: Instant::now() + time,
        }
    }

    fn send(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            match rustix::io::write(self.to, bytes) {
                Ok(n_bytes) => bytes = &bytes[n_bytes..],
                Err(err) => self.wait(err, PollFd::new(self.to, PollFlags::OUT))?,
            }
        }
        Ok(())
    }

    fn frame(&mut self) -> io::Result<(u8, Vec<u8>)> {
        let mut header = [0; HEADER_BYTES];
        self.receive(&mut header)?;
        let (of_kind, n_bytes) = frame::parse_header(header);
        if n_bytes > MAX_ANSWER_BYTES {
            return Err(nonsense());
        }
        let mut bytes = vec![0; n_bytes];
        self.receive(&mut bytes)?;
        Ok((of_kind, bytes))
    }

    fn receive(&mut self, mut buffer: &mut [u8]) -> io::Result<()> {
        while !buffer.is_empty() {
            match rustix::io::read(self.from, &mut *buffer) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(n_bytes) => buffer = &mut buffer[n_bytes..],
                Err(err) => self.wait(err, PollFd::new(self.from, PollFlags::IN))?,
            }
        }
        Ok(())
    }

    /// Waits until a pipe can go on, when that is what the error says.
    fn wait(&self, err: rustix::io::Errno, pipe: PollFd<'_>) -> io::Result<()> {
        match io::Error::from(err) {
            err if err.kind() == ErrorKind::Interrupted => return Ok(()),
            err if err.kind() == ErrorKind::WouldBlock => {}
            err => return Err(err),
        }
        let left = self.deadline.saturating_duration_since(Instant::now());
        let left = Timespec::try_from(left).map_err(io::Error::other)?;
        match poll(&mut [pipe], Some(&left)) {
            Ok(0) => Err(ErrorKind::TimedOut.into()),
            Ok(_) => Ok(()),
            Err(err) if err == rustix::io::Errno::INTR => Ok(()),
            Err(err) => Err(err.into()),
        }
    }
}
