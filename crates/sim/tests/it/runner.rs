//! Programs in place of containers: started with the provider's environment, restarted, cut off, and ended whole.

use std::{path::Path, time::Duration};

use reqwest::Method;
use serde_json::{Value, json};
use sim::runpod::{Fault, Options, Program, RunPod, Runner, What};
use tokio::net::TcpListener;

use crate::http::{call, create, pod};

async fn simulator(script: &str) -> RunPod {
    RunPod::start(Options {
        runner: Runner::Process(Program {
            path: "/bin/sh".into(),
            first_args: vec!["-c".into(), script.into()],
            inherited: Vec::new(),
            relayed: vec!["CONTROL".to_owned()],
            grace: Duration::from_millis(200),
        }),
        ..Options::stepped()
    })
    .await
    .unwrap()
}

async fn wait_for_file(path: &Path) -> String {
    wait_for("the file", async || {
        std::fs::read_to_string(path)
            .ok()
            .filter(|text| text.ends_with('\n'))
    })
    .await
}

async fn wait_for<T>(what: &str, ask: impl AsyncFn() -> Option<T>) -> T {
    let start = std::time::Instant::now();
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(
            start.elapsed() < Duration::from_secs(60),
            "waited too long for {what}"
        );
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn is_alive(process: &str) -> bool {
    // A zombie that nobody has waited for has no command line.
    std::fs::read(format!("/proc/{}/cmdline", process.trim())).is_ok_and(|line| !line.is_empty())
}

fn pod_with(name: &str, variables: &[(&str, &str)]) -> Value {
    let mut body = pod(name);
    body["env"] = variables
        .iter()
        .map(|(name, value)| ((*name).to_owned(), json!(value)))
        .collect();
    body
}

#[tokio::test]
async fn a_program_gets_the_pod_s_environment_and_its_whole_group_ends_with_the_pod() {
    let sim =
        simulator("trap '' TERM; sleep 1000 & echo $! $RUNPOD_POD_ID $RUNPOD_API_KEY $A >\"$OUT\"; wait")
            .await;
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let body = pod_with(
        "one",
        &[
            ("OUT", out.to_str().unwrap()),
            ("A", "b"),
            ("RUNPOD_API_KEY", "mine"),
        ],
    );
    let id = create(&sim, body).await;
    assert!(!out.exists());
    sim.step(Duration::from_secs(60));
    let text = wait_for_file(&out).await;
    let words: Vec<&str> = text.split_whitespace().collect();
    let [child, pod_id, key, a] = words[..] else {
        panic!("{text}")
    };
    assert_eq!((pod_id, a), (id.as_str(), "b"));
    assert!(
        key.starts_with("rps_"),
        "the provider's key shadows one of the same name: {key}"
    );
    assert!(is_alive(child));
    call(&sim, Method::DELETE, &format!("/v2/pods/{id}"), None).await;
    wait_for("the end of the group", async || (!is_alive(child)).then_some(())).await;
}

#[tokio::test]
async fn a_program_that_ends_is_started_again_after_17_seconds() {
    let sim = simulator("echo run >>\"$OUT\"; exit 3").await;
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let id = create(&sim, pod_with("loops", &[("OUT", out.to_str().unwrap())])).await;
    sim.step(Duration::from_secs(60));
    let ended = async |n: usize| {
        let log = sim.log(&id);
        (log.iter().filter(|line| line.contains("exit status: 3")).count() >= n).then_some(())
    };
    wait_for("the first end", async || ended(1).await).await;
    sim.step(Duration::from_secs(16));
    assert_eq!(sim.container_starts("loops"), 1);
    sim.step(Duration::from_secs(1));
    wait_for("the second end", async || ended(2).await).await;
    assert_eq!(std::fs::read_to_string(&out).unwrap(), "run\nrun\n");
}

#[tokio::test]
async fn a_pod_can_be_cut_off_from_the_control_plane() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let control = format!("http://{}/base", listener.local_addr().unwrap());
    let sim = simulator("echo $CONTROL >\"$OUT\"; sleep 1000").await;
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    create(
        &sim,
        pod_with("far", &[("OUT", out.to_str().unwrap()), ("CONTROL", &control)]),
    )
    .await;
    sim.step(Duration::from_secs(60));
    let relay = wait_for_file(&out).await.trim().to_owned();
    assert!(relay != control && relay.ends_with("/base"), "{relay}");
    let host = relay
        .strip_prefix("http://")
        .unwrap()
        .strip_suffix("/base")
        .unwrap();
    let mut through = tokio::net::TcpStream::connect(host).await.unwrap();
    let (mut arrived, _) = listener.accept().await.unwrap();
    exchange(&mut through, &mut arrived).await;
    sim.fault(Fault::always(What::ControlPlaneUnreachable));
    let mut nothing = [0; 1];
    let cut = tokio::io::AsyncReadExt::read(&mut through, &mut nothing).await;
    assert!(matches!(cut, Ok(0) | Err(_)), "{cut:?}");
    sim.clear_faults();
    let mut again = tokio::net::TcpStream::connect(host).await.unwrap();
    let (mut arrived, _) = listener.accept().await.unwrap();
    exchange(&mut again, &mut arrived).await;
}

async fn exchange(from: &mut tokio::net::TcpStream, to: &mut tokio::net::TcpStream) {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    from.write_all(b"x").await.unwrap();
    let mut byte = [0; 1];
    to.read_exact(&mut byte).await.unwrap();
    assert_eq!(&byte, b"x");
}

#[tokio::test]
async fn a_simulator_that_goes_takes_its_programs_with_it() {
    let sim = simulator("trap '' TERM; echo $$ >\"$OUT\"; while :; do sleep 1; done").await;
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    create(&sim, pod_with("one", &[("OUT", out.to_str().unwrap())])).await;
    sim.step(Duration::from_secs(60));
    let process = wait_for_file(&out).await;
    assert!(is_alive(&process));
    drop(sim);
    wait_for("its end", async || (!is_alive(&process)).then_some(())).await;
}
