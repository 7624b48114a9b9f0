//! The same training with both engines, with the replay program in place of sd-scripts.

use std::{fs, path::Path};

use serde_json::Value;

use crate::{
    replay::{SdScripts, python, recipe},
    support::{fail, path, run, succeed},
};

const LOSSES: [f32; 4] = [0.5, 0.25, 0.125, 0.0625];

fn args<'a>(recipe: &'a Path, out: &'a Path, kohya: &'a SdScripts, python: &'a Path) -> Vec<&'a str> {
    vec![
        "train",
        path(recipe),
        "--engine",
        "both",
        "--output",
        path(out),
        "--kohya-dir",
        path(kohya.dir()),
        "--kohya-python",
        path(python),
        "--kohya-precision",
        "no",
        "--json",
    ]
}

fn read(file: &Path) -> Value {
    serde_json::from_slice(&fs::read(file).unwrap()).unwrap()
}

fn lines(output: &str) -> Vec<Value> {
    output
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[track_caller]
fn assert_close(found: &Value, expected: f64) {
    let found = found.as_f64().unwrap();
    assert!(
        (found - expected).abs() <= 1e-6 * expected.abs().max(1e-3),
        "{found} is not {expected}"
    );
}

#[test]
fn both_engines_are_compared_on_a_page() {
    let folder = tempfile::tempdir().unwrap();
    let (kohya, python) = (SdScripts::new(), python());
    kohya.plays(&[kohya.good_run(&LOSSES)]);
    let (recipe, out) = (recipe(folder.path(), 4, 42), folder.path().join("out"));
    let said = lines(&succeed(args(&recipe, &out, &kohya, &python)));
    let last = said.last().unwrap();
    for engine in ["native", "kohya"] {
        assert_eq!(
            last[engine]["lora"],
            path(&out.join(engine).join("zora.safetensors"))
        );
        assert_eq!(last[engine]["n_steps"], 4, "{last}");
    }

    // Losses: what was printed, and what was played.
    let parity = read(&out.join("parity.json"));
    let steps: Vec<f64> = said
        .iter()
        .filter(|line| line["type"] == "step")
        .map(|line| line["loss"].as_f64().unwrap())
        .collect();
    let (native, played) = steps.split_at(4);
    assert_eq!(played, LOSSES.map(f64::from));
    for (side, losses) in [native, played].into_iter().enumerate() {
        let mean = losses.iter().sum::<f64>() / 4.0;
        let squares: f64 = losses.iter().map(|loss| (loss - mean).powi(2)).sum();
        let found = &parity["losses"]["whole"]["means"][side];
        assert_close(&found["mean"], mean);
        assert_close(&found["standard_error"], (squares / 3.0 / 4.0).sqrt());
    }
    assert_eq!(
        parity["losses"]["learning_rates"]["are_equal"], true,
        "{}",
        parity["losses"]
    );

    // Norms: those of the verdicts, which other code computes.
    for (side, engine) in [("left", "native"), ("right", "kohya")] {
        let verdict = read(&out.join(engine).join("verdict.json"));
        let mut squares = 0.0;
        for module in verdict["module_norms"].as_array().unwrap() {
            let norm = module["norm"].as_f64().unwrap();
            squares += norm * norm;
            let modules = parity["files"]["modules"].as_array().unwrap();
            let found = modules.iter().find(|found| found["module"] == module["module"]);
            assert_close(&found.unwrap()[side], norm);
        }
        assert_close(&parity["files"]["total"][side], squares.sqrt());
    }

    let page = fs::read_to_string(out.join("parity.html")).unwrap();
    for curve in ["line native", "line kohya", "points native", "points kohya"] {
        assert!(
            page.contains(&format!("<path class=\"{curve}\" d=\"M")),
            "no {curve}"
        );
    }
    assert_eq!(page.matches("data:image/png;base64,").count(), 2);
    for outside in ["<script", "http://", "https://", "<link", "@import"] {
        assert!(!page.contains(outside), "the page has {outside}");
    }
}

#[test]
fn an_engine_that_has_finished_is_not_run_again() {
    let folder = tempfile::tempdir().unwrap();
    let (kohya, python) = (SdScripts::new(), python());
    // It breaks down first.
    let mut broken = kohya.good_run(&LOSSES);
    broken["files"] = Value::Array(Vec::new());
    kohya.plays(&[broken, kohya.good_run(&LOSSES)]);
    let (recipe, out) = (recipe(folder.path(), 4, 42), folder.path().join("out"));
    let mut args = args(&recipe, &out, &kohya, &python);
    let err = fail(&args);
    assert!(
        err.contains("the kohya engine") && err.contains("no complete file"),
        "{err}"
    );
    let before = fs::metadata(out.join("native/zora.safetensors"))
        .unwrap()
        .modified()
        .unwrap();

    let err = fail(&args);
    assert!(err.contains("already exists"), "{err}");
    args.push("--resume");
    let output = run(&args);
    let err = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{err}");
    assert!(err.contains("native engine has already finished"), "{err}");
    let said = lines(&String::from_utf8(output.stdout).unwrap());
    let n_steps = said.iter().filter(|line| line["type"] == "step").count();
    assert_eq!((n_steps, kohya.n_runs()), (4, 2));
    let after = fs::metadata(out.join("native/zora.safetensors"))
        .unwrap()
        .modified()
        .unwrap();
    assert_eq!(before, after);
    // The losses of the engine that was not run again are there.
    assert_eq!(
        read(&out.join("parity.json"))["losses"]["n_steps"],
        serde_json::json!([4, 4])
    );

    // Another recipe cannot go on with it.
    let other = crate::replay::recipe(folder.path(), 4, 43);
    args[1] = path(&other);
    let err = fail(&args);
    assert!(err.contains("another recipe"), "{err}");
}

#[test]
fn what_one_engine_would_refuse_is_refused_before_either_trains() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let good = recipe(folder.path(), 4, 42);
    let both = ["train", "--engine", "both", "--output", path(&out)];
    assert!(fail([&both[..], &[path(&good)]].concat()).contains("--kohya-dir"));
    let no_script = [&both[..], &[path(&good), "--kohya-dir", path(folder.path())]].concat();
    assert!(fail(no_script).contains("sdxl_train_network.py"));
    // sd-scripts wants buckets no longer than the resolution.
    fs::write(folder.path().join("sdxl_train_network.py"), "").unwrap();
    let wide = folder.path().join("wide.toml");
    let text = fs::read_to_string(&good).unwrap();
    let narrow = text.replace("n_steps = 4", "n_steps = 4, resolution = 64, bucket_step = 128");
    fs::write(&wide, narrow).unwrap();
    let err = fail([&both[..], &[path(&wide), "--kohya-dir", path(folder.path())]].concat());
    assert!(
        err.contains("parameters.bucket_step: must be at most the resolution"),
        "{err}"
    );
    let resumed = [
        &both[..],
        &[path(&good), "--kohya-dir", path(folder.path()), "--resume"],
    ]
    .concat();
    assert!(fail(resumed).contains("omit --resume"));
    assert!(fail(["train", "--engine", "neither", path(&good)]).contains("native, kohya or both"));
    assert!(!out.exists());
}
