//! Starts a server from a configuration: opens the store and the socket, starts the reconcilers.

mod late;

use std::{
    fs::File,
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::http::{HeaderValue, Uri};
use chrono::TimeDelta;
use dataset::decoder::{Decoder, WorkerCommand};
use orchestrator::{
    NoticeOptions, Options, Orchestrator, Rules, ServiceError,
    disk::DiskOptions,
    providers::local::{Local, LocalOptions},
    rentals::RentalOptions,
};
use protocol::{address::masked, audit::AuditAction, problem::chain};
use store::{OpenError, Store, StoreError, audit, objects::BlobError, tokens};
use tokio::{net::TcpListener, sync::Semaphore, task::JoinHandle, time::Instant};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use self::late::Late;
use crate::{
    access_watch::AccessWatch,
    app, auth,
    config::Config,
    feed::Feeds,
    guard::Guard,
    layers, mailbox,
    readiness::Readiness,
    serve::{self, Serving},
    state::{AppState, Inner},
    telemetry::Counters,
};

/// Interval for writing failed sign-ins to the audit log.
const RECORD_EVERY: Duration = Duration::from_secs(60);

/// Why a server could not be made.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Another server uses the same data folder.
    #[error(
        "the data folder `{path}` is in use by another Morpheus server: stop that one, or choose another folder with \
             --data"
    )]
    InUse {
        /// The folder.
        path: PathBuf,
    },
    /// The data folder cannot be used.
    #[error("failed to lock the data folder `{path}`")]
    Lock {
        /// The folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Database or object store could not be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// Owner or tokens could not be read or written.
    #[error("failed to prepare the first sign-in")]
    Prepare(#[source] StoreError),
    /// Base models of the settings could not be written down.
    #[error("failed to register the base models from the settings")]
    Declare(#[source] ServiceError),
    /// The address is taken or not ours.
    #[error("failed to listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// There is no bucket that mailboxes could be in.
    #[error(
        "mailbox: machines communicate with the server through a bucket: set one with --objects s3://BUCKET"
    )]
    NoBucket,
    /// The address of the bucket cannot stand in a header.
    #[error("s3-public-endpoint: use a URL with ASCII characters only")]
    ObjectsOrigin,
    /// The public URL is invalid.
    #[error("the public URL `{url}` must look like `https://morpheus.example`, with no path")]
    PublicUrl {
        /// What was given.
        url: String,
    },
}

/// Why a server ended.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// What accepts connections failed.
    #[error("failed to serve")]
    Serve(#[source] tokio::task::JoinError),
}

/// A server that listens but does not respond yet.
pub struct Bound {
    /// Where it listens.
    pub local_addr: SocketAddr,
    /// How browsers reach it, without a slash at the end.
    pub public_url: String,
    /// Login address; only at the first start, and if it could be written down.
    pub login_url: Option<String>,
    listener: TcpListener,
    state: AppState,
    /// What could not be written at the start.
    late: Late,
    /// Held for as long as the server uses its data folder.
    _lock: File,
}

impl std::fmt::Debug for Bound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bound")
            .field("local_addr", &self.local_addr)
            .field("public_url", &self.public_url)
            .finish_non_exhaustive()
    }
}

/// Files that are checked at the same time. Each is in memory, and there are hardly more workers.
const N_CHECKING: usize = 4;

/// Thumbnails that are made again at the same time.
const N_THUMBNAILS: usize = 2;

