use std::{collections::BTreeSet, fmt::Write as _, path::Path, time::Duration};

use super::{ALL, Shown as _};

const BEGIN: &str = "<!-- limits: written by `cargo xtask codegen` -->\n";
const END: &str = "<!-- end of limits -->";

fn table() -> String {
    let mut table = String::from("\n| limit | value | of what |\n|---|---|---|\n");
    for limit in ALL {
        let meaning = limit.meaning.trim();
        writeln!(table, "| `{}` | {} | {meaning} |", limit.name, limit.value()).unwrap();
    }
    table.push('\n');
    table
}

/// With `UPDATE=1` it is written instead.
#[test]
fn the_table_of_limits_is_that_of_the_code() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/security.md");
    let text = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = text.split_once(BEGIN).expect("the table has a beginning");
    let (found, after) = rest.split_once(END).expect("the table has an end");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, format!("{before}{BEGIN}{}{END}{after}", table())).unwrap();
        return;
    }
    assert!(
        found == table(),
        "docs/security.md is stale: run `cargo xtask codegen`"
    );
}

#[test]
fn each_limit_has_one_name() {
    let names: BTreeSet<&str> = ALL.iter().map(|limit| limit.name).collect();
    assert_eq!(names.len(), ALL.len());
}

#[test]
fn values_have_units() {
    assert_eq!((4_u64 << 20).shown("A_BYTES"), "4 MiB");
    assert_eq!(1000_u64.shown("A_BYTES"), "1000 bytes");
    assert_eq!(64_u32.shown("HEADERS"), "64");
    assert_eq!(Duration::from_millis(2500).shown("A_TIME"), "2500 ms");
    assert_eq!(Duration::from_secs(75).shown("A_TIME"), "75 s");
}
