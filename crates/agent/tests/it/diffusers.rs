//! The diffusers engine with a program in place of Python that speaks its protocol and computes zeros.

use std::{
    collections::HashMap,
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use agent::diffusers::{Diffusers, Engine};
use diffusion::{
    base::{BaseOptions, Outline},
    device::tensor,
    lora::{Lora, Weighted},
    pipeline::{self, PictureRequest, PictureSize},
    schedulers::Sampler,
    tokenizer::TokenLength,
};
use prompt::Reading;
use protocol::problem::chain;
use serde_json::{Value, json};

struct Stage {
    folder: tempfile::TempDir,
    engine: Engine,
    outline: Outline,
}

impl Stage {
    /// With an engine that does what the plan says, see `child.py`.
    fn new(plan: Value) -> Self {
        Self::with(plan, |_| ())
    }

    fn with(plan: Value, change: impl FnOnce(&mut Diffusers)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let python = folder.path().join("python");
        fs::write(&python, include_str!("diffusers/child.py")).unwrap();
        fs::set_permissions(&python, fs::Permissions::from_mode(0o755)).unwrap();
        fs::write(folder.path().join("plan.json"), plan.to_string()).unwrap();
        let mut settings = Diffusers::new(python);
        change(&mut settings);
        let engine = Engine::new(settings).unwrap();
        let outline = engine.outline("tiny-xl", &BaseOptions::default()).unwrap();
        Self {
            folder,
            engine,
            outline,
        }
    }

    /// Draws a picture of 64 pixels in two steps; the error is text.
    fn draw(&mut self, loras: &[Weighted]) -> Result<(u32, u32), String> {
        self.draw_unless(loras, &|_| false)
    }

    /// Like `draw`, but cancels the picture as soon as the function says so, given the requests that the child has got.
    fn draw_unless(
        &mut self,
        loras: &[Weighted],
        is_cancelled: &dyn Fn(&[Value]) -> bool,
    ) -> Result<(u32, u32), String> {
        let request = PictureRequest {
            prompt: "a (portrait:1.3)".into(),
            negative: None,
            reading: Reading::of(false),
            length: TokenLength::T75,
            guidance: 5.0,
            n_steps: 2_u32.try_into().unwrap(),
            size: PictureSize::new(64, 64).unwrap(),
            sampler: Sampler::Euler,
            seed: 1,
            initial_noise: None,
        };
        let path = self.log_path();
        let is_cancelled = || is_cancelled(&read_log(&path));
        let drawing = self
            .engine
            .prepare(&self.outline, loras.iter().copied(), &is_cancelled);
        let mut drawing = drawing.map_err(|err| chain(&err))?;
        let pictures = pipeline::draw(&mut drawing, &request, &mut |_, _| {
            std::ops::ControlFlow::Continue(())
        });
        let pictures = pictures.map_err(|err| chain(&err))?;
        Ok(pictures[0].dimensions())
    }

    fn log_path(&self) -> PathBuf {
        self.folder.path().join("log.jsonl")
    }

    fn log(&self) -> Vec<Value> {
        read_log(&self.log_path())
    }

    /// The names of the requests so far.
    fn asked(&self) -> Vec<String> {
        let log = self.log();
        log.iter()
            .map(|request| request["op"].as_str().unwrap().to_owned())
            .collect()
    }

    /// How often something was asked.
    fn n_asked(&self, op: &str) -> usize {
        self.asked().iter().filter(|asked| *asked == op).count()
    }

    /// The thrift of each request of a kind.
    fn thrift(&self, op: &str) -> Vec<u64> {
        let log = self.log();
        log.iter()
            .filter(|request| request["op"] == op)
            .map(|request| request["thrift"].as_u64().unwrap())
            .collect()
    }

    /// The processes that were asked, each once.
    fn processes(&self) -> Vec<u64> {
        let mut processes: Vec<u64> = self
            .log()
            .iter()
            .map(|request| request["pid"].as_u64().unwrap())
            .collect();
        processes.dedup();
        processes
    }

    /// Those of them that still run. Each is reaped when it is let go of.
    fn living(&self) -> Vec<u64> {
        let mut living = self.processes();
        living.retain(|pid| Path::new("/proc").join(pid.to_string()).exists());
        living
    }

    /// A plain LoRA of a layer of tiny-xl with 64 inputs and outputs, made for so many inputs.
    fn lora(&self, name: &str, n_in: usize) -> Lora {
        let path = self.folder.path().join(format!("{name}.safetensors"));
        let key = "lora_unet_input_blocks_4_1_proj_in";
        let halves = |shape: [usize; 2]| tensor(vec![0.5; shape[0] * shape[1]], shape).unwrap();
        let tensors = HashMap::from([
            (format!("{key}.lora_down.weight"), halves([2, n_in])),
            (format!("{key}.lora_up.weight"), halves([64, 2])),
            (format!("{key}.alpha"), tensor(vec![1.0], [0_usize; 0]).unwrap()),
        ]);
        candle_core::safetensors::save(&tensors, &path).unwrap();
        Lora::open(&path).unwrap()
    }

    /// A text embedding of two vectors by itself.
    fn embedding(&self, word: &str) -> Lora {
        let path = self.folder.path().join(format!("{word}.safetensors"));
        let vectors = |width| tensor(vec![0.5; 2 * width], [2, width]).unwrap();
        let tensors = HashMap::from([("clip_l", vectors(32)), ("clip_g", vectors(64))]);
        candle_core::safetensors::save(&tensors, &path).unwrap();
        Lora::open(&path).unwrap()
    }
}

fn read_log(path: &Path) -> Vec<Value> {
    let log = fs::read_to_string(path).unwrap_or_default();
    log.lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect()
}

#[track_caller]
fn says(error: &str, words: &[&str]) {
    for word in words {
        assert!(error.contains(word), "`{error}` does not say `{word}`");
    }
}

#[test]
fn it_says_what_it_has() {
    let mut stage = Stage::new(json!({}));
    let hello = stage.engine.hello().unwrap();
    assert_eq!(hello.diffusers, "0.32.1");
    assert_eq!(hello.device, "a pretended GPU");
    assert_eq!(hello.memory_bytes, Some(1 << 34));
    assert_eq!(stage.engine.hello().unwrap(), hello);
    assert_eq!(stage.asked(), ["hello"]);
}

#[test]
fn packages_that_are_old_or_missing_are_named() {
    let old = json!({ "torch": "2.10.0", "diffusers": "0.9.1", "transformers": "5.1.0", "device": "cpu",
                      "dtype": "float32", "memory_bytes": null });
    let error = Stage::new(json!({ "hello": [{ "answers": old }] }))
        .draw(&[])
        .unwrap_err();
    says(
        &error,
        &["--diffusers-python", "diffusers 0.9.1", "0.32 or newer"],
    );

    let missing = json!({ "error": "missing_module", "detail": "No module named 'diffusers'" });
    let mut stage = Stage::new(json!({ "hello": [{ "answers": missing }] }));
    says(
        &stage.draw(&[]).unwrap_err(),
        &["No module named 'diffusers'", "--diffusers-python"],
    );
    assert!(stage.living().is_empty());

    let nowhere = Diffusers::new("/nowhere/python".into());
    let error = Engine::new(nowhere).unwrap().hello().unwrap_err();
    says(
        &chain(&error),
        &["failed to start `/nowhere/python`", "No such file"],
    );
}

/// The program itself, with a Python that has nothing but its own modules.
#[test]
fn the_program_itself_names_what_its_python_lacks() {
    let folder = tempfile::tempdir().unwrap();
    let python = folder.path().join("python");
    fs::write(&python, "#!/bin/sh\nunset PYTHONPATH\nexec python3 -S \"$@\"\n").unwrap();
    fs::set_permissions(&python, fs::Permissions::from_mode(0o755)).unwrap();
    let mut engine = Engine::new(Diffusers::new(python)).unwrap();
    says(
        &chain(&engine.hello().unwrap_err()),
        &[
            "lacks a package: No module named 'diffusers'",
            "--diffusers-python",
        ],
    );
}

/// Whatever lies in the folder that it is started in, with every version of Python.
#[test]
fn the_program_itself_takes_no_modules_from_the_working_folder() {
    let folder = tempfile::tempdir().unwrap();
    let python = folder.path().join("python");
    let here = folder.path().display();
    let script = format!("#!/bin/sh\nunset PYTHONPATH\ncd '{here}'\nexec python3 -S \"$@\"\n");
    fs::write(&python, script).unwrap();
    fs::set_permissions(&python, fs::Permissions::from_mode(0o755)).unwrap();
    for module in ["json", "queue", "threading", "diffusers"] {
        let marked = format!("open({module:?} + '.taken', 'w')\nraise SystemExit(9)\n");
        fs::write(folder.path().join(format!("{module}.py")), marked).unwrap();
    }
    let mut engine = Engine::new(Diffusers::new(python)).unwrap();
    let error = chain(&engine.hello().unwrap_err());
    says(&error, &["lacks a package: No module named 'diffusers'"]);
    let files = fs::read_dir(folder.path()).unwrap();
    let mut names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    assert!(!names.any(|name| name.ends_with(".taken")));
}

#[test]
fn the_base_model_stays_loaded_between_pictures() {
    let mut stage = Stage::new(json!({}));
    assert_eq!(stage.draw(&[]), Ok((64, 64)));
    // Two encoders for the prompt alone, since an absent negative prompt is zeros; two steps; one picture.
    assert_eq!(
        stage.asked(),
        [
            "hello", "load", "encode", "encode", "predict", "predict", "decode"
        ]
    );
    assert_eq!(stage.draw(&[]), Ok((64, 64)));
    assert_eq!((stage.n_asked("hello"), stage.n_asked("load")), (1, 1));
    assert_eq!(stage.living(), stage.processes());
}

#[test]
fn the_vectors_of_a_word_are_handed_over_where_the_prompt_uses_it() {
    let mut stage = Stage::new(json!({}));
    let (used, unused) = (stage.embedding("portrait"), stage.embedding("zora"));
    let weighted = |lora| Weighted {
        lora,
        weight: 1.0,
        partial: false,
    };
    for (loras, is_used) in [
        (vec![&used], true),
        (vec![&unused], false),
        (vec![&unused, &used], true),
    ] {
        let n_before = stage.log().len();
        let loras: Vec<Weighted> = loras.into_iter().map(weighted).collect();
        assert_eq!(stage.draw(&loras), Ok((64, 64)));
        let log = stage.log();
        let encoded = log[n_before..].iter().filter(|request| request["op"] == "encode");
        let own: Vec<&Value> = encoded.map(|request| &request["own"]).collect();
        assert_eq!(own, [&Value::from(is_used); 2]);
    }
    let again = stage.embedding("PORTRAIT");
    let error = stage.draw(&[weighted(&used), weighted(&again)]).unwrap_err();
    says(&error, &["both have a text embedding for `PORTRAIT`"]);
}

#[test]
fn loras_are_exchanged_without_loading_the_base_again() {
    let mut stage = Stage::new(json!({}));
    let lora = stage.lora("a", 64);
    let weighted = |weight| {
        [Weighted {
            lora: &lora,
            weight,
            partial: false,
        }]
    };
    stage.draw(&weighted(0.8)).unwrap();
    stage.draw(&weighted(0.8)).unwrap();
    let log = stage.log();
    let changes: Vec<&Value> = log
        .iter()
        .filter(|request| request["op"] == "change")
        .map(|request| &request["changes"])
        .collect();
    assert_eq!(changes.len(), 1, "the second picture has the same LoRAs");
    let change = &changes[0][0];
    assert_eq!(change["part"], "unet");
    assert_eq!(change["name"], "down_blocks.1.attentions.0.proj_in.weight");
    assert_eq!(change["instead"], Value::Null);
    // Alpha 1 of rank 2, at weight 0.8.
    let scale = change["products"][0][2].as_f64().unwrap();
    assert!((scale - 0.4).abs() < 1e-6, "{scale}");

    stage.draw(&[]).unwrap();
    assert_eq!(stage.asked().iter().rev().nth(5).unwrap(), "restore");
    assert_eq!((stage.n_asked("change"), stage.n_asked("load")), (1, 1));
}

#[test]
fn what_is_no_product_is_handed_over_as_a_whole_weight() {
    let mut stage = Stage::new(json!({}));
    let path = stage.folder.path().join("whole.safetensors");
    let key = "lora_unet_input_blocks_4_1_proj_in";
    let tensors = HashMap::from([
        (
            format!("{key}.diff"),
            tensor(vec![0.5; 64 * 64], [64, 64]).unwrap(),
        ),
        (format!("{key}.diff_b"), tensor(vec![0.5; 64], [64]).unwrap()),
    ]);
    candle_core::safetensors::save(&tensors, &path).unwrap();
    let lora = Lora::open(&path).unwrap();
    stage
        .draw(&[Weighted {
            lora: &lora,
            weight: 1.0,
            partial: false,
        }])
        .unwrap();
    let log = stage.log();
    let change = log.iter().find(|request| request["op"] == "change").unwrap();
    let names: Vec<&str> = change["changes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|change| {
            assert!(
                change["instead"].is_string() && change["products"] == json!([]),
                "{change}"
            );
            change["name"].as_str().unwrap()
        })
        .collect();
    let module = "down_blocks.1.attentions.0.proj_in";
    assert_eq!(names, [format!("{module}.weight"), format!("{module}.bias")]);
}

