//! Captions as the text encoders take them: what each says in a view, its tokens, and its encoding.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, PoisonError},
};

use dataset::caption::rules::{CaptionRules, Draw};
use diffusion::{
    conditioning::{TextConditioning, TextEncoders, TextTokens},
    device::Device,
    graph::AdapterSet,
    tokenizer::TokenLength,
};
use prompt::{CaptionTokens, Reading};
use protocol::{dataset::ManifestItem, recipe::Recipe};

use super::Place;
use crate::seeds;

/// Most memory for the encodings of captions that change from view to view, in bytes. An encoding of SDXL has 77 · 2048
/// + 1280 numbers, so these are about 400 of 75 tokens.
pub const MAX_ENCODING_BYTES: usize = 256 << 20;

/// The captions of a training.
#[derive(Debug)]
pub(super) struct Captions {
    rules: Arc<CaptionRules>,
    regularization: Arc<CaptionRules>,
    /// Whether brackets are emphasis or letters.
    reading: Reading,
    length: TokenLength,
    seed: u32,
    kept: Mutex<Kept>,
}

/// A caption that changes from view to view.
#[derive(Debug)]
pub(super) struct Changing {
    pub(super) written: String,
    pub(super) rules: Arc<CaptionRules>,
}

/// Encodings by their text, up to a size; the oldest make room.
#[derive(Debug, Default)]
struct Kept {
    encodings: HashMap<String, Arc<TextConditioning>>,
    order: VecDeque<String>,
    n_bytes: usize,
}

impl Captions {
    pub(super) fn of(recipe: &Recipe) -> Self {
        let p = recipe.parameters();
        let rules = CaptionRules::of(recipe);
        Self {
            regularization: Arc::new(rules.without_trigger_word()),
            rules: Arc::new(rules),
            reading: Reading::of(!p.weighted_captions),
            length: TokenLength::try_from(u32::from(p.max_tokens)).expect("recipes are valid"),
            seed: p.seed,
            kept: Mutex::default(),
        }
    }

    /// The rules for a picture.
    pub(super) fn rules(&self, item: &ManifestItem) -> &Arc<CaptionRules> {
        if item.showing.regularization {
            &self.regularization
        } else {
            &self.rules
        }
    }

    /// Whether all captions are empty in an epoch, counted from 0.
    pub(super) fn drops_epoch(&self, epoch: u32) -> bool {
        self.rules.drops_epoch(epoch)
    }

    /// What a caption says in one view of its picture: a function of the seed, the epoch, the picture and the turn.
    pub(super) fn draw(&self, changing: &Changing, sha256: &str, at: Place, turn: u32) -> String {
        let mut random = seeds::random(format_args!("caption {} {} {turn} {sha256}", self.seed, at.epoch));
        let draw = Draw {
            n_steps: at.step,
            uniform: &mut || f64::from(random.uniform()),
        };
        changing.rules.draw(&changing.written, draw)
    }

    fn tokens(&self, text: &str) -> CaptionTokens {
        CaptionTokens::read(text, self.reading)
    }

    /// Encodes a text. Emphasis multiplies the hidden states of its tokens, without anything to make up for it, and
    /// leaves the pooled output alone, as sd-scripts does for SDXL (`encode_tokens_with_weights` in
    /// `library/strategy_sdxl.py`).
    pub(super) fn encode<D: Device>(
        &self,
        encoders: &TextEncoders<D>,
        text: &str,
    ) -> candle_core::Result<TextConditioning> {
        encoders.encode_laid_out(&self.laid_out(encoders, text), &AdapterSet::new())
    }

    /// A text as the encoders take it.
    pub(super) fn laid_out<D: Device>(&self, encoders: &TextEncoders<D>, text: &str) -> TextTokens {
        let tokens = self.tokens(text);
        let weights = tokens.position_weights(self.length);
        TextTokens {
            weights: weights.unwrap_or_default(),
            ..encoders.lay_out(&[tokens.ids], self.length)
        }
    }

    /// Like [`encode`](Self::encode), of a text that may come again soon.
    pub(super) fn encode_again<D: Device>(
        &self,
        encoders: &TextEncoders<D>,
        text: &str,
    ) -> candle_core::Result<Arc<TextConditioning>> {
        let lock = || self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(encoding) = lock().encodings.get(text) {
            return Ok(encoding.clone());
        }
        let encoding = Arc::new(self.encode(encoders, text)?);
        lock().keep(text, encoding.clone(), MAX_ENCODING_BYTES);
        Ok(encoding)
    }
}

impl Kept {
    fn keep(&mut self, text: &str, encoding: Arc<TextConditioning>, max_bytes: usize) {
        let n_bytes = size_bytes(&encoding);
        if n_bytes > max_bytes || self.encodings.contains_key(text) {
            return;
        }
        while self.n_bytes + n_bytes > max_bytes
            && let Some(oldest) = self.order.pop_front()
        {
            let removed = self.encodings.remove(&oldest);
            self.n_bytes -= removed.map_or(0, |removed| size_bytes(&removed));
        }
        self.n_bytes += n_bytes;
        self.order.push_back(text.to_owned());
        self.encodings.insert(text.to_owned(), encoding);
    }
}

/// Memory of an encoding in f32.
fn size_bytes(encoding: &TextConditioning) -> usize {
    (encoding.context.elem_count() + encoding.pooled.elem_count()) * size_of::<f32>()
}

#[cfg(test)]
mod tests;
