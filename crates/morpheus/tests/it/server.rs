//! The figures that a server without work has to keep.

use std::time::{Duration, Instant};

use crate::support::{Server, wait_for};

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
        let resident = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .unwrap();
        let kib: u64 = resident.trim().trim_end_matches(" kB").parse().unwrap();
        assert!(kib < 100 * 1024, "{kib} KiB");
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
    wait_for("the first server to end", || {
        (!crate::support::is_alive(id)).then_some(())
    });
    let second = Server::start(data.path());
    assert!(second.token.is_empty());
}