#[test]
fn a_lora_that_does_not_fit_is_named() {
    let refusal = json!({ "error": "lora_does_not_fit", "detail": "unet has no weight `x`" });
    let mut stage = Stage::new(json!({ "change": [{ "answers": refusal }, {}] }));
    let of_elsewhere = stage.lora("elsewhere", 32);
    let lora = stage.lora("a", 64);
    let weighted = |lora| {
        [Weighted {
            lora,
            weight: 1.0,
            partial: false,
        }]
    };
    let error = stage.draw(&weighted(&of_elsewhere)).unwrap_err();
    says(
        &error,
        &["elsewhere.safetensors", "does not fit base model `tiny-xl`"],
    );
    assert_eq!(stage.n_asked("change"), 0);

    let error = stage.draw(&weighted(&lora)).unwrap_err();
    says(
        &error,
        &["a LoRA does not fit `tiny-xl` in diffusers", "no weight `x`"],
    );
    // What may be changed in part is restored before the next picture.
    stage.draw(&[]).unwrap();
    assert_eq!(stage.n_asked("restore"), 2);
    assert_eq!(stage.processes().len(), 1);
}

#[test]
fn a_base_model_that_does_not_load_is_named() {
    let refusal =
        json!({ "error": "base_does_not_load", "detail": "unet has no place for `conv_in.weight`" });
    let mut stage = Stage::new(json!({ "load": [{ "answers": refusal }, {}] }));
    says(
        &stage.draw(&[]).unwrap_err(),
        &["cannot load the base model `tiny-xl`", "`conv_in.weight`"],
    );
    assert_eq!(stage.draw(&[]), Ok((64, 64)), "it is tried again");
}

