//! The store: database, objects and signals of one installation, opened together.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use protocol::{GenerationId, JobId, OwnerId};
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, DbErr, QuerySelect, sea_query::LockType};
use tracing::Instrument as _;
use uuid::Uuid;

use crate::{
    BlobStore, OpenError, Result, Signals, StoreError,
    db::{Database, Injector, Place, Transaction, absolute, identity, local_path},
    error::Doing,
    objects::{S3Settings, SigningKey},
    queue_url::{self, Queue},
    signals::{Bus, Change},
};

/// Database, objects and signals of one installation. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    data_dir: PathBuf,
    local_paths: Vec<PathBuf>,
    database: Database,
    objects: BlobStore,
    signals: Signals,
    owner: OwnerId,
    deployment: Uuid,
    objects_mark: String,
    server: Uuid,
    outgoing: OnceLock<Outgoing>,
    /// Carries the signals to other servers, for as long as this lives.
    _bus: Option<Bus>,
}

/// What the server that writes a notice knows of its settings.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outgoing {
    /// How browsers reach the server, without a slash at the end.
    pub public_url: Option<String>,
    /// Whether notices are sent by mail as well.
    pub sends_mail: bool,
}

/// Where to keep what; made by [`Store::builder`]. Not printed: it holds passwords.
#[derive(Clone)]
pub struct StoreBuilder {
    data_dir: PathBuf,
    database: Option<String>,
    objects: Option<String>,
    queue: Option<String>,
    queue_ca: Option<PathBuf>,
    s3: S3Settings,
}

impl StoreBuilder {
    /// The database: `sqlite://PATH` or `postgres://USER:PASSWORD@HOST:PORT/DATABASE`. Left out: `morpheus.db` in
    /// the data folder.
    pub fn database(mut self, url: Option<String>) -> Self {
        self.database = url;
        self
    }

    /// The objects: `file://PATH` or `s3://BUCKET[/PREFIX]`. Left out: `objects` in the data folder.
    pub fn objects(mut self, url: Option<String>) -> Self {
        self.objects = url;
        self
    }

    /// What wakes other servers: `redis://…`, `rediss://…` or `postgres://…`. Left out: the database.
    pub fn queue(mut self, url: Option<String>) -> Self {
        self.queue = url;
        self
    }

    /// A file with the certificates of the authorities that may vouch for a `rediss://` server. Left out: the
    /// public ones.
    pub fn queue_ca(mut self, file: Option<PathBuf>) -> Self {
        self.queue_ca = file;
        self
    }

    /// How to reach the bucket, when the objects are in one.
    pub fn s3(mut self, settings: S3Settings) -> Self {
        self.s3 = settings;
        self
    }

    /// Opens everything; makes what is not there yet and brings the schema up to date.
    pub async fn open(self) -> std::result::Result<Store, OpenError> {
        let (data_dir, place) = (absolute(&self.data_dir)?, self.place()?);
        let local_paths = self.local_paths()?;
        make_folder(&data_dir)?;
        let database = self.open_database(&place).await?;
        let identity = identity(&database).await.map_err(OpenError::Prepare)?;
        let objects = open_objects(
            &self,
            &data_dir,
            identity.signing_key,
            identity.are_objects_claimed,
        )
        .await?;
        let objects = objects.guarded(identity.objects_mark.clone(), identity.are_objects_claimed);
        let server = server_id(&data_dir)?;
        let queue = Queue {
            url: self.queue.as_deref(),
            ca: self.queue_ca.as_deref(),
        };
        let (signals, bus) = queue_url::open(queue, &place, identity.deployment).await?;
        Ok(Store {
            inner: Arc::new(Inner {
                data_dir,
                local_paths,
                database,
                objects,
                signals,
                owner: identity.owner,
                deployment: identity.deployment,
                objects_mark: identity.objects_mark,
                server,
                outgoing: OnceLock::new(),
                _bus: bus,
            }),
        })
    }
}

impl StoreBuilder {
    /// Folders and files of this machine that hold what is ours, whether they exist yet or not: nobody else reads or
    /// writes there. A database that is a file stands there by itself too, since other files belong to it.
    pub fn local_paths(&self) -> std::result::Result<Vec<PathBuf>, OpenError> {
        let data_dir = absolute(&self.data_dir)?;
        // Its own folders may be links to other disks.
        let mut paths = vec![data_dir.join("objects"), data_dir];
        if let Place::Sqlite(path) = self.place()? {
            paths.push(path);
        }
        match self.objects.as_deref() {
            Some(url) if !url.starts_with("s3://") => paths.push(objects_folder(url)?),
            _ => {}
        }
        Ok(paths)
    }

    /// Where the database is.
    pub(crate) fn place(&self) -> std::result::Result<Place, OpenError> {
        Place::parse(self.database.as_deref(), &absolute(&self.data_dir)?)
    }

