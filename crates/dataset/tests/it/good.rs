//! Files as programs write them, to make hostile ones from.

use std::io::{Cursor, Write as _};

use flate2::{Compression, Crc, write::ZlibEncoder};
use image::{DynamicImage, ImageEncoder as _, ImageFormat, Rgb, RgbImage, codecs::jpeg::JpegEncoder};

pub(crate) const FORMATS: [ImageFormat; 6] = [
    ImageFormat::Png,
    ImageFormat::Jpeg,
    ImageFormat::WebP,
    ImageFormat::Gif,
    ImageFormat::Tiff,
    ImageFormat::Bmp,
];

/// A picture without a pattern, so that no part of a file is empty.
pub(crate) fn pixels(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        Rgb([(x * 7 + y * 13) as u8, (x * y) as u8, (x * 31) as u8])
    })
}

pub(crate) fn file(format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    DynamicImage::from(pixels(64, 64))
        .write_to(&mut bytes, format)
        .unwrap();
    bytes.into_inner()
}

pub(crate) fn jpeg() -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = JpegEncoder::new_with_quality(&mut bytes, 80);
    encoder.set_icc_profile(vec![7; 400]).unwrap();
    encoder
        .set_exif_metadata(b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0".to_vec())
        .unwrap();
    let pixels = pixels(64, 64);
    encoder
        .write_image(pixels.as_raw(), 64, 64, image::ExtendedColorType::Rgb8)
        .unwrap();
    bytes
}

/// A chunk of a PNG file.
pub(crate) fn chunk(name: &str, data: &[u8]) -> Vec<u8> {
    let mut checksum = Crc::new();
    checksum.update(name.as_bytes());
    checksum.update(data);
    [
        &(data.len() as u32).to_be_bytes()[..],
        name.as_bytes(),
        data,
        &checksum.sum().to_be_bytes(),
    ]
    .concat()
}

/// A PNG header: bits of a channel, and 0 for gray, 2 for RGB, 3 for a palette, 6 for RGB with alpha.
pub(crate) fn png_header(width: u32, height: u32, bits: u8, color: u8) -> Vec<u8> {
    let fields = [
        &width.to_be_bytes()[..],
        &height.to_be_bytes(),
        &[bits, color, 0, 0, 0],
    ]
    .concat();
    chunk("IHDR", &fields)
}

/// A PNG file of these chunks.
pub(crate) fn png(chunks: &[Vec<u8>]) -> Vec<u8> {
    [b"\x89PNG\r\n\x1a\n".as_slice(), &chunks.concat()].concat()
}

/// So many zeros, packed.
pub(crate) fn zeros(n_bytes: usize) -> Vec<u8> {
    let mut packer = ZlibEncoder::new(Vec::new(), Compression::fast());
    let block = vec![0; 1 << 20];
    let mut left = n_bytes;
    while left > 0 {
        let n = left.min(block.len());
        packer.write_all(&block[..n]).unwrap();
        left -= n;
    }
    packer.finish().unwrap()
}

/// The pixels of a black picture, which has rows of so many bytes.
pub(crate) fn black(row_bytes: usize, height: usize) -> Vec<u8> {
    chunk("IDAT", &zeros((row_bytes + 1) * height))
}

/// A black picture of 64 × 64 with these chunks in front of its pixels.
pub(crate) fn png_with(chunks: &[Vec<u8>]) -> Vec<u8> {
    let mut all = vec![png_header(64, 64, 8, 2)];
    all.extend_from_slice(chunks);
    all.extend([black(64 * 3, 64), chunk("IEND", b"")]);
    png(&all)
}

/// A GIF canvas without a table of colors.
pub(crate) fn gif_canvas(width: u16, height: u16) -> Vec<u8> {
    [
        b"GIF89a".as_slice(),
        &width.to_le_bytes()[..],
        &height.to_le_bytes(),
        &[0, 0, 0],
    ]
    .concat()
}

/// A GIF frame with two colors and this packed content.
pub(crate) fn gif_frame(place: [u16; 4], content: &[u8]) -> Vec<u8> {
    let place: Vec<u8> = place.iter().flat_map(|number| number.to_le_bytes()).collect();
    let blocks: Vec<u8> = content
        .chunks(255)
        .flat_map(|block| [&[block.len() as u8][..], block].concat())
        .collect();
    [&[0x2c][..], &place, &[0x80, 0, 0, 0, 9, 9, 9, 2], &blocks, &[0]].concat()
}

/// A WebP file of these chunks.
pub(crate) fn webp(chunks: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut body = b"WEBP".to_vec();
    for (name, data) in chunks {
        body.extend_from_slice(name.as_bytes());
        body.extend_from_slice(&(data.len() as u32).to_le_bytes());
        body.extend_from_slice(data);
        body.resize(body.len().next_multiple_of(2), 0);
    }
    [b"RIFF".as_slice(), &(body.len() as u32).to_le_bytes(), &body].concat()
}

/// The content of the only chunk of a lossless WebP file.
pub(crate) fn lossless() -> Vec<u8> {
    let file = file(ImageFormat::WebP);
    assert_eq!(&file[12..16], b"VP8L");
    let n_bytes = u32::from_le_bytes(file[16..20].try_into().unwrap()) as usize;
    file[20..20 + n_bytes].to_vec()
}

/// The extended header of a WebP file.
pub(crate) fn webp_canvas(flags: u8, width: u32, height: u32) -> (&'static str, Vec<u8>) {
    let u24 = |number: u32| number.to_le_bytes()[..3].to_vec();
    (
        "VP8X",
        [vec![flags, 0, 0, 0], u24(width - 1), u24(height - 1)].concat(),
    )
}

/// An entry of a TIFF directory: tag, kind (3: two bytes, 4: four), count, value or where it is.
pub(crate) type Entry = (u16, u16, u32, u32);

/// A TIFF file with one directory, and this behind it.
pub(crate) fn tiff(entries: &[Entry], next: u32, behind: &[u8]) -> Vec<u8> {
    let mut bytes = b"II*\0\x08\0\0\0".to_vec();
    bytes.extend_from_slice(&(entries.len() as u16).to_le_bytes());
    for (tag, kind, count, value) in entries {
        bytes.extend_from_slice(&tag.to_le_bytes());
        bytes.extend_from_slice(&kind.to_le_bytes());
        bytes.extend_from_slice(&count.to_le_bytes());
        bytes.extend_from_slice(&value.to_le_bytes());
    }
    bytes.extend_from_slice(&next.to_le_bytes());
    bytes.extend_from_slice(behind);
    bytes
}

/// The directory of a gray picture in one strip behind it.
pub(crate) fn gray_entries(width: u32, height: u32) -> Vec<Entry> {
    let mut entries = vec![
        (256, 4, 1, width),
        (257, 4, 1, height),
        (258, 3, 1, 8),
        (259, 3, 1, 1),
        (262, 3, 1, 1),
        (273, 4, 1, 0),
        (277, 3, 1, 1),
        (278, 4, 1, height),
        (279, 4, 1, width.wrapping_mul(height)),
    ];
    entries[5].3 = behind(&entries);
    entries
}

/// Where in the file it goes on behind a directory.
pub(crate) fn behind(entries: &[Entry]) -> u32 {
    8 + 2 + 12 * entries.len() as u32 + 4
}
