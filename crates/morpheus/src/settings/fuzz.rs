//! Damaged settings files.

use clap::Parser;
use protocol::base::check_name;

use super::{AUDIT_DAYS_RANGE, Flags, Settings};

#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    flags: Flags,
}

const FULL: &str = r#"
listen = "127.0.0.1:7860"
data = "data"
database = "postgres://user:password@localhost/morpheus"
queue = "rediss://localhost"
queue_ca = "ca.pem"
objects = "s3://bucket/studio"
public_url = "https://morpheus.example"
trusted_proxies = ["10.0.0.2", "10.1.0.0/16"]
audit_days = 365
base_folders = ["models"]
allow_fetch_from = ["10.0.0.0/8", "fd00::/8"]
min_free_mb = 2000
lora_folder = "/loras"

[bases]
mine = "models/mine.safetensors"
web = "https://example.org/a.safetensors#sha256=abababababababababababababababababababababababababababababababab"
hub = "hf:owner/name@main:file.safetensors"

[max_running]
local = 2

[notices]
smtp_url = "smtps://user:password@mail.example.org"
mail_from = "Morpheus <morpheus@example.org>"
mail_to = ["zora@example.org"]
allow_webhooks_to = ["10.0.0.0/8"]

[s3]
endpoint = "http://localhost:9000"
region = "eu"

[runpod]
disk_gb = 40
engines = ["kohya", "native"]
"#;

#[test]
fn fuzz_settings() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("morpheus.toml");
    let given = path.to_str().unwrap();
    let read = |input: &[u8]| {
        std::fs::write(&path, input).unwrap();
        Settings::resolve(Cli::try_parse_from(["serve", "--config", given]).unwrap().flags)
    };
    read(FULL.as_bytes()).unwrap();
    let files = [
        FULL,
        "",
        "[bases]\nx = '/x'\n",
        "audit_days = 4294967295\nmin_free_mb = 18446744073709551615\n",
    ];
    let files = files.map(|file| file.as_bytes().to_vec());
    sim::fuzz::run("settings", &files, |input| match read(input) {
        Ok(settings) => {
            assert!(settings.data.is_absolute());
            assert!(AUDIT_DAYS_RANGE.contains(&i64::from(settings.audit_days)));
            assert!(settings.bases.keys().all(|name| check_name(name).is_ok()));
            // None of these may panic either.
            let _ = (
                settings.places(),
                settings.check_reach(),
                settings.store().local_paths(),
            );
        }
        Err(err) => {
            let said = format!("{err:#}");
            assert!(!said.is_empty() && said.len() < 8192 + 2 * input.len(), "{said}");
        }
    });
}

#[test]
fn days_beyond_all_times_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("morpheus.toml");
    for days in ["0", "36501", "4294967295"] {
        std::fs::write(&path, format!("audit_days = {days}\n")).unwrap();
        let cli = Cli::try_parse_from(["serve", "--config", path.to_str().unwrap()]).unwrap();
        let err = Settings::resolve(cli.flags).unwrap_err().to_string();
        assert!(err.contains("audit_days: must be from 1 to 36500"), "{err}");
    }
}
