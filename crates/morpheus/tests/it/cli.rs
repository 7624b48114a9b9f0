//! Help, results and errors of single commands.

use std::fs;

use crate::support::{fail, morpheus, path, run, succeed};

#[test]
fn every_command_explains_itself() {
    for command in [
        "serve", "agent", "train", "recipe", "generate", "lora", "dataset", "backup", "restore", "objects",
        "db", "demo", "doctor", "version",
    ] {
        let help = succeed([command, "--help"]);
        assert!(help.contains("Usage: morpheus"), "{command}: {help}");
    }
    assert_eq!(succeed(["--version"]).trim(), succeed(["version"]).trim());
}

#[test]
fn without_a_command_it_shows_the_way() {
    let output = run::<&str>([]);
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("Commands:"));
}

#[test]
fn a_base_model_that_is_not_there_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("a.png");
    let err = fail([
        "generate",
        "--base",
        "/nowhere/model.safetensors",
        "--prompt",
        "a",
        "--out",
        path(&out),
    ]);
    assert!(err.contains("/nowhere/model.safetensors"), "{err}");
    assert!(!out.exists());
}

#[test]
fn a_server_refuses_a_base_model_that_is_not_sdxl() {
    let folder = tempfile::tempdir().unwrap();
    let model = folder.path().join("model.safetensors");
    fs::write(&model, not_sdxl()).unwrap();
    let data = folder.path().join("data");
    let base = format!("mine={}", model.display());
    let err = fail([
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--data",
        path(&data),
        "--base",
        &base,
    ]);
    assert!(err.contains(path(&model)) && err.contains("SDXL"), "{err}");
    let err = fail([
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--data",
        path(&data),
        "--base",
        "mine=/nowhere",
    ]);
    assert!(err.contains("/nowhere"), "{err}");
}

#[test]
fn a_lora_file_that_is_none_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let lora = folder.path().join("zora.safetensors");
    fs::write(&lora, "no weights").unwrap();
    for command in ["inspect", "verify"] {
        let err = fail(["lora", command, path(&lora)]);
        assert!(err.contains("zora.safetensors"), "{err}");
    }
    let out = folder.path().join("a.png");
    let weighted = format!("{}:0.5", lora.display());
    let err = fail([
        "generate",
        "--prompt",
        "a",
        "--lora",
        &weighted,
        "--out",
        path(&out),
    ]);
    assert!(err.contains("zora.safetensors"), "{err}");
    assert!(!out.exists());
}

#[test]
fn an_unknown_recipe_field_is_named() {
    let err = fail_recipe("learning_rat = 1e-3\n", "");
    assert!(
        err.contains("recipe.toml") && err.contains("learning_rat"),
        "{err}"
    );
    let err = fail_recipe("", "ranks = 4\n");
    assert!(err.contains("recipe.toml") && err.contains("ranks"), "{err}");
}

#[test]
fn hyperparameters_are_checked_by_name() {
    for (line, wanted) in [
        ("rank = 0", "parameters.rank: must be from 1 to 256, not 0"),
        ("learning_rate = -1", "parameters.learning_rate: must be above 0"),
        ("learning_rate = nan", "parameters.learning_rate: must be above 0"),
    ] {
        let err = fail_recipe("", line);
        assert!(err.contains(wanted), "{line}: {err}");
    }
}

#[test]
fn a_dataset_that_is_not_there_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let recipe = folder.path().join("recipe.toml");
    fs::write(
        &recipe,
        "base_model = 'tiny-xl'\nname = 'zora'\ndataset = 'nothing'\n",
    )
    .unwrap();
    let err = fail([
        "train",
        path(&recipe),
        "--output",
        path(&folder.path().join("out")),
    ]);
    assert!(err.contains("dataset") && err.contains("nothing"), "{err}");
}

#[test]
fn an_agent_names_the_server_that_it_cannot_reach() {
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let server = format!("http://127.0.0.1:{port}");
    let folder = tempfile::tempdir().unwrap();
    let err = fail([
        "agent",
        "--server",
        &server,
        "--token",
        "t",
        "--work",
        path(folder.path()),
    ]);
    assert!(err.contains(&server), "{err}");
}

#[test]
fn doctor_finds_what_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = taken.local_addr().unwrap().to_string();
    let output = run([
        "doctor",
        "--json",
        "--data",
        path(folder.path()),
        "--listen",
        &listen,
        "--base",
        "b=/nowhere",
    ]);
    assert!(!output.status.success());
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let health = |name: &str| {
        let findings = report["findings"].as_array().unwrap();
        findings.iter().find(|finding| finding["name"] == name).unwrap()["health"].clone()
    };
    assert_eq!(health("port"), "problem");
    assert_eq!(health("base b"), "problem");
    assert_eq!(health("data folder"), "ok");
    assert_eq!(health("picture decoding"), "ok");
}

#[test]
fn doctor_misses_the_folder_of_the_objects() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let objects = || {
        let output = run([
            "doctor",
            "--json",
            "--listen",
            "127.0.0.1:0",
            "--data",
            path(&data),
        ]);
        let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let findings = report["findings"].as_array().unwrap();
        findings
            .iter()
            .find(|finding| finding["name"] == "objects")
            .cloned()
    };
    assert_eq!(objects(), None, "nothing was stored yet");
    succeed(["objects", "collect", "--data", path(&data)]);
    assert_eq!(objects().unwrap()["health"], "ok");
    std::fs::rename(data.join("objects"), data.join("away")).unwrap();
    let missing = objects().unwrap();
    assert_eq!(missing["health"], "problem");
    assert!(
        missing["detail"].as_str().unwrap().contains("is missing"),
        "{missing}"
    );
    std::fs::create_dir(data.join("objects")).unwrap();
    let empty = objects().unwrap();
    assert_eq!(empty["health"], "problem");
    assert!(
        empty["detail"].as_str().unwrap().contains("not its own"),
        "{empty}"
    );
}

