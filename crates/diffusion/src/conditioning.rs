//! What the U-Net is told: the prompt's tokens, the prompt as a whole, and the sizes of the picture.

use candle_core::Tensor;

use crate::{
    cpu::Cpu,
    device::Device,
    graph::{AdapterSet, Eager, Graph},
    layers::Linear,
    text_encoder::TextEncoder,
    tokenizer::{self, CHUNK, Padding, TokenLength, Tokenizer},
    unet::sinusoids,
};

/// Both text encoders.
#[derive(Debug, Clone)]
pub struct TextEncoders<D: Device = Cpu> {
    /// CLIP-L.
    pub first: TextEncoder<D>,
    /// OpenCLIP-bigG, the one with a pooled output.
    pub second: TextEncoder<D>,
    /// What fills the second encoder's chunks; the first one's are filled with the end token.
    pub second_padding: Padding,
}

/// Texts as the encoders take them: chunks of tokens, those of one text behind each other.
#[derive(Debug, Clone, PartialEq)]
pub struct TextTokens {
    /// For CLIP-L.
    pub first: Vec<[u32; CHUNK]>,
    /// For OpenCLIP-bigG.
    pub second: Vec<[u32; CHUNK]>,
    /// Chunks of each text.
    pub n_chunks: usize,
    /// What the hidden states of each position are multiplied by, as sd-scripts does with emphasis
    /// (`encode_tokens_with_weights` in `library/strategy_sdxl.py`): without anything to make up for it, and without an
    /// effect on the pooled output. Empty if all are 1.
    pub weights: Vec<f32>,
}

impl TextTokens {
    /// Positions that each text has in the context: one begin, one end.
    pub fn n_positions(&self) -> usize {
        self.n_chunks * (CHUNK - 2) + 2
    }

    /// Some of the texts.
    pub fn part(&self, start: usize, len: usize) -> Self {
        let of_each = |n: usize| start * n..(start + len) * n;
        let chunks = of_each(self.n_chunks);
        let weights = self.weights.get(of_each(self.n_positions()));
        Self {
            first: self.first[chunks.clone()].to_vec(),
            second: self.second[chunks].to_vec(),
            n_chunks: self.n_chunks,
            weights: weights.unwrap_or_default().to_vec(),
        }
    }

    /// Texts of the same length behind each other.
    pub fn cat<'a>(texts: impl IntoIterator<Item = &'a Self>) -> Self {
        let mut all = Self {
            first: Vec::new(),
            second: Vec::new(),
            n_chunks: 1,
            weights: Vec::new(),
        };
        for text in texts {
            all.n_chunks = text.n_chunks;
            all.first.extend_from_slice(&text.first);
            all.second.extend_from_slice(&text.second);
            if text.weights.is_empty() {
                let n = text.first.len() / text.n_chunks * text.n_positions();
                all.weights.resize(all.weights.len() + n, 1.0);
            } else {
                all.weights.extend_from_slice(&text.weights);
            }
        }
        if all.weights.iter().all(|weight| *weight == 1.0) {
            all.weights.clear();
        }
        all
    }
}

/// What both encoders say about texts, on its way through a graph.
#[derive(Debug, Clone)]
pub struct TextValues<V> {
    /// `[B, tokens, context]`, as in [`TextConditioning`].
    pub context: V,
    /// `[B, pooled]`
    pub pooled: V,
}

/// Texts as the U-Net takes them.
#[derive(Debug, Clone)]
pub struct TextConditioning {
    /// `[B, tokens, context]`: both encoders' hidden states side by side; 77 tokens for each chunk of a prompt, or as
    /// trained on long captions 152 or 227.
    pub context: Tensor,
    /// `[B, pooled]`: the second encoder's projection.
    pub pooled: Tensor,
}

impl<D: Device> TextEncoders<D> {
    /// Channels of the context: both encoders' widths.
    pub fn context_width(&self) -> usize {
        self.first.config().width + self.second.config().width
    }

    /// Channels of the pooled output.
    pub fn pooled_width(&self) -> usize {
        let config = self.second.config();
        config.projection.unwrap_or(config.width)
    }

    /// Encodes texts as captions are trained on, with the LoRAs of the text encoders applied.
    ///
    /// # Errors
    /// If a LoRA does not fit.
    pub fn encode(
        &self,
        texts: &[&str],
        length: TokenLength,
        adapters: &AdapterSet<D>,
    ) -> candle_core::Result<TextConditioning> {
        let texts: Vec<Vec<u32>> = texts.iter().map(|text| Tokenizer.encode(text)).collect();
        self.encode_tokens(&texts, length, adapters)
    }

    /// Like [`encode`](Self::encode), of texts that are tokens already.
    ///
    /// # Errors
    /// The same.
    pub fn encode_tokens(
        &self,
        texts: &[Vec<u32>],
        length: TokenLength,
        adapters: &AdapterSet<D>,
    ) -> candle_core::Result<TextConditioning> {
        self.encode_laid_out(&self.lay_out(texts, length), adapters)
    }

    /// Like [`encode`](Self::encode), of texts that are laid out already.
    ///
    /// # Errors
    /// The same.
    pub fn encode_laid_out(
        &self,
        texts: &TextTokens,
        adapters: &AdapterSet<D>,
    ) -> candle_core::Result<TextConditioning> {
        let device = self.first.device();
        let mut graph = Eager::with_adapters(device, adapters);
        let values = self.forward(&mut graph, texts)?;
        Ok(TextConditioning {
            context: device.download(&values.context)?,
            pooled: device.download(&values.pooled)?,
        })
    }

