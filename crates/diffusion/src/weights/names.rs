//! One tensor, many names: the canonical names and how files of each kind call them.
//!
//! Canonical are
//! - **unet**: the original names of Stability AI's code (`input_blocks.4.1.proj_in.weight`), on which kohya's LoRA
//!   keys are built;
//! - **text encoders**: transformers' names (`text_model.encoder.layers.0.mlp.fc1.weight`);
//! - **vae**: diffusers' names (`decoder.up_blocks.0.resnets.0.conv1.weight`).

use super::Part;

/// Names inside a residual block of the U-Net: diffusers', canonical.
const RESNET: [(&str, &str); 6] = [
    ("norm1", "in_layers.0"),
    ("conv1", "in_layers.2"),
    ("time_emb_proj", "emb_layers.1"),
    ("norm2", "out_layers.0"),
    ("conv2", "out_layers.3"),
    ("conv_shortcut", "skip_connection"),
];

/// Names at the ends of the U-Net: diffusers', canonical.
const UNET_ENDS: [(&str, &str); 7] = [
    ("conv_in", "input_blocks.0.0"),
    ("time_embedding.linear_1", "time_embed.0"),
    ("time_embedding.linear_2", "time_embed.2"),
    ("add_embedding.linear_1", "label_emb.0.0"),
    ("add_embedding.linear_2", "label_emb.0.2"),
    ("conv_norm_out", "out.0"),
    ("conv_out", "out.2"),
];

/// The canonical name of a diffusers U-Net tensor or module, for `n_layers` residual blocks to a down block.
///
/// Works for modules too: `down_blocks.1.attentions.0.proj_in` is `input_blocks.4.1.proj_in`.
pub fn unet_from_diffusers(name: &str, n_layers: usize) -> Option<String> {
    for (theirs, ours) in UNET_ENDS {
        if let Some(rest) = strip_module(name, theirs) {
            return Some(format!("{ours}{rest}"));
        }
    }
    let (side, rest) = name.split_once('.')?;
    let (block, kind, layer, rest) = match side {
        "mid_block" => {
            let (kind, layer, rest) = split_layer(rest)?;
            (0, kind, layer, rest)
        }
        _ => {
            let (block, rest) = split_number(rest)?;
            let (kind, layer, rest) = split_layer(rest)?;
            (block, kind, layer, rest)
        }
    };
    let place = match (side, kind) {
        ("down_blocks", "resnets") => format!("input_blocks.{}.0", first_input(block, n_layers)? + layer),
        ("down_blocks", "attentions") => {
            format!("input_blocks.{}.1", first_input(block, n_layers)? + layer)
        }
        ("down_blocks", "downsamplers") => {
            let place = first_input(block.checked_add(1)?, n_layers)? - 1;
            return Some(format!("input_blocks.{place}.0.op{}", rest.strip_prefix("conv")?));
        }
        ("mid_block", "resnets") => format!("middle_block.{}", layer.checked_mul(2)?),
        ("mid_block", "attentions") => format!("middle_block.{}", layer.checked_mul(2)? + 1),
        ("up_blocks", "resnets") => format!("output_blocks.{}.0", first_output(block, n_layers)? + layer),
        ("up_blocks", "attentions") => {
            format!("output_blocks.{}.1", first_output(block, n_layers)? + layer)
        }
        ("up_blocks", "upsamplers") => {
            // SDXL upsamples only in blocks with attention, so that this is the third module of its place.
            let place = first_output(block, n_layers)? + n_layers;
            return Some(format!("output_blocks.{place}.2.{rest}"));
        }
        _ => return None,
    };
    let rest = if kind == "resnets" {
        rename_module(rest, RESNET.iter().copied())?
    } else {
        rest.to_owned()
    };
    Some(format!("{place}.{rest}"))
}

/// The canonical name of a U-Net tensor under either naming, for `n_layers` residual blocks to a down block.
pub fn unet(name: &str, n_layers: usize) -> Option<String> {
    let canonical = [
        "input_blocks.",
        "middle_block.",
        "output_blocks.",
        "time_embed.",
        "label_emb.",
        "out.",
    ];
    if canonical.iter().any(|module| name.starts_with(module)) {
        return Some(name.to_owned());
    }
    unet_from_diffusers(name, n_layers)
}

