//! kohya_ss: the form around sd-scripts, as its JSON files have it.
//!
//! Names and their meaning as of commit 45088f0 of bmaltais/kohya_ss (`kohya_gui/lora_gui.py`, `presets/lora`).

use serde_json::{Map, Value as Json, json};

use super::{Exported, Format, Imported, draft::Draft, left_out, sd_scripts};
use crate::{
    parameters::{LoraKind, LrSchedule, Value},
    recipe::Recipe,
};

/// Reads the form's values: they are brought under sd-scripts' names, and read as those.
pub(super) fn import(fields: Map<String, Json>) -> Imported {
    let mut draft = Draft::new(Format::KohyaSs);
    for (key, value) in fields {
        draft.put(key, value);
    }
    network(&mut draft);
    if let Some(optimizer) = draft.take("optimizer") {
        draft.put("optimizer_type".to_owned(), optimizer);
    }
    if let Some(resolution) = draft.take("max_resolution") {
        draft.put("resolution".to_owned(), resolution);
    }
    length(&mut draft);
    noise(&mut draft);
    // 0 freezes them there: the form then asks for the U-Net alone.
    if draft.number("text_encoder_lr").is_none_or(|rate| {
        draft.put("text_encoder_lr".to_owned(), json!(rate));
        rate == 0.0
    }) {
        draft.put("network_train_unet_only".to_owned(), json!(true));
    }
    if draft.has("sdxl") && !draft.switch("sdxl") {
        draft
            .notes
            .push("it was not made for SDXL: learning rates and ranks may not fit".to_owned());
    }
    for key in ["train_on_input", "unit"] {
        draft.take(key);
    }
    // They come last on the command line, and count.
    if let Some(arguments) = draft.text("additional_parameters") {
        sd_scripts::read_arguments(&arguments, &mut draft);
    }
    sd_scripts::read(&mut draft);
    draft.finish()
}

/// The kind of network, with the fields that this kind uses; the others stand in the file without effect.
fn network(draft: &mut Draft) {
    let kind = draft.text("LoRA_type").unwrap_or_else(|| "Standard".to_owned());
    let mut arguments = Vec::new();
    let (algorithm, has_convolutions) = match kind.as_str() {
        "Standard" => (None, false),
        "Kohya LoCon" => (None, true),
        "LyCORIS/LoCon" => (Some("locon"), true),
        "LyCORIS/LoHa" => (Some("loha"), true),
        "LyCORIS/LoKr" => (Some("lokr"), true),
        _ => {
            draft.leave(
                "LoRA_type",
                &json!(kind),
                "is a kind of network that Morpheus does not train",
            );
            (None, false)
        }
    };
    if let Some(algorithm) = algorithm {
        draft.put("network_module".to_owned(), json!("lycoris.kohya"));
        arguments.push(format!("algo={algorithm}"));
    }
    for (key, name, is_used) in [
        ("conv_dim", "conv_dim", has_convolutions),
        ("conv_alpha", "conv_alpha", has_convolutions),
        ("rank_dropout", "rank_dropout", true),
        ("module_dropout", "module_dropout", true),
        ("loraplus_lr_ratio", "loraplus_lr_ratio", true),
        ("factor", "factor", algorithm == Some("lokr")),
    ] {
        let value = draft.number(key).filter(|value| is_used && *value != 0.0);
        arguments.extend(value.map(|value| format!("{name}={value}")));
    }
    if draft.switch("dora_wd") {
        arguments.push("dora_wd=True".to_owned());
    }
    for key in ["block_dims", "down_lr_weight", "mid_lr_weight", "up_lr_weight"] {
        let value = draft.text(key).filter(|_| algorithm.is_none());
        arguments.extend(value.map(|value| format!("{key}={value}")));
    }
    draft.put("network_args".to_owned(), json!(arguments));
    if let Some(path) = draft.take("lora_network_weights") {
        draft.put("network_weights".to_owned(), path);
    }
}

