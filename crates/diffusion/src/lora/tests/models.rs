//! Files for other models, with the names that their trainers write, and files that are no LoRA: each is called what it
//! is.

use super::*;

/// What is said about a file with these tensors, each of which has this shape.
fn said(tensors: &[(&str, &[usize])], metadata: &[(&str, &str)]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("foreign.safetensors");
    let tensors: Vec<(&str, &[usize], f32)> =
        tensors.iter().map(|(name, shape)| (*name, *shape, 1.0)).collect();
    write_with(&path, &tensors, metadata);
    let error = Lora::open(&path).unwrap_err().to_string();
    let quoted = format!("`{}` ", path.display());
    error.strip_prefix(&quoted).unwrap_or(&error).to_owned()
}

/// Modules, by dots as PEFT writes them or by underscores as kohya does, and the model that they are of.
const MODELS: [(&str, &str); 62] = [
    (
        "transformer.transformer_blocks.0.ff_context.net.0.proj",
        "Stable Diffusion 3 or Flux",
    ),
    (
        "transformer.single_transformer_blocks.0.proj_out",
        "Flux or a relative of it",
    ),
    ("lora_unet_single_blocks_0_linear1", "Flux or a relative of it"),
    (
        "diffusion_model.double_blocks.0.img_attn.proj",
        "Flux or a relative of it",
    ),
    (
        "lora_transformer_single_transformer_blocks_0_attn_to_k",
        "Flux or a relative of it",
    ),
    (
        "lycoris_single_transformer_blocks_0_attn_to_q",
        "Flux or a relative of it",
    ),
    ("transformer.distilled_guidance_layer.layers.0.linear_1", "Chroma"),
    (
        "lora_unet_double_blocks_0_img_mlp_fc2",
        "Flux or a relative of it",
    ),
    (
        "transformer.context_embedder.token_refiner.refiner_blocks.0.attn.to_q",
        "HunyuanVideo",
    ),
    (
        "lora_unet_txt_in_individual_token_refiner_blocks_0_self_attn_qkv",
        "HunyuanVideo",
    ),
    ("transformer.joint_transformer_blocks.0.attn.to_q", "AuraFlow"),
    ("lora_unet_double_layers_0_attn_w1q", "AuraFlow"),
    (
        "diffusion_model.double_stream_blocks.0.block.attn1.to_q",
        "HiDream",
    ),
    (
        "transformer.visual_transformer_blocks.0.self_attention.to_query",
        "Kandinsky",
    ),
    (
        "transformer.text_transformer_blocks.0.self_attention.to_key",
        "Kandinsky",
    ),
    ("diffusion_model.transformer_blocks.0.audio_attn1.to_q", "LTX-2"),
    ("transformer.text_fusion.layerwise_blocks.0.attn.to_q", "Krea 2"),
    (
        "lora_unet_joint_blocks_0_context_block_attn_qkv",
        "Stable Diffusion 3",
    ),
    (
        "transformer.transformer_blocks.0.attn.add_k_proj",
        "Qwen-Image, Stable Diffusion 3, Flux",
    ),
    ("lora_unet_transformer_blocks_0_img_mod_1", "Qwen-Image"),
    (
        "transformer.transformer_blocks.0.txt_mlp.net.0.proj",
        "Qwen-Image",
    ),
    ("lora_unet_llm_adapter_blocks_0_self_attn_q_proj", "Anima"),
    (
        "diffusion_model.blocks.0.adaln_modulation_cross_attn.1",
        "Anima or another Cosmos model",
    ),
    (
        "lora_unet_blocks_0_self_attn_output_proj",
        "Anima or another Cosmos model",
    ),
    ("lora_unet_blocks_0_attn1_Wqkv", "HunyuanDiT"),
    ("lora_unet_blocks_0_attn2_kv_proj", "HunyuanDiT"),
    ("transformer.adaln_single.linear", "PixArt or a relative of it"),
    ("blocks.0.cross_attn.kv_linear", "PixArt"),
    ("transformer.blocks.0.attn1.to_q", "Wan or a relative of it"),
    ("transformer.blocks.0.attn2.to_k", "Wan or a relative of it"),
    ("diffusion_model.blocks.0.cross_attn.k", "Wan or a relative of it"),
    ("lora_unet_blocks_0_cross_attn_k", "Wan or a relative of it"),
    ("diffusion_model.blocks.0.ffn.0", "Wan or a relative of it"),
    ("base_model.model.blocks.0.attn1.to_v", "Wan or a relative of it"),
    ("lora_unet_layers_0_attention_qkv", "Lumina"),
    (
        "transformer.noise_refiner.0.attn.to_q",
        "Z-Image, Lumina or a relative of them",
    ),
    (
        "transformer.context_refiner.0.attn.to_q",
        "Z-Image, Lumina or a relative of them",
    ),
    (
        "transformer.layers.0.attention.to_q",
        "Z-Image or a relative of it",
    ),
    ("lora_unet_layers_0_attention_to_v", "Z-Image or a relative of it"),
    (
        "lora_unet_layers_0_feed_forward_w1",
        "Z-Image, Lumina or a relative of them",
    ),
    ("lora_prior_unet_down_blocks_0_0_channelwise_0", "Stable Cascade"),
    ("unet.down_blocks.0.2.kv_mapper.1", "Stable Cascade"),
    (
        "transformer.encoder.layers.0.self_attention.query_key_value",
        "Kolors",
    ),
    (
        "unet.down_blocks.0.motion_modules.0.temporal_transformer.transformer_blocks.0.attention_blocks.0.to_q",
        "AnimateDiff",
    ),
    (
        "unet.mid_block.attentions.0.temporal_transformer_blocks.0.attn2.to_out.0",
        "Stable Video Diffusion",
    ),
    (
        "unet.mid_block.temp_attentions.0.transformer_blocks.0.attn2.to_q",
        "a text-to-video model",
    ),
    (
        "base_model.model.model.layers.0.self_attn.q_proj",
        "a language model",
    ),
    ("model.layers.0.mlp.gate_proj", "a language model"),
    (
        "base_model.model.language_model.model.layers.0.self_attn.q_proj",
        "a language model",
    ),
    (
        "base_model.model.model.encoder.layers.0.self_attn.q_proj",
        "a speech or language model",
    ),
    (
        "base_model.model.vit.encoder.layer.0.attention.attention.query",
        "an image classifier",
    ),
    // Of these, no name says more.
    (
        "transformer.transformer_blocks.0.attn1.to_q",
        "another model (a diffusion transformer)",
    ),
    (
        "diffusion_model.transformer_blocks.0.attn1.to_q",
        "another model (a diffusion transformer)",
    ),
    (
        "lora_unet_transformer_blocks_0_attn1_to_q",
        "another model (a diffusion transformer)",
    ),
    (
        "transformer.layers.0.self_attn.to_q",
        "another model (a diffusion transformer)",
    ),
    (
        "transformer.blocks.0.attention.img_qkv_proj",
        "another model (a diffusion transformer)",
    ),
    // Stable Diffusion 1 and 2 have SDXL's names, and attention where SDXL has none.
    (
        "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_q",
        "Stable Diffusion 1.5 or 2",
    ),
    (
        "unet.up_blocks.3.attentions.0.transformer_blocks.0.attn1.to_q",
        "Stable Diffusion 1.5 or 2",
    ),
    (
        "base_model.model.down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_v",
        "Stable Diffusion 1.5 or 2",
    ),
    (
        "lora_te_text_model_encoder_layers_3_self_attn_q_proj",
        "Stable Diffusion 1.5",
    ),
    (
        "lora_te_text_model_encoder_layers_20_self_attn_q_proj",
        "Stable Diffusion 2",
    ),
    (
        "lora_unet_single_transformer_blocks_0_norm_linear",
        "Flux or a relative of it",
    ),
];

