//! CLIP's text encoders: CLIP-L, and OpenCLIP-bigG with its projection.

mod tensors;

use candle_core::Tensor;
use serde::Deserialize;

use crate::{
    cpu::Cpu,
    device::{Device, Frozen, HOST, tensor},
    graph::{Activation, AdapterSet, Eager, Graph, Mask},
    layers::{LayerNorm, Linear, Loader, LoraTarget, WeightError, WeightSource, get_shaped},
    tokenizer::{CHUNK, END, FIRST_OWN},
    weights::{Component, MAX_SIDE},
};

/// Sizes of a text encoder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextEncoderConfig {
    /// Channels of a token.
    pub width: usize,
    /// Channels inside the feed-forward parts.
    pub inner_width: usize,
    /// Transformer layers.
    pub n_layers: usize,
    /// Attention heads.
    pub n_heads: usize,
    /// Between the feed-forward matrices.
    pub activation: Activation,
    /// Width of the pooled output, if there is a projection.
    pub projection: Option<usize>,
}

/// `config.json` as transformers writes it.
#[derive(Debug, Deserialize)]
pub(crate) struct StoredConfig {
    hidden_size: usize,
    intermediate_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    hidden_act: String,
    #[serde(default)]
    projection_dim: Option<usize>,
}

impl TextEncoderConfig {
    /// From `config.json`. Whether there is a projection is up to the encoder, not to the file.
    pub(crate) fn from_stored(stored: StoredConfig, has_projection: bool) -> Result<Self, String> {
        let activation = match stored.hidden_act.as_str() {
            "gelu" => Activation::Gelu,
            "quick_gelu" => Activation::QuickGelu,
            other => return Err(format!("hidden_act is `{other}`, expected gelu or quick_gelu")),
        };
        let n_heads = stored.num_attention_heads;
        if n_heads == 0 || !stored.hidden_size.is_multiple_of(n_heads) {
            return Err(format!(
                "hidden_size {} does not divide into {n_heads} heads",
                stored.hidden_size
            ));
        }
        if !(2..=100).contains(&stored.num_hidden_layers) {
            return Err(format!(
                "num_hidden_layers is {}, expected 2 to 100",
                stored.num_hidden_layers
            ));
        }
        let projection = stored.projection_dim.unwrap_or(stored.hidden_size);
        if [stored.hidden_size, stored.intermediate_size, projection]
            .iter()
            .any(|size| !(1..=MAX_SIDE).contains(size))
        {
            return Err(format!("a size is not between 1 and {MAX_SIDE}"));
        }
        Ok(Self {
            width: stored.hidden_size,
            inner_width: stored.intermediate_size,
            n_layers: stored.num_hidden_layers,
            n_heads,
            activation,
            projection: has_projection.then_some(projection),
        })
    }

    /// From the shapes of the tensors, for files of other sizes than SDXL's, which have no `config.json`. A tensor that is
    /// missing changes no size: another one tells it.
    ///
    /// The number of heads leaves no trace in any shape: CLIP's text encoders all have 64 channels to a head. Below
    /// 128 channels, where only models made for tests are, there are 2 heads.
    pub(crate) fn from_shapes(
        part: &Component,
        activation: Activation,
        has_projection: bool,
    ) -> Option<Self> {
        let layers = "text_model.encoder.layers.";
        let n_layers = part.count(layers);
        let last = |name: String| part.shape(&name).and_then(|shape| shape.last().copied());
        let of_layers = |names: &[&str]| {
            (0..n_layers).find_map(|i| names.iter().find_map(|name| last(format!("{layers}{i}.{name}"))))
        };
        let width = of_layers(&["layer_norm1.weight", "layer_norm2.weight", "mlp.fc2.bias"])?;
        let inner_width = of_layers(&["mlp.fc1.bias", "mlp.fc2.weight"])?;
        let n_heads = if width < 128 { 2 } else { width / 64 };
        let projection = part
            .shape("text_projection.weight")
            .and_then(|shape| shape.first().copied());
        (n_layers >= 2 && width > 0 && width.is_multiple_of(n_heads)).then(|| Self {
            width,
            inner_width,
            n_layers,
            n_heads,
            activation,
            projection: has_projection.then(|| projection.unwrap_or(width)),
        })
    }
}

