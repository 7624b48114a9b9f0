//! Files that cannot be used, or not as a whole, and the words that say why.

use super::*;

/// What is said about a file, at its reading or at its application to tiny-xl.
#[track_caller]
fn check_refused(tensors: &[(&str, &[usize], f32)], metadata: &[(&str, &str)], expected: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("broken.safetensors");
    write_with(&path, tensors, metadata);
    let base = BaseModel::built_in("tiny-xl").unwrap();
    let error = Lora::open(&path)
        .and_then(|lora| adapters(&base, [(&lora, 1.0)]))
        .unwrap_err();
    let words = error.to_string();
    for word in expected.iter().chain([&"broken.safetensors"]) {
        assert!(words.contains(word), "`{words}` does not say `{word}`");
    }
}

#[test]
fn loras_that_cannot_be_used() {
    let refused =
        |tensors: &[(&str, &[usize], f32)], expected: &[&str]| check_refused(tensors, &[], expected);
    refused(&[], &["not a LoRA", "no tensors"]);
    refused(
        &[("model.diffusion_model.x", &[1], 0.0)],
        &["not a LoRA", "a U-Net or another denoiser"],
    );
    refused(
        &[("first_stage_model.decoder.conv_in.weight", &[8, 4, 3, 3], 0.0)],
        &["a VAE alone"],
    );
    refused(
        &[("decoder.conv_in.weight", &[8, 32, 3, 3], 0.0)],
        &["a VAE alone, of 32 channels"],
    );
    refused(&[("control_model.x", &[1], 0.0)], &["a ControlNet"]);
    refused(&[("ip_adapter.1.to_k_ip.weight", &[1], 0.0)], &["an IP-Adapter"]);
    refused(
        &[("clip_l", &[4, 768], 0.0), ("clip_g", &[4, 1280], 0.0)],
        &["a text embedding of 768 and 1280 numbers where the base model has 32 and 64"],
    );
    refused(
        &[("clip_l", &[4, 768], 0.0), ("clip_g", &[3, 1280], 0.0)],
        &["a text embedding of 4 and 3 vectors"],
    );
    refused(&[("768.0.linear.0.weight", &[4, 768], 0.0)], &["a hypernetwork"]);
    refused(
        &[("hello", &[1], 0.0)],
        &["not a LoRA: it holds one tensor, `hello`"],
    );
    refused(&[(DOWN, &[2, 64], 1.0)], &["proj_in", "without its up matrix"]);
    refused(&[(UP, &[64, 2], 1.0)], &["without its down matrix"]);
    refused(&[(ALPHA, &[], 1.0)], &["without matrices"]);
    refused(
        &[(DOWN, &[2, 64], 1.0), (UP, &[64, 2], f32::NAN), (ALPHA, &[], 1.0)],
        &["1 of 3 tensors hold NaN or infinity", UP],
    );
    refused(
        &[(DOWN, &[2, 64], 1.0), (UP, &[64, 3], 1.0)],
        &["proj_in", "do not fit together"],
    );
    refused(
        &[(DOWN, &[2, 640], 1.0), (UP, &[640, 2], 1.0)],
        &["does not fit base model `tiny-xl`", "(640, 640)", "(64, 64)"],
    );
    refused(
        &[
            (DOWN, &[2, 64], 1.0),
            (UP, &[64, 2], 1.0),
            (
                "unet.down_blocks.1.attentions.0.proj_in.lora_A.weight",
                &[2, 64],
                1.0,
            ),
        ],
        &["lora_A.weight", DOWN, "the same part of module"],
    );
    refused(
        &[
            (DOWN, &[2, 64], 1.0),
            (UP, &[64, 2], 1.0),
            ("lora_unet_input_blocks_4_1_proj_in.diff", &[64, 64], 1.0),
        ],
        &["changed in two ways at once"],
    );
    refused(
        &[("lora_unet_input_blocks_4_1_proj_in.hada_w1_a", &[64, 2], 1.0)],
        &["a LoHa without all of its four factors"],
    );
    refused(
        &[("lora_unet_input_blocks_4_1_proj_in.oft_blocks", &[2, 2, 3], 1.0)],
        &["oft_blocks has shape [2, 2, 3]"],
    );
    refused(
        &[("lora_unet_input_blocks_4_1_proj_in.a1.weight", &[2, 2], 1.0)],
        &["a GLoRA without all of its factors"],
    );
    refused(
        &[("lora_unet_input_blocks_4_1_proj_in.weight", &[64], 1.0)],
        &["an IA3 without all of its parts"],
    );
    refused(
        &[(
            "lora_unet_input_blocks_4_1_proj_in.oft_R.default.weight",
            &[2, 2],
            1.0,
        )],
        &["an OFT of PEFT, which is not applied"],
    );
}

