//! How single files call the parts of a model, what they hold besides, and what a file is that holds something else.

use super::{Component, Part, TensorFile, kind, names};

/// Parts of a base model, in the order of [`PARTS`](protocol::base::weights::PARTS).
const N_PARTS: usize = 4;

/// Residual blocks to a down block, in every SDXL model.
const N_LAYERS: usize = 2;

/// What stands before the names of each part: Stability AI's code, ComfyUI's, and others'; the first is the usual one.
const PREFIXES: [(&str, usize); 17] = [
    ("model.diffusion_model.", 0),
    ("diffusion_model.", 0),
    ("unet.", 0),
    ("conditioner.embedders.0.transformer.", 1),
    ("text_encoders.clip_l.transformer.", 1),
    ("cond_stage_model.clip_l.transformer.", 1),
    ("clip_l.transformer.", 1),
    ("text_encoder.", 1),
    ("conditioner.embedders.1.model.", 2),
    ("conditioner.embedders.1.transformer.", 2),
    ("text_encoders.clip_g.transformer.", 2),
    ("cond_stage_model.clip_g.transformer.", 2),
    ("cond_stage_model.clip_g.model.", 2),
    ("clip_g.transformer.", 2),
    ("text_encoder_2.", 2),
    ("first_stage_model.", 3),
    ("vae.", 3),
];

/// Tensors that files hold besides, which draw nothing, and why.
///
/// A name matches a pattern if it begins with it, or ends with it where the pattern begins with a dot.
const HARMLESS: [(&str, &str); 27] = [
    ("model_ema.", "averaged weights; the others are used"),
    (
        "first_stage_model.model_ema.",
        "averaged weights; the others are used",
    ),
    ("first_stage_model.loss.", "used in the VAE's own training only"),
    ("loss.", "used in the VAE's own training only"),
    ("v_pred", "a mark: the U-Net predicts velocity"),
    ("ztsnr", "a mark: zero terminal SNR"),
    (".position_ids", "the numbers from 0 to 76"),
    (
        ".logit_scale",
        "compares texts with pictures, which SDXL does not",
    ),
    ("logit_scale", "compares texts with pictures, which SDXL does not"),
    (".attn_mask", "the causal mask, which is known"),
    (".visual.", "the half of CLIP that looks at pictures"),
    ("alphas_cumprod", "a table that follows from the noise schedule"),
    (
        "sqrt_alphas_cumprod",
        "a table that follows from the noise schedule",
    ),
    (
        "sqrt_one_minus_alphas_cumprod",
        "a table that follows from the noise schedule",
    ),
    (
        "sqrt_recip_alphas_cumprod",
        "a table that follows from the noise schedule",
    ),
    (
        "sqrt_recipm1_alphas_cumprod",
        "a table that follows from the noise schedule",
    ),
    (
        "log_one_minus_alphas_cumprod",
        "a table that follows from the noise schedule",
    ),
    ("betas", "a table that follows from the noise schedule"),
    ("posterior_", "a table that follows from the noise schedule"),
    ("lvlb_weights", "a table that follows from the noise schedule"),
    ("logvar", "weights of a loss"),
    ("denoiser.sigmas", "a table that follows from the noise schedule"),
    (
        "denoiser.log_sigmas",
        "a table that follows from the noise schedule",
    ),
    ("scale_factor", "SDXL's is known"),
    ("global_step", "how long it was trained"),
    (
        "model_sampling.sigmas",
        "a table that follows from the noise schedule",
    ),
    (
        "model_sampling.log_sigmas",
        "a table that follows from the noise schedule",
    ),
];

