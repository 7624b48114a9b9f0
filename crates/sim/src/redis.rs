//! A Redis server, which keeps nothing on disk: one that restarts has forgotten everything.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::OnceLock,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use tempfile::TempDir;

use crate::{free_port, tls::Authority};

/// Names the server that is started for a whole run of tests.
pub const VARIABLE: &str = "MORPHEUS_TEST_REDIS";

/// Longer than a start takes on a busy machine.
const START_TIMEOUT: Duration = Duration::from_secs(30);

/// Runs a server until its standard input ends, however its owner came to its end.
const UNTIL_STDIN_ENDS: &str = r#""$@" & server=$!; read -r _; kill -KILL "$server"; wait "$server""#;

/// A server of one's own; ends when it is dropped, and also when this process is killed.
#[derive(Debug)]
pub struct Redis {
    program: PathBuf,
    address: SocketAddr,
    tls: Option<Tls>,
    running: Option<Child>,
}

/// A second port, which speaks TLS.
#[derive(Debug)]
struct Tls {
    port: u16,
    folder: TempDir,
}

/// The URL of a server that other tests use too: keep to a namespace, and do not stop or flush it.
pub fn shared() -> Result<String> {
    if let Ok(url) = std::env::var(VARIABLE) {
        return Ok(url);
    }
    static OWN: OnceLock<Redis> = OnceLock::new();
    if OWN.get().is_none() {
        // Another thread's may be first; then this one ends at once.
        let _ = OWN.set(Redis::start()?);
    }
    OWN.get().map(Redis::url).context("the shared Redis is gone")
}

impl Redis {
    /// Starts a server on a free port.
    pub fn start() -> Result<Self> {
        Self::start_with(|| Ok(None))
    }

    /// The same that also speaks TLS as `127.0.0.1`, by a certificate of this authority.
    pub fn start_with_tls(authority: &Authority) -> Result<Self> {
        Self::start_with(|| {
            let folder = tempfile::tempdir()?;
            authority.issue(folder.path())?;
            let port = free_port()?;
            Ok(Some(Tls { port, folder }))
        })
    }

    fn start_with(tls: impl Fn() -> Result<Option<Tls>>) -> Result<Self> {
        let program = find()?;
        // Another process may take the free port before the server does.
        for _ in 0..5 {
            let mut redis = Self {
                program: program.clone(),
                address: (Ipv4Addr::LOCALHOST, free_port()?).into(),
                tls: tls()?,
                running: None,
            };
            if redis.run().is_ok() {
                return Ok(redis);
            }
        }
        bail!("`{}` does not start", program.display());
    }

    /// `redis://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("redis://{}", self.address)
    }

    /// `rediss://127.0.0.1:PORT`, if it speaks TLS.
    pub fn tls_url(&self) -> Option<String> {
        self.tls
            .as_ref()
            .map(|tls| format!("rediss://127.0.0.1:{}", tls.port))
    }

    /// Ends it as a power cut would.
    pub fn stop(&mut self) -> Result<()> {
        if let Some(mut running) = self.running.take() {
            drop(running.stdin.take());
            running.wait().context("failed to wait for redis-server")?;
        }
        Ok(())
    }

    /// Starts it again, empty, on the same port.
    pub fn restart(&mut self) -> Result<()> {
        self.stop()?;
        self.run()
    }

    /// Forgets everything.
    pub fn flush(&self) -> Result<()> {
        match self.ask("FLUSHALL")?.as_str() {
            "+OK" => Ok(()),
            answer => bail!("redis-server answered FLUSHALL with {answer}"),
        }
    }

    /// Lets nobody in without this password from now on, this included.
    pub fn require_password(&mut self, password: &str) -> Result<()> {
        match self.ask(&format!("CONFIG SET requirepass {password}"))?.as_str() {
            "+OK" => Ok(()),
            answer => bail!("redis-server answered CONFIG with {answer}"),
        }
    }

    fn run(&mut self) -> Result<()> {
        let mut command = Command::new("sh");
        command
            .args(["-c", UNTIL_STDIN_ENDS, "sh"])
            .arg(&self.program)
            .args(["--bind", "127.0.0.1", "--port", &self.address.port().to_string()])
            .args(["--save", "", "--appendonly", "no"]);
        if let Some(Tls { port, folder }) = &self.tls {
            command
                .current_dir(folder)
                .args(["--tls-port", &port.to_string(), "--tls-auth-clients", "no"])
                .args(["--tls-cert-file", "server.pem", "--tls-key-file", "server.key"])
                .args(["--tls-ca-cert-file", "server.pem"]);
        }
        let running = command
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("failed to start redis-server")?;
        self.running = Some(running);
        self.wait_until_ready()
    }

    fn wait_until_ready(&self) -> Result<()> {
        let start = Instant::now();
        while !matches!(self.ask("PING").as_deref(), Ok("+PONG")) {
            if start.elapsed() > START_TIMEOUT {
                bail!("redis-server does not answer at {}", self.address);
            }
            thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }

    /// Sends one inline command; the first line of the answer.
    fn ask(&self, command: &str) -> Result<String> {
        let mut stream = TcpStream::connect(self.address)?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        write!(stream, "{command}\r\n")?;
        let mut answer = String::new();
        BufReader::new(stream).read_line(&mut answer)?;
        Ok(answer.trim_end().to_owned())
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        // Nobody is left to be told.
        let _ = self.stop();
    }
}

fn find() -> Result<PathBuf> {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let programs = std::env::split_paths(&folders).map(|folder| folder.join("redis-server"));
    let mut programs = programs.filter(|program| program.is_file());
    programs.next().context(
        "`redis-server` is not installed: run `apt-get install redis-server`, or `make test`, which does",
    )
}
