//! What an operation is told beside tensors: variants, geometry, constants; and the sizes of those that have many, with
//! the checks that every device makes before it computes.

pub mod blockwise;
mod number;
mod updates;

pub use self::number::Number;
pub use self::updates::{
    AdafactorUpdate, AdamMove, AdamWUpdate, AdaptUpdate, CameUpdate, Estimate, LionUpdate,
    ProdigyScheduleFreeUpdate, Running, ScheduleFreeMove, ScheduleFreeUpdate, Span,
};

/// A function of each value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// x · σ(x).
    Silu,
    /// x · Φ(x) with the error function, as `torch.nn.GELU` and CLIP-bigG.
    Gelu,
    /// x/2 · (1 + tanh(√(2/π) (x + 0.044715 x³))), as `torch.nn.GELU(approximate="tanh")` and taggers of pictures.
    TanhGelu,
    /// x · σ(1.702 x), as OpenAI's CLIP.
    QuickGelu,
}

/// Which keys a query sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mask {
    /// All of them.
    None,
    /// Those up to its own position.
    Causal,
}

/// What follows a group norm, computed in the same pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum After {
    /// Nothing.
    Nothing,
    /// x · σ(x).
    Silu,
}

/// How a group norm groups.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Grouping {
    /// Groups that share mean and variance; divides the channels.
    pub n_groups: usize,
    /// Added to the variance.
    pub eps: f32,
    /// What follows.
    pub after: After,
}

/// Where a matrix lies in a [`Buffer`](Device::Buffer), row after row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Its first number.
    pub start: usize,
    /// Rows.
    pub rows: usize,
    /// Columns.
    pub columns: usize,
}

impl Place {
    /// The numbers of the matrix.
    pub fn range(self) -> std::ops::Range<usize> {
        self.start..self.start + self.rows * self.columns
    }
}

/// What does not fit.
type Problem = String;

/// Geometry of a convolution with a square kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConvGeometry {
    /// Height and width of the kernel.
    pub kernel: usize,
    /// Step between output pixels.
    pub stride: usize,
    /// Zeros before the first row and column.
    pub pad_start: usize,
    /// Zeros behind the last row and column.
    pub pad_end: usize,
}

impl ConvGeometry {
    /// One pixel: a linear layer over channels.
    pub const POINTWISE: Self = Self {
        kernel: 1,
        stride: 1,
        pad_start: 0,
        pad_end: 0,
    };
    /// 3×3, keeps the size.
    pub const SAME: Self = Self {
        kernel: 3,
        stride: 1,
        pad_start: 1,
        pad_end: 1,
    };
    /// 3×3, halves the size: the U-Net's downsampling.
    pub const HALVE: Self = Self {
        stride: 2,
        ..Self::SAME
    };
    /// 3×3, halves the size, padded at the end alone: the VAE's downsampling.
    pub const HALVE_PAD_END: Self = Self {
        pad_start: 0,
        ..Self::HALVE
    };

    /// Side of the output for a side of the input.
    pub fn output(&self, input: usize) -> usize {
        (input + self.pad_start + self.pad_end - self.kernel) / self.stride + 1
    }
}

/// Sizes of one convolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConvShape {
    /// Pictures.
    pub batch: usize,
    /// Height and width of the input.
    pub input: (usize, usize),
    /// Height and width of the output.
    pub output: (usize, usize),
    /// Channels of the input.
    pub in_channels: usize,
    /// Channels of the output.
    pub out_channels: usize,
    /// Height and width of the kernel.
    pub kernel: usize,
    /// Step between output pixels.
    pub stride: usize,
    /// Zeros before the first row and column; those behind the last follow from the sizes.
    pub padding: usize,
}

impl ConvShape {
    /// Of an input `[B, H, W, in]` and a weight `[out, kernel, kernel, in]`.
    ///
    /// # Errors
    /// If they do not fit.
    pub fn of(x: &[usize], weight: &[usize], geometry: ConvGeometry) -> Result<Self, Problem> {
        let &[batch, height, width, in_channels] = x else {
            return Err("[batch, height, width, channels] is expected".to_owned());
        };
        let &[out_channels, kernel, _, expected] = weight else {
            return Err(format!("a weight {weight:?} is not [out, kernel, kernel, in]"));
        };
        let padding = geometry.pad_start + geometry.pad_end;
        if in_channels != expected || kernel != geometry.kernel {
            return Err(format!("{geometry:?} and a weight {weight:?} do not fit"));
        }
        if height.min(width) + padding < kernel {
            return Err(format!("a side is smaller than the kernel of {kernel}"));
        }
        Ok(Self {
            batch,
            input: (height, width),
            output: (geometry.output(height), geometry.output(width)),
            in_channels,
            out_channels,
            kernel,
            stride: geometry.stride,
            padding: geometry.pad_start,
        })
    }
}

