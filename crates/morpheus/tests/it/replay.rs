//! A folder that passes for sd-scripts, in which the replay program of `crates/agent/examples` plays.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};

use crate::support::{path, succeed};

/// Pictures of the demo dataset, with their captions.
const ZORA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../assets/demo-datasets/zora");

/// What sd-scripts' Python is here. Cargo puts examples beside the folder of tests.
pub(crate) fn python() -> PathBuf {
    let own = std::env::current_exe().unwrap();
    let folder = own.parent().and_then(Path::parent).unwrap();
    let python = folder.join("examples/kohya_replay");
    assert!(
        python.exists(),
        "{} is missing; cargo builds it with the tests of the whole workspace",
        python.display()
    );
    python
}

/// A recipe of two pictures and `n_steps` steps; the same words in JSON are [`parameters`].
pub(crate) fn recipe(folder: &Path, n_steps: u32, seed: u32) -> PathBuf {
    let recipe = folder.join(format!("recipe-{seed}-{n_steps}.toml"));
    let parameters: toml::Value = serde_json::from_value(parameters(n_steps, seed)).unwrap();
    let text = format!(
        "base_model = 'tiny-xl'\nname = 'zora'\ntrigger_word = 'zora'\ndataset = '{ZORA}'\nsample_prompts = ['zora']\n\
         parameters = {parameters}\n"
    );
    fs::write(&recipe, text).unwrap();
    recipe
}

/// Small, with a rate that is the same at every step.
pub(crate) fn parameters(n_steps: u32, seed: u32) -> Value {
    json!({
        "n_steps": n_steps,
        "batch_size": 1,
        "gradient_accumulation": 1,
        "rank": 4,
        "learning_rate": 0.01,
        "lr_schedule": "constant",
        "n_warmup_steps": 0,
        "checkpoint_every_n_steps": 2,
        "sample_every_n_steps": 2,
        "seed": seed,
    })
}

/// The folder, with a LoRA to leave behind.
pub(crate) struct SdScripts {
    folder: tempfile::TempDir,
    pub(crate) lora: PathBuf,
    png: PathBuf,
}

impl SdScripts {
    /// What it leaves was trained by the native engine with a seed of its own.
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("trained");
        let recipe = recipe(folder.path(), 4, 7);
        succeed(["train", path(&recipe), "--output", path(&out)]);
        fs::write(folder.path().join("sdxl_train_network.py"), "").unwrap();
        Self {
            lora: out.join("zora.safetensors"),
            png: out.join("after.png"),
            folder,
        }
    }

    pub(crate) fn dir(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.dir().join(name);
        fs::write(&path, content).unwrap();
        path
    }

    /// What the first run does, the second, and so on.
    pub(crate) fn plays(&self, runs: &[Value]) {
        self.file("replay.json", serde_json::to_vec(runs).unwrap());
    }

    /// A training of `losses.len()` steps with states and samples at steps 2 and after the last.
    pub(crate) fn good_run(&self, losses: &[f32]) -> Value {
        let n_steps = losses.len();
        let mut err = String::new();
        for step in 0..=n_steps {
            err.push_str(&bar(step, n_steps));
        }
        let any = self.file("any", "any");
        let mut files = vec![
            json!([self.lora, "NAME.safetensors"]),
            json!([self.lora, "NAME-step00000002.safetensors"]),
            json!([self.png, "sample/NAME_000002_00_20261122124900_42.png"]),
        ];
        for state in ["NAME-step00000002-state", "NAME-state"] {
            files.push(json!([self.lora, format!("{state}/model.safetensors")]));
            for file in [
                "train_state.json",
                "optimizer.bin",
                "scheduler.bin",
                "random_states_0.pkl",
            ] {
                files.push(json!([any, format!("{state}/{file}")]));
            }
        }
        json!({
            "out": self.file("out", "caching latents with caching strategy.\n\nepoch 1/1\nmodel saved.\n"),
            "err": self.file(&format!("err-{n_steps}"), err),
            "pause_ms": 20,
            "files": files,
            "losses": losses,
            "learning_rate": 0.01,
        })
    }

    /// The same that has come to step 2 with its state and its sample, and stays there.
    pub(crate) fn begun_run(&self, losses: &[f32]) -> Value {
        let mut run = self.good_run(losses);
        let is_last = |file: &Value| {
            let to = file[1].as_str().unwrap();
            to.starts_with("NAME.") || to.starts_with("NAME-state")
        };
        run["files"].as_array_mut().unwrap().retain(|file| !is_last(file));
        run["out"] = json!(self.file("begun", "epoch 1/1\n"));
        run["stays"] = json!(true);
        run
    }

    /// Runs that were started.
    pub(crate) fn n_runs(&self) -> usize {
        let runs = fs::read_to_string(self.dir().join("runs"));
        runs.map_or(0, |text| text.parse().unwrap())
    }

    /// The newest run's process.
    pub(crate) fn process(&self) -> u32 {
        let text = fs::read_to_string(self.dir().join("pid")).unwrap();
        text.parse().unwrap()
    }

    /// Whether a run was started with an option.
    pub(crate) fn has_option(&self, run: usize, name: &str) -> bool {
        let args = fs::read(self.dir().join(format!("args-{run}.json"))).unwrap();
        let args: Vec<String> = serde_json::from_slice(&args).unwrap();
        args.iter().any(|arg| arg == name)
    }
}

/// The bar as it shows a step, before and after its loss is known.
pub(crate) fn bar(step: usize, n_steps: usize) -> String {
    let percent = 100 * step / n_steps;
    format!(
        "\rsteps: {percent:3}%|#####     | {step}/{n_steps} [00:01<00:01,  5.55it/s]\
         \rsteps: {percent:3}%|#####     | {step}/{n_steps} [00:01<00:01,  5.55it/s, avr_loss=0.5]"
    )
}
