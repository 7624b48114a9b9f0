//! The main loop of the agent: claim work, do it, upload the result, repeat.

use std::{path::PathBuf, time::Duration};

use fetch::{HubOptions, Ranges};
use protocol::{
    agent::{DrawingLease, Finish, Work, WorkKind},
    machine::Machine,
    phase::Outcome,
    problem::chain,
};
use reqwest::Url;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use trainer::train::JudgeShare;

use crate::{
    client::{Client, ClientError, MailboxAddress, Patience, USER_AGENT},
    diffusers::{self, Diffusers},
    edit,
    engine::Train,
    generate::Renderer,
    gpu::Gpu,
    kohya::Kohya,
    link::Link,
    memory::Room,
    train,
    work_dir::{LOOK_AGAIN, WorkDir, WorkDirError},
};

/// Options of an agent.
#[derive(Debug, Clone)]
pub struct Config {
    /// The server's URL.
    pub server: Url,
    /// Token for the server.
    pub token: String,
    /// The kind of work.
    pub role: Role,
    /// Folder for work in progress and for cached files.
    pub work_dir: PathBuf,
    /// Size limit of downloaded base models in it.
    pub base_cache_bytes: u64,
    /// Hugging Face or a mirror, with its token.
    pub hub: HubOptions,
    /// Private ranges from which base models may be downloaded. The server and its bucket are always allowed.
    pub fetch_from: Ranges,
    /// Whether native work has to fit into the memory that is free.
    pub room: Room,
    /// How much of its time a training gives to judging what it makes.
    pub judging: JudgeShare,
    /// It exits after this long without work.
    pub idle_exit: Duration,
    /// The description of this machine.
    pub machine: Machine,
    /// The installation of sd-scripts, if there is one.
    pub kohya: Option<Kohya>,
    /// The Python with diffusers, if there is one: it renders pictures in place of the native engine.
    pub diffusers: Option<Diffusers>,
    /// The training engine: [`engine::native`](crate::engine::native).
    pub engine: Train,
    /// The supervisor, on a rented machine.
    pub link: Link,
    /// Mailbox, for a server that cannot be reached.
    pub mailbox: Option<MailboxAddress>,
}

/// The kind of work of an agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Trains one job, then exits.
    Train,
    /// Renders pictures one after the other, keeping the base model loaded, and makes LoRA files out of others.
    Generate,
}

