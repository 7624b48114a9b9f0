//! A PostgreSQL server, and a database of its own for each test.

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
};

use anyhow::{Context as _, Result};

use crate::process::{Launch, Process, User, folder, free_port, output, write_secret};
use crate::tls::Authority;

/// Names the server that the whole run shares: `postgres://USER:PASSWORD@HOST:PORT`.
pub const VARIABLE: &str = "MORPHEUS_TEST_POSTGRES";

/// The password of the superuser `postgres`.
pub const PASSWORD: &str = "sim:p@ss/word";

/// The password as a URL holds it.
const PASSWORD_IN_URL: &str = "sim%3Ap%40ss%2Fword";

/// Speed instead of durability, and nothing outside this machine.
const SETTINGS: [&str; 6] = [
    "fsync=off",
    "full_page_writes=off",
    "listen_addresses=127.0.0.1",
    "unix_socket_directories=",
    "max_connections=400",
    "shared_buffers=64MB",
];

/// A server of one's own.
#[derive(Debug)]
pub struct Server {
    process: Process,
    port: u16,
}

impl Server {
    /// Makes a server in a new folder and starts it.
    pub fn start() -> Result<Self> {
        Self::start_on(free_port()?)
    }

    /// The same on a port that was chosen before.
    pub fn start_on(port: u16) -> Result<Self> {
        Self::start_with(port, None)
    }

    /// One that also speaks TLS as `127.0.0.1`, by a certificate of this authority.
    pub fn start_with_tls(authority: &Authority) -> Result<Self> {
        Self::start_with(free_port()?, Some(authority))
    }

    fn start_with(port: u16, authority: Option<&Authority>) -> Result<Self> {
        let user = User::instead_of_root("postgres")?;
        let folder = folder(user)?;
        let (password, data) = (folder.join("password"), folder.join("data"));
        write_secret(&password, PASSWORD)?;
        if let Some(user) = user {
            std::os::unix::fs::chown(&password, Some(user.uid), Some(user.gid))?;
        }
        let initdb = program("initdb")?;
        let mut init = match user {
            None => Command::new(initdb),
            Some(user) => {
                let mut setpriv = Command::new("setpriv");
                setpriv.args(user.flags()).arg(initdb);
                setpriv
            }
        };
        init.current_dir(&folder)
            .args(["--username=postgres", "--auth=scram-sha-256", "--encoding=UTF8"])
            .args(["--no-locale", "--no-sync", "--pwfile"])
            .arg(&password)
            .arg("--pgdata")
            .arg(&data);
        output(&mut init)?;

        let mut command = Command::new(program("postgres")?);
        command.arg("-D").arg(&data).args(["-p", &port.to_string()]);
        for setting in SETTINGS {
            command.args(["-c", setting]);
        }
        if let Some(authority) = authority {
            let files = authority.issue(&folder)?;
            for (setting, file) in ["ssl_cert_file", "ssl_key_file"].iter().zip(&files) {
                if let Some(user) = user {
                    std::os::unix::fs::chown(file, Some(user.uid), Some(user.gid))?;
                }
                command.args(["-c", &format!("{setting}={}", file.display())]);
            }
            command.args(["-c", "ssl=on"]);
        }
        let launch = Launch {
            folder,
            signal: "INT",
            user,
        };
        let url = superuser(port);
        let process = Process::start(launch, &command, || query(&url, "SELECT 1").is_ok())?;
        Ok(Self { process, port })
    }

    /// The superuser's URL, without a database.
    pub fn url(&self) -> String {
        superuser(self.port)
    }

    /// The port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// A new database on this server.
    pub fn database(&self) -> Result<Database> {
        Database::create(&self.url())
    }

    /// What the server wrote so far.
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// Ends the server and its connections.
    pub fn stop(mut self) {
        self.process.stop();
    }
}

/// The URL of the server that tests share, without a database.
pub fn shared() -> Result<String> {
    static OWN: OnceLock<Server> = OnceLock::new();
    if let Ok(url) = std::env::var(VARIABLE) {
        return Ok(url);
    }
    if let Some(server) = OWN.get() {
        return Ok(server.url());
    }
    let started = Server::start()?;
    // When two tests of one process begin together, the second one's server ends here.
    Ok(OWN.get_or_init(|| started).url())
}

/// A database that goes with its owner.
#[derive(Debug)]
pub struct Database {
    server: String,
    name: String,
}

impl Database {
    /// A new database on the shared server.
    pub fn shared() -> Result<Self> {
        Self::create(&shared()?)
    }

    fn create(server: &str) -> Result<Self> {
        static N_CREATED: AtomicU32 = AtomicU32::new(0);
        let n = N_CREATED.fetch_add(1, Ordering::Relaxed);
        let name = format!("test_{}_{n}", std::process::id());
        query(server, &format!("CREATE DATABASE {name} TEMPLATE template0"))?;
        Ok(Self {
            server: server.to_owned(),
            name,
        })
    }

    /// The superuser's URL of this database.
    pub fn url(&self) -> String {
        format!("{}/{}", self.server, self.name)
    }

    /// The same for another user, who has no password in it.
    pub fn url_of(&self, user: &str, password: &str) -> String {
        let host = self.server.rsplit_once('@').map_or("", |(_, host)| host);
        format!("postgres://{user}:{password}@{host}/{}", self.name)
    }

    /// What a person would read who types SQL into psql: rows by line, columns divided by `|`.
    pub fn sql(&self, sql: &str) -> Result<String> {
        query(&self.url(), sql)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        // A server that a test has stopped took its databases along.
        let _ = query(&self.server, &format!("DROP DATABASE {} WITH (FORCE)", self.name));
    }
}

fn superuser(port: u16) -> String {
    format!("postgres://postgres:{PASSWORD_IN_URL}@127.0.0.1:{port}")
}

fn query(url: &str, sql: &str) -> Result<String> {
    let url = match url.matches('/').count() {
        2 => format!("{url}/postgres"),
        _ => url.to_owned(),
    };
    let mut psql = Command::new(program("psql")?);
    psql.args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align"])
        .args(["--set", "ON_ERROR_STOP=1", "--command", sql])
        .arg(url);
    output(&mut psql)
}

/// Debian keeps the programs of each version in a folder of its own, away from PATH.
fn program(name: &str) -> Result<PathBuf> {
    let of_version = std::fs::read_dir("/usr/lib/postgresql")
        .ok()
        .into_iter()
        .flatten();
    let mut found: Vec<PathBuf> = of_version
        .filter_map(|entry| Some(entry.ok()?.path().join("bin").join(name)))
        .filter(|path| path.exists())
        .collect();
    found.sort();
    if let Some(newest) = found.pop() {
        return Ok(newest);
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|path: &PathBuf| Path::exists(path))
        .with_context(|| format!("there is no `{name}` here: run scripts/setup.sh postgres"))
}
