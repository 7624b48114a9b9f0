//! What a LoRA file changes in one layer: a closed set of kinds, each with the mathematics of the program that made it.
//!
//! Every change is a matrix `[out, in · kernel · kernel]`, the layer's weight with its last dimensions taken together,
//! so that linear layers, convolutions and norms (`[channels, 1]`) are treated alike. Numbers are `f32` on the host.

mod general;
mod hadamard;
mod kronecker;
mod low_rank;
mod magnitude;
mod rotation;
mod scaling;

use candle_core::{Result, Tensor};
use protocol::lora::LoraKind;

pub use self::{
    general::General,
    hadamard::{Factor, Hadamard},
    kronecker::{Kronecker, Side},
    low_rank::LowRank,
    magnitude::{Axis, Magnitude},
    rotation::Rotation,
    scaling::Scaling,
};

/// What a file changes in one layer.
#[derive(Debug, Clone)]
pub struct LoraModule {
    /// The change of the weight; none if only the bias is changed.
    pub change: Option<Change>,
    /// DoRA: the lengths that the changed weight is brought to.
    pub magnitude: Option<Magnitude>,
    /// What is added to the bias, `[out]`.
    pub bias: Option<Tensor>,
}

/// A change of a weight.
#[derive(Debug, Clone)]
pub enum Change {
    /// LoRA and LoCon: a product of two matrices, or of three for a convolution.
    LowRank(LowRank),
    /// LoHa: an elementwise product of two products.
    Hadamard(Hadamard),
    /// LoKr: a Kronecker product.
    Kronecker(Kronecker),
    /// GLoRA: a product with the base's weight, and one beside it.
    General(Box<General>),
    /// IA³: the base's weight along its inputs or outputs.
    Scaling(Scaling),
    /// OFT and BOFT: the base's weight with its outputs rotated.
    Rotation(Rotation),
    /// The difference itself, `[out, in · kernel · kernel]`.
    Full(Tensor),
    /// The weight that stands in place of the base's, `[out, in · kernel · kernel]`.
    Replacement(Tensor),
}

impl Change {
    /// Rows and columns of the weight that it changes; 0 stands for any, where the change does not say it.
    pub fn size(&self) -> (usize, usize) {
        match self {
            Self::General(general) => general.size(),
            Self::Scaling(scaling) => scaling.size(),
            Self::Rotation(rotation) => (rotation.n_out(), 0),
            Self::LowRank(low_rank) => low_rank.size(),
            Self::Hadamard(hadamard) => hadamard.size(),
            Self::Kronecker(kronecker) => kronecker.size(),
            Self::Full(matrix) | Self::Replacement(matrix) => (
                matrix.dims().first().copied().unwrap_or(0),
                matrix.dims().get(1).copied().unwrap_or(0),
            ),
        }
    }

    /// Whether it can change a weight of `n_out` outputs, `n_in` input channels and so many columns.
    pub fn fits(&self, n_out: usize, n_in: usize, columns: usize) -> bool {
        match self {
            Self::General(general) => general.fits(n_out, n_in, columns),
            Self::Scaling(scaling) => scaling.fits(n_out, n_in),
            Self::Rotation(rotation) => rotation.n_out() == n_out,
            _ => self.size() == (n_out, columns),
        }
    }

    /// Whether it is a change only beside the base's weight.
    pub fn needs_base(&self) -> bool {
        matches!(
            self,
            Self::Replacement(_) | Self::General(_) | Self::Scaling(_) | Self::Rotation(_)
        )
    }

    /// The width of its bottleneck; none if it has none.
    pub fn rank(&self) -> Option<usize> {
        match self {
            Self::General(general) => Some(general.plain.rank()),
            Self::Scaling(_) | Self::Rotation(_) => None,
            Self::LowRank(low_rank) => Some(low_rank.rank()),
            Self::Hadamard(hadamard) => Some(hadamard.rank()),
            Self::Kronecker(kronecker) => kronecker.rank(),
            Self::Full(_) | Self::Replacement(_) => None,
        }
    }
}

impl LoraModule {
    /// A plain LoRA.
    pub fn low_rank(low_rank: LowRank) -> Self {
        Self {
            change: Some(Change::LowRank(low_rank)),
            magnitude: None,
            bias: None,
        }
    }

    /// What it is called.
    pub fn kind(&self) -> LoraKind {
        match (&self.change, &self.magnitude) {
            (_, Some(_)) => LoraKind::Dora,
            (None, None) => LoraKind::Bias,
            (Some(Change::LowRank(low_rank)), None) if low_rank.is_matrix() => LoraKind::Lora,
            (Some(Change::LowRank(_)), None) => LoraKind::Locon,
            (Some(Change::Hadamard(_)), None) => LoraKind::Loha,
            (Some(Change::Kronecker(_)), None) => LoraKind::Lokr,
            (Some(Change::General(_)), None) => LoraKind::Glora,
            (Some(Change::Scaling(_)), None) => LoraKind::Ia3,
            (Some(Change::Rotation(_)), None) => LoraKind::Oft,
            (Some(Change::Full(_) | Change::Replacement(_)), None) => LoraKind::Full,
        }
    }

    /// The two matrices of a plain LoRA of a linear layer, whose bias may be changed beside it; none for any other kind.
    pub fn plain(&self) -> Option<&LowRank> {
        match (&self.change, &self.magnitude) {
            (Some(Change::LowRank(low_rank)), None) if low_rank.is_matrix() => Some(low_rank),
            _ => None,
        }
    }

    /// The width of its bottleneck; none if it has none.
    pub fn rank(&self) -> Option<usize> {
        self.change.as_ref().and_then(Change::rank)
    }