#[test]
fn a_crash_is_told_with_its_lines_and_the_next_picture_is_drawn() {
    let mut stage = Stage::new(json!({ "predict": [{}, { "exit": 3 }] }));
    let error = stage.draw(&[]).unwrap_err();
    says(
        &error,
        &[
            "exit code 3",
            "Traceback (most recent call last)",
            "RuntimeError: the planned end",
        ],
    );
    assert!(!error.contains("loading"), "{error}");
    assert!(stage.living().is_empty());
    let error = stage.draw(&[]).unwrap_err();
    says(&error, &["exit code 3"]);
    assert_eq!(stage.processes().len(), 2, "each had a process of its own");
    fs::write(stage.folder.path().join("plan.json"), "{}").unwrap();
    assert_eq!(stage.draw(&[]), Ok((64, 64)));
    assert_eq!(stage.living().len(), 1);
}

#[test]
fn a_child_that_does_not_answer_is_killed() {
    let mut stage = Stage::with(json!({ "predict": [{ "hangs": true }] }), |settings| {
        // Long enough for a Python that starts on a busy machine.
        settings.quiet = Duration::from_secs(20);
    });
    stage.engine.hello().unwrap();
    says(
        &stage.draw(&[]).unwrap_err(),
        &["gave no answer for 20 s", "was ended"],
    );
    assert_eq!(stage.n_asked("predict"), 1);
    assert!(stage.living().is_empty());
}

