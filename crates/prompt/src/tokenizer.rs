//! Prompts to tokens: CLIP's byte-pair encoding, cut into the 77 positions that a text encoder takes.

use std::sync::LazyLock;

/// Positions of a text encoder: begin, 75 tokens, end.
pub const CHUNK: usize = 77;
/// Begins every chunk.
pub const BEGIN: u32 = 49406;
/// Ends a text.
pub const END: u32 = 49407;
/// The first token that is not CLIP's: from here on are those of words that stand for vectors of their own.
pub const FIRST_OWN: u32 = END + 1;

/// Tokens of text in a chunk.
pub const TEXT: usize = CHUNK - 2;

/// CLIP's byte-pair encoding as transformers' `tokenizer.json`, the same in every SDXL model.
pub const CLIP_TOKENIZER: &[u8] = include_bytes!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../assets/tiny-xl/tokenizer/tokenizer.json"
));

/// What fills a chunk behind its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Padding {
    /// The end token again: CLIP-L.
    End,
    /// Token 0, an exclamation mark: OpenCLIP-bigG.
    Zero,
}

impl Padding {
    /// The token that fills.
    pub fn token(self) -> u32 {
        match self {
            Self::End => END,
            Self::Zero => 0,
        }
    }
}

/// How much of a text is looked at; every text is padded to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TokenLength {
    /// 75 tokens: one chunk.
    #[default]
    T75,
    /// 150 tokens: two chunks.
    T150,
    /// 225 tokens: three chunks.
    T225,
}

impl TokenLength {
    /// Chunks of [`CHUNK`] positions.
    pub fn n_chunks(self) -> usize {
        match self {
            Self::T75 => 1,
            Self::T150 => 2,
            Self::T225 => 3,
        }
    }

    /// Tokens of text.
    pub fn n_tokens(self) -> usize {
        self.n_chunks() * TEXT
    }
}

/// Not a length that SDXL is trained with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0} tokens, expected 75, 150 or 225")]
pub struct InvalidTokenLength(u32);

impl TryFrom<u32> for TokenLength {
    type Error = InvalidTokenLength;

    fn try_from(n_tokens: u32) -> Result<Self, InvalidTokenLength> {
        match n_tokens {
            75 => Ok(Self::T75),
            150 => Ok(Self::T150),
            225 => Ok(Self::T225),
            other => Err(InvalidTokenLength(other)),
        }
    }
}

/// CLIP's byte-pair encoding, which is the same in every SDXL model.
#[derive(Debug, Clone, Copy, Default)]
pub struct Tokenizer;

static CLIP: LazyLock<tokenizers::Tokenizer> = LazyLock::new(|| {
    tokenizers::Tokenizer::from_bytes(CLIP_TOKENIZER).expect("the built-in tokenizer is whole")
});

impl Tokenizer {
    /// The tokens of a text, with neither begin nor end.
    pub fn encode(self, text: &str) -> Vec<u32> {
        CLIP.encode_fast(text, false)
            .expect("byte-pair encoding covers every byte")
            .get_ids()
            .to_vec()
    }

    /// The tokens of a text, each with the byte of the text that it ends before.
    pub fn encode_with_ends(self, text: &str) -> Vec<(u32, usize)> {
        let encoding = CLIP
            .encode(text, false)
            .expect("byte-pair encoding covers every byte");
        let ends = encoding.get_offsets().iter().map(|(_, end)| *end);
        encoding.get_ids().iter().copied().zip(ends).collect()
    }

    /// How many tokens a text has.
    pub fn count(self, text: &str) -> usize {
        self.encode(text).len()
    }

    /// The text as `length.n_chunks()` chunks, each with begin and end; what is longer is cut off. See [`lay_out`].
    pub fn chunks(self, text: &str, length: TokenLength, padding: Padding) -> Vec<[u32; CHUNK]> {
        lay_out(self.encode(text), length, padding)
    }
}

/// The tokens of a text as `length.n_chunks()` chunks, each with begin and end; what is longer is cut off.
///
/// Follows sd-scripts: the text is padded as one piece and then cut, so that with [`Padding::Zero`] a chunk
/// ends in padding rather than in the end token if the text ended before.
pub fn lay_out(mut tokens: Vec<u32>, length: TokenLength, padding: Padding) -> Vec<[u32; CHUNK]> {
    tokens.truncate(length.n_tokens());
    tokens.push(END);
    tokens.resize(length.n_tokens() + 1, padding.token());
    let last = tokens[length.n_tokens()];
    tokens[..length.n_tokens()]
        .chunks_exact(TEXT)
        .map(|text| chunk(text, last, length, padding))
        .collect()
}

/// `last` is the last token of the whole padded text.
fn chunk(text: &[u32], last: u32, length: TokenLength, padding: Padding) -> [u32; CHUNK] {
    let mut chunk = [last; CHUNK];
    chunk[0] = BEGIN;
    chunk[1..=TEXT].copy_from_slice(text);
    if length != TokenLength::T75 && padding == Padding::Zero {
        // Text runs up to the cut: it ends here. Nothing but padding: it ends at once.
        if chunk[TEXT] != END && chunk[TEXT] != padding.token() {
            chunk[CHUNK - 1] = END;
        }
        if chunk[1] == padding.token() {
            chunk[1] = END;
        }
    }
    chunk
}

#[cfg(test)]
mod tests;
