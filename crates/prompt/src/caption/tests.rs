use super::*;

fn weighted(caption: &str) -> CaptionTokens {
    CaptionTokens::read(caption, Reading::Language)
}

#[test]
fn brackets_are_emphasis_and_nothing_else_is_read() {
    let id = |text: &str| Tokenizer.encode(text)[0];
    let read = weighted("a (cat:1.5) ((dog))");
    assert_eq!(read.ids, [id("a"), id("cat"), id("dog")]);
    assert_eq!(read.weights, [1.0, 1.5, 1.21]);
    for letters in ["cat BREAK dog", "cat <lora:zora:0.8>", "zora, smiling", ""] {
        let plain = CaptionTokens::read(letters, Reading::Literal);
        assert_eq!(weighted(letters), plain, "{letters}");
        assert_eq!(plain.ids, Tokenizer.encode(letters));
    }
    let letters = CaptionTokens::read("(cat:1.5)", Reading::Literal);
    assert_eq!(letters.ids, Tokenizer.encode("(cat:1.5)"));
    assert!(letters.weights.is_empty());
}

#[test]
fn weights_lie_at_the_positions_of_their_tokens() {
    let read = weighted("a (cat:1.5)");
    let positions = read.position_weights(TokenLength::T75).unwrap();
    assert_eq!(positions.len(), 77);
    assert_eq!(positions[..4], [1.0, 1.0, 1.5, 1.0]);
    assert_eq!(positions[4..], [1.0; 73]);

    // What is cut off has no place, and the end keeps its weight.
    let long = weighted(&format!("({}:2)", "cat ".repeat(200)));
    for (length, n) in [
        (TokenLength::T75, 77),
        (TokenLength::T150, 152),
        (TokenLength::T225, 227),
    ] {
        let positions = long.position_weights(length).unwrap();
        assert_eq!(positions.len(), n);
        assert_eq!((positions[0], positions[n - 1]), (1.0, 1.0));
        let n_twice = positions.iter().filter(|&&weight| weight == 2.0).count();
        assert_eq!(n_twice, length.n_tokens().min(200));
    }
    assert_eq!(weighted("cat").position_weights(TokenLength::T75), None);
}