#[test]
fn a_child_that_closes_its_output_and_lives_is_named_as_what_it_is() {
    let mut stage = Stage::new(json!({ "encode": [{ "closes": true }] }));
    let error = stage.draw(&[]).unwrap_err();
    says(&error, &["runs on but gives no more answers", "was ended"]);
    assert!(!error.contains("signal 9"), "{error}");
    assert!(stage.living().is_empty());
}

#[test]
fn a_child_that_does_not_read_is_killed() {
    // What loads tiny-xl is larger than a pipe.
    let mut stage = Stage::with(json!({ "hello": [{ "stops": true }] }), |settings| {
        settings.heed = Duration::from_secs(1);
    });
    stage.engine.hello().unwrap();
    says(
        &stage.draw(&[]).unwrap_err(),
        &["did not read a request for 1 s", "was ended"],
    );
    assert!(stage.living().is_empty());
}

#[test]
fn nonsense_is_no_answer() {
    let mut stage = Stage::new(json!({ "encode": [{ "says": "loading weights: 100%" }] }));
    says(
        &stage.draw(&[]).unwrap_err(),
        &["no meaning", "loading weights: 100%"],
    );
    assert!(stage.living().is_empty());
}

#[test]
fn a_full_memory_is_answered_by_the_next_cheaper_way_and_said() {
    let full = json!({ "answers": { "error": "out_of_memory", "detail": "CUDA out of memory" } });
    let mut stage = Stage::new(json!({ "predict": [full, full, {}] }));
    assert_eq!(stage.draw(&[]), Ok((64, 64)));
    // The way that was found is kept.
    assert_eq!(stage.thrift("predict"), [0, 1, 2, 2]);
    assert_eq!(stage.thrift("decode"), [2]);
    let notes = stage.engine.take_notes();
    assert_eq!(notes.len(), 2);
    says(
        &notes[0],
        &["a pretended GPU's memory was too small", "one prompt at a time"],
    );
    says(&notes[1], &["attention in slices"]);
    assert!(stage.engine.take_notes().is_empty());

    let mut stage = Stage::new(json!({ "decode": [full] }));
    says(
        &stage.draw(&[]).unwrap_err(),
        &[
            "a pretended GPU's memory is too small for this picture",
            "smaller picture",
        ],
    );
    assert_eq!(stage.thrift("decode"), [0, 1, 2, 3]);
    assert_eq!(stage.living().len(), 1, "it is of use for a smaller one");
}