/// Why an agent failed.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// The server cannot be reached, or rejects this agent.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// Its folder is unusable.
    #[error(transparent)]
    WorkDir(#[from] WorkDirError),
    /// The download client could not be created.
    #[error("failed to prepare downloads of base models")]
    Fetch(#[from] fetch::FetchError),
    /// There is no room for the files that are exchanged with diffusers.
    #[error(transparent)]
    Diffusers(#[from] diffusers::Failure),
}

/// A claim waits this long on the server, less than proxies usually allow a request.
const CLAIM_WAIT: Duration = Duration::from_secs(20);
/// Claims that are answered at once are at least this far apart.
const CLAIM_PAUSE: Duration = Duration::from_millis(500);

/// Runs an agent until its work is done, it was idle for too long, it is told to leave, or `shutdown` fires.
///
/// A failed job is reported to the server and is not an error here.
pub async fn run(config: Config, shutdown: CancellationToken) -> Result<(), AgentError> {
    let client = Client::new(config.server, config.token)?
        .linked(config.link.clone())
        .by(config.mailbox, |time| config.link.real(time));
    let web = fetch::Client::new(USER_AGENT, config.hub, config.fetch_from)?;
    let work_dir = WorkDir::open(&config.work_dir, config.base_cache_bytes, web)?
        .within(config.room)
        .judging(config.judging);
    let gpu = Gpu::of(&config.work_dir);
    let renderer = Renderer::new(config.diffusers, gpu.clone())?;
    let kohya = config.kohya.map(|kohya| Kohya { gpu, ..kohya });
    let kinds: &[WorkKind] = match config.role {
        Role::Train => &[WorkKind::Train],
        Role::Generate => &[WorkKind::Generate, WorkKind::Edit],
    };
    // An agent without work has nothing to lose: it ends soon after its server. On a rented machine the supervisor
    // says when it has waited long enough.
    let patience = if config.link.is_rented() {
        Patience::WORKING
    } else {
        Patience::WITHOUT_WORK
    };
    let mut idle_since = Instant::now();
    // Whether it is one of the pool's or draws for a session, which the server knows by its token.
    let mut stays = false;
    let mut drawing: Option<DrawingLease> = None;
    let mut was_short = false;
    loop {
        if stays && work_dir.is_short(was_short) {
            if let Some(lease) = &drawing {
                // Nothing frees a rented disk, and to wait for it costs money.
                let reason = "the disk of its machine is nearly full";
                tracing::warn!(path = %config.work_dir.display(), "leaving the drawing session: {reason}");
                say_left(&client, lease, reason.to_owned()).await;
                return Ok(());
            }
            if !was_short {
                tracing::warn!(path = %config.work_dir.display(), "the disk is nearly full: waiting for space");
            }
            was_short = true;
            tokio::select! {
                () = shutdown.cancelled() => return Ok(()),
                () = tokio::time::sleep(LOOK_AGAIN) => continue,
            }
        }
        was_short = false;
        let asked = Instant::now();
        let left = config.idle_exit.saturating_sub(idle_since.elapsed());
        let wait = match &drawing {
            // Each claim renews the lease.
            Some(lease) => {
                let lease = Duration::from_secs(lease.lease_seconds.into());
                CLAIM_WAIT.min(config.link.real(lease) / 3)
            }
            // The server has to hear of it before the machine's switch gives up.
            None if config.link.is_rented() && config.role == Role::Generate => Duration::ZERO,
            None if stays => CLAIM_WAIT,
            None => CLAIM_WAIT.min(left),
        };
        let reply = tokio::select! {
            () = shutdown.cancelled() => return Ok(()),
            leave = config.link.leave() => {
                if let Some(lease) = &drawing {
                    say_left(&client, lease, leave.reason).await;
                }
                return Ok(());
            }
            reply = client.claim(kinds, &config.machine, wait, patience) => reply,
        };
        let reply = match reply {
            Err(err @ ClientError::Unreachable { .. }) if stays => {
                tracing::warn!(error = chain(&err), "waiting for the server to come back");
                continue;
            }
            Err(ClientError::LeaseLost) if drawing.is_some() => {
                tracing::info!("the drawing session is over");
                return Ok(());
            }
            reply => reply?,
        };
        drawing = reply.drawing;
        if reply.stay && !stays && drawing.is_none() {
            let machine = &config.machine;
            tracing::info!(name = machine.name, labels = ?machine.labels, gpu = machine.gpu, "in the pool, waiting for work");
        }
        stays = reply.stay;
        let Some(work) = reply.work else {
            if !stays && idle_since.elapsed() >= config.idle_exit {
                tracing::info!("no work for a while, exiting");
                return Ok(());
            }
            tokio::time::sleep_until(asked + CLAIM_PAUSE).await;
            continue;
        };
        let (attempt_id, outcome) = match work {
            Ok(assignment) => {
                tracing::info!(attempt.id = %assignment.attempt_id, "work claimed");
                let work_dir = work_dir.guarded(stays || config.link.is_rented());
                let outcome = match &assignment.work {
                    Work::Train(work) => {
                        let (engine, kohya) = (config.engine, kohya.as_ref());
                        train::run(&client, &work_dir, &assignment, work, engine, kohya, &shutdown).await
                    }
                    Work::Edit(work) => edit::run(&client, &work_dir, &assignment, work).await,
                    Work::Generate(work) => renderer.run(&client, &work_dir, &assignment, work).await,
                };
                (assignment.attempt_id, outcome)
            }
            Err(unreadable) => {
                tracing::error!(attempt.id = %unreadable.attempt_id, error = %unreadable, "work refused");
                (unreadable.attempt_id, unreadable.refuse(&client).await)
            }
        };
        match outcome {
            Ok(()) => tracing::info!(attempt.id = %attempt_id, "work finished"),
            Err(ClientError::LeaseLost) => {
                tracing::warn!(attempt.id = %attempt_id, "lease lost, work dropped");
            }
            Err(err @ ClientError::Unreachable { .. }) if stays => {
                tracing::warn!(error = chain(&err), "work dropped");
            }
            Err(err) => return Err(err.into()),
        }
        if config.role == Role::Train && !stays {
            return Ok(());
        }
        idle_since = Instant::now();
    }
}

/// Tells the server that this machine leaves its drawing session. If that fails, the machine's end tells it.
async fn say_left(client: &Client, lease: &DrawingLease, reason: String) {
    let finish = Finish {
        fence: lease.fence,
        outcome: Outcome::Lost,
        detail: Some(reason),
        result: None,
        picture: None,
        edited: None,
        disk_fault: false,
    };
    let told = client.finish(lease.attempt_id, &finish, Patience::WITHOUT_WORK);
    if let Err(err) = told.await {
        tracing::warn!(
            error = chain(&err),
            "failed to report the end of the drawing session"
        );
    }
}
