//! A forward pass that is looked into: it computes up to one self-attention, and keeps what goes into it.

use candle_core::{Result, Tensor, bail};
use diffusion::{
    device::Device,
    graph::{Activation, After, Eager, Graph, Mask},
    layers::{Conv2d, GroupNorm, LayerNorm, Linear},
};

/// The graph of inference with the base alone, which ends at the attention whose values the layer `at` makes.
pub(super) struct Probe<'a, D: Device> {
    eager: Eager<'a, D>,
    /// Kohya's name of the layer.
    at: &'a str,
    /// Whether the next attention is the one.
    is_next: bool,
    seen: Option<Seen<D>>,
}

/// What goes into an attention, and what comes out.
pub(super) struct Seen<D: Device> {
    /// Queries, keys and values, `[B, tokens, C]`.
    pub(super) qkv: [D::Tensor; 3],
    /// What the picture's queries find in its own keys and values, `[B, tokens, C]`.
    pub(super) own: D::Tensor,
    pub(super) n_heads: usize,
}

impl<'a, D: Device> Probe<'a, D> {
    pub(super) fn new(device: &'a D, at: &'a str) -> Self {
        Self {
            eager: Eager::new(device),
            at,
            is_next: false,
            seen: None,
        }
    }

    /// What was seen in a forward pass that ended with `result`: an error, if it ended where it should.
    ///
    /// # Errors
    /// If it ended before, or the model has no such layer.
    pub(super) fn seen<T>(self, result: Result<T>) -> Result<Seen<D>> {
        match (self.seen, result) {
            (Some(seen), _) => Ok(seen),
            (None, Err(err)) => Err(err),
            (None, Ok(_)) => bail!("the u-net has no layer `{}`", self.at),
        }
    }
}

impl<D: Device> Graph for Probe<'_, D> {
    type Device = D;
    type Value = D::Tensor;

    fn constant(&mut self, tensor: &Tensor) -> Result<D::Tensor> {
        self.eager.constant(tensor)
    }

    fn dims<'a>(&self, value: &'a D::Tensor) -> &'a [usize] {
        self.eager.dims(value)
    }

    fn linear(&mut self, x: &D::Tensor, layer: &Linear<D>) -> Result<D::Tensor> {
        self.is_next = layer.lora_key() == Some(self.at);
        self.eager.linear(x, layer)
    }

    fn conv2d(&mut self, x: &D::Tensor, layer: &Conv2d<D>) -> Result<D::Tensor> {
        self.eager.conv2d(x, layer)
    }

    fn group_norm(&mut self, x: &D::Tensor, layer: &GroupNorm<D>, after: After) -> Result<D::Tensor> {
        self.eager.group_norm(x, layer, after)
    }

    fn layer_norm(&mut self, x: &D::Tensor, layer: &LayerNorm<D>) -> Result<D::Tensor> {
        self.eager.layer_norm(x, layer)
    }

    fn attention(&mut self, qkv: [&D::Tensor; 3], n_heads: usize, mask: Mask) -> Result<D::Tensor> {
        let own = self.eager.attention(qkv, n_heads, mask)?;
        if self.is_next {
            let qkv = qkv.map(Clone::clone);
            self.seen = Some(Seen { qkv, own, n_heads });
            bail!("everything was seen");
        }
        Ok(own)
    }

    fn geglu(&mut self, x: &D::Tensor) -> Result<D::Tensor> {
        self.eager.geglu(x)
    }

    fn activate(&mut self, x: &D::Tensor, activation: Activation) -> Result<D::Tensor> {
        self.eager.activate(x, activation)
    }

    fn add(&mut self, a: &D::Tensor, b: &D::Tensor) -> Result<D::Tensor> {
        self.eager.add(a, b)
    }

    fn add_channels(&mut self, x: &D::Tensor, bias: &D::Tensor) -> Result<D::Tensor> {
        self.eager.add_channels(x, bias)
    }

    fn concat(&mut self, a: &D::Tensor, b: &D::Tensor) -> Result<D::Tensor> {
        self.eager.concat(a, b)
    }

    fn upsample_2x(&mut self, x: &D::Tensor, size: (usize, usize)) -> Result<D::Tensor> {
        self.eager.upsample_2x(x, size)
    }

    fn reshape(&mut self, x: &D::Tensor, shape: &[usize]) -> Result<D::Tensor> {
        self.eager.reshape(x, shape)
    }

    fn gather(&mut self, x: &D::Tensor, rows: &[usize]) -> Result<D::Tensor> {
        self.eager.gather(x, rows)
    }

    fn weigh(&mut self, x: &D::Tensor, weights: &[f32]) -> Result<D::Tensor> {
        self.eager.weigh(x, weights)
    }
}
