//! The database from the command line.

use std::{fs, os::unix::fs::PermissionsExt as _};

use serde_json::Value;
use sim::postgres::Database;

use crate::support::{fail, path, run, succeed};

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn n_rows(tables: &Value) -> u64 {
    let tables = tables.as_array().unwrap();
    tables.iter().map(|table| table["n_rows"].as_u64().unwrap()).sum()
}

#[test]
fn an_installation_moves_to_postgres() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let (data, file) = (path(&data), folder.path().join("morpheus.jsonl"));

    let empty = json(&succeed(["db", "status", "--json", "--data", data]));
    assert_eq!(
        (&empty["schema"], &empty["server"]),
        (&Value::Null, &Value::from("SQLite"))
    );
    let migrated = json(&succeed(["db", "migrate", "--json", "--data", data]));
    assert_eq!(migrated["pending"], Value::Array(Vec::new()));
    // An installation with something in it.
    let database = format!("sqlite://{data}/morpheus.db");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let store = store::Store::builder(folder.path())
        .database(Some(database.clone()))
        .open();
    drop(runtime.block_on(store).unwrap());

    let exported = succeed(["db", "export", path(&file), "--json", "--data", data]);
    let exported = json(&exported);
    assert!(n_rows(&exported["tables"]) >= 3, "{exported}");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let twice = fail(["db", "export", path(&file), "--data", data]);
    assert!(twice.contains("already exists"), "{twice}");
    let help = succeed(["db", "export", "--help"]);
    assert!(help.contains("It contains secrets"), "{help}");

    let there = Database::shared().unwrap();
    let url = there.url();
    let imported = succeed(["db", "import", path(&file), "--json", "--database", &url]);
    assert_eq!(json(&imported)["tables"], exported["tables"]);
    let status = json(&succeed(["db", "status", "--json", "--database", &url]));
    let but_the_log = |tables: &Value| {
        let mut tables = tables.as_array().unwrap().clone();
        tables.retain(|table| table["name"] != "audit_log");
        tables
    };
    // That the import itself is written down is one entry more.
    assert_eq!(but_the_log(&status["tables"]), but_the_log(&exported["tables"]));
    assert_eq!(n_rows(&status["tables"]), n_rows(&exported["tables"]) + 1);
    assert!(status["server"].as_str().unwrap().starts_with("PostgreSQL "));
    let twice = fail(["db", "import", path(&file), "--database", &url]);
    assert!(twice.contains("not empty"), "{twice}");
    let healthy = run([
        "doctor",
        "--json",
        "--listen",
        "127.0.0.1:0",
        "--data",
        data,
        "--database",
        &url,
    ]);
    let report = json(&String::from_utf8(healthy.stdout).unwrap());
    let found = finding(&report);
    assert_eq!(found["health"], "ok", "{report}");
    assert!(
        found["detail"].as_str().unwrap().contains("is writable"),
        "{found}"
    );
}

#[test]
fn a_wrong_password_is_named_and_not_shown() {
    let there = Database::shared().unwrap();
    let url = there.url_of("postgres", "hunter2");
    let folder = tempfile::tempdir().unwrap();
    let data = path(folder.path());
    let started = fail([
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--data",
        data,
        "--database",
        &url,
    ]);
    let looked = run(["doctor", "--json", "--data", data, "--database", &url]);
    assert!(!looked.status.success());
    let report = json(&String::from_utf8(looked.stdout).unwrap());
    let found = finding(&report);
    assert_eq!(found["health"], "problem");
    for said in [started, found.to_string()] {
        assert!(said.contains("password of user `postgres` is wrong"), "{said}");
        assert!(
            said.contains("MORPHEUS_DATABASE") && !said.contains("hunter2"),
            "{said}"
        );
    }
}

fn finding(report: &Value) -> &Value {
    let findings = report["findings"].as_array().unwrap();
    findings
        .iter()
        .find(|finding| finding["name"] == "database")
        .unwrap()
}
