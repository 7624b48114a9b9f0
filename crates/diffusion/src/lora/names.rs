//! Names of LoRA modules and tensors in kohya's, diffusers' and peft's files, and the way between them.
//!
//! | | module | matrices |
//! |---|---|---|
//! | kohya | `lora_unet_input_blocks_4_1_proj_in` | `lora_down.weight`, `lora_up.weight`, `alpha` |
//! | peft, diffusers | `unet.down_blocks.1.attentions.0.proj_in` | `lora_A.weight`, `lora_B.weight` |
//! | diffusers until 2023 | the same, or with `processor.to_q_lora` | `lora.down.weight`, `lora.up.weight` |

use std::collections::HashMap;

use serde_json::Value;

use crate::weights::names::{unet_from_diffusers, unet_to_diffusers};

/// Residual blocks of a down block in every SDXL model.
const N_LAYERS: usize = 2;

/// Kohya's prefix of each part, and diffusers'.
const PARTS: [(&str, &str); 3] = [
    ("lora_unet_", "unet."),
    ("lora_te1_", "text_encoder."),
    ("lora_te2_", "text_encoder_2."),
];

/// Modules whose own names have underscores, as they end kohya's names and diffusers'.
const LEAVES: [(&str, &str); 18] = [
    ("proj_in", "proj_in"),
    ("proj_out", "proj_out"),
    ("attn1_to_q", "attn1.to_q"),
    ("attn1_to_k", "attn1.to_k"),
    ("attn1_to_v", "attn1.to_v"),
    ("attn1_to_out_0", "attn1.to_out.0"),
    ("attn2_to_q", "attn2.to_q"),
    ("attn2_to_k", "attn2.to_k"),
    ("attn2_to_v", "attn2.to_v"),
    ("attn2_to_out_0", "attn2.to_out.0"),
    ("ff_net_0_proj", "ff.net.0.proj"),
    ("ff_net_2", "ff.net.2"),
    ("self_attn_q_proj", "self_attn.q_proj"),
    ("self_attn_k_proj", "self_attn.k_proj"),
    ("self_attn_v_proj", "self_attn.v_proj"),
    ("self_attn_out_proj", "self_attn.out_proj"),
    ("mlp_fc1", "mlp.fc1"),
    ("mlp_fc2", "mlp.fc2"),
];

/// The diffusers (and peft) name of a module with kohya's name:
/// `lora_te1_text_model_encoder_layers_0_mlp_fc1` is `text_encoder.text_model.encoder.layers.0.mlp.fc1`.
pub fn kohya_to_diffusers(module: &str) -> Option<String> {
    let (kohya, theirs) = PARTS.into_iter().find(|(kohya, _)| module.starts_with(kohya))?;
    let rest = &module[kohya.len()..];
    let (leaf, dotted_leaf) = LEAVES
        .into_iter()
        .filter(|(leaf, _)| rest.strip_suffix(leaf).is_some_and(|place| place.ends_with('_')))
        .max_by_key(|(leaf, _)| leaf.len())?;
    let place = rest.strip_suffix(leaf)?.trim_end_matches('_');
    if theirs != "unet." {
        let layer = place.strip_prefix("text_model_encoder_layers_")?;
        let layer = parse_number(layer)?;
        return Some(format!("{theirs}text_model.encoder.layers.{layer}.{dotted_leaf}"));
    }
    let (place, depth) = match place.split_once("_transformer_blocks_") {
        Some((place, depth)) => (place, Some(parse_number(depth)?)),
        None => (place, None),
    };
    // `input_blocks_4_1` and `middle_block_1`: numbers are set off by underscores, names are not.
    let mut words = place.split('_');
    let mut path = format!("{}_{}", words.next()?, words.next()?);
    for number in words {
        path.push_str(&format!(".{}", parse_number(number)?));
    }
    if let Some(depth) = depth {
        path.push_str(&format!(".transformer_blocks.{depth}"));
    }
    let name = unet_to_diffusers(&format!("{path}.{dotted_leaf}"), N_LAYERS)?;
    Some(format!("{theirs}{name}"))
}

/// Kohya's name of a module with a diffusers (or peft) name: the inverse of [`kohya_to_diffusers`].
pub fn diffusers_to_kohya(module: &str) -> Option<String> {
    let (kohya, theirs) = PARTS
        .into_iter()
        .rev()
        .find(|(_, theirs)| module.starts_with(theirs))?;
    let rest = &module[theirs.len()..];
    let path = if theirs == "unet." {
        unet_from_diffusers(rest, N_LAYERS)?
    } else {
        rest.starts_with("text_model.").then(|| rest.to_owned())?
    };
    Some(format!("{kohya}{}", path.replace('.', "_")))
}

fn parse_number(word: &str) -> Option<usize> {
    (word.len() <= 4).then(|| word.parse().ok())?
}

/// What a tensor is to its module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// `[rank, in]`
    Down,
    /// `[out, rank]`
    Up,
    /// A number.
    Alpha,
}

/// What the name of a tensor in a LoRA file says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Parsed {
    /// Part of a LoRA.
    Tensor {
        /// Kohya's name.
        module: String,
        /// Which part.
        role: Role,
    },
    /// Part of something that is applied in another way.
    Relative {
        /// The name as stored.
        module: String,
        /// What it is.
        kind: &'static str,
    },
}

