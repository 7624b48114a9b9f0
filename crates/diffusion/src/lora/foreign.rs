//! LoRAs for other models, by the names of their modules, the sizes of their layers, or their header.

use super::{names, roles};
use crate::weights::TensorFile;

/// A model by names that only it has: a module's name has to begin so, and every one of the words has to be in it.
struct Mark {
    start: &'static str,
    words: &'static [&'static str],
    model: &'static str,
}

const fn mark(words: &'static [&'static str], model: &'static str) -> Mark {
    begins("", words, model)
}

const fn begins(start: &'static str, words: &'static [&'static str], model: &'static str) -> Mark {
    Mark { start, words, model }
}

/// Where a library keeps its denoiser; what stands before it in a module's name.
const PREFIXES: [&str; 6] = [
    "base_model.model.",
    "model.diffusion_model.",
    "diffusion_model.",
    "transformer.",
    "lora_unet_",
    "lycoris_",
];

const FLUX: &str = "Flux or a relative of it (such as Chroma or HunyuanVideo)";
const Z_IMAGE: &str = "Z-Image or a relative of it";
const THREE: &str = "Qwen-Image, Stable Diffusion 3, Flux or a relative of them";
const LANGUAGE: &str = "a language model";

/// Names without a prefix, with underscores for dots. The first that fits counts, so that models whose names another
/// shares stand behind it.
const MARKS: [Mark; 57] = [
    mark(&["distilled_guidance_layer"], "Chroma"),
    mark(&["double_blocks", "img_mlp_fc1"], "HunyuanVideo"),
    mark(&["individual_token_refiner"], "HunyuanVideo"),
    mark(&["token_refiner", "refiner_blocks"], "HunyuanVideo"),
    mark(&["joint_transformer_blocks"], "AuraFlow"),
    mark(&["double_stream_blocks"], "HiDream"),
    mark(&["text_transformer_blocks"], "Kandinsky"),
    mark(&["visual_transformer_blocks"], "Kandinsky"),
    mark(&["av_cross_attn"], "LTX-2"),
    mark(&["transformer_blocks", "audio_attn"], "LTX-2"),
    mark(&["text_fusion"], "Krea 2"),
    mark(&["single_transformer_blocks"], FLUX),
    mark(&["double_blocks"], FLUX),
    mark(&["single_blocks"], FLUX),
    mark(&["double_layers"], "AuraFlow"),
    mark(&["joint_blocks"], "Stable Diffusion 3"),
    mark(
        &["transformer_blocks", "ff_context"],
        "Stable Diffusion 3 or Flux",
    ),
    mark(&["transformer_blocks", "img_mlp"], "Qwen-Image"),
    mark(&["transformer_blocks", "txt_mlp"], "Qwen-Image"),
    mark(&["transformer_blocks", "img_mod"], "Qwen-Image"),
    mark(&["transformer_blocks", "add_q_proj"], THREE),
    mark(&["transformer_blocks", "add_k_proj"], THREE),
    mark(&["llm_adapter"], "Anima"),
    mark(&["adaln_modulation_cross_attn"], "Anima or another Cosmos model"),
    mark(
        &["blocks_", "self_attn_q_proj", "net_"],
        "Anima or another Cosmos model",
    ),
    mark(&["blocks_", "cross_attn_q_proj"], "Anima or another Cosmos model"),
    mark(
        &["blocks_", "cross_attn_output_proj"],
        "Anima or another Cosmos model",
    ),
    mark(
        &["blocks_", "self_attn_output_proj"],
        "Anima or another Cosmos model",
    ),
    mark(&["blocks_", "attn1_Wqkv"], "HunyuanDiT"),
    mark(&["blocks_", "attn2_kv_proj"], "HunyuanDiT"),
    mark(&["blocks_", "cross_attn_kv_linear"], "PixArt"),
    mark(&["adaln_single"], "PixArt or a relative of it"),
    mark(
        &["blocks_", "attn_qkv"],
        "PixArt or another diffusion transformer",
    ),
    mark(&["blocks_", "cross_attn"], "Wan or a relative of it"),
    begins("blocks_", &["_attn1_to_"], "Wan or a relative of it"),
    begins("blocks_", &["_attn2_to_"], "Wan or a relative of it"),
    mark(&["blocks_", "ffn_"], "Wan or a relative of it"),
    mark(&["layers_", "attention_qkv"], "Lumina"),
    mark(&["noise_refiner"], "Z-Image, Lumina or a relative of them"),
    mark(&["context_refiner"], "Z-Image, Lumina or a relative of them"),
    begins("layers_", &["attention_to_q"], Z_IMAGE),
    begins("layers_", &["attention_to_k"], Z_IMAGE),
    begins("layers_", &["attention_to_v"], Z_IMAGE),
    begins(
        "layers_",
        &["feed_forward_w1"],
        "Z-Image, Lumina or a relative of them",
    ),
    mark(&["kv_mapper"], "Stable Cascade"),
    mark(&["lora_prior_unet"], "Stable Cascade"),
    mark(&["self_attention_query_key_value"], "Kolors"),
    mark(&["motion_modules"], "AnimateDiff"),
    mark(&["temporal_transformer_blocks"], "Stable Video Diffusion"),
    mark(&["temp_attentions"], "a text-to-video model"),
    begins("model_layers_", &[], LANGUAGE),
    begins("language_model_", &[], LANGUAGE),
    begins("layers_", &["self_attn_q_proj"], LANGUAGE),
    begins("layers_", &["self_attn_v_proj"], LANGUAGE),
    begins("model_encoder_layers_", &[], "a speech or language model"),
    begins("model_decoder_layers_", &[], "a speech or language model"),
    begins("vit_", &[], "an image classifier"),
];

/// How modules of other diffusion transformers begin.
const TRANSFORMERS: [&str; 4] = ["transformer_blocks_", "blocks_", "layers_", "transformer_layers_"];

/// What text is as wide as in which model: inputs of the attention to it.
const CONTEXTS: [(usize, &str); 3] = [
    (768, "Stable Diffusion 1.5"),
    (1024, "Stable Diffusion 2"),
    (1280, "the refiner of SDXL"),
];

/// Models by a part of `modelspec.architecture`, `ss_base_model_version` or `base_model` in the header, in lower case.
const IN_HEADER: [(&str, &str); 22] = [
    ("chroma", "Chroma"),
    ("flux", "Flux"),
    ("stable-diffusion-v1", "Stable Diffusion 1.5"),
    ("sd_v1", "Stable Diffusion 1.5"),
    ("sd_1.5", "Stable Diffusion 1.5"),
    ("stable-diffusion-v2", "Stable Diffusion 2"),
    ("sd_v2", "Stable Diffusion 2"),
    ("stable-diffusion-3", "Stable Diffusion 3"),
    ("stable-diffusion-v3", "Stable Diffusion 3"),
    ("sd3", "Stable Diffusion 3"),
    ("stable-cascade", "Stable Cascade"),
    ("hunyuan-video", "HunyuanVideo"),
    ("hunyuan", "HunyuanDiT or HunyuanVideo"),
    ("wan", "Wan"),
    ("qwen", "Qwen-Image"),
    ("lumina", "Lumina"),
    ("z-image", "Z-Image"),
    ("zimage", "Z-Image"),
    ("anima", "Anima"),
    ("cosmos", "Cosmos"),
    ("pixart", "PixArt"),
    ("kolors", "Kolors"),
];

/// The model that a LoRA is for, if that is not SDXL. None for an SDXL LoRA, and where nothing says anything.
pub(super) fn model_of(file: &TensorFile) -> Option<&'static str> {
    let mut modules: Vec<&str> = file
        .names()
        .filter_map(roles::split)
        .map(|(module, _)| module)
        .collect();
    modules.sort_unstable();
    modules.dedup();
    if modules.is_empty() {
        // XLabs' names end in nothing that other programs write: `processor.qkv_lora1.down.weight`.
        let is_xlabs = |name: &str| name.contains("_lora1.") || name.contains("_lora2.");
        return file.names().any(is_xlabs).then_some("Flux, with XLabs' names");
    }
    let n_known = modules
        .iter()
        .filter(|module| names::find(module).is_some())
        .count();
    if n_known > 0 {
        return by_context(file)
            .or_else(|| by_text_encoder(&modules))
            .or_else(|| by_time(&modules))
            .or_else(|| by_level(&modules));
    }
    let spelled: Vec<String> = modules.iter().map(|module| spelled(module)).collect();
    let by_name = MARKS.iter().find(|mark| {
        spelled.iter().any(|module| {
            module.starts_with(mark.start) && mark.words.iter().all(|word| module.contains(word))
        })
    });
    by_name
        .map(|mark| mark.model)
        .or_else(|| by_text_encoder(&modules))
        .or_else(|| by_header(file))
        .or_else(|| {
            let is_transformer = |module: &String| TRANSFORMERS.iter().any(|start| module.starts_with(start));
            spelled
                .iter()
                .any(is_transformer)
                .then_some("another model (a diffusion transformer)")
        })
}

