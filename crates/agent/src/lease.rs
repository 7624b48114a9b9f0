//! Keeps an attempt's lease: renews it with heartbeats, which send events and receive orders.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use chrono::Utc;
use protocol::{
    AttemptId,
    agent::{AgentEvent, Assignment, Directive, Heartbeat, Report},
    event::LogLevel,
    limits::MAX_LOG_BYTES,
    text::shortened,
};
use rental::deadman::Progress;
use tokio::{
    sync::{mpsc, watch},
    task::JoinHandle,
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use crate::{
    client::{Client, ClientError, Patience},
    link::Link,
};

/// Events leave at the latest this long after they happened: quick enough to look live.
const BATCH_DELAY: Duration = Duration::from_millis(250);
/// Or as soon as there are this many.
const BATCH_SIZE: usize = 50;
/// After an outage no single request carries more than this.
const LARGEST_BATCH: usize = 200;
/// A heartbeat without events is sent this often, so that orders reach an engine that has nothing to say.
const QUIET_INTERVAL: Duration = Duration::from_secs(1);

/// A lease that is being renewed.
pub(crate) struct Lease {
    pub(crate) attempt: AttemptId,
    pub(crate) fence: i64,
    reporter: Reporter,
    orders: Arc<Mutex<Orders>>,
    lost: CancellationToken,
    task: JoinHandle<Result<(), ClientError>>,
}

/// Numbers and queues events; may be used from any thread.
#[derive(Clone)]
pub(crate) struct Reporter {
    events: mpsc::UnboundedSender<(chrono::DateTime<Utc>, Report)>,
    n_reported: Arc<AtomicU64>,
    n_acknowledged: watch::Receiver<u64>,
    link: Link,
}

impl Reporter {
    /// Queues an event. It is dropped if the lease is lost.
    pub(crate) fn report(&self, mut report: Report) {
        if let Report::Log { message, .. } = &mut report {
            // A batch of lines as long as programs write them would not fit into a request.
            *message = shortened(std::mem::take(message), MAX_LOG_BYTES);
        }
        match &report {
            Report::Step(_) => self.link.progressed(Progress::Step),
            Report::Finalizing => self.link.progressed(Progress::Finalizing),
            Report::Stage { .. }
            | Report::ValidationLoss { .. }
            | Report::PicturesSeen { .. }
            | Report::Validated { .. }
            | Report::Judged { .. }
            | Report::Measured { .. }
            | Report::Preview { .. } => {
                self.link.progressed(Progress::Other);
            }
            // A line may also say that nothing happens.
            Report::Log { .. } | Report::Unknown => {}
        }
        self.n_reported.fetch_add(1, Ordering::SeqCst);
        let _ = self.events.send((Utc::now(), report));
    }

    /// Waits until the server has stored every event that was reported before. Returns early when the lease is lost.
    pub(crate) async fn delivered(&self) {
        let n_reported = self.n_reported.load(Ordering::SeqCst);
        let mut n_acknowledged = self.n_acknowledged.clone();
        let _ = n_acknowledged.wait_for(|n| *n >= n_reported).await;
    }

    /// Records an uploaded file.
    pub(crate) fn handed_in(&self) {
        self.link.progressed(Progress::Other);
    }

    /// Queues a log line for people.
    pub(crate) fn log(&self, level: LogLevel, message: impl Into<String>) {
        self.report(Report::Log {
            level,
            message: message.into(),
        });
    }
}

impl Lease {
    /// Starts renewing the lease of `assignment`; orders come through the second value, each once.
    pub(crate) fn hold(
        client: Client,
        assignment: &Assignment,
    ) -> (Self, mpsc::UnboundedReceiver<Directive>) {
        let (events_in, events_out) = mpsc::unbounded_channel();
        let (orders_in, orders_out) = mpsc::unbounded_channel();
        let (acknowledged_in, n_acknowledged) = watch::channel(0);
        let orders = Arc::new(Mutex::new(Orders::default()));
        let lost = CancellationToken::new();
        let link = client.link().clone();
        let renewal = Renewal {
            attempt: assignment.attempt_id,
            fence: assignment.fence,
            interval: interval(assignment.lease_seconds, &link),
            client,
            events: events_out,
            n_numbered: 0,
            pending: VecDeque::new(),
            n_acknowledged: acknowledged_in,
            orders: Arc::clone(&orders),
            orders_in,
        };
        let lost_in = lost.clone();
        let task = tokio::spawn(async move {
            let outcome = renewal.run().await;
            if outcome.is_err() {
                lost_in.cancel();
            }
            outcome
        });
        let lease = Self {
            attempt: assignment.attempt_id,
            fence: assignment.fence,
            reporter: Reporter {
                events: events_in,
                n_reported: Arc::default(),
                n_acknowledged,
                link,
            },
            orders,
            lost,
            task,
        };
        (lease, orders_out)
    }

    /// Queues events.
    pub(crate) fn reporter(&self) -> &Reporter {
        &self.reporter
    }

    /// Fires when the lease is lost; the work must be stopped.
    pub(crate) fn lost(&self) -> CancellationToken {
        self.lost.clone()
    }

    /// Marks an order as carried out; if it comes again, it counts as new.
    pub(crate) fn carried_out(&self, order: Directive) {
        lock(&self.orders).carried_out(order);
    }

    /// Sends the remaining events and stops renewing.
    pub(crate) async fn close(self) -> Result<(), ClientError> {
        drop(self.reporter);
        self.task.await.unwrap_or(Err(ClientError::LeaseLost))
    }
}

fn interval(lease_seconds: u32, link: &Link) -> Duration {
    QUIET_INTERVAL.min(link.real(Duration::from_secs(u64::from(lease_seconds))) / 3)
}

fn lock(orders: &Mutex<Orders>) -> std::sync::MutexGuard<'_, Orders> {
    orders.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The server repeats orders until it sees their effect; this passes each on once.
#[derive(Default)]
struct Orders {
    in_hand: HashSet<Directive>,
    carried_out: HashMap<Directive, Instant>,
}

impl Orders {
    /// Whether `order`, from the reply to a request sent at `asked`, is news.
    fn take(&mut self, order: Directive, asked: Instant) -> bool {
        // A reply that was on its way while the order was carried out repeats what is done.
        let is_stale = self.carried_out.get(&order).is_some_and(|done| *done >= asked);
        !is_stale && self.in_hand.insert(order)
    }

    fn carried_out(&mut self, order: Directive) {
        self.in_hand.remove(&order);
        self.carried_out.insert(order, Instant::now());
    }
}

struct Renewal {
    client: Client,
    attempt: AttemptId,
    fence: i64,
    interval: Duration,
    events: mpsc::UnboundedReceiver<(chrono::DateTime<Utc>, Report)>,
    n_numbered: u64,
    /// Numbered and not acknowledged.
    pending: VecDeque<AgentEvent>,
    n_acknowledged: watch::Sender<u64>,
    orders: Arc<Mutex<Orders>>,
    orders_in: mpsc::UnboundedSender<Directive>,
}

impl Renewal {
    async fn run(mut self) -> Result<(), ClientError> {
        let mut is_open = true;
        let mut due = Instant::now();
        while is_open || !self.pending.is_empty() {
            is_open = is_open && self.gather(due).await;
            self.beat().await?;
            due = Instant::now() + self.interval;
            if !self.pending.is_empty() {
                due = Instant::now();
            }
        }
        Ok(())
    }

    /// Collects events until a batch is full, old enough, or a heartbeat is due. False once nobody can
    /// report any more.
    async fn gather(&mut self, due: Instant) -> bool {
        let mut due = due;
        loop {
            let event = tokio::select! {
                biased;
                event = self.events.recv() => event,
                () = tokio::time::sleep_until(due) => return true,
            };
            let Some((at, report)) = event else {
                return false;
            };
            self.n_numbered += 1;
            if matches!(report, Report::Preview { .. }) {
                self.forget_previews();
            }
            self.pending.push_back(AgentEvent {
                n: self.n_numbered,
                at,
                report,
            });
            if self.pending.len() >= BATCH_SIZE {
                return true;
            }
            due = due.min(Instant::now() + BATCH_DELAY);
        }
    }

    /// Only the newest counts, and an outage must not gather them.
    fn forget_previews(&mut self) {
        let pending = self.pending.iter_mut();
        for event in pending.filter(|event| matches!(event.report, Report::Preview { .. })) {
            event.report = Report::Unknown;
        }
    }

    async fn beat(&mut self) -> Result<(), ClientError> {
        let body = Heartbeat {
            fence: self.fence,
            events: self.pending.iter().take(LARGEST_BATCH).cloned().collect(),
        };
        let asked = Instant::now();
        let reply = self
            .client
            .heartbeat(self.attempt, &body, Patience::WORKING)
            .await?;
        while self
            .pending
            .front()
            .is_some_and(|event| event.n <= reply.acknowledged)
        {
            self.pending.pop_front();
        }
        self.n_acknowledged.send_replace(reply.acknowledged);
        self.interval = interval(reply.lease_seconds, self.client.link());
        for order in reply.directives {
            if lock(&self.orders).take(order, asked) {
                tracing::info!(attempt.id = %self.attempt, ?order, "order received");
                let _ = self.orders_in.send(order);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
