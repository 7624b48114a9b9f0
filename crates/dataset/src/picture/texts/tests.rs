use std::io::Write as _;

use flate2::{Compression, write::ZlibEncoder};
use image::{Rgb, RgbImage};

use super::{MAX_PICTURE_TEXT_BYTES, PictureText, TextError, add_texts, chunk, read_texts};
use crate::picture::{encode_png, read_normalized};

fn picture() -> RgbImage {
    RgbImage::from_fn(64, 64, |x, y| Rgb([x as u8, y as u8, (x * y) as u8]))
}

/// A picture with these chunks behind its header.
fn with_chunks(chunks: &[Vec<u8>]) -> Vec<u8> {
    let mut png = encode_png(&picture());
    png.splice(super::HEAD_BYTES..super::HEAD_BYTES, chunks.concat());
    png
}

fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn text(keyword: &str, text: &str) -> PictureText {
    PictureText {
        keyword: keyword.into(),
        text: text.into(),
    }
}

#[test]
fn texts_are_read_as_they_were_written_and_pixels_stay() {
    let mut png = encode_png(&picture());
    let texts = [
        ("parameters", "zora, café\nSteps: 1".to_owned()),
        ("prompt", "{}".to_owned()),
        ("other", "ゾラ — 漫画 👩‍🎨".to_owned()),
    ];
    add_texts(&mut png, &texts);
    let expected: Vec<PictureText> = texts
        .iter()
        .map(|(keyword, words)| text(keyword, words))
        .collect();
    assert_eq!(read_texts(&png).unwrap(), expected);
    assert_eq!(read_normalized(&png).unwrap(), picture());
    let has = |bytes: &[u8]| png.windows(bytes.len()).any(|window| window == bytes);
    // Latin-1 where that has every character, as Pillow writes it; UTF-8 otherwise.
    assert!(has(b"tEXtparameters\0zora, caf\xe9\n"));
    assert!(has("iTXtother\0\0\0\0\0ゾラ".as_bytes()));
}

#[test]
fn every_kind_of_text_is_read() {
    let chunks = [
        chunk(*b"tEXt", b"a\0caf\xe9"),
        chunk(*b"zTXt", &[b"b\0\0".as_slice(), &packed(b"caf\xe9")].concat()),
        chunk(
            *b"iTXt",
            &[b"c\0\0\0ja\0\xe8\xa9\xb1\0".as_slice(), "漫画".as_bytes()].concat(),
        ),
        chunk(
            *b"iTXt",
            &[b"d\0\x01\0\0\0".as_slice(), &packed("漫画".as_bytes())].concat(),
        ),
    ];
    let expected = [
        text("a", "café"),
        text("b", "café"),
        text("c", "漫画"),
        text("d", "漫画"),
    ];
    assert_eq!(read_texts(&with_chunks(&chunks)).unwrap(), expected);
}

#[test]
fn damaged_and_excessive_texts_are_refused() {
    let damaged = |keyword: &str| {
        Err(TextError::Damaged {
            keyword: keyword.into(),
        })
    };
    for (data, expected) in [
        (chunk(*b"tEXt", b"no end"), damaged("")),
        (
            chunk(*b"tEXt", &[b"k".repeat(80), b"\0x".to_vec()].concat()),
            damaged(""),
        ),
        (chunk(*b"zTXt", b"a\0\x01x"), damaged("a")),
        (chunk(*b"zTXt", b"a\0\0not zlib"), damaged("a")),
        (chunk(*b"iTXt", b"a\0\0\0no end"), damaged("a")),
        (chunk(*b"iTXt", b"a\0\x02\0\0\0x"), damaged("a")),
        (chunk(*b"iTXt", b"a\0\0\0\0\0\xff"), damaged("a")),
        (
            chunk(
                *b"zTXt",
                &[
                    b"a\0\0".as_slice(),
                    &packed(&vec![b'x'; MAX_PICTURE_TEXT_BYTES + 1]),
                ]
                .concat(),
            ),
            Err(TextError::TooMuch),
        ),
        (chunk(*b"tEXt", b"a\0x").repeat(257), Err(TextError::TooMuch)),
    ] {
        assert_eq!(read_texts(&with_chunks(&[data])), expected);
    }
    let half = vec![b'x'; MAX_PICTURE_TEXT_BYTES / 2 + 1];
    let half = chunk(*b"tEXt", &[b"a\0".as_slice(), &half].concat());
    assert!(read_texts(&with_chunks(std::slice::from_ref(&half))).is_ok());
    assert_eq!(
        read_texts(&with_chunks(&[half.clone(), half])),
        Err(TextError::TooMuch)
    );
    assert_eq!(read_texts(b"GIF89a"), Err(TextError::NotPng));
    let whole = encode_png(&picture());
    assert_eq!(read_texts(&whole[..whole.len() - 20]), Err(TextError::Truncated));
}