/// Downloads that went wrong, and other files with the name of one.
#[test]
fn what_is_no_safetensors_file_is_called_what_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("zora.safetensors");
    let files: [(&[u8], &str); 12] = [
        (
            b"<!DOCTYPE html><html><body>Sign in</body></html>",
            "is a web page: the download needs signing in",
        ),
        (
            b"\n <html lang=\"en\">",
            "is a web page: the download needs signing in",
        ),
        // A brace where that of a header would be.
        (
            b"<script>{\"x\":1}</script>",
            "is a web page: the download needs signing in",
        ),
        (
            b"<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code></Error>",
            "is an XML text, as a server answers when it refuses a download",
        ),
        (
            b"{\"error\":\"Unauthorized\",\"message\":\"log in\"}",
            "is a JSON text, as a server answers when it refuses a download",
        ),
        (b"{\"data\":{\"status\":401}}", "is a JSON text"),
        (b"[]", "is a JSON text"),
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n",
            "is a pointer of Git LFS, not the file itself",
        ),
        (b"Not found", "is a text, and no tensors"),
        (b"PK\x03\x04......", "is a pickled checkpoint"),
        (b"GGUF\x03\0\0\0", "is a GGUF file"),
        (b"", "is empty: the download broke off"),
    ];
    for (bytes, expected) in files {
        fs::write(&path, bytes).unwrap();
        let words = Lora::open(&path).unwrap_err().to_string();
        let expected = format!("`{}` {expected}", path.display());
        assert!(words.starts_with(&expected), "{words}");
    }
}

/// A LoRA for another model, by names, sizes or header.
#[test]
fn loras_for_other_models() {
    let plain = |module: &str, n_in: usize, metadata: &[(&str, &str)], model: &str| {
        let (down, up) = (
            format!("{module}.lora_A.weight"),
            format!("{module}.lora_B.weight"),
        );
        let expected = format!("is a LoRA for {model}");
        check_refused(
            &[(&down, &[2, n_in], 1.0), (&up, &[64, 2], 1.0)],
            metadata,
            &[&expected, "expected one for SDXL"],
        );
    };
    for (module, model) in [
        ("transformer.single_transformer_blocks.0.attn.to_q", "Flux"),
        ("lora_unet_double_blocks_0_img_attn_qkv", "Flux"),
        ("lora_unet_double_blocks_0_img_mlp_fc1", "HunyuanVideo"),
        (
            "diffusion_model.joint_blocks.0.x_block.attn.qkv",
            "Stable Diffusion 3",
        ),
        ("transformer.transformer_blocks.0.img_mlp.net.2", "Qwen-Image"),
        ("diffusion_model.blocks.0.cross_attn.k", "Wan"),
        ("lora_unet_blocks_0_ffn_0", "Wan"),
        ("diffusion_model.layers.0.attention.to_q", "Z-Image"),
        ("diffusion_model.layers.0.attention.qkv", "Lumina"),
        ("diffusion_model.blocks.0.cross_attn.q_proj", "Anima"),
        ("lora_prior_unet_down_blocks_0_0_mapper", "Stable Cascade"),
        (
            "lora_te_text_model_encoder_layers_0_mlp_fc1",
            "Stable Diffusion 1.5",
        ),
        (
            "lora_te_text_model_encoder_layers_22_mlp_fc1",
            "Stable Diffusion 2",
        ),
        ("distilled_guidance_layer.layers.0.in_layer", "Chroma"),
    ] {
        plain(module, 64, &[], model);
    }
    let attention = "lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn2_to_k";
    plain(attention, 768, &[], "Stable Diffusion 1.5");
    plain(attention, 1024, &[], "Stable Diffusion 2");
    plain(attention, 1280, &[], "the refiner of SDXL");
    plain(
        "blocks.x",
        64,
        &[("modelspec.architecture", "pixart-sigma/lora")],
        "PixArt",
    );
}

