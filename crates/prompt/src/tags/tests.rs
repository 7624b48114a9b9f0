//! Tags as A1111's documentation of extra networks writes them.

use super::*;

fn one(text: &str) -> LoraTag {
    match &find(text)[..] {
        [(_, Tag::Lora(tag))] => tag.clone(),
        other => panic!("{text}: {other:?}"),
    }
}

#[test]
fn names_and_weights() {
    for (text, name, text_encoders, unet) in [
        ("<lora:zora>", "zora", 1.0, 1.0),
        ("<lora:zora:0.8>", "zora", 0.8, 0.8),
        ("<lora:zora:-.5>", "zora", -0.5, -0.5),
        ("<lora:zora:0.5:0.9>", "zora", 0.5, 0.9),
        ("<lora:zora:te=0.5:unet=0.9>", "zora", 0.5, 0.9),
        ("<lyco:Zora Ink v2 : 1 >", "Zora Ink v2", 1.0, 1.0),
        ("<LORA:zora.safetensors:1>", "zora", 1.0, 1.0),
        ("<lora:日本:1>", "日本", 1.0, 1.0),
    ] {
        let tag = one(&format!("a {text} b"));
        assert_eq!(
            (
                tag.name.as_str(),
                tag.text_encoders,
                tag.unet,
                tag.written.as_str()
            ),
            (name, text_encoders, unet, text)
        );
    }
}

#[test]
fn what_cannot_be_read_says_why() {
    for (text, why) in [
        (
            "<lora:zora:strong>",
            "`<lora:zora:strong>` has the weight `strong`, which is not a number",
        ),
        (
            "<lora:zora:nan>",
            "`<lora:zora:nan>` has the weight `nan`, which is not a number",
        ),
        (
            "<lora: :1>",
            "`<lora: :1>` names no LoRA: write `<lora:NAME:WEIGHT>`",
        ),
        (
            "<lora:zora:1:1:1>",
            "`<lora:zora:1:1:1>` has more than two weights: write `<lora:NAME:WEIGHT>`",
        ),
        (
            "<lora:zora:1:dyn=4>",
            "`<lora:zora:1:dyn=4>` has `dyn=4`, which is not known: only weights follow the name",
        ),
    ] {
        let [(_, Tag::Bad(bad))] = &find(text)[..] else {
            panic!("{text}");
        };
        assert_eq!(bad.to_string(), why);
    }
    let error = one("<lora:zora:0.5:1>").weight().unwrap_err().to_string();
    assert!(error.contains("write `<lora:zora:1>`"), "{error}");
}

#[test]
fn other_angles_are_letters() {
    assert_eq!(find("<hypernet:ink:1>")[0].1, Tag::Other);
    for text in [
        "<3",
        "a < b",
        "<lora>",
        "<lora:>",
        "<lora:zora",
        "<:a>",
        "<-lora:a>",
    ] {
        assert!(find(text).is_empty(), "{text}");
    }
    assert_eq!(find("<<lora:a>>")[0].0, 1..9);
}
