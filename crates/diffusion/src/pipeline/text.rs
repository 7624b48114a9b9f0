//! Prompts as the U-Net takes them, from what the text encoders say about their chunks.

use candle_core::Tensor;
use prompt::{Chunk, Prompt};

use crate::{
    conditioning::TextConditioning,
    device::HOST,
    networks::{Encoder, NetworkError, Networks},
    text_encoder::EncodedText,
    tokenizer::{self, CHUNK, Padding, TokenLength},
};

/// The last position of a chunk.
const LAST: usize = CHUNK - 1;

/// Encodes a plain text as captions are trained on, `[1, 75 · n + 2, context]`: with one begin and one end, whatever its
/// length. The pooled output is the first chunk's.
pub(super) fn encode_as_trained(
    networks: &mut dyn Networks,
    second_padding: Padding,
    tokens: &[u32],
    length: TokenLength,
) -> Result<TextConditioning, NetworkError> {
    let mut run = |encoder, padding| -> Result<EncodedText, NetworkError> {
        let chunks: Vec<[u32; CHUNK]> = tokenizer::lay_out(tokens.to_vec(), length, padding);
        let said = networks.encode(encoder, &chunks)?;
        Ok(EncodedText {
            hidden: stitch(&said.hidden)?,
            pooled: said.pooled,
        })
    };
    let first = run(Encoder::First, Padding::End)?;
    let second = run(Encoder::Second, second_padding)?;
    side_by_side(&first, second)
}

/// Encodes a prompt chunk by chunk and puts the chunks behind each other, `[1, 77 · n, context]`, as A1111, ComfyUI
/// and compel do; a shorter prompt is filled up with empty chunks to `n_chunks`. The pooled output is the first
/// chunk's, without its emphasis, as in A1111 (`sd_hijack_clip.py`) and ComfyUI (`sd1_clip.py`).
pub(super) fn encode_prompt(
    networks: &mut dyn Networks,
    second_padding: Padding,
    prompt: &Prompt,
    n_chunks: usize,
) -> Result<TextConditioning, NetworkError> {
    let empty = Chunk::default();
    let n_chunks = n_chunks.max(prompt.chunks.len());
    let chunks: Vec<&Chunk> = prompt
        .chunks
        .iter()
        .chain(std::iter::repeat(&empty))
        .take(n_chunks)
        .collect();
    let has_emphasis = prompt.chunks.iter().any(Chunk::has_emphasis);
    let mut run = |encoder, padding| -> Result<EncodedText, NetworkError> {
        let mut ids: Vec<[u32; CHUNK]> = chunks.iter().map(|chunk| chunk.ids(padding)).collect();
        if has_emphasis {
            ids.push(empty.ids(padding));
        }
        let encoded = networks.encode(encoder, &ids)?;
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
    let first = run(Encoder::First, Padding::End)?;
    let second = run(Encoder::Second, second_padding)?;
    side_by_side(&first, second)
}

/// Zeros in place of an absent text: what diffusers takes for an absent negative prompt with SDXL
/// (`force_zeros_for_empty_prompt`). An empty text that is encoded is something else.
pub(super) fn absent(beside: &TextConditioning) -> Result<TextConditioning, NetworkError> {
    Ok(TextConditioning {
        context: beside.context.zeros_like()?,
        pooled: beside.pooled.zeros_like()?,
    })
}

fn side_by_side(first: &EncodedText, second: EncodedText) -> Result<TextConditioning, NetworkError> {
    let Some(pooled) = second.pooled else {
        return Err(NetworkError::Failed(
            "the second text encoder has no projection".into(),
        ));
    };
    Ok(TextConditioning {
        context: Tensor::cat(&[&first.hidden, &second.hidden], 2)?,
        pooled: pooled.narrow(0, 0, 1)?,
    })
}

/// Puts the chunks of one text behind each other, `[n, 77, C]` to `[1, 75 · n + 2, C]`: one begin, one end.
fn stitch(hidden: &Tensor) -> candle_core::Result<Tensor> {
    let (n_chunks, _, width) = hidden.dims3()?;
    let len = n_chunks * CHUNK;
    let inside = (0..len).filter(|at| !matches!(at % CHUNK, 0 | LAST));
    let kept = [0].into_iter().chain(inside).chain([len - 1]);
    let kept: Vec<u32> = kept.map(|at| at as u32).collect();
    let n_kept = kept.len();
    let rows = hidden.reshape((len, width))?;
    rows.index_select(&Tensor::from_vec(kept, n_kept, &HOST)?, 0)?
        .reshape((1, n_kept, width))
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

#[cfg(test)]
mod tests;
