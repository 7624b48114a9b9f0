//! Small files that promise or unpack to much.

use super::{COSTLY, DAMAGED, Hostile, Refused, TOO_LARGE, Taken, hostile};
use crate::good::{self, chunk, gif_canvas, gif_frame, png, png_header, png_with, webp, webp_canvas, zeros};

pub(super) fn corpus() -> Vec<Hostile> {
    [in_png(), in_gif(), in_webp(), in_jpeg(), in_tiff(), in_bmp()]
        .into_iter()
        .flatten()
        .collect()
}

fn in_png() -> Vec<Hostile> {
    const HUGE: usize = 700 << 20;
    let bomb = zeros(HUGE);
    let named = |front: &[u8]| [front, &bomb].concat();
    // Refused by what it says; its pixels are never looked at.
    let saying =
        |width, height, bits, color| png(&[png_header(width, height, bits, color), good::black(3, 1), end()]);
    let black = |width: u32, height: u32| {
        let pixels = good::black(width as usize * 3, height as usize);
        png(&[png_header(width, height, 8, 2), pixels, end()])
    };
    vec![
        hostile(
            "PNG: a profile that unpacks to 700 MiB",
            png_with(&[chunk("iCCP", &named(b"p\0\0"))]),
            Taken,
        ),
        hostile(
            "PNG: a profile behind the pixels",
            {
                let profile = chunk("iCCP", &named(b"p\0\0"));
                png(&[png_header(64, 64, 8, 2), good::black(192, 64), profile, end()])
            },
            Taken,
        ),
        hostile(
            "PNG: two profiles",
            png_with(&[chunk("iCCP", &named(b"p\0\0")), chunk("iCCP", &named(b"q\0\0"))]),
            Taken,
        ),
        hostile(
            "PNG: a profile without a name",
            png_with(&[chunk("iCCP", &bomb)]),
            Taken,
        ),
        hostile(
            "PNG: a packed text of 700 MiB",
            png_with(&[chunk("zTXt", &named(b"a\0\0"))]),
            Taken,
        ),
        hostile(
            "PNG: a packed international text of 700 MiB",
            png_with(&[chunk("iTXt", &named(b"XML:com.adobe.xmp\0\x01\0\0\0"))]),
            Taken,
        ),
        hostile(
            "PNG: IPTC data of 700 MiB",
            png_with(&[chunk("zTXt", &named(b"Raw profile type iptc\0\0"))]),
            Taken,
        ),
        hostile(
            "PNG: a text of 40 MB",
            png_with(&[chunk("tEXt", &[b"a\0".as_slice(), &[b'x'; 40_000_000]].concat())]),
            Taken,
        ),
        hostile(
            "PNG: EXIF data of 40 MB",
            png_with(&[chunk("eXIf", &vec![0x4d; 40_000_000])]),
            Taken,
        ),
        hostile(
            "PNG: 100,000 texts",
            png_with(&[chunk("tEXt", b"a\0b").repeat(100_000)]),
            Taken,
        ),
        hostile(
            "PNG: 100,000 empty parts of its pixels",
            png_with(&[chunk("IDAT", b"").repeat(100_000)]),
            Taken,
        ),
        hostile(
            "PNG: pixels that unpack to 700 MiB",
            png(&[png_header(64, 64, 8, 2), chunk("IDAT", &bomb), end()]),
            Taken,
        ),
        hostile("PNG: 100 MP of 16 bits", saying(10_000, 10_000, 16, 2), COSTLY),
        hostile(
            "PNG: 60 MP of 16 bits with alpha",
            saying(10_000, 6000, 16, 6),
            COSTLY,
        ),
        hostile("PNG: 16384 × 6000 of RGB", black(16_384, 6000), Taken),
        hostile("PNG: 16384 × 16384", saying(16_384, 16_384, 8, 2), TOO_LARGE),
        hostile("PNG: 2³¹ × 2³¹", saying(1 << 31, 1 << 31, 8, 2), TOO_LARGE),
        hostile("PNG: 2³²-1 × 1", saying(u32::MAX, 1, 8, 2), TOO_LARGE),
        hostile("PNG: one row of 16384", black(16_384, 1), Refused("is too small")),
    ]
}

fn end() -> Vec<u8> {
    chunk("IEND", b"")
}

