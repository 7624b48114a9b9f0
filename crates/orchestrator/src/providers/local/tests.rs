//! Real processes: found, left alone, and ended.

use std::{ffi::OsString, fs, path::Path, time::Duration};

use tempfile::TempDir;
use uuid::Uuid;

use super::{Local, LocalOptions, proc};
use crate::providers::{Instance, LaunchRequest, Provider, Purpose};

struct Machine {
    local: Local,
    folder: TempDir,
}

const DEADLINE: Duration = Duration::from_secs(10);

/// Stands in for the agent: a shell script, which gets our arguments after its name.
fn machine(script: &str) -> Machine {
    let folder = tempfile::tempdir().unwrap();
    let options = LocalOptions {
        program: "/bin/sh".into(),
        first_args: vec![
            OsString::from("-c"),
            OsString::from(script),
            OsString::from("script"),
        ],
        server_url: "http://127.0.0.1:7860".to_owned(),
        log_dir: folder.path().join("logs"),
        work_dir: folder.path().join("agent"),
        deployment: Uuid::now_v7(),
        server: Uuid::now_v7(),
        capacity: 1,
        engines: vec![protocol::recipe::Engine::Native],
        fetch_from: [crate::Range::Any].into_iter().collect(),
        grace: Duration::from_millis(300),
    };
    Machine {
        local: Local::new(options),
        folder,
    }
}

fn request(purpose: Purpose) -> LaunchRequest {
    LaunchRequest {
        id: Uuid::now_v7(),
        purpose,
        token: "morpheus_secret".to_owned(),
    }
}

impl Machine {
    async fn launch(&self, purpose: Purpose) -> Instance {
        let instance = self.local.launch(&request(purpose)).await.unwrap();
        // The script tells when it has set its traps.
        let ready = self.folder.path().join("agent/ready");
        wait_until(async || ready.exists()).await;
        fs::remove_file(ready).unwrap();
        instance
    }
}

async fn wait_until(condition: impl AsyncFn() -> bool) {
    let deadline = tokio::time::Instant::now() + DEADLINE;
    while !condition().await {
        assert!(tokio::time::Instant::now() < deadline, "it does not happen");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

const POLITE: &str = "touch $MORPHEUS_WORK/ready; sleep 1000 & wait";
const STUBBORN: &str = "trap '' TERM; touch $MORPHEUS_WORK/ready; while :; do sleep 1000; done";

#[tokio::test]
async fn launches_lists_and_ends() {
    let machine = machine(POLITE);
    assert_eq!(machine.local.list().await.unwrap(), []);
    let train = machine.launch(Purpose::Train).await;
    let generate = machine.launch(Purpose::Generate).await;
    let mut found = machine.local.list().await.unwrap();
    found.sort_by_key(|instance| instance.id);
    assert_eq!(found, [train.clone(), generate.clone()]);

    // Another process of ours finds the same: nothing is in memory only.
    let other = Local::new(machine.local.options.clone());
    other.terminate(&train).await.unwrap();
    assert_eq!(
        machine.local.list().await.unwrap(),
        std::slice::from_ref(&generate)
    );
    other.terminate(&train).await.unwrap();
    machine.local.terminate(&generate).await.unwrap();
    assert_eq!(machine.local.list().await.unwrap(), []);
}

#[tokio::test]
async fn kills_what_does_not_end_with_its_children() {
    let machine = machine(STUBBORN);
    let instance = machine.launch(Purpose::Train).await;
    let leader: i32 = instance.handle.parse().unwrap();
    machine.local.terminate(&instance).await.unwrap();
    wait_until(async || !is_alive(leader)).await;
    let options = &machine.local.options;
    // Its children were killed with it, and may take a moment.
    wait_until(async || {
        let groups = proc::groups(options.deployment, options.server);
        groups.unwrap().is_empty()
    })
    .await;
}

#[tokio::test]
async fn never_touches_others() {
    let (ours, theirs) = (machine(POLITE), machine(POLITE));
    let foreign = theirs.launch(Purpose::Train).await;
    // A number that was recorded and now belongs to somebody else's process.
    let stale = Instance {
        id: Uuid::now_v7(),
        ..foreign.clone()
    };
    ours.local.terminate(&stale).await.unwrap();
    ours.local.terminate(&foreign).await.unwrap();
    assert_eq!(theirs.local.list().await.unwrap(), std::slice::from_ref(&foreign));
    // Nor another server of the same installation, on the same machine.
    let mut options = theirs.local.options.clone();
    options.server = Uuid::now_v7();
    let other_server = Local::new(options);
    assert_eq!(other_server.list().await.unwrap(), []);
    other_server.terminate(&foreign).await.unwrap();
    assert_eq!(theirs.local.list().await.unwrap(), std::slice::from_ref(&foreign));
    theirs.local.terminate(&foreign).await.unwrap();
}

#[tokio::test]
async fn keeps_secrets_off_the_command_line() {
    let machine = machine(POLITE);
    let instance = machine.launch(Purpose::Generate).await;
    let line = fs::read(format!("/proc/{}/cmdline", instance.handle)).unwrap();
    let line = String::from_utf8_lossy(&line).replace('\0', " ");
    assert!(
        line.ends_with("agent --server http://127.0.0.1:7860 --generate "),
        "{line}"
    );
    assert!(!line.contains("secret"));
    machine.local.terminate(&instance).await.unwrap();
}

#[tokio::test]
async fn agents_get_what_they_need_and_nothing_else() {
    let machine = machine("env > $MORPHEUS_WORK/env; touch $MORPHEUS_WORK/ready; sleep 1000 & wait");
    let instance = machine.launch(Purpose::Train).await;
    let seen = fs::read_to_string(machine.folder.path().join("agent/env")).unwrap();
    let names: Vec<&str> = seen
        .lines()
        .filter_map(|line| Some(line.split_once('=')?.0))
        .collect();
    for needed in ["PATH", "MORPHEUS_TOKEN", "MORPHEUS_WORK", "MORPHEUS_INSTANCE"] {
        assert!(names.contains(&needed), "{needed}: {names:?}");
    }
    // Cargo gives tests variables that nobody has heard of here, as a server's may be.
    assert!(std::env::var_os("CARGO_MANIFEST_DIR").is_some());
    let strange = names
        .iter()
        .find(|name| name.starts_with("CARGO") || name.starts_with("NEXTEST"));
    assert_eq!(strange, None);
    machine.local.terminate(&instance).await.unwrap();
}

#[tokio::test]
async fn tells_last_words() {
    let machine = machine("echo 'starting'; echo 'error: out of memory' >&2; exit 3");
    let instance = machine.local.launch(&request(Purpose::Train)).await.unwrap();
    wait_until(async || machine.local.list().await.unwrap().is_empty()).await;
    wait_until(async || {
        machine.local.last_words(instance.id).await.as_deref() == Some("starting\nerror: out of memory")
    })
    .await;
    assert_eq!(machine.local.last_words(Uuid::now_v7()).await, None);
}

#[tokio::test]
async fn says_what_cannot_be_started() {
    let mut machine = machine(POLITE);
    machine.local.options.program = "/nonexistent/morpheus".into();
    let err = machine.local.launch(&request(Purpose::Train)).await.unwrap_err();
    assert_eq!(
        err.to_string(),
        "provider `local` failed to start `/nonexistent/morpheus`"
    );
}

fn is_alive(pid: i32) -> bool {
    // A zombie that nobody has waited for yet has no environment.
    fs::read(Path::new("/proc").join(pid.to_string()).join("environ")).is_ok_and(|bytes| !bytes.is_empty())
}
