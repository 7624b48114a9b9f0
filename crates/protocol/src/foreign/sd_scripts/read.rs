//! Hyperparameters from options of sd-scripts. What is absent means what it means there.

use serde_json::{Value as Json, json};

use super::{
    super::draft::{Draft, number, stem},
    elsewhere,
};
use crate::parameters::{Block, Optimizer, Parameters, Range, Words as _, bucket_sides};

/// Reads everything that a draft holds under sd-scripts' names.
pub(crate) fn read(draft: &mut Draft) {
    names(draft);
    length(draft);
    let has_rate = draft.has("learning_rate");
    as_they_are(draft);
    rates(draft, has_rate);
    network(draft);
    optimizer(draft);
    schedule(draft);
    pictures(draft);
    captions(draft);
    elsewhere::read(draft);
    intervals(draft);
    let is_first = draft.switch("sample_at_first");
    draft.set("sample_at_start", is_first);
    let checkpoints = draft.switch("gradient_checkpointing");
    draft.set("gradient_checkpointing", checkpoints);
    // There it is for the text encoders as well, which are in 16 bits here.
    if draft.switch("fp8_base") {
        draft.set("eight_bit_base", true);
    }
    for key in ["v_parameterization", "zero_terminal_snr"] {
        draft.refuse(key, "follows from what the base model predicts");
    }
    // Its default, without pictures that it could weigh.
    if draft
        .number("prior_loss_weight")
        .is_some_and(|weight| weight != 1.0)
    {
        draft
            .notes
            .push("the weight of regularization pictures is set in the dataset".to_owned());
    }
}

/// Files are written after so many steps or epochs. Of samples, epochs go first there; checkpoints may be written after
/// both, of which the steps are kept.
fn intervals(draft: &mut Draft) {
    let positive = |draft: &mut Draft, key: &str| draft.whole(key).filter(|n| *n > 0);
    let saves = (
        positive(draft, "save_every_n_steps"),
        positive(draft, "save_every_n_epochs"),
    );
    match saves {
        (Some(n_steps), n_epochs) => {
            draft.set("checkpoint_every_n_steps", n_steps);
            if let Some(n_epochs) = n_epochs {
                let reason =
                    "is one interval too many: checkpoints are written after the steps that were said, too";
                draft.leave("save_every_n_epochs", &json!(n_epochs), reason);
            }
        }
        (None, Some(n_epochs)) => draft.set("checkpoint_every_n_epochs", n_epochs),
        (None, None) => {}
    }
    let samples = (
        positive(draft, "sample_every_n_steps"),
        positive(draft, "sample_every_n_epochs"),
    );
    match samples {
        (_, Some(n_epochs)) => draft.set("sample_every_n_epochs", n_epochs),
        (Some(n_steps), None) => draft.set("sample_every_n_steps", n_steps),
        (None, None) => {}
    }
}

fn names(draft: &mut Draft) {
    draft.name = draft.text("output_name");
    draft.base_model = draft
        .text("pretrained_model_name_or_path")
        .map(|path| stem(&path));
    draft.trigger_word = draft.text("metadata_trigger_phrase");
}

fn length(draft: &mut Draft) {
    let epochs = draft.whole("max_train_epochs").filter(|epochs| *epochs > 0);
    let steps = draft.whole("max_train_steps").filter(|steps| *steps > 0);
    match (epochs, steps) {
        // Epochs win there.
        (Some(epochs), _) => draft.n_epochs = u32::try_from(epochs).ok(),
        (None, Some(steps)) => draft.set("n_steps", steps),
        (None, None) => {
            draft
                .notes
                .push("no length was given: sd-scripts then trains 1600 steps".to_owned());
            draft.set("n_steps", 1600);
        }
    }
    draft.set_whole("batch_size", "batch_size");
    draft.set_whole("train_batch_size", "batch_size");
    draft.set_whole("gradient_accumulation_steps", "gradient_accumulation");
}

