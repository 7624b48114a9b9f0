//! What a recipe trains of a base model: layers, kinds, sizes, and shares of the learning rate.

use candle_core::Tensor;
use diffusion::{
    base::BaseModel,
    device::Device,
    layers::{ConvGeometry, LoraTarget},
    text_encoder::TextEncoder,
    unet::LORA_PREFIX,
};
use protocol::{
    parameters::{Block, Parameters},
    recipe::Recipe,
};

use crate::kinds::{Dropout, Kind, Planned, Sizes};

#[cfg(test)]
mod tests;

/// The modules that a recipe trains, in the order in which they lie in the network: those of the U-Net, and then those
/// of each text encoder that has a learning rate.
pub fn planned<D: Device>(base: &BaseModel<D>, recipe: &Recipe) -> Vec<Planned> {
    let p = recipe.parameters();
    let kind = Kind::of(p);
    let sizes = Sizes {
        rank: usize::from(recipe.rank().get()),
        alpha: p.alpha,
    };
    let of_kernels = (p.conv_rank > 0).then(|| Sizes {
        rank: usize::from(p.conv_rank),
        alpha: p.conv_alpha,
    });
    let mut planned = of_unet(base, kind, sizes, of_kernels);
    planned.retain_mut(|module| block_of(&module.target.key).is_none_or(|block| in_block(module, p, block)));
    let encoders = &base.text_encoders;
    for (encoder, rate) in [
        (&encoders.first, p.text_encoder_1_learning_rate),
        (&encoders.second, p.text_encoder_2_learning_rate),
    ] {
        if rate > 0.0 {
            planned.extend(of_text_encoder(encoder, kind, sizes, rate / p.learning_rate));
        }
    }
    let dropout = Dropout {
        network: p.network_dropout,
        rank: p.rank_dropout,
        module: p.module_dropout,
    };
    planned.iter_mut().for_each(|module| module.dropout = dropout);
    planned
}

/// The block of the U-Net that a layer is in, by kohya's name.
fn block_of(key: &str) -> Option<Block> {
    let path = key.strip_prefix(LORA_PREFIX)?.strip_prefix('_')?;
    Block::all().find(|block| path.starts_with(&block.prefix().replace('.', "_")))
}

/// Gives a module what a recipe says about its block, and says whether it is trained. Another rank keeps the scale of all,
/// and leaves 3×3 convolutions, which have their own, alone.
fn in_block(module: &mut Planned, p: &Parameters, block: Block) -> bool {
    let rank = usize::from(p.block_rank(block));
    if module.target.kernel() == 1 && rank != usize::from(p.rank) {
        let sizes = Sizes {
            rank,
            alpha: p.alpha / f64::from(p.rank) * rank as f64,
        };
        *module = Planned::new(module.kind, module.target.clone(), sizes);
    }
    module.rate = p.block_learning_rate(block);
    p.trains_block(block)
}

/// A layer's own weight in `f32`, by kohya's name of it, as it is stored: `[out, in]` or `[out, in, kernel, kernel]`.
///
/// # Errors
/// If the base has no such layer, or cannot be read again.
pub(crate) fn weight<D: Device>(base: &BaseModel<D>, key: &str) -> candle_core::Result<Tensor> {
    let Some(layer) = base.layers().get(key) else {
        candle_core::bail!("the base model has no layer `{key}`");
    };
    base.stored(layer, "weight").map_err(candle_core::Error::wrap)
}

/// Measures what modules begin with: the lengths of the rows of a weight, for a DoRA.
///
/// # Errors
/// If the base cannot be read again.
pub fn measured<D: Device>(
    base: &BaseModel<D>,
    mut planned: Vec<Planned>,
) -> candle_core::Result<Vec<Planned>> {
    for module in planned.iter_mut().filter(|module| module.kind == Kind::Dora) {
        let numbers: Vec<f32> = weight(base, &module.target.key)?.flatten_all()?.to_vec1()?;
        let rows = numbers.chunks_exact(module.target.patch());
        let length = |row: &[f32]| {
            let squares: f64 = row.iter().map(|x| f64::from(*x) * f64::from(*x)).sum();
            squares.sqrt() as f32
        };
        module.lengths = rows.map(length).collect();
    }
    Ok(planned)
}

/// Kohya's scope: the linear layers of the transformers, and with sizes for kernels what `conv_dim` adds. Kernels of one
/// pixel and the linear layers beside them have the sizes of all others, as in sd-scripts' `networks/lora.py`.
pub fn of_unet<D: Device>(
    base: &BaseModel<D>,
    kind: Kind,
    sizes: Sizes,
    of_kernels: Option<Sizes>,
) -> Vec<Planned> {
    let config = base.unet.config();
    let linear = config.lora_targets().into_iter();
    let mut planned: Vec<Planned> = linear.map(|target| Planned::new(kind, target, sizes)).collect();
    if let Some(of_kernels) = of_kernels {
        let sizes_of = |target: &LoraTarget| match target.geometry {
            Some(ConvGeometry { kernel, .. }) if kernel > 1 => of_kernels,
            _ => sizes,
        };
        let targets = config.convolution_targets().into_iter();
        planned.extend(targets.map(|target| {
            let sizes = sizes_of(&target);
            Planned::new(kind, target, sizes)
        }));
    }
    planned
}

/// The modules of a text encoder, with `rate` as their share of the learning rate. Modules of a layer whose result
/// nobody uses stay as they begin; sd-scripts' files have them too.
pub fn of_text_encoder<D: Device>(
    encoder: &TextEncoder<D>,
    kind: Kind,
    sizes: Sizes,
    rate: f64,
) -> Vec<Planned> {
    let planned = |target: LoraTarget| Planned {
        rate: if encoder.is_used(&target.key) { rate } else { 0.0 },
        ..Planned::new(kind, target, sizes)
    };
    encoder.lora_targets().into_iter().map(planned).collect()
}
