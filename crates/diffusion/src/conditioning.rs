//! What the U-Net is told: the prompt's tokens, the prompt as a whole, and the sizes of the picture.

use candle_core::Tensor;

use crate::{
    cpu::Cpu,
    device::{Device, HOST},
    graph::AdapterSet,
    text_encoder::{EncodedText, TextEncoder},
    tokenizer::{CHUNK, Padding, TokenLength, Tokenizer},
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
    /// `[B, tokens, context]`: both encoders' hidden states side by side; 77 tokens, or 152, or 227.
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

    /// Encodes texts, with the LoRAs of the text encoders applied.
    ///
    /// # Errors
    /// If a LoRA does not fit.
    pub fn encode(
        &self,
        texts: &[&str],
        length: TokenLength,
        adapters: &AdapterSet<D>,
    ) -> candle_core::Result<TextConditioning> {
        let run = |encoder: &TextEncoder<D>, padding| -> candle_core::Result<EncodedText> {
            let chunks: Vec<[u32; CHUNK]> = texts
                .iter()
                .flat_map(|text| Tokenizer.chunks(text, length, padding))
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

    /// Zeros in place of an absent text: what diffusers takes for an absent negative prompt with SDXL
    /// (`force_zeros_for_empty_prompt`). An empty text that is encoded is something else.
    ///
    /// # Errors
    /// If memory is short.
    pub fn absent(&self, n_texts: usize) -> candle_core::Result<TextConditioning> {
        let zeros = |shape: &[usize]| Tensor::zeros(shape, candle_core::DType::F32, &HOST);
        Ok(TextConditioning {
            context: zeros(&[n_texts, CHUNK, self.context_width()])?,
            pooled: zeros(&[n_texts, self.pooled_width()])?,
        })
    }
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
