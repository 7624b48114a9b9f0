//! A recipe as a configuration of OneTrainer.

use serde_json::{Value as Json, json};

use super::{
    super::{Exported, Format, LeftOut, left_out},
    OPTIMIZERS, SCHEDULES,
};
use crate::{
    parameters::{HuberSchedule, LoraKind, LossKind, Parameters, Words as _},
    recipe::Recipe,
};

/// As a configuration that the form loads; what stands in it replaces the program's defaults.
pub(in super::super) fn export(recipe: &Recipe) -> Exported {
    let p = recipe.parameters();
    let optimizer = OPTIMIZERS.iter().find(|(_, optimizer)| *optimizer == p.optimizer);
    let schedule = SCHEDULES.iter().find(|(_, schedule)| *schedule == p.lr_schedule);
    let mut own = json!({
        "optimizer": optimizer.map_or("ADAMW", |(word, _)| word),
        "beta1": p.beta1, "beta2": p.beta2, "eps": p.epsilon, "weight_decay": p.weight_decay,
    });
    for (argument, value) in p.optimizer_values() {
        match (argument.name, value.to_json()) {
            // No limit.
            (_, Json::Null) => {}
            ("eps1", value) => own["eps"] = value,
            // None is the default there.
            ("beta1", value) if value.as_f64() == Some(0.0) => own["beta1"] = Json::Null,
            (name, value) => own[name] = value,
        }
    }
    let part = |rate: f64| json!({ "train": rate > 0.0, "learning_rate": rate });
    let mut value = json!({
        "__version": 10,
        "training_method": "LORA",
        "model_type": "STABLE_DIFFUSION_XL_10_BASE",
        "base_model_name": recipe.base_model(),
        "output_model_destination": format!("{}.safetensors", recipe.name()),
        "peft_type": match p.kind {
            LoraKind::Loha => "LOHA",
            LoraKind::Lokr => "LOKR",
            LoraKind::Lora | LoraKind::Dora | LoraKind::TLora => "LORA",
        },
        "lora_rank": p.rank, "lora_alpha": p.alpha, "lora_decompose": p.kind == LoraKind::Dora,
        "lokr_dim": p.rank,
        "lokr_decompose_factor": if p.lokr_factor == 0 { -1 } else { i64::from(p.lokr_factor) },
        "dropout_probability": p.network_dropout,
        "learning_rate": p.learning_rate,
        "unet": { "train": true, "learning_rate": p.learning_rate, "gradient_checkpointing": p.gradient_checkpointing },
        "text_encoder": part(p.text_encoder_1_learning_rate),
        "text_encoder_2": part(p.text_encoder_2_learning_rate),
        "learning_rate_scheduler": schedule.map_or("CONSTANT", |(word, _)| word),
        "learning_rate_warmup_steps": p.n_warmup_steps, "learning_rate_cycles": p.n_cycles,
        "learning_rate_min_factor": p.min_lr_ratio,
        "batch_size": p.batch_size, "gradient_accumulation_steps": p.gradient_accumulation,
        "ema": if p.ema_decay > 0.0 { "GPU" } else { "OFF" },
        "ema_decay": if p.ema_decay > 0.0 { p.ema_decay } else { 0.999 },
        "resolution": p.resolution.to_string(),
        "mse_strength": strength(p, LossKind::L2), "mae_strength": strength(p, LossKind::L1),
        "huber_strength": strength(p, LossKind::Huber), "huber_delta": p.huber_c,
        "loss_weight_fn": if p.debiased {
            "DEBIASED_ESTIMATION"
        } else if p.min_snr_gamma > 0.0 {
            "MIN_SNR_GAMMA"
        } else {
            "CONSTANT"
        },
        "loss_weight_strength": if p.min_snr_gamma > 0.0 { p.min_snr_gamma } else { 5.0 },
        "clip_grad_norm": if p.max_gradient_norm > 0.0 { json!(p.max_gradient_norm) } else { Json::Null },
        "offset_noise_weight": p.noise_offset,
        "min_noising_strength": f64::from(p.min_timestep) / 1000.0,
        "max_noising_strength": f64::from(p.max_timestep) / 1000.0,
        "optimizer": own,
    });
    for (name, unit, n_steps, n_epochs) in [
        (
            "sample_after",
            "sample_after_unit",
            p.sample_every_n_steps,
            p.sample_every_n_epochs,
        ),
        (
            "save_every",
            "save_every_unit",
            p.checkpoint_every_n_steps,
            p.checkpoint_every_n_epochs,
        ),
        (
            "validate_after",
            "validate_after_unit",
            p.validate_every_n_steps,
            p.validate_every_n_epochs,
        ),
    ] {
        let (n, word) = match (n_steps, n_epochs) {
            (0, 0) => (0, "NEVER"),
            (n_steps, 0) => (n_steps, "STEP"),
            (_, n_epochs) => (n_epochs, "EPOCH"),
        };
        value[name] = json!(n);
        value[unit] = json!(word);
    }
    value["validation"] = json!(p.validate_every_n_steps > 0 || p.validate_every_n_epochs > 0);
    // The macro takes no more entries than it has.
    value["masked_training"] = json!(p.masked_loss);
    value["unmasked_weight"] = json!(p.unmasked_weight);
    value["unmasked_probability"] = json!(0.0);
    let mut left_out = left_out(recipe, |definition, _| {
        let is_known = match definition.name {
            "optimizer" => optimizer.is_some(),
            "lr_schedule" => schedule.is_some(),
            "loss" => p.loss != LossKind::SmoothL1,
            "kind" => p.kind != LoraKind::TLora,
            // It is read beside the other alone.
            "unmasked_weight" => p.masked_loss,
            _ => true,
        };
        is_known && COVERED.contains(&definition.name)
    });
    // Its files say epochs, and how many pictures those have is not said.
    left_out.insert(
        0,
        LeftOut::of(
            "n_steps",
            p.n_steps,
            "a configuration says epochs: set them for your pictures",
        ),
    );
    if p.loss == LossKind::Huber && p.huber_schedule != HuberSchedule::Constant {
        let reason = "has no counterpart there: its width is constant";
        left_out.push(LeftOut::of("huber_schedule", p.huber_schedule.word(), reason));
    }
    Exported {
        format: Format::OneTrainer,
        file_name: format!("{}.json", recipe.name()),
        text: serde_json::to_string_pretty(&value).unwrap_or_default() + "\n",
        left_out,
    }
}

fn strength(p: &Parameters, loss: LossKind) -> f64 {
    if p.loss == loss { 1.0 } else { 0.0 }
}

const COVERED: &[&str] = &[
    "n_steps",
    "n_views",
    "learning_rate",
    "lr_schedule",
    "n_warmup_steps",
    "n_cycles",
    "min_lr_ratio",
    "batch_size",
    "gradient_accumulation",
    "rank",
    "alpha",
    "kind",
    "lokr_factor",
    "network_dropout",
    "text_encoder_1_learning_rate",
    "text_encoder_2_learning_rate",
    "optimizer",
    "beta1",
    "beta2",
    "epsilon",
    "weight_decay",
    "optimizer_arguments",
    "max_gradient_norm",
    "ema_decay",
    "gradient_checkpointing",
    "loss",
    "huber_c",
    "min_snr_gamma",
    "debiased",
    "masked_loss",
    "unmasked_weight",
    "min_timestep",
    "max_timestep",
    "noise_offset",
    "resolution",
    "checkpoint_every_n_steps",
    "checkpoint_every_n_epochs",
    "sample_every_n_steps",
    "sample_every_n_epochs",
    "validate_every_n_steps",
    "validate_every_n_epochs",
];