/// Why a tensor draws nothing, if that is known. `part` is the one that it belongs to.
pub(super) fn harmless(key: &str, part: Option<usize>) -> Option<&'static str> {
    let matches = |pattern: &str| {
        if pattern == ".visual." {
            return part == Some(2) && key.contains(pattern);
        }
        if pattern.starts_with('.') {
            key.ends_with(pattern)
        } else {
            key.starts_with(pattern)
        }
    };
    // Marks are whole names.
    let is_mark = |pattern: &str| !matches!(pattern, "v_pred" | "ztsnr" | "logvar") || key == pattern;
    let known = HARMLESS
        .iter()
        .find(|(pattern, _)| matches(pattern) && is_mark(pattern));
    if let Some((_, reason)) = known {
        return Some(reason);
    }
    // SDXL takes the first encoder's last layer but one.
    let of_first = [
        "final_layer_norm.weight",
        "final_layer_norm.bias",
        "text_projection",
        "text_projection.weight",
    ];
    (part == Some(1) && of_first.iter().any(|name| key.ends_with(name)))
        .then_some("SDXL uses an earlier layer of its first text encoder")
}

/// Sorts the tensors of a file into the four parts. What belongs to none is left out.
pub(super) fn sort(file: &std::sync::Arc<TensorFile>) -> [Component; N_PARTS] {
    let mut parts = [(); N_PARTS].map(|()| Component::new(file.path().to_owned()));
    let n_levels = vae_levels(file);
    // The usual spelling counts where a part is there twice.
    let mut keys: Vec<(usize, &str)> = file.names().map(|key| (rank(key), key)).collect();
    keys.sort_unstable();
    for (rank, key) in keys {
        let (part, found) = match PREFIXES.get(rank) {
            Some((prefix, part)) => (*part, named(*part, &key[prefix.len()..], n_levels)),
            None => bare(key, n_levels),
        };
        for (name, how) in found {
            parts[part].list(name, file, key, how);
        }
    }
    parts
}

fn rank(key: &str) -> usize {
    let rank = PREFIXES.iter().position(|(prefix, _)| key.starts_with(prefix));
    rank.unwrap_or(PREFIXES.len())
}

/// The part that a tensor belongs to by what stands before its name.
pub(super) fn part(key: &str) -> Option<usize> {
    PREFIXES.get(rank(key)).map(|(_, part)| *part)
}

/// Canonical names of a tensor of a part, and how it is stored.
fn named(part: usize, name: &str, n_levels: usize) -> Vec<(String, Part)> {
    match part {
        0 => names::unet(name, N_LAYERS)
            .map(|name| (name, Part::Whole))
            .into_iter()
            .collect(),
        1 | 2 => names::text(name),
        _ => vae(name, n_levels).into_iter().collect(),
    }
}

/// A part without a prefix: a U-Net or a VAE alone.
fn bare(key: &str, n_levels: usize) -> (usize, Vec<(String, Part)>) {
    if let Some(found) = vae(key, n_levels) {
        return (3, vec![found]);
    }
    (0, named(0, key, n_levels))
}

fn vae(name: &str, n_levels: usize) -> Option<(String, Part)> {
    let is_vae = ["encoder.", "decoder.", "quant_conv.", "post_quant_conv."];
    if !is_vae.iter().any(|module| name.starts_with(module)) {
        return None;
    }
    let of_diffusers = ["down_blocks.", "up_blocks.", "mid_block.", "conv_norm_out."];
    if of_diffusers.iter().any(|module| {
        name.split_once('.')
            .is_some_and(|(_, rest)| rest.starts_with(module))
    }) {
        return Some(names::vae_from_diffusers(name));
    }
    names::vae_from_single_file(name, n_levels)
}

/// How many resolutions the VAE of a single file has: diffusers and Stability AI count them from opposite ends. Encoder and
/// decoder have the same, so that one of them tells it where the other is damaged.
fn vae_levels(file: &TensorFile) -> usize {
    let level = |key: &str| -> Option<usize> {
        let (_, rest) = key
            .split_once("decoder.up.")
            .or_else(|| key.split_once("encoder.down."))?;
        rest.split('.').next()?.parse().ok()
    };
    let last = file.names().filter_map(level).filter(|level| *level < 16).max();
    last.map_or(0, |last| last + 1)
}

