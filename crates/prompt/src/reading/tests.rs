//! Chunks, weights and borders.

use super::*;
use crate::tokenizer::{FIRST_OWN, TokenLength};

fn prompt(text: &str) -> Prompt {
    Prompt::read(text, Reading::Language)
}

fn sizes(prompt: &Prompt) -> Vec<usize> {
    prompt.chunks.iter().map(|chunk| chunk.tokens.len()).collect()
}

#[test]
fn a_short_prompt_is_the_one_chunk_that_it_was() {
    let full = "cat ".repeat(75);
    for text in [
        "",
        "zora, smiling",
        "  A PHOTO of\tzkx,\n a cat",
        "日本語 👩‍🎨",
        full.as_str(),
    ] {
        let read = prompt(text);
        assert!(read.is_plain());
        for padding in [Padding::End, Padding::Zero] {
            let before = Tokenizer.chunks(text, TokenLength::T75, padding);
            let ids: Vec<_> = read.chunks.iter().map(|chunk| chunk.ids(padding)).collect();
            assert_eq!(ids, before, "{text}");
        }
        assert_eq!(read.chunks[0].weights(), [1.0; CHUNK]);
        assert_eq!(read.text, text);
    }
}

#[test]
fn long_prompts_are_cut_every_75_tokens() {
    let text = "cat ".repeat(160);
    let read = prompt(&text);
    assert_eq!(sizes(&read), [75, 75, 10]);
    assert_eq!(read.n_tokens(), 160);
    // The border is behind the word: `cat cat`, without the space.
    assert_eq!(read.borders(), [75 * 4 - 1, 150 * 4 - 1]);
    let ids = read.chunks[0].ids(Padding::Zero);
    let cat = Tokenizer.encode("cat")[0];
    assert_eq!((ids[0], ids[1], ids[75], ids[76]), (BEGIN, cat, cat, END));
    let ids = read.chunks[2].ids(Padding::Zero);
    assert_eq!(ids[10..13], [cat, END, 0]);
    assert_eq!(read.chunks[2].ids(Padding::End)[11..], [END; 66]);
}

#[test]
fn a_break_begins_a_chunk() {
    let read = prompt("cat BREAK dog dog");
    assert_eq!(sizes(&read), [1, 2]);
    assert!(read.has_break && !read.is_plain());
    assert_eq!(read.borders(), [3]);
    // As in A1111, a chunk may stay empty, but not the last one.
    assert_eq!(sizes(&prompt("BREAK cat")), [0, 1]);
    assert_eq!(sizes(&prompt("cat BREAK")), [1]);
    assert_eq!(sizes(&prompt("BREAK BREAK cat")), [0, 0, 1]);
    assert_eq!(sizes(&Prompt::read("cat BREAK", Reading::Literal)), [2]);
}

#[test]
fn emphasis_is_of_the_tokens_inside() {
    let read = prompt("a (cat:1.5), dog");
    let weights: Vec<f64> = read.chunks[0].tokens.iter().map(|token| token.weight).collect();
    assert_eq!(weights, [1.0, 1.5, 1.0, 1.0]);
    let positions = read.chunks[0].weights();
    assert_eq!(positions[..4], [1.0, 1.0, 1.5, 1.0]);
    assert!(read.chunks[0].has_emphasis() && !read.is_plain());
    assert!(prompt("(cat:1.0)").is_plain());
}

#[test]
fn borders_count_what_was_written() {
    // 74 cats, an emphasized word of two tokens: the border lies inside the brackets.
    let text = format!("{}<lora:zora:1>(zkxq dog:1.2)", "cat ".repeat(74));
    let read = prompt(&text);
    let border = read.borders()[0];
    assert!(
        text[..border].ends_with("(zkx") || text[..border].ends_with("(z") || text[..border].ends_with("(zk"),
        "{}",
        &text[..border]
    );
    assert_eq!(read.text, format!("{}(zkxq dog:1.2)", "cat ".repeat(74)));
}

#[test]
fn the_text_without_tags_reads_the_same() {
    let read = prompt("<lora:zora:0.8> a (cat) <lora:ink>");
    assert_eq!(read.text, "a (cat)");
    assert_eq!(read.loras.len(), 2);
    let ids = |read: &Prompt| read.chunks[0].ids(Padding::End);
    assert_eq!(ids(&read), ids(&prompt(&read.text)));
}

#[test]
fn many_letters_are_quick() {
    let text = "👩‍🎨".repeat(4000);
    assert!(prompt(&text).n_tokens() > 4000);
    let nested = "(a".repeat(2000) + &")".repeat(2000);
    // 1.1 to the power of 48 is below the largest weight: these letters stay apart, and the others make longer tokens.
    assert!(prompt(&nested).n_tokens() > 48);
}

/// Two vectors for `Zora`, and one for a word that begins with it.
fn own_words() -> [OwnWord; 2] {
    [("Zora", FIRST_OWN, 2), ("zora-ink", FIRST_OWN + 2, 1)].map(|(word, token, n_tokens)| OwnWord {
        word: word.to_owned(),
        token,
        n_tokens,
    })
}

fn ids(text: &str) -> Vec<u32> {
    let read = Prompt::read_with(text, Reading::Language, &own_words());
    let tokens = read.chunks.iter().flat_map(|chunk| &chunk.tokens);
    tokens.map(|token| token.id).collect()
}

#[test]
fn words_of_their_own_have_their_own_tokens() {
    let (a, cat) = (Tokenizer.encode("a"), Tokenizer.encode("cat"));
    let zora = [FIRST_OWN, FIRST_OWN + 1];
    let around = |own: &[u32]| [a.as_slice(), own, cat.as_slice()].concat();
    for text in ["a zora cat", "a ZORA cat", "a embedding:Zora cat"] {
        assert_eq!(ids(text), around(&zora), "{text}");
    }
    assert_eq!(ids("a zora-ink cat"), around(&[FIRST_OWN + 2]), "the longer one");
    for text in ["zorah", "_zora", "a zoracat"] {
        assert_eq!(ids(text), Tokenizer.encode(text), "{text} is another word");
    }
    let read = Prompt::read_with("a (zora:1.5)", Reading::Language, &own_words());
    let own: Vec<(f64, usize)> = read.chunks[0].tokens[1..]
        .iter()
        .map(|token| (token.weight, token.end))
        .collect();
    assert_eq!(own, [(1.5, 7); 2]);
    let literal = Prompt::read_with("(zora)", Reading::Literal, &own_words());
    assert_eq!(literal.chunks[0].tokens[1].id, FIRST_OWN);
}

#[test]
fn a_word_of_its_own_is_not_cut() {
    let text = format!("{}zora", "cat ".repeat(74));
    let read = Prompt::read_with(&text, Reading::Language, &own_words());
    assert_eq!(sizes(&read), [74, 2]);
    let mut longer = own_words();
    longer[0].n_tokens = 80;
    let read = Prompt::read_with("cat zora", Reading::Language, &longer);
    assert_eq!(sizes(&read), [1, 75, 5], "one that fits into no chunk");
}
