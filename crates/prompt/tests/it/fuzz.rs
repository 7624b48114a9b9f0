//! Whatever somebody writes can be read, and nothing of it is lost.

use prompt::{
    Prompt, Reading,
    tokenizer::{CHUNK, END, Padding, TEXT},
};

#[test]
fn fuzz_prompts() {
    let good = [
        "a (((house:1.3)) [on] a (hill:0.5), sun, (((sky))).",
        r"zora \(comic\), <lora:zora:0.8>, (smiling:1.2) BREAK [hat], <lyco:ink:te=1:unet=0.5>",
        "((((((a:1.1):1.2):-1.3)))) BREAK BREAK <hypernet:x:1> [cat:dog:0.5] cat AND dog",
        "日本語 (ソラ:1.3) 👩‍🎨 zoë \\\\ \\[ ] ) :) :( <3",
    ];
    let mut good: Vec<Vec<u8>> = good.iter().map(|text| text.as_bytes().to_vec()).collect();
    good.push("an (important) word, ".repeat(60).into_bytes());
    sim::fuzz::run("prompts", &good, |input| {
        let text = String::from_utf8_lossy(input);
        for reading in [Reading::Language, Reading::Literal] {
            check(&text, reading);
        }
    });
}

fn check(text: &str, reading: Reading) {
    let prompt = Prompt::read(text, reading);
    let (last, full) = prompt.chunks.split_last().expect("at least one chunk");
    assert!(last.tokens.len() <= TEXT);
    assert!(prompt.has_break || full.iter().all(|chunk| chunk.tokens.len() == TEXT));
    for chunk in &prompt.chunks {
        let ids = chunk.ids(Padding::Zero);
        assert_eq!(ids[chunk.tokens.len() + 1], END);
        assert!(chunk.weights().iter().all(|weight| weight.abs() <= 100.0));
        assert_eq!(ids.len(), CHUNK);
    }
    // Borders lie between characters, in order.
    let borders = prompt.borders();
    assert_eq!(borders.len(), full.len());
    assert!(borders.is_sorted() && borders.iter().all(|border| text.is_char_boundary(*border)));
    // What is left when tags are resolved says the same, and has no tag that was resolved already.
    if reading == Reading::Literal {
        assert!(prompt.is_plain() && prompt.loras.is_empty() && prompt.warnings.is_empty());
        assert_eq!(prompt.text, text);
    }
    for warning in &prompt.warnings {
        assert!(!warning.to_string().is_empty());
    }
}
