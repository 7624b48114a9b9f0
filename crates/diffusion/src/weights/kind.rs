//! What a safetensors file holds, in words, for files that are not what somebody expected.

use safetensors::Dtype;

use super::TensorFile;

/// Something by the beginning of a tensor's name.
const BY_START: [(&str, &str); 32] = [
    ("lora_controlnet", "a Control-LoRA (a ControlNet)"),
    ("bundle_emb.", "a textual inversion (an embedding)"),
    ("emb_params", "a textual inversion (an embedding)"),
    ("string_to_param", "a textual inversion (an embedding)"),
    ("lllite_", "a ControlNet-LLLite"),
    ("control_model.", "a ControlNet"),
    ("controlnet_", "a ControlNet"),
    ("input_hint_block.", "a ControlNet"),
    ("image_proj.", "an IP-Adapter"),
    ("ip_adapter.", "an IP-Adapter"),
    ("adapter.body.", "a T2I-Adapter"),
    ("motion_module", "a motion module (AnimateDiff)"),
    ("vision_model.", "an image encoder (CLIP vision)"),
    ("visual.", "an image encoder (CLIP vision)"),
    (
        "model.diffusion_model.joint_blocks.",
        "a Stable Diffusion 3 checkpoint",
    ),
    ("model.diffusion_model.double_blocks.", "a Flux checkpoint"),
    ("conditioner.embedders.1.", "an SDXL checkpoint"),
    (
        "conditioner.embedders.0.model.",
        "a checkpoint of the SDXL refiner",
    ),
    ("cond_stage_model.transformer.", "a Stable Diffusion 1 checkpoint"),
    ("cond_stage_model.model.", "a Stable Diffusion 2 checkpoint"),
    ("joint_blocks.", "a Stable Diffusion 3 model"),
    ("double_blocks.", "a Flux model"),
    ("joint_transformer_blocks.", "an AuraFlow model"),
    (
        "single_transformer_blocks.",
        "a Flux model or a relative of it, in diffusers' format",
    ),
    ("model.diffusion_model.", "a U-Net or another denoiser alone"),
    ("first_stage_model.", "a VAE alone"),
    ("text_model.", "a text encoder"),
    ("transformer.resblocks.", "a text encoder"),
    ("input_blocks.", "a U-Net alone"),
    ("down_blocks.", "a U-Net alone in diffusers' format"),
    ("model.layers.", "a language model"),
    ("body.", "an upscaler or a T2I-Adapter"),
];

/// Diffusion transformers and other files without a U-Net, in the same way; what tells one from another comes first.
const WITHOUT_UNET: [(&str, &str); 17] = [
    ("model.1.sub.", "an upscaler"),
    ("model.0.conv.", "a detector (YOLO)"),
    ("encoder.block.", "a text encoder (T5)"),
    ("decoder.layers.", "a tiny autoencoder (TAESD)"),
    ("taesd_", "a tiny autoencoder (TAESD)"),
    ("latents", "the latents of a picture, as trainers cache them"),
    (
        "prompt_embeds",
        "the encoded text of a caption, as trainers cache it",
    ),
    ("blk.", "a model with GGUF's names"),
    ("state.", "the state of an optimizer"),
    (
        "noise_refiner.",
        "a Lumina or Z-Image model, or a relative of them",
    ),
    ("adaln_single.", "a PixArt model or a relative of it"),
    ("blocks.0.cross_attn.", "a Wan model or a relative of it"),
    ("blocks.0.attn2.", "a Wan model or a relative of it"),
    (
        "transformer_blocks.0.attn.add_q_proj.",
        "a Stable Diffusion 3 or Qwen-Image model, or a relative of them",
    ),
    ("transformer_blocks.", "a diffusion transformer"),
    ("blocks.", "a diffusion transformer"),
    ("layers.", "a diffusion transformer or a language model"),
];

/// Something by a part of a tensor's name, whatever is around it.
const BY_PART: [(&str, &str); 2] = [
    ("motion_modules.", "a motion module (AnimateDiff)"),
    ("temporal_transformer_block", "a Stable Video Diffusion model"),
];

/// Says what a file holds.
pub fn describe(file: &TensorFile) -> String {
    if file.names().next().is_none() {
        return "no tensors".to_owned();
    }
    if let Some(vae) = vae(file) {
        return vae;
    }
    if is_hypernetwork(file) {
        return "a hypernetwork".to_owned();
    }
    let holds = |part: &str| file.names().any(|name| name.contains(part));
    if let Some((_, what)) = BY_PART.into_iter().find(|(part, _)| holds(part)) {
        return what.to_owned();
    }
    let has = |start: &str| file.names().any(|name| name.starts_with(start));
    if let Some((_, what)) = BY_START.into_iter().find(|(start, _)| has(start)) {
        return what.to_owned();
    }
    if let Some(what) = without_unet(file) {
        return what.to_owned();
    }
    let is_table = |name: &str| {
        file.info(name)
            .is_some_and(|info| matches!(*info.shape, [1..=256, 768 | 1024 | 1280]))
    };
    if file.names().count() <= 2 && file.names().all(is_table) {
        return "a textual inversion (an embedding)".to_owned();
    }
    match (file.names().count(), file.names().min()) {
        (1, Some(name)) => format!("one tensor, `{name}`"),
        (n, name) => format!("{n} other tensors such as `{}`", name.unwrap_or_default()),
    }
}

/// What a file is that holds no U-Net, if that is known.
pub(super) fn without_unet(file: &TensorFile) -> Option<&'static str> {
    let has = |start: &str| file.names().any(|name| name.starts_with(start));
    let found = WITHOUT_UNET.into_iter().find(|(start, _)| has(start))?;
    Some(found.1)
}

/// A VAE alone, with the channels of its latents where they are not SDXL's 4.
fn vae(file: &TensorFile) -> Option<String> {
    let has_more = file
        .names()
        .any(|name| name.starts_with("model.diffusion_model.") || name.starts_with("conditioner."));
    let channels = ["", "first_stage_model.", "vae."].iter().find_map(|start| {
        let info = file.info(&format!("{start}decoder.conv_in.weight"))?;
        info.shape.get(1).copied()
    })?;
    match (has_more, channels) {
        (true, _) => None,
        (false, 4) => Some("a VAE alone".to_owned()),
        (false, n) => Some(format!("a VAE alone, of {n} channels where SDXL's has 4")),
    }
}

/// A1111's: matrices under the width of the text that they change, `768.0.linear.0.weight`.
fn is_hypernetwork(file: &TensorFile) -> bool {
    file.names().all(|name| {
        let width = name.split('.').next().unwrap_or_default();
        width.parse::<u32>().is_ok() || file.info(name).is_some_and(|info| info.dtype == Dtype::I64)
    })
}