/// The diffusers name of a canonical U-Net tensor or module: the inverse of [`unet_from_diffusers`].
pub fn unet_to_diffusers(name: &str, n_layers: usize) -> Option<String> {
    for (theirs, ours) in UNET_ENDS {
        if let Some(rest) = strip_module(name, ours) {
            return Some(format!("{theirs}{rest}"));
        }
    }
    let (side, rest) = name.split_once('.')?;
    let (place, rest) = split_number(rest)?;
    let per_block = n_layers.checked_add(1)?;
    let (place, kind, rest) = match side {
        "input_blocks" => {
            let place = place.checked_sub(1)?;
            let (block, layer) = (place / per_block, place % per_block);
            if layer == n_layers {
                let rest = rest.strip_prefix("0.op")?;
                return Some(format!("down_blocks.{block}.downsamplers.0.conv{rest}"));
            }
            let (module, rest) = split_number(rest)?;
            let kind = *["resnets", "attentions"].get(module)?;
            (format!("down_blocks.{block}.{kind}.{layer}"), kind, rest)
        }
        "middle_block" => {
            let kind = ["resnets", "attentions"][place % 2];
            (format!("mid_block.{kind}.{}", place / 2), kind, rest)
        }
        "output_blocks" => {
            let (block, layer) = (place / per_block, place % per_block);
            let (module, rest) = split_number(rest)?;
            if module == 2 {
                return Some(format!("up_blocks.{block}.upsamplers.0.{rest}"));
            }
            let kind = *["resnets", "attentions"].get(module)?;
            (format!("up_blocks.{block}.{kind}.{layer}"), kind, rest)
        }
        _ => return None,
    };
    let rest = if kind == "resnets" {
        rename_module(rest, RESNET.iter().map(|(theirs, ours)| (*ours, *theirs)))?
    } else {
        rest.to_owned()
    };
    Some(format!("{place}.{rest}"))
}

fn first_input(block: usize, n_layers: usize) -> Option<usize> {
    block.checked_mul(n_layers.checked_add(1)?)?.checked_add(1)
}

fn first_output(block: usize, n_layers: usize) -> Option<usize> {
    block.checked_mul(n_layers.checked_add(1)?)
}

/// The canonical name of a transformers text tensor. Version 5 drops the prefix of encoders without a projection.
pub fn text_from_transformers(name: &str) -> String {
    let is_bare = ["embeddings.", "encoder.", "final_layer_norm."]
        .iter()
        .any(|module| name.starts_with(module));
    if is_bare {
        format!("text_model.{name}")
    } else {
        name.to_owned()
    }
}

/// The canonical names of a text tensor under any library's name; none if nobody names one so.
pub fn text(name: &str) -> Vec<(String, Part)> {
    let names = text_from_open_clip(name);
    if !names.is_empty() {
        return names;
    }
    let name = text_from_transformers(name);
    if name.starts_with("text_model.") || name.starts_with("text_projection.") {
        vec![(name, Part::Whole)]
    } else {
        Vec::new()
    }
}

/// What open_clip calls a canonical text tensor: the inverse of [`text_from_open_clip`].
pub fn text_to_open_clip(name: &str) -> Option<String> {
    let same = [
        (
            "text_model.embeddings.position_embedding.weight",
            "positional_embedding",
        ),
        (
            "text_model.embeddings.token_embedding.weight",
            "token_embedding.weight",
        ),
        ("text_model.final_layer_norm.weight", "ln_final.weight"),
        ("text_model.final_layer_norm.bias", "ln_final.bias"),
        ("text_projection.weight", "text_projection"),
    ];
    if let Some((_, theirs)) = same.into_iter().find(|(ours, _)| *ours == name) {
        return Some(theirs.to_owned());
    }
    let (layer, rest) = split_number(name.strip_prefix("text_model.encoder.layers.")?)?;
    let joined = ["q_proj", "k_proj", "v_proj"].into_iter().find_map(|module| {
        rest.strip_prefix("self_attn.")?
            .strip_prefix(module)?
            .strip_prefix('.')
    });
    let rest = match joined {
        Some(kind) => format!("attn.in_proj_{kind}"),
        None => rename_module(
            rest,
            OPEN_CLIP_LAYER.iter().map(|(theirs, ours)| (*ours, *theirs)),
        )?,
    };
    Some(format!("transformer.resblocks.{layer}.{rest}"))
}

