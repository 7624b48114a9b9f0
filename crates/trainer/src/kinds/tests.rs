//! What a module's numbers say. Gradients are checked with the tape, names and start with the network.

use diffusion::unet::LoraTarget;

use super::{Kind, Module};

/// A module of `down [rank, 2]` and `up [2, rank]` with a scale of `alpha / rank`.
fn module(rank: usize, alpha: f64) -> Module {
    Module {
        kind: Kind::Lora,
        target: LoraTarget {
            key: "m".into(),
            n_in: 2,
            n_out: 2,
        },
        rank,
        alpha,
        start: 1,
    }
}

#[test]
fn the_norm_of_a_change_is_that_of_the_product() {
    // Numbers of another module come first. up · down = [[2, 4], [6, 12]] with a norm of √(4 + 16 + 36 + 144).
    let norm = module(1, 1.0).change_norm(&[9.0, 1.0, 2.0, 2.0, 6.0]);
    assert!((norm - 200_f64.sqrt()).abs() < 1e-9, "{norm}");
    // Rank 2: down = identity, so that the norm is up's; it counts half.
    let norm = module(2, -1.0).change_norm(&[9.0, 1.0, 0.0, 0.0, 1.0, 1.0, 2.0, 3.0, 4.0]);
    assert!((norm - 0.5 * 30_f64.sqrt()).abs() < 1e-9, "{norm}");
}