    /// Whether LoRAs change what the encoders say.
    pub fn are_changed(&self, adapters: &AdapterSet<D>) -> bool {
        let layers = [&self.first, &self.second]
            .into_iter()
            .flat_map(TextEncoder::linears);
        let mut keys = layers.filter_map(Linear::lora_key);
        keys.any(|key| adapters.changes(key))
    }

    /// Brings texts that are tokens to a length, for both encoders.
    pub fn lay_out(&self, texts: &[Vec<u32>], length: TokenLength) -> TextTokens {
        let chunks = |padding| {
            let texts = texts.iter();
            texts
                .flat_map(|tokens| tokenizer::lay_out(tokens.clone(), length, padding))
                .collect()
        };
        TextTokens {
            first: chunks(Padding::End),
            second: chunks(self.second_padding),
            n_chunks: length.n_chunks(),
            weights: Vec::new(),
        }
    }

    /// Encodes texts on a graph.
    ///
    /// # Errors
    /// If the device fails.
    pub fn forward<G: Graph<Device = D>>(
        &self,
        graph: &mut G,
        texts: &TextTokens,
    ) -> candle_core::Result<TextValues<G::Value>> {
        let first = self.first.forward(graph, &texts.first)?;
        let second = self.second.forward(graph, &texts.second)?;
        let first = stitch(graph, first.hidden, texts.n_chunks)?;
        let hidden = stitch(graph, second.hidden, texts.n_chunks)?;
        let mut context = graph.concat(&first, &hidden)?;
        if !texts.weights.is_empty() {
            context = graph.weigh(&context, &texts.weights)?;
        }
        let Some(mut pooled) = second.pooled else {
            candle_core::bail!("the second text encoder has no projection");
        };
        if texts.n_chunks > 1 {
            // The pooled output of a long text is its first chunk's.
            let first_chunks: Vec<usize> = (0..texts.second.len()).step_by(texts.n_chunks).collect();
            pooled = graph.gather(&pooled, &first_chunks)?;
        }
        Ok(TextValues { context, pooled })
    }
}

/// Puts the chunks of a text behind each other, `[B · n, 77, C]` to `[B, 75 · n + 2, C]`: one begin, one end.
fn stitch<G: Graph>(graph: &mut G, hidden: G::Value, n_chunks: usize) -> candle_core::Result<G::Value> {
    if n_chunks == 1 {
        return Ok(hidden);
    }
    let &[n_rows, _, width] = graph.dims(&hidden) else {
        candle_core::bail!("[chunks, tokens, channels] is expected");
    };
    let n_texts = n_rows / n_chunks;
    let len = n_chunks * CHUNK;
    let inside = (0..len).filter(|at| !matches!(at % CHUNK, 0 | LAST));
    let kept: Vec<usize> = [0].into_iter().chain(inside).chain([len - 1]).collect();
    let rows: Vec<usize> = (0..n_texts)
        .flat_map(|text| kept.iter().map(move |at| text * len + at))
        .collect();
    let stitched = graph.gather(&hidden, &rows)?;
    graph.reshape(&stitched, &[n_texts, kept.len(), width])
}

/// The last position of a chunk.
const LAST: usize = CHUNK - 1;

/// Sizes that SDXL was told about each picture in training (Podell et al. 2023, section 2.2), in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PictureSizes {
    /// Height and width of the file before it was resized.
    pub original: (u32, u32),
    /// What was cut off at the top and at the left.
    pub crop: (u32, u32),
    /// Height and width of what the U-Net sees.
    pub target: (u32, u32),
}

impl PictureSizes {
    /// A picture that was neither resized nor cropped: what is asked for in generation.
    pub fn whole(height: u32, width: u32) -> Self {
        Self {
            original: (height, width),
            crop: (0, 0),
            target: (height, width),
        }
    }

    fn numbers(self) -> [u32; 6] {
        let Self {
            original,
            crop,
            target,
        } = self;
        [original.0, original.1, crop.0, crop.1, target.0, target.1]
    }
}

/// Channels that each of the six sizes is spread over: `addition_time_embed_dim` of SDXL's unet/config.json.
const SIZE_CHANNELS: usize = 256;

/// The U-Net's vector `y` `[B, pooled + 6 · 256]`: the pooled text and the embedded sizes.
///
/// # Errors
/// If the numbers of texts and sizes differ.
pub fn vector(pooled: &Tensor, sizes: &[PictureSizes]) -> candle_core::Result<Tensor> {
    Tensor::cat(&[pooled, &embedded_sizes(sizes)?], 1)
}

/// The part of [`vector`] that says sizes, `[B, 6 · 256]`.
///
/// # Errors
/// If memory is short.
pub fn embedded_sizes(sizes: &[PictureSizes]) -> candle_core::Result<Tensor> {
    let numbers: Vec<f32> = sizes
        .iter()
        .flat_map(|sizes| sizes.numbers())
        .map(|size| size as f32)
        .collect();
    sinusoids(&numbers, SIZE_CHANNELS)?.reshape((sizes.len(), 6 * SIZE_CHANNELS))
}

#[cfg(test)]
mod tests;