    /// Opens the database alone and brings its schema up to date.
    pub(crate) async fn open_database(&self, place: &Place) -> std::result::Result<Database, OpenError> {
        self.make_its_folder()?;
        Database::open(place).await
    }

    /// Opens the database alone, and leaves its schema as it is.
    pub(crate) async fn connect(&self, place: &Place) -> std::result::Result<Database, OpenError> {
        self.make_its_folder()?;
        Database::connect(place).await
    }

    fn make_its_folder(&self) -> std::result::Result<(), OpenError> {
        if self.database.is_none() {
            make_folder(&absolute(&self.data_dir)?)?;
        }
        Ok(())
    }

    /// Opens the objects alone. Addresses cannot be signed. `are_there` leaves no folder where none was.
    pub(crate) async fn open_objects(&self, are_there: bool) -> std::result::Result<BlobStore, OpenError> {
        open_objects(self, &absolute(&self.data_dir)?, SigningKey::random(), are_there).await
    }
}

impl Store {
    /// Opens the embedded default in a folder: SQLite and local files.
    pub async fn open(data_dir: &Path) -> std::result::Result<Self, OpenError> {
        Self::builder(data_dir).open().await
    }

    /// Chooses database and objects by URL.
    pub fn builder(data_dir: &Path) -> StoreBuilder {
        StoreBuilder {
            data_dir: data_dir.to_owned(),
            database: None,
            objects: None,
            queue: None,
            queue_ca: None,
            s3: S3Settings::default(),
        }
    }

    /// Starts a transaction.
    pub async fn begin(&self) -> Result<Tx> {
        let transaction = self.inner.database.begin().await.doing("begin a transaction")?;
        Ok(Tx {
            transaction,
            store: self.clone(),
            touched: Mutex::default(),
        })
    }

    /// Asks the database whether it answers.
    pub async fn ping(&self) -> Result<()> {
        self.inner
            .database
            .readers
            .ping()
            .await
            .doing("reach the database")
    }

    pub(crate) fn database(&self) -> &Database {
        &self.inner.database
    }

    /// What tests put between transactions and the database.
    #[doc(hidden)]
    pub fn injector(&self) -> &Injector {
        self.inner.database.injector()
    }

    /// The folder that holds what is on this machine: database, objects, logs.
    pub fn data_dir(&self) -> &Path {
        &self.inner.data_dir
    }

    /// See [`StoreBuilder::local_paths`].
    pub fn local_paths(&self) -> &[PathBuf] {
        &self.inner.local_paths
    }

    /// The objects.
    pub fn objects(&self) -> &BlobStore {
        &self.inner.objects
    }

    /// The wake-up calls.
    pub fn signals(&self) -> &Signals {
        &self.inner.signals
    }

    /// Says what notices that this process writes are like. Only the first call counts; without one, none goes by mail.
    pub fn set_outgoing(&self, outgoing: Outgoing) {
        self.inner.outgoing.get_or_init(|| outgoing);
    }

    /// What notices that this process writes are like.
    pub fn outgoing(&self) -> &Outgoing {
        self.inner.outgoing.get_or_init(Outgoing::default)
    }

    /// The owner of everything that is made without saying whose it is.
    pub fn default_owner(&self) -> OwnerId {
        self.inner.owner
    }

    /// Tells this installation's instances from those of others on the same machine or account.
    pub fn deployment(&self) -> Uuid {
        self.inner.deployment
    }

    /// What the objects are marked with as this installation's.
    pub(crate) fn objects_mark(&self) -> &str {
        &self.inner.objects_mark
    }

    /// Tells this server from others of the installation. It stays with the data folder, which one server uses.
    pub fn server(&self) -> Uuid {
        self.inner.server
    }
}

/// An open transaction. Dropped without [`commit`](Self::commit), it changes nothing.
#[derive(Debug)]
pub struct Tx {
    transaction: Transaction,
    store: Store,
    touched: Mutex<Touched>,
}

#[derive(Debug, Default)]
struct Touched {
    jobs: BTreeMap<JobId, i64>,
    generations: Vec<GenerationId>,
    wake: bool,
}

impl Tx {
    /// Makes the changes last, then wakes those that follow what was touched. Carried through even if the one who
    /// waits for it goes away, as a request does whose client hangs up.
    pub async fn commit(self) -> Result<()> {
        let committing = tokio::spawn(self.commit_and_wake().in_current_span());
        committing.await.unwrap_or_else(|err| {
            let source = DbErr::Custom(err.to_string());
            Err(StoreError::database("commit a transaction", source))
        })
    }