/// A loaded text encoder.
#[derive(Debug, Clone)]
pub struct TextEncoder<D: Device = Cpu> {
    device: D,
    config: TextEncoderConfig,
    /// `[vocabulary, width]`, looked up on the host.
    tokens: Vocabulary,
    /// `[77, width]`
    positions: Tensor,
    layers: Vec<Layer<D>>,
    head: Option<Head<D>>,
}

/// Embeddings of all tokens.
#[derive(Debug, Clone)]
enum Vocabulary {
    File(Frozen),
    Host(Tensor),
}

impl Vocabulary {
    fn load(source: &dyn WeightSource, name: &str) -> Result<Self, WeightError> {
        Ok(match source.frozen(name)? {
            Some(frozen) => Self::File(frozen),
            None => Self::Host(source.get(name)?),
        })
    }

    fn dims(&self) -> &[usize] {
        match self {
            Self::File(frozen) => frozen.shape(),
            Self::Host(tensor) => tensor.dims(),
        }
    }

    /// `[tokens, width]`
    fn look_up(&self, tokens: &[u32]) -> candle_core::Result<Tensor> {
        match self {
            Self::File(frozen) => tensor(frozen.rows(tokens), [tokens.len(), self.dims()[1]]),
            Self::Host(table) => table.index_select(&Tensor::from_slice(tokens, tokens.len(), &HOST)?, 0),
        }
    }
}

#[derive(Debug, Clone)]
struct Layer<D: Device> {
    norm1: LayerNorm<D>,
    q: Linear<D>,
    k: Linear<D>,
    v: Linear<D>,
    out: Linear<D>,
    norm2: LayerNorm<D>,
    fc1: Linear<D>,
    fc2: Linear<D>,
}

/// What makes one vector of a whole text.
#[derive(Debug, Clone)]
struct Head<D: Device> {
    norm: LayerNorm<D>,
    projection: Linear<D>,
}

/// What a text encoder says about texts, on its way through a graph.
#[derive(Debug, Clone)]
pub struct Encoding<V> {
    /// `[chunks, 77, width]`: the output of the last layer but one, without the final norm.
    pub hidden: V,
    /// `[chunks, projection]`: the projected final state at the first end token.
    pub pooled: Option<V>,
}

/// What a text encoder says about texts.
#[derive(Debug, Clone)]
pub struct EncodedText {
    /// `[chunks, 77, width]`: the output of the last layer but one, without the final norm.
    pub hidden: Tensor,
    /// `[chunks, projection]`: the projected final state at the first end token.
    pub pooled: Option<Tensor>,
}

impl<D: Device> TextEncoder<D> {
    /// Loads an encoder.
    ///
    /// # Errors
    /// If a tensor is missing or has another shape than `config` says.
    pub fn load(source: &Loader<'_, D>, config: TextEncoderConfig) -> Result<Self, WeightError> {
        let width = config.width;
        let tokens = Vocabulary::load(source, "text_model.embeddings.token_embedding.weight")?;
        // Texts cannot hold a token beyond the end token, so a larger vocabulary does no harm.
        let n_tokens = tokens.dims().first().copied().unwrap_or(0);
        if tokens.dims().len() != 2 || n_tokens <= END as usize || tokens.dims()[1] != width {
            return Err(WeightError::Shape {
                origin: source.origin(),
                name: "text_model.embeddings.token_embedding.weight".to_owned(),
                found: tokens.dims().to_vec(),
                expected: vec![END as usize + 1, width],
            });
        }
        let positions = get_shaped(
            source,
            "text_model.embeddings.position_embedding.weight",
            &[CHUNK, width],
        )?;
        let layers = (0..config.n_layers)
            .map(|i| Layer::load(source, &config, i))
            .collect::<Result<_, _>>()?;
        let head = match config.projection {
            None => None,
            Some(projection) => Some(Head {
                norm: LayerNorm::load(source, "text_model.final_layer_norm", width)?,
                projection: Linear::load_no_bias(source, "text_projection", (width, projection))?,
            }),
        };
        Ok(Self {
            device: source.device.clone(),
            config,
            tokens,
            positions,
            layers,
            head,
        })
    }

