//! What the U-Net is told: the prompt's tokens, the prompt as a whole, and the sizes of the picture.

use candle_core::Tensor;
use prompt::{Chunk, Prompt};

use crate::{
    cpu::Cpu,
    device::{Device, HOST},
    graph::AdapterSet,
    text_encoder::{EncodedText, TextEncoder},
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
        let run = |encoder: &TextEncoder<D>, padding| -> candle_core::Result<EncodedText> {
            let chunks: Vec<[u32; CHUNK]> = texts
                .iter()
                .flat_map(|tokens| tokenizer::lay_out(tokens.clone(), length, padding))
                .collect();
            encoder.encode(&chunks, adapters)
        };
        let first = run(&self.first, Padding::End)?;
        let second = run(&self.second, self.second_padding)?;
        let n_chunks = length.n_chunks();
        let context = Tensor::cat(
            &[
                stitch(&first.hidden, n_chunks)?,
                stitch(&second.hidden, n_chunks)?,
            ],
            2,
        )?;
        let Some(pooled) = second.pooled else {
            candle_core::bail!("the second text encoder has no projection");
        };
        // The pooled output of a long text is its first chunk's.
        let first_chunks: Vec<u32> = (0..texts.len()).map(|i| (i * n_chunks) as u32).collect();
        let first_chunks = Tensor::new(first_chunks, &HOST)?;
        Ok(TextConditioning {
            context,
            pooled: pooled.index_select(&first_chunks, 0)?,
        })
    }

    /// Encodes a prompt chunk by chunk and puts the chunks behind each other, `[1, 77 · n, context]`, as A1111, ComfyUI
    /// and compel do; a shorter prompt is filled up with empty chunks to `n_chunks`. The pooled output is the first
    /// chunk's, without its emphasis, as in A1111 (`sd_hijack_clip.py`) and ComfyUI (`sd1_clip.py`).
    ///
    /// # Errors
    /// If a LoRA does not fit.
    pub fn encode_prompt(
        &self,
        prompt: &Prompt,
        n_chunks: usize,
        adapters: &AdapterSet<D>,
    ) -> candle_core::Result<TextConditioning> {
        let empty = Chunk::default();
        let n_chunks = n_chunks.max(prompt.chunks.len());
        let chunks: Vec<&Chunk> = prompt
            .chunks
            .iter()
            .chain(std::iter::repeat(&empty))
            .take(n_chunks)
            .collect();
        let has_emphasis = prompt.chunks.iter().any(Chunk::has_emphasis);
        let run = |encoder: &TextEncoder<D>, padding| -> candle_core::Result<EncodedText> {
            let mut ids: Vec<[u32; CHUNK]> = chunks.iter().map(|chunk| chunk.ids(padding)).collect();
            if has_emphasis {
                ids.push(empty.ids(padding));
            }
            let encoded = encoder.encode(&ids, adapters)?;
            let hidden = if has_emphasis {
                emphasize(&encoded.hidden, &chunks)?
            } else {
                encoded.hidden
            };
            let (_, _, width) = hidden.dims3()?;
            Ok(EncodedText {
                hidden: hidden.reshape((1, n_chunks * CHUNK, width))?,
                pooled: encoded.pooled,
            })
        };
        let first = run(&self.first, Padding::End)?;
        let second = run(&self.second, self.second_padding)?;
        let Some(pooled) = second.pooled else {
            candle_core::bail!("the second text encoder has no projection");
        };
        Ok(TextConditioning {
            context: Tensor::cat(&[&first.hidden, &second.hidden], 2)?,
            pooled: pooled.narrow(0, 0, 1)?,
        })
    }

    /// Zeros in place of an absent text: what diffusers takes for an absent negative prompt with SDXL
    /// (`force_zeros_for_empty_prompt`). An empty text that is encoded is something else. `n_positions` is that of the
    /// prompt.
    ///
    /// # Errors
    /// If memory is short.
    pub fn absent(&self, n_positions: usize) -> candle_core::Result<TextConditioning> {
        let zeros = |shape: &[usize]| Tensor::zeros(shape, candle_core::DType::F32, &HOST);
        Ok(TextConditioning {
            context: zeros(&[1, n_positions, self.context_width()])?,
            pooled: zeros(&[1, self.pooled_width()])?,
        })
    }
}

/// Applies the weights of the chunks to their hidden states `[n + 1, 77, C]`, the last row of which is the empty text's;
/// the result is `[n, 77, C]`.
///
/// ComfyUI's formula (`ClipTokenWeightEncoder` in `sd1_clip.py`): `z' = z_empty + (z − z_empty) · w`, at the same
/// position, for each encoder by itself. A1111's is another: `z · w`, scaled so that the mean over the chunk stays what
/// it was, which makes a weight depend on everything else in the chunk.
fn emphasize(hidden: &Tensor, chunks: &[&Chunk]) -> candle_core::Result<Tensor> {
    let (_, _, width) = hidden.dims3()?;
    let mut states: Vec<f32> = hidden.flatten_all()?.to_vec1()?;
    let empty = states.split_off(chunks.len() * CHUNK * width);
    let weights = chunks.iter().flat_map(|chunk| chunk.weights());
    let at_empty = empty.chunks_exact(width).cycle();
    for ((state, empty), weight) in states.chunks_exact_mut(width).zip(at_empty).zip(weights) {
        if weight != 1.0 {
            let weight = weight as f32;
            for (z, empty) in state.iter_mut().zip(empty) {
                *z = empty + (*z - empty) * weight;
            }
        }
    }
    Tensor::from_vec(states, (chunks.len(), CHUNK, width), &HOST)
}

/// Puts the chunks of a text behind each other, `[B · n, 77, C]` to `[B, 75 · n + 2, C]`: one begin, one end.
fn stitch(hidden: &Tensor, n_chunks: usize) -> candle_core::Result<Tensor> {
    if n_chunks == 1 {
        return Ok(hidden.clone());
    }
    let (rows, _, width) = hidden.dims3()?;
    let hidden = hidden.reshape((rows / n_chunks, n_chunks, CHUNK, width))?;
    let mut parts = vec![hidden.narrow(1, 0, 1)?.narrow(2, 0, 1)?];
    for i in 0..n_chunks {
        parts.push(hidden.narrow(1, i, 1)?.narrow(2, 1, CHUNK - 2)?);
    }
    parts.push(hidden.narrow(1, n_chunks - 1, 1)?.narrow(2, CHUNK - 1, 1)?);
    Tensor::cat(&parts, 2)?.squeeze(1)
}

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
    let numbers: Vec<f32> = sizes
        .iter()
        .flat_map(|sizes| sizes.numbers())
        .map(|size| size as f32)
        .collect();
    let embedded = sinusoids(&numbers, SIZE_CHANNELS)?.reshape((sizes.len(), 6 * SIZE_CHANNELS))?;
    Tensor::cat(&[pooled, &embedded], 1)
}

#[cfg(test)]
mod tests;
