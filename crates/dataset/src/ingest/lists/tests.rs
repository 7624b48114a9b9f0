use std::io::{self, Cursor};

use image::{Rgb, RgbImage};

use super::*;
use crate::{ingest::tests::refused, picture};

fn png(seed: u8) -> Vec<u8> {
    picture::encode_png(&RgbImage::from_fn(64, 64, |x, y| Rgb([x as u8, y as u8, seed])))
}

/// The captions of `a.png` and `sub/b.png` beside files with these names.
fn captions(files: &[(&str, &str)]) -> [String; 2] {
    let mut batch = Batch::default();
    let store = |_: &picture::NormalizedPicture| Ok::<(), io::Error>(());
    for (name, text) in files {
        batch.add(name, Cursor::new(text.as_bytes()), store).unwrap();
    }
    batch.add("a.png", Cursor::new(png(1)), store).unwrap();
    batch.add("sub/b.png", Cursor::new(png(2)), store).unwrap();
    let report = batch.finish();
    refused(&report, &[]);
    [0, 1].map(|index| report.items[index].caption.clone())
}

#[test]
fn every_usual_list_is_read() {
    for (name, text) in [
        (
            "metadata.jsonl",
            "{\"file_name\": \"a.png\", \"text\": \"one\"}\n\n{\"file_name\": \"sub/b.png\", \"text\": \"two\"}\n",
        ),
        (
            "Metadata.CSV",
            "\u{feff}file_name,text\r\na.png,one\r\n\"sub/b.png\",\"two\"\r\n",
        ),
        (
            "meta_cap.json",
            r#"{"a": {"caption": "one"}, "sub\\b.png": {"caption": "two"}}"#,
        ),
        (
            "captions.json",
            r#"[{"image": "./a.png", "caption": "one"}, {"image": "sub/b.png", "tags": ["two"]}]"#,
        ),
        ("captions.json", r#"{"a.png": "one", "sub/b.png": "two"}"#),
    ] {
        assert_eq!(captions(&[(name, text)]), ["one", "two"], "{name}");
    }
    assert_eq!(
        captions(&[
            (
                "a.json",
                r#"{"caption": "one.", "tags": "hat, cape", "width": 3}"#
            ),
            ("sub/b.png.json", r#"{"tags": ["two", "hat"]}"#),
        ]),
        ["one, hat, cape", "two, hat"]
    );
    assert_eq!(
        captions(&[(
            "meta_cap.json",
            r#"{"C:\\set\\a": {"caption": "one"}, "sub/b": {"tags": "two"}}"#
        )]),
        ["one", "two"]
    );
}

#[test]
fn a_file_of_its_own_counts_before_a_list() {
    let list = (
        "metadata.csv",
        "file_name,text\na.png,listed\nsub/b.png,\"a \"\"b\"\", c\"\n",
    );
    assert_eq!(captions(&[list, ("a.txt", "own")]), ["own", "a \"b\", c"]);
    assert_eq!(captions(&[("a.txt", "own"), list]), ["own", "a \"b\", c"]);
}

#[test]
fn lists_without_captions_or_pictures_are_named() {
    let mut batch = Batch::default();
    let store = |_: &picture::NormalizedPicture| Ok::<(), io::Error>(());
    for (name, text) in [
        ("settings.json", r#"{"rank": 4}"#),
        ("broken.jsonl", "{\"file_name\": \"a.png\"\n"),
        ("metadata.csv", "file_name,text\nx.png,one\ny.png,two\n"),
    ] {
        batch.add(name, Cursor::new(text.as_bytes()), store).unwrap();
    }
    let report = batch.finish();
    refused(
        &report,
        &[
            ("settings.json", "has no captions that can be read"),
            ("broken.jsonl", "is not JSON in line 1"),
            (
                "metadata.csv",
                "has captions for 2 pictures that were not accepted: `x`, `y`",
            ),
        ],
    );
}
