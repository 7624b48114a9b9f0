//! Storage that fails: what is answered, what is kept, and the way back without a restart.

use std::time::Duration;

use orchestrator::providers::Purpose;
use protocol::{
    agent::{ArtifactKind, Heartbeat, WorkKind},
    dataset::Dataset,
    job::Job,
    phase::Phase,
    problem::Problem,
};
use reqwest::{Method, StatusCode, header};
use serde_json::json;
use sim::table::STORAGE;
use store::{Store, Strike};

use crate::{
    agent::{step, trained, verdict},
    app::{DEADLINE, TestApp, empty, in_folder, problem, take},
};

fn on_postgres() -> bool {
    std::env::var_os("MORPHEUS_TEST_SERVICES").is_some()
}

/// SQL that the database answers as on a full disk, with all that it does then.
fn full() -> &'static str {
    match on_postgres() {
        false => "PRAGMA max_page_count = 1; INSERT INTO settings VALUES ('full', zeroblob(1000000))",
        true => "DO $$ BEGIN RAISE EXCEPTION 'injected' USING ERRCODE = '53100'; END $$",
    }
}

fn read_only() -> &'static str {
    match on_postgres() {
        false => "PRAGMA query_only = ON; DELETE FROM settings",
        true => "SET LOCAL transaction_read_only = on; DELETE FROM settings",
    }
}

fn broken_disk() -> &'static str {
    match on_postgres() {
        false => "ATTACH DATABASE '/dev/null/none' AS other",
        true => "DO $$ BEGIN RAISE EXCEPTION 'injected' USING ERRCODE = '58030'; END $$",
    }
}

/// An answer that refuses: status, kind, and seconds to wait.
type Refusal = (u16, String, Option<String>);

/// Makes a dataset, which something may stand in the way of.
async fn try_to_make(app: &TestApp, name: &str) -> Result<Dataset, Refusal> {
    let request = app.request(Method::POST, "/api/v1/datasets");
    let answer = request.json(&json!({ "name": name })).send().await.unwrap();
    if answer.status().is_success() {
        return Ok(answer.json().await.unwrap());
    }
    let wait = answer.headers().get(header::RETRY_AFTER);
    let wait = wait.map(|seconds| seconds.to_str().unwrap().to_owned());
    let status = answer.status().as_u16();
    let problem: Problem = answer.json().await.unwrap();
    assert_eq!(problem.status, status);
    assert!(
        problem.title.contains(": ") && !problem.title.contains("internal error"),
        "it says what to do: {}",
        problem.title
    );
    Err((status, problem.kind, wait))
}

/// What was acknowledged, and how much of it is not there.
#[derive(Default)]
struct Kept(Vec<Dataset>);

impl Kept {
    async fn write(&mut self, app: &TestApp) {
        let dataset = app.dataset(&format!("kept {}", self.0.len())).await;
        self.0.push(dataset);
    }

    /// Writes until the fault strikes; now and then the server writes for itself, and has it strike there. What is
    /// refused has the name.
    async fn struck(&mut self, app: &TestApp, strike: Strike, sql: &str, name: &str) -> Refusal {
        for _ in 0..50 {
            app.injector.arm(strike, sql);
            match try_to_make(app, name).await {
                Err(refusal) => {
                    assert!(app.injector.disarm(), "refused without a fault: {refusal:?}");
                    return refusal;
                }
                Ok(dataset) => {
                    app.injector.disarm();
                    let path = format!("/api/v1/datasets/{}", dataset.id);
                    empty(StatusCode::NO_CONTENT, app.request(Method::DELETE, &path)).await;
                }
            }
        }
        panic!("no fault strikes")
    }

    async fn n_lost(&self, app: &TestApp) -> usize {
        let listed: serde_json::Value = app.get("/api/v1/datasets?limit=100").await;
        let listed = listed.to_string();
        let is_lost = |dataset: &&Dataset| !listed.contains(&dataset.id.to_string());
        self.0.iter().filter(is_lost).count()
    }
}

