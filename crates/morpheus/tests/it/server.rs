//! The figures that a server without work has to keep, and how it ends.

use std::{
    fs::{self, Permissions},
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use crate::{
    api::Api,
    support::{Server, fail, hang_up, is_alive, kill, path, run, succeed, terminate, wait_for},
};

/// Runs by itself (see .config/nextest.toml). The first start makes the database; the quickest of three counts,
/// because whatever else the machine does only ever adds time.
#[tokio::test]
async fn a_server_is_ready_within_half_a_second_and_takes_little_memory() {
    let data = tempfile::tempdir().unwrap();
    let mut quickest = Duration::MAX;
    for _ in 0..3 {
        let start = Instant::now();
        let server = Server::start(data.path());
        let answer = reqwest::get(server.url.join("/readyz").unwrap()).await.unwrap();
        quickest = quickest.min(start.elapsed());
        assert!(answer.status().is_success(), "{}", answer.status());

        let status = std::fs::read_to_string(format!("/proc/{}/status", server.id())).unwrap();
        // Its own: pages of the program's file, of which there are as many as the machine has room for, are not counted.
        let own = status
            .lines()
            .find_map(|line| line.strip_prefix("RssAnon:"))
            .unwrap();
        let kib: u64 = own.trim().trim_end_matches(" kB").parse().unwrap();
        assert!(kib < 64 * 1024, "{kib} KiB");
    }
    assert!(quickest < Duration::from_millis(500), "{quickest:?}");
}

#[test]
fn only_the_first_start_prints_a_login_address() {
    let data = tempfile::tempdir().unwrap();
    let first = Server::start(data.path());
    assert!(!first.token.is_empty());
    let id = first.id();
    drop(first);
    wait_for("the first server to end", || (!is_alive(id)).then_some(()));
    let second = Server::start(data.path());
    assert!(second.token.is_empty());
}

/// Everything at and below a folder that other accounts have a right to.
fn open_to_others(folder: &Path) -> Vec<PathBuf> {
    let mut open = Vec::new();
    let mut left = vec![folder.to_owned()];
    while let Some(path) = left.pop() {
        let metadata = fs::symlink_metadata(&path).unwrap();
        if metadata.is_dir() {
            left.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        }
        if metadata.mode() & 0o077 != 0 {
            open.push(path);
        }
    }
    open
}

#[test]
fn other_accounts_read_nothing_of_the_data_folder() {
    let folder = tempfile::tempdir().unwrap();
    // As an earlier version left it.
    let data = folder.path().join("data");
    fs::create_dir_all(data.join("objects/ab")).unwrap();
    for file in ["objects/ab/cd", "morpheus.db", "server-id"] {
        fs::write(data.join(file), "").unwrap();
        fs::set_permissions(data.join(file), Permissions::from_mode(0o644)).unwrap();
    }
    for folder in ["", "objects", "objects/ab"] {
        fs::set_permissions(data.join(folder), Permissions::from_mode(0o755)).unwrap();
    }
    let found = doctor_on_privacy(&data);
    assert_eq!(found["health"], "problem");
    assert!(found["fix"].as_str().unwrap().contains("chmod"), "{found}");

    let server = Server::start(&data);
    assert_eq!(
        fs::metadata(&data).unwrap().mode() & 0o777,
        0o700,
        "closed before it says that it is ready"
    );
    assert!(data.join("morpheus.db-wal").exists());
    wait_for("the rest to be closed", || {
        data.join("closed-to-others").exists().then_some(())
    });
    assert_eq!(open_to_others(&data), Vec::<PathBuf>::new());
    drop(server);
    assert_eq!(doctor_on_privacy(&data)["health"], "ok");

    let export = folder.path().join("export.jsonl");
    succeed(["db", "export", "--data", path(&data), path(&export)]);
    assert_eq!(fs::metadata(&export).unwrap().mode() & 0o777, 0o600);
    let log = succeed(["audit", "--json", "--data", path(&data)]);
    let actions: Vec<serde_json::Value> = log
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["action"].clone())
        .collect();
    for action in [
        "server_started",
        "login_address_made",
        "signed_in",
        "token_made",
        "database_exported",
    ] {
        assert!(actions.contains(&action.into()), "{action}: {log}");
    }
    let exported = fs::read_to_string(&export).unwrap();
    assert!(
        exported.contains("audit_log"),
        "the log goes where the installation goes"
    );
}