/// What is left out is told, and used only by an explicit yes.
#[test]
fn a_part_needs_a_yes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.safetensors");
    let base = BaseModel::built_in("tiny-xl").unwrap();
    let matrices = [(DOWN, &[2, 64][..], 1.0), (UP, &[64, 2][..], 1.0)];
    let refused = |tensors: &[(&str, &[usize], f32)]| {
        write(&path, &[&matrices[..], tensors].concat());
        let lora = Lora::open(&path).unwrap();
        let error = adapters(&base, [(&lora, 0.0)]).unwrap_err().to_string();
        assert_eq!(lora.check(&base).unwrap_err().to_string(), error);
        let partial = Weighted {
            lora: &lora,
            weight: 1.0,
            partial: true,
        };
        assert_eq!(adapters(&base, [partial]).unwrap().keys().count(), 1);
        assert_eq!(lora.summary_for(&base).n_modules, 1);
        error
    };
    let words = refused(&[
        ("unet.weird.0.lora_A.weight", &[1, 1], 1.0),
        ("unet.weird.0.lora_B.weight", &[1, 1], 1.0),
    ]);
    assert!(
        words.contains("1 of 2 modules is not known and is left out: `unet.weird.0`"),
        "{words}"
    );
    let words = refused(&[("something.else", &[1], 1.0)]);
    assert!(words.contains("`something.else`"), "{words}");
    let words = refused(&[(
        "lora_te1_text_model_embeddings_token_embedding.diff",
        &[2, 2],
        1.0,
    )]);
    assert!(
        words.contains("a change of an embedding, which is not applied"),
        "{words}"
    );
    let to_q = "lora_unet_input_blocks_4_1_transformer_blocks_0_attn1_to_q.diff_b";
    let words = refused(&[(to_q, &[64], 1.0)]);
    assert!(
        words.contains("a change of a bias, which the base model's layer does not have"),
        "{words}"
    );
    let words = refused(&[("lora_unet_output_blocks_8_1_norm.diff_b", &[64], 1.0)]);
    assert!(
        words.contains("for a layer that the base model does not have"),
        "{words}"
    );
    let up = "lora_te1_text_model_encoder_layers_0_mlp_fc1.lora_up.weight";
    let words = refused(&[(up, &[64, 2], 1.0)]);
    assert!(words.contains("without its down matrix"), "{words}");

    // So is what changes nothing: nobody looks at the last layer of the first text encoder.
    let layer = |encoder: u8, layer: u8, matrix: &str| {
        format!("lora_te{encoder}_text_model_encoder_layers_{layer}_self_attn_q_proj.lora_{matrix}.weight")
    };
    let names = [(1, 10), (1, 11), (2, 3)].map(|(encoder, i)| {
        let width = if encoder == 1 { 32 } else { 64 };
        (
            layer(encoder, i, "down"),
            [1, width],
            layer(encoder, i, "up"),
            [width, 1],
        )
    });
    let tensors: Vec<(&str, &[usize], f32)> = names
        .iter()
        .flat_map(|(down, of_down, up, of_up)| {
            [(down.as_str(), &of_down[..], 1.0), (up.as_str(), &of_up[..], 1.0)]
        })
        .collect();
    write(&path, &tensors);
    let lora = Lora::open(&path).unwrap();
    lora.check(&base).unwrap();
    let summary = lora.summary_for(&base);
    assert_eq!(summary.n_modules, 2);
    assert_eq!(
        summary.notes(),
        [
            "`lora_te1_text_model_encoder_layers_11_self_attn_q_proj` is behind the layer of the first text encoder that \
             SDXL looks at, and without effect"
        ]
    );

    // Half of an embedding beside a whole LoRA is told, no more.
    write(
        &path,
        &[
            matrices[0],
            matrices[1],
            ("bundle_emb.zora.clip_l", &[1, 32], 1.0),
        ],
    );
    let lora = Lora::open(&path).unwrap();
    lora.check(&base).unwrap();
    let summary = lora.summary_for(&base);
    assert_eq!(summary.left_out(), None);
    assert!(
        summary.notes()[0].starts_with("`zora` is a text embedding"),
        "{:?}",
        summary.notes()
    );
}