/// What the file calls a canonical tensor of one of its parts, as far as its other names tell.
pub(super) fn spelled(part: usize, name: &str, component: &Component) -> String {
    let any_key = component.keys().min().unwrap_or_default();
    let prefix = PREFIXES
        .iter()
        .find(|(prefix, of)| *of == part && any_key.starts_with(prefix));
    let prefix = match prefix {
        Some((prefix, _)) => prefix,
        None if component.is_empty() => PREFIXES
            .iter()
            .find(|(_, of)| *of == part)
            .map_or("", |(prefix, _)| prefix),
        None => "",
    };
    let uses = |mark: &str| component.keys().any(|key| key.contains(mark));
    let inside = match part {
        0 if uses("down_blocks.") => names::unet_to_diffusers(name, N_LAYERS),
        2 if uses("resblocks.") => names::text_to_open_clip(name),
        3 if !uses("_blocks.") => {
            let n_levels = component.names().filter_map(|name| {
                name.strip_prefix("decoder.up_blocks.")?
                    .split('.')
                    .next()?
                    .parse::<usize>()
                    .ok()
            });
            names::vae_to_single_file(name, n_levels.max().map_or(4, |last| last + 1))
        }
        _ => None,
    };
    format!("{prefix}{}", inside.as_deref().unwrap_or(name))
}

/// Marks of files that are something else: a part of a tensor's name, and what they are. The first that is found counts.
const OTHERS: [(&str, &str); 45] = [
    ("^lora_controlnet", "a Control-LoRA (a ControlNet)"),
    ("qkv_lora1.", "a LoRA for Flux with XLabs' names"),
    ("lora_down.", "a LoRA"),
    ("lora_up.", "a LoRA"),
    (".lora_A.", "a LoRA"),
    (".lora.down.", "a LoRA"),
    (".hada_w1_a", "a LoHa, a relative of LoRA"),
    (".lokr_w", "a LoKr, a relative of LoRA"),
    (".oft_blocks", "an OFT file, a relative of LoRA"),
    ("^lora_", "a LoRA"),
    ("double_blocks.0.img_attn", "a Flux model"),
    ("^double_blocks.", "a Flux model"),
    ("^model.diffusion_model.double_blocks.", "a Flux model"),
    ("^joint_transformer_blocks.", "an AuraFlow model"),
    (
        "^single_transformer_blocks.",
        "a Flux model or a relative of it, in diffusers' format",
    ),
    ("joint_blocks.", "a Stable Diffusion 3 checkpoint"),
    (
        ".attn.add_q_proj.",
        "a Stable Diffusion 3 or Qwen-Image transformer in diffusers' format",
    ),
    ("cap_embedder.", "a Lumina 2 or Z-Image model"),
    ("individual_token_refiner.", "a HunyuanVideo model"),
    (".cross_attn.norm_k.", "a Wan model or a relative of it"),
    (".adaln_modulation_cross_attn.", "a Cosmos or Anima model"),
    ("adaln_single.", "a PixArt or LTX model"),
    ("channelwise", "a Stable Cascade model"),
    (
        "encoder_hid_proj.",
        "a Kolors U-Net, whose text encoder is ChatGLM",
    ),
    ("motion_modules.", "a motion module of AnimateDiff"),
    ("temporal_transformer_block", "a Stable Video Diffusion model"),
    ("^control_model.", "a ControlNet"),
    ("controlnet_", "a ControlNet"),
    ("input_hint_block.", "a ControlNet"),
    ("^image_proj.", "an IP-Adapter"),
    ("^ip_adapter.", "an IP-Adapter"),
    ("^emb_params", "a textual inversion"),
    ("^string_to_param.", "a textual inversion"),
    (
        "^edm_mean",
        "Playground 2.5, whose U-Net predicts by EDM's formulas and expects other latents",
    ),
    (
        "^edm_vpred.",
        "a CosXL model, whose U-Net predicts by EDM's formulas",
    ),
    (
        "^scaled_fp8",
        "a model in ComfyUI's scaled F8, which is not read (plain F8, F16 and BF16 are)",
    ),
    (
        ".scale_weight",
        "a model in ComfyUI's scaled F8, which is not read (plain F8, F16 and BF16 are)",
    ),
    ("^cond_stage_model.model.", "a Stable Diffusion 2 checkpoint"),
    (
        "^cond_stage_model.transformer.",
        "a Stable Diffusion 1 checkpoint",
    ),
    ("^conditioner.embedders.0.model.", "an SDXL refiner"),
    ("^vision_model.", "the half of CLIP that looks at pictures"),
    ("^visual.", "the half of CLIP that looks at pictures"),
    ("^shared.weight", "a T5 text encoder"),
    ("^model.layers.0.self_attn.", "a language model"),
    ("body.0.rdb1.", "an upscaler"),
];