fn in_gif() -> Vec<Hostile> {
    let gif = |parts: &[Vec<u8>]| [parts.concat(), vec![0x3b]].concat();
    let small = [0x44, 0x01];
    let comment = [&[255][..], &[b'c'; 255]].concat();
    let comments = [&[0x21, 0xfe][..], &comment.repeat(120_000), &[0]].concat();
    let sized = |width, height| gif(&[gif_canvas(72, 66), gif_frame([0, 0, width, height], &small)]);
    vec![
        hostile(
            "GIF: a frame of 65352 × 65535 on a small canvas",
            sized(65_352, 65_535),
            TOO_LARGE,
        ),
        hostile("GIF: a frame of 65535 × 65535", sized(65_535, 65_535), TOO_LARGE),
        hostile("GIF: a frame of 1 × 65535", sized(1, 65_535), TOO_LARGE),
        hostile(
            "GIF: a frame of 16000 × 6200 on a small canvas",
            sized(16_000, 6200),
            DAMAGED,
        ),
        hostile("GIF: a frame without pixels", sized(0, 66), DAMAGED),
        hostile(
            "GIF: a canvas of 65535 × 65535",
            gif(&[gif_canvas(65_535, 65_535), gif_frame([0; 4], &small)]),
            TOO_LARGE,
        ),
        hostile(
            "GIF: a canvas without pixels",
            gif(&[gif_canvas(0, 0), gif_frame([0, 0, 9, 9], &small)]),
            DAMAGED,
        ),
        hostile(
            "GIF: a second frame of 65535 × 65535",
            gif(&[
                gif_canvas(72, 66),
                gif_frame([0, 0, 72, 66], &small),
                gif_frame([0, 0, 65_535, 65_535], &small),
            ]),
            Refused("is an animated GIF"),
        ),
        hostile(
            "GIF: 100,000 frames",
            gif(&[
                gif_canvas(72, 66),
                gif_frame([0, 0, 72, 66], &small).repeat(100_000),
            ]),
            Refused("is an animated GIF"),
        ),
        hostile(
            "GIF: 30 MB of comments and no frame",
            gif(&[gif_canvas(72, 66), comments]),
            DAMAGED,
        ),
    ]
}

fn in_webp() -> Vec<Hostile> {
    let lossless = |width: u32, height: u32| {
        let sizes = (width - 1) | (height - 1) << 14;
        let mut content = good::lossless();
        content[1..5].copy_from_slice(&sizes.to_le_bytes());
        ("VP8L", content)
    };
    let lossy = |width: u16, height: u16| {
        let content = [
            &[0x10, 0, 0, 0x9d, 0x01, 0x2a][..],
            &width.to_le_bytes(),
            &height.to_le_bytes(),
            &[0; 32],
        ]
        .concat();
        ("VP8 ", content)
    };
    let metadata = |name, flag| {
        webp(&[
            webp_canvas(flag, 64, 64),
            ("VP8L", good::lossless()),
            (name, vec![0x4d; 40_000_000]),
        ])
    };
    vec![
        hostile(
            "WebP: a canvas of 2²⁴ × 2²⁴",
            webp(&[webp_canvas(0, 1 << 24, 1 << 24), lossless(64, 64)]),
            TOO_LARGE,
        ),
        hostile(
            "WebP: a lossless picture of 16384 × 16384",
            webp(&[lossless(16_384, 16_384)]),
            TOO_LARGE,
        ),
        hostile(
            "WebP: a lossless picture of 16384 × 6000",
            webp(&[lossless(16_384, 6000)]),
            COSTLY,
        ),
        hostile(
            "WebP: a large picture on a small canvas",
            webp(&[webp_canvas(0, 64, 64), lossy(16_000, 6000)]),
            DAMAGED,
        ),
        hostile(
            "WebP: a picture of 16383 × 16383 on a small canvas",
            webp(&[webp_canvas(0, 64, 64), lossy(16_383, 16_383)]),
            TOO_LARGE,
        ),
        hostile(
            "WebP: a lossy picture of 16000 × 6200",
            webp(&[lossy(16_000, 6200)]),
            COSTLY,
        ),
        hostile("WebP: a picture without pixels", webp(&[lossy(0, 0)]), DAMAGED),
        hostile(
            "WebP: two pictures",
            webp(&[webp_canvas(0, 64, 64), lossless(64, 64), lossless(64, 64)]),
            DAMAGED,
        ),
        hostile("WebP: a profile of 40 MB", metadata("ICCP", 0x20), Taken),
        hostile("WebP: EXIF data of 40 MB", metadata("EXIF", 0x08), Taken),
        hostile("WebP: XMP data of 40 MB", metadata("XMP ", 0x04), Taken),
        hostile(
            "WebP: an animation",
            webp(&[webp_canvas(2, 64, 64), ("ANIM", vec![0; 6])]),
            Refused("is an animated WebP"),
        ),
        hostile(
            "WebP: a frame of an animation without its flag",
            webp(&[webp_canvas(0, 64, 64), ("ANMF", vec![0; 24])]),
            Refused("is an animated WebP"),
        ),
    ]
}

