//! The table of faults in `docs/reliability.md`: each test checks its own row; with UPDATE=1 it writes it.

use std::{
    fs::File,
    io::{Read as _, Seek as _, Write as _},
};

use orchestrator::providers::machine_name::MachineName;
use protocol::MicroUsd;

use super::office::Office;

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reliability.md");
const BEGIN: &str = "<!-- written by the tests in crates/orchestrator/tests/it/rentals/faults.rs -->\n";
const END: &str = "<!-- end of what the tests write -->\n";
const HEAD: &str =
    "| injected | what happens | ordered | left running | not in the ledger |\n|---|---|--:|--:|--:|\n";

/// What was injected, what the test has shown to happen, and what the simulator and the ledger say of it.
pub(super) async fn row(office: &Office, injected: &str, happens: &str) {
    let instances = office.instances().await;
    let living = office.sim.living();
    let n_left = living
        .iter()
        .filter(|name| name.parse::<MachineName>().is_ok())
        .count();
    let handles = instances.iter().filter_map(|machine| machine.handle.as_ref());
    let bill: MicroUsd = handles.filter_map(|id| office.sim.pod_bill(id)).sum();
    let missing = bill - office.spent().await;
    let row = format!(
        "| {injected} | {happens} | {} | {n_left} | {missing} |\n",
        instances.len()
    );
    assert_eq!(n_left, 0, "{row}");
    check(injected, &row);
}

fn check(injected: &str, row: &str) {
    let mut page = File::options().read(true).write(true).open(PAGE).unwrap();
    // Tests run beside each other.
    page.lock().unwrap();
    let mut text = String::new();
    page.read_to_string(&mut text).unwrap();
    let (before, rest) = text
        .split_once(BEGIN)
        .expect("the page has a place for the table");
    let (table, after) = rest.split_once(END).expect("the table has an end");
    if std::env::var_os("UPDATE").is_none() {
        assert!(
            table.contains(row),
            "docs/reliability.md is not what was seen; UPDATE=1 writes it:\n{row}"
        );
        return;
    }
    let key = format!("| {injected} |");
    let rows = table.strip_prefix(HEAD).unwrap_or_default().lines();
    let mut rows: Vec<String> = rows
        .filter(|known| !known.starts_with(&key))
        .map(|known| format!("{known}\n"))
        .collect();
    rows.push(row.to_owned());
    rows.sort();
    let text = [before, BEGIN, HEAD, &rows.concat(), END, after].concat();
    page.set_len(0).unwrap();
    page.rewind().unwrap();
    page.write_all(text.as_bytes()).unwrap();
}