#[test]
fn a_lora_for_another_model_is_told_by_its_name() {
    for (module, model) in MODELS {
        let (down, up) = if module.contains('.') {
            (
                format!("{module}.lora_A.weight"),
                format!("{module}.lora_B.weight"),
            )
        } else {
            (
                format!("{module}.lora_down.weight"),
                format!("{module}.lora_up.weight"),
            )
        };
        let words = said(&[(&down, &[2, 320]), (&up, &[320, 2])], &[]);
        let expected = format!("is a LoRA for {model}");
        assert!(words.starts_with(&expected), "{module}: {words}");
        assert!(words.ends_with("expected one for SDXL"), "{module}: {words}");
    }
}

#[test]
fn a_lora_with_the_names_of_xlabs_is_one_for_flux() {
    let name = "double_blocks.0.processor.qkv_lora1.down.weight";
    let words = said(&[(name, &[2, 4])], &[]);
    assert_eq!(
        words,
        "is a LoRA for Flux, with XLabs' names, expected one for SDXL"
    );
}

/// One tensor that only such a file has.
const OTHERS: [(&str, &[usize], &str); 33] = [
    (
        "model.diffusion_model.input_blocks.0.0.weight",
        &[32, 4, 3, 3],
        "a U-Net or another denoiser alone",
    ),
    ("input_blocks.0.0.weight", &[32, 4, 3, 3], "a U-Net alone"),
    (
        "down_blocks.0.resnets.0.conv1.weight",
        &[32, 32, 3, 3],
        "a U-Net alone in diffusers' format",
    ),
    (
        "conditioner.embedders.1.model.ln_final.weight",
        &[64],
        "an SDXL checkpoint",
    ),
    (
        "conditioner.embedders.0.model.ln_final.weight",
        &[64],
        "a checkpoint of the SDXL refiner",
    ),
    (
        "cond_stage_model.transformer.x",
        &[1],
        "a Stable Diffusion 1 checkpoint",
    ),
    (
        "cond_stage_model.model.x",
        &[1],
        "a Stable Diffusion 2 checkpoint",
    ),
    ("decoder.conv_in.weight", &[8, 4, 3, 3], "a VAE alone"),
    (
        "decoder.conv_in.weight",
        &[8, 16, 3, 3],
        "a VAE alone, of 16 channels where SDXL's has 4",
    ),
    (
        "text_model.encoder.layers.0.mlp.fc1.weight",
        &[4, 4],
        "a text encoder",
    ),
    (
        "encoder.block.0.layer.0.SelfAttention.q.weight",
        &[4, 4],
        "a text encoder (T5)",
    ),
    (
        "vision_model.embeddings.class_embedding",
        &[4],
        "an image encoder (CLIP vision)",
    ),
    ("model.layers.0.input_layernorm.weight", &[4], "a language model"),
    ("control_model.input_blocks.0.0.weight", &[4], "a ControlNet"),
    ("controlnet_cond_embedding.conv_in.weight", &[4], "a ControlNet"),
    ("lora_controlnet", &[1], "a Control-LoRA (a ControlNet)"),
    (
        "lllite_unet_input_blocks_4_1.cond_emb.weight",
        &[4],
        "a ControlNet-LLLite",
    ),
    ("adapter.body.0.in_conv.weight", &[4], "a T2I-Adapter"),
    ("image_proj.proj.weight", &[4], "an IP-Adapter"),
    ("motion_module.0.weight", &[4], "a motion module (AnimateDiff)"),
    ("emb_params", &[4, 768], "a textual inversion (an embedding)"),
    ("clip_l", &[4, 768], "a textual inversion (an embedding)"),
    ("320.0.linear.0.weight", &[4, 4], "a hypernetwork"),
    ("decoder.layers.0.weight", &[4], "a tiny autoencoder (TAESD)"),
    ("body.0.rdb1.conv1.weight", &[4], "an upscaler or a T2I-Adapter"),
    ("model.1.sub.0.RDB1.conv1.0.weight", &[4], "an upscaler"),
    ("model.0.conv.weight", &[4], "a detector (YOLO)"),
    (
        "latents_64x64",
        &[4, 8, 8],
        "the latents of a picture, as trainers cache them",
    ),
    (
        "prompt_embeds",
        &[77, 8],
        "the encoded text of a caption, as trainers cache it",
    ),
    ("blk.0.attn_q.weight", &[4], "a model with GGUF's names"),
    ("state.0.exp_avg", &[4], "the state of an optimizer"),
    (
        "transformer_blocks.0.attn1.to_q.weight",
        &[4],
        "a diffusion transformer",
    ),
    (
        "blocks.0.attn2.to_q.weight",
        &[4],
        "a Wan model or a relative of it",
    ),
];