fn in_jpeg() -> Vec<Hostile> {
    let file = good::jpeg();
    let frame = file.windows(2).position(|pair| pair == [0xff, 0xc0]).unwrap();
    let sized = |height: u16, width: u16, marker: u8| {
        let mut file = file.clone();
        file[frame + 1] = marker;
        file[frame + 5..frame + 7].copy_from_slice(&height.to_be_bytes());
        file[frame + 7..frame + 9].copy_from_slice(&width.to_be_bytes());
        file
    };
    let scan = file.windows(2).position(|pair| pair == [0xff, 0xda]).unwrap();
    let with = |at: usize, part: &[u8]| [&file[..at], part, &file[at..]].concat();
    let one_scan = &file[scan..file.len() - 2];
    let segment = |marker: u8, data: &[u8]| {
        [&[0xff, marker][..], &(data.len() as u16 + 2).to_be_bytes(), data].concat()
    };
    let profile = |number: u8| {
        segment(
            0xe2,
            &[b"ICC_PROFILE\0".as_slice(), &[number, 255], &[1; 65_000]].concat(),
        )
    };
    vec![
        hostile("JPEG: 65535 × 65535", sized(65_535, 65_535, 0xc0), TOO_LARGE),
        hostile(
            "JPEG: progressive 10000 × 10000",
            sized(10_000, 10_000, 0xc2),
            COSTLY,
        ),
        hostile("JPEG: without pixels", sized(0, 64, 0xc0), DAMAGED),
        hostile("JPEG: 300 scans", with(scan, &one_scan.repeat(300)), DAMAGED),
        hostile("JPEG: two headers", with(frame, &file[frame..scan]), DAMAGED),
        hostile(
            "JPEG: a profile of 16 MB",
            with(2, &(0..255).flat_map(profile).collect::<Vec<_>>()),
            Taken,
        ),
        hostile(
            "JPEG: 10,000 parts of a profile",
            with(2, &segment(0xe2, b"ICC_PROFILE\0\x01\x01x").repeat(10_000)),
            Taken,
        ),
        hostile(
            "JPEG: an extended XMP that says it has 4 GB",
            with(
                2,
                &segment(
                    0xe1,
                    &[
                        b"http://ns.adobe.com/xmp/extension/\0".as_slice(),
                        &[b'0'; 32],
                        &[0xff; 4],
                        &[0; 4],
                        b"x",
                    ]
                    .concat(),
                ),
            ),
            Taken,
        ),
        hostile(
            "JPEG: 100,000 comments",
            with(2, &segment(0xfe, b"c").repeat(100_000)),
            Taken,
        ),
        hostile(
            "JPEG: comments between 20,000 tables",
            with(
                2,
                &[segment(0xfe, b"c"), segment(0xdd, &[0, 0])]
                    .concat()
                    .repeat(20_000),
            ),
            DAMAGED,
        ),
    ]
}

