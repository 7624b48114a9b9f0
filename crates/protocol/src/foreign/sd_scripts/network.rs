//! What sd-scripts trains: `networks.lora` with its options for convolutions, blocks and dropout, and the text encoders.

use super::Options;
use crate::parameters::{Block, Parameters};

/// The network and its targets, but for the options that take a hyperparameter as it is.
pub(super) fn list(options: &mut Options, p: &Parameters) {
    options.value("network_module", "networks.lora");
    if p.trains_text_encoders() {
        // One rate for both: `networks.lora` ignores a second.
        options.value("text_encoder_lr", format!("{:?}", p.text_encoder_1_learning_rate));
    } else {
        // They are trained by default. A rate of 0 would keep their gradients, which enter the norm that is clipped.
        options.flag("network_train_unet_only");
    }
    let own = own(p);
    if !own.is_empty() {
        options.values("network_args", own);
    }
}

/// Arguments of `networks.lora`.
fn own(p: &Parameters) -> Vec<String> {
    let mut own = Vec::new();
    if p.conv_rank > 0 {
        own.push(format!("conv_dim={}", p.conv_rank));
        own.push(format!("conv_alpha={:?}", p.conv_alpha));
    }
    for (name, value) in [
        ("rank_dropout", p.rank_dropout),
        ("module_dropout", p.module_dropout),
    ] {
        if value > 0.0 {
            own.push(format!("{name}={value:?}"));
        }
    }
    if p.lora_plus_ratio != 1.0 {
        own.push(format!("loraplus_lr_ratio={:?}", p.lora_plus_ratio));
    }
    let is_whole = p.trained_blocks.is_empty() && p.block_ranks.is_empty();
    if !is_whole || !p.block_learning_rates.is_empty() {
        own.extend(ranks(p));
    }
    if !p.block_learning_rates.is_empty() {
        let of = |block: Block| format!("{:?}", p.block_learning_rate(block));
        let side =
            |block: fn(u8) -> Block| (0..9).map(|index| of(block(index))).collect::<Vec<_>>().join(",");
        own.push(format!("down_lr_weight={}", side(Block::In)));
        own.push(format!("mid_lr_weight={0},{0},{0}", of(Block::Middle)));
        own.push(format!("up_lr_weight={}", side(Block::Out)));
    }
    own
}

/// Ranks and alphas of all 23 blocks as sd-scripts counts them: embeddings, 9 input blocks, 3 in the middle, 9 output
/// blocks, and the output. A rank of 0 leaves a block out. Each block keeps the scale alpha / rank.
fn ranks(p: &Parameters) -> Vec<String> {
    let all =
        Block::all().flat_map(|block| std::iter::repeat_n(block, if block == Block::Middle { 3 } else { 1 }));
    let blocks: Vec<Option<Block>> = [None].into_iter().chain(all.map(Some)).chain([None]).collect();
    let is_trained = |block: &Option<Block>| block.is_none_or(|block| p.trains_block(block));
    let rank = |block: &Option<Block>| {
        let rank = block.map_or(p.rank, |block| p.block_rank(block));
        if is_trained(block) { rank } else { 0 }
    };
    let list = |name: &str, of: &dyn Fn(&Option<Block>) -> String| {
        let values: Vec<String> = blocks.iter().map(of).collect();
        format!("{name}={}", values.join(","))
    };
    let scale = p.alpha / f64::from(p.rank);
    let mut own = vec![
        list("block_dims", &|block| rank(block).to_string()),
        list("block_alphas", &|block| {
            format!("{:?}", scale * f64::from(rank(block)))
        }),
    ];
    if p.conv_rank > 0 {
        let conv_rank = |block: &Option<Block>| if is_trained(block) { p.conv_rank } else { 0 };
        own.push(list("conv_block_dims", &|block| conv_rank(block).to_string()));
        own.push(list("conv_block_alphas", &|_| format!("{:?}", p.conv_alpha)));
    }
    own
}
