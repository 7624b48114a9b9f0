//! Damaged model files, agents' messages, jobs and sources through the public functions that read them.

use std::collections::HashMap;

use diffusion::{
    base::{BaseInfo, BaseModel, BaseOptions},
    lora::{self, Lora, Weighted},
    weights::TensorFile,
};
use protocol::{
    address::masked,
    agent::{ClaimRequest, Finish, Heartbeat, NewArtifact},
    base::{BaseSource, Prediction},
    foreign::{self, Format},
    job::CreateJob,
    parameters::ParameterOverrides,
    preset::{BaseClass, Family},
    recipe::{Recipe, RecipeRequest},
};
use safetensors::{Dtype, serialize, tensor::TensorView};
use serde::{Serialize, de::DeserializeOwned};

/// A safetensors file with these tensors of two by two numbers.
fn tensors(names: &[&str], metadata: &[(&str, &str)]) -> Vec<u8> {
    let bytes: Vec<u8> = [1.0_f32, -2.0, 0.5, 3.0]
        .iter()
        .flat_map(|n| n.to_le_bytes())
        .collect();
    let views = names.iter().map(|name| {
        let view = TensorView::new(Dtype::F32, vec![2, 2], &bytes).unwrap();
        ((*name).to_owned(), view)
    });
    let metadata: HashMap<String, String> = metadata
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect();
    serialize(views.collect::<Vec<_>>(), Some(metadata)).unwrap()
}

#[test]
fn fuzz_tensor_files() {
    let kohya = "lora_unet_mid_block_attentions_0_proj_in";
    let files = [
        tensors(
            &[
                &format!("{kohya}.lora_down.weight"),
                &format!("{kohya}.lora_up.weight"),
            ],
            &[("ss_network_dim", "2"), ("ss_network_alpha", "1.0")],
        ),
        tensors(
            &[
                "unet.mid_block.attentions.0.proj_in.lora_A.weight",
                "unet.mid_block.attentions.0.proj_in.lora_B.weight",
            ],
            &[],
        ),
        tensors(
            &[
                "model.diffusion_model.input_blocks.0.0.weight",
                "conditioner.embedders.0.transformer.text_model.final_layer_norm.weight",
                "conditioner.embedders.1.model.ln_final.weight",
                "first_stage_model.decoder.conv_in.weight",
            ],
            &[],
        ),
        tensors(&[], &[]),
        b"PK\x03\x04 a pickle".to_vec(),
    ];
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.safetensors");
    sim::fuzz::run("tensor_files", &files, |input| {
        std::fs::write(&path, input).unwrap();
        if let Ok(file) = TensorFile::open(&path) {
            for name in file.names() {
                let info = file.info(name).expect("a tensor with a name has a shape");
                if let Ok(numbers) = file.read(name) {
                    assert_eq!(numbers.len(), info.shape.iter().product::<usize>(), "{name}");
                    assert!(numbers.len() <= input.len(), "{name} has more than the file");
                }
            }
        }
        // What is no LoRA and no base is an error with words.
        if let Err(err) = Lora::open(&path) {
            assert!(!err.to_string().is_empty());
        }
        if let Err(err) = BaseInfo::read(&path) {
            assert!(!err.to_string().is_empty());
        }
    });
}

/// A LoRA file of one module of tiny-xl.
fn module(name: &str, parts: &[(&str, &[usize])]) -> Vec<u8> {
    let zeros = [0; 4096];
    let views = parts.iter().map(|(part, shape)| {
        let bytes = &zeros[..shape.iter().product()];
        let view = TensorView::new(Dtype::F8_E4M3, shape.to_vec(), bytes).unwrap();
        (format!("{name}.{part}"), view)
    });
    serialize(views.collect::<Vec<_>>(), None).unwrap()
}

