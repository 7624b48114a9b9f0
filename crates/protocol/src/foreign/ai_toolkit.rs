//! ai-toolkit: its job files, as far as they train a LoRA for SDXL.
//!
//! Names, defaults and meaning as of commit 27a03a91 of ostris/ai-toolkit (`toolkit/config_modules.py`).

use serde_json::{Value as Json, json};

use super::{
    Exported, Format, Imported, NotSettings,
    draft::{Draft, stem},
    left_out, yaml,
};
use crate::{
    parameters::{LoraKind, LossKind, LrSchedule, Optimizer, Parameters, Words as _},
    recipe::Recipe,
    sample::SamplePrompt,
};

const OPTIMIZERS: [(&str, Optimizer); 7] = [
    ("adamw", Optimizer::Adamw),
    ("adamw8bit", Optimizer::Adamw8bit),
    ("adafactor", Optimizer::Adafactor),
    ("lion", Optimizer::Lion),
    ("prodigy", Optimizer::Prodigy),
    ("prodigyopt", Optimizer::Prodigy),
    ("dadaptation", Optimizer::DAdaptation),
];

const SCHEDULES: [(&str, LrSchedule); 4] = [
    ("constant", LrSchedule::Constant),
    ("constant_with_warmup", LrSchedule::Constant),
    ("linear", LrSchedule::Linear),
    ("cosine", LrSchedule::Cosine),
];

/// Reads a job file; of several processes the first counts.
pub(super) fn import(mut document: Json) -> Result<Imported, NotSettings> {
    let config = document["config"].take();
    let Json::Array(mut processes) = config["process"].clone() else {
        return Err(NotSettings::OtherTraining(
            "there is no config.process".to_owned(),
        ));
    };
    if processes.is_empty() {
        return Err(NotSettings::OtherTraining("config.process is empty".to_owned()));
    }
    let process = processes.remove(0);
    let model = &process["model"];
    let arch = model["arch"].as_str().unwrap_or_default();
    let is_xl = model["is_xl"].as_bool().unwrap_or(false) || arch.starts_with("sdxl");
    if !is_xl
        && (!arch.is_empty()
            || model
                .as_object()
                .is_some_and(|model| model.keys().any(|key| key.starts_with("is_"))))
    {
        return Err(NotSettings::OtherTraining(format!(
            "model.arch is {arch}, not sdxl"
        )));
    }
    let mut draft = Draft::new(Format::AiToolkit);
    draft.name = config["name"].as_str().map(str::to_owned);
    draft.put_all("", process);
    for (index, other) in processes.iter().enumerate() {
        draft.leave(
            &format!("process[{}]", index + 1),
            &other["type"],
            "is another process",
        );
    }
    for (key, value) in document.as_object().into_iter().flatten() {
        if !matches!(key.as_str(), "job" | "config") {
            draft.leave(key, value, "is about records of the other program");
        }
    }
    for (key, value) in config.as_object().into_iter().flatten() {
        if !matches!(key.as_str(), "name" | "process") {
            draft.leave(&format!("config.{key}"), value, "has no counterpart");
        }
    }
    for key in ["type", "model.arch", "model.is_xl", "model.is_v_pred"] {
        draft.take(key);
    }
    draft.base_model = draft.text("model.name_or_path").map(|path| stem(&path));
    draft.trigger_word = draft.text("trigger_word");
    network(&mut draft);
    training(&mut draft);
    optimizer(&mut draft);
    loss(&mut draft);
    datasets(&mut draft);
    samples(&mut draft);
    Ok(draft.finish())
}

fn network(draft: &mut Draft) {
    let rank = draft
        .number("network.linear")
        .or_else(|| draft.number("network.rank"));
    draft.take("network.rank");
    draft.set("rank", rank.unwrap_or(4.0) as i64);
    let alpha = draft.number("network.alpha");
    let alpha = draft.number("network.linear_alpha").or(alpha);
    draft.set("alpha", alpha.unwrap_or(1.0));
    let conv = draft.whole("network.conv");
    if let Some(conv) = conv {
        draft.set("conv_rank", conv);
        let alpha = draft.number("network.conv_alpha");
        draft.set("conv_alpha", alpha.unwrap_or(conv as f64));
    }
    draft.set_number("network.dropout", "network_dropout");
    let kind = draft.text("network.type").unwrap_or_else(|| "lora".to_owned());
    match kind.as_str() {
        "lora" | "locon" => {}
        "dora" => draft.set("kind", "dora"),
        "lokr" => {
            draft.set("kind", "lokr");
            let factor = draft.whole("network.lokr_factor").unwrap_or(-1);
            draft.set("lokr_factor", factor.max(0));
        }
        _ => draft.leave(
            "network.type",
            &json!(kind),
            "is a kind of network that Morpheus does not train",
        ),
    }
    draft.refuse(
        "network.pretrained_lora_path",
        "starts from another LoRA: choose it as the one to start from",
    );
    draft.take("network.transformer_only");
}