/// Sizes of a group norm over `[batch, positions, channels]`.
#[derive(Debug, Clone, Copy)]
pub struct GroupShape {
    /// Pictures.
    pub batch: usize,
    /// Pixels of a picture.
    pub positions: usize,
    /// Channels.
    pub channels: usize,
    /// Groups that share mean and variance; divides `channels`.
    pub groups: usize,
    /// Added to the variance.
    pub eps: f32,
    /// Whether SiLU follows.
    pub silu: bool,
}

impl GroupShape {
    /// Of an input `[B, .., C]` and a norm of so many channels.
    ///
    /// # Errors
    /// If they do not fit.
    pub fn of(x: &[usize], n_channels: usize, grouping: Grouping) -> Result<Self, Problem> {
        let (&[batch, .., channels], true) = (x, x.iter().all(|side| *side > 0)) else {
            return Err("[batch, .., channels] is expected".to_owned());
        };
        if channels != n_channels || !channels.is_multiple_of(grouping.n_groups) {
            return Err(format!(
                "{n_channels} channels in {} groups are expected",
                grouping.n_groups
            ));
        }
        Ok(Self {
            batch,
            positions: x.iter().product::<usize>() / (batch * channels),
            channels,
            groups: grouping.n_groups,
            eps: grouping.eps,
            silu: grouping.after == After::Silu,
        })
    }
}

/// Sizes of one attention.
#[derive(Debug, Clone, Copy)]
pub struct AttentionShape {
    /// Sequences.
    pub batch: usize,
    /// Heads; each takes `head_dim` neighboring channels.
    pub heads: usize,
    /// Queries of a sequence.
    pub queries: usize,
    /// Keys and values of a sequence.
    pub keys: usize,
    /// Channels of one head.
    pub head_dim: usize,
    /// Whether a query sees only the keys up to its own position.
    pub causal: bool,
}

impl AttentionShape {
    /// Of queries `[B, Tq, C]`, keys and values `[B, Tk, C]`.
    ///
    /// # Errors
    /// If they do not fit.
    pub fn of([q, k, v]: [&[usize]; 3], n_heads: usize, mask: Mask) -> Result<Self, Problem> {
        let (&[batch, queries, width], &[k_batch, keys, k_width]) = (q, k) else {
            return Err("[batch, tokens, channels] is expected".to_owned());
        };
        if k != v || (k_batch, k_width) != (batch, width) {
            return Err("queries, keys and values differ in batch, channels or keys".to_owned());
        }
        if !width.is_multiple_of(n_heads) {
            return Err(format!("{n_heads} heads do not divide {width} channels"));
        }
        Ok(Self {
            batch,
            heads: n_heads,
            queries,
            keys,
            head_dim: width / n_heads,
            causal: mask == Mask::Causal,
        })
    }
}

/// Sizes of an upsampling: each pixel four times, the last row and column twice if the output is odd.
#[derive(Debug, Clone, Copy)]
pub struct UpsampleShape {
    /// Height and width of the smaller picture.
    pub input: (usize, usize),
    /// Height and width of the larger picture: twice those, or one less.
    pub output: (usize, usize),
    /// Channels.
    pub channels: usize,
}

impl UpsampleShape {
    /// Of a smaller picture of height and width `input` and a larger one of `output`.
    ///
    /// # Errors
    /// If they do not fit.
    pub fn of(input: (usize, usize), output: (usize, usize), channels: usize) -> Result<Self, Problem> {
        let fits = |from: usize, to: usize| to == 2 * from || to + 1 == 2 * from;
        if !fits(input.0, output.0) || !fits(input.1, output.1) {
            return Err(format!("{output:?} is not twice {input:?}, or one less"));
        }
        Ok(Self {
            input,
            output,
            channels,
        })
    }
}
