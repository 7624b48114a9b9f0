//! Sizes of a vision transformer, from the shapes of its tensors.

use crate::{graph::Activation, weights::Component};

/// Patches of a picture that any of them sees: those of 1024 pixels in patches of 8.
const MAX_GRID: usize = 128;

/// What stands for the whole picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pooling {
    /// The mean of all patches; there is no class token.
    Average,
    /// The class token, which stands before the patches.
    ClassToken,
}

/// Sizes of a vision transformer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VitConfig {
    /// Height and width of a picture, in pixels.
    pub side: usize,
    /// Height and width of a patch, in pixels.
    pub patch: usize,
    /// Channels of a token.
    pub width: usize,
    /// Channels inside the feed-forward parts.
    pub inner_width: usize,
    /// Transformer blocks.
    pub n_blocks: usize,
    /// Attention heads.
    pub n_heads: usize,
    /// Between the feed-forward matrices.
    pub activation: Activation,
    /// What stands for the whole picture.
    pub pooling: Pooling,
    /// Outputs of the head, if there is one.
    pub n_classes: Option<usize>,
}

impl VitConfig {
    /// Patches, and the class token if there is one.
    pub fn n_tokens(&self) -> usize {
        (self.side / self.patch).pow(2) + usize::from(self.pooling == Pooling::ClassToken)
    }

    /// From the shapes of the tensors. The number of heads leaves no trace in any shape: all of timm's have 64 channels to a
    /// head. Below 128 channels, where only models made for tests are, there are 2 heads.
    ///
    /// # Errors
    /// If no vision transformer has such tensors; the message says which of them.
    pub fn from_shapes(part: &Component, activation: Activation) -> Result<Self, String> {
        let shape = |name: &str| {
            part.shape(name)
                .ok_or_else(|| format!("it has no tensor `{name}`"))
        };
        let [width, 3, patch, across] = shape("patch_embed.proj.weight")?[..] else {
            return Err("`patch_embed.proj.weight` is not [width, 3, patch, patch]".to_owned());
        };
        let [1, n_tokens, of_positions] = shape("pos_embed")?[..] else {
            return Err("`pos_embed` is not [1, tokens, width]".to_owned());
        };
        if patch == 0 || patch != across || width == 0 || width != of_positions {
            return Err("`patch_embed.proj.weight` and `pos_embed` do not fit each other".to_owned());
        }
        let pooling = match part.shape("cls_token") {
            Some(_) => Pooling::ClassToken,
            None => Pooling::Average,
        };
        let n_patches = n_tokens.saturating_sub(usize::from(pooling == Pooling::ClassToken));
        let grid = n_patches.isqrt();
        if grid == 0 || grid > MAX_GRID || grid * grid != n_patches {
            return Err(format!(
                "{n_patches} patches are not the square of a number up to {MAX_GRID}"
            ));
        }
        let [inner_width, _] = shape("blocks.0.mlp.fc1.weight")?[..] else {
            return Err("`blocks.0.mlp.fc1.weight` is not [inner width, width]".to_owned());
        };
        let n_heads = if width < 128 { 2 } else { width / 64 };
        if !width.is_multiple_of(n_heads) {
            return Err(format!("{width} channels do not divide into {n_heads} heads"));
        }
        let n_classes = part.shape("head.weight").and_then(|shape| shape.first().copied());
        Ok(Self {
            side: grid * patch,
            patch,
            width,
            inner_width,
            n_blocks: part.count("blocks."),
            n_heads,
            activation,
            pooling,
            n_classes,
        })
    }
}
