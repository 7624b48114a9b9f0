//! Rented machines end themselves: the real agent in a simulated provider's pods, with everything that can go wrong.

mod desk;

use std::{
    collections::BTreeMap,
    os::{
        fd::OwnedFd,
        unix::{fs::PermissionsExt as _, net::UnixStream, process::ExitStatusExt as _},
    },
    path::{Path, PathBuf},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use sim::runpod::{Caller, Delays, Fault, KEY, Options, Pace, Program, Route, RunPod, Runner, What};
use tempfile::TempDir;
use tokio::time::{Instant, sleep, timeout};

use self::desk::Desk;
use crate::support::{DEADLINE, is_alive, kill, path};

const NAME: &str = "mph-test";
/// How fast the provider's clock runs.
const SCALE: u32 = 10;

/// A provider whose pods run the program under test.
struct Provider {
    sim: RunPod,
    folder: TempDir,
    scale: u32,
}

/// A pod of it.
struct Pod<'a> {
    provider: &'a Provider,
    id: String,
}

impl Provider {
    async fn start() -> Self {
        Self::with(
            SCALE,
            Duration::from_millis(200),
            env!("CARGO_BIN_EXE_morpheus").into(),
        )
        .await
    }

    /// The lease of a server, 20 seconds, is 5 here.
    async fn start_slowly() -> Self {
        Self::with(
            4,
            Duration::from_millis(200),
            env!("CARGO_BIN_EXE_morpheus").into(),
        )
        .await
    }

    async fn with(scale: u32, grace: Duration, program: PathBuf) -> Self {
        let sim = RunPod::start(Options {
            pace: Pace::Scaled(scale),
            delays: Delays {
                allocation_s: 0,
                pull_s: 0,
                billing_s: 0,
            },
            quota: None,
            runner: Runner::Process(Program {
                path: program,
                first_args: Vec::new(),
                inherited: Vec::new(),
                relayed: vec!["MORPHEUS_SERVER".to_owned()],
                grace,
            }),
            ..Options::default()
        });
        Self {
            sim: sim.await.unwrap(),
            folder: tempfile::tempdir().unwrap(),
            scale,
        }
    }

    /// Rents a machine with money and time for a day, and five minutes to start.
    async fn rent(&self, changes: &[(&str, Option<&str>)]) -> Pod<'_> {
        let mut env: BTreeMap<&str, String> = [
            ("MORPHEUS_SERVER", "http://127.0.0.1:9".to_owned()),
            ("MORPHEUS_TOKEN", "token".to_owned()),
            ("MORPHEUS_WORK", path(&self.folder.path().join("work")).to_owned()),
            ("MORPHEUS_PROVIDER", "runpod".to_owned()),
            ("MORPHEUS_PROVIDER_URL", self.sim.url()),
            ("MORPHEUS_TIME_SCALE", self.scale.to_string()),
            (
                "MORPHEUS_DEADLINE_UNIX",
                (self.sim.now().timestamp() + 86_400).to_string(),
            ),
            ("MORPHEUS_BOOT_GRACE_S", "300".to_owned()),
            ("MORPHEUS_STOP_S", "600".to_owned()),
            ("MORPHEUS_RATE_MICRO_USD", "1000000".to_owned()),
            ("MORPHEUS_BUDGET_MICRO_USD", "24000000".to_owned()),
        ]
        .into();
        for (name, value) in changes {
            match value {
                Some(value) => drop(env.insert(name, (*value).to_owned())),
                None => drop(env.remove(name)),
            }
        }
        let body = json!({
            "name": NAME, "image": "a", "args": "agent --idle-exit 1000", "env": env,
            "gpu": {"id": "NVIDIA L40S", "count": 1},
        });
        let client = reqwest::Client::builder().user_agent("test").build().unwrap();
        let answer = client
            .post(format!("{}/v2/pods", self.sim.url()))
            .bearer_auth(KEY)
            .json(&body)
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), 201);
        let pod: Value = answer.json().await.unwrap();
        Pod {
            provider: self,
            id: pod["id"].as_str().unwrap().to_owned(),
        }
    }
}