fn doctor_on_privacy(data: &Path) -> serde_json::Value {
    let output = run([
        "doctor",
        "--json",
        "--data",
        path(data),
        "--listen",
        "127.0.0.1:0",
    ]);
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let findings = report["findings"].as_array().unwrap();
    findings
        .iter()
        .find(|finding| finding["name"] == "privacy")
        .unwrap()
        .clone()
}

#[tokio::test]
async fn a_decoder_that_is_killed_is_replaced_and_ends_with_its_server() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path());
    let api = Api::of(&server);
    let first = wait_for("a decoder to start", || server.decoders().first().copied());
    kill(first);
    api.upload(2).await;
    let second = server.decoders();
    assert!(
        !second.is_empty() && !second.contains(&first),
        "{first}, then {second:?}"
    );
    server.kill();
    for id in second {
        wait_for("the decoder to end", || (!is_alive(id)).then_some(()));
    }
}

/// A thread of the server hangs, and with it whatever waits for that thread.
async fn with_a_hung_thread(data: &std::path::Path) -> Server {
    let server = Server::start_with(data, "127.0.0.1:0", &[("MORPHEUS_HANG_AT", "jobs".to_owned())]);
    let answer = reqwest::get(server.url.join("/healthz").unwrap()).await.unwrap();
    assert!(answer.status().is_success());
    server
}

#[tokio::test]
async fn a_server_ends_within_a_bound_whatever_hangs() {
    let data = tempfile::tempdir().unwrap();
    let server = with_a_hung_thread(data.path()).await;
    let asked = Instant::now();
    terminate(server.id());
    server.wait_until_dead();
    assert!(asked.elapsed() < Duration::from_secs(30), "{:?}", asked.elapsed());
}

/// By itself the signal would end the program at once, with nothing written down.
#[tokio::test]
async fn a_server_whose_terminal_is_closed_ends_in_order() {
    // Under nohup, which the server inherits, it goes on.
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    if u64::from_str_radix(mask.unwrap().trim(), 16).unwrap() & 1 == 1 {
        return;
    }
    let data = tempfile::tempdir().unwrap();
    let server = with_a_hung_thread(data.path()).await;
    let asked = Instant::now();
    hang_up(server.id());
    server.wait_until_dead();
    // It waits for what hangs, as after every other request to end.
    assert!(asked.elapsed() > Duration::from_secs(2), "{:?}", asked.elapsed());
}

#[tokio::test]
async fn a_second_signal_ends_a_server_at_once() {
    let data = tempfile::tempdir().unwrap();
    let mut server = with_a_hung_thread(data.path()).await;
    let (id, asked) = (server.id(), Instant::now());
    wait_for("the server to end", || {
        terminate(id);
        server.has_ended().then_some(())
    });
    // The first alone leaves ten seconds to what runs.
    assert!(asked.elapsed() < Duration::from_secs(8), "{:?}", asked.elapsed());
}

#[test]
fn a_data_folder_of_another_account_is_refused() {
    // Only root can make one.
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (data, backup) = (folder.path().join("data"), folder.path().join("backup"));
    succeed(["audit", "--data", path(&folder.path().join("own"))]);
    succeed([
        "backup",
        path(&backup),
        "--data",
        path(&folder.path().join("own")),
    ]);
    fs::create_dir(&data).unwrap();
    std::os::unix::fs::chown(&data, Some(65_534), None).unwrap();
    for args in [
        vec!["serve", "--listen", "127.0.0.1:0", "--data", path(&data)],
        vec!["restore", path(&backup), "--data", path(&data)],
    ] {
        let err = fail(args);
        assert!(
            err.contains("belongs to another account (uid 65534)") && err.contains("chown -R 0"),
            "{err}"
        );
    }
    assert_eq!(fs::read_dir(&data).unwrap().count(), 0, "it was not used");
}
