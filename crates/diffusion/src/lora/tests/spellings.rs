//! One module, many names.

use super::*;

/// What a file calls it, and what it is.
const MODULES: [(&str, &str); 58] = [
    ("lora_unet_input_blocks_4_1_proj_in", "input_blocks_4_1_proj_in"),
    (
        "lora_unet_down_blocks_1_attentions_0_proj_in",
        "input_blocks_4_1_proj_in",
    ),
    (
        "lycoris_down_blocks_1_attentions_0_proj_in",
        "input_blocks_4_1_proj_in",
    ),
    (
        "lycoris_unet_down_blocks_1_attentions_0_proj_in",
        "input_blocks_4_1_proj_in",
    ),
    ("lycoris_input_blocks_4_1_proj_in", "input_blocks_4_1_proj_in"),
    (
        "unet.down_blocks.1.attentions.0.proj_in",
        "input_blocks_4_1_proj_in",
    ),
    ("unet.input_blocks.4.1.proj_in", "input_blocks_4_1_proj_in"),
    ("down_blocks.1.attentions.0.proj_in", "input_blocks_4_1_proj_in"),
    ("input_blocks.4.1.proj_in", "input_blocks_4_1_proj_in"),
    (
        "diffusion_model.input_blocks.4.1.proj_in",
        "input_blocks_4_1_proj_in",
    ),
    (
        "model.diffusion_model.input_blocks.4.1.proj_in",
        "input_blocks_4_1_proj_in",
    ),
    (
        "diffusion_model.down_blocks.1.attentions.0.proj_in",
        "input_blocks_4_1_proj_in",
    ),
    (
        "base_model.model.down_blocks.1.attentions.0.proj_in",
        "input_blocks_4_1_proj_in",
    ),
    (
        "base_model.model.unet.down_blocks.1.attentions.0.proj_in",
        "input_blocks_4_1_proj_in",
    ),
    (
        "unet.base_model.model.down_blocks.1.attentions.0.proj_in",
        "input_blocks_4_1_proj_in",
    ),
    (
        "unet._orig_mod.down_blocks.1.attentions.0.proj_in",
        "input_blocks_4_1_proj_in",
    ),
    (
        "module.unet.down_blocks.1.attentions.0.proj_in",
        "input_blocks_4_1_proj_in",
    ),
    (
        "unet_down_blocks_1_attentions_0_proj_in",
        "input_blocks_4_1_proj_in",
    ),
    (
        "down_blocks.1.attentions.0.transformer_blocks.0.attn1.processor.to_q",
        "input_blocks_4_1_transformer_blocks_0_attn1_to_q",
    ),
    (
        "unet.mid_block.attentions.0.transformer_blocks.9.attn2.processor.to_out",
        "middle_block_1_transformer_blocks_9_attn2_to_out_0",
    ),
    (
        "unet.mid_block.attentions.0.transformer_blocks.9.attn2.to_out",
        "middle_block_1_transformer_blocks_9_attn2_to_out_0",
    ),
    (
        "unet.up_blocks.2.attentions.2.transformer_blocks.0.ff.net.0.proj",
        "output_blocks_8_1_transformer_blocks_0_ff_net_0_proj",
    ),
    (
        "lora_unet_up_blocks_0_attentions_1_transformer_blocks_3_norm2",
        "output_blocks_1_1_transformer_blocks_3_norm2",
    ),
    (
        "unet.down_blocks.0.resnets.1.conv1",
        "input_blocks_2_0_in_layers_2",
    ),
    (
        "lora_unet_down_blocks_0_resnets_1_conv1",
        "input_blocks_2_0_in_layers_2",
    ),
    (
        "lora_unet_down_blocks_2_resnets_0_conv_shortcut",
        "input_blocks_7_0_skip_connection",
    ),
    (
        "unet.up_blocks.1.resnets.2.time_emb_proj",
        "output_blocks_5_0_emb_layers_1",
    ),
    ("unet.down_blocks.0.downsamplers.0.conv", "input_blocks_3_0_op"),
    (
        "lora_unet_up_blocks_0_upsamplers_0_conv",
        "output_blocks_2_2_conv",
    ),
    ("unet.time_embedding.linear_1", "time_embed_0"),
    ("lora_unet_time_embed_0", "time_embed_0"),
    ("lora_unet_add_embedding_linear_2", "label_emb_0_2"),
    ("unet.conv_in", "input_blocks_0_0"),
    ("lora_unet_out_2", "out_2"),
    ("unet.conv_norm_out", "out_0"),
    ("unet.mid_block.attentions.0.norm", "middle_block_1_norm"),
    ("lora_te1_text_model_encoder_layers_0_mlp_fc1", "te1:0_mlp_fc1"),
    ("lora_te1_encoder_layers_0_mlp_fc1", "te1:0_mlp_fc1"),
    (
        "text_encoder.text_model.encoder.layers.0.mlp.fc1",
        "te1:0_mlp_fc1",
    ),
    ("text_encoder.encoder.layers.0.mlp.fc1", "te1:0_mlp_fc1"),
    (
        "text_encoder.base_model.model.text_model.encoder.layers.0.mlp.fc1",
        "te1:0_mlp_fc1",
    ),
    (
        "base_model.model.text_encoder.text_model.encoder.layers.0.mlp.fc1",
        "te1:0_mlp_fc1",
    ),
    ("te1.text_model.encoder.layers.0.mlp.fc1", "te1:0_mlp_fc1"),
    ("te1_text_model_encoder_layers_0_mlp_fc1", "te1:0_mlp_fc1"),
    ("clip_l.text_model.encoder.layers.0.mlp.fc1", "te1:0_mlp_fc1"),
    (
        "clip_l.transformer.text_model.encoder.layers.0.mlp.fc1",
        "te1:0_mlp_fc1",
    ),
    (
        "text_encoders.clip_l.transformer.text_model.encoder.layers.0.mlp.fc1",
        "te1:0_mlp_fc1",
    ),
    (
        "conditioner.embedders.0.transformer.text_model.encoder.layers.0.mlp.fc1",
        "te1:0_mlp_fc1",
    ),
    ("lycoris_te1_text_model_encoder_layers_0_mlp_fc1", "te1:0_mlp_fc1"),
    (
        "text_encoder_2.text_model.encoder.layers.31.self_attn.q_proj",
        "te2:31_self_attn_q_proj",
    ),
    (
        "text_encoder_2.encoder.layers.31.self_attn.q_proj",
        "te2:31_self_attn_q_proj",
    ),
    (
        "lora_te2_text_model_encoder_layers_31_self_attn_q_proj",
        "te2:31_self_attn_q_proj",
    ),
    (
        "clip_g.text_model.encoder.layers.31.self_attn.q_proj",
        "te2:31_self_attn_q_proj",
    ),
    (
        "text_encoder_2.text_model.encoder.layers.31.self_attn.to_q",
        "te2:31_self_attn_q_proj",
    ),
    (
        "conditioner.embedders.1.model.transformer.resblocks.31.mlp.c_fc",
        "te2:31_mlp_fc1",
    ),
    (
        "conditioner.embedders.1.model.transformer.resblocks.31.attn.out_proj",
        "te2:31_self_attn_out_proj",
    ),
    ("lora_te2_text_projection", "te2 text_projection"),
    ("text_encoder_2.text_projection", "te2 text_projection"),
];