    /// What computes.
    pub fn device(&self) -> &D {
        &self.device
    }

    /// Sizes of the encoder.
    pub fn config(&self) -> &TextEncoderConfig {
        &self.config
    }

    /// The layers that a LoRA can address.
    pub fn linears(&self) -> impl Iterator<Item = &Linear<D>> {
        self.layers.iter().flat_map(Layer::linears)
    }

    /// Encodes chunks of tokens with LoRAs applied.
    ///
    /// # Errors
    /// If a LoRA does not fit.
    pub fn encode(
        &self,
        chunks: &[[u32; CHUNK]],
        adapters: &AdapterSet<D>,
    ) -> candle_core::Result<EncodedText> {
        let mut graph = Eager::with_adapters(&self.device, adapters);
        let embeddings = adapters.embeddings();
        let own = match self.head {
            None => embeddings.first(),
            Some(_) => embeddings.second(),
        };
        let embedded = self.embed(chunks, own)?;
        let Encoding { hidden, pooled } = self.forward_embedded(&mut graph, chunks, &embedded)?;
        Ok(EncodedText {
            hidden: self.device.download(&hidden)?,
            pooled: pooled.map(|pooled| self.device.download(&pooled)).transpose()?,
        })
    }

    /// Encodes chunks of tokens on a graph.
    ///
    /// # Errors
    /// If the device fails.
    pub fn forward<G: Graph<Device = D>>(
        &self,
        graph: &mut G,
        chunks: &[[u32; CHUNK]],
    ) -> candle_core::Result<Encoding<G::Value>> {
        self.forward_embedded(graph, chunks, &self.embed(chunks, None)?)
    }

    /// The same from the embeddings of the chunks, `[chunks, 77, width]`, on.
    fn forward_embedded<G: Graph<Device = D>>(
        &self,
        graph: &mut G,
        chunks: &[[u32; CHUNK]],
        embedded: &Tensor,
    ) -> candle_core::Result<Encoding<G::Value>> {
        let (last, upper) = self.layers.split_last().expect("a config has 2 layers or more");
        let mut hidden = graph.constant(embedded)?;
        for layer in upper {
            hidden = layer.forward(graph, &hidden, &self.config)?;
        }
        let Some(head) = &self.head else {
            return Ok(Encoding { hidden, pooled: None });
        };
        let state = last.forward(graph, &hidden, &self.config)?;
        let ends = chunks.iter().enumerate().map(|(i, chunk)| {
            let end = chunk.iter().position(|token| *token == END);
            i * CHUNK + end.unwrap_or(CHUNK - 1)
        });
        // The norm looks at one token at a time, so that it may come after the choice.
        let at_end = graph.gather(&state, &ends.collect::<Vec<_>>())?;
        let normed = graph.layer_norm(&at_end, &head.norm)?;
        let pooled = graph.linear(&normed, &head.projection)?;
        Ok(Encoding {
            hidden,
            pooled: Some(pooled),
        })
    }

    /// The layers that kohya's LoRA covers, in its order. The last layer of an encoder without a head is among them: it
    /// computes nothing that is used, so that what is trained there stays as it began.
    pub fn lora_targets(&self) -> Vec<LoraTarget> {
        let target = |layer: &Linear<D>| {
            let key = layer.lora_key()?.to_owned();
            Some(LoraTarget::linear(key, layer.n_in(), layer.n_out()))
        };
        self.linears().filter_map(target).collect()
    }

    /// Whether gradients flow into a layer, by kohya's name of it.
    pub fn is_used(&self, key: &str) -> bool {
        let unused = self.layers.last().filter(|_| self.head.is_none());
        unused.is_none_or(|layer| {
            layer
                .linears()
                .iter()
                .all(|linear| linear.lora_key() != Some(key))
        })
    }

