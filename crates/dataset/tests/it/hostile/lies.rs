//! Files whose parts contradict each other.

use super::{DAMAGED, Hostile, Refused, Taken, hostile};
use crate::good::{self, FORMATS, chunk, png, png_header, png_with};

pub(super) fn corpus() -> Vec<Hostile> {
    let mut corpus = in_png();
    corpus.extend(not_pictures());
    // A file of one format that begins like another.
    for (format, other) in FORMATS.into_iter().zip(FORMATS.into_iter().cycle().skip(1)) {
        let (mut file, other) = (good::file(format), good::file(other));
        file.truncate(12);
        file.extend_from_slice(&other[12..]);
        corpus.push(hostile(
            format!("{format:?} that goes on as another"),
            file,
            DAMAGED,
        ));
    }
    corpus
}

fn in_png() -> Vec<Hostile> {
    let header = |bits, color| {
        png(&[
            png_header(64, 64, bits, color),
            good::black(64 * 3, 64),
            chunk("IEND", b""),
        ])
    };
    let end = || chunk("IEND", b"");
    let pixels = || good::black(64 * 3, 64);
    let wrong_checksum = {
        let mut file = png_with(&[]);
        file[29] ^= 1;
        file
    };
    vec![
        hostile("PNG: a wrong checksum", wrong_checksum, DAMAGED),
        hostile("PNG: 3 bits", header(3, 2), DAMAGED),
        hostile("PNG: color type 5", header(8, 5), DAMAGED),
        hostile("PNG: a palette that is missing", header(8, 3), DAMAGED),
        hostile("PNG: two headers", png_with(&[png_header(64, 64, 8, 2)]), DAMAGED),
        hostile("PNG: no header", png(&[pixels(), end()]), DAMAGED),
        hostile(
            "PNG: a header of 12 bytes",
            png(&[chunk("IHDR", &[0; 12]), pixels(), end()]),
            DAMAGED,
        ),
        hostile("PNG: no pixels", png(&[png_header(64, 64, 8, 2), end()]), DAMAGED),
        hostile(
            "PNG: no size",
            png(&[png_header(0, 0, 8, 2), pixels(), end()]),
            DAMAGED,
        ),
        hostile(
            "PNG: pixels in two places",
            png(&[
                png_header(64, 64, 8, 2),
                pixels(),
                chunk("tEXt", b"a\0b"),
                pixels(),
                end(),
            ]),
            DAMAGED,
        ),
        hostile(
            "PNG: too few pixels",
            png(&[png_header(64, 64, 8, 2), good::black(64 * 3, 10), end()]),
            DAMAGED,
        ),
        hostile(
            "PNG: pixels that are not packed",
            png(&[png_header(64, 64, 8, 2), chunk("IDAT", &[7; 900]), end()]),
            DAMAGED,
        ),
        hostile(
            "PNG: a part that is needed and unknown",
            png_with(&[chunk("CgBI", &[0; 4])]),
            DAMAGED,
        ),
        hostile(
            "PNG: a part that is longer than the file",
            {
                let mut file = png_with(&[chunk("tEXt", b"a\0b")]);
                file[33..37].copy_from_slice(&[0x7f, 0xff, 0xff, 0xff]);
                file
            },
            DAMAGED,
        ),
        hostile(
            "PNG: an animation",
            png_with(&[chunk("acTL", &[0, 0, 0, 2, 0, 0, 0, 0])]),
            Refused("is an animated PNG"),
        ),
        hostile(
            "PNG: an animation's frame",
            png_with(&[chunk("fcTL", &[0; 26])]),
            Refused("is an animated PNG"),
        ),
        hostile(
            "PNG: transparency of the wrong kind",
            png_with(&[chunk("tRNS", &[0; 300])]),
            Taken,
        ),
        hostile(
            "PNG: EXIF data that points behind its end",
            png_with(&[chunk("eXIf", b"II*\0\xff\xff\xff\xff")]),
            Taken,
        ),
        hostile(
            "PNG: a profile that is not one",
            png_with(&[chunk("iCCP", &[b"p\0\0".as_slice(), &good::zeros(4000)].concat())]),
            Taken,
        ),
        hostile(
            "PNG: a profile packed by another method",
            png_with(&[chunk("iCCP", b"p\0\x09abc")]),
            Taken,
        ),
    ]
}

fn not_pictures() -> Vec<Hostile> {
    vec![
        hostile("nothing", Vec::new(), Refused("is empty")),
        hostile(
            "text",
            b"zora, smiling".to_vec(),
            Refused("is not a picture but text"),
        ),
        hostile(
            "noise",
            vec![0xfe; 4000],
            Refused("is not a picture but data of an unknown type"),
        ),
        hostile(
            "an archive",
            b"PK\x03\x04".to_vec(),
            Refused("is not a picture but a zip archive"),
        ),
        hostile(
            "a program",
            b"\x7fELF\x02\x01\x01\0".to_vec(),
            Refused("is not a picture"),
        ),
        hostile(
            "an SVG drawing",
            b"<svg onload='x'/>".to_vec(),
            Refused("is an SVG drawing"),
        ),
        hostile(
            "a PDF document",
            b"%PDF-1.7".to_vec(),
            Refused("is a PDF document"),
        ),
        hostile(
            "a HEIC picture",
            b"\0\0\0\x18ftypheic\0\0".to_vec(),
            Refused("is a HEIC picture"),
        ),
        hostile(
            "an AVIF picture",
            b"\0\0\0\x18ftypavif\0\0".to_vec(),
            Refused("is an AVIF picture"),
        ),
        hostile(
            "a Photoshop document",
            b"8BPS\0\x01".to_vec(),
            Refused("is a Photoshop document"),
        ),
    ]
}