impl Pod<'_> {
    /// The key that is good for this pod alone.
    fn key(&self) -> String {
        self.provider.sim.environment(NAME).unwrap()["RUNPOD_API_KEY"].clone()
    }

    fn log(&self) -> String {
        self.provider.sim.log(&self.id).join("\n")
    }

    async fn wait_for<T>(&self, what: &str, ask: impl Fn() -> Option<T>) -> T {
        let start = Instant::now();
        loop {
            if let Some(answer) = ask() {
                return answer;
            }
            assert!(
                start.elapsed() < DEADLINE,
                "waited too long for {what}: {}",
                self.log()
            );
            sleep(Duration::from_millis(10)).await;
        }
    }

    /// Waits until the provider no longer has it.
    async fn wait_for_end(&self) {
        let sim = &self.provider.sim;
        self.wait_for("the machine's end", || sim.living().is_empty().then_some(()))
            .await;
    }

    async fn wait_for_log(&self, text: &str) {
        self.wait_for(text, || self.log().contains(text).then_some(()))
            .await;
    }

    /// The process of it that is, or is not, the worker.
    async fn wait_for_process(&self, is_worker: bool) -> u32 {
        self.wait_for("a process", || {
            let found = processes(&self.id);
            found.into_iter().find(|id| is_supervised(*id) == Some(is_worker))
        })
        .await
    }

    async fn wait_for_worker(&self) -> u32 {
        self.wait_for_process(true).await
    }
}

/// The program's processes that run in a pod.
fn processes(pod: &str) -> Vec<u32> {
    let wanted = format!("RUNPOD_POD_ID={pod}");
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let ids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    ids.filter(|id| {
        let environment = std::fs::read(format!("/proc/{id}/environ")).unwrap_or_default();
        environment
            .split(|byte| *byte == 0)
            .any(|variable| variable == wanted.as_bytes())
    })
    .collect()
}

fn is_supervised(process: u32) -> Option<bool> {
    let line = std::fs::read(format!("/proc/{process}/cmdline")).ok()?;
    let words: Vec<&[u8]> = line.split(|byte| *byte == 0).collect();
    // What starts it has its words as well, until it has become it.
    (words.first()? == &env!("CARGO_BIN_EXE_morpheus").as_bytes())
        .then(|| words.contains(&b"--supervised".as_slice()))
}

fn send(process: u32, signal: Signal) {
    let process = Pid::from_raw(process.try_into().unwrap()).unwrap();
    kill_process(process, signal).unwrap();
}

#[tokio::test]
async fn a_machine_that_reaches_no_server_ends_after_its_boot_grace() {
    let provider = Provider::start().await;
    let pod = provider.rent(&[("MORPHEUS_BOOT_GRACE_S", Some("30"))]).await;
    let worker = pod.wait_for_worker().await;
    pod.wait_for_end().await;
    assert!(
        pod.log().contains("could not reach the server in time"),
        "{}",
        pod.log()
    );
    assert!(!is_alive(worker));
    assert_eq!(provider.sim.container_starts(NAME), 1);
}

#[tokio::test]
async fn a_machine_with_a_wrong_environment_ends_at_once_and_says_why() {
    for (name, value, says) in [
        (
            "MORPHEUS_DEADLINE_UNIX",
            None,
            "MORPHEUS_DEADLINE_UNIX is not set",
        ),
        (
            "MORPHEUS_BUDGET_MICRO_USD",
            Some("much"),
            "MORPHEUS_BUDGET_MICRO_USD is `much`",
        ),
        // It comes before the arguments are looked at.
        (
            "MORPHEUS_SERVER",
            Some("no address"),
            "'no address' for '--server",
        ),
    ] {
        let provider = Provider::start().await;
        let pod = provider.rent(&[(name, value)]).await;
        pod.wait_for_end().await;
        assert!(pod.log().contains(says), "{}", pod.log());
    }
}

#[tokio::test]
async fn a_machine_goes_on_until_the_provider_obeys() {
    let provider = Provider::start().await;
    for (route, times) in [(Route::Delete, 7), (Route::Action, 4)] {
        let fault = What::Answer {
            route,
            status: 500,
            retry_after_s: None,
        };
        provider
            .sim
            .fault(Fault::always(fault).times(times).from_caller(Caller::Pod));
    }
    let pod = provider.rent(&[("MORPHEUS_BOOT_GRACE_S", Some("1"))]).await;
    pod.wait_for_end().await;
    assert!(pod.log().contains("round=1 is_accepted=false"), "{}", pod.log());
}