/// How the matrices are called.
const ROLES: [(&str, Role); 11] = [
    (".lora_down.weight", Role::Down),
    (".lora_up.weight", Role::Up),
    (".alpha", Role::Alpha),
    (".lora_A.weight", Role::Down),
    (".lora_B.weight", Role::Up),
    (".lora.down.weight", Role::Down),
    (".lora.up.weight", Role::Up),
    (".lora_linear_layer.down.weight", Role::Down),
    (".lora_linear_layer.up.weight", Role::Up),
    ("_lora.down.weight", Role::Down),
    ("_lora.up.weight", Role::Up),
];

/// Relatives of LoRA, by a part of their tensors' names.
const RELATIVES: [(&str, &str); 7] = [
    (".dora_scale", "a DoRA"),
    (".lora_magnitude_vector", "a DoRA"),
    (".hada_", "a LoHa"),
    (".lokr_", "a LoKr"),
    (".oft_", "an OFT"),
    (".lora_mid.", "a LoRA with a Tucker decomposition"),
    (".a1.weight", "a GLoRA"),
];

/// Reads the name of a tensor. None if it has nothing to do with a LoRA.
pub fn parse(key: &str) -> Option<Parsed> {
    if let Some(module) = key.strip_suffix(".diff") {
        let kind = "a full weight difference";
        return Some(Parsed::Relative {
            module: module.to_owned(),
            kind,
        });
    }
    if let Some((mark, kind)) = RELATIVES.into_iter().find(|(mark, _)| key.contains(mark)) {
        let module = key.split(mark).next().unwrap_or(key).to_owned();
        return Some(Parsed::Relative { module, kind });
    }
    let (module, role) = ROLES
        .into_iter()
        .find_map(|(ending, role)| Some((key.strip_suffix(ending)?, role)))?;
    let module = canonical(module)?;
    Some(Parsed::Tensor { module, role })
}

/// Kohya's name of a module that is stored under any name.
fn canonical(module: &str) -> Option<String> {
    if let Some(rest) = module.strip_prefix("lora_unet_") {
        let renamed = underscored_from_diffusers(rest);
        return Some(format!("lora_unet_{}", renamed.as_deref().unwrap_or(rest)));
    }
    if module.starts_with("lora_") {
        return Some(module.to_owned());
    }
    // diffusers named attention processors rather than layers for a while.
    let module = module.replace(".processor.", ".").replace(".to_out", ".to_out.0");
    let module = module.replace(".to_out.0.0", ".to_out.0");
    // peft alone saves the U-Net under its own prefix.
    let module = match module.strip_prefix("base_model.model.") {
        Some(rest) if !rest.starts_with("text_model.") => format!("unet.{rest}"),
        _ => module,
    };
    diffusers_to_kohya(&module)
}

/// Some tools write diffusers' block names with kohya's underscores: `down_blocks_1_attentions_0_proj_in`.
fn underscored_from_diffusers(rest: &str) -> Option<String> {
    let (place, leaf) = rest.split_once("_attentions_")?;
    let (layer, leaf) = leaf.split_once('_')?;
    let place = match place.rsplit_once("_blocks_") {
        Some((side, block)) => format!("{side}_blocks.{}", parse_number(block)?),
        None => place.to_owned(),
    };
    let module = format!("{place}.attentions.{}.x", parse_number(layer)?);
    let renamed = unet_from_diffusers(&module, N_LAYERS)?;
    let renamed = renamed.strip_suffix(".x")?.replace('.', "_");
    Some(format!("{renamed}_{leaf}"))
}

/// Says what a LoRA with unknown modules was made for.
pub(super) fn guess_base<'a>(mut modules: impl Iterator<Item = &'a str>) -> &'static str {
    if modules.any(|module| module.starts_with("lora_te_")) {
        "Stable Diffusion 1 or 2"
    } else {
        "another model or with other options"
    }
}

/// The alphas that diffusers keeps in the header (`lora_adapter_metadata`) instead of in tensors.
#[derive(Debug, Default)]
pub(super) struct StoredAlphas(HashMap<String, Value>);

impl StoredAlphas {
    pub(super) fn from_metadata(metadata: &HashMap<String, String>) -> Self {
        let stored = metadata.get("lora_adapter_metadata");
        Self(
            stored
                .and_then(|json| serde_json::from_str(json).ok())
                .unwrap_or_default(),
        )
    }

    /// The alpha of a module with kohya's name.
    pub(super) fn of(&self, module: &str) -> Option<f64> {
        let name = kohya_to_diffusers(module)?;
        let (part, path) = name.split_once('.')?;
        let patterns = self.0.get(&format!("{part}.alpha_pattern"));
        let special = patterns.and_then(Value::as_object).and_then(|patterns| {
            let (_, alpha) = patterns
                .iter()
                .find(|(pattern, _)| path == *pattern || path.ends_with(&format!(".{pattern}")))?;
            alpha.as_f64()
        });
        special.or_else(|| self.0.get(&format!("{part}.lora_alpha"))?.as_f64())
    }
}
