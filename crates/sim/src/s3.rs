//! An S3 server: s3s-fs on a free port with a folder of its own, which checks signatures.
//!
//! [`Options`] make it as lax as other stores are: Supabase Storage ignores conditional writes and checksums,
//! and refuses large files. [`Server::faults`] make it fail on purpose.

mod files;
mod front;

use std::{
    net::SocketAddr,
    path::Path,
    sync::{Arc, OnceLock},
    time::SystemTime,
};

use anyhow::Context as _;
use s3s::{auth::SimpleAuth, service::S3ServiceBuilder};
use tempfile::TempDir;
use tokio::{net::TcpListener, task::JoinHandle};

pub use front::Faults;

/// Who may use it.
pub const ACCESS_KEY_ID: &str = "MORPHEUSTEST";
/// What that one signs with.
pub const SECRET_ACCESS_KEY: &str = "not-a-secret-but-a-test";
/// The region in signatures.
pub const REGION: &str = "us-east-1";
/// Names the address of the server that `cargo xtask services` has started.
pub const VARIABLE: &str = "MORPHEUS_TEST_S3";

/// What the server does and does not do.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// `If-Match` and `If-None-Match` of a write are followed.
    pub conditional_writes: bool,
    /// `x-amz-checksum-sha256` of a write is checked and kept.
    pub checksums: bool,
    /// Larger objects are refused as Supabase Storage does it: 413 `EntityTooLarge`.
    pub max_object_bytes: Option<u64>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            conditional_writes: true,
            checksums: true,
            max_object_bytes: None,
        }
    }
}

impl Options {
    /// As Supabase Storage: conditions and checksums of writes are ignored.
    pub fn supabase() -> Self {
        Self {
            conditional_writes: false,
            checksums: false,
            max_object_bytes: None,
        }
    }
}

/// A running server; it ends when this is dropped.
#[derive(Debug)]
pub struct Server {
    /// Its address: `http://127.0.0.1:PORT`.
    pub endpoint: String,
    folder: TempDir,
    faults: Arc<Faults>,
    serving: JoinHandle<()>,
}

impl Server {
    /// Starts a server.
    pub async fn start(options: Options) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir().context("failed to make a folder for the S3 server")?;
        let files = files::Files::new(folder.path(), options)?;
        let mut builder = S3ServiceBuilder::new(files);
        builder.set_auth(SimpleAuth::from_single(ACCESS_KEY_ID, SECRET_ACCESS_KEY));
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0)))
            .await
            .context("failed to listen for the S3 server")?;
        let address = listener.local_addr().context("the S3 server has no address")?;
        let faults = Arc::new(Faults::default());
        let front = front::Front::new(builder.build(), folder.path().to_owned(), Arc::clone(&faults));
        Ok(Self {
            endpoint: format!("http://{address}"),
            folder,
            faults,
            serving: tokio::spawn(front::serve(listener, front)),
        })
    }

    /// Makes an empty bucket with a name of its own.
    pub async fn bucket(&self) -> anyhow::Result<String> {
        new_bucket(&self.endpoint).await
    }

    /// What goes wrong on purpose.
    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// Makes an object look as if it had been written at that time.
    pub fn set_modified(&self, bucket: &str, key: &str, at: SystemTime) -> anyhow::Result<()> {
        let path = self.folder.path().join(bucket).join(key);
        let file = std::fs::File::options()
            .write(true)
            .open(&path)
            .with_context(|| format!("there is no object `{bucket}/{key}`"))?;
        Ok(file.set_modified(at)?)
    }

    /// The folder that holds a bucket's objects as files.
    pub fn folder(&self, bucket: &str) -> std::path::PathBuf {
        Path::new(self.folder.path()).join(bucket)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// A server for a program that has no runtime of its own, as `cargo xtask services` has none.
#[derive(Debug)]
pub struct Standalone {
    server: Server,
    _runtime: tokio::runtime::Runtime,
}

impl Standalone {
    /// Starts a server that answers in a thread of its own.
    pub fn start(options: Options) -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .context("failed to start a runtime for the S3 server")?;
        Ok(Self {
            server: runtime.block_on(Server::start(options))?,
            _runtime: runtime,
        })
    }

    /// Its address, for [`VARIABLE`].
    pub fn endpoint(&self) -> &str {
        &self.server.endpoint
    }
}

/// The server of the whole test run, or one of this process.
#[derive(Debug)]
pub struct Shared {
    /// Its address.
    pub endpoint: String,
    _own: Option<Server>,
}

impl Shared {
    /// Makes an empty bucket with a name of its own.
    pub async fn bucket(&self) -> anyhow::Result<String> {
        new_bucket(&self.endpoint).await
    }
}

/// The server that `cargo xtask services` has started, or else a new one.
pub async fn shared() -> anyhow::Result<Shared> {
    if let Ok(endpoint) = std::env::var(VARIABLE) {
        return Ok(Shared { endpoint, _own: None });
    }
    let own = Server::start(Options::default()).await?;
    Ok(Shared {
        endpoint: own.endpoint.clone(),
        _own: Some(own),
    })
}

/// A new bucket on the server of the whole test run, or on one of this process: the server's address, and its name.
/// Works within a runtime and without one.
pub fn shared_bucket() -> anyhow::Result<(String, String)> {
    static OWN: OnceLock<Standalone> = OnceLock::new();
    let making = std::thread::spawn(|| {
        let endpoint = match (std::env::var(VARIABLE), OWN.get()) {
            (Ok(endpoint), _) => endpoint,
            (Err(_), Some(own)) => own.endpoint().to_owned(),
            (Err(_), None) => {
                let started = Standalone::start(Options::default())?;
                OWN.get_or_init(|| started).endpoint().to_owned()
            }
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("failed to start a runtime")?;
        let name = runtime.block_on(new_bucket(&endpoint))?;
        Ok((endpoint, name))
    });
    making
        .join()
        .map_err(|_| anyhow::anyhow!("making a bucket panicked"))?
}

async fn new_bucket(endpoint: &str) -> anyhow::Result<String> {
    let answer = reqwest::Client::new()
        .post(format!("{endpoint}{}", front::NEW_BUCKET))
        .send()
        .await
        .with_context(|| format!("no S3 server of the tests answers at {endpoint}"))?;
    Ok(answer.error_for_status()?.text().await?)
}
