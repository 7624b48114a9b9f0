//! Textual inversions (Gal et al. 2022): words of a prompt that stand for vectors of their own, which both text encoders
//! get in place of those of the word's tokens.

use candle_core::{Result, Tensor};
use prompt::{OwnWord, tokenizer::FIRST_OWN};

/// A word and its vectors.
#[derive(Debug, Clone)]
pub struct Embedding {
    /// The word that calls it up.
    pub word: String,
    /// For CLIP-L, `[vectors, width]`.
    pub first: Tensor,
    /// For OpenCLIP-bigG, `[vectors, width]`; as many.
    pub second: Tensor,
}

impl Embedding {
    /// Tokens that it takes of a prompt.
    pub fn n_vectors(&self) -> usize {
        self.first.dims().first().copied().unwrap_or(0)
    }
}

/// Several of them, as additions to the vocabulary behind CLIP's own tokens.
#[derive(Debug, Clone, Default)]
pub struct Embeddings {
    words: Vec<OwnWord>,
    first: Option<Tensor>,
    second: Option<Tensor>,
}

impl Embeddings {
    /// Gives each word tokens of its own.
    ///
    /// # Errors
    /// If their vectors differ in length.
    pub fn new<'a>(embeddings: impl IntoIterator<Item = &'a Embedding>) -> Result<Self> {
        let embeddings: Vec<&Embedding> = embeddings.into_iter().collect();
        if embeddings.is_empty() {
            return Ok(Self::default());
        }
        let mut token = FIRST_OWN;
        let mut words = Vec::with_capacity(embeddings.len());
        for embedding in &embeddings {
            let n_tokens = embedding.n_vectors();
            words.push(OwnWord {
                word: embedding.word.clone(),
                token,
                n_tokens,
            });
            token += n_tokens as u32;
        }
        let first: Vec<&Tensor> = embeddings.iter().map(|embedding| &embedding.first).collect();
        let second: Vec<&Tensor> = embeddings.iter().map(|embedding| &embedding.second).collect();
        Ok(Self {
            words,
            first: Some(Tensor::cat(&first, 0)?),
            second: Some(Tensor::cat(&second, 0)?),
        })
    }

    /// Whether it has no words.
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// The words with their tokens.
    pub fn words(&self) -> &[OwnWord] {
        &self.words
    }

    /// Vectors of the first text encoder, `[vectors, width]`, from the first token of the first word on.
    pub fn first(&self) -> Option<&Tensor> {
        self.first.as_ref()
    }

    /// The same of the second.
    pub fn second(&self) -> Option<&Tensor> {
        self.second.as_ref()
    }
}