/// Says what a file is that is something else than SDXL, if that is known.
pub(super) fn something_else(file: &TensorFile, parts: &[Component; N_PARTS]) -> Option<String> {
    let is_there = |mark: &str| match mark.strip_prefix('^') {
        Some(start) => file.names().any(|name| name.starts_with(start)),
        None => file.names().any(|name| name.contains(mark)),
    };
    let unet = &parts[0];
    let context = unet
        .shape("middle_block.1.transformer_blocks.0.attn2.to_k.weight")
        .and_then(|shape| shape.last().copied());
    // A file may hold more than a base model: what is SDXL's for certain is no other.
    let is_sdxl = unet.names().any(|name| name.starts_with("label_emb."))
        && !parts[1].is_empty()
        && !parts[2].is_empty();
    let known = OTHERS
        .iter()
        .find(|(mark, _)| is_there(mark) && (!is_sdxl || changes_the_meaning(mark)));
    if let Some((_, what)) = known {
        return Some((*what).to_owned());
    }
    if let Some(what) = kind::without_unet(file).filter(|_| !is_sdxl) {
        return Some(what.to_owned());
    }
    let alone = match parts.each_ref().map(Component::is_empty) {
        [false, true, true, true] => " alone",
        _ => "",
    };
    match context {
        Some(768) => Some(format!("a Stable Diffusion 1 {}", unet_or_checkpoint(alone))),
        Some(1024) => Some(format!("a Stable Diffusion 2 {}", unet_or_checkpoint(alone))),
        Some(1280) => Some(format!(
            "an SDXL refiner{}",
            if alone.is_empty() { "" } else { "'s U-Net alone" }
        )),
        Some(4096) => Some("a Kolors U-Net, whose text encoder is ChatGLM".to_owned()),
        _ => alone_or_nothing(file, parts),
    }
}

/// Marks of models that have SDXL's tensors and mean something else by them.
fn changes_the_meaning(mark: &str) -> bool {
    mark.starts_with("^edm_") || mark.contains("scale")
}

fn unet_or_checkpoint(alone: &str) -> String {
    if alone.is_empty() {
        "checkpoint".to_owned()
    } else {
        format!("U-Net{alone}")
    }
}

fn alone_or_nothing(file: &TensorFile, parts: &[Component; N_PARTS]) -> Option<String> {
    let uses = |mark: &str| file.names().any(|key| key.starts_with(mark));
    match parts.each_ref().map(Component::is_empty) {
        [true, true, true, true] => Some(match file.names().min() {
            _ if text_alone(file) => "a text encoder alone".to_owned(),
            Some(name) => format!("{} other tensors such as `{name}`", file.names().count()),
            None => "no tensors".to_owned(),
        }),
        [false, true, true, true] => {
            let names = if uses("down_blocks.") || uses("unet.down_blocks.") {
                "diffusers'"
            } else {
                "ComfyUI's"
            };
            Some(format!(
                "a U-Net alone, in {names} naming, without text encoders and VAE"
            ))
        }
        [true, false, true, true] | [true, true, false, true] => Some("a text encoder alone".to_owned()),
        [true, false, false, true] => Some("the text encoders alone".to_owned()),
        [true, true, true, false] => Some("a VAE alone, which is used with a base model".to_owned()),
        _ => None,
    }
}

fn text_alone(file: &TensorFile) -> bool {
    let marks = [
        "text_model.",
        "transformer.resblocks.",
        "encoder.layers.",
        "embeddings.token_embedding.",
    ];
    file.names()
        .any(|name| marks.iter().any(|mark| name.starts_with(mark)))
}