/// Options that are hyperparameters as they are.
fn as_they_are(draft: &mut Draft) {
    draft.set("rank", 4);
    draft.set("alpha", 1.0);
    for definition in Parameters::ALL {
        let Some(option) = definition.kohya else { continue };
        match definition.range {
            Range::Whole { .. } => {
                let Some(value) = draft.whole(option) else {
                    continue;
                };
                // The form of kohya_ss has 0 for the seed and for the last timestep that nobody chose.
                let is_unsaid = value == 0 && matches!(option, "seed" | "max_timestep");
                if !is_unsaid {
                    draft.set(definition.name, value);
                }
            }
            Range::Number { .. } => draft.set_number(option, definition.name),
            Range::Switch => {
                let is_on = draft.switch(option);
                draft.set(definition.name, is_on);
            }
            Range::Words(words) => {
                let Some(word) = draft.text(option) else { continue };
                let lower = synonym(&word.to_lowercase());
                if words.contains(&lower.as_str()) {
                    draft.set(definition.name, lower);
                } else {
                    draft.leave(option, &json!(word), "is unknown here");
                }
            }
            Range::Text { .. } | Range::List { .. } => {}
        }
    }
}

/// What sd-scripts has two words for.
fn synonym(word: &str) -> String {
    match word {
        "linear" => "bilinear",
        "cubic" => "bicubic",
        "lanczos4" => "lanczos",
        "box" => "area",
        word => word,
    }
    .to_owned()
}

fn rates(draft: &mut Draft, has_rate: bool) {
    let of_unet = draft.number("unet_lr").filter(|rate| *rate > 0.0);
    match of_unet {
        Some(rate) => draft.set("learning_rate", rate),
        None if !has_rate => {
            draft
                .notes
                .push("no learning rate was given: sd-scripts then takes 2e-6".to_owned());
            draft.set("learning_rate", 2e-6);
        }
        None => {}
    }
    let rate = draft
        .now("learning_rate")
        .and_then(Json::as_f64)
        .unwrap_or_default();
    let is_unet_only = draft.switch("network_train_unet_only");
    draft.refuse(
        "network_train_text_encoder_only",
        "trains no U-Net, which Morpheus always trains",
    );
    let said = match draft.take("text_encoder_lr") {
        Some(Json::Array(rates)) => rates.first().and_then(number),
        Some(rate) => number(&rate),
        None => None,
    };
    let of_text = match (is_unet_only, said) {
        (true, _) => 0.0,
        (false, Some(rate)) => rate,
        (false, None) => {
            draft.notes.push(
                "sd-scripts trains the text encoders with the learning rate of the U-Net unless it is told not to".to_owned(),
            );
            rate
        }
    };
    draft.set("text_encoder_1_learning_rate", of_text);
    draft.set("text_encoder_2_learning_rate", of_text);
}

fn network(draft: &mut Draft) {
    let module = draft
        .text("network_module")
        .unwrap_or_else(|| "networks.lora".to_owned());
    let mut kind = "lora";
    if !matches!(module.as_str(), "networks.lora" | "lycoris.kohya") {
        draft.leave(
            "network_module",
            &json!(module),
            "is a kind of network that Morpheus does not train",
        );
    }
    for argument in draft.texts("network_args") {
        let Some((key, value)) = argument.split_once('=') else {
            draft.leave("network_args", &json!(argument), "has no value");
            continue;
        };
        let value = value.trim_matches(['"', '\'']);
        match key {
            "conv_dim" => draft.set("conv_rank", whole(value)),
            "conv_alpha" | "rank_dropout" | "module_dropout" => draft.set(key, decimal(value)),
            "loraplus_lr_ratio" => draft.set("lora_plus_ratio", decimal(value)),
            "algo" => match value {
                "lora" | "locon" => {}
                "loha" => kind = "loha",
                "lokr" => kind = "lokr",
                _ => draft.leave(
                    "network_args.algo",
                    &json!(value),
                    "is a kind that Morpheus does not train",
                ),
            },
            "dora_wd" if value.eq_ignore_ascii_case("true") && kind == "lora" => kind = "dora",
            "factor" => draft.set(
                "lokr_factor",
                whole(value).as_i64().map_or(0, |factor| factor.max(0)),
            ),
            "block_dims" => ranks(draft, value),
            "down_lr_weight" | "mid_lr_weight" | "up_lr_weight" => factors(draft, key, value),
            _ => draft.leave(
                &format!("network_args.{key}"),
                &json!(value),
                "has no counterpart",
            ),
        }
    }
    draft.set("kind", kind);
    draft.refuse(
        "network_weights",
        "starts from another LoRA: choose it as the one to start from",
    );
}

