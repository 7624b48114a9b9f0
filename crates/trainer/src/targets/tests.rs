//! Scopes against kohya's.

use diffusion::unet::UnetConfig;
use protocol::lora::NumbersPerRank;
use sha2::{Digest as _, Sha256};

use super::*;
use crate::fixture::{BASE, Fixture};

const SIZES: Sizes = Sizes { rank: 4, alpha: 2.0 };

#[test]
fn the_size_of_a_file_is_reckoned_from_the_layers_of_sdxl() {
    let config = UnetConfig::sdxl();
    let sum = |targets: &[LoraTarget]| -> u64 {
        let numbers = targets.iter().map(|target| target.patch() + target.n_out);
        numbers.sum::<usize>() as u64
    };
    let (kernels, beside): (Vec<_>, Vec<_>) = config
        .convolution_targets()
        .into_iter()
        .partition(|target| target.kernel() > 1);
    let of_unet = NumbersPerRank {
        transformers: sum(&config.lora_targets()),
        beside_kernels: sum(&beside),
        kernels: sum(&kernels),
        ..NumbersPerRank::SDXL
    };
    assert_eq!(of_unet, NumbersPerRank::SDXL);
}

/// The 66 modules that sd-scripts makes of stabilityai/stable-diffusion-xl-base-1.0 besides with `conv_dim`; the digest
/// is over sorted lines of name, inputs, outputs and side of the kernel (0 for a linear layer).
#[test]
fn convolutions_are_kohyas() {
    let targets = UnetConfig::sdxl().convolution_targets();
    assert_eq!(targets.len(), 66);
    let mut lines: Vec<String> = targets
        .iter()
        .map(|target| {
            let kernel = target.geometry.map_or(0, |geometry| geometry.kernel);
            format!("{} {} {} {kernel}\n", target.key, target.n_in, target.n_out)
        })
        .collect();
    lines.sort();
    assert_eq!(
        hex::encode(Sha256::digest(lines.concat())),
        "5abfeae1b8c31699b5cfde937a7b3a4edbde45511dbc0ca63cff958e020d7d94"
    );
}

#[test]
fn kernels_have_their_own_sizes() {
    let of_kernels = Sizes { rank: 2, alpha: 1.0 };
    let plain = of_unet(&BASE, Kind::Lora, SIZES, None);
    let all = of_unet(&BASE, Kind::Lora, SIZES, Some(of_kernels));
    assert_eq!(all[..plain.len()], plain);
    let sizes = |key: &str| {
        let key = format!("lora_unet_{key}");
        let module = all.iter().find(|module| module.target.key == key);
        module.map(|module| module.sizes)
    };
    assert_eq!(sizes("input_blocks_1_0_in_layers_2"), Some(of_kernels));
    assert_eq!(sizes("input_blocks_3_0_op"), Some(of_kernels));
    assert_eq!(sizes("input_blocks_1_0_emb_layers_1"), Some(SIZES));
    assert_eq!(sizes("output_blocks_0_0_skip_connection"), Some(SIZES));
    assert_eq!(
        sizes("input_blocks_0_0"),
        None,
        "the first convolution is not in kohya's scope"
    );
    // Every one is a layer of the base, with its size.
    for Planned { target, .. } in &all {
        let layer = &BASE.layers()[&target.key];
        assert_eq!(layer.size(), (target.n_out, target.patch()), "{}", target.key);
    }
}

#[test]
fn the_last_layer_of_the_first_encoder_stays_as_it_begins() {
    let first = of_text_encoder(&BASE.text_encoders.first, Kind::Lora, SIZES, 0.5);
    let second = of_text_encoder(&BASE.text_encoders.second, Kind::Lora, SIZES, 0.5);
    let n_layers = BASE.text_encoders.first.config().n_layers;
    assert_eq!(first.len(), 6 * n_layers);
    assert_eq!(
        first[0].target.key,
        "lora_te1_text_model_encoder_layers_0_self_attn_k_proj"
    );
    let idle = first.iter().filter(|module| module.rate == 0.0);
    let last = format!("lora_te1_text_model_encoder_layers_{}_", n_layers - 1);
    let idle: Vec<_> = idle.map(|module| module.target.key.starts_with(&last)).collect();
    assert_eq!(idle, [true; 6]);
    // The second one's goes into the pooled output.
    assert!(second.iter().all(|module| module.rate == 0.5));
}

fn planned_with(change: impl FnOnce(&mut protocol::recipe::ParameterOverrides)) -> Vec<Planned> {
    planned(&BASE, &Fixture::new(change).recipe)
}

#[test]
fn blocks_are_chosen_and_have_their_own_ranks_and_rates() {
    let all = planned_with(|_| ());
    let style = planned_with(|o| o.trained_blocks = Some(vec!["b_lora_style".into()]));
    let is_style = |module: &&Planned| module.target.key.starts_with("lora_unet_output_blocks_1_");
    let expected: Vec<_> = all.iter().filter(is_style).cloned().collect();
    assert!(!expected.is_empty());
    assert_eq!(style, expected);

    let mixed = planned_with(|o| {
        o.block_ranks = Some(vec!["OUT01=2".into(), "MID=0".into()]);
        o.block_learning_rates = Some(vec!["OUT01=0.5".into()]);
    });
    assert!(
        mixed
            .iter()
            .all(|module| !module.target.key.contains("middle_block"))
    );
    for module in mixed {
        let (sizes, rate) = if is_style(&&module) {
            // The scale of all.
            (Sizes { rank: 2, alpha: 2.0 }, 0.5)
        } else {
            (Sizes { rank: 4, alpha: 4.0 }, 1.0)
        };
        assert_eq!(
            (module.sizes, module.rate),
            (sizes, rate),
            "{}",
            module.target.key
        );
    }
}

#[test]
fn text_encoders_have_their_share_of_the_learning_rate() {
    let modules = planned_with(|o| {
        o.learning_rate = Some(1e-3);
        o.text_encoder_2_learning_rate = Some(1e-4);
    });
    let rate_of = |prefix: &str| {
        let mut modules = modules
            .iter()
            .filter(|module| module.target.key.starts_with(prefix));
        modules.next().map(|module| module.rate)
    };
    assert_eq!(rate_of("lora_unet_"), Some(1.0));
    assert_eq!(
        rate_of("lora_te1_"),
        None,
        "a rate of 0 freezes: there is nothing in the file"
    );
    assert!((rate_of("lora_te2_").unwrap() - 0.1).abs() < 1e-12);
}