/// Every kind of LoRA: what is damaged is refused in words, left out by name, or applied to a layer that it fits.
#[test]
fn fuzz_lora_files() {
    let linear = "lora_unet_input_blocks_4_1_proj_in";
    let conv = "unet.down_blocks.0.resnets.0.conv1";
    let files = [
        module(
            linear,
            &[
                ("lora_down", &[1, 64]),
                ("lora_up", &[64, 1]),
                ("alpha", &[]),
                ("dora_scale", &[64, 1]),
            ],
        ),
        module(
            linear,
            &[
                ("hada_w1_a", &[64, 1]),
                ("hada_w1_b", &[1, 64]),
                ("hada_w2_a", &[64, 1]),
                ("hada_w2_b", &[1, 64]),
            ],
        ),
        module(
            linear,
            &[
                ("lokr_w1", &[2, 2]),
                ("lokr_w2_a", &[32, 1]),
                ("lokr_w2_b", &[1, 32]),
                ("scalar", &[1]),
            ],
        ),
        module(linear, &[("diff", &[64, 64]), ("diff_b", &[64])]),
        module(linear, &[("set_weight", &[64, 64]), ("oft_blocks", &[1, 1, 1])]),
        module(
            conv,
            &[
                ("lora_A.weight", &[1, 32, 3, 3]),
                ("lora_B.weight", &[32, 1, 1, 1]),
            ],
        ),
        module(
            conv,
            &[
                ("lora_down", &[1, 32, 1, 1]),
                ("lora_mid", &[1, 1, 3, 3]),
                ("lora_up", &[32, 1, 1, 1]),
            ],
        ),
        module(
            conv,
            &[
                ("lokr_w1", &[4, 4]),
                ("lokr_t2", &[1, 1, 3, 3]),
                ("lokr_w2_a", &[1, 8]),
                ("lokr_w2_b", &[1, 8]),
            ],
        ),
        module(
            "lora_te2_text_model_final_layer_norm",
            &[("w_norm", &[32]), ("b_norm", &[32])],
        ),
        b"<!DOCTYPE html>".to_vec(),
    ];
    let base = BaseModel::built_in("tiny-xl").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.safetensors");
    sim::fuzz::run("lora_files", &files, |input| {
        std::fs::write(&path, input).unwrap();
        let lora = match Lora::open(&path) {
            Ok(lora) => lora,
            Err(err) => return assert!(!err.to_string().is_empty()),
        };
        let summary = lora.summary_for(&base);
        let weighted = Weighted {
            lora: &lora,
            weight: 1.0,
            partial: true,
        };
        match lora::adapters(&base, [weighted]) {
            Ok(set) => assert_eq!(set.keys().count(), summary.n_modules),
            Err(err) => assert!(!err.to_string().is_empty() && summary.n_modules == 0, "{err}"),
        }
    });
}

/// Names of the tensors by which the sizes of each part are told, and texts in the header that say what is predicted.
#[test]
fn fuzz_bases() {
    let unet = "model.diffusion_model.";
    let text = [
        "conditioner.embedders.0.transformer.",
        "text_encoders.clip_g.transformer.",
    ];
    let layers = text.map(|prefix| {
        (0..2)
            .map(move |i| format!("{prefix}text_model.encoder.layers.{i}."))
            .collect::<Vec<_>>()
    });
    let mut names: Vec<String> = layers
        .concat()
        .iter()
        .flat_map(|layer| {
            ["layer_norm1.weight", "mlp.fc1.weight", "mlp.fc1.bias"].map(|name| format!("{layer}{name}"))
        })
        .collect();
    names.extend(
        [
            "input_blocks.0.0.weight",
            "input_blocks.1.0.in_layers.2.bias",
            "input_blocks.2.0.op.bias",
            "input_blocks.3.0.emb_layers.1.bias",
            "input_blocks.3.1.transformer_blocks.0.attn2.to_k.weight",
            "middle_block.1.transformer_blocks.0.norm1.weight",
            "label_emb.0.0.weight",
            "out.2.bias",
        ]
        .map(|name| format!("{unet}{name}")),
    );
    names.extend(
        [
            "encoder.down.0.block.0.conv1.bias",
            "decoder.up.3.block.0.conv1.bias",
            "decoder.mid.attn_1.to_q.weight",
            "encoder.conv_out.bias",
            "quant_conv.bias",
        ]
        .map(|name| format!("first_stage_model.{name}")),
    );
    names.extend(["v_pred", "ztsnr", "model_ema.x", "hello"].map(str::to_owned));
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let files = [
        tensors(
            &names,
            &[
                ("modelspec.prediction_type", "v"),
                ("ss_zero_terminal_snr", "True"),
                (
                    "sd_merge_models",
                    r#"{"ab": {"name": "a", "metadata": "{\"prediction_type\": \"flow\"}", "sd_merge_recipe": [null, true]}}"#,
                ),
            ],
        ),
        tensors(&names[..names.len() / 2], &[]),
        tensors(
            &[
                "decoder.conv_in.weight",
                "encoder.mid_block.attentions.0.query.weight",
            ],
            &[],
        ),
    ];
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.safetensors");
    sim::fuzz::run("bases", &files, |input| {
        std::fs::write(&path, input).unwrap();
        for prediction in [None, Some(Prediction::Flow)] {
            let options = BaseOptions {
                prediction,
                ..BaseOptions::default()
            };
            if let Err(err) = BaseInfo::read_with(&path, &options) {
                let said = err.to_string();
                assert!(!said.is_empty() && said.len() < 20_000, "{} bytes", said.len());
            }
        }
        let own_vae = BaseOptions {
            vae: Some(path.clone()),
            ..BaseOptions::default()
        };
        if let Err(err) = BaseInfo::read_with(&path, &own_vae) {
            assert!(!err.to_string().is_empty());
        }
    });
}

/// What was understood can be written, and understood again.
fn again<T: DeserializeOwned + Serialize>(input: &[u8]) -> Option<T> {
    let read: T = serde_json::from_slice(input).ok()?;
    let written = serde_json::to_vec(&read).expect("what was read can be written");
    let second = serde_json::from_slice::<T>(&written);
    assert!(second.is_ok(), "{}", String::from_utf8_lossy(&written));
    Some(read)
}