fn whole(text: &str) -> Json {
    text.parse::<i64>().map_or(Json::Null, Into::into)
}

fn decimal(text: &str) -> Json {
    text.parse::<f64>().map_or(Json::Null, Into::into)
}

/// 23 ranks: embeddings, 9 input blocks, 3 in the middle, 9 output blocks, and the output.
fn ranks(draft: &mut Draft, value: &str) {
    let ranks: Vec<&str> = value.split(',').map(str::trim).collect();
    let blocks =
        Block::all().flat_map(|block| std::iter::repeat_n(block, if block == Block::Middle { 3 } else { 1 }));
    let usual = draft.now("rank").map(Json::to_string).unwrap_or_default();
    let said = blocks
        .zip(ranks.iter().skip(1))
        .filter(|(_, rank)| **rank != usual);
    let mut items: Vec<String> = said.map(|(block, rank)| format!("{block}={rank}")).collect();
    items.dedup();
    draft.set("block_ranks", items);
}

/// 9 or 3 factors of learning rates.
fn factors(draft: &mut Draft, key: &str, value: &str) {
    let factors: Vec<&str> = value.split(',').map(str::trim).collect();
    if factors.iter().any(|factor| factor.parse::<f64>().is_err()) {
        draft.leave(
            &format!("network_args.{key}"),
            &json!(value),
            "is a curve: write its numbers",
        );
        return;
    }
    let block = |index: usize| match key {
        "down_lr_weight" => Block::In(index as u8),
        "up_lr_weight" => Block::Out(index as u8),
        _ => Block::Middle,
    };
    let said = factors.iter().enumerate().take(9);
    let said = said.filter(|(_, factor)| factor.parse::<f64>() != Ok(1.0));
    let mut items: Vec<String> = said
        .map(|(index, factor)| format!("{}={factor}", block(index)))
        .collect();
    items.dedup();
    let before = draft
        .now("block_learning_rates")
        .and_then(Json::as_array)
        .cloned();
    let all: Vec<Json> = before
        .unwrap_or_default()
        .into_iter()
        .chain(items.into_iter().map(Json::from))
        .collect();
    draft.set("block_learning_rates", all);
}

/// The optimizer of a name, whatever module it stands in.
fn known(name: &str) -> Option<Optimizer> {
    let lower = name.to_lowercase();
    let class = lower.rsplit('.').next().unwrap_or(&lower);
    Some(match class {
        "adamw" => Optimizer::Adamw,
        "adamw8bit" | "pagedadamw8bit" => Optimizer::Adamw8bit,
        "adafactor" => Optimizer::Adafactor,
        "lion" => Optimizer::Lion,
        "prodigy" => Optimizer::Prodigy,
        "prodigyplusschedulefree" => Optimizer::ProdigyScheduleFree,
        "dadaptation" | "dadaptadam" | "dadaptadampreprint" => Optimizer::DAdaptation,
        "adamwschedulefree" => Optimizer::AdamwScheduleFree,
        "came" => Optimizer::Came,
        _ => return None,
    })
}

