//! Runs the real binary, and waits for conditions with a deadline.

use std::{
    ffi::OsStr,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    path::Path,
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use reqwest::Url;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

/// Longer than anything here takes on a busy machine.
pub(crate) const DEADLINE: Duration = Duration::from_secs(240);

/// The binary under test, without any setting of the machine that the test runs on.
pub(crate) fn morpheus() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_morpheus"));
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("MORPHEUS_")) {
        command.env_remove(name);
    }
    // What is kept of base models goes into the folder of the build, not into that of whoever tests.
    command.env("XDG_CACHE_HOME", concat!(env!("CARGO_TARGET_TMPDIR"), "/cache"));
    // Judging draws dozens of pictures; what tests it switches it on.
    command.env("MORPHEUS_JUDGE_SHARE", "0");
    command
}

pub(crate) fn run<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Output {
    morpheus().args(args).stdin(Stdio::null()).output().unwrap()
}

/// Runs a command that must succeed; its standard output.
#[track_caller]
pub(crate) fn succeed<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> String {
    let output = run(args);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {stderr}", output.status);
    String::from_utf8(output.stdout).unwrap()
}

/// Runs a command that must fail; its standard error.
#[track_caller]
pub(crate) fn fail<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> String {
    let output = run(args);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(
        !output.status.success(),
        "it succeeded: {}",
        String::from_utf8_lossy(&output.stdout)
    );
    assert!(stderr.contains("error: "), "{stderr}");
    stderr
}

/// Asks until there is an answer.
#[track_caller]
pub(crate) fn wait_for<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(start.elapsed() < DEADLINE, "waited too long for {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// With `MORPHEUS_TEST_SERVICES` set, servers keep everything in PostgreSQL and S3 and are woken by Redis. One that
/// is started again on the same folder gets the same database and bucket, which go with the services.
pub(crate) fn services(data: &Path) -> Vec<(String, String)> {
    if std::env::var_os("MORPHEUS_TEST_SERVICES").is_none() {
        return Vec::new();
    }
    std::fs::create_dir_all(data).unwrap();
    let note = data.join("test-services.json");
    if let Ok(noted) = std::fs::read(&note) {
        return serde_json::from_slice(&noted).unwrap();
    }
    let database = sim::postgres::Database::shared().unwrap();
    let (endpoint, bucket) = sim::s3::shared_bucket().unwrap();
    let settings = [
        ("MORPHEUS_DATABASE", database.url()),
        ("MORPHEUS_QUEUE", sim::redis::shared().unwrap()),
        ("MORPHEUS_OBJECTS", format!("s3://{bucket}")),
        ("MORPHEUS_S3_ENDPOINT", endpoint),
        ("MORPHEUS_S3_ACCESS_KEY_ID", sim::s3::ACCESS_KEY_ID.to_owned()),
        (
            "MORPHEUS_S3_SECRET_ACCESS_KEY",
            sim::s3::SECRET_ACCESS_KEY.to_owned(),
        ),
    ];
    std::mem::forget(database);
    let settings: Vec<_> = settings.map(|(name, value)| (name.to_owned(), value)).into();
    std::fs::write(&note, serde_json::to_vec(&settings).unwrap()).unwrap();
    settings
}

/// A server of its own, ended with its agents when the test is over.
pub(crate) struct Server {
    child: Child,
    pub(crate) url: Url,
    pub(crate) token: String,
    ended: bool,
}

impl Server {
    /// Starts `morpheus serve` on `data` and waits until it says where it listens.
    pub(crate) fn start(data: &Path) -> Self {
        Self::start_at(data, "127.0.0.1:0")
    }

    pub(crate) fn start_at(data: &Path, listen: &str) -> Self {
        Self::start_with(data, listen, &[])
    }

    /// The same with settings as variables.
    pub(crate) fn start_with(data: &Path, listen: &str, settings: &[(&str, String)]) -> Self {
        // A test that says where things are kept means it.
        let is_placed = |(name, _): &(&str, String)| ["MORPHEUS_DATABASE", "MORPHEUS_OBJECTS"].contains(name);
        let services = if settings.iter().any(is_placed) {
            Vec::new()
        } else {
            services(data)
        };
        let child = morpheus()
            .args(["serve", "--json", "--listen", listen, "--data"])
            .arg(data)
            .envs(services)
            .envs(settings.iter().map(|(name, value)| (name, value)))
            .env("XDG_CACHE_HOME", data.join("cache"))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // A public address may be that of a proxy which is not there.
        let own = (!listen.ends_with(":0")).then(|| format!("http://{listen}").parse().unwrap());
        let (child, url, token) = Self::read_ready(child, own);
        Self {
            child,
            url,
            token: token.unwrap_or_default(),
            ended: false,
        }
    }

    /// The same, and no file that it writes grows beyond so many blocks of 512 bytes.
    pub(crate) fn start_limited(data: &Path, settings: &[(&str, String)], n_blocks: u64) -> Self {
        let script = format!("ulimit -S -f {n_blocks}; exec \"$0\" \"$@\"");
        let mut shell = Command::new("sh");
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("MORPHEUS_") {
                shell.env_remove(name);
            }
        }
        let child = shell
            .args(["-c", &script, env!("CARGO_BIN_EXE_morpheus")])
            .args(["serve", "--json", "--listen", "127.0.0.1:0", "--data"])
            .arg(data)
            .envs(settings.iter().map(|(name, value)| (name, value)))
            .env("XDG_CACHE_HOME", data.join("cache"))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let (child, url, token) = Self::read_ready(child, None);
        Self {
            child,
            url,
            token: token.unwrap_or_default(),
            ended: false,
        }
    }

    /// Waits until a server says where it is, unless that is known; also its token, if it is the first one's.
    pub(crate) fn read_ready(mut child: Child, own: Option<Url>) -> (Child, Url, Option<String>) {
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap())
            .read_line(&mut line)
            .unwrap();
        let ready: Value = serde_json::from_str(&line).unwrap_or_else(|err| {
            let mut rest = String::new();
            let _ = child.stdout.as_mut().unwrap().read_to_string(&mut rest);
            panic!("no JSON: {err}: {line}{rest}");
        });
        let url = own.unwrap_or_else(|| ready["url"].as_str().unwrap().parse().unwrap());
        // Only the first start prints a login address.
        let token = ready["login_url"]
            .as_str()
            .and_then(|login| Some(api_token(&url, login.split_once("token=")?.1)));
        (child, url, token)
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Agents that this server started.
    pub(crate) fn agents(&self) -> Vec<u32> {
        children(self.id(), "agent")
    }

    /// Processes that decode pictures for this server.
    pub(crate) fn decoders(&self) -> Vec<u32> {
        children(self.id(), "decode-worker")
    }

    /// Whether the server has ended by itself.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Waits until the server has died by itself; its agents go on.
    pub(crate) fn wait_until_dead(mut self) {
        let child = &mut self.child;
        wait_for("the server's death", || child.try_wait().unwrap());
        self.ended = true;
    }

    /// Kills the server as a power cut would, and leaves its agents alone.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.ended = true;
    }
}

