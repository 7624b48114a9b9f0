//! Carries wake-up calls between servers that share a database.
//!
//! Three tasks: one sends what is called here, one hears what is called elsewhere, one tells everybody to look
//! again now and then, since any message may be lost. None of them is waited for by a request.

use std::{
    collections::{BTreeMap, BTreeSet},
    error::Error,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use protocol::{GenerationId, JobId};
use serde::{Deserialize, Serialize};
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
    time::{sleep, timeout},
};
use uuid::Uuid;

use super::{Call, Change, Hub};

/// A message that takes longer is given up; the ones after it say that it was missed.
const PUBLISH_TIMEOUT: Duration = Duration::from_secs(2);
/// Subscribing that takes longer is given up.
const LISTEN_TIMEOUT: Duration = Duration::from_secs(5);
/// Time between two tries to reach the service again.
const RETRY: Duration = Duration::from_millis(500);
/// Everybody looks again this often, whatever was heard.
const SWEEP: Duration = Duration::from_secs(10);
/// And this often while nothing can be heard.
const SWEEP_CUT_OFF: Duration = Duration::from_secs(1);
/// Calls that go into one message; a NOTIFY of PostgreSQL holds 8,000 bytes.
const CALLS_PER_MESSAGE: usize = 100;

/// The service behind the bus failed.
#[derive(Debug, thiserror::Error)]
#[error("failed to {doing}")]
pub struct BusError {
    doing: &'static str,
    /// What to do about it, when the service refused or cannot be trusted: repeating it will not help.
    refusal: Option<&'static str>,
    #[source]
    source: Box<dyn Error + Send + Sync>,
}

/// What to do when the service does not let us in.
pub(crate) const CREDENTIALS: &str = "check its user and password";

impl BusError {
    pub(crate) fn new(doing: &'static str, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self {
            doing,
            refusal: None,
            source: source.into(),
        }
    }

    /// The same as one that stays until somebody does what `fix` says.
    pub(crate) fn refusal(self, fix: Option<&'static str>) -> Self {
        Self { refusal: fix, ..self }
    }

    pub(crate) fn is_refusal(&self) -> bool {
        self.refusal.is_some()
    }

    /// What to do about it.
    pub fn fix(&self) -> &'static str {
        self.refusal.unwrap_or("check its address and that it is running")
    }
}

/// A service that hands each message to every subscriber, its sender included.
#[async_trait]
pub(crate) trait Transport: Send + Sync + 'static {
    /// Asks whether the service would take our messages.
    async fn check(&self) -> Result<(), BusError>;

    /// Sends a message to all that listen now.
    async fn publish(&self, message: &str) -> Result<(), BusError>;

    /// Hears every message that is sent once this has returned.
    async fn listen(&self) -> Result<Box<dyn Listener>, BusError>;
}

/// An open subscription.
#[async_trait]
pub(crate) trait Listener: Send {
    /// The next message; after an error the subscription is over.
    async fn next(&mut self) -> Result<String, BusError>;
}

/// The tasks, which end with this.
#[derive(Debug)]
pub(crate) struct Bus {
    _tasks: JoinSet<()>,
}

impl Bus {
    pub(super) fn start(
        transport: impl Transport,
        hub: Arc<Hub>,
        calls: mpsc::Receiver<Call>,
        overflowed: Arc<AtomicBool>,
    ) -> Self {
        let transport = Arc::new(transport);
        let sender = Uuid::now_v7();
        let (hears, can_hear) = watch::channel(false);
        let mut tasks = JoinSet::new();
        tasks.spawn(publish(Arc::clone(&transport), sender, calls, overflowed));
        tasks.spawn(listen(transport, sender, Arc::clone(&hub), hears));
        tasks.spawn(sweep(hub, can_hear));
        Self { _tasks: tasks }
    }
}

/// Many calls in one.
#[derive(Debug, Serialize, Deserialize)]
struct Message {
    /// Who says it, so that nobody hears itself.
    from: Uuid,
    /// Messages before this one were lost.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    missed: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    wake: bool,
    /// Jobs with the number of their newest event.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    jobs: BTreeMap<JobId, i64>,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    generations: BTreeSet<GenerationId>,
}

