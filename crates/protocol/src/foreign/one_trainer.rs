//! OneTrainer: its configuration files.
//!
//! Names, defaults and meaning as of commit 23df3832 of Nerogar/OneTrainer (`modules/util/config`).

mod export;

use serde_json::{Map, Value as Json, json};

pub(super) use self::export::export;
use super::{
    Format, Imported, NotSettings,
    draft::{Draft, stem},
};
use crate::{
    parameters::{LrSchedule, Optimizer, Words as _},
    sample::SamplePrompt,
};

/// What stands there for each optimizer.
const OPTIMIZERS: [(&str, Optimizer); 9] = [
    ("ADAMW", Optimizer::Adamw),
    ("ADAMW_8BIT", Optimizer::Adamw8bit),
    ("ADAFACTOR", Optimizer::Adafactor),
    ("LION", Optimizer::Lion),
    ("PRODIGY", Optimizer::Prodigy),
    ("PRODIGY_PLUS_SCHEDULE_FREE", Optimizer::ProdigyScheduleFree),
    ("DADAPT_ADAM", Optimizer::DAdaptation),
    ("SCHEDULE_FREE_ADAMW", Optimizer::AdamwScheduleFree),
    ("CAME", Optimizer::Came),
];

const SCHEDULES: [(&str, LrSchedule); 5] = [
    ("CONSTANT", LrSchedule::Constant),
    ("LINEAR", LrSchedule::Linear),
    ("COSINE", LrSchedule::Cosine),
    ("COSINE_WITH_HARD_RESTARTS", LrSchedule::CosineWithRestarts),
    ("REX", LrSchedule::Rex),
];

/// Parts of other models, and what must not be shown.
/// Changes of pictures without a counterpart.
const LEFT_COLORS: &str = "has no counterpart: color_jitter changes hue and gamma a little";
const OTHER_PARTS: &[&str] = &[
    "prior",
    "transformer",
    "unconditional_transformer",
    "text_encoder_3",
    "text_encoder_4",
    "text_encoder_3_layer_skip",
    "text_encoder_4_layer_skip",
    "effnet_encoder",
    "decoder",
    "decoder_text_encoder",
    "decoder_vqgan",
    "embedding",
    "additional_embeddings",
    "cloud",
    "secrets",
    "quantization",
];