/// Signs in with a login address, as a browser does, and makes an API token.
fn api_token(url: &Url, secret: &str) -> String {
    let (head, _) = post(url, "/login", "", &json!({ "token": secret }));
    let cookie = head
        .lines()
        .find_map(|line| line.strip_prefix("set-cookie: ")?.split(';').next())
        .unwrap_or_else(|| panic!("nobody was signed in: {head}"));
    let (_, body) = post(url, "/api/v1/tokens", cookie, &json!({ "name": "tests" }));
    body["secret"].as_str().unwrap().to_owned()
}

/// A request without a runtime: the head of the answer, and its JSON.
fn post(url: &Url, path: &str, cookie: &str, body: &Value) -> (String, Value) {
    let address = (url.host_str().unwrap(), url.port().unwrap());
    let mut connection = std::net::TcpStream::connect(address).unwrap();
    let body = body.to_string();
    let request = format!(
        "POST {path} HTTP/1.1\r\nhost: {}\r\ncookie: {cookie}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\
         connection: close\r\n\r\n{body}",
        url.authority(),
        body.len()
    );
    connection.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.to_owned(), serde_json::from_str(body).unwrap_or_default())
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.ended {
            return;
        }
        let agents = self.agents();
        let _ = self.child.kill();
        let _ = self.child.wait();
        agents.into_iter().for_each(terminate);
    }
}

/// Ends a process as a power cut would.
pub(crate) fn kill(process: u32) {
    signal(process, Signal::KILL);
}

/// Asks a process to end.
pub(crate) fn terminate(process: u32) {
    signal(process, Signal::TERM);
}

/// Tells a process that its terminal was closed.
pub(crate) fn hang_up(process: u32) {
    signal(process, Signal::HUP);
}

fn signal(process: u32, signal: Signal) {
    let process = Pid::from_raw(process.try_into().unwrap()).unwrap();
    // It may have ended by itself.
    let _ = kill_process(process, signal);
}

pub(crate) fn is_alive(process: u32) -> bool {
    Path::new(&format!("/proc/{process}")).exists()
}

/// Processes that a process started with this subcommand.
fn children(parent: u32, subcommand: &str) -> Vec<u32> {
    let about =
        |id: &u32, file: &str| std::fs::read_to_string(format!("/proc/{id}/{file}")).unwrap_or_default();
    let (parent, subcommand) = (format!("PPid:\t{parent}\n"), format!("\0{subcommand}\0"));
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let ids = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    ids.filter(|id| about(id, "status").contains(&parent) && about(id, "cmdline").contains(&subcommand))
        .collect()
}

pub(crate) fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}