#[test]
fn a_picture_is_cancelled_in_the_middle_of_a_step() {
    let plan = json!({ "predict": [{}, { "waits": true }, {}] });
    let mut stage = Stage::with(plan, |settings| {
        // On a busy machine too, it is asked and not killed.
        settings.grace = Duration::from_secs(120);
    });
    let in_second_step = |log: &[Value]| log.iter().filter(|request| request["op"] == "predict").count() == 2;
    let error = stage.draw_unless(&[], &in_second_step).unwrap_err();
    assert_eq!(error, "cancelled after 1 of 2 steps");
    assert_eq!(stage.draw(&[]), Ok((64, 64)));
    assert_eq!(stage.processes().len(), 1);
    assert_eq!(stage.n_asked("load"), 1);
}

#[test]
fn a_child_that_does_not_stop_is_killed() {
    let mut stage = Stage::with(json!({ "load": [{ "hangs": true }] }), |settings| {
        settings.grace = Duration::from_millis(200);
    });
    let in_load = |log: &[Value]| log.iter().any(|request| request["op"] == "load");
    assert_eq!(stage.draw_unless(&[], &in_load).unwrap_err(), "cancelled");
    assert_eq!(stage.processes().len(), 1);
    assert!(stage.living().is_empty());
}

#[test]
fn nothing_is_left_running() {
    let mut stage = Stage::new(json!({}));
    stage.draw(&[]).unwrap();
    assert_eq!(stage.living().len(), 1);
    stage.engine.unload();
    assert!(stage.living().is_empty());
    stage.draw(&[]).unwrap();
    let processes = stage.processes();
    assert_eq!(processes.len(), 2);
    let Stage { folder, engine, .. } = stage;
    drop(engine);
    drop(folder);
    let is_there = |pid: &u64| Path::new("/proc").join(pid.to_string()).exists();
    assert!(!processes.iter().any(is_there));
}
