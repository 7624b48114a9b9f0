//! Messages between the worker and its supervisor: JSON lines over the worker's standard input, a socket.

use std::{
    io::{self, BufReader, Write as _},
    os::{
        fd::{AsFd as _, OwnedFd},
        unix::net::UnixStream,
    },
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread,
    time::{Duration, Instant},
};

use protocol::AttemptId;
use rental::deadman::{Contact, Environment, EnvironmentError, Moment, Progress, Scale};
use reqwest::Url;
use rustix::process::{Signal, getpid, kill_process, set_parent_process_death_signal};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

/// What a worker says.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum Said {
    /// It owns an attempt now; with the data that the supervisor needs to report its end if the worker cannot.
    Claimed(Claimed),
    /// The server responded.
    Contact(Contact),
    /// There was progress.
    Progress {
        /// When, by the monotonic clock.
        at: Duration,
        /// How.
        what: Progress,
    },
}

/// An attempt that the worker owns.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Claimed {
    pub(crate) server: String,
    pub(crate) token: String,
    pub(crate) attempt: AttemptId,
    pub(crate) fence: i64,
}

/// The order to leave: write a checkpoint, upload it, exit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leave {
    /// Why, for a person.
    pub reason: String,
    /// Time limit, by our clock.
    pub within: Duration,
}