fn length(draft: &mut Draft) {
    let steps = draft.number("max_train_steps").filter(|steps| *steps > 0.0);
    let of_form = draft.number("epoch").filter(|epochs| *epochs > 0.0);
    let epochs = draft.number("max_train_epochs").filter(|epochs| *epochs > 0.0);
    match (epochs, steps, of_form) {
        (Some(epochs), ..) => draft.put("max_train_epochs".to_owned(), json!(epochs)),
        (None, Some(steps), _) => draft.put("max_train_steps".to_owned(), json!(steps)),
        (None, None, Some(epochs)) => draft.put("max_train_epochs".to_owned(), json!(epochs)),
        (None, None, None) => {}
    }
    // Percent of the steps, unless steps are said.
    let percent = draft.number("lr_warmup").filter(|percent| *percent > 0.0);
    let has_steps = draft.number("lr_warmup_steps").filter(|steps| *steps > 0.0);
    if let Some(warm_up) = has_steps.or(percent.map(|percent| percent / 100.0)) {
        draft.put("lr_warmup_steps".to_owned(), json!(warm_up));
    }
}

/// The form has two kinds of noise, of which one is used; the values of the other stand in the file without effect.
fn noise(draft: &mut Draft) {
    let is_multires = draft
        .text("noise_offset_type")
        .is_some_and(|kind| kind == "Multires");
    let unused: &[&str] = if is_multires {
        &[
            "noise_offset",
            "adaptive_noise_scale",
            "noise_offset_random_strength",
        ]
    } else {
        &["multires_noise_iterations", "multires_noise_discount"]
    };
    for key in unused {
        draft.take(key);
    }
}

/// As a file that the form loads.
pub(super) fn export(recipe: &Recipe) -> Exported {
    let p = recipe.parameters();
    let mut fields = Map::new();
    let all = [
        sd_scripts::hyperparameters(p),
        sd_scripts::optimizer(p),
        sd_scripts::schedule(p),
    ];
    for (name, setting) in all.iter().flat_map(sd_scripts::Options::iter) {
        let value = match setting {
            sd_scripts::Setting::Flag => json!(true),
            sd_scripts::Setting::Value(value) => match value.parse::<f64>() {
                Ok(number) if number.is_finite() && number.fract() == 0.0 && !value.contains('.') => {
                    json!(number as i64)
                }
                Ok(number) if number.is_finite() => json!(number),
                _ => json!(value),
            },
            sd_scripts::Setting::Values(values) => json!(values.join(" ")),
        };
        fields.insert(name.to_owned(), value);
    }
    if let Some(optimizer) = fields.remove("optimizer_type") {
        fields.insert("optimizer".to_owned(), optimizer);
    }
    let mut set = |key: &str, value: Json| fields.insert(key.to_owned(), value);
    set("LoRA_type", json!(kind(recipe)));
    set("sdxl", json!(true));
    set("output_name", json!(recipe.name()));
    set("pretrained_model_name_or_path", json!(recipe.base_model()));
    set("unet_lr", json!(p.learning_rate));
    set("text_encoder_lr", json!(p.text_encoder_1_learning_rate));
    set("conv_dim", json!(p.conv_rank.max(1)));
    set("conv_alpha", json!(p.conv_alpha));
    set("rank_dropout", json!(p.rank_dropout));
    set("module_dropout", json!(p.module_dropout));
    if p.lora_plus_ratio != 1.0 {
        set("loraplus_lr_ratio", json!(p.lora_plus_ratio));
    }
    set(
        "factor",
        json!(if p.lokr_factor == 0 {
            -1
        } else {
            i64::from(p.lokr_factor)
        }),
    );
    set("max_resolution", json!(format!("{0},{0}", p.resolution)));
    let (min_side, max_side) = p.bucket_sides();
    set("enable_bucket", json!(true));
    set("bucket_reso_steps", json!(p.bucket_step));
    set("min_bucket_reso", json!(min_side));
    set("max_bucket_reso", json!(max_side));
    set("bucket_no_upscale", json!(p.bucket_no_upscale));
    set("train_batch_size", json!(p.batch_size));
    set("gradient_accumulation_steps", json!(p.gradient_accumulation));
    set("gradient_checkpointing", json!(true));
    set("max_train_steps", json!(p.n_steps));
    set("max_train_epochs", json!(0));
    set("lr_warmup", json!(0));
    set("caption_extension", json!(".txt"));
    set("shuffle_caption", json!(p.shuffle_tags));
    set("keep_tokens", json!(p.keep_tokens));
    set("caption_dropout_rate", json!(p.caption_dropout));
    set(
        "caption_dropout_every_n_epochs",
        json!(p.caption_dropout_every_n_epochs),
    );
    set("save_every_n_steps", json!(p.checkpoint_every_n_steps));
    set("save_every_n_epochs", json!(p.checkpoint_every_n_epochs));
    set("sample_every_n_steps", json!(p.sample_every_n_steps));
    set("sample_every_n_epochs", json!(p.sample_every_n_epochs));
    set(
        "noise_offset_type",
        json!(if p.multires_noise_iterations > 0 {
            "Multires"
        } else {
            "Original"
        }),
    );
    // The form has no field for it.
    let interpolation = fields.remove("resize_interpolation");
    let interpolation =
        interpolation.and_then(|word| Some(format!("--resize_interpolation {}", word.as_str()?)));
    let further = sd_scripts::beyond_the_form(p, |name| fields.contains_key(name));
    let arguments: Vec<String> = interpolation.into_iter().chain([further]).collect();
    fields.insert(
        "additional_parameters".to_owned(),
        json!(arguments.join(" ").trim()),
    );
    let text = serde_json::to_string_pretty(&Json::Object(fields)).unwrap_or_default();
    Exported {
        format: Format::KohyaSs,
        file_name: format!("{}.json", recipe.name()),
        text: text + "\n",
        left_out: left_out(recipe, |definition, value| match definition.name {
            // Among further arguments, which the form separates at spaces.
            "keep_tokens_separator"
            | "tag_separator"
            | "secondary_separator"
            | "caption_prefix"
            | "caption_suffix" => matches!(value, Value::Text(text) if sd_scripts::is_plain(text)),
            "lr_schedule" => p.lr_schedule != LrSchedule::Rex,
            "kind" => p.kind != LoraKind::TLora,
            "text_encoder_2_learning_rate" => {
                p.text_encoder_1_learning_rate == p.text_encoder_2_learning_rate
            }
            name => definition.kohya.is_some() || COVERED.contains(&name),
        }),
    }
}

