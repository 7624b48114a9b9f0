//! A picture in strips of rows. A layer reads some rows and gives some, so that what lies between two layers of a block
//! never exists as a whole. A group norm takes its moments from all strips, and a convolution the rows around a strip:
//! the numbers are those of the whole picture, up to the order of sums.

use std::{collections::VecDeque, ops::Range};

use candle_core::{Result as TensorResult, bail};

use crate::{
    device::Device,
    layers::{Conv2d, GroupNorm},
    operation::After,
};

/// An activation `[1, H, W, C]`, cut between rows.
pub(super) struct Strips<'a, D: Device> {
    device: &'a D,
    /// Height of a strip, at most.
    n_rows: usize,
    /// `[1, rows, W, C]` each, from the top.
    strips: VecDeque<D::Tensor>,
    /// Rows above the first strip, which nobody needs any more.
    n_forgotten: usize,
    height: usize,
}

/// A group norm, followed by SiLU, with the moments of a whole picture.
pub(super) struct Norm<'a, D: Device> {
    layer: &'a GroupNorm<D>,
    moments: D::Moments,
}

impl<'a, D: Device> Strips<'a, D> {
    /// Cuts `[1, H, W, C]` into strips of at most `n_rows`.
    pub(super) fn cut(device: &'a D, x: &D::Tensor, n_rows: usize) -> TensorResult<Self> {
        let height = device.dims(x)[1];
        Self::of(device, (height, n_rows), |rows| piece(device, x, rows))
    }

    /// An activation of that height and strips of that height, from what gives its rows. They are asked for from the top
    /// down.
    fn of(
        device: &'a D,
        (height, n_rows): (usize, usize),
        mut rows_of: impl FnMut(Range<usize>) -> TensorResult<D::Tensor>,
    ) -> TensorResult<Self> {
        let starts = (0..height).step_by(n_rows);
        let strips = starts.map(|start| rows_of(start..height.min(start + n_rows)));
        Ok(Self {
            device,
            n_rows,
            strips: strips.collect::<TensorResult<_>>()?,
            n_forgotten: 0,
            height,
        })
    }

    /// An activation of another height, from what reads this one. Once it has the rows of the result up to some row,
    /// it says how many rows of this one may be forgotten.
    pub(super) fn turned_into(
        mut self,
        height: usize,
        mut rows_of: impl FnMut(&mut Self, Range<usize>) -> TensorResult<D::Tensor>,
    ) -> TensorResult<Self> {
        let (device, n_rows) = (self.device, self.n_rows);
        Self::of(device, (height, n_rows), |rows| rows_of(&mut self, rows))
    }

    /// One of the same height, while this one is still needed.
    pub(super) fn mapped(
        &self,
        rows_of: impl FnMut(Range<usize>) -> TensorResult<D::Tensor>,
    ) -> TensorResult<Self> {
        Self::of(self.device, (self.height, self.n_rows), rows_of)
    }

    pub(super) fn height(&self) -> usize {
        self.height
    }

    /// The whole activation.
    pub(super) fn joined(&self) -> TensorResult<D::Tensor> {
        self.rows(0..self.height)
    }

    /// Gives the memory of the strips back that end above a row.
    pub(super) fn forget_above(&mut self, row: usize) {
        while let Some(strip) = self.strips.front() {
            let end = self.n_forgotten + self.device.dims(strip)[1];
            if end > row {
                return;
            }
            self.n_forgotten = end;
            self.strips.pop_front();
        }
    }

    /// Some rows, `[1, rows, W, C]`.
    pub(super) fn rows(&self, rows: Range<usize>) -> TensorResult<D::Tensor> {
        let mut found: Option<D::Tensor> = None;
        let mut start = self.n_forgotten;
        for strip in &self.strips {
            let end = start + self.device.dims(strip)[1];
            let (from, to) = (rows.start.max(start), rows.end.min(end));
            if from < to {
                let part = piece(self.device, strip, from - start..to - start)?;
                found = Some(match found {
                    Some(above) => stack(self.device, &above, &part)?,
                    None => part,
                });
            }
            start = end;
        }
        match found {
            Some(found) if self.device.dims(&found)[1] == rows.len() => Ok(found),
            _ => bail!(
                "rows {rows:?} of {} are not there, {} were forgotten",
                self.height,
                self.n_forgotten
            ),
        }
    }