    /// What is added to the weight, `[out, in · kernel · kernel]`, as long as that does not hang on the base's weight:
    /// none for a DoRA, a replacement, or a change of the bias alone.
    ///
    /// # Errors
    /// If memory is short.
    pub fn delta(&self) -> Result<Option<Tensor>> {
        match (&self.change, &self.magnitude) {
            (None, _) | (_, Some(_)) => Ok(None),
            (Some(change), None) if change.needs_base() => Ok(None),
            (Some(change), None) => change.delta().map(Some),
        }
    }

    /// The same for any kind: what has to be added to the base's `weight` `[out, in, …]` at strength 1, as a matrix
    /// `[out, in · kernel · kernel]`. At another strength it is multiplied by it, which for a DoRA is what ComfyUI does:
    /// the way from the base's weight to the weight that the file asks for is gone in part. None if only the bias is
    /// changed.
    ///
    /// # Errors
    /// If `weight` has another size.
    pub fn delta_for(&self, weight: &Tensor) -> Result<Option<Tensor>> {
        let Some(change) = &self.change else {
            return Ok(None);
        };
        let rows = weight.dims().first().copied().unwrap_or(0);
        let base = weight.reshape((rows, weight.elem_count() / rows.max(1)))?;
        let delta = match change {
            Change::Replacement(matrix) => (matrix - &base)?,
            Change::General(general) => general.delta_for(weight)?,
            Change::Scaling(scaling) => scaling.delta_for(weight)?,
            Change::Rotation(rotation) => rotation.delta_for(weight)?,
            change => change.delta()?,
        };
        match &self.magnitude {
            None => Ok(Some(delta)),
            Some(magnitude) => {
                let n_in = weight.dims().get(1).copied().unwrap_or(1);
                let asked = magnitude.applied((&base + delta)?, n_in)?;
                Ok(Some((asked - base)?))
            }
        }
    }

    /// Whether it changes nothing, by its factors: products are never formed, since a damaged file's may be of any size.
    ///
    /// # Errors
    /// If the numbers cannot be read.
    pub fn is_zero(&self) -> Result<bool> {
        if let Some(bias) = &self.bias
            && !all_zero(bias)?
        {
            return Ok(false);
        }
        match (&self.change, &self.magnitude) {
            (None, _) => Ok(true),
            // What it changes shows only beside the base's weight.
            (_, Some(_)) | (Some(Change::Replacement(_)), None) => Ok(false),
            (Some(Change::General(general)), None) => Ok(any_zero([&general.left, &general.right])?
                && any_zero([&general.plain.up, &general.plain.down])?),
            (Some(Change::Scaling(scaling)), None) => Ok(scaling.factors.iter().all(|x| *x == 0.0)),
            (Some(Change::Rotation(rotation)), None) => {
                let is_unit = |rescale: &Vec<f32>| rescale.iter().all(|x| *x == 1.0);
                Ok(rotation.rescale.as_ref().is_none_or(is_unit) && all_zero(&rotation.blocks)?)
            }
            (Some(Change::LowRank(low_rank)), None) => any_zero([&low_rank.up, &low_rank.down]),
            (Some(Change::Hadamard(hadamard)), None) => {
                let [first, second] = &hadamard.factors;
                any_zero([&first.a, &first.b, &second.a, &second.b])
            }
            (Some(Change::Kronecker(kronecker)), None) => any_zero(
                kronecker
                    .first
                    .factors()
                    .into_iter()
                    .chain(kronecker.second.factors()),
            ),
            (Some(Change::Full(matrix)), None) => all_zero(matrix),
        }
    }
}

impl Change {
    /// The matrix itself; that of a replacement is the weight.
    fn delta(&self) -> Result<Tensor> {
        match self {
            Self::LowRank(low_rank) => low_rank.delta(),
            Self::Hadamard(hadamard) => hadamard.delta(),
            Self::Kronecker(kronecker) => kronecker.delta(),
            Self::Full(matrix) | Self::Replacement(matrix) => Ok(matrix.clone()),
            Self::General(_) | Self::Scaling(_) | Self::Rotation(_) => {
                candle_core::bail!("this is a change only beside the base's weight")
            }
        }
    }
}

fn any_zero<'a>(factors: impl IntoIterator<Item = &'a Tensor>) -> Result<bool> {
    for factor in factors {
        if all_zero(factor)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn all_zero(tensor: &Tensor) -> Result<bool> {
    let numbers: Vec<f32> = tensor.flatten_all()?.to_vec1()?;
    Ok(numbers.iter().all(|x| *x == 0.0))
}

/// A tensor with all dimensions but the first taken together.
pub(super) fn flat(tensor: &Tensor) -> Result<Tensor> {
    let rows = tensor.dims().first().copied().unwrap_or(1);
    tensor.reshape((rows, tensor.elem_count() / rows.max(1)))
}

/// Σᵢⱼ core[i, j, …] a[i, p] b[j, r] as the matrix `[p, r · …]`: the Tucker decomposition of LyCORIS.
fn tucker(core: &Tensor, a: &Tensor, b: &Tensor) -> Result<Tensor> {
    let (i, j) = (core.dim(0)?, core.dim(1)?);
    let rest = core.elem_count() / (i * j).max(1);
    let (p, r) = (a.dim(1)?, b.dim(1)?);
    // [p, j · rest]
    let left = a.t()?.contiguous()?.matmul(&core.reshape((i, j * rest))?)?;
    // [r, j] × [j, p · rest]
    let left = left.reshape((p, j, rest))?.transpose(0, 1)?.contiguous()?;
    let both = b.t()?.contiguous()?.matmul(&left.reshape((j, p * rest))?)?;
    both.reshape((r, p, rest))?
        .transpose(0, 1)?
        .contiguous()?
        .reshape((p, r * rest))
}

#[cfg(test)]
mod tests;