/// Reads a configuration.
pub(super) fn import(fields: Map<String, Json>) -> Result<Imported, NotSettings> {
    let word = |key: &str| {
        fields
            .get(key)
            .and_then(Json::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let (method, model) = (word("training_method"), word("model_type"));
    if method != "LORA" {
        return Err(NotSettings::OtherTraining(format!(
            "training_method is {method}, not LORA"
        )));
    }
    if !model.starts_with("STABLE_DIFFUSION_XL") {
        return Err(NotSettings::OtherTraining(format!(
            "model_type is {model}, not SDXL"
        )));
    }
    let mut draft = Draft::new(Format::OneTrainer);
    for (key, value) in fields {
        draft.put_all(&key, value);
    }
    draft.forget(OTHER_PARTS);
    for key in ["training_method", "model_type", "optimizer_defaults", "__version"] {
        draft.take(key);
    }
    draft.base_model = draft.text("base_model_name").map(|path| stem(&path));
    draft.name = draft.text("output_model_destination").map(|path| stem(&path));
    network(&mut draft);
    rates(&mut draft);
    optimizer(&mut draft);
    schedule(&mut draft);
    loss(&mut draft);
    noise(&mut draft);
    captions(&mut draft);
    files(&mut draft);
    Ok(draft.finish())
}

fn network(draft: &mut Draft) {
    draft.set("rank", 16);
    draft.set("alpha", 1.0);
    draft.set_whole("lora_rank", "rank");
    draft.set_number("lora_alpha", "alpha");
    let is_dora = draft.switch("lora_decompose");
    let kind = draft.text("peft_type").unwrap_or_else(|| "LORA".to_owned());
    let kind = match kind.as_str() {
        "LORA" if is_dora => "dora",
        "LORA" => "lora",
        "LOHA" => "loha",
        "LOKR" => {
            draft.set_whole("lokr_dim", "rank");
            let factor = draft.whole("lokr_decompose_factor").unwrap_or(-1);
            draft.set("lokr_factor", factor.max(0));
            "lokr"
        }
        _ => {
            draft.leave(
                "peft_type",
                &json!(kind),
                "is a kind of network that Morpheus does not train",
            );
            "lora"
        }
    };
    draft.set("kind", kind);
    for key in [
        "lokr_dim",
        "lokr_decompose_factor",
        "lora_decompose_norm_epsilon",
        "lokr_dora_on_output",
        "lokr_vec_trick",
    ] {
        draft.take(key);
    }
    draft.set_number("dropout_probability", "network_dropout");
    draft.refuse(
        "lora_model_name",
        "starts from another LoRA: choose it as the one to start from",
    );
    if draft
        .text("layer_filter_preset")
        .is_some_and(|preset| preset != "full")
    {
        draft.notes.push(
            "the filter of layers was left out: all layers of the U-Net's blocks are trained".to_owned(),
        );
    }
}

fn rates(draft: &mut Draft) {
    let rate = draft.number("learning_rate").unwrap_or(3e-6);
    let of_part = |draft: &mut Draft, part: &str| {
        let own = draft.number(&format!("{part}.learning_rate"));
        // Trained unless it is said.
        let key = format!("{part}.train");
        let is_trained = !draft.has(&key) || draft.switch(&key);
        if is_trained { own.unwrap_or(rate) } else { 0.0 }
    };
    let of_unet = of_part(draft, "unet");
    if of_unet == 0.0 {
        draft.leave(
            "unet.train",
            &json!(false),
            "trains no U-Net, which Morpheus always trains",
        );
    }
    draft.set("learning_rate", if of_unet == 0.0 { rate } else { of_unet });
    for (part, name) in [
        ("text_encoder", "text_encoder_1_learning_rate"),
        ("text_encoder_2", "text_encoder_2_learning_rate"),
    ] {
        let of_text = of_part(draft, part);
        draft.set(name, of_text);
        draft.refuse(&format!("{part}_layer_skip"), "has no effect on SDXL here");
    }
    let checkpoints = draft.switch("unet.gradient_checkpointing");
    draft.set("gradient_checkpointing", checkpoints);
    if let Some(n_epochs) = draft
        .whole("epochs")
        .and_then(|epochs| u32::try_from(epochs).ok())
    {
        draft.n_epochs = Some(n_epochs);
    }
    draft.set_whole("batch_size", "batch_size");
    draft.set_whole("gradient_accumulation_steps", "gradient_accumulation");
    match draft.text("ema").as_deref() {
        Some("GPU" | "CPU") => draft.set_number("ema_decay", "ema_decay"),
        _ => drop(draft.take("ema_decay")),
    }
    draft.take("ema_update_step_interval");
    // Null switches it off.
    let standard = if draft.has("clip_grad_norm") { 0.0 } else { 1.0 };
    let norm = draft.number("clip_grad_norm");
    draft.set("max_gradient_norm", norm.unwrap_or(standard));
}

fn optimizer(draft: &mut Draft) {
    let name = draft
        .text("optimizer.optimizer")
        .unwrap_or_else(|| "ADAMW".to_owned());
    let Some((_, optimizer)) = OPTIMIZERS.iter().find(|(word, _)| *word == name) else {
        draft.leave(
            "optimizer.optimizer",
            &json!(name),
            "is an optimizer that Morpheus does not have",
        );
        return;
    };
    draft.set("optimizer", optimizer.word());
    let has = |name: &str| optimizer.arguments().iter().any(|argument| argument.name == name);
    for name in ["beta1", "beta2", "weight_decay"] {
        if !has(name) {
            draft.set_number(&format!("optimizer.{name}"), name);
        }
    }
    let (eps, eps2) = (draft.number("optimizer.eps"), draft.number("optimizer.eps2"));
    let mut own = Vec::new();
    if has("eps1") {
        own.extend(eps.map(|eps| format!("eps1={eps:?}")));
        own.extend(eps2.map(|eps2| format!("eps2={eps2:?}")));
    } else if let Some(eps) = eps {
        draft.set("epsilon", eps);
    }
    for argument in optimizer.arguments() {
        let key = format!("optimizer.{}", argument.name);
        match draft.take(&key) {
            Some(Json::Bool(value)) => own.push(format!("{}={value}", argument.name)),
            Some(Json::Number(value)) => own.push(format!("{}={value}", argument.name)),
            // `inf` is no limit, which is the default.
            Some(Json::String(_)) | None => {}
            Some(other) => draft.leave(&key, &other, "is not a number"),
        }
    }
    draft.set("optimizer_arguments", own);
    // On unless they are switched off, and without effect on what is trained here.
    for key in [
        "stochastic_rounding",
        "foreach",
        "decouple",
        "split_groups",
        "split_groups_mean",
        "factored",
        "factored_fp32",
        "use_stableadamw",
        "weight_decay_by_lr",
        "rms_rescaling",
        "d_limiter",
        "use_schedulefree",
    ] {
        draft.take(&format!("optimizer.{key}"));
    }
}

fn schedule(draft: &mut Draft) {
    let name = draft
        .text("learning_rate_scheduler")
        .unwrap_or_else(|| "CONSTANT".to_owned());
    let found = SCHEDULES.iter().find(|(word, _)| *word == name);
    match found {
        Some((_, schedule)) => draft.set("lr_schedule", schedule.word()),
        None => {
            draft.leave(
                "learning_rate_scheduler",
                &json!(name),
                "is a schedule that Morpheus does not have",
            );
            draft.set("lr_schedule", "constant");
        }
    }
    let is_free = draft
        .now("optimizer")
        .and_then(Json::as_str)
        .is_some_and(|word| word.ends_with("schedule_free"));
    if is_free {
        draft.set("lr_schedule", "constant");
    }
    if let Some(cycles) = draft
        .number("learning_rate_cycles")
        .filter(|_| name.contains("RESTARTS"))
    {
        draft.set("n_cycles", cycles.max(1.0) as i64);
    }
    if name != "CONSTANT" {
        draft.set_number("learning_rate_min_factor", "min_lr_ratio");
    }
    if let Some(steps) = draft
        .number("learning_rate_warmup_steps")
        .filter(|steps| *steps > 0.0)
    {
        if steps > 1.0 {
            draft.set("n_warmup_steps", steps as i64);
        } else {
            draft.leave(
                "learning_rate_warmup_steps",
                &json!(steps),
                "is a share of the steps, which follow from the epochs: set the warm-up by hand",
            );
        }
    }
    draft.refuse(
        "learning_rate_scaler",
        "scales the learning rate by the batch: write the scaled one",
    );
}

fn loss(draft: &mut Draft) {
    let mut strength = |key: &str, standard: f64| draft.number(key).unwrap_or(standard);
    let strengths = [
        ("l2", strength("mse_strength", 1.0)),
        ("l1", strength("mae_strength", 0.0)),
        ("huber", strength("huber_strength", 0.0)),
    ];
    let used: Vec<_> = strengths.iter().filter(|(_, strength)| *strength > 0.0).collect();
    match used.as_slice() {
        [(word, _)] => draft.set("loss", *word),
        _ => draft
            .notes
            .push("several losses were mixed: the squared error alone is kept".to_owned()),
    }
    if draft.now("loss").and_then(Json::as_str) == Some("huber") {
        draft.set_number("huber_delta", "huber_c");
        draft.set("huber_schedule", "constant");
    } else {
        draft.take("huber_delta");
    }
    draft.take("vb_loss_strength");
    if draft.switch("masked_training") {
        draft.set("masked_loss", true);
        let rest = draft.number("unmasked_weight").unwrap_or(0.1);
        draft.set("unmasked_weight", rest);
    } else {
        draft.take("unmasked_weight");
        draft.take("unmasked_probability");
    }
    let gamma = draft.number("loss_weight_strength").unwrap_or(5.0);
    match draft.text("loss_weight_fn").as_deref() {
        None | Some("CONSTANT") => {}
        Some("MIN_SNR_GAMMA") => draft.set("min_snr_gamma", gamma),
        Some("DEBIASED_ESTIMATION") => draft.set("debiased", true),
        Some(other) => {
            let other = json!(other);
            draft.leave(
                "loss_weight_fn",
                &other,
                "is a weighting that Morpheus does not have",
            );
        }
    }
}

fn noise(draft: &mut Draft) {
    draft.set_number("offset_noise_weight", "noise_offset");
    // Shares of all timesteps.
    if let Some(least) = draft.number("min_noising_strength") {
        draft.set("min_timestep", (least * 1000.0) as i64);
    }
    if let Some(most) = draft.number("max_noising_strength") {
        draft.set("max_timestep", (most * 1000.0).ceil() as i64);
    }
    let (weight, bias) = (draft.number("noising_weight"), draft.number("noising_bias"));
    match draft.text("timestep_distribution").as_deref() {
        None | Some("UNIFORM") => {}
        Some("LOGIT_NORMAL") => {
            draft.set("timestep_distribution", "logit_normal");
            draft.set("timestep_bias", bias.unwrap_or(0.0));
            draft.set("timestep_scale", weight.unwrap_or(0.0) + 1.0);
        }
        Some(other) => {
            let other = json!(other);
            draft.leave(
                "timestep_distribution",
                &other,
                "is a distribution that Morpheus does not have",
            );
        }
    }
    draft.set_number("timestep_shift", "timestep_shift");
    for key in [
        "rescale_noise_scheduler_to_zero_terminal_snr",
        "force_v_prediction",
        "force_epsilon_prediction",
    ] {
        draft.refuse(key, "follows from what the base model predicts");
    }
}

/// Captions are settings of a concept there; those of the first that stands in the file are taken.
fn captions(draft: &mut Draft) {
    let resolution = draft.text("resolution").unwrap_or_else(|| "512".to_owned());
    let side: Vec<&str> = resolution.split(',').map(str::trim).collect();
    match side.first().and_then(|side| side.parse::<i64>().ok()) {
        Some(pixels) => draft.set("resolution", pixels),
        None => draft.leave("resolution", &json!(resolution), "is not a number of pixels"),
    }
    if side.len() > 1 {
        draft
            .notes
            .push("of several resolutions, the first is kept".to_owned());
    }
    if draft.has("aspect_ratio_bucketing") && !draft.switch("aspect_ratio_bucketing") {
        draft.square_buckets_alone();
    }
    let Some(Json::Array(concepts)) = draft.take("concepts") else {
        return;
    };
    for (index, concept) in concepts.iter().enumerate() {
        if index > 0 {
            draft.leave(
                &format!("concepts[{index}]"),
                &concept["path"],
                "is another folder: upload its pictures to the dataset",
            );
            continue;
        }
        let is_flipped = concept["image"]["enable_random_flip"].as_bool();
        draft.set("random_flip", is_flipped.unwrap_or(false));
        let is_cropped = concept["image"]["enable_crop_jitter"].as_bool();
        draft.set("random_crop", is_cropped.unwrap_or(false));
        for change in ["rotate", "brightness", "contrast", "saturation", "hue"] {
            let key = format!("enable_random_{change}");
            let value = &concept["image"][&key];
            if value.as_bool() == Some(true) {
                draft.leave(&format!("concepts[{index}].image.{key}"), value, LEFT_COLORS);
            }
        }
        let text = &concept["text"];
        draft.set(
            "shuffle_tags",
            text["enable_tag_shuffling"].as_bool().unwrap_or(false),
        );
        draft.set("keep_tokens", text["keep_tags_count"].as_i64().unwrap_or(0));
        if let Some(delimiter) = text["tag_delimiter"]
            .as_str()
            .filter(|delimiter| !delimiter.is_empty())
        {
            draft.set("tag_separator", delimiter);
        }
    }
}

fn files(draft: &mut Draft) {
    let validates = draft.switch("validation");
    for (key, name, is_used) in [
        ("sample_after", "sample", true),
        ("save_every", "checkpoint", true),
        ("validate_after", "validate", validates),
    ] {
        let unit = draft.text(&format!("{key}_unit")).unwrap_or_default();
        match (unit.as_str(), draft.number(key)) {
            _ if !is_used => {}
            ("STEP", Some(n)) => draft.set(&format!("{name}_every_n_steps"), n as i64),
            ("EPOCH", Some(n)) => draft.set(&format!("{name}_every_n_epochs"), n as i64),
            ("NEVER" | "", _) | (_, None) => {}
            (unit, Some(n)) => {
                let value = json!(format!("{n} {}", unit.to_lowercase()));
                draft.leave(key, &value, "is counted in steps or epochs here");
            }
        }
    }
    let Some(Json::Array(samples)) = draft.take("samples") else {
        return;
    };
    for sample in samples {
        let whole = |key: &str| sample[key].as_u64().and_then(|value| u32::try_from(value).ok());
        draft.sample_prompts.push(SamplePrompt {
            prompt: sample["prompt"].as_str().unwrap_or_default().to_owned(),
            negative_prompt: sample["negative_prompt"]
                .as_str()
                .filter(|text| !text.is_empty())
                .map(str::to_owned),
            seed: sample["seed"].as_u64(),
            width: whole("width"),
            height: whole("height"),
            n_steps: whole("diffusion_steps"),
            guidance: sample["cfg_scale"].as_f64(),
            ..SamplePrompt::default()
        });
    }
}