/// The canonical names of an open_clip text tensor (`transformer.resblocks.0.attn.in_proj_weight`); one stored
/// tensor may hold several.
pub fn text_from_open_clip(name: &str) -> Vec<(String, Part)> {
    let whole = |name: &str| vec![(name.to_owned(), Part::Whole)];
    match name {
        "positional_embedding" => whole("text_model.embeddings.position_embedding.weight"),
        "token_embedding.weight" => whole("text_model.embeddings.token_embedding.weight"),
        "ln_final.weight" => whole("text_model.final_layer_norm.weight"),
        "ln_final.bias" => whole("text_model.final_layer_norm.bias"),
        "text_projection" => vec![("text_projection.weight".to_owned(), Part::Transposed)],
        "text_projection.weight" => whole("text_projection.weight"),
        _ => open_clip_layer(name).unwrap_or_default(),
    }
}

/// Names inside a layer of a text encoder: open_clip's, canonical.
const OPEN_CLIP_LAYER: [(&str, &str); 5] = [
    ("ln_1", "layer_norm1"),
    ("ln_2", "layer_norm2"),
    ("attn.out_proj", "self_attn.out_proj"),
    ("mlp.c_fc", "mlp.fc1"),
    ("mlp.c_proj", "mlp.fc2"),
];

fn open_clip_layer(name: &str) -> Option<Vec<(String, Part)>> {
    let (layer, rest) = split_number(name.strip_prefix("transformer.resblocks.")?)?;
    let prefix = format!("text_model.encoder.layers.{layer}");
    if let Some(kind) = rest.strip_prefix("attn.in_proj_") {
        let thirds = ["q_proj", "k_proj", "v_proj"].iter().enumerate();
        return Some(
            thirds
                .map(|(i, module)| (format!("{prefix}.self_attn.{module}.{kind}"), Part::Third(i)))
                .collect(),
        );
    }
    let rest = rename_module(rest, OPEN_CLIP_LAYER)?;
    Some(vec![(format!("{prefix}.{rest}"), Part::Whole)])
}

/// The canonical name of a VAE tensor as single-file checkpoints call it (`decoder.up.3.block.0.conv1.weight`),
/// for `n_levels` resolutions.
pub fn vae_from_single_file(name: &str, n_levels: usize) -> Option<(String, Part)> {
    let (side, rest) = name.split_once('.')?;
    let whole = |rest: String| Some((format!("{side}.{rest}"), Part::Whole));
    if matches!(side, "quant_conv" | "post_quant_conv") || rest.starts_with("conv_") {
        return whole(rest.to_owned());
    }
    if let Some(rest) = strip_module(rest, "norm_out") {
        return whole(format!("conv_norm_out{rest}"));
    }
    if let Some(rest) = rest.strip_prefix("mid.block_") {
        let (block, rest) = split_number(rest)?;
        return whole(format!(
            "mid_block.resnets.{}.{}",
            block.checked_sub(1)?,
            vae_resnet(rest)?
        ));
    }
    if let Some(rest) = rest.strip_prefix("mid.attn_1.") {
        let name = rename_module(rest, VAE_ATTENTION)?;
        return Some(vae_attention(format!("{side}.mid_block.attentions.0.{name}")));
    }
    let (direction, rest) = rest.split_once('.')?;
    let (level, rest) = split_number(rest)?;
    let (block, sampler) = match direction {
        "down" => (format!("down_blocks.{level}"), "downsample"),
        // Single files count from the finest level, diffusers from the one that is computed first.
        "up" => (
            format!("up_blocks.{}", n_levels.checked_sub(level.checked_add(1)?)?),
            "upsample",
        ),
        _ => return None,
    };
    if let Some(rest) = rest.strip_prefix("block.") {
        let (layer, rest) = split_number(rest)?;
        return whole(format!("{block}.resnets.{layer}.{}", vae_resnet(rest)?));
    }
    let rest = rest.strip_prefix(sampler)?;
    whole(format!("{block}.{sampler}rs.0{rest}"))
}

fn vae_resnet(rest: &str) -> Option<String> {
    let modules = ["norm1", "conv1", "norm2", "conv2"].map(|same| (same, same));
    rename_module(
        rest,
        modules.into_iter().chain([("nin_shortcut", "conv_shortcut")]),
    )
}