#[tokio::test]
async fn a_machine_does_not_believe_that_it_was_ended() {
    let provider = Provider::start().await;
    provider
        .sim
        .fault(Fault::always(What::DeleteIgnored { seconds: None }));
    let pod = provider.rent(&[("MORPHEUS_BOOT_GRACE_S", Some("1"))]).await;
    pod.wait_for_log("round=2 is_accepted=true").await;
    // It tries the others, too, once the first has not helped.
    assert!(pod.log().contains("way=Action"), "{}", pod.log());
    let supervisor = pod.wait_for_process(false).await;
    assert!(is_alive(supervisor));
    assert_eq!(provider.sim.container_starts(NAME), 1);
}

#[tokio::test]
async fn the_providers_own_program_is_the_last_resort() {
    let folder = tempfile::tempdir().unwrap();
    let called = folder.path().join("called");
    write_program(
        &folder.path().join("runpodctl"),
        &format!("echo \"$@\" >>{}", path(&called)),
    );
    let start = folder.path().join("start");
    let (bin, program) = (path(folder.path()), env!("CARGO_BIN_EXE_morpheus"));
    write_program(&start, &format!("PATH={bin}:$PATH exec {program} \"$@\""));
    let provider = Provider::with(SCALE, Duration::from_millis(200), start).await;
    for route in [Route::Delete, Route::Action] {
        provider.sim.fault(Fault::always(What::Answer {
            route,
            status: 403,
            retry_after_s: None,
        }));
    }
    let pod = provider.rent(&[("MORPHEUS_BOOT_GRACE_S", Some("1"))]).await;
    let line = pod
        .wait_for("runpodctl", || std::fs::read_to_string(&called).ok())
        .await;
    assert_eq!(line, format!("remove pod {}\n", pod.id));
}

#[tokio::test]
async fn a_machine_that_is_told_to_end_does_so_within_its_grace_whatever_its_worker_does() {
    let provider = Provider::start().await;
    let pod = provider.rent(&[]).await;
    let worker = pod.wait_for_worker().await;
    send(worker, Signal::STOP);
    send(pod.wait_for_process(false).await, Signal::TERM);
    let told = Instant::now();
    pod.wait_for_end().await;
    assert!(told.elapsed() < Duration::from_secs(10), "{:?}", told.elapsed());
    assert!(!is_alive(worker));

    let provider = Provider::start().await;
    let pod = provider.rent(&[]).await;
    pod.wait_for_worker().await;
    send(pod.wait_for_process(false).await, Signal::TERM);
    pod.wait_for_end().await;
    assert!(
        pod.log().contains("this machine was asked to shut down"),
        "{}",
        pod.log()
    );
}

#[tokio::test]
async fn a_container_that_is_started_again_and_again_ends_its_machine() {
    let provider = Provider::start().await;
    let pod = provider.rent(&[("MORPHEUS_BOOT_GRACE_S", Some("3600"))]).await;
    for n_restarts in 0..4 {
        pod.wait_for_log(&format!("n_restarts={n_restarts} ")).await;
        kill(pod.wait_for_process(false).await);
    }
    pod.wait_for_end().await;
    assert!(pod.log().contains("started again too often"), "{}", pod.log());
    assert_eq!(provider.sim.container_starts(NAME), 5);
}

fn write_program(file: &Path, script: &str) {
    std::fs::write(file, format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o755)).unwrap();
}

#[tokio::test]
async fn a_lease_that_nobody_renews_ends_the_machine_with_a_checkpoint() {
    let desk = Desk::open();
    let job = desk.start_job(100_000).await;
    let (server, token) = desk.wait_for_agent().await;
    let provider = Provider::start_slowly().await;
    let changes = [
        ("MORPHEUS_SERVER", Some(&*server)),
        ("MORPHEUS_TOKEN", Some(&*token)),
    ];
    let pod = provider.rent(&changes).await;
    desk.wait_for_step(&job, 3).await;
    provider.sim.fault(Fault::always(What::ControlPlaneUnreachable));
    pod.wait_for_log("stopping work on this machine").await;
    // Just in time for the last checkpoint.
    provider.sim.clear_faults();
    pod.wait_for_end().await;

    let end = desk.wait_for_attempt_end(&job).await;
    assert_eq!(end["outcome"], "lost", "{end}");
    assert_eq!(
        end["detail"], "the server did not renew the machine's lease",
        "{end}"
    );
    let job = desk.api.get(&format!("/api/v1/jobs/{job}")).await;
    assert!(job["checkpoint_step"].as_u64() >= Some(3), "{job}");
}

