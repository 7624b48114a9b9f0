//! Training without a server.

use std::{fs, path::Path};

use serde_json::Value;

use crate::support::{fail, path, run, succeed};

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
    let message = |line: &Value| line["message"].as_str().unwrap_or_default().to_owned();
    let mut said_before = said.iter().take_while(|line| line["type"] != "step").map(message);
    assert!(said_before.any(|message| message.starts_with("this takes about ")));
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
fn masks_are_no_pictures_and_notes_name_their_files() {
    let folder = tempfile::tempdir().unwrap();
    let pictures = folder.path().join("pictures");
    fs::create_dir(&pictures).unwrap();
    for name in ["000", "001", "002", "003", "004"] {
        fs::copy(
            Path::new(ZORA).join(format!("{name}.png")),
            pictures.join(format!("{name}.png")),
        )
        .unwrap();
        fs::write(pictures.join(format!("{name}.txt")), "zora\nin a red hat").unwrap();
    }
    let mask = image::RgbImage::from_fn(128, 128, |x, _| image::Rgb([if x < 64 { 0 } else { 255 }; 3]));
    mask.save(pictures.join("001-masklabel.png")).unwrap();
    fs::create_dir(pictures.join("masks")).unwrap();
    mask.save(pictures.join("masks/007.png")).unwrap();

    let checked = run(["dataset", "check", path(&pictures)]);
    let checked = String::from_utf8(checked.stdout).unwrap();
    assert!(
        checked.contains("001.png: has a loss mask, which counts where masked_loss is on"),
        "{checked}"
    );
    assert!(
        checked.contains("masks/007.png: is the loss mask of a picture named `007`"),
        "{checked}"
    );

    fs::remove_dir_all(pictures.join("masks")).unwrap();
    let losses = |masked_loss: bool| {
        let recipe = folder.path().join("recipe.toml");
        let text = format!(
            "base_model = 'tiny-xl'\nname = 'zora'\ndataset = '{}'\n[parameters]\nn_steps = 4\nbatch_size = 5\n\
             rank = 4\nsample_every_n_steps = 0\nmasked_loss = {masked_loss}\n",
            pictures.display()
        );
        fs::write(&recipe, text).unwrap();
        let out = folder.path().join(masked_loss.to_string());
        let output = run(["train", path(&recipe), "--output", path(&out), "--json"]);
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{said}");
        for part in [
            "note: 001.png: has a loss mask, which counts where masked_loss is on\n",
            "note: 000.png, 001.png, 002.png and 2 more: its caption has several lines",
            "5 pictures to train on, 0 held out",
        ] {
            assert!(said.contains(part), "`{said}` should contain `{part}`");
        }
        let steps = lines(&String::from_utf8(output.stdout).unwrap()).into_iter();
        let steps = steps.filter(|line| line["type"] == "step");
        steps.map(|line| line["loss"].to_string()).collect::<Vec<_>>()
    };
    assert_ne!(losses(true), losses(false), "the mask changes what is learned");
}

#[test]
fn a_folder_holds_pictures_out() {
    let folder = tempfile::tempdir().unwrap();
    let pictures = folder.path().join("pictures");
    fs::create_dir_all(pictures.join("held_out/1_")).unwrap();
    for name in ["000.png", "001.png", "held_out/1_/002.png"] {
        let original = Path::new(name).file_name().unwrap();
        fs::copy(Path::new(ZORA).join(original), pictures.join(name)).unwrap();
    }
    let recipe = folder.path().join("recipe.toml");
    let text = format!(
        "base_model = 'tiny-xl'\nname = 'zora'\ndataset = '{}'\n[parameters]\nn_steps = 1\nbatch_size = 1\nrank = 4\n\
         sample_every_n_steps = 0\n",
        pictures.display()
    );
    fs::write(&recipe, text).unwrap();
    let out = folder.path().join("out");
    let output = run(["train", path(&recipe), "--output", path(&out), "--json"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}");
    assert!(said.contains("2 pictures to train on, 1 held out"), "{said}");
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