#[test]
fn a_picture_that_promises_gigabytes_is_named() {
    let folder = tempfile::tempdir().unwrap();
    // A small canvas, and a frame of 65352 × 65535 pixels on it.
    let bomb = b"GIF89a\x48\0\x42\0\0\0\0,\0\0\0\0\x48\xff\xff\xff\0\x02\x02\x44\x01\0;";
    std::fs::write(folder.path().join("bomb.gif"), bomb).unwrap();
    let output = run(["dataset", "check", path(folder.path()), "--json"]);
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let finding = &report["findings"][0];
    assert_eq!(finding["code"], "cannot_train");
    assert_eq!(report["passed"], false);
    let refused = &report["findings"][1]["pictures"][0];
    assert_eq!(refused["file_name"], "bomb.gif");
    let detail = refused["detail"].as_str().unwrap();
    assert!(
        detail.starts_with("is 65352×65535, which is too large"),
        "{detail}"
    );
}

#[test]
fn a_dataset_is_checked_as_the_server_would() {
    let zora = concat!(env!("CARGO_MANIFEST_DIR"), "/../../assets/demo-datasets/zora");
    let report = succeed([
        "dataset",
        "check",
        zora,
        "--json",
        "--resolution",
        "128",
        "--trigger-word",
        "zora",
    ]);
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    assert_eq!(report["passed"], true);
    assert_eq!(report["n_pictures"], 16);

    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.png"), "no picture").unwrap();
    let output = run(["dataset", "check", path(folder.path())]);
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stdout).contains("a.png"));
}

#[test]
fn a_page_is_split_into_panels() {
    let folder = tempfile::tempdir().unwrap();
    let is_gutter = |at: u32, length: u32| !(40..length - 40).contains(&at) || at.abs_diff(length / 2) < 12;
    let page = image::RgbImage::from_fn(700, 900, |x, y| match is_gutter(x, 700) || is_gutter(y, 900) {
        true => image::Rgb([255; 3]),
        false => image::Rgb([40, (x / 4) as u8, (y / 5) as u8]),
    });
    fs::write(
        folder.path().join("page-03.png"),
        dataset::picture::encode_png(&page),
    )
    .unwrap();
    fs::write(folder.path().join("page-03.txt"), "zora").unwrap();
    let output = folder.path().join("split");
    let split = [
        "dataset",
        "split-pages",
        path(folder.path()),
        "--output",
        path(&output),
        "--right-to-left",
        "--json",
    ];
    let report: serde_json::Value = serde_json::from_str(&succeed(split)).unwrap();
    assert_eq!((&report["n_pages"], &report["n_panels"]), (&1.into(), &4.into()));
    let panels = report["pictures"][0]["panels"].as_array().unwrap();
    assert_eq!(panels[1]["path"], "panels/page-03-panel-2.png");
    assert!(panels[0]["frame"]["left"].as_u64() > panels[1]["frame"]["left"].as_u64());
    assert_eq!(
        fs::read_to_string(output.join("panels/page-03-panel-2.txt")).unwrap(),
        "zora\n"
    );
    assert!(output.join("contact-sheets/page-03.png").exists());
    // The folder is in use now.
    let again = run(split);
    assert!(!again.status.success());
    assert!(String::from_utf8_lossy(&again.stderr).contains("is not empty"));
}

fn fail_recipe(fields: &str, parameters: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let recipe = folder.path().join("recipe.toml");
    let zora = concat!(env!("CARGO_MANIFEST_DIR"), "/../../assets/demo-datasets/zora");
    let text = format!(
        "base_model = 'tiny-xl'\nname = 'zora'\ndataset = '{zora}'\n{fields}\n[parameters]\n{parameters}\n"
    );
    fs::write(&recipe, text).unwrap();
    let out = folder.path().join("out");
    let err = fail(["train", path(&recipe), "--output", path(&out)]);
    assert!(!out.exists(), "nothing half-done stays behind");
    err
}

/// A safetensors file that holds something else than a model for pictures.
fn not_sdxl() -> Vec<u8> {
    let header = br#"{"weight":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#;
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend_from_slice(header);
    file.extend_from_slice(&[0; 4]);
    file
}

/// A result that reached nobody is no success.
#[test]
fn a_result_that_cannot_be_written_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let data = path(folder.path());
    succeed(["db", "migrate", "--data", data]);
    for args in [
        vec!["version"],
        vec!["db", "status", "--data", data],
        // What it did is in the log that the next one shows.
        vec!["objects", "verify", "--data", data],
        vec!["audit", "--data", data],
    ] {
        let full = fs::File::options().write(true).open("/dev/full").unwrap();
        let ended = morpheus()
            .args(&args)
            .stdin(std::process::Stdio::null())
            .stdout(full)
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&ended.stderr);
        assert_eq!(ended.status.code(), Some(1), "{args:?}: {told}");
        assert!(
            told.contains("failed to write the result to the standard output: No space left on device"),
            "{args:?}: {told}"
        );
    }
}