fn training(draft: &mut Draft) {
    let steps = draft.whole("train.steps").unwrap_or(1000);
    draft.set("n_steps", steps);
    draft.set_whole("train.batch_size", "batch_size");
    // The second name is the newer one.
    draft.set_whole("train.gradient_accumulation_steps", "gradient_accumulation");
    draft.set_whole("train.gradient_accumulation", "gradient_accumulation");
    let rate = draft.number("train.lr").unwrap_or(1e-6);
    let of_unet = draft.number("train.unet_lr").unwrap_or(rate);
    draft.set("learning_rate", of_unet);
    let of_text = draft.number("train.text_encoder_lr").unwrap_or(rate);
    let trains_text = draft.switch("train.train_text_encoder");
    for name in ["text_encoder_1_learning_rate", "text_encoder_2_learning_rate"] {
        draft.set(name, if trains_text { of_text } else { 0.0 });
    }
    if draft.has("train.train_unet") && !draft.switch("train.train_unet") {
        draft.leave(
            "train.train_unet",
            &json!(false),
            "trains no U-Net, which Morpheus always trains",
        );
    }
    let checkpoints =
        !draft.has("train.gradient_checkpointing") || draft.switch("train.gradient_checkpointing");
    draft.set("gradient_checkpointing", checkpoints);
    draft.set_number("train.max_grad_norm", "max_gradient_norm");
    if draft.switch("train.ema_config.use_ema") {
        let decay = draft.number("train.ema_config.ema_decay").unwrap_or(0.999);
        draft.set("ema_decay", decay);
    }
    draft.take("train.ema_config.ema_decay");
    let schedule = draft
        .text("train.lr_scheduler")
        .unwrap_or_else(|| "constant".to_owned());
    match SCHEDULES.iter().find(|(word, _)| *word == schedule) {
        Some((_, known)) => draft.set("lr_schedule", known.word()),
        None => {
            draft.leave(
                "train.lr_scheduler",
                &json!(schedule),
                "is a schedule that Morpheus does not have",
            );
            draft.set("lr_schedule", "constant");
        }
    }
    draft.set_whole("train.lr_scheduler_params.num_warmup_steps", "n_warmup_steps");
    if let Some(n_steps) = draft.whole("save.save_every").filter(|n_steps| *n_steps > 0) {
        draft.set("checkpoint_every_n_steps", n_steps);
    }
}

fn optimizer(draft: &mut Draft) {
    let name = draft
        .text("train.optimizer")
        .unwrap_or_else(|| "adamw".to_owned());
    let Some((_, optimizer)) = OPTIMIZERS.iter().find(|(word, _)| *word == name.to_lowercase()) else {
        draft.leave(
            "train.optimizer",
            &json!(name),
            "is an optimizer that Morpheus does not have",
        );
        return;
    };
    draft.set("optimizer", optimizer.word());
    let decay = if matches!(optimizer, Optimizer::Adamw | Optimizer::Adamw8bit) {
        0.01
    } else {
        0.0
    };
    draft.set("weight_decay", decay);
    draft.set_number("train.optimizer_params.weight_decay", "weight_decay");
    draft.set_number("train.optimizer_params.eps", "epsilon");
    if let Some(Json::Array(betas)) = draft.take("train.optimizer_params.betas") {
        for (beta, name) in betas.into_iter().zip(["beta1", "beta2"]) {
            draft.set(name, beta);
        }
    }
    let mut own = Vec::new();
    for argument in optimizer.arguments() {
        let value = draft.take(&format!("train.optimizer_params.{}", argument.name));
        own.extend(value.map(|value| format!("{}={value}", argument.name)));
    }
    draft.set("optimizer_arguments", own);
}