impl Message {
    fn gather(from: Uuid, missed: bool, calls: impl Iterator<Item = Call>) -> Self {
        let mut message = Self {
            from,
            missed,
            wake: false,
            jobs: BTreeMap::new(),
            generations: BTreeSet::new(),
        };
        for call in calls {
            match call {
                Call::Wake => message.wake = true,
                Call::Changed(Change::Job { id, seq }) => {
                    message.jobs.insert(id, seq);
                }
                Call::Changed(Change::Generation(id)) => {
                    message.generations.insert(id);
                }
            }
        }
        message
    }

    fn deliver(self, hub: &Hub) {
        for (id, seq) in self.jobs {
            hub.tell(Call::Changed(Change::Job { id, seq }));
        }
        for id in self.generations {
            hub.tell(Call::Changed(Change::Generation(id)));
        }
        if self.wake {
            hub.tell(Call::Wake);
        }
        if self.missed {
            hub.missed();
        }
    }
}

async fn publish(
    transport: Arc<impl Transport>,
    from: Uuid,
    mut calls: mpsc::Receiver<Call>,
    overflowed: Arc<AtomicBool>,
) {
    let mut batch = Vec::with_capacity(CALLS_PER_MESSAGE);
    let mut lost = false;
    loop {
        if lost {
            sleep(RETRY).await;
            // The message that follows makes up for these too.
            while calls.try_recv().is_ok() {}
        } else if calls.recv_many(&mut batch, CALLS_PER_MESSAGE).await == 0 {
            return;
        }
        let missed = overflowed.swap(false, Ordering::Relaxed) || lost;
        let message = Message::gather(from, missed, batch.drain(..));
        let text = serde_json::to_string(&message).expect("a message is plain data");
        let sent = match timeout(PUBLISH_TIMEOUT, transport.publish(&text)).await {
            Ok(sent) => sent,
            Err(late) => Err(BusError::new("send a message in time", late)),
        };
        match &sent {
            Ok(()) if lost => tracing::info!("the queue accepts messages again"),
            Err(err) if !lost => warn("the queue accepts no messages", err),
            _ => {}
        }
        lost = sent.is_err();
    }
}

async fn listen(transport: Arc<impl Transport>, myself: Uuid, hub: Arc<Hub>, hears: watch::Sender<bool>) {
    let mut is_first_failure = true;
    loop {
        let failure = match timeout(LISTEN_TIMEOUT, transport.listen()).await {
            Err(late) => BusError::new("subscribe in time", late),
            Ok(Err(err)) => err,
            Ok(Ok(mut listener)) => {
                tracing::info!("listening to the queue");
                is_first_failure = true;
                hears.send_replace(true);
                // Messages before this moment were missed.
                hub.missed();
                let failure = hear(listener.as_mut(), myself, &hub).await;
                hears.send_replace(false);
                failure
            }
        };
        if std::mem::replace(&mut is_first_failure, false) {
            warn(
                "the queue does not respond; polling every second instead",
                &failure,
            );
        }
        sleep(RETRY).await;
    }
}

async fn hear(listener: &mut dyn Listener, myself: Uuid, hub: &Hub) -> BusError {
    loop {
        match listener.next().await {
            Ok(text) => match serde_json::from_str::<Message>(&text) {
                Ok(message) if message.from == myself => {}
                Ok(message) => message.deliver(hub),
                // An unknown message from another version: refreshing is always safe.
                Err(_) => hub.missed(),
            },
            Err(err) => return err,
        }
    }
}

async fn sweep(hub: Arc<Hub>, mut can_hear: watch::Receiver<bool>) {
    loop {
        let pause = if *can_hear.borrow_and_update() {
            SWEEP
        } else {
            SWEEP_CUT_OFF
        };
        tokio::select! {
            () = sleep(pause) => hub.missed(),
            changed = can_hear.changed() => if changed.is_err() { return },
        }
    }
}

fn warn(what: &str, err: &BusError) {
    tracing::warn!(error = err as &dyn Error, "{what}");
}
