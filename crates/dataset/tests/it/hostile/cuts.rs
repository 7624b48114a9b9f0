//! Every format, cut off at each of its parts and in between.

use image::ImageFormat;

use super::{DAMAGED, Hostile, Refused, Taken, hostile};
use crate::good::{self, FORMATS};

pub(super) fn corpus() -> Vec<Hostile> {
    let mut corpus = Vec::new();
    for format in FORMATS {
        let file = good::file(format);
        let end = file.len() - 16; // behind this no format of these has pixels
        let cuts = (1..=20).map(|part| 32 + (end - 32) * part / 20);
        for cut in cuts.chain([17, 24]) {
            corpus.push(hostile(
                format!("{format:?} cut to {cut}"),
                file[..cut].to_vec(),
                DAMAGED,
            ));
        }
        // Cut within the bytes that a format is told by.
        corpus.push(hostile(
            format!("{format:?} cut to 1"),
            file[..1].to_vec(),
            Refused("is not a picture"),
        ));
    }
    for format in FORMATS.into_iter().filter(|format| *format != ImageFormat::Bmp) {
        let file = [
            good::file(format).as_slice(),
            b"PK\x03\x04 and what else a polyglot holds",
        ]
        .concat();
        corpus.push(hostile(format!("{format:?} with an archive behind"), file, Taken));
    }
    corpus.extend(at_markers());
    corpus
}

/// A JPEG, a PNG and a WebP file with metadata, cut behind each name and in the middle of each part.
fn at_markers() -> Vec<Hostile> {
    let jpeg = good::jpeg();
    let png = good::png_with(&[good::chunk("tEXt", b"a\0b"), good::chunk("gAMA", &[0, 0, 1, 0])]);
    let webp = good::webp(&[
        good::webp_canvas(0x20, 64, 64),
        ("ICCP", vec![1; 20]),
        ("VP8L", good::lossless()),
    ]);
    let mut corpus = Vec::new();
    let mut cut = |what: &str, file: &[u8], parts: Vec<usize>| {
        for at in parts {
            for cut in [at, at + 2, at + 5] {
                let name = format!("{what} with metadata cut to {cut}");
                corpus.push(hostile(name, file[..cut].to_vec(), DAMAGED));
            }
        }
    };
    let markers = jpeg
        .windows(2)
        .enumerate()
        .filter(|(at, pair)| *at > 2 && pair[0] == 0xff && pair[1] >= 0xc0 && pair[1] != 0xd9);
    let mut markers: Vec<usize> = markers.map(|(at, _)| at).collect();
    markers.dedup_by(|later, earlier| *later - *earlier < 6);
    cut("JPEG", &jpeg, markers);
    cut("PNG", &png, vec![8, 33, 48, 64]);
    cut("WebP", &webp, vec![12, 30, 58]);
    corpus
}
