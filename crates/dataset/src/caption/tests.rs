use super::*;

#[track_caller]
fn check(bytes: &[u8], text: &str, notes: &[&str]) {
    let caption = decode(bytes).unwrap();
    assert_eq!(caption.text, text);
    assert_eq!(caption.notes, notes);
}

#[test]
fn takes_utf8_with_and_without_mark_and_any_line_ends() {
    check("zora, grün".as_bytes(), "zora, grün", &[]);
    check("\u{feff}zora\r\n".as_bytes(), "zora", &[]);
    check(b"  zora \r\n\r\nsmiling\r", "zora\nsmiling", &[SEVERAL_LINES]);
}

#[test]
fn converts_utf16_with_a_mark() {
    let text = "zora, grün";
    let le: Vec<u8> = [0xfeff]
        .into_iter()
        .chain(text.encode_utf16())
        .flat_map(u16::to_le_bytes)
        .collect();
    let be: Vec<u8> = [0xfeff]
        .into_iter()
        .chain(text.encode_utf16())
        .flat_map(u16::to_be_bytes)
        .collect();
    check(&le, text, &["caption converted from UTF-16"]);
    check(&be, text, &["caption converted from UTF-16"]);
    assert_eq!(decode(&le[..le.len() - 1]), Err(CaptionError::NotUtf16));
}

#[test]
fn refuses_other_encodings_and_emptiness() {
    assert_eq!(
        decode(b"gr\xfcn"),
        Err(CaptionError::NotUtf8 {
            position: 2,
            byte: 0xfc
        })
    );
    assert_eq!(decode(b"z\0o\0"), Err(CaptionError::Nul { position: 1 }));
    assert_eq!(decode(b" \r\n\t"), Err(CaptionError::Empty));
    assert_eq!(decode("\u{200b}".as_bytes()), Err(CaptionError::Empty));
    assert_eq!(decode(b", ,\n,"), Err(CaptionError::Empty));
    assert_eq!(decode(&[b'a'; 65_537]), Err(CaptionError::TooLong(65_537)));
}

#[test]
fn strips_invisible_characters() {
    check(
        "zo\u{200b}ra,\u{2060} smiling".as_bytes(),
        "zora, smiling",
        &["invisible characters removed from the caption"],
    );
}

#[test]
fn keeps_joiners_that_join() {
    for caption in ["👩\u{200d}🎨, smiling", "می\u{200c}خواهم"] {
        check(caption.as_bytes(), caption, &[]);
    }
    assert_eq!(cleaned("zo\u{200d}ra \u{202e}evil"), "zora evil");
}

#[test]
fn a_caption_is_cleaned_however_it_comes() {
    for (raw, text) in [
        ("\u{feff}zo\u{200b}ra", "zora"),
        ("  zora \n\n smiling ", "zora\nsmiling"),
        ("   ", ""),
        (", , ,", ""),
        ("\u{200b},", ""),
    ] {
        assert_eq!(cleaned(raw), text);
    }
}

#[test]
fn keeps_only_what_the_page_can_save_again() {
    let notes = ["invisible characters removed from the caption"];
    for (raw, text) in [
        ("zora\u{85}smiling", "zora smiling"),
        ("zora\u{b}smiling\u{c}", "zora smiling"),
        ("zo\u{7}ra", "zora"),
        ("zo\u{fffe}ra\u{10ffff}", "zora"),
        ("\u{1b}[31mzora", "[31mzora"),
    ] {
        check(raw.as_bytes(), text, &notes);
        assert_eq!(protocol::text::check_text(text), Ok(()));
    }
}

#[test]
fn trigger_word_goes_in_front_once() {
    assert_eq!(with_trigger("a portrait", "zora"), "zora, a portrait");
    assert_eq!(with_trigger("Zora, a portrait", "zora"), "Zora, a portrait");
    assert_eq!(with_trigger("a portrait of zora", "zora"), "a portrait of zora");
    assert_eq!(with_trigger("zorah smiles", "zora"), "zora, zorah smiles");
    assert_eq!(with_trigger("", "zora"), "zora");
    assert_eq!(with_trigger("a portrait", " "), "a portrait");
    assert_eq!(
        with_trigger("ntst style, a cat", "ntst style"),
        "ntst style, a cat"
    );
}

#[test]
fn tags_are_lower_case_and_trimmed() {
    assert_eq!(
        tags("Zora, Pink Hair ,,smiling").collect::<Vec<_>>(),
        ["zora", "pink hair", "smiling"]
    );
}

#[test]
fn a_caption_without_its_trigger_word_says_the_rest() {
    for (caption, rest) in [
        ("zora, a portrait, smiling", "a portrait, smiling"),
        ("a portrait of Zora , smiling", "a portrait of, smiling"),
        ("zorah, prezora", "zorah, prezora"),
        ("zora", ""),
        ("zora zora", ""),
        ("İzora, zora", "İzora"),
    ] {
        assert_eq!(without_trigger(caption, "zora"), rest, "{caption}");
    }
    assert_eq!(
        without_trigger("ntst style, a cat in Ntst Style", "ntst style"),
        "a cat in"
    );
    assert_eq!(without_trigger("a cat", " "), "a cat");
}

#[test]
fn a_word_is_replaced_where_it_stands_alone() {
    for (caption, replaced) in [
        ("portrait of art, Art", "portrait of a person, a person"),
        ("smart_art, art2", "smart_art, art2"),
        ("a cat", "a cat"),
        ("", ""),
    ] {
        assert_eq!(replaced_word(caption, "art", "a person"), replaced, "{caption}");
    }
    // What takes its place is not looked into.
    assert_eq!(replaced_word("a person", "person", "a person"), "a a person");
    assert_eq!(replaced_word("a cat", " ", "x"), "a cat");
}