#[test]
fn what_is_no_lora_is_told_by_its_name() {
    for (name, shape, what) in OTHERS {
        let words = said(&[(name, shape)], &[]);
        assert_eq!(words, format!("is not a LoRA: it holds {what}"), "{name}");
    }
}

#[test]
fn a_header_says_what_names_do_not() {
    let module: [(&str, &[usize]); 2] = [
        ("lora_unet_something_0.lora_down.weight", &[2, 8]),
        ("lora_unet_something_0.lora_up.weight", &[8, 2]),
    ];
    for (key, value, model) in [
        ("modelspec.architecture", "flux-1-dev/lora", "Flux"),
        (
            "modelspec.architecture",
            "stable-diffusion-v1/lora",
            "Stable Diffusion 1.5",
        ),
        (
            "modelspec.architecture",
            "stable-diffusion-3-medium/lora",
            "Stable Diffusion 3",
        ),
        ("modelspec.architecture", "Qwen-Image/lora", "Qwen-Image"),
        ("modelspec.architecture", "lumina-2/lora", "Lumina"),
        ("ss_base_model_version", "sd_v1", "Stable Diffusion 1.5"),
        ("ss_base_model_version", "wan2.1", "Wan"),
        ("ss_base_model_version", "anima", "Anima"),
        ("ss_network_module", "networks.lora_flux", "Flux"),
    ] {
        let words = said(&module, &[(key, value)]);
        assert_eq!(
            words,
            format!("is a LoRA for {model}, expected one for SDXL"),
            "{value}"
        );
    }
}

#[test]
fn one_number_is_one_number() {
    let matrices: [(&str, &[usize]); 2] = [(DOWN, &[2, 64]), (UP, &[64, 2])];
    let with = |name: &str, shape: &[usize]| said(&[matrices[0], matrices[1], (name, shape)], &[]);
    let scalar = "lora_unet_input_blocks_4_1_proj_in.scalar";
    for (name, word) in [(ALPHA, "alpha"), (scalar, "scalar")] {
        let words = with(name, &[2]);
        assert!(
            words.contains(&format!("damaged: {word} has shape [2], expected one number")),
            "{words}"
        );
    }
}
