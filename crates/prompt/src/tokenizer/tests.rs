//! Tokens as transformers and sd-scripts make them.

use super::*;

fn one(text: &str, padding: Padding) -> [u32; CHUNK] {
    let chunks = Tokenizer.chunks(text, TokenLength::T75, padding);
    assert_eq!(chunks.len(), 1);
    chunks[0]
}

#[test]
fn a_caption() {
    let tokens = one("a photo of zkx style, a cat", Padding::Zero);
    // Printed by sd-scripts at commit 48d368fa.
    let expected = [49406, 320, 1125, 539, 89, 46442, 1844, 267, 320, 2368, 49407];
    assert_eq!(tokens[..11], expected);
    assert!(tokens[11..].iter().all(|token| *token == 0));
    let same = one("  A PHOTO of\tzkx style,\n a cat", Padding::End);
    assert_eq!(same[..11], expected);
    assert!(same[11..].iter().all(|token| *token == END));
}

#[test]
fn an_empty_caption() {
    let tokens = one("", Padding::Zero);
    assert_eq!(tokens[..3], [BEGIN, END, 0]);
    assert_eq!(one("", Padding::End)[1..], [END; 76]);
}

#[test]
fn any_text_has_tokens() {
    for text in ["日本語 ä ß", "\u{0}\u{ffff}", "👩‍👩‍👧‍👦", "<|endoftext|>", "'s 1234"]
    {
        let count = Tokenizer.count(text);
        assert!(count > 0 && count < 40, "{text}: {count}");
    }
}

#[test]
fn a_long_text_is_cut() {
    let text = "cat ".repeat(100);
    let cat = Tokenizer.encode("cat")[0];
    let tokens = one(&text, Padding::Zero);
    assert_eq!((tokens[0], tokens[75], tokens[76]), (BEGIN, cat, END));

    let chunks = Tokenizer.chunks(&text, TokenLength::T150, Padding::Zero);
    assert_eq!(chunks.len(), 2);
    // Text up to the cut: an end is put there, although the whole text ends in padding.
    assert_eq!((chunks[0][75], chunks[0][76]), (cat, END));
    assert_eq!(chunks[1][25..29], [cat, END, 0, 0]);
    assert_eq!(chunks[1][76], 0);

    let chunks = Tokenizer.chunks(&text, TokenLength::T150, Padding::End);
    assert_eq!(chunks[1][25..], [&[cat][..], &[END; 51]].concat());
}

#[test]
fn empty_chunks_end_at_once() {
    let chunks = Tokenizer.chunks("cat", TokenLength::T225, Padding::Zero);
    assert_eq!(chunks[0][2..5], [END, 0, 0]);
    for chunk in &chunks[1..] {
        assert_eq!(chunk[..3], [BEGIN, END, 0]);
        assert_eq!(chunk[76], 0);
    }
    let exactly_full = Tokenizer.chunks(&"cat ".repeat(75), TokenLength::T150, Padding::Zero);
    assert_eq!(exactly_full[0][76], END);
    // The end of the text lies at the cut, in the place of the second chunk's first token.
    assert_eq!(exactly_full[1][..3], [BEGIN, END, 0]);
}

#[test]
fn lengths() {
    assert_eq!(TokenLength::try_from(150).unwrap().n_tokens(), 150);
    assert_eq!(
        TokenLength::try_from(77).unwrap_err().to_string(),
        "77 tokens, expected 75, 150 or 225"
    );
}