fn optimizer(draft: &mut Draft) {
    let of_flag = [("use_8bit_adam", "AdamW8bit"), ("use_lion_optimizer", "Lion")];
    let of_flag = of_flag
        .into_iter()
        .find_map(|(flag, name)| draft.switch(flag).then(|| name.to_owned()));
    let name = draft
        .text("optimizer_type")
        .or(of_flag)
        .unwrap_or_else(|| "AdamW".to_owned());
    let Some(optimizer) = known(&name) else {
        draft.leave(
            "optimizer_type",
            &json!(name),
            "is an optimizer that Morpheus does not have",
        );
        return;
    };
    draft.set("optimizer", optimizer.word());
    // The defaults of the classes.
    let (decay, beta2) = match optimizer {
        Optimizer::Adamw | Optimizer::Adamw8bit => (0.01, 0.999),
        Optimizer::Lion | Optimizer::ProdigyScheduleFree => (0.0, 0.99),
        _ => (0.0, 0.999),
    };
    draft.set("weight_decay", decay);
    draft.set("beta2", beta2);
    let mut own: Vec<String> = Vec::new();
    if optimizer == Optimizer::Adafactor {
        // True there unless it is said.
        own.extend(["relative_step=true".to_owned(), "scale_parameter=true".to_owned()]);
    }
    if optimizer == Optimizer::DAdaptation {
        // Coupled there unless it is said.
        own.push("decouple=false".to_owned());
    }
    for argument in draft.texts("optimizer_args") {
        let Some((key, value)) = argument.split_once('=') else {
            draft.leave("optimizer_args", &json!(argument), "has no value");
            continue;
        };
        let numbers: Vec<&str> = value
            .trim_matches(['(', ')', '[', ']', '"', '\''])
            .split(',')
            .map(str::trim)
            .collect();
        match (key, numbers.as_slice()) {
            ("weight_decay", [decay]) => draft.set("weight_decay", decimal(decay)),
            ("betas", [beta1, beta2, rest @ ..]) => {
                draft.set("beta1", decimal(beta1));
                draft.set("beta2", decimal(beta2));
                own.extend(rest.first().map(|beta3| format!("beta3={beta3}")));
            }
            ("eps", [eps1, eps2]) => own.extend([format!("eps1={eps1}"), format!("eps2={eps2}")]),
            ("eps", [eps]) => draft.set("epsilon", decimal(eps)),
            ("warmup_steps", [steps]) => draft.set("n_warmup_steps", whole(steps)),
            (key, [value]) => {
                let key = match key {
                    "bias_correction" => "use_bias_correction",
                    "weight_decouple" => "decouple",
                    key => key,
                };
                let has_argument = optimizer.arguments().iter().any(|argument| argument.name == key);
                if has_argument {
                    own.retain(|said| said.split_once('=').is_none_or(|(name, _)| name != key));
                    own.push(format!("{key}={}", value.to_lowercase()));
                } else if key != "decouple" || value.eq_ignore_ascii_case("false") {
                    // Always decoupled where there is no such argument.
                    draft.leave(
                        &format!("optimizer_args.{key}"),
                        &json!(value),
                        "has no counterpart",
                    );
                }
            }
            (key, _) => draft.leave(
                &format!("optimizer_args.{key}"),
                &json!(value),
                "has no counterpart",
            ),
        }
    }
    draft.set("optimizer_arguments", own);
}

fn schedule(draft: &mut Draft) {
    let custom = draft.text("lr_scheduler_type").filter(|name| !name.is_empty());
    let name = draft
        .text("lr_scheduler")
        .unwrap_or_else(|| "constant".to_owned());
    let is_rex = |name: &String| name.to_lowercase().contains("rex");
    let word = match (custom, name.as_str()) {
        (Some(class), _) if is_rex(&class) => "rex",
        (Some(class), _) => {
            draft.leave(
                "lr_scheduler_type",
                &json!(class),
                "is a schedule that Morpheus does not have",
            );
            "constant"
        }
        (None, "constant" | "constant_with_warmup" | "adafactor") => "constant",
        (None, "cosine_with_min_lr") => "cosine",
        (None, "linear" | "cosine" | "cosine_with_restarts" | "polynomial" | "inverse_sqrt" | "rex") => {
            name.as_str()
        }
        (None, _) => {
            draft.leave(
                "lr_scheduler",
                &json!(name),
                "is a schedule that Morpheus does not have",
            );
            "constant"
        }
    };
    // It takes the place of a schedule, whatever is said.
    let optimizer = draft.now("optimizer").and_then(Json::as_str).unwrap_or_default();
    let word = if optimizer.ends_with("schedule_free") {
        "constant"
    } else {
        word
    };
    let word = word.to_owned();
    draft.set("lr_schedule", word.clone());
    for (key, name, is_used) in [
        (
            "lr_scheduler_num_cycles",
            "n_cycles",
            word == "cosine_with_restarts",
        ),
        ("lr_scheduler_power", "polynomial_power", word == "polynomial"),
        ("lr_scheduler_min_lr_ratio", "min_lr_ratio", word == "cosine"),
    ] {
        if let Some(value) = draft.number(key).filter(|_| is_used) {
            let value = if name == "n_cycles" {
                json!(value as i64)
            } else {
                json!(value)
            };
            draft.set(name, value);
        }
    }
    steps(draft, "lr_warmup_steps", "n_warmup_steps");
}

