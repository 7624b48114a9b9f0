//! Walks the chunks of a WebP file (RFC 9649).

use super::{Cursor, Facts, Objection, Pieces, Profile, checked, orientation};

/// A flag of the extended header.
const ANIMATED: u8 = 0b10;

pub(super) fn read(bytes: &[u8]) -> Result<Facts<'_>, Objection> {
    let n_bytes = Cursor::new(bytes, 4).u32_le()? as usize;
    // What follows the container is not part of it.
    let container = &bytes[..bytes.len().min(8 + n_bytes)];
    let mut cursor = Cursor::new(container, 12); // behind `RIFF`, the size and `WEBP`
    let mut canvas = None;
    let mut frame = None;
    let mut facts = Facts::new((0, 0), Pieces::whole(bytes));
    let mut bytes_for_each_pixel = 0;
    while !cursor.is_at_end() {
        let name: [u8; 4] = cursor.array()?;
        let n_bytes = cursor.u32_le()?;
        let data = cursor.take(n_bytes as usize)?;
        if n_bytes % 2 == 1 && !cursor.is_at_end() {
            cursor.u8()?; // chunks begin at even places
        }
        match &name {
            b"VP8X" => {
                let mut fields = Cursor::new(data, 0);
                if fields.u8()? & ANIMATED != 0 {
                    return Err(Objection::Animated);
                }
                fields.take(3)?;
                canvas = Some(checked(u24(&mut fields)? + 1, u24(&mut fields)? + 1)?);
            }
            b"ANIM" | b"ANMF" => return Err(Objection::Animated),
            b"VP8 " => {
                only_one(&mut frame, lossy_size(data)?)?;
                bytes_for_each_pixel += 2; // one of lightness, a quarter each of two colors, borders
            }
            b"VP8L" => {
                only_one(&mut frame, lossless_size(data)?)?;
                bytes_for_each_pixel += 5; // decoded with an alpha channel, which is then left out
            }
            b"ALPH" => bytes_for_each_pixel += 6,
            b"ICCP" => facts.profile = Profile::plain(data),
            // Some programs put the marker of JPEG's segments in front.
            b"EXIF" => facts.orientation = orientation(data.strip_prefix(b"Exif\0\0").unwrap_or(data)),
            _ => {}
        }
    }
    let frame = frame.ok_or("it has no picture")?;
    if canvas.is_some_and(|canvas| canvas != frame) {
        return Err("the size of its picture differs from its header".into());
    }
    facts.size = Some(frame);
    facts.working_bytes = bytes_for_each_pixel * u64::from(frame.0) * u64::from(frame.1);
    Ok(facts)
}

/// The data of the first chunk of a name.
pub(in super::super) fn chunk<'a>(bytes: &'a [u8], wanted: &[u8; 4]) -> Option<&'a [u8]> {
    let mut cursor = Cursor::new(bytes, 12);
    loop {
        let name: [u8; 4] = cursor.array().ok()?;
        let n_bytes = cursor.u32_le().ok()? as usize;
        let data = cursor.take(n_bytes).ok()?;
        if name == *wanted {
            return Some(data);
        }
        cursor.take(n_bytes % 2).ok()?;
    }
}

fn only_one(frame: &mut Option<(u32, u32)>, size: (u32, u32)) -> Result<(), Objection> {
    match frame.replace(size) {
        None => Ok(()),
        Some(_) => Err("it has two pictures in one frame".into()),
    }
}

/// RFC 6386, section 9.1: a tag of three bytes, a start code, then 14 bits each of width and height.
fn lossy_size(data: &[u8]) -> Result<(u32, u32), Objection> {
    let mut fields = Cursor::new(data, 3);
    if fields.array()? != [0x9d, 0x01, 0x2a] {
        return Err("its picture has no start code".into());
    }
    let width = fields.u16_le()? & 0x3fff;
    let height = fields.u16_le()? & 0x3fff;
    checked(width.into(), height.into())
}

/// RFC 9649, section 3.4: a signature, then 14 bits each of width and height, less one.
fn lossless_size(data: &[u8]) -> Result<(u32, u32), Objection> {
    let mut fields = Cursor::new(data, 0);
    if fields.u8()? != 0x2f {
        return Err("its picture has no signature".into());
    }
    let sizes = fields.u32_le()?;
    checked((sizes & 0x3fff) + 1, (sizes >> 14 & 0x3fff) + 1)
}

fn u24(cursor: &mut Cursor<'_>) -> Result<u32, Objection> {
    let [low, middle, high] = cursor.array()?;
    Ok(u32::from_le_bytes([low, middle, high, 0]))
}
