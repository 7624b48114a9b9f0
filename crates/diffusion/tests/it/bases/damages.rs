//! Single files that are damaged or something else.

use diffusion::base::{BaseInfo, BaseModel};
use safetensors::Dtype;

use super::{Change, change, files::File};

/// Damages of a single file, and what is said about each.
fn damages() -> Vec<(&'static str, Change, &'static [&'static str])> {
    let (unet, first, second, vae) = (
        "model.diffusion_model.",
        "conditioner.embedders.0.transformer.",
        "conditioner.embedders.1.model.",
        "first_stage_model.",
    );
    let without = |what: &'static str| change(move |file: File| file.without(|name| name.starts_with(what)));
    let only = |what: &'static str| change(move |file: File| file.without(|name| !name.starts_with(what)));
    let lacks = |what: &'static str| change(move |file: File| file.without(|name| name == what));
    vec![
        ("no VAE (B4.2)", without(vae), &["the VAE is missing", "--vae"]),
        (
            "no first text encoder",
            without(first),
            &["the first text encoder is missing"],
        ),
        (
            "no second text encoder",
            without(second),
            &["the second text encoder is missing"],
        ),
        (
            "no text encoders",
            change(|file| file.without(|name| name.starts_with("conditioner."))),
            &[
                "the first text encoder is missing",
                "the second text encoder is missing",
            ],
        ),
        ("no U-Net", without(unet), &["the U-Net is missing"]),
        (
            "a U-Net alone (B4.4)",
            change(move |file| file.without(|name| !name.starts_with(unet)).moved(unet, "")),
            &["a U-Net alone, in ComfyUI's naming"],
        ),
        ("a U-Net alone with its prefix", only(unet), &["a U-Net alone"]),
        (
            "a U-Net alone of diffusers",
            change(|_| File::part("unet")),
            &["a U-Net alone, in diffusers' naming"],
        ),
        ("a VAE alone", only(vae), &["a VAE alone"]),
        (
            "a VAE alone of diffusers",
            change(|_| File::part("vae")),
            &["a VAE alone"],
        ),
        (
            "a text encoder alone",
            change(|_| File::part("text_encoder")),
            &["a text encoder alone"],
        ),
        (
            "both text encoders alone",
            only("conditioner."),
            &["the text encoders alone"],
        ),
        (
            "no attention in the VAE",
            change(|file| file.without(|name| name.contains("decoder.mid.attn_1."))),
            &[
                "the VAE lacks 10 of 248 tensors",
                "`first_stage_model.decoder.mid.attn_1.q.weight`",
            ],
        ),
        (
            "one matrix of the VAE's attention",
            lacks("first_stage_model.encoder.mid.attn_1.v.weight"),
            &["the VAE lacks 1 of 248 tensors: `first_stage_model.encoder.mid.attn_1.v.weight`"],
        ),
        (
            "no quant_conv",
            change(|file| file.without(|name| name.contains("quant_conv"))),
            &["the VAE lacks 4 of", "`first_stage_model.post_quant_conv.bias`"],
        ),
        (
            "a level of the VAE",
            change(|file| file.without(|name| name.contains("decoder.up.3."))),
            &[
                "the VAE lacks",
                "`first_stage_model.decoder.up.3.block.0.conv1.bias`",
            ],
        ),
        (
            "a bias of the U-Net",
            lacks("model.diffusion_model.middle_block.1.proj_in.bias"),
            &["the U-Net lacks 1 of 620 tensors: `model.diffusion_model.middle_block.1.proj_in.bias`"],
        ),
        (
            "the embedding of sizes",
            change(|file| file.without(|name| name.contains("label_emb."))),
            &["the U-Net lacks 4 of 620 tensors", "label_emb.0.0.bias"],
        ),
        (
            "a block of the U-Net",
            change(|file| file.without(|name| name.contains(".input_blocks.7."))),
            &["the U-Net lacks", "and", "more"],
        ),
        (
            "the last transformer block",
            change(|file| file.without(|name| name.contains("middle_block.1.transformer_blocks.1."))),
            &["the U-Net lacks 20 of 620 tensors"],
        ),
        (
            "the last layer of the first text encoder",
            change(|file| file.without(|name| name.contains("text_model.encoder.layers.11."))),
            &["the first text encoder lacks 16 of", "layers.11."],
        ),
        (
            "a layer amid the first text encoder",
            change(|file| file.without(|name| name.contains("text_model.encoder.layers.4."))),
            &["the first text encoder lacks 16 of", "layers.4."],
        ),
        (
            "a layer of the second text encoder",
            change(|file| file.without(|name| name.contains("resblocks.3."))),
            &[
                "the second text encoder lacks 12 of",
                "resblocks.3.attn.in_proj_weight",
            ],
        ),
        (
            "the projection",
            lacks("conditioner.embedders.1.model.text_projection"),
            &["`conditioner.embedders.1.model.text_projection`"],
        ),
        (
            "the positions",
            lacks("conditioner.embedders.0.transformer.text_model.embeddings.position_embedding.weight"),
            &["position_embedding"],
        ),
        (
            "two parts at once",
            change(|file| {
                file.without(|name| name.ends_with("decoder.conv_in.bias") || name.ends_with("out.2.bias"))
            }),
            &["the U-Net lacks 1 of 620", "; the VAE lacks 1 of 248"],
        ),
        (
            "another shape",
            change(|file| {
                file.changed("model.diffusion_model.out.2.bias", |stored| {
                    stored.1 = vec![2];
                    stored.2.truncate(4);
                })
            }),
            &["`model.diffusion_model.out.2.bias` has shape [2], expected [4]"],
        ),
        (
            "positions of another model",
            change(|file| {
                file.with(
                    "conditioner.embedders.0.transformer.text_model.embeddings.position_embedding.weight",
                    &[248, 32],
                )
            }),
            &["has shape [248, 32], expected [77, 32]"],
        ),
        (
            "whole numbers",
            change(|file| {
                file.changed("model.diffusion_model.out.2.weight", |stored| {
                    stored.0 = Dtype::I16;
                })
            }),
            &[
                "the U-Net has 1 tensors in I16, which is not read",
                "model.diffusion_model.out.2.weight",
            ],
        ),
        (
            "inpainting",
            change(|file| file.with("model.diffusion_model.input_blocks.0.0.weight", &[32, 9, 3, 3])),
            &["from 9 to 4 channels", "inpainting"],
        ),
        (
            "the VAE of Flux",
            change(|file| file.with("first_stage_model.decoder.conv_in.weight", &[64, 16, 3, 3])),
            &["a VAE with 16 latent channels", "Flux"],
        ),
        (
            "EDM",
            change(|file| file.with("edm_vpred.sigma_max", &[])),
            &["CosXL"],
        ),
        (
            "Playground",
            change(|file| file.with("edm_mean", &[4])),
            &["Playground"],
        ),
    ]
}

#[test]
fn what_is_damaged_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("base.safetensors");
    let single = File::single();
    let damages = damages();
    for (name, damage, expected) in &damages {
        damage(single.clone()).write(&path);
        let error = BaseInfo::read(&path)
            .err()
            .unwrap_or_else(|| panic!("{name}: nothing was said"))
            .to_string();
        for word in expected.iter().chain([&"base.safetensors"]) {
            assert!(error.contains(word), "{name}: `{error}` does not say `{word}`");
        }
        BaseModel::load(&path).unwrap_err();
    }
    assert!(damages.len() >= 30, "{}", damages.len());
}