fn in_tiff() -> Vec<Hostile> {
    let good = good::gray_entries(64, 64);
    let pixels = [9; 64 * 64];
    let with = |changed: &[good::Entry]| {
        let mut entries = good.clone();
        for change in changed {
            match entries.iter_mut().find(|entry| entry.0 == change.0) {
                Some(entry) => *entry = *change,
                None => entries.push(*change),
            }
        }
        entries.sort();
        let shift = good::behind(&entries);
        for entry in &mut entries {
            if entry.0 == 273 && entry.3 == good::behind(&good) {
                entry.3 = shift;
            }
        }
        entries
    };
    let file = |changed: &[good::Entry]| good::tiff(&with(changed), 0, &pixels);
    let jpeg_in = {
        let mut jpeg = good::jpeg();
        let frame = jpeg.windows(2).position(|pair| pair == [0xff, 0xc0]).unwrap();
        jpeg[frame + 5..frame + 9].copy_from_slice(&[0xff; 4]);
        let entries = with(&[(259, 3, 1, 7), (279, 4, 1, jpeg.len() as u32)]);
        good::tiff(&entries, 0, &jpeg)
    };
    vec![
        hostile(
            "TIFF: 2³²-1 × 2³²-1",
            file(&[(256, 4, 1, u32::MAX), (257, 4, 1, u32::MAX)]),
            TOO_LARGE,
        ),
        hostile("TIFF: 0 × 0", file(&[(256, 4, 1, 0), (257, 4, 1, 0)]), DAMAGED),
        hostile("TIFF: a profile of 4 GB", file(&[(34675, 7, u32::MAX, 8)]), Taken),
        hostile(
            "TIFF: 2³² strips",
            file(&[(273, 4, u32::MAX, 8), (279, 4, u32::MAX, 8)]),
            COSTLY,
        ),
        hostile("TIFF: a strip of 4 GB", file(&[(279, 4, 1, u32::MAX)]), COSTLY),
        hostile(
            "TIFF: 65535 samples",
            file(&[(277, 3, 1, 65_535), (258, 3, 1, 64)]),
            Refused("is a kind of TIFF file that is not read"),
        ),
        hostile(
            "TIFF: 16384 × 6000 of 16 bits and three colors",
            file(&[
                (256, 4, 1, 16_384),
                (257, 4, 1, 6000),
                (258, 3, 1, 16),
                (277, 3, 1, 3),
                (262, 3, 1, 2),
                (278, 4, 1, 6000),
            ]),
            COSTLY,
        ),
        hostile(
            "TIFF: tiles of 2³¹",
            file(&[(322, 4, 1, 1 << 31), (323, 4, 1, 1 << 31)]),
            TOO_LARGE,
        ),
        hostile("TIFF: a JPEG stream of 65535 × 65535 within", jpeg_in, TOO_LARGE),
        hostile(
            "TIFF: a directory that follows itself",
            good::tiff(&good, 8, &pixels),
            Refused("several pages"),
        ),
        hostile(
            "TIFF: a directory of 65535 entries",
            {
                let mut file = good::tiff(&good, 0, &pixels);
                file[8..10].copy_from_slice(&[0xff; 2]);
                file
            },
            DAMAGED,
        ),
        hostile(
            "TIFF: a thousand copies of one page",
            {
                // Each directory says that it is a smaller copy, and where the next one is.
                let n_bytes = 2 + 12 + 4;
                let mut file = b"II*\0\x08\0\0\0".to_vec();
                for index in 1..=1000_u32 {
                    file.extend_from_slice(&[1, 0, 254, 0, 4, 0, 1, 0, 0, 0, 1, 0, 0, 0]);
                    file.extend_from_slice(&(8 + index * n_bytes).to_le_bytes());
                }
                file.extend_from_slice(&[0; 18]);
                file
            },
            Refused("several pages"),
        ),
    ]
}

fn in_bmp() -> Vec<Hostile> {
    let sized = |width: i32, height: i32| {
        let mut file = good::file(image::ImageFormat::Bmp);
        file[18..22].copy_from_slice(&width.to_le_bytes());
        file[22..26].copy_from_slice(&height.to_le_bytes());
        file
    };
    let with = |at: usize, bytes: &[u8]| {
        let mut file = good::file(image::ImageFormat::Bmp);
        file[at..at + bytes.len()].copy_from_slice(bytes);
        file
    };
    vec![
        hostile("BMP: 16000 × 16000", sized(16_000, 16_000), TOO_LARGE),
        hostile(
            "BMP: 2³¹-1 × 2³¹-1",
            sized(i32::MAX, i32::MAX),
            Refused("Image too large"),
        ),
        hostile(
            "BMP: a height of -2³¹",
            sized(64, i32::MIN),
            Refused("Invalid height"),
        ),
        hostile(
            "BMP: 10000 × 10000 without pixels",
            sized(10_000, 10_000),
            DAMAGED,
        ),
        hostile("BMP: no width", sized(0, 64), Refused("Image dimensions (0x64")),
        hostile("BMP: a header of 4 GB", with(14, &[0xff; 4]), DAMAGED),
        hostile("BMP: 65535 bits for each pixel", with(28, &[0xff; 2]), DAMAGED),
        hostile("BMP: pixels behind the end", with(10, &[0xff; 4]), DAMAGED),
        hostile("BMP: an unknown compression", with(30, &[99, 0, 0, 0]), DAMAGED),
    ]
}
