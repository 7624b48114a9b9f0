//! Base models that cannot be used, or not as they are: registration says so from their headers, in the words in which the
//! command line refuses them.

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
};

use diffusion::base::export_built_in;
use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use serde_json::{Value, json};

use crate::{
    api::Api,
    support::{Server, path, run},
};

const UNET: &str = "unet/diffusion_pytorch_model.safetensors";
const VAE: &str = "vae/diffusion_pytorch_model.safetensors";
const FIRST: &str = "text_encoder/model.safetensors";
const SCHEDULER: &str = "scheduler/scheduler_config.json";

/// A tensor: its numbers' kind, its shape and its bytes.
type Stored = (Dtype, Vec<usize>, Vec<u8>);

/// Changes the tensors of a file.
fn rewrite(file: &Path, change: impl FnOnce(&mut HashMap<String, Stored>)) {
    let bytes = fs::read(file).unwrap();
    let read = SafeTensors::deserialize(&bytes).unwrap();
    let mut tensors: HashMap<String, Stored> = read
        .tensors()
        .into_iter()
        .map(|(name, view)| (name, (view.dtype(), view.shape().to_vec(), view.data().to_vec())))
        .collect();
    change(&mut tensors);
    let views = tensors
        .iter()
        .map(|(name, (dtype, shape, bytes))| (name, TensorView::new(*dtype, shape.clone(), bytes).unwrap()));
    fs::write(file, safetensors::serialize(views, None).unwrap()).unwrap();
}

/// Replaces a text in a file.
fn edit(file: &Path, from: &str, to: &str) {
    let text = fs::read_to_string(file).unwrap();
    assert!(text.contains(from), "{text}");
    fs::write(file, text.replace(from, to)).unwrap();
}

/// A name, what is done to the folder, and what is said about it.
type Damage = (&'static str, fn(&Path), &'static str);