/// The canonical name of a VAE tensor of a diffusers folder; files from before 2023 name the attention otherwise.
pub fn vae_from_diffusers(name: &str) -> (String, Part) {
    let Some((prefix, rest)) = name.split_once("mid_block.attentions.0.") else {
        return (name.to_owned(), Part::Whole);
    };
    let rest = rename_module(rest, VAE_ATTENTION).unwrap_or_else(|| rest.to_owned());
    vae_attention(format!("{prefix}mid_block.attentions.0.{rest}"))
}

/// Its matrices are stored as such or as convolutions of one pixel, under either spelling.
fn vae_attention(name: String) -> (String, Part) {
    let is_matrix = name.ends_with(".weight") && !name.ends_with("group_norm.weight");
    (name, if is_matrix { Part::Matrix } else { Part::Whole })
}

/// Names inside the VAE's attention: Stability AI's, diffusers' old ones and the canonical ones; canonical.
const VAE_ATTENTION: [(&str, &str); 14] = [
    ("norm", "group_norm"),
    ("q", "to_q"),
    ("k", "to_k"),
    ("v", "to_v"),
    ("proj_out", "to_out.0"),
    ("query", "to_q"),
    ("key", "to_k"),
    ("value", "to_v"),
    ("proj_attn", "to_out.0"),
    ("group_norm", "group_norm"),
    ("to_q", "to_q"),
    ("to_k", "to_k"),
    ("to_v", "to_v"),
    ("to_out.0", "to_out.0"),
];

/// What single-file checkpoints call a canonical VAE tensor: the inverse of [`vae_from_single_file`].
pub fn vae_to_single_file(name: &str, n_levels: usize) -> Option<String> {
    let (side, rest) = name.split_once('.')?;
    if matches!(side, "quant_conv" | "post_quant_conv")
        || matches!(rest.split('.').next(), Some("conv_in" | "conv_out"))
    {
        return Some(name.to_owned());
    }
    if let Some(rest) = strip_module(rest, "conv_norm_out") {
        return Some(format!("{side}.norm_out{rest}"));
    }
    if let Some(rest) = rest.strip_prefix("mid_block.attentions.0.") {
        let modules = VAE_ATTENTION
            .iter()
            .take(5)
            .map(|(theirs, ours)| (*ours, *theirs));
        return Some(format!("{side}.mid.attn_1.{}", rename_module(rest, modules)?));
    }
    let shortcut = |rest: &str| rest.replacen("conv_shortcut", "nin_shortcut", 1);
    if let Some(rest) = rest.strip_prefix("mid_block.resnets.") {
        let (block, rest) = split_number(rest)?;
        return Some(format!("{side}.mid.block_{}.{}", block + 1, shortcut(rest)));
    }
    let (direction, rest) = rest.split_once('.')?;
    let (level, rest) = split_number(rest)?;
    let (direction, level) = match direction {
        "down_blocks" => ("down", level),
        "up_blocks" => ("up", n_levels.checked_sub(level + 1)?),
        _ => return None,
    };
    let (kind, rest) = rest.split_once('.')?;
    let (layer, rest) = split_number(rest)?;
    match kind {
        "resnets" => Some(format!(
            "{side}.{direction}.{level}.block.{layer}.{}",
            shortcut(rest)
        )),
        "downsamplers" | "upsamplers" => Some(format!("{side}.{direction}.{level}.{direction}sample.{rest}")),
        _ => None,
    }
}

/// What follows a module's name: nothing, or a dot and more.
fn strip_module<'a>(name: &'a str, module: &str) -> Option<&'a str> {
    name.strip_prefix(module)
        .filter(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// Renames the module that a name begins with.
fn rename_module<'a>(name: &str, modules: impl IntoIterator<Item = (&'a str, &'a str)>) -> Option<String> {
    modules.into_iter().find_map(|(from, to)| {
        let rest = strip_module(name, from)?;
        Some(format!("{to}{rest}"))
    })
}

/// Splits `4.rest` into 4 and `rest`.
fn split_number(name: &str) -> Option<(usize, &str)> {
    let (number, rest) = name.split_once('.').unwrap_or((name, ""));
    // Longer numbers only come from hostile files, and would overflow where they are counted with.
    let number = (number.len() <= 4).then(|| number.parse().ok())??;
    Some((number, rest))
}

/// Splits `resnets.1.rest` into `resnets`, 1 and `rest`.
fn split_layer(name: &str) -> Option<(&str, usize, &str)> {
    let (kind, rest) = name.split_once('.')?;
    let (layer, rest) = split_number(rest)?;
    Some((kind, layer, rest))
}
