//! Files to upload, good and bad.

use std::io::{Cursor, Write as _};

use image::{ImageFormat, Rgb, RgbImage};
use zip::{ZipWriter, write::SimpleFileOptions};

fn picture(seed: u8, width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        Rgb([
            (x * 2) as u8 ^ seed,
            (y * 2) as u8,
            seed.wrapping_mul(37).wrapping_add((x + y) as u8),
        ])
    })
}

fn encode(picture: &RgbImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

/// A picture; another one for each seed.
pub(crate) fn png(seed: u8, width: u32, height: u32) -> Vec<u8> {
    encode(&picture(seed, width, height), ImageFormat::Png)
}

pub(crate) fn truncated_jpeg() -> Vec<u8> {
    let mut bytes = encode(&picture(9, 128, 128), ImageFormat::Jpeg);
    bytes.truncate(bytes.len() / 2);
    bytes
}

pub(crate) fn zip(entries: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in entries {
        archive.start_file(*name, SimpleFileOptions::default()).unwrap();
        archive.write_all(bytes).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

/// 64 MiB of zeros in some kilobytes.
pub(crate) fn bomb() -> Vec<u8> {
    zip(&[("bomb.png", vec![0; 64 << 20])])
}