async fn row(app: &TestApp, kept: &mut Kept, injected: &str, refusal: Refusal) {
    let (status, kind, wait) = refusal;
    kept.write(app).await;
    let wait = match wait {
        Some(seconds) => format!(", `Retry-After: {seconds}`"),
        None => String::new(),
    };
    let n_lost = kept.n_lost(app).await.to_string();
    STORAGE.check(
        injected,
        &[
            &format!("{status} `{kind}`{wait}; the next try is taken"),
            &n_lost,
        ],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn each_fault_has_an_answer_of_its_own_and_a_way_back() {
    let app = TestApp::start_with(in_folder).await;
    let mut kept = Kept::default();
    kept.write(&app).await;
    for (injected, sql) in [
        ("the disk of the database is full", full()),
        ("the disk or the database takes no writes", read_only()),
        ("the disk of the database fails to read or write", broken_disk()),
    ] {
        for strike in [Strike::Statement(1), Strike::Commit(1)] {
            let refusal = kept.struck(&app, strike, sql, "lost").await;
            row(&app, &mut kept, injected, refusal).await;
        }
    }
    let refusal = kept
        .struck(&app, Strike::Answer(1), "", "kept all the same")
        .await;
    row(&app, &mut kept, "the answer to a commit is lost", refusal).await;
    let listed: serde_json::Value = app.get("/api/v1/datasets?limit=100").await;
    assert!(listed.to_string().contains("kept all the same"));
    assert!(
        !listed.to_string().contains("\"lost\""),
        "what was refused is not there"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_others_hold_is_worth_another_try() {
    let app = TestApp::start_with(in_folder).await;
    let mut kept = Kept::default();
    // The use of the token is noted now.
    kept.write(&app).await;
    let refusal = if on_postgres() {
        let sql = "DO $$ BEGIN RAISE EXCEPTION 'injected' USING ERRCODE = '55P03'; END $$";
        kept.struck(&app, Strike::Statement(1), sql, "lost").await
    } else {
        let other = Store::open(app.data()).await.unwrap();
        let held = other.begin().await.unwrap();
        let refusal = try_to_make(&app, "lost").await.unwrap_err();
        drop(held);
        refusal
    };
    row(&app, &mut kept, "another program holds the database", refusal).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_store_that_fails_says_so() {
    let app = TestApp::start_with(in_folder).await;
    let mut kept = Kept::default();
    // Where folders of objects are to be made, there is a file: no account can write there.
    let folder = app.data().join("objects/sha256");
    std::fs::write(&folder, "in the way").unwrap();
    let dataset = app.dataset("zora").await;
    let upload = || {
        let bytes = crate::pictures::png(1, 128, 128);
        let part = reqwest::multipart::Part::bytes(bytes).file_name("1.png");
        let form = reqwest::multipart::Form::new().part("files", part);
        app.request(Method::POST, &format!("/api/v1/datasets/{}/items", dataset.id))
            .multipart(form)
    };
    let refusal = problem(StatusCode::INTERNAL_SERVER_ERROR, upload()).await;
    assert_eq!(refusal.kind, "storage_failed");
    let refusal = (refusal.status, refusal.kind, None);
    std::fs::remove_file(&folder).unwrap();
    let _: serde_json::Value = take(StatusCode::OK, upload()).await;
    row(
        &app,
        &mut kept,
        "the disk of the object store fails to write",
        refusal,
    )
    .await;
}

/// Asks until the server says that it is ready, or is not.
async fn wait_until_ready(app: &TestApp, status: StatusCode) -> String {
    let deadline = tokio::time::Instant::now() + DEADLINE;
    loop {
        let answer = app.anonymous(Method::GET, "/readyz").send().await.unwrap();
        let found = answer.status();
        let text = answer.text().await.unwrap();
        if found == status {
            return text;
        }
        assert!(tokio::time::Instant::now() < deadline, "{found}: {text}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn readiness_is_proven_by_a_write() {
    let app = TestApp::start_with(in_folder).await;
    wait_until_ready(&app, StatusCode::OK).await;
    app.injector.run_first(Some(full()));
    let text = wait_until_ready(&app, StatusCode::SERVICE_UNAVAILABLE).await;
    assert!(
        text.contains("the database") && text.contains("no space is left"),
        "{text}"
    );
    empty(StatusCode::OK, app.anonymous(Method::GET, "/healthz")).await;
    app.injector.run_first(None);
    wait_until_ready(&app, StatusCode::OK).await;
    // The object store as well: where its folder is to be, there is a file.
    let folder = app.data().join("objects/probe");
    std::fs::remove_dir_all(&folder).unwrap();
    std::fs::write(&folder, "in the way").unwrap();
    let text = wait_until_ready(&app, StatusCode::SERVICE_UNAVAILABLE).await;
    assert!(text.contains("the object store cannot be written"), "{text}");
    std::fs::remove_file(&folder).unwrap();
    wait_until_ready(&app, StatusCode::OK).await;
}

/// The folder of the objects has its mark from the first pass of the collector on; the database knows a moment later.
async fn wait_until_claimed(app: &TestApp) {
    let deadline = tokio::time::Instant::now() + DEADLINE;
    while !app.data().join("objects/deployment").exists() {
        assert!(tokio::time::Instant::now() < deadline, "it is not claimed");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
}

/// A disk that is not mounted: its folder is missing or empty.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_stored_where_the_objects_are_not() {
    let app = TestApp::start_with(in_folder).await;
    wait_until_claimed(&app).await;
    let dataset = app.dataset("zora").await;
    let upload = |app: &TestApp, n: u8| {
        let bytes = crate::pictures::png(n, 128, 128);
        let part = reqwest::multipart::Part::bytes(bytes).file_name("1.png");
        let form = reqwest::multipart::Form::new().part("files", part);
        app.request(Method::POST, &format!("/api/v1/datasets/{}/items", dataset.id))
            .multipart(form)
    };
    let (objects, away) = (app.data().join("objects"), app.data().join("away"));
    std::fs::rename(&objects, &away).unwrap();
    let refusal = problem(StatusCode::SERVICE_UNAVAILABLE, upload(&app, 1)).await;
    assert_eq!(refusal.kind, "read_only_storage");
    assert!(refusal.title.contains("mount or put back"), "{refusal:?}");
    std::fs::create_dir(&objects).unwrap();
    let text = wait_until_ready(&app, StatusCode::SERVICE_UNAVAILABLE).await;
    assert!(text.contains("the object store cannot be written"), "{text}");
    std::fs::remove_dir(&objects).unwrap();

    let app = app.restart_with(in_folder).await;
    assert!(!objects.exists(), "an empty folder would be in the way");
    wait_until_ready(&app, StatusCode::SERVICE_UNAVAILABLE).await;
    problem(StatusCode::SERVICE_UNAVAILABLE, upload(&app, 1)).await;
    std::fs::rename(&away, &objects).unwrap();
    wait_until_ready(&app, StatusCode::OK).await;
    let _: serde_json::Value = take(StatusCode::OK, upload(&app, 1)).await;
}

/// Asked by many at once, it writes once.
#[tokio::test(flavor = "multi_thread")]
async fn readiness_costs_one_write_a_second() {
    let app = TestApp::start_with(in_folder).await;
    // Never struck: it counts.
    app.injector.arm(Strike::Commit(u32::MAX), "");
    let asking = (0..300).map(|_| async {
        empty(StatusCode::OK, app.anonymous(Method::GET, "/readyz")).await;
    });
    futures::future::join_all(asking).await;
    // One for each second that it took, and few of the server's own.
    let n_commits = app.injector.n_commits();
    assert!((1..30).contains(&n_commits), "{n_commits} of 300");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_job_waits_for_room_and_goes_on() {
    let app = TestApp::start_with(in_folder).await;
    let job = app.small_job().await;
    let mut agent = app.launched(Purpose::Train).await;
    let assignment = agent.claim(WorkKind::Train).await;
    agent.report(&assignment, vec![step(1, 4)]).await;

    app.injector.run_first(Some(full()));
    let heartbeat = Heartbeat {
        fence: assignment.fence,
        events: Vec::new(),
    };
    for _ in 0..2 {
        let request = agent.heartbeat_request(assignment.attempt_id, &heartbeat);
        let refusal = problem(StatusCode::INSUFFICIENT_STORAGE, request).await;
        assert_eq!(refusal.kind, "insufficient_storage");
    }
    // A token that could not be revoked is not said to be.
    let tokens: serde_json::Value = app.get("/api/v1/tokens").await;
    let id = tokens["items"][0]["id"]
        .as_str()
        .or(tokens[0]["id"].as_str())
        .unwrap();
    let revoke = app.request(Method::DELETE, &format!("/api/v1/tokens/{id}"));
    problem(StatusCode::INSUFFICIENT_STORAGE, revoke).await;
    let path = format!("/api/v1/jobs/{}", job.id);
    assert_eq!(
        app.get::<Job>(&path).await.phase,
        Phase::Running,
        "reading goes on"
    );

    app.injector.run_first(None);
    agent
        .report(&assignment, vec![step(2, 4), step(3, 4), step(4, 4)])
        .await;
    let kind = ArtifactKind::Lora { step: 4 };
    let file = agent
        .upload(&assignment, kind, "zora.safetensors", &sim::files::lora(4, ""))
        .await;
    agent
        .finish(&assignment, trained(&assignment, file, 4, verdict(true)))
        .await;
    assert_eq!(app.get::<Job>(&path).await.phase, Phase::Succeeded);
    // Reconcilers go on, too.
    app.small_job().await;
    app.launched(Purpose::Train).await;
    STORAGE.check(
        "the disk is full while a job runs",
        &[
            "its agent is answered 507 and asks again; with room the job goes on and succeeds, and the next one starts",
            "0",
        ],
    );
}