/// Opens store and socket. Connections wait from now on; [`Bound::run`] answers them.
pub async fn bind(config: Config) -> Result<Bound, BindError> {
    let lock = lock(&config.data_dir)?;
    let listener = TcpListener::bind(config.listen).await;
    let listener = listener.map_err(|source| BindError::Listen {
        address: config.listen,
        source,
    })?;
    let local_addr = listener.local_addr().map_err(|source| BindError::Listen {
        address: config.listen,
        source,
    })?;
    let public_url = match &config.public_url {
        Some(url) => url.trim_end_matches('/').to_owned(),
        None => format!("http://{}", reachable(local_addr)),
    };
    let public_uri = parse_public_url(&public_url)?;
    let store = Store::builder(&config.data_dir)
        .database(config.database.clone())
        .objects(config.objects.clone())
        .queue(config.queue.clone())
        .queue_ca(config.queue_ca.clone())
        .s3(config.s3.clone())
        .open()
        .await?;
    if config.objects.is_none() {
        discard_leftovers(&store).await;
    }
    let policy = layers::content_security_policy(store.objects().public_origin().as_deref());
    let content_security_policy = HeaderValue::from_str(&policy).map_err(|_| BindError::ObjectsOrigin)?;
    let options = options(&config, &store, local_addr, &public_url)?;
    let orchestrator = Orchestrator::new(store.clone(), options);
    let mut late = Late::new(config.declared_bases.clone(), local_addr, &public_url);
    late.declare(&orchestrator).await.map_err(BindError::Declare)?;
    late.record(&store).await.map_err(BindError::Prepare)?;
    let state = AppState::new(Inner {
        orchestrator,
        decoder: decoder(config.decode_worker.clone()),
        checking: Arc::new(Semaphore::new(N_CHECKING)),
        thumbnails: Arc::new(Semaphore::new(N_THUMBNAILS)),
        public_url: public_uri,
        content_security_policy,
        is_loopback: local_addr.ip().is_loopback(),
        trusted_proxies: config.trusted_proxies.clone(),
        guard: Guard::default(),
        access: AccessWatch::default(),
        timing: config.timing,
        counters: Counters::default(),
        readiness: Readiness::default(),
        feeds: Feeds::default(),
        noted_uses: Mutex::default(),
        shutdown: CancellationToken::new(),
        sockets: TaskTracker::new(),
    });
    let mut bound = Bound {
        local_addr,
        public_url,
        login_url: None,
        listener,
        state,
        late,
        _lock: lock,
    };
    if !tokens::any_user(&store).await.map_err(BindError::Prepare)? {
        bound.login_url = match bound.new_login_url().await {
            Ok(url) => Some(url),
            Err(error) if error.fault().is_some() => {
                tracing::error!(
                    error = chain(&error),
                    "there is no token yet, and the first login address could not be made: once the storage takes \
                     writes, run `morpheus serve --new-login`"
                );
                None
            }
            Err(error) => return Err(BindError::Prepare(error)),
        };
    }
    Ok(bound)
}

impl Bound {
    /// What tests put between transactions and the database.
    #[doc(hidden)]
    pub fn injector(&self) -> store::Injector {
        self.state.store().injector().clone()
    }

    /// Creates another login address, valid once for one day.
    pub async fn new_login_url(&self) -> Result<String, StoreError> {
        let store = self.state.store();
        let tx = store.begin().await?;
        let expires_at = store::now() + TimeDelta::days(auth::LOGIN_DAYS);
        let token = tokens::create_login(&tx, store.default_owner(), expires_at).await?;
        audit::record(
            &tx,
            AuditAction::LoginAddressMade,
            "",
            "by the one who started the server",
        )
        .await?;
        tx.commit().await?;
        Ok(format!("{}/login?token={}", self.public_url, token.secret))
    }

    /// Creates an API token, for programs that start a server themselves.
    pub async fn new_token(&self, name: &str) -> Result<String, StoreError> {
        let store = self.state.store();
        let tx = store.begin().await?;
        let token = tokens::create_user(&tx, store.default_owner(), name, None).await?;
        audit::record(
            &tx,
            AuditAction::TokenMade,
            name,
            "by the one who started the server",
        )
        .await?;
        tx.commit().await?;
        Ok(token.secret)
    }

    /// The store that it serves.
    pub fn store(&self) -> &Store {
        self.state.store()
    }

