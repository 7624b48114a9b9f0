//! Pictures of the diffusers engine on the command line: with a stand-in for its Python, and with the real packages where
//! `MORPHEUS_DIFFUSERS_PYTHON` names a Python that has them.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use dataset::picture::read_texts;
use image::RgbImage;
use protocol::made::{self, Made};
use serde_json::{Value, json};

use crate::{
    api::Api,
    generate::{PROMPT, a_lora, an_embedding, picture},
    lora::difference,
    support::{Server, fail, kill, path, run, succeed, wait_for},
};

/// What stands in for a Python with diffusers: it draws nothing but gray.
const STAND_IN: &str = include_str!("../../../agent/tests/it/diffusers/child.py");

fn stand_in(folder: &Path, plan: &str) -> PathBuf {
    let python = folder.join("python");
    fs::write(&python, STAND_IN).unwrap();
    fs::set_permissions(&python, fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(folder.join("plan.json"), plan).unwrap();
    python
}

fn program(picture: &[u8]) -> String {
    let texts = read_texts(picture).unwrap();
    let made = texts.iter().find(|text| text.keyword == made::KEYWORD).unwrap();
    Made::parse(&made.text).unwrap().program
}

/// Whether a process still computes. One whose parent was killed is reaped by whoever adopts it, in time.
fn runs(process: u32) -> bool {
    let status = fs::read_to_string(format!("/proc/{process}/status"));
    status.is_ok_and(|status| !status.contains("State:\tZ"))
}

#[test]
fn the_engine_needs_its_python() {
    let err = fail([
        "generate",
        "--prompt",
        PROMPT,
        "--engine",
        "diffusers",
        "--out",
        "a.png",
    ]);
    assert!(
        err.contains("--diffusers-python") && err.contains("MORPHEUS_DIFFUSERS_PYTHON"),
        "{err}"
    );
}

#[test]
fn a_picture_says_which_engine_drew_it() {
    let folder = tempfile::tempdir().unwrap();
    let python = stand_in(folder.path(), "{}");
    let out = folder.path().join("a.png");
    let engine = ["--engine", "diffusers", "--diffusers-python", path(&python)];
    let drawn = picture(&out, &engine);
    assert!(drawn.pixels().all(|pixel| pixel.0 == [128; 3]));
    let said = program(&fs::read(&out).unwrap());
    assert!(
        said.starts_with("Morpheus ")
            && said.ends_with("with diffusers 0.32.1, torch 2.8.0+cu128 on a pretended GPU"),
        "{said}"
    );

    let again = folder.path().join("b.png");
    let said = succeed(["generate", "--again", path(&out), "--json", "--out", path(&again)]);
    let said: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(said["again"]["exact"], false);
    assert!(
        said["again"]["notes"][0]
            .as_str()
            .unwrap()
            .contains("similar, not equal")
    );
    assert!(!program(&fs::read(&again).unwrap()).contains("diffusers"));
}

#[test]
fn a_failure_is_told_in_its_words() {
    let folder = tempfile::tempdir().unwrap();
    let python = stand_in(folder.path(), r#"{ "predict": [{ "exit": 3 }] }"#);
    let err = fail([
        "generate",
        "--prompt",
        PROMPT,
        "--engine",
        "diffusers",
        "--diffusers-python",
        path(&python),
        "--out",
        path(&folder.path().join("a.png")),
    ]);
    assert!(
        err.contains("exit code 3") && err.contains("RuntimeError: the planned end"),
        "{err}"
    );
}

#[test]
fn doctor_says_what_diffusers_computes_on() {
    let folder = tempfile::tempdir().unwrap();
    let find = |python: &Path| {
        let output = run([
            "doctor",
            "--json",
            "--listen",
            "127.0.0.1:0",
            "--data",
            path(&folder.path().join("data")),
            "--diffusers-python",
            path(python),
        ]);
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        let findings = report["findings"].as_array().unwrap();
        let found = findings.iter().find(|finding| finding["name"] == "diffusers");
        found.unwrap().clone()
    };
    let good = find(&stand_in(folder.path(), "{}"));
    assert_eq!(good["health"], "ok");
    let detail = good["detail"].as_str().unwrap();
    assert!(
        detail.contains("0.32.1") && detail.contains("a pretended GPU in float16"),
        "{detail}"
    );
    let bad = find(&folder.path().join("none"));
    assert_eq!(bad["health"], "problem");
    assert!(
        bad["detail"].as_str().unwrap().contains("failed to start"),
        "{bad}"
    );
}

#[tokio::test]
async fn the_agent_of_a_server_draws_with_it_and_keeps_it() {
    let (folder, data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let python = stand_in(folder.path(), "{}");
    let settings = [("MORPHEUS_DIFFUSERS_PYTHON", path(&python).to_owned())];
    let server = Server::start_with(data.path(), "127.0.0.1:0", &settings);
    let api = Api::of(&server);
    for seed in [1, 2] {
        let request = json!({ "base_model": "tiny-xl", "prompt": "zora", "seed": seed, "n_steps": 2 });
        let generation = api.generated(request).await;
        let picture = api.bytes(generation["image_url"].as_str().unwrap()).await;
        let said = program(&picture);
        assert!(said.contains("with diffusers 0.32.1"), "{said}");
    }
    let log = fs::read_to_string(folder.path().join("log.jsonl")).unwrap();
    let log: Vec<Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let n_asked = |op: &str| log.iter().filter(|request| request["op"] == op).count();
    // The colors of previews are found by decoding, once for a base model.
    assert_eq!(
        (n_asked("load"), n_asked("predict"), n_asked("decode")),
        (1, 4, 1 + 2)
    );

    // Nobody tells the child that its agent was killed.
    let child = log[0]["pid"].as_u64().unwrap() as u32;
    assert!(runs(child));
    for agent in server.agents() {
        kill(agent);
    }
    wait_for("the child's end", || (!runs(child)).then_some(()));
}

/// A Python with the real packages, if there is one.
fn real_python() -> Option<PathBuf> {
    let python = std::env::var_os("MORPHEUS_DIFFUSERS_PYTHON").map(PathBuf::from);
    if python.is_none() {
        eprintln!("skipped: MORPHEUS_DIFFUSERS_PYTHON does not name a Python with diffusers");
    }
    python
}

/// Draws with both engines, and compares; the native one's picture.
fn compared(folder: &Path, python: &Path, case: &[&str]) -> RgbImage {
    let draw = |name: &str, engine: &[&str]| {
        let out = folder.join(name);
        let mut args = vec!["generate", "--steps", "8", "--seed", "7", "--out", path(&out)];
        if !case.contains(&"--prompt") {
            args.extend(["--prompt", PROMPT]);
        }
        args.extend(case);
        args.extend(engine);
        succeed(args);
        image::open(&out).unwrap().into_rgb8()
    };
    let native = draw("native.png", &[]);
    let other = draw(
        "diffusers.png",
        &["--engine", "diffusers", "--diffusers-python", path(python)],
    );
    let difference = difference(&native, &other);
    assert!(difference <= 1.0, "{case:?}: {difference}");
    eprintln!("{case:?}: mean difference {difference:.4} of 255");
    native
}

#[test]
fn both_engines_draw_the_same() {
    let Some(python) = real_python() else { return };
    let folder = tempfile::tempdir().unwrap();
    let lora = folder.path().join("lora.safetensors");
    fs::write(&lora, a_lora()).unwrap();
    let lora = format!("{}:0.7", lora.display());
    let long = format!(
        "{PROMPT}, ({}:1.2) BREAK on a [hill]",
        "a smile, a hat, ".repeat(25)
    );
    let cases: [&[&str]; 9] = [
        &["--sampler", "euler"],
        &["--sampler", "euler_a"],
        &["--sampler", "ddim"],
        &["--sampler", "dpmpp_2m"],
        &["--cfg", "1"],
        &["--negative", "blue background"],
        &["--lora", &lora],
        &["--prompt", &long],
        &["--size", "104x168"],
    ];
    for case in cases {
        compared(folder.path(), &python, case);
    }
}

/// One file for each kind and way to store it, of those that the packages wrote (`tools/golden/foreign.py`).
const KINDS: [&str; 16] = [
    "diffusers_lora.safetensors",
    "diffusers_text.safetensors",
    "diffusers_stabilized.safetensors",
    "peft_dora",
    "lycoris_dora_input.safetensors",
    "kohya_locon.safetensors",
    "lycoris_tucker.safetensors",
    "kohya_loha.safetensors",
    "kohya_lokr.safetensors",
    "lycoris_lokr_dora.safetensors",
    "lycoris_full.safetensors",
    "lycoris_norms.safetensors",
    "lycoris_glora.safetensors",
    "lycoris_ia3.safetensors",
    "lycoris_oft_rescaled.safetensors",
    "lycoris_boft.safetensors",
];

#[test]
fn both_engines_draw_every_kind_of_lora_the_same() {
    let Some(python) = real_python() else { return };
    let folder = tempfile::tempdir().unwrap();
    let files = Path::new(env!("CARGO_MANIFEST_DIR")).join("../diffusion/tests/golden/foreign");
    let small = ["--size", "64x64"];
    let without = compared(folder.path(), &python, &small);
    for kind in KINDS {
        let lora = format!("{}:0.8", files.join(kind).display());
        let with = compared(folder.path(), &python, &["--size", "64x64", "--lora", &lora]);
        assert!(with != without, "{kind} changes nothing");
    }
    // A word of the prompt.
    let embedding = folder.path().join("lorelei.safetensors");
    fs::write(&embedding, an_embedding()).unwrap();
    let case = ["--size", "64x64", "--lora", path(&embedding)];
    let with = compared(folder.path(), &python, &case);
    assert!(with != without, "the embedding changes nothing");
}