const JOB: &str = r#"{"dataset_id":"01900000-0000-7000-8000-000000000000","base_model":"tiny-xl","name":"zora",
    "trigger_word":"zora","preset":"character","engine":"native","provider":"local","priority":-3,
    "parameters":{"rank":8,"alpha":4.5,"n_steps":100,"learning_rate":0.0001,"resolution":128,"seed":7},
    "sample_prompts":["zora, smiling"],"limit_micro_usd":5000000,"project":"comic","rental":{}}"#;

#[test]
fn fuzz_agents_messages() {
    let hash = "ab".repeat(32);
    let messages = [
        r#"{"fence":3,"events":[{"seq":1,"time":"2026-01-01T00:00:00Z","report":{"type":"stage","name":"a","done":1,"total":2}}]}"#.to_owned(),
        r#"{"fence":3,"events":[{"seq":1,"time":"2026-01-01T00:00:00Z","type":"log","level":"info","message":"a"}]}"#.to_owned(),
        r#"{"kinds":["train"],"wait_seconds":20}"#.to_owned(),
        r#"{"fence":1,"outcome":"succeeded","detail":"a"}"#.to_owned(),
        format!(
            r#"{{"fence":1,"kind":"sample","step":1,"prompt_index":0,"prompt":"a","seed":1,"file_name":"a.png","size_bytes":1,"sha256":"{hash}"}}"#
        ),
    ];
    sim::fuzz::run("agents_messages", &messages.map(String::into_bytes), |input| {
        again::<Heartbeat>(input);
        again::<ClaimRequest>(input);
        again::<Finish>(input);
        again::<NewArtifact>(input);
    });
}

#[test]
fn fuzz_jobs() {
    sim::fuzz::run("jobs", &[JOB.as_bytes().to_vec()], |input| {
        let Some(job) = again::<CreateJob>(input) else {
            return;
        };
        for class in [BaseClass::Tiny, BaseClass::Sdxl] {
            let request = RecipeRequest {
                engine: job.engine,
                base_model: job.base_model.clone(),
                name: job.name.clone(),
                trigger_word: job.trigger_word.clone(),
                preset: job.preset,
                overrides: job.parameters.clone(),
                sample_prompts: job.sample_prompts.clone(),
                start_from: job.start_from,
            };
            match Recipe::resolve(request, class) {
                Ok(recipe) => {
                    let written = serde_json::to_vec(&recipe).unwrap();
                    assert!(again::<Recipe>(&written).is_some(), "a valid recipe stays valid");
                }
                Err(errors) => assert!(errors.0.iter().all(|error| !error.message.is_empty())),
            }
        }
    });
}

/// Settings of other trainers, which people share.
#[test]
fn fuzz_foreign_settings() {
    let request = |overrides| RecipeRequest {
        base_model: "sdxl".to_owned(),
        name: "zora".to_owned(),
        sample_prompts: vec!["zora, smiling".into()],
        overrides,
        ..RecipeRequest::default()
    };
    let recipe = Recipe::resolve(request(ParameterOverrides::default()), Family::Sdxl).unwrap();
    let files = Format::ALL.map(|format| {
        let text = foreign::export(&recipe, format).text;
        assert_eq!(foreign::import(&text).unwrap().format, format, "{text}");
        text.into_bytes()
    });
    sim::fuzz::run("foreign_settings", &files, |input| {
        let Ok(imported) = foreign::import(&String::from_utf8_lossy(input)) else {
            return;
        };
        assert!(imported.left_out.iter().all(|left| !left.reason.is_empty()));
        if let Ok(recipe) = Recipe::resolve(request(imported.parameters), Family::Sdxl) {
            for format in Format::ALL {
                foreign::export(&recipe, format);
            }
        }
    });
}

#[test]
fn fuzz_base_sources() {
    let hash = "ab".repeat(32);
    let sources = [
        "/models/sdxl.safetensors".to_owned(),
        format!("https://user:PASSWORD@example.org:8080/a/b?token=SECRET#sha256={hash}"),
        "hf:owner/name@refs/pr/1:folder/file.safetensors".to_owned(),
        "https://[::ffff:127.0.0.1]/a".to_owned(),
        "edit:0195d1a0-0000-7000-8000-000000000001".to_owned(),
    ];
    sim::fuzz::run("base_sources", &sources.map(String::into_bytes), |input| {
        let text = String::from_utf8_lossy(input);
        if let Ok(source) = text.parse::<BaseSource>() {
            assert_eq!(source.to_string().parse(), Ok(source));
        }
        let shown = masked(&text);
        if let Ok(mut url) = text.parse::<reqwest::Url>()
            && url.has_host()
        {
            let secrets = [url.password(), url.query(), url.fragment()].map(|part| part.map(str::to_owned));
            url.set_password(None).ok();
            url.set_query(None);
            url.set_fragment(None);
            let others = url.as_str().to_lowercase();
            for secret in secrets.into_iter().flatten() {
                // Short ones are everywhere, and what stands in the host or in the path as well is no secret.
                let is_secret = secret.len() >= 6
                    && text.matches(&secret).count() < 2
                    && !others.contains(&secret.to_lowercase());
                assert!(
                    !is_secret || !shown.contains(&secret),
                    "`{text}` is shown as `{shown}`"
                );
            }
        }
    });
}
