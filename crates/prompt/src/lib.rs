//! What people write to get a picture: emphasis, `BREAK`, LoRA tags, and the chunks of CLIP's tokens that result.
//!
//! No IO and no tensors, so that the server counts tokens with the code that a picture is made with.
//!
//! # The language
//!
//! It is A1111's, as its wiki documents it, and ComfyUI's where the two agree.
//!
//! | written | read as | ComfyUI |
//! |---|---|---|
//! | `(x)`, `((x))` | weight 1.1, 1.21 | the same |
//! | `[x]` | weight 1/1.1 | letters |
//! | `(x:1.3)` | weight 1.3, times that of the brackets around it | the same, but the weight replaces that of one bracket |
//! | `\(` `\)` | a bracket as a letter | the same |
//! | `\[` `\]` `\\` | a bracket or a backslash as a letter | letters with their backslash |
//! | `(x` | weight 1.1 up to the end, with a warning | letters |
//! | `x)` | letters, with a warning | the same |
//! | `\<lora:…>` | a tag as letters; A1111 has no such form | letters with their backslash |
//! | `BREAK` | the rest begins a new chunk | letters |
//! | `<lora:name:0.8>`, `<lyco:…>` | a LoRA, see [`LoraTag`]; it leaves the prompt | letters |
//!
//! A backslash before anything else is a letter (A1111 drops it). A1111's `[from:to:when]`, `[a|b]` and `AND` are not
//! read; they get a warning.
//!
//! A word that stands for vectors of its own (a textual inversion) is found in any case, with or without ComfyUI's
//! `embedding:` before it.
//!
//! Tokens are cut into chunks of 75 wherever the 75th token is, as A1111 does with a "comma backtrack" of 0; ComfyUI
//! moves a short word that would be cut to the next chunk. Every chunk is padded by itself.
#![warn(missing_docs)]

mod caption;
mod language;
mod near;
mod own_words;
mod reading;
mod tags;
pub mod tokenizer;
mod warning;

pub use self::{
    caption::CaptionTokens,
    language::escaped,
    near::{near, near_in_words},
    own_words::OwnWord,
    reading::{Chunk, Prompt, Reading, Token},
    tags::{BadTag, LoraTag},
    warning::Warning,
};
