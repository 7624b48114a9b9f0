use encoding_rs::GBK;

use super::*;

/// Names in an encoding.
fn written(names: &[&str], encoding: &'static Encoding) -> Vec<Vec<u8>> {
    names
        .iter()
        .map(|name| encoding.encode(name).0.into_owned())
        .collect()
}

fn of(names: &[Vec<u8>]) -> Option<&'static str> {
    of_names(names.iter().map(Vec::as_slice)).map(Encoding::name)
}

#[test]
fn japanese_and_chinese_names_are_known_by_their_words() {
    let japanese = ["ゾラ1.png", "表紙.png", "十二話/ソ能予.png"];
    assert_eq!(of(&written(&japanese, SHIFT_JIS)), Some("Shift_JIS"));
    for name in japanese {
        assert_eq!(of(&written(&[name], SHIFT_JIS)), Some("Shift_JIS"), "{name}");
    }
    let chinese = ["我的照片.png", "中国人的生活.png", "这是一个故事.png"];
    assert_eq!(of(&written(&chinese, GBK)), Some("GBK"));
}

/// What Windows' own archives and other programs have where a name is not ASCII.
#[test]
fn accents_of_code_page_437_and_of_latin_1_are_told_apart() {
    for name in [
        &b"Zo\x82.png"[..],
        b"K\x94nig.png",
        b"ch\x83teau.png",
        b"stra\xe1e.png",
        b"Gr\x94\xe1e.png",
    ] {
        assert_eq!(of(&[name.to_vec()]), None, "{}", name.escape_ascii());
    }
    assert_eq!(of(&[b"Zo\xe9.png".to_vec()]), Some("windows-1252"));
    assert_eq!(
        of(&[b"zora.png".to_vec(), "ゾラ.png".into()]),
        None,
        "nothing to guess"
    );
}

#[test]
fn a_label_counts_if_it_is_one() {
    assert_eq!(readable(b"Zo\xe9.png", None), "Zoé.png");
    assert_eq!(readable("ゾラ.png".as_bytes(), None), "ゾラ.png");
    assert_eq!(readable(b"Zo\xe8.png", Some("iso-8859-2")), "Zoč.png");
    assert_eq!(readable(b"Zo\xe9.png", Some("no-such")), "Zoé.png");
    assert_eq!(readable(b"Zo\xe9.png", Some("UTF-8")), "Zoé.png");
    let bytes: Vec<u8> = (0..=255).collect();
    for from in 0..256 {
        readable(&bytes[from..], None);
    }
}