fn whole(short: &str) -> String {
    if let Some((part, module)) = short.split_once(':') {
        format!("lora_{part}_text_model_encoder_layers_{module}")
    } else if let Some(module) = short.strip_prefix("te2 ") {
        format!("lora_te2_{module}")
    } else {
        format!("lora_unet_{short}")
    }
}

#[test]
fn every_spelling_means_the_same_module() {
    for (spelling, short) in MODULES {
        assert_eq!(
            names::find(spelling),
            Some(Found::One(whole(short))),
            "{spelling}"
        );
    }
    let fused = names::find("conditioner.embedders.1.model.transformer.resblocks.3.attn.in_proj");
    let thirds = ["q", "k", "v"].map(|module| whole(&format!("te2:3_self_attn_{module}_proj")));
    assert_eq!(fused, Some(Found::Thirds(thirds)));
}

#[test]
fn what_is_no_module_of_sdxl_is_none() {
    for other in [
        "",
        "x",
        "unet",
        "unet.nonsense",
        "unet.weird.0",
        "unet.text_encoder.encoder.layers.0.mlp.fc1",
        "text_encoder.down_blocks.1.attentions.0.proj_in",
        // One of two.
        "text_model.encoder.layers.0.mlp.fc1",
        "base_model.model.text_model.encoder.layers.0.mlp.fc1",
        "lora_te_text_model_encoder_layers_0_mlp_fc1",
        "transformer.single_transformer_blocks.0.attn.to_q",
        "unet.down_blocks.1.attentions.0.proj_in.more",
        "unet.down_blocks.99999999999999999999.attentions.0.proj_in",
        "lora_unet_input_blocks_4_1_transformer_blocks_99_attn1_to_q",
    ] {
        assert_eq!(names::find(other), None, "{other}");
    }
    assert_eq!(names::find(&"model.".repeat(10_000)), None);
}