    /// A norm of this activation.
    pub(super) fn norm<'n>(&self, layer: &'n GroupNorm<D>) -> TensorResult<Norm<'n, D>> {
        let strips: Vec<&D::Tensor> = self.strips.iter().collect();
        Ok(Norm {
            layer,
            moments: self.device.group_moments(&strips, layer.grouping(After::Silu))?,
        })
    }

    /// Some rows of the result of a convolution, which a norm may precede.
    pub(super) fn convolved(
        &self,
        norm: Option<&Norm<'_, D>>,
        layer: &Conv2d<D>,
        rows: Range<usize>,
    ) -> TensorResult<D::Tensor> {
        let geometry = layer.geometry();
        let (stride, padding) = (geometry.stride, geometry.pad_start);
        let first = (rows.start * stride).saturating_sub(padding);
        let end = ((rows.end - 1) * stride + geometry.kernel).saturating_sub(padding);
        if !first.is_multiple_of(stride) {
            bail!("a convolution of {geometry:?} cannot begin at row {}", rows.start);
        }
        let mut x = self.rows(first..end.min(self.height))?;
        if let Some(Norm { layer, moments }) = norm {
            let grouping = layer.grouping(After::Silu);
            x = self.device.group_norm_by(&x, layer.affine(), grouping, moments)?;
        }
        let y = self.device.conv2d(&x, layer.weight(), layer.bias(), geometry)?;
        // The rows at an edge of the piece, where the picture goes on, were computed with zeros and are left out.
        let start = rows.start - first / stride;
        piece(self.device, &y, start..start + rows.len())
    }

    /// Some rows of the result of a 3×3 convolution of twice the height and width.
    pub(super) fn doubled(&self, smooth: &Conv2d<D>, rows: Range<usize>) -> TensorResult<D::Tensor> {
        let first = rows.start.saturating_sub(1) / 2;
        let end = (rows.end + 1).min(2 * self.height).div_ceil(2);
        let x = self.rows(first..end)?;
        let (height, width) = (end - first, self.device.dims(&x)[2]);
        let x = self.device.upsample_2x(&x, (2 * height, 2 * width))?;
        let y = self
            .device
            .conv2d(&x, smooth.weight(), smooth.bias(), smooth.geometry())?;
        let start = rows.start - 2 * first;
        piece(self.device, &y, start..start + rows.len())
    }
}

/// Some rows of `[1, H, W, C]`; all of them are not copied.
fn piece<D: Device>(device: &D, x: &D::Tensor, rows: Range<usize>) -> TensorResult<D::Tensor> {
    let &[_, height, width, channels] = device.dims(x) else {
        bail!(
            "[1, height, width, channels] is expected, got {:?}",
            device.dims(x)
        );
    };
    if rows == (0..height) {
        return Ok(x.clone());
    }
    let pixels: Vec<usize> = (rows.start * width..rows.end * width).collect();
    let gathered = device.gather(x, &pixels)?;
    Ok(device.reshape(&gathered, &[1, rows.len(), width, channels])?)
}

/// One above the other.
fn stack<D: Device>(device: &D, above: &D::Tensor, below: &D::Tensor) -> TensorResult<D::Tensor> {
    let n_rows = device.dims(above)[1] + device.dims(below)[1];
    let &[_, _, width, channels] = device.dims(above) else {
        bail!(
            "[1, height, width, channels] is expected, got {:?}",
            device.dims(above)
        );
    };
    let flat = |x: &D::Tensor| device.reshape(x, &[1, device.dims(x).iter().product()]);
    let stacked = device.concat(&flat(above)?, &flat(below)?)?;
    Ok(device.reshape(&stacked, &[1, n_rows, width, channels])?)
}
