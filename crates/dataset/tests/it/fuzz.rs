//! Damaged files through the public functions.

use std::{convert::Infallible, io::Cursor};

use dataset::{ingest::Batch, picture};
use image::ImageFormat;
use protocol::{
    limits,
    made::{self, Made, a1111, comfyui},
};

use crate::{
    good::{self, FORMATS},
    hostile::archives::{self, zip},
};

#[test]
fn fuzz_pictures() {
    let mut files: Vec<_> = FORMATS.map(good::file).into();
    files.push(good::jpeg());
    files.push(good::png_with(&[
        good::chunk("iCCP", &[b"p\0\0".as_slice(), &good::zeros(300)].concat()),
        good::chunk("eXIf", b"II*\0\x08\0\0\0\0\0\0\0\0\0"),
    ]));
    files.push(good::webp(&[
        good::webp_canvas(0x28, 64, 64),
        ("ICCP", vec![1; 200]),
        ("VP8L", good::lossless()),
        ("EXIF", b"MM\0*\0\0\0\x08\0\0".to_vec()),
    ]));
    sim::fuzz::run("pictures", &files, |input| {
        for file in [input.to_vec(), with_right_checksums(input)] {
            let declared = picture::declared_pixels(&file);
            if let Ok(taken) = picture::normalize(&file) {
                let n_pixels = u64::from(taken.width) * u64::from(taken.height);
                assert_eq!(n_pixels, declared, "pixels are counted before they are decoded");
                let again = picture::normalize(&taken.png).expect("our own files can be read");
                // What is transparent stays so, and is filled again.
                let is_filled = |note: &&String| note.starts_with("transparent areas");
                let n_filled = taken.notes.iter().filter(is_filled).count();
                assert_eq!((again.sha256, again.notes.len()), (taken.sha256, n_filled));
            }
        }
    });
}

/// A damaged PNG file ends at its first checksum, unless they are made to fit.
fn with_right_checksums(input: &[u8]) -> Vec<u8> {
    let mut bytes = input.to_vec();
    let mut at = 8;
    while bytes.starts_with(b"\x89PNG") && at + 12 <= bytes.len() {
        let n_bytes = u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
        let Some(end) = at.checked_add(12 + n_bytes).filter(|end| *end <= bytes.len()) else {
            break;
        };
        let mut checksum = flate2::Crc::new();
        checksum.update(&bytes[at + 4..end - 4]);
        bytes[end - 4..end].copy_from_slice(&checksum.sum().to_be_bytes());
        at = end;
    }
    bytes
}

#[test]
fn fuzz_picture_texts() {
    let mut ours = good::file(ImageFormat::Png);
    let record = format!(
        r#"{{"version":1,"program":"Morpheus 0.1.0","base":{{"name":"tiny-xl","fingerprint":"{}"}},"prompt":"zora",{}}}"#,
        "0".repeat(64),
        r#""loras":[{"name":"zora","weight":0.8}],"seed":"18446744073709551615","n_steps":4,"guidance":5.0,"width":128,
        "height":128,"sampler":"euler_a""#,
    );
    Made::parse(&record).expect("a good record");
    let parameters = "zora, <lora:zora:0.8> ゾラ\nNegative prompt: blurry\nSteps: 4, Sampler: DPM++ 2M Karras, CFG scale: 5, \
                      Seed: 7, Size: 128x128, Model: \"a, b\", Lora hashes: \"zora: 0123456789ab\", Version: v1.10.1";
    let texts = [(made::KEYWORD, record), (a1111::KEYWORD, parameters.to_owned())];
    picture::add_texts(&mut ours, &texts);
    let packed = good::png_with(&[
        good::chunk(
            "zTXt",
            &[b"parameters\0\0".as_slice(), &good::zeros(300)].concat(),
        ),
        good::chunk(
            "iTXt",
            &[
                b"parameters\0\x01\0ja\0\xe8\xa9\xb1\0".as_slice(),
                &good::zeros(300),
            ]
            .concat(),
        ),
    ]);
    sim::fuzz::run("picture_texts", &[ours, packed], |input| {
        let Ok(texts) = picture::read_texts(input) else {
            return;
        };
        let n_bytes: usize = texts.iter().map(|text| text.text.len()).sum();
        assert!(n_bytes <= limits::MAX_PICTURE_TEXT_BYTES && texts.len() <= limits::MAX_PICTURE_TEXTS);
        for text in &texts {
            let settings = a1111::read(&text.text);
            assert!(settings.loras.len() <= limits::MAX_LORAS && settings.not_taken.len() <= 51);
            if let Ok(made) = Made::parse(&text.text) {
                let again = Made::parse(&made.to_json()).expect("what was read can be read again");
                assert_eq!(again, made);
                comfyui::workflow(&made);
                a1111::write(&made);
            }
        }
    });
}

#[test]
fn fuzz_archives() {
    let picture = good::file(ImageFormat::Png);
    let archives = [
        zip(&[("a.png", &picture), ("a.txt", b"zora"), ("folder/b.txt", b"more")]),
        zip(&[]),
        archives::zip64(&zip(&[("a.txt", b"zora")]), 1),
    ];
    sim::fuzz::run("archives", &archives, |input| {
        let mut batch = Batch::default();
        let mut n_stored = 0;
        let stored = batch.add("a.zip", Cursor::new(input), |_| {
            n_stored += 1;
            Ok::<_, Infallible>(())
        });
        stored.expect("an archive in memory can be read");
        let report = batch.finish();
        assert!(report.items.len() <= n_stored);
        for file in &report.refused {
            assert!(
                !file.reason.is_empty() && file.file_name.chars().count() <= 600,
                "{file:?}"
            );
        }
    });
}

#[test]
fn fuzz_captions() {
    let captions = [
        b"zora, smiling, (red hat:1.2)".to_vec(),
        b"\xef\xbb\xbfzora\r\nsecond line\t\0".to_vec(),
        b"\xff\xfez\0o\0r\0a\0".to_vec(),
        "naïve — 漫画, \u{202e}abc".as_bytes().to_vec(),
    ];
    sim::fuzz::run("captions", &captions, |input| {
        let Ok(caption) = dataset::caption::decode(input) else {
            return;
        };
        assert!(!caption.text.contains('\0'), "{:?}", caption.text);
        let again =
            dataset::caption::decode(caption.text.as_bytes()).expect("what was read can be read again");
        assert_eq!(again.text, caption.text);
    });
}
