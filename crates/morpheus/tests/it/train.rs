//! Training without a server.

use std::{fs, path::Path};

use serde_json::Value;

use crate::support::{fail, path, succeed};

const ZORA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../assets/demo-datasets/zora");

fn recipe(folder: &Path, n_steps: u32) -> std::path::PathBuf {
    let recipe = folder.join("recipe.toml");
    let text = format!(
        "base_model = 'tiny-xl'\nname = 'zora'\ntrigger_word = 'zora'\ndataset = '{ZORA}'\n\
         [parameters]\nn_steps = {n_steps}\nbatch_size = 1\nrank = 4\nlearning_rate = 0.01\n\
         checkpoint_every_n_steps = 4\nsample_every_n_steps = 0\n"
    );
    fs::write(&recipe, text).unwrap();
    recipe
}

fn lines(output: &str) -> Vec<Value> {
    output
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn a_training_leaves_a_lora_and_its_verdict() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let said = lines(&succeed([
        "train",
        path(&recipe(folder.path(), 8)),
        "--output",
        path(&out),
        "--json",
    ]));
    let steps: Vec<_> = said.iter().filter(|line| line["type"] == "step").collect();
    assert_eq!(steps.len(), 8);
    let result = said.last().unwrap();
    assert_eq!(result["lora"], path(&out.join("zora.safetensors")));
    succeed(["lora", "verify", path(&out.join("zora.safetensors"))]);
    let inspected = succeed(["lora", "inspect", "--json", path(&out.join("zora.safetensors"))]);
    let inspected: Value = serde_json::from_str(&inspected).unwrap();
    assert_eq!(inspected["metadata"]["ss_network_dim"], "4");
    let verdict: Value = serde_json::from_slice(&fs::read(out.join("verdict.json")).unwrap()).unwrap();
    assert!(verdict["checks"].is_array());
}

#[test]
fn the_same_recipe_gives_the_same_losses() {
    let folder = tempfile::tempdir().unwrap();
    let recipe = recipe(folder.path(), 4);
    let losses = |out: &str| {
        let out = folder.path().join(out);
        let said = lines(&succeed([
            "train",
            path(&recipe),
            "--output",
            path(&out),
            "--json",
        ]));
        let steps = said.into_iter().filter(|line| line["type"] == "step");
        steps
            .map(|line| line["loss"].as_f64().unwrap())
            .collect::<Vec<_>>()
    };
    assert_eq!(losses("a"), losses("b"));
}

#[test]
fn a_folder_with_another_training_is_not_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    fs::create_dir(&out).unwrap();
    fs::write(out.join("zora.safetensors"), "precious").unwrap();
    let err = fail(["train", path(&recipe(folder.path(), 4)), "--output", path(&out)]);
    assert!(err.contains("zora.safetensors"), "{err}");
    assert_eq!(fs::read(out.join("zora.safetensors")).unwrap(), b"precious");
}

#[test]
fn a_dry_run_shows_what_sd_scripts_would_be_started_with() {
    let folder = tempfile::tempdir().unwrap();
    let recipe = recipe(folder.path(), 8);
    let printed = succeed(["train", "--engine", "kohya", "--dry-run", path(&recipe), "--json"]);
    let printed: Value = serde_json::from_str(&printed).unwrap();
    let args: Vec<&str> = printed["args"]
        .as_array()
        .unwrap()
        .iter()
        .map(|arg| arg.as_str().unwrap())
        .collect();
    let after = |name| args[args.iter().position(|&arg| arg == name).unwrap() + 1];
    assert_eq!((after("--max_train_steps"), after("--network_dim")), ("8", "4"));
    let dataset: toml::Table = printed["dataset_toml"].as_str().unwrap().parse().unwrap();
    assert_eq!(dataset["datasets"][0]["resolution"].as_integer(), Some(128));
    // Nothing was written and nothing was started.
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    let err = fail(["train", "--dry-run", path(&recipe), "--json"]);
    assert!(err.contains("--engine kohya"), "{err}");
}

#[test]
fn the_kohya_engine_needs_sd_scripts() {
    let folder = tempfile::tempdir().unwrap();
    let recipe = recipe(folder.path(), 8);
    let out = folder.path().join("out");
    let args = [
        "train",
        "--engine",
        "kohya",
        path(&recipe),
        "--output",
        path(&out),
    ];
    assert!(fail(args).contains("--kohya-dir"));
    let err = fail([&args[..], &["--kohya-dir", path(folder.path())]].concat());
    assert!(err.contains("sdxl_train_network.py"), "{err}");
    let findings = crate::support::run([
        "doctor",
        "--json",
        "--kohya-dir",
        path(folder.path()),
        "--kohya-python",
        "false",
    ]);
    let findings = String::from_utf8(findings.stdout).unwrap();
    assert!(
        findings.contains("sdxl_train_network.py")
            && findings.contains("kohya python")
            && findings.contains("laion_CLIP-ViT-bigG-14-laion2B-39B-b160k"),
        "{findings}"
    );
}
