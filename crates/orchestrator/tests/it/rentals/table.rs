//! The table of faults in `docs/reliability.md`: each test checks its own row; with UPDATE=1 it writes it.

use protocol::MicroUsd;
use rental::MachineName;
use sim::table::Table;

use super::office::Office;

const TABLE: Table = Table {
    page: "docs/reliability.md",
    begin: "<!-- written by the tests in crates/orchestrator/tests/it/rentals/faults.rs -->\n",
    head: "| injected | what happens | ordered | left running | not in the ledger |\n|---|---|--:|--:|--:|\n",
};

/// What was injected, what the test has shown to happen, and what the simulator and the ledger say of it.
pub(super) async fn row(office: &Office, injected: &str, happens: &str) {
    let instances = office.instances().await;
    let living = office.sim.living();
    let n_left = living
        .iter()
        .filter(|name| name.parse::<MachineName>().is_ok())
        .count();
    let handles = instances.iter().filter_map(|machine| machine.handle.as_ref());
    let bill: MicroUsd = handles.filter_map(|id| office.sim.machine_bill(id)).sum();
    let missing = bill - office.spent().await;
    assert_eq!(n_left, 0, "{injected}");
    let n_ordered = instances.len().to_string();
    TABLE.check(injected, &[happens, &n_ordered, "0", &missing.to_string()]);
}