fn loss(draft: &mut Draft) {
    // They weight in the same way; the first is the older name.
    draft.set_number("train.snr_gamma", "min_snr_gamma");
    draft.set_number("train.min_snr_gamma", "min_snr_gamma");
    draft.set_number("train.noise_offset", "noise_offset");
    match draft.text("train.loss_type").as_deref() {
        None | Some("mse") => {}
        Some("mae") => draft.set("loss", "l1"),
        Some("pseudo_huber") => draft.set("loss", "huber"),
        Some(other) => {
            let other = json!(other);
            draft.leave("train.loss_type", &other, "is a loss that Morpheus does not have");
        }
    }
    if let Some(least) = draft.whole("train.min_denoising_steps") {
        draft.set("min_timestep", least);
    }
    // The last is trained too.
    if let Some(most) = draft.whole("train.max_denoising_steps") {
        draft.set("max_timestep", most + 1);
    }
    if draft.switch("train.diff_output_preservation") {
        let strength = draft
            .number("train.diff_output_preservation_multiplier")
            .unwrap_or(1.0);
        draft.set("output_preservation", strength);
    }
    draft.take("train.diff_output_preservation_multiplier");
}

/// Settings of the first folder; the others are other pictures.
fn datasets(draft: &mut Draft) {
    draft.set("resolution", 512);
    let Some(Json::Array(datasets)) = draft.take("datasets") else {
        return;
    };
    for (index, dataset) in datasets.iter().enumerate() {
        let at = |key: &str| format!("datasets[{index}].{key}");
        if index > 0 {
            draft.leave(
                &at("folder_path"),
                &dataset["folder_path"],
                "is another folder: upload its pictures to the dataset",
            );
            continue;
        }
        let Some(fields) = dataset.as_object() else {
            continue;
        };
        for (key, value) in fields {
            match key.as_str() {
                "caption_dropout_rate" => draft.set("caption_dropout", value.clone()),
                "shuffle_tokens" => draft.set("shuffle_tags", value.clone()),
                "keep_tokens" => draft.set("keep_tokens", value.clone()),
                "token_dropout_rate" => draft.set("tag_dropout", value.clone()),
                "resolution" => {
                    let sides: Vec<&Json> = value
                        .as_array()
                        .map_or_else(|| vec![value], |all| all.iter().collect());
                    if let Some(largest) = sides.iter().filter_map(|side| side.as_i64()).max() {
                        draft.set("resolution", largest);
                    }
                    if sides.len() > 1 {
                        draft
                            .notes
                            .push("of several resolutions, the largest is kept".to_owned());
                    }
                }
                "caption_ext" | "folder_path" | "cache_latents_to_disk" | "cache_latents" => {}
                _ => draft.put(at(key), value.clone()),
            }
        }
    }
}

fn samples(draft: &mut Draft) {
    if let Some(n_steps) = draft.whole("sample.sample_every").filter(|n_steps| *n_steps > 0) {
        draft.set("sample_every_n_steps", n_steps);
    }
    // It renders the base alone unless it is told not to.
    let skips = draft.switch("train.skip_first_sample") || draft.switch("train.disable_sampling");
    let forces = draft.switch("train.force_first_sample");
    draft.set("sample_at_start", forces || !skips);
    let whole = |draft: &mut Draft, key: &str| draft.whole(key).and_then(|value| u32::try_from(value).ok());
    let usual = SamplePrompt {
        negative_prompt: draft.text("sample.neg"),
        width: whole(draft, "sample.width"),
        height: whole(draft, "sample.height"),
        n_steps: whole(draft, "sample.sample_steps"),
        guidance: draft.number("sample.guidance_scale"),
        ..SamplePrompt::default()
    };
    let seed = draft
        .whole("sample.seed")
        .and_then(|seed| u64::try_from(seed).ok());
    let walks = draft.switch("sample.walk_seed");
    draft.take("sample.sampler");
    let prompts: Vec<String> = match draft.take("sample.prompts") {
        Some(Json::Array(prompts)) => prompts
            .iter()
            .filter_map(|prompt| prompt.as_str().map(str::to_owned))
            .collect(),
        _ => match draft.take("sample.samples") {
            Some(Json::Array(samples)) => samples
                .iter()
                .filter_map(|sample| sample["prompt"].as_str().map(str::to_owned))
                .collect(),
            _ => Vec::new(),
        },
    };
    let word = draft.trigger_word.clone().unwrap_or_default();
    for (index, prompt) in prompts.into_iter().enumerate() {
        draft.sample_prompts.push(SamplePrompt {
            prompt: prompt.replace("[trigger]", &word),
            seed: seed.map(|seed| if walks { seed + index as u64 } else { seed }),
            ..usual.clone()
        });
    }
}