    /// Embeddings of tokens and positions: `[chunks, 77, width]`. Tokens behind CLIP's are rows of `own`
    /// `[vectors, width]`.
    fn embed(&self, chunks: &[[u32; CHUNK]], own: Option<&Tensor>) -> candle_core::Result<Tensor> {
        let ids = chunks.as_flattened();
        let known: Vec<u32> = ids.iter().map(|id| (*id).min(END)).collect();
        let mut tokens = self.look_up(known)?;
        if ids.iter().any(|id| *id >= FIRST_OWN) {
            tokens = self.with_own(&tokens, ids, own)?;
        }
        let tokens = tokens.reshape((chunks.len(), CHUNK, self.config.width))?;
        tokens.broadcast_add(&self.positions)
    }

    /// The vectors of CLIP's tokens, `[tokens, width]`.
    pub(crate) fn look_up(&self, ids: Vec<u32>) -> candle_core::Result<Tensor> {
        self.tokens.look_up(&ids)
    }

    /// Puts the vectors of tokens behind CLIP's in their places.
    fn with_own(&self, tokens: &Tensor, ids: &[u32], own: Option<&Tensor>) -> candle_core::Result<Tensor> {
        let width = self.config.width;
        let mut rows: Vec<f32> = tokens.flatten_all()?.to_vec1()?;
        let own: Vec<f32> = match own {
            Some(own) => own.flatten_all()?.to_vec1()?,
            None => Vec::new(),
        };
        for (row, id) in rows.chunks_exact_mut(width).zip(ids) {
            let Some(index) = id.checked_sub(FIRST_OWN) else {
                continue;
            };
            let start = index as usize * width;
            let Some(vector) = own.get(start..start + width) else {
                candle_core::bail!("token {id} is in no vocabulary");
            };
            row.copy_from_slice(vector);
        }
        Tensor::from_vec(rows, (ids.len(), width), &HOST)
    }
}

impl<D: Device> Layer<D> {
    fn linears(&self) -> [&Linear<D>; 6] {
        [&self.k, &self.v, &self.q, &self.out, &self.fc1, &self.fc2]
    }

    fn load(source: &Loader<'_, D>, config: &TextEncoderConfig, index: usize) -> Result<Self, WeightError> {
        let (width, inner) = (config.width, config.inner_width);
        let path = |module: &str| format!("text_model.encoder.layers.{index}.{module}");
        let linear = |module: &str, in_out| Linear::load(source, &path(module), in_out);
        Ok(Self {
            norm1: LayerNorm::load(source, &path("layer_norm1"), width)?,
            q: linear("self_attn.q_proj", (width, width))?,
            k: linear("self_attn.k_proj", (width, width))?,
            v: linear("self_attn.v_proj", (width, width))?,
            out: linear("self_attn.out_proj", (width, width))?,
            norm2: LayerNorm::load(source, &path("layer_norm2"), width)?,
            fc1: linear("mlp.fc1", (width, inner))?,
            fc2: linear("mlp.fc2", (inner, width))?,
        })
    }

    fn forward<G: Graph<Device = D>>(
        &self,
        graph: &mut G,
        x: &G::Value,
        config: &TextEncoderConfig,
    ) -> candle_core::Result<G::Value> {
        let normed = graph.layer_norm(x, &self.norm1)?;
        let q = graph.linear(&normed, &self.q)?;
        let k = graph.linear(&normed, &self.k)?;
        let v = graph.linear(&normed, &self.v)?;
        let attended = graph.attention([&q, &k, &v], config.n_heads, Mask::Causal)?;
        let attended = graph.linear(&attended, &self.out)?;
        let x = graph.add(x, &attended)?;

        let normed = graph.layer_norm(&x, &self.norm2)?;
        let inner = graph.linear(&normed, &self.fc1)?;
        let inner = graph.activate(&inner, config.activation)?;
        let inner = graph.linear(&inner, &self.fc2)?;
        graph.add(&x, &inner)
    }
}