/// How a file calls a tensor, and what it is to its module.
#[test]
fn roles_are_at_the_end() {
    use roles::{Factor, Role};
    for (end, role) in [
        (".lora_down.weight", Role::Down),
        (".lora_up.weight", Role::Up),
        (".lora_down", Role::Down),
        (".lora_A.weight", Role::Down),
        (".lora_B.weight", Role::Up),
        (".lora_A", Role::Down),
        (".lora_A.default.weight", Role::Down),
        (".lora_B.zora.weight", Role::Up),
        (".lora.down.weight", Role::Down),
        (".lora.up.weight", Role::Up),
        (".lora_linear_layer.down.weight", Role::Down),
        (".lora_linear_layer.up.weight", Role::Up),
        ("_lora.down.weight", Role::Down),
        ("_lora.up.weight", Role::Up),
        (".lora_mid.weight", Role::Mid),
        (".alpha", Role::Alpha),
        (".scalar", Role::Scalar),
        (".dora_scale", Role::DoraScale),
        (".lora_magnitude_vector", Role::PeftMagnitude),
        (".lora_magnitude_vector.weight", Role::PeftMagnitude),
        (".lora_magnitude_vector.default.weight", Role::PeftMagnitude),
        (".hada_w1_a", Role::Hada(Factor::FirstA)),
        (".hada_w2_b", Role::Hada(Factor::SecondB)),
        (".hada_t1", Role::Hada(Factor::FirstCore)),
        (".lokr_w1", Role::Lokr(Factor::First)),
        (".lokr_w2_a", Role::Lokr(Factor::SecondA)),
        (".lokr_t2", Role::Lokr(Factor::SecondCore)),
        (".diff", Role::Diff),
        (".diff_b", Role::BiasDiff),
        (".w_norm", Role::Diff),
        (".b_norm", Role::BiasDiff),
        (".set_weight", Role::SetWeight),
        (".oft_blocks", Role::OftBlocks),
        (".rescale", Role::Rescale),
        (".on_input", Role::OnInput),
        (".oft_R.default.weight", Role::Other("an OFT of PEFT")),
        (".a1.weight", Role::Glora(Factor::FirstA)),
        (".bm.weight", Role::Glora(Factor::SecondCore)),
        (
            ".lora_B.bias",
            Role::Other("a LoRA with a bias of its own (lora_bias)"),
        ),
    ] {
        assert_eq!(roles::split(&format!("a.b{end}")), Some(("a.b", role)), "{end}");
    }
    for other in [
        "",
        "a.weight",
        "lora_A.weight",
        "a.bias",
        ".alpha",
        "a.lora_C.weight",
    ] {
        assert_eq!(roles::split(other), None, "{other}");
    }
}