#[tokio::test]
async fn a_machine_that_is_cut_off_for_good_ends_when_its_time_to_leave_is_over() {
    let desk = Desk::open();
    let job = desk.start_job(100_000).await;
    let (server, token) = desk.wait_for_agent().await;
    let provider = Provider::start_slowly().await;
    let changes = [
        ("MORPHEUS_SERVER", Some(&*server)),
        ("MORPHEUS_TOKEN", Some(&*token)),
        ("MORPHEUS_STOP_S", Some("20")),
    ];
    let pod = provider.rent(&changes).await;
    desk.wait_for_step(&job, 1).await;
    provider.sim.fault(Fault::always(What::ControlPlaneUnreachable));
    pod.wait_for_end().await;
    assert!(
        pod.log().contains("the server did not renew the machine's lease"),
        "{}",
        pod.log()
    );
}

#[tokio::test]
async fn a_killed_worker_is_reported_and_its_machine_ends() {
    let desk = Desk::open();
    let job = desk.start_job(100_000).await;
    let (server, token) = desk.wait_for_agent().await;
    let provider = Provider::start_slowly().await;
    let changes = [
        ("MORPHEUS_SERVER", Some(&*server)),
        ("MORPHEUS_TOKEN", Some(&*token)),
    ];
    let pod = provider.rent(&changes).await;
    desk.wait_for_step(&job, 1).await;
    kill(pod.wait_for_worker().await);
    pod.wait_for_end().await;
    let end = desk.wait_for_attempt_end(&job).await;
    assert_eq!(end["outcome"], "lost", "{end}");
    let detail = end["detail"].as_str().unwrap();
    assert!(
        detail.starts_with("the agent stopped unexpectedly (signal 9)"),
        "{detail}"
    );
    // Its log shows how far it came, and no secret.
    assert!(detail.contains("work claimed"), "{detail}");
    for secret in [&token, &pod.key()] {
        assert!(!detail.contains(secret) && !pod.log().contains(secret));
    }
}

/// The signal of its death reaches only a worker that had asked for it by then.
#[tokio::test]
async fn a_worker_whose_supervisor_was_gone_before_it_came_up_ends() {
    let folder = tempfile::tempdir().unwrap();
    let (supervisor, stdin) = UnixStream::pair().unwrap();
    let (log, stderr) = std::io::pipe().unwrap();
    drop((supervisor, log));
    let mut worker = tokio::process::Command::new(env!("CARGO_BIN_EXE_morpheus"))
        .args(["agent", "--supervised", "--idle-exit", "1000"])
        .args(["--server", "http://127.0.0.1:9", "--token", "token"])
        .args(["--work", path(folder.path())])
        .stdin(OwnedFd::from(stdin))
        .stderr(stderr)
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let status = timeout(DEADLINE, worker.wait()).await.unwrap().unwrap();
    assert_eq!(status.signal(), Some(Signal::KILL.as_raw()), "{status}");
}

#[tokio::test]
async fn a_machine_whose_work_is_done_or_not_wanted_ends() {
    let desk = Desk::open();
    let job = desk.start_job(3).await;
    let (server, token) = desk.wait_for_agent().await;
    let provider = Provider::start_slowly().await;
    let changes = [
        ("MORPHEUS_SERVER", Some(&*server)),
        ("MORPHEUS_TOKEN", Some(&*token)),
    ];
    let pod = provider.rent(&changes).await;
    let job = desk.api.ended(&job).await;
    assert_eq!(job["phase"], "succeeded", "{job}");
    pod.wait_for_end().await;
    assert!(pod.log().contains("the work is done"), "{}", pod.log());

    // An attempt that has ended is nobody's, and a token that is none is refused.
    for (token, says) in [(&*token, "the lease was lost"), ("none", "rejects the token")] {
        let changes = [
            ("MORPHEUS_SERVER", Some(&*server)),
            ("MORPHEUS_TOKEN", Some(token)),
        ];
        let pod = provider.rent(&changes).await;
        pod.wait_for_end().await;
        assert!(pod.log().contains(says), "{}", pod.log());
    }
}