    /// Serves until `shutdown`, then lets requests finish. Agents keep running and connect to the next server.
    ///
    /// It ends within [`Timing::shutdown_grace`]; tasks that hang are abandoned.
    pub async fn run(self, shutdown: impl Future<Output = ()> + Send) -> Result<(), RunError> {
        let Self {
            listener,
            state,
            late,
            ..
        } = self;
        let (ending, abort) = (state.shutdown.clone(), CancellationToken::new());
        let _aborting = abort.clone().drop_guard();
        let reconcilers = tokio::spawn({
            let (orchestrator, ending) = (state.orchestrator.clone(), ending.clone());
            async move { orchestrator.run(ending).await }
        });
        let app = app::app(state.clone());
        let recording = tokio::spawn(record_refusals(state.clone()));
        let late = tokio::spawn(late.run(state.clone()));
        let mailboxes = tokio::spawn(mailbox::run(state.clone(), app.clone()));
        let serving = Serving {
            app,
            timing: state.timing,
            room: serve::raise_descriptors(),
            ending: ending.clone(),
            abort,
        };
        let mut serving = tokio::spawn(serving.run(listener));
        tokio::select! {
            result = &mut serving => return result.map_err(RunError::Serve),
            () = shutdown => tracing::info!("shutting down"),
        }
        ending.cancel();
        state.sockets.close();
        let deadline = Instant::now() + state.timing.shutdown_grace;
        let sockets = tokio::spawn({
            let sockets = state.sockets.clone();
            async move { sockets.wait().await }
        });
        tokio::join!(
            end_by(deadline, "requests", serving),
            end_by(deadline, "websockets", sockets),
            end_by(deadline, "reconcilers", reconcilers),
            end_by(deadline, "mailboxes", mailboxes),
            end_by(deadline, "record of refused sign-ins", recording),
            end_by(deadline, "record of the start", late),
        );
        Ok(())
    }
}

/// Waits for a task of the server until the deadline, then abandons it.
async fn end_by(deadline: Instant, what: &'static str, mut task: JoinHandle<()>) {
    match tokio::time::timeout_at(deadline, &mut task).await {
        Ok(Ok(())) => {}
        Ok(Err(panic)) => tracing::error!(what, error = chain(&panic), "a part of the server failed"),
        Err(_) => {
            task.abort();
            tracing::warn!(
                what,
                "a part of the server did not stop in time and was abandoned"
            );
        }
    }
}

/// Writes failed sign-ins to the audit log, every minute and at the end.
async fn record_refusals(state: AppState) {
    while !state.shutdown.is_cancelled() {
        let _ = tokio::time::timeout(RECORD_EVERY, state.shutdown.cancelled()).await;
        auth::write_refused(&state).await;
    }
}

/// Starts the picture decoder. Logs once which sandbox features the kernel lacks.
fn decoder(command: Option<WorkerCommand>) -> Decoder {
    let Some(command) = command else {
        return Decoder::in_process();
    };
    let decoder = Decoder::workers(command);
    let asked = decoder.clone();
    // It reports when it has started; nothing waits for that.
    tokio::task::spawn_blocking(move || match asked.confinement() {
        Some(Ok(confinement)) if confinement.missing.is_empty() => {
            tracing::debug!(
                holds = confinement.holds.join(", "),
                "pictures are decoded in sandboxed processes"
            );
        }
        Some(Ok(confinement)) => tracing::warn!(
            missing = confinement.missing.join("; "),
            "pictures are decoded in processes that this kernel cannot sandbox fully"
        ),
        Some(Err(error)) => tracing::error!(
            error = protocol::problem::chain(&error),
            "pictures cannot be decoded, so uploads will fail"
        ),
        None => {}
    });
    decoder
}

/// Locks the data folder against other servers, for as long as the file is open.
pub fn lock(data_dir: &Path) -> Result<File, BindError> {
    let path = data_dir.to_owned();
    let failed = |source| BindError::Lock {
        path: path.clone(),
        source,
    };
    std::fs::create_dir_all(&path).map_err(failed)?;
    let file = File::create(path.join("server.lock")).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(BindError::InUse { path }),
        Err(std::fs::TryLockError::Error(source)) => Err(failed(source)),
    }
}