/// The socket cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// It does not exist.
    #[error("failed to talk to the supervisor over standard input")]
    Socket(#[source] io::Error),
    /// The environment is invalid.
    #[error(transparent)]
    Environment(#[from] EnvironmentError),
}

/// A worker's end of the socket; empty on a machine that is not rented.
#[derive(Debug, Clone, Default)]
pub struct Link(Option<Arc<Connected>>);

#[derive(Debug)]
struct Connected {
    say: mpsc::Sender<Said>,
    leave: watch::Receiver<Option<Leave>>,
    scale: Scale,
}

impl Link {
    /// No supervisor: the machine is not rented.
    pub fn none() -> Self {
        Self::default()
    }

    /// Takes the socket from standard input. From now on this process ends with its supervisor.
    ///
    /// # Errors
    /// If there is no socket, or the speed of the provider's clock is invalid.
    pub fn over_stdin() -> Result<Self, LinkError> {
        let scale = Environment::scale(|name| std::env::var(name).ok())?;
        // Nobody would end this machine without a supervisor.
        set_parent_process_death_signal(Some(Signal::KILL)).map_err(|err| LinkError::Socket(err.into()))?;
        let stdin: OwnedFd = io::stdin()
            .as_fd()
            .try_clone_to_owned()
            .map_err(LinkError::Socket)?;
        Self::over(UnixStream::from(stdin), scale, end_abandoned).map_err(LinkError::Socket)
    }

    /// `on_hangup`: the supervisor is gone.
    fn over(socket: UnixStream, scale: Scale, on_hangup: impl FnOnce() + Send + 'static) -> io::Result<Self> {
        // Asks for the name of the other end, which only a socket has one of.
        socket.peer_addr()?;
        let reader = BufReader::new(socket.try_clone()?);
        let (say, said) = mpsc::channel();
        let (told, leave) = watch::channel(None);
        thread::Builder::new()
            .name("link-out".to_owned())
            .spawn(move || write(socket, &said))?;
        thread::Builder::new().name("link-in".to_owned()).spawn(move || {
            read(reader, &told);
            on_hangup();
        })?;
        Ok(Self(Some(Arc::new(Connected { say, leave, scale }))))
    }

    /// Whether the machine is rented.
    pub(crate) fn is_rented(&self) -> bool {
        self.0.is_some()
    }

    /// Converts time of the provider's clock to ours.
    pub(crate) fn real(&self, provider: Duration) -> Duration {
        let scale = self.0.as_ref().map_or(Scale::REAL, |link| link.scale);
        scale.real(provider)
    }

    pub(crate) fn say(&self, said: Said) {
        if let Some(link) = &self.0 {
            // A supervisor that is gone takes this process with it.
            let _ = link.say.send(said);
        }
    }

    /// Reports that this agent owns an attempt.
    pub(crate) fn claimed(&self, server: &Url, token: &str, attempt: AttemptId, fence: i64) {
        self.say(Said::Claimed(Claimed {
            server: server.to_string(),
            token: token.to_owned(),
            attempt,
            fence,
        }));
    }

    /// The server responded.
    pub(crate) fn heard(&self, contact: Contact) {
        self.say(Said::Contact(contact));
    }

    /// There was progress.
    pub(crate) fn progressed(&self, what: Progress) {
        self.say(Said::Progress {
            at: Moment::now().monotonic,
            what,
        });
    }

    /// Waits for the order to leave.
    pub(crate) async fn leave(&self) -> Leave {
        let Some(link) = &self.0 else {
            return std::future::pending().await;
        };
        let mut leave = link.leave.clone();
        let ordered = leave
            .wait_for(Option::is_some)
            .await
            .ok()
            .and_then(|order| order.clone());
        match ordered {
            Some(order) => order,
            None => std::future::pending().await,
        }
    }
}

/// Signs of progress that may come many times in a second. The supervisor is told of one in [`TELL_EVERY`].
#[derive(Debug, Clone)]
pub(crate) struct Pulse {
    link: Link,
    told_at: Arc<Mutex<Option<Instant>>>,
}

/// See [`Pulse`]; far less than the supervisor's limits.
const TELL_EVERY: Duration = Duration::from_secs(1);

impl Pulse {
    pub(crate) fn new(link: Link) -> Self {
        Self {
            link,
            told_at: Arc::default(),
        }
    }

    /// There was progress.
    pub(crate) fn beat(&self) {
        let mut told_at = self.told_at.lock().unwrap_or_else(PoisonError::into_inner);
        if told_at.is_none_or(|at| at.elapsed() >= TELL_EVERY) {
            *told_at = Some(Instant::now());
            self.link.progressed(Progress::Other);
        }
    }
}

/// A supervisor that ended before this process asked to end with it hangs up all the same.
fn end_abandoned() {
    // As the signal of its death does. It read our log, so that a line of it now would be the end of this thread.
    let _ = kill_process(getpid(), Signal::KILL);
}

fn write(mut socket: UnixStream, said: &mpsc::Receiver<Said>) {
    for said in said {
        let Ok(mut line) = serde_json::to_vec(&said) else {
            continue;
        };
        line.push(b'\n');
        if socket.write_all(&line).is_err() {
            return;
        }
    }
}

fn read(mut socket: impl io::BufRead, told: &watch::Sender<Option<Leave>>) {
    let mut line = String::new();
    while socket.read_line(&mut line).is_ok_and(|n_bytes| n_bytes > 0) {
        match serde_json::from_str(&line) {
            Ok(leave) => drop(told.send(Some(leave))),
            Err(err) => tracing::warn!(error = %err, "the supervisor said something unknown"),
        }
        line.clear();
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::{BufRead as _, BufReader, Write as _},
        os::unix::net::UnixStream,
        sync::mpsc,
        time::Duration,
    };

    use protocol::AttemptId;
    use rental::deadman::Progress;

    use super::{Leave, Link, Pulse, Said, Scale};

    #[tokio::test]
    async fn both_ends_understand_each_other() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let (hang_up, hung_up) = mpsc::channel();
        let on_hangup = move || hang_up.send(()).unwrap();
        let link = Link::over(theirs, Scale::new(60).unwrap(), on_hangup).unwrap();
        assert_eq!(link.real(Duration::from_secs(60)), Duration::from_secs(1));

        let attempt = AttemptId::new();
        link.claimed(&"http://localhost:1".parse().unwrap(), "token", attempt, 7);
        link.progressed(Progress::Step);
        let mut lines = BufReader::new(ours.try_clone().unwrap()).lines();
        let mut said = || serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
        assert!(matches!(said(), Said::Claimed(claimed) if claimed.attempt == attempt && claimed.fence == 7));
        assert!(matches!(
            said(),
            Said::Progress {
                what: Progress::Step,
                ..
            }
        ));

        let pulse = Pulse::new(link.clone());
        pulse.beat();
        assert!(matches!(
            said(),
            Said::Progress {
                what: Progress::Other,
                ..
            }
        ));

        let order = Leave {
            reason: "it is time".to_owned(),
            within: Duration::from_secs(5),
        };
        let line = serde_json::to_string(&order).unwrap();
        (&ours).write_all(format!("{line}\n").as_bytes()).unwrap();
        let told = tokio::time::timeout(Duration::from_secs(20), link.leave()).await;
        assert_eq!(told.unwrap(), order);

        assert_eq!(hung_up.try_recv(), Err(mpsc::TryRecvError::Empty));
        drop((ours, lines));
        assert_eq!(hung_up.recv_timeout(Duration::from_secs(20)), Ok(()));
    }

    #[test]
    fn what_is_no_socket_is_refused() {
        let file = tempfile::tempfile().unwrap();
        let socket = UnixStream::from(std::os::fd::OwnedFd::from(file));
        assert!(Link::over(socket, Scale::REAL, || {}).is_err());
    }
}