const DAMAGES: [Damage; 16] = [
    (
        "vae-without-attention",
        |base| {
            rewrite(&base.join(VAE), |tensors| {
                tensors.retain(|name, _| !name.contains("mid_block.attentions.0.to_q"));
            });
        },
        "the VAE lacks 4 of",
    ),
    (
        "integers",
        |base| {
            rewrite(&base.join(UNET), |tensors| {
                let (dtype, ..) = tensors.get_mut("conv_out.bias").unwrap();
                *dtype = Dtype::I16;
            });
        },
        "which is not read",
    ),
    (
        "wide",
        |base| {
            rewrite(&base.join(UNET), |tensors| {
                let (_, shape, bytes) = tensors.get_mut("conv_out.bias").unwrap();
                shape[0] += 1;
                bytes.extend([0; 2]);
            });
        },
        "has shape [5], expected [4]",
    ),
    (
        "inpainting",
        |base| {
            rewrite(&base.join(UNET), |tensors| {
                let (_, shape, bytes) = tensors.get_mut("conv_in.weight").unwrap();
                shape[1] = 9;
                bytes.resize(shape.iter().product::<usize>() * 2, 0);
            });
            edit(
                &base.join("unet/config.json"),
                r#""in_channels": 4"#,
                r#""in_channels": 9"#,
            );
        },
        "an inpainting model?",
    ),
    (
        "sample-prediction",
        |base| fs::write(base.join(SCHEDULER), r#"{"prediction_type": "sample"}"#).unwrap(),
        "sample",
    ),
    (
        "karras-only",
        |base| fs::write(base.join(SCHEDULER), r#"{"_class_name": "EDMEulerScheduler"}"#).unwrap(),
        "EDM",
    ),
    (
        "scheduler-that-is-no-json",
        |base| fs::write(base.join(SCHEDULER), "prediction_type: epsilon").unwrap(),
        "scheduler_config.json",
    ),
    (
        "cut-short",
        |base| {
            let bytes = fs::read(base.join(UNET)).unwrap();
            fs::write(base.join(UNET), &bytes[..bytes.len() - 7]).unwrap();
        },
        "cut short: 7 of",
    ),
    (
        "web-page",
        |base| fs::write(base.join(FIRST), "<!DOCTYPE html><html>sign in</html>").unwrap(),
        "is a web page",
    ),
    (
        "pickle",
        |base| {
            fs::remove_file(base.join(UNET)).unwrap();
            fs::write(base.join("unet/diffusion_pytorch_model.bin"), b"PK\x03\x04pickle").unwrap();
        },
        "unet",
    ),
    (
        "without-text-encoder",
        |base| fs::remove_dir_all(base.join("text_encoder")).unwrap(),
        "text_encoder",
    ),
    (
        "without-vae",
        |base| fs::remove_dir_all(base.join("vae")).unwrap(),
        "vae",
    ),
    (
        "text-encoder-of-another-width",
        |base| {
            fs::copy(base.join("text_encoder_2/model.safetensors"), base.join(FIRST)).unwrap();
        },
        "text encoder",
    ),
    (
        "unet-of-other-sizes",
        |base| {
            edit(
                &base.join("unet/config.json"),
                r#""cross_attention_dim": 96"#,
                r#""cross_attention_dim": 2048"#,
            );
        },
        "2048",
    ),
    ("empty", |base| fs::write(base.join(VAE), []).unwrap(), "is empty"),
    (
        "unet-in-the-vae",
        |base| {
            fs::copy(base.join(UNET), base.join(VAE)).unwrap();
        },
        "the VAE",
    ),
];

fn damaged(folder: &Path, name: &str, damage: fn(&Path)) -> PathBuf {
    let base = folder.join(name);
    export_built_in("tiny-xl", &base).unwrap();
    damage(&base);
    base
}

#[tokio::test]
async fn registration_refuses_what_could_not_be_loaded_in_the_words_of_the_command_line() {
    let folder = tempfile::tempdir().unwrap();
    let settings = [("MORPHEUS_BASE_FOLDERS", path(folder.path()).to_owned())];
    let server = Server::start_with(&folder.path().join("data"), "127.0.0.1:0", &settings);
    let api = Api::of(&server);
    let mut bases = Vec::new();
    for (name, damage, expected) in DAMAGES {
        let base = damaged(folder.path(), name, damage);
        let request = json!({ "name": name, "source": path(&base) });
        api.post("/api/v1/registered-base-models", request).await;
        bases.push((name, base, expected));
    }
    let all = api
        .wait_for("/api/v1/registered-base-models", |all| {
            let all = all.as_array().unwrap();
            all.iter().all(|base| base["state"] != "checking")
        })
        .await;
    for (name, base, expected) in bases {
        let registered = all.as_array().unwrap().iter().find(|one| one["name"] == name);
        let problem = registered.map_or(&Value::Null, |one| &one["problem"]);
        let problem = problem
            .as_str()
            .unwrap_or_else(|| panic!("{name} is taken: {all}"));
        assert!(problem.contains(expected), "{name}: {problem}");
        let out = folder.path().join("a.png");
        let by_path = run([
            "generate",
            "--base",
            path(&base),
            "--prompt",
            "x",
            "--steps",
            "1",
            "--out",
            path(&out),
        ]);
        let said = String::from_utf8_lossy(&by_path.stderr).into_owned();
        assert!(!by_path.status.success(), "{name} is drawn with");
        assert!(
            said.contains(problem),
            "{name}: by path `{said}`, registered `{problem}`"
        );
    }
}

/// What does no harm is taken, and said.
#[tokio::test]
async fn registration_notes_what_it_does_not_use() {
    let folder = tempfile::tempdir().unwrap();
    let base = damaged(folder.path(), "more", |base| {
        rewrite(&base.join(UNET), |tensors| {
            let one = (Dtype::F32, vec![1], vec![0; 4]);
            tensors.insert("control_blocks.0.weight".to_owned(), one);
        });
    });
    let settings = [("MORPHEUS_BASES", format!("more={}", path(&base)))];
    let server = Server::start_with(&folder.path().join("data"), "127.0.0.1:0", &settings);
    let api = Api::of(&server);
    let all = api
        .wait_for("/api/v1/registered-base-models", |all| all[0]["state"] == "ready")
        .await;
    let note = all[0]["notes"][0].as_str().unwrap();
    assert!(
        note.contains("1 tensor is not known and not used: `control_blocks.0.weight`"),
        "{note}"
    );
}