/// Deletes unfinished uploads of an earlier server. Nobody else writes to this folder, because the
/// data folder is locked; for other stores the collector waits until they are old enough.
async fn discard_leftovers(store: &Store) {
    let objects = store.objects();
    let discarding = async {
        for remains in objects.unfinished().await? {
            tracing::info!(
                file = remains.name,
                "discarding an upload that was never finished"
            );
            objects.discard(&remains).await?;
        }
        Ok::<_, BlobError>(())
    };
    if let Err(error) = discarding.await {
        tracing::warn!(
            error = protocol::problem::chain(&error),
            "leftovers were not discarded"
        );
    }
}

fn options(
    config: &Config,
    store: &Store,
    local_addr: SocketAddr,
    public_url: &str,
) -> Result<Options, BindError> {
    let mut providers = config.providers.clone();
    if let Some(agent) = &config.local_agent {
        providers.push(Arc::new(Local::new(LocalOptions {
            program: agent.program.clone(),
            first_args: agent.first_args.clone(),
            server_url: format!("http://{}", reachable(local_addr)),
            log_dir: store.data_dir().join("logs"),
            work_dir: store.data_dir().join("agent"),
            deployment: store.deployment(),
            server: store.server(),
            capacity: agent.capacity,
            engines: agent.engines.clone(),
            fetch_from: config.fetch_from.clone(),
            grace: Duration::from_secs(10),
        })));
    }
    let mut rentals = Vec::new();
    for config in &config.rentals {
        if config.has_mailbox && !store.objects().has_mailboxes() {
            return Err(BindError::NoBucket);
        }
        rentals.push(RentalOptions {
            time_scale: config.time_scale,
            has_mailbox: config.has_mailbox,
            ..RentalOptions::new(Arc::clone(&config.landlord), public_url)
        });
    }
    let mut folders = vec![("data", store.data_dir().to_owned())];
    folders.extend(
        store
            .objects()
            .folder()
            .map(|folder| ("objects", folder.to_owned())),
    );
    let rules = Rules {
        audit: TimeDelta::days(i64::from(config.audit_days)),
        ..Rules::default()
    };
    Ok(Options {
        disk: DiskOptions {
            folders,
            min_free_bytes: config.min_free_bytes,
            gauge: config.gauge.clone(),
        },
        rules,
        max_running: config.max_running.clone(),
        rentals,
        inspect_base: config.inspect_base,
        measure_base: config.measure_base,
        read_lora: config.read_lora,
        hub: config.hub.clone(),
        fetch_from: config.fetch_from.clone(),
        base_folders: config.base_folders.clone(),
        lora_folder: config.lora_folder.clone(),
        notices: NoticeOptions {
            // The listening address is of no use in a mail.
            public_url: config.public_url.as_ref().map(|_| public_url.to_owned()),
            allowed: config.webhooks_to.clone(),
            mail: config.mail.clone(),
        },
        ..Options::new(config.base_models.clone(), providers)
    })
}

/// The address to connect to, for a listening address.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        ip if !ip.is_unspecified() => ip,
        IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(_) => IpAddr::V6(std::net::Ipv6Addr::LOCALHOST),
    };
    SocketAddr::new(ip, address.port())
}

fn parse_public_url(url: &str) -> Result<Uri, BindError> {
    let uri = url.parse::<Uri>().ok().filter(|uri| {
        matches!(uri.scheme_str(), Some("http" | "https"))
            && uri.host().is_some()
            // It would reveal the password to browsers.
            && !uri.authority().is_some_and(|authority| authority.as_str().contains('@'))
            && uri.path().trim_matches('/').is_empty()
            && uri.query().is_none()
    });
    uri.ok_or_else(|| BindError::PublicUrl { url: masked(url) })
}