    async fn commit_and_wake(self) -> Result<()> {
        self.transaction.commit().await.doing("commit a transaction")?;
        let touched = self.touched.into_inner().unwrap_or_else(PoisonError::into_inner);
        let signals = self.store.signals();
        for (id, seq) in touched.jobs {
            signals.changed(Change::Job { id, seq });
        }
        for id in touched.generations {
            signals.changed(Change::Generation(id));
        }
        if touched.wake {
            signals.wake();
        }
        Ok(())
    }

    /// Wakes reconcilers and waiting agents once this is committed.
    pub fn wake_on_commit(&self) {
        self.touched().wake = true;
    }

    pub(crate) fn touch_job(&self, id: JobId, seq: i64) {
        self.touched().jobs.insert(id, seq);
    }

    pub(crate) fn touch_generation(&self, id: GenerationId) {
        self.touched().generations.push(id);
    }

    pub(crate) fn server(&self) -> Uuid {
        self.store.server()
    }

    pub(crate) fn default_owner(&self) -> OwnerId {
        self.store.default_owner()
    }

    pub(crate) fn outgoing(&self) -> &Outgoing {
        self.store.outgoing()
    }

    fn touched(&self) -> std::sync::MutexGuard<'_, Touched> {
        self.touched.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What can be read from: the store, or a transaction that sees its own changes.
pub trait Read: Sync + sealed::Sealed {
    #[doc(hidden)]
    type Connection: ConnectionTrait;

    #[doc(hidden)]
    fn connection(&self) -> &Self::Connection;

    /// In a transaction, nobody else changes the rows that are found until it ends: what is decided by them
    /// stays true. Lock an attempt before its job, and a job before its model, so that nobody waits in a circle.
    #[doc(hidden)]
    fn hold<Q: QuerySelect>(&self, query: Q) -> Q;

    /// The objects, to sign addresses with.
    fn objects(&self) -> &BlobStore;
}

impl Read for Store {
    type Connection = DatabaseConnection;

    fn connection(&self) -> &DatabaseConnection {
        &self.inner.database.readers
    }

    fn hold<Q: QuerySelect>(&self, query: Q) -> Q {
        query
    }

    fn objects(&self) -> &BlobStore {
        &self.inner.objects
    }
}

impl Read for Tx {
    type Connection = Transaction;

    fn connection(&self) -> &Transaction {
        &self.transaction
    }

    fn hold<Q: QuerySelect>(&self, query: Q) -> Q {
        match self.transaction.get_database_backend() {
            // Rows that refer to a held one can still be inserted.
            DbBackend::Postgres => query.lock(LockType::NoKeyUpdate),
            // SQLite has one transaction that writes at a time, and all of ours are of that kind.
            _ => query,
        }
    }

    fn objects(&self) -> &BlobStore {
        self.store.objects()
    }
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::Store {}
    impl Sealed for super::Tx {}
}

async fn open_objects(
    builder: &StoreBuilder,
    data_dir: &Path,
    signing_key: SigningKey,
    are_claimed: bool,
) -> std::result::Result<BlobStore, OpenError> {
    let path = match &builder.objects {
        None => data_dir.join("objects"),
        Some(url) if url.starts_with("s3://") => return Ok(BlobStore::s3(url, &builder.s3).await?),
        Some(url) => objects_folder(url)?,
    };
    let was_there = path.is_dir();
    make_folder(&path)?;
    let opened = BlobStore::local(&path, signing_key).map_err(|source| OpenError::Objects {
        url: format!("file://{}", path.display()),
        source,
    });
    // Where a folder with objects was, an empty one would only be in the way of the right one.
    if !was_there
        && are_claimed
        && let Err(error) = std::fs::remove_dir(&path)
    {
        tracing::debug!(path = %path.display(), %error, "the empty folder could not be removed");
    }
    opened
}

fn make_folder(path: &Path) -> std::result::Result<(), OpenError> {
    std::fs::create_dir_all(path).map_err(|source| OpenError::DataFolder {
        path: path.to_owned(),
        source,
    })
}

/// The id that a data folder has, or gets now.
fn server_id(data_dir: &Path) -> std::result::Result<Uuid, OpenError> {
    let path = data_dir.join("server-id");
    let failed = |source| OpenError::DataFolder {
        path: path.clone(),
        source,
    };
    match std::fs::read_to_string(&path) {
        Ok(text) => {
            if let Ok(id) = text.trim().parse() {
                return Ok(id);
            }
            tracing::warn!(path = %path.display(), "contains no id; creating a new one");
        }
        Err(err) if err.kind() == std::io::ErrorKind::NotFound => {}
        Err(err) => return Err(failed(err)),
    }
    let id = Uuid::now_v7();
    std::fs::write(&path, format!("{id}\n")).map_err(failed)?;
    Ok(id)
}

fn objects_folder(url: &str) -> std::result::Result<PathBuf, OpenError> {
    local_path("objects", url, "file", "file://PATH or s3://BUCKET/PREFIX")
}