/// Hyperparameters that the form has, beside those that are options of sd-scripts as they are.
const COVERED: &[&str] = &[
    "n_steps",
    "n_views",
    "n_warmup_steps",
    "n_cycles",
    "polynomial_power",
    "min_lr_ratio",
    "batch_size",
    "gradient_accumulation",
    "lokr_factor",
    "conv_rank",
    "conv_alpha",
    "rank_dropout",
    "module_dropout",
    "lora_plus_ratio",
    "text_encoder_1_learning_rate",
    "optimizer",
    "beta1",
    "beta2",
    "epsilon",
    "weight_decay",
    "optimizer_arguments",
    "gradient_checkpointing",
    "caption_dropout",
    "caption_dropout_every_n_epochs",
    "shuffle_tags",
    "keep_tokens",
    "tag_dropout",
    "wildcards",
    "token_warmup_min",
    "token_warmup_steps",
    "resolution",
    "bucket_step",
    "min_bucket_side",
    "max_bucket_side",
    "bucket_no_upscale",
    "checkpoint_every_n_steps",
    "checkpoint_every_n_epochs",
    "sample_every_n_steps",
    "sample_every_n_epochs",
    "sample_at_start",
];

fn kind(recipe: &Recipe) -> &'static str {
    let p = recipe.parameters();
    match p.kind {
        LoraKind::Loha => "LyCORIS/LoHa",
        LoraKind::Lokr => "LyCORIS/LoKr",
        LoraKind::Dora => "LyCORIS/LoCon",
        LoraKind::Lora | LoraKind::TLora if p.conv_rank > 0 => "Kohya LoCon",
        LoraKind::Lora | LoraKind::TLora => "Standard",
    }
}