/// Alphas beside the tensors.
#[test]
fn alpha_is_found_where_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("adapter_model.safetensors");
    let scale_of = |path: &Path| {
        Lora::open(path).unwrap().modules()[PROJ_IN]
            .plain()
            .unwrap()
            .scale()
    };
    let scale = |metadata: &[(&str, &str)], tensors: &[(&str, &[usize], f32)]| {
        write_with(&path, tensors, metadata);
        scale_of(&path)
    };
    let kohya = [(DOWN, &[4, 64][..], 1.0), (UP, &[64, 4][..], 0.0)];
    assert_eq!(scale(&[], &kohya), 1.0);
    assert_eq!(scale(&[], &[kohya[0], kohya[1], (ALPHA, &[], 16.0)]), 4.0);
    // sd-scripts: an alpha of 0 counts as the rank.
    assert_eq!(scale(&[], &[kohya[0], kohya[1], (ALPHA, &[], 0.0)]), 1.0);
    let scalar = ("lora_unet_input_blocks_4_1_proj_in.scalar", &[1][..], 0.5);
    assert_eq!(scale(&[], &[kohya[0], kohya[1], (ALPHA, &[], 2.0), scalar]), 0.25);

    let diffusers = [
        (
            "unet.down_blocks.1.attentions.0.proj_in.lora_A.weight",
            &[4, 64][..],
            1.0,
        ),
        (
            "unet.down_blocks.1.attentions.0.proj_in.lora_B.weight",
            &[64, 4][..],
            1.0,
        ),
    ];
    assert_eq!(scale(&[], &diffusers), 1.0);
    assert_eq!(
        scale(&[("unet.lora_alpha", "2"), ("unet.r", "4")], &diffusers),
        0.5
    );
    assert_eq!(scale(&[("text_encoder.lora_alpha", "2")], &diffusers), 1.0);
    let adapter = |json: &str| scale(&[("lora_adapter_metadata", json)], &diffusers);
    assert_eq!(adapter(r#"{"unet.lora_alpha": 8}"#), 2.0);
    assert_eq!(adapter(r#"{"unet.lora_alpha": 8, "unet.use_rslora": true}"#), 4.0);
    assert_eq!(
        adapter(r#"{"unet.lora_alpha": 8, "unet.alpha_pattern": {"proj_in": 4}}"#),
        1.0
    );
    assert_eq!(
        adapter(
            r#"{"unet.lora_alpha": 8, "unet.alpha_pattern": {"^down_blocks\\.1.attentions.0.proj_in$": 2}}"#
        ),
        0.5
    );
    let config = folder.path().join("adapter_config.json");
    fs::write(&config, r#"{"peft_type": "LORA", "lora_alpha": 1, "r": 4}"#).unwrap();
    assert_eq!(scale(&[], &diffusers), 0.25);
    assert_eq!(adapter(r#"{"unet.lora_alpha": 8}"#), 2.0);
    // It is of no other file in the folder.
    let other = folder.path().join("zora.safetensors");
    write(&other, &diffusers);
    assert_eq!(scale_of(&other), 1.0);
    fs::write(&config, "no JSON").unwrap();
    write(&path, &diffusers);
    let words = Lora::open(&path).unwrap_err().to_string();
    assert!(words.contains("adapter_config.json"), "{words}");
    write_with(&other, &diffusers, &[("lora_adapter_metadata", "no JSON")]);
    let words = Lora::open(&other).unwrap_err().to_string();
    assert!(words.contains("`lora_adapter_metadata` of its header"), "{words}");
}