/// Steps, or below 1 a share of them.
fn steps(draft: &mut Draft, key: &str, name: &str) {
    let Some(value) = draft.number(key).filter(|value| *value > 0.0) else {
        return;
    };
    if value >= 1.0 {
        draft.set(name, value as i64);
        return;
    }
    match draft.now("n_steps").and_then(Json::as_f64) {
        Some(n_steps) => draft.set(name, (value * n_steps).floor() as i64),
        None => draft.leave(
            key,
            &json!(value),
            "is a share of the steps, which follow from the epochs: set the warm-up by hand",
        ),
    }
}

fn pictures(draft: &mut Draft) {
    draft.set_whole("bucket_reso_steps", "bucket_step");
    resolution(draft);
    let keeps_size = draft.switch("bucket_no_upscale");
    draft.set("bucket_no_upscale", keeps_size);
    let (min, max) = (draft.whole("min_bucket_reso"), draft.whole("max_bucket_reso"));
    let number = |draft: &Draft, name: &str| {
        draft
            .now(name)
            .and_then(Json::as_u64)
            .and_then(|n| u32::try_from(n).ok())
    };
    let (Some(side), Some(step)) = (number(draft, "resolution"), number(draft, "bucket_step")) else {
        return;
    };
    let (usual_min, usual_max) = bucket_sides(side, step);
    // The usual ones follow another resolution.
    for (name, said, usual) in [
        ("min_bucket_side", min, usual_min),
        ("max_bucket_side", max, usual_max),
    ] {
        if let Some(said) = said.filter(|said| *said != i64::from(usual)) {
            draft.set(name, said);
        }
    }
    if draft.has("enable_bucket") && !draft.switch("enable_bucket") {
        draft.square_buckets_alone();
    }
}

fn resolution(draft: &mut Draft) {
    let sides: Vec<f64> = match draft.take("resolution") {
        Some(Json::Array(sides)) => sides.iter().filter_map(number).collect(),
        Some(Json::String(text)) => text
            .split(',')
            .filter_map(|side| side.trim().parse().ok())
            .collect(),
        Some(side) => number(&side).into_iter().collect(),
        None => Vec::new(),
    };
    let side = match sides.as_slice() {
        [side] => *side,
        [width, height] if width == height => *width,
        [width, height] => {
            let side = ((width * height).sqrt() / 8.0).round() * 8.0;
            draft.notes.push(format!(
                "{width}×{height} became {side}, the side of a square of this area: buckets have every shape"
            ));
            side
        }
        _ => return,
    };
    draft.set("resolution", side as i64);
}

fn captions(draft: &mut Draft) {
    for (key, name) in [
        ("shuffle_caption", "shuffle_tags"),
        ("enable_wildcard", "wildcards"),
    ] {
        let is_on = draft.switch(key);
        draft.set(name, is_on);
    }
    for (key, name) in [
        ("keep_tokens", "keep_tokens"),
        ("caption_dropout_every_n_epochs", "caption_dropout_every_n_epochs"),
        ("token_warmup_min", "token_warmup_min"),
    ] {
        draft.set_whole(key, name);
    }
    steps(draft, "token_warmup_step", "token_warmup_steps");
    draft.set_number("caption_dropout_rate", "caption_dropout");
    draft.set_number("caption_tag_dropout_rate", "tag_dropout");
    for (key, name) in [
        ("caption_separator", "tag_separator"),
        ("keep_tokens_separator", "keep_tokens_separator"),
        ("secondary_separator", "secondary_separator"),
        ("caption_prefix", "caption_prefix"),
        ("caption_suffix", "caption_suffix"),
    ] {
        if let Some(text) = draft.text(key) {
            draft.set(name, text);
        }
    }
    // Whether files are called `.txt` or `.caption` does not matter here.
    draft.take("caption_extension");
}
