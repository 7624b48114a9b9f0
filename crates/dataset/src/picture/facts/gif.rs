//! Walks the blocks of a GIF file (GIF89a specification).

use super::{Cursor, Facts, Objection, Pieces, TRUNCATED, checked};

const EXTENSION: u8 = 0x21;
const IMAGE: u8 = 0x2c;
const TRAILER: u8 = 0x3b;
/// Says among other things which color is transparent; it belongs to the image behind it.
const GRAPHIC_CONTROL: u8 = 0xf9;

pub(super) fn read(bytes: &[u8]) -> Result<Facts<'_>, Objection> {
    let mut cursor = Cursor::new(bytes, 6); // behind the signature
    let canvas = checked(cursor.u16_le()?.into(), cursor.u16_le()?.into())?;
    let flags = cursor.u8()?;
    cursor.take(2)?; // background color and aspect ratio
    color_table(&mut cursor, flags)?;
    let mut pieces = Pieces::of(bytes);
    pieces.push(0..cursor.at)?;
    let mut control = 0..0;
    let mut frame = None;
    while !cursor.is_at_end() {
        let from = cursor.at;
        match cursor.u8()? {
            EXTENSION => {
                let label = cursor.u8()?;
                sub_blocks(&mut cursor)?;
                if label == GRAPHIC_CONTROL && frame.is_none() {
                    control = from..cursor.at;
                }
            }
            IMAGE if frame.is_some() => return Err(Objection::Animated),
            IMAGE => {
                frame = Some(image(&mut cursor)?);
                pieces.push(control.clone())?;
                pieces.push(from..cursor.at)?;
            }
            TRAILER => {
                pieces.push(from..cursor.at)?;
                break;
            }
            // Programs leave padding behind the picture.
            _ if frame.is_some() => break,
            _ => return Err("its blocks are out of order".into()),
        }
    }
    let (width, height) = frame.ok_or(TRUNCATED)?;
    Ok(Facts {
        is_palette: true,
        // A frame that is not as large as the canvas is decoded beside it, in four channels.
        working_bytes: if (width, height) == canvas {
            0
        } else {
            4 * u64::from(width) * u64::from(height)
        },
        ..Facts::new(canvas, pieces)
    })
}

/// An image behind its first byte: place, size, colors, pixels. Returns its size.
fn image(cursor: &mut Cursor<'_>) -> Result<(u32, u32), Objection> {
    cursor.take(4)?; // its place on the canvas
    let size = checked(cursor.u16_le()?.into(), cursor.u16_le()?.into())?;
    let flags = cursor.u8()?;
    color_table(cursor, flags)?;
    cursor.u8()?; // the number of bits that the compression begins with
    sub_blocks(cursor)?;
    Ok(size)
}

fn color_table(cursor: &mut Cursor<'_>, flags: u8) -> Result<(), Objection> {
    if flags & 0x80 != 0 {
        cursor.take(3 << ((flags & 7) + 1))?;
    }
    Ok(())
}

fn sub_blocks(cursor: &mut Cursor<'_>) -> Result<(), Objection> {
    loop {
        match cursor.u8()? {
            0 => return Ok(()),
            n_bytes => cursor.take(n_bytes.into())?,
        };
    }
}
