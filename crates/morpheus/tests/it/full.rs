//! Disks with an end, under the real server: a limit that the kernel sets for its files, and a file that somebody else
//! leaves on its disk.

use std::{
    fs,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use protocol::system::default_min_free;
use reqwest::{
    Method, StatusCode,
    multipart::{Form, Part},
};
use rustix::{
    fs::{FallocateFlags, fallocate, statfs, statvfs},
    io::Errno,
    process::{Pid, Resource, Rlimit, getrlimit, prlimit},
};
use serde_json::{Value, json};
use sim::table::STORAGE;

use crate::{
    api::Api,
    support::{DEADLINE, Server, path, succeed},
};

/// Everything in the data folder, whatever other tests use.
fn embedded(data: &Path) -> Vec<(&'static str, String)> {
    vec![
        (
            "MORPHEUS_DATABASE",
            format!("sqlite://{}", data.join("morpheus.db").display()),
        ),
        (
            "MORPHEUS_OBJECTS",
            format!("file://{}", data.join("objects").display()),
        ),
    ]
}

/// From here on no file of a process grows beyond this; `None` is as it was.
fn limit_files(process: u32, n_bytes: Option<u64>) {
    let own = getrlimit(Resource::Fsize);
    let limit = Rlimit {
        current: n_bytes.or(own.maximum),
        maximum: own.maximum,
    };
    let process = Pid::from_raw(process.try_into().unwrap());
    prlimit(process, Resource::Fsize, limit).unwrap();
}

/// An answer that is no success too.
async fn ask(api: &Api, server: &Server, method: Method, path: &str, body: &Value) -> (StatusCode, Value) {
    let request = reqwest::Client::new()
        .request(method, server.url.join(path).unwrap())
        .bearer_auth(api.token())
        .json(body);
    let answer = request.send().await.unwrap();
    let status = answer.status();
    (status, answer.json().await.unwrap_or_default())
}

async fn readiness(server: &Server) -> (StatusCode, String) {
    let answer = reqwest::get(server.url.join("/readyz").unwrap()).await.unwrap();
    let status = answer.status();
    (status, answer.text().await.unwrap())
}

/// A proof is made once a second at most.
async fn wait_until_ready_or_not(server: &Server, wanted: StatusCode) -> String {
    let start = Instant::now();
    loop {
        let (status, text) = readiness(server).await;
        if status == wanted {
            return text;
        }
        assert!(start.elapsed() < DEADLINE, "{status}: {text}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// A picture of a few pixels and its answer.
async fn upload(api: &Api, server: &Server, dataset: &str, bytes: Vec<u8>) -> (StatusCode, Value) {
    let path = format!("/api/v1/datasets/{dataset}/items");
    let form = Form::new().part("files", Part::bytes(bytes).file_name("more.png"));
    let request = reqwest::Client::new()
        .post(server.url.join(&path).unwrap())
        .bearer_auth(api.token())
        .multipart(form);
    let answer = request.send().await.unwrap();
    let status = answer.status();
    (status, answer.json().await.unwrap_or_default())
}

/// One of the demo's pictures.
fn demo_picture(n: usize) -> Vec<u8> {
    fs::read(format!("{}/{n:03}.png", crate::api::ZORA)).unwrap()
}

/// The captions of a dataset, by picture.
async fn captions(api: &Api, dataset: &str) -> Vec<(String, String)> {
    let items = api.get(&format!("/api/v1/datasets/{dataset}/items")).await;
    let text = |item: &Value, field: &str| item[field].as_str().unwrap().to_owned();
    let items = items["items"].as_array().unwrap().iter();
    items
        .map(|item| (text(item, "id"), text(item, "caption")))
        .collect()
}

/// SQLite's own files fail in the middle of a write, with the signal that ends a program that does not expect it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_that_may_not_grow_refuse_writes_and_lose_none() {
    let data = tempfile::tempdir().unwrap();
    let settings = embedded(data.path());
    let mut server = Server::start_with(data.path(), "127.0.0.1:0", &settings);
    let api = Api::of(&server);
    let dataset = api.upload(4).await.as_str().unwrap().to_owned();
    let mut known = captions(&api, &dataset).await;

    let size = |name: &str| fs::metadata(data.path().join(name)).map_or(0, |file| file.len());
    let largest = size("morpheus.db").max(size("morpheus.db-wal"));
    limit_files(server.id(), Some(largest + (100 << 10) + 123));
    let mut refused = Vec::new();
    let mut n_taken = 0;
    for n in 0..10_000 {
        let (item, caption) = &mut known[n % 4];
        // Many pages each.
        let text = format!("caption {n} {}", "zora, smiling ".repeat(2000).trim_end());
        let path = format!("/api/v1/datasets/{dataset}/items/{item}");
        let (status, answer) = ask(&api, &server, Method::PATCH, &path, &json!({ "caption": text })).await;
        if status.is_success() {
            *caption = text;
            n_taken += 1;
        } else {
            refused.push((status, answer["type"].as_str().unwrap_or_default().to_owned()));
        }
        if refused.len() == 5 {
            break;
        }
    }
    assert!(n_taken > 0, "some had room: {refused:?}");
    let failed = (StatusCode::INTERNAL_SERVER_ERROR, "storage_failed".to_owned());
    assert_eq!(refused, vec![failed; 5]);
    assert_eq!(captions(&api, &dataset).await, known, "reading goes on");

    // From here on nothing at all.
    limit_files(server.id(), Some(1));
    let not_ready = wait_until_ready_or_not(&server, StatusCode::SERVICE_UNAVAILABLE).await;
    for part in [
        "the database cannot be written: ",
        "the object store cannot be written: ",
    ] {
        assert!(not_ready.contains(part), "{not_ready}");
    }
    let (status, answer) = upload(&api, &server, &dataset, demo_picture(7)).await;
    assert_eq!(
        (status, answer["type"].as_str()),
        (StatusCode::INSUFFICIENT_STORAGE, Some("insufficient_storage")),
        "{answer}"
    );
    assert!(!server.has_ended());
    assert_eq!(captions(&api, &dataset).await, known);

    // The same process goes on.
    limit_files(server.id(), None);
    wait_until_ready_or_not(&server, StatusCode::OK).await;
    for (n, (item, caption)) in known.iter_mut().enumerate() {
        let path = format!("/api/v1/datasets/{dataset}/items/{item}");
        let text = format!("after it, {n}");
        let (status, answer) = ask(&api, &server, Method::PATCH, &path, &json!({ "caption": text })).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        *caption = text;
    }
    let (status, answer) = upload(&api, &server, &dataset, demo_picture(7)).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    assert_eq!(answer["accepted"].as_array().unwrap().len(), 1, "{answer}");
    assert!(!server.has_ended());

    // And what it has acknowledged is on the disk.
    server.kill();
    let server = Server::start_with(data.path(), "127.0.0.1:0", &settings);
    let api = api.at(&server);
    let found = captions(&api, &dataset).await;
    let n_lost = known.iter().filter(|known| !found.contains(known)).count();
    STORAGE.check(
        "the server's files may not grow (`RLIMIT_FSIZE`), in the middle of writes",
        &[
            "500 `storage_failed` for rows, 507 `insufficient_storage` for files, `/readyz` 503; once they may, the \
             same process goes on",
            &n_lost.to_string(),
        ],
    );
    assert_eq!(n_lost, 0);
    assert_eq!(found.len(), 5);
}

/// It is started as a running server goes on: it answers, refuses what cannot be kept, and needs no other start.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_starts_where_nothing_can_be_written() {
    let data = tempfile::tempdir().unwrap();
    let settings = embedded(data.path());
    let server = Server::start_with(data.path(), "127.0.0.1:0", &settings);
    let api = Api::of(&server);
    let dataset = api.upload(4).await.as_str().unwrap().to_owned();
    let known = captions(&api, &dataset).await;
    server.kill();
    // What is beside the database may be as large as it has to be, and its log cannot grow.
    let n_bytes = 32 << 10;
    let log = fs::metadata(data.path().join("morpheus.db-wal")).unwrap();
    assert!(log.len() > n_bytes, "{}", log.len());

    let mut server = Server::start_limited(data.path(), &settings, n_bytes / 512);
    assert!(server.token.is_empty(), "it is not a first start");
    let api = api.at(&server);
    assert_eq!(captions(&api, &dataset).await, known);
    let path = format!("/api/v1/datasets/{dataset}/items/{}", known[0].0);
    let change = json!({ "caption": "zora, smiling" });
    let (status, answer) = ask(&api, &server, Method::PATCH, &path, &change).await;
    assert_eq!(
        (status, answer["type"].as_str()),
        (StatusCode::INTERNAL_SERVER_ERROR, Some("storage_failed")),
        "{answer}"
    );
    wait_until_ready_or_not(&server, StatusCode::SERVICE_UNAVAILABLE).await;
    assert!(!server.has_ended());

    limit_files(server.id(), None);
    wait_until_ready_or_not(&server, StatusCode::OK).await;
    let (status, answer) = ask(&api, &server, Method::PATCH, &path, &change).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    // Both starts are in the log, the second one since it can be.
    api.wait_for("/api/v1/audit", |entries| {
        entries.to_string().matches("server_started").count() == 2
    })
    .await;
}

/// Any other command ends with an error, and not by the signal.
#[test]
fn a_command_whose_files_may_not_grow_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    succeed(["audit", "--data", path(&data)]);
    let export = folder.path().join("export.jsonl");
    let words = ["db", "export", "--data", path(&data), path(&export)].map(|word| format!("'{word}'"));
    let script = format!(
        "ulimit -S -f 0; exec '{}' {}",
        env!("CARGO_BIN_EXE_morpheus"),
        words.join(" ")
    );
    let output = Command::new("sh").args(["-c", &script]).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{}: {stderr}", output.status);
    assert!(stderr.contains("error: "), "{stderr}");
    assert!(!export.exists());
    // And without the limit it does what it should.
    succeed(["db", "export", "--data", path(&data), path(&export)]);
}

/// Takes so many bytes of the disk until it is dropped; the reason if this file system cannot.
fn occupy(place: &Path, n_bytes: u64) -> Result<tempfile::NamedTempFile, Errno> {
    let file = tempfile::NamedTempFile::new_in(place).unwrap();
    fallocate(file.as_file(), FallocateFlags::empty(), 0, n_bytes)?;
    Ok(file)
}

/// linux/magic.h: what it holds is memory.
const TMPFS_MAGIC: i64 = 0x0102_1994;

/// Other programs write meanwhile.
const MARGIN: u64 = 3 << 30;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_somebody_fills_stops_work_until_there_is_room() {
    let data = tempfile::tempdir().unwrap();
    let stat = statvfs(data.path()).unwrap();
    let free = stat.f_bavail * stat.f_frsize;
    let is_memory = statfs(data.path()).unwrap().f_type == TMPFS_MAGIC;
    // A quarter more than the limit lets work go on: that much is free now.
    let Some(limit) = free
        .checked_sub(MARGIN)
        .map(|most| most / 5 * 4)
        // The servers of other tests have room beside it.
        .filter(|limit| *limit > MARGIN + 2 * default_min_free(stat.f_blocks * stat.f_frsize))
    else {
        eprintln!("skipped: {} has only {free} bytes free", data.path().display());
        return;
    };
    if is_memory {
        eprintln!("skipped: {} is in memory", data.path().display());
        return;
    }
    let taken = free - limit + MARGIN;
    match occupy(data.path(), 1 << 20) {
        Ok(probe) => drop(probe),
        Err(err) => {
            eprintln!("skipped: {} cannot reserve room: {err}", data.path().display());
            return;
        }
    }
    let mut settings = embedded(data.path());
    settings.push(("MORPHEUS_MIN_FREE_MB", (limit / 1_000_000).to_string()));
    let server = Server::start_with(data.path(), "127.0.0.1:0", &settings);
    let api = Api::of(&server);
    let dataset = api.upload(4).await;
    let name = dataset.as_str().unwrap().to_owned();
    let parameters = json!({
        "n_steps": 400, "batch_size": 1, "rank": 4, "checkpoint_every_n_steps": 1000, "sample_every_n_steps": 0,
    });
    let id = api.start_job(&dataset, parameters).await;
    let job = format!("/api/v1/jobs/{id}");
    api.wait_for(&job, |job| {
        job["progress"]["step"].as_u64().is_some_and(|step| step >= 3)
    })
    .await;

    let in_the_way = occupy(data.path(), taken).unwrap();
    let is_short = |wanted: bool| move |system: &Value| system["disk"]["is_short"] == wanted;
    let system = api.wait_for("/api/v1/system", is_short(true)).await;
    let folder = &system["disk"]["folders"][0];
    assert_eq!(
        folder["min_free_bytes"].as_u64(),
        Some(limit / 1_000_000 * 1_000_000)
    );
    let (status, answer) = upload(&api, &server, &name, demo_picture(7)).await;
    assert_eq!(status, StatusCode::INSUFFICIENT_STORAGE, "{answer}");
    let paused = api.wait_for(&job, |job| job["phase"] == "queued").await;
    let reason = paused["reason"].as_str().unwrap_or_default();
    assert!(reason.starts_with("paused with a checkpoint"), "{paused}");
    assert!(
        paused["checkpoint_step"].as_u64().is_some_and(|step| step >= 3),
        "{paused}"
    );
    // It still keeps what is written: there is room, which is left for that.
    assert_eq!(readiness(&server).await.0, StatusCode::OK);
    let metrics = String::from_utf8(api.bytes("/metrics").await).unwrap();
    assert!(
        metrics.contains("morpheus_disk_short{folder=\"data\"} 1"),
        "{metrics}"
    );
    assert_eq!(server.agents(), [0; 0], "nothing runs");

    drop(in_the_way);
    api.wait_for("/api/v1/system", is_short(false)).await;
    let ended = api.ended(&id).await;
    assert_eq!(ended["phase"], "succeeded", "{ended}");
    assert_eq!(ended["n_attempts"], 2, "{ended}");
    let (status, answer) = upload(&api, &server, &name, demo_picture(7)).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
}