/// As a job file.
pub(super) fn export(recipe: &Recipe) -> Exported {
    let p = recipe.parameters();
    let optimizer = OPTIMIZERS.iter().find(|(_, optimizer)| *optimizer == p.optimizer);
    let schedule = SCHEDULES.iter().find(|(_, schedule)| *schedule == p.lr_schedule);
    let kind = match p.kind {
        LoraKind::Lokr => "lokr",
        LoraKind::Dora => "dora",
        LoraKind::Lora | LoraKind::Loha | LoraKind::TLora => "lora",
    };
    let loss = match p.loss {
        LossKind::L1 => "mae",
        LossKind::Huber => "pseudo_huber",
        LossKind::L2 | LossKind::SmoothL1 => "mse",
    };
    let text = yaml::written;
    let mut lines = vec![
        "job: extension".to_owned(),
        "config:".to_owned(),
        format!("  name: {}", text(recipe.name())),
        "  process:".to_owned(),
        "    - type: sd_trainer".to_owned(),
        "      training_folder: output".to_owned(),
        "      device: cuda:0".to_owned(),
    ];
    if let Some(word) = recipe.trigger_word() {
        lines.push(format!("      trigger_word: {}", text(word)));
    }
    let mut section = |name: &str, entries: Vec<(&str, String)>| {
        lines.push(format!("      {name}:"));
        lines.extend(
            entries
                .into_iter()
                .map(|(key, value)| format!("        {key}: {value}")),
        );
    };
    let mut network = vec![
        ("type", kind.to_owned()),
        ("linear", p.rank.to_string()),
        ("linear_alpha", format!("{:?}", p.alpha)),
    ];
    if p.conv_rank > 0 {
        network.push(("conv", p.conv_rank.to_string()));
        network.push(("conv_alpha", format!("{:?}", p.conv_alpha)));
    }
    if p.kind == LoraKind::Lokr {
        let factor = if p.lokr_factor == 0 {
            -1
        } else {
            i64::from(p.lokr_factor)
        };
        network.push(("lokr_factor", factor.to_string()));
    }
    if p.network_dropout > 0.0 {
        network.push(("dropout", format!("{:?}", p.network_dropout)));
    }
    section("network", network);
    section(
        "save",
        vec![
            ("dtype", "float16".to_owned()),
            (
                "save_every",
                or_at_the_end(p.checkpoint_every_n_steps, p).to_string(),
            ),
        ],
    );
    let mut train = vec![
        ("batch_size", p.batch_size.to_string()),
        ("steps", p.n_steps.to_string()),
        ("gradient_accumulation", p.gradient_accumulation.to_string()),
        ("gradient_checkpointing", p.gradient_checkpointing.to_string()),
        ("noise_scheduler", "ddpm".to_owned()),
        (
            "optimizer",
            optimizer.map_or("adamw", |(word, _)| word).to_owned(),
        ),
        ("lr", format!("{:?}", p.learning_rate)),
        (
            "lr_scheduler",
            schedule.map_or("constant", |(word, _)| word).to_owned(),
        ),
        ("train_unet", "true".to_owned()),
        ("train_text_encoder", p.trains_text_encoders().to_string()),
        ("max_grad_norm", format!("{:?}", p.max_gradient_norm)),
        ("noise_offset", format!("{:?}", p.noise_offset)),
        ("loss_type", loss.to_owned()),
        ("min_denoising_steps", p.min_timestep.to_string()),
        ("max_denoising_steps", (p.max_timestep - 1).to_string()),
        ("skip_first_sample", (!p.sample_at_start).to_string()),
        ("dtype", "bf16".to_owned()),
    ];
    if p.trains_text_encoders() {
        train.push(("text_encoder_lr", format!("{:?}", p.text_encoder_1_learning_rate)));
    }
    if p.min_snr_gamma > 0.0 {
        train.push(("min_snr_gamma", format!("{:?}", p.min_snr_gamma)));
    }
    if p.output_preservation > 0.0 {
        train.push(("diff_output_preservation", "true".to_owned()));
        train.push((
            "diff_output_preservation_multiplier",
            format!("{:?}", p.output_preservation),
        ));
    }
    section("train", train);
    lines.push("        optimizer_params:".to_owned());
    lines.push(format!("          weight_decay: {:?}", p.weight_decay));
    lines.push(format!("          betas: [{:?}, {:?}]", p.beta1, p.beta2));
    for (argument, value) in p
        .optimizer_values()
        .filter(|(argument, value)| *value != argument.default)
    {
        lines.push(format!("          {}: {}", argument.name, value.to_json()));
    }
    if p.n_warmup_steps > 0 {
        lines.push("        lr_scheduler_params:".to_owned());
        lines.push(format!("          num_warmup_steps: {}", p.n_warmup_steps));
    }
    if p.ema_decay > 0.0 {
        lines.push("        ema_config:".to_owned());
        lines.push("          use_ema: true".to_owned());
        lines.push(format!("          ema_decay: {:?}", p.ema_decay));
    }
    lines.extend([
        "      model:".to_owned(),
        format!("        name_or_path: {}", text(recipe.base_model())),
        "        arch: sdxl".to_owned(),
        "      datasets:".to_owned(),
        "        - folder_path: /path/to/pictures".to_owned(),
        "          caption_ext: txt".to_owned(),
        format!("          caption_dropout_rate: {:?}", p.caption_dropout),
        format!("          shuffle_tokens: {}", p.shuffle_tags),
        format!("          keep_tokens: {}", p.keep_tokens),
        format!("          token_dropout_rate: {:?}", p.tag_dropout),
        format!("          resolution: [{}]", p.resolution),
        "      sample:".to_owned(),
        "        sampler: ddpm".to_owned(),
        format!(
            "        sample_every: {}",
            or_at_the_end(p.sample_every_n_steps, p)
        ),
        format!("        width: {}", p.resolution),
        format!("        height: {}", p.resolution),
        "        prompts:".to_owned(),
    ]);
    lines.extend(
        recipe
            .sample_prompts()
            .iter()
            .map(|sample| format!("          - {}", text(&sample.prompt))),
    );
    Exported {
        format: Format::AiToolkit,
        file_name: format!("{}.yaml", recipe.name()),
        text: lines.join("\n") + "\n",
        left_out: left_out(recipe, |definition, _| match definition.name {
            "optimizer" => optimizer.is_some(),
            "lr_schedule" => schedule.is_some(),
            "loss" => p.loss != LossKind::SmoothL1,
            "kind" => matches!(p.kind, LoraKind::Lora | LoraKind::Dora | LoraKind::Lokr),
            "text_encoder_2_learning_rate" => {
                p.text_encoder_1_learning_rate == p.text_encoder_2_learning_rate
            }
            // There is always an interval: that of the whole training stands for none.
            "checkpoint_every_n_steps" => p.checkpoint_every_n_steps > 0,
            "sample_every_n_steps" => p.sample_every_n_steps > 0,
            name => COVERED.contains(&name),
        }),
    }
}

fn or_at_the_end(n_steps: u32, p: &Parameters) -> u32 {
    if n_steps > 0 { n_steps } else { p.n_steps }
}

const COVERED: &[&str] = &[
    "n_steps",
    "n_views",
    "learning_rate",
    "n_warmup_steps",
    "batch_size",
    "gradient_accumulation",
    "rank",
    "alpha",
    "lokr_factor",
    "conv_rank",
    "conv_alpha",
    "network_dropout",
    "text_encoder_1_learning_rate",
    "beta1",
    "beta2",
    "weight_decay",
    "optimizer_arguments",
    "max_gradient_norm",
    "ema_decay",
    "gradient_checkpointing",
    "min_snr_gamma",
    "min_timestep",
    "max_timestep",
    "noise_offset",
    "output_preservation",
    "caption_dropout",
    "shuffle_tags",
    "keep_tokens",
    "tag_dropout",
    "resolution",
    "checkpoint_every_n_steps",
    "sample_every_n_steps",
    "sample_at_start",
];