/// As marks have it.
fn spelled(module: &str) -> String {
    let mut module = module;
    while let Some(rest) = PREFIXES.iter().find_map(|prefix| module.strip_prefix(prefix)) {
        module = rest;
    }
    module.replace('.', "_")
}

/// Models for video have layers over time amid those of a U-Net.
fn by_time(modules: &[&str]) -> Option<&'static str> {
    let words = [
        ("temporal_transformer_blocks", "Stable Video Diffusion"),
        ("motion_modules", "AnimateDiff"),
        ("temp_attentions", "a text-to-video model"),
    ];
    words.into_iter().find_map(|(word, model)| {
        modules
            .iter()
            .any(|module| module.contains(word))
            .then_some(model)
    })
}

/// SDXL has no attention where pictures are largest; Stable Diffusion 1 and 2 have.
fn by_level(modules: &[&str]) -> Option<&'static str> {
    let is_largest = |module: &str| match names::find(module) {
        Some(names::Found::One(name)) => ["input_blocks_1_1_", "output_blocks_9_1_"]
            .iter()
            .any(|block| name.contains(block)),
        _ => false,
    };
    modules
        .iter()
        .any(|module| is_largest(module))
        .then_some("Stable Diffusion 1.5 or 2")
}

/// Names of Stable Diffusion 1 and 2 are SDXL's too; what their text encoder gives is of another width.
fn by_context(file: &TensorFile) -> Option<&'static str> {
    let mut widths = file.names().filter_map(|key| {
        let (module, role) = roles::split(key)?;
        let is_context = ["attn2.to_k", "attn2_to_k"]
            .iter()
            .any(|end| module.ends_with(end));
        let shape = &file.info(key)?.shape;
        (is_context && role == roles::Role::Down).then(|| shape.get(1).copied())?
    });
    let width = widths.next()?;
    CONTEXTS
        .into_iter()
        .find_map(|(of_model, model)| (width == of_model).then_some(model))
}

/// sd-scripts gives a text encoder no number where there is but one.
fn by_text_encoder(modules: &[&str]) -> Option<&'static str> {
    let mut of_one = modules
        .iter()
        .filter(|module| module.starts_with("lora_te_text_model_"));
    let first = of_one.next()?;
    // That of Stable Diffusion 1 has 12 layers, that of 2 has 23.
    let is_deep = |module: &&str| (12..23).any(|layer| module.contains(&format!("_layers_{layer}_")));
    let is_second = is_deep(first) || of_one.any(is_deep);
    Some(if is_second {
        "Stable Diffusion 2"
    } else {
        "Stable Diffusion 1.5"
    })
}

fn by_header(file: &TensorFile) -> Option<&'static str> {
    let keys = [
        "modelspec.architecture",
        "ss_base_model_version",
        "base_model",
        "ss_network_module",
    ];
    let said: Vec<String> = keys
        .iter()
        .filter_map(|key| file.metadata().get(*key))
        .map(|value| value.to_lowercase())
        .collect();
    IN_HEADER
        .into_iter()
        .find_map(|(word, model)| said.iter().any(|said| said.contains(word)).then_some(model))
}
