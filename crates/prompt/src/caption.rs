//! Captions as training reads them: tokens without chunks, and their emphasis if that is asked for.

use crate::{
    language::{self, Piece},
    reading::{self, Reading},
    tokenizer::{TokenLength, Tokenizer},
};

/// A caption as tokens.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CaptionTokens {
    /// Numbers in CLIP's vocabulary, with neither begin nor end; nothing is cut off.
    pub ids: Vec<u32>,
    /// How strongly each counts; empty if all count as 1.
    pub weights: Vec<f32>,
}

impl CaptionTokens {
    /// Reads a caption. With [`Reading::Language`] brackets are emphasis, as sd-scripts reads them with
    /// `weighted_captions`; `BREAK` and LoRA tags are letters even then.
    pub fn read(caption: &str, reading: Reading) -> Self {
        if reading == Reading::Literal {
            return Self {
                ids: Tokenizer.encode(caption),
                weights: Vec::new(),
            };
        }
        let mut read = Self::default();
        for piece in language::emphasis(caption) {
            if let Piece::Letters { letters, weight } = piece {
                let ids = reading::tokens(&letters, weight).map(|token| token.id);
                read.ids.extend(ids);
                read.weights.resize(read.ids.len(), weight as f32);
            }
        }
        if read.weights.iter().all(|&weight| weight == 1.0) {
            read.weights.clear();
        }
        read
    }

    /// The weight of each position that a text of this length is laid out to, begin and end included: 77, 152 or 227
    /// numbers. `None` if all are 1.
    pub fn position_weights(&self, length: TokenLength) -> Option<Vec<f32>> {
        if self.weights.is_empty() {
            return None;
        }
        let mut positions = vec![1.0; length.n_tokens() + 2];
        for (position, weight) in positions[1..]
            .iter_mut()
            .zip(&self.weights)
            .take(length.n_tokens())
        {
            *position = *weight;
        }
        Some(positions)
    }
}

#[cfg(test)]
mod tests;
