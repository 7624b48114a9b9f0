//! Walks the chunks of a PNG file (PNG specification, third edition).

use super::{Cursor, Facts, Objection, Pieces, Profile, TRUNCATED, checked, orientation};

/// What every file begins with.
pub(in super::super) const SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";

const SIGNATURE_BYTES: usize = SIGNATURE.len();

pub(super) fn read(bytes: &[u8]) -> Result<Facts<'_>, Objection> {
    let mut cursor = Cursor::new(bytes, SIGNATURE_BYTES);
    let header = chunk(&mut cursor)?;
    if header.name != *b"IHDR" || header.data.len() != 13 {
        return Err("it does not start with a header".into());
    }
    let mut fields = Cursor::new(header.data, 0);
    let (width, height) = checked(fields.u32_be()?, fields.u32_be()?)?;
    let mut pieces = Pieces::of(bytes);
    pieces.push(0..cursor.at)?;
    let mut facts = Facts::new((width, height), pieces);
    // Section 11.2.1: the color type is byte 9 of the header; 3 is indexed. Byte 12 tells of interlacing.
    facts.is_palette = header.data[9] == 3;
    // A row and the one above it, and what is unpacked at a time: 16 bits of four channels.
    facts.working_bytes = 4 * 8 * u64::from(width) + (1 << 20);
    let mut pixels = Pixels::Ahead;
    // Frame chunks of a PNG with a single frame, which is a plain picture.
    let mut n_frames_left = 0_u8;
    while !cursor.is_at_end() {
        let from = cursor.at;
        let part = chunk(&mut cursor)?;
        match &part.name {
            // The number of frames comes first. The only one is the picture itself, if its control stands before the pixels.
            b"acTL" if part.data.starts_with(&[0, 0, 0, 1]) => n_frames_left = 1,
            b"fcTL" if n_frames_left == 1 && pixels == Pixels::Ahead => n_frames_left = 0,
            b"acTL" | b"fcTL" | b"fdAT" => return Err(Objection::Animated),
            b"IDAT" if pixels == Pixels::Behind => return Err("its pixel data is not contiguous".into()),
            b"IDAT" => pixels = Pixels::Here,
            _ if pixels == Pixels::Here => pixels = Pixels::Behind,
            _ => {}
        }
        match &part.name {
            b"IDAT" | b"PLTE" | b"tRNS" => facts.pieces.push(from..cursor.at)?,
            b"IEND" => {
                facts.pieces.push(from..cursor.at)?;
                break;
            }
            b"iCCP" => facts.profile = profile(part.data),
            b"eXIf" => facts.orientation = orientation(part.data),
            b"IHDR" => return Err("it has two headers".into()),
            // Section 5.4: a capital first letter marks what a decoder must understand.
            name if name[0].is_ascii_uppercase() => {
                let name = name.escape_ascii();
                return Err(Objection::Damaged(format!(
                    "its chunk `{name}` is not part of PNG"
                )));
            }
            _ => {}
        }
    }
    if pixels == Pixels::Ahead {
        return Err(TRUNCATED.into());
    }
    Ok(facts)
}

/// All chunks of a file that is nothing but chunks.
pub(in super::super) fn chunks(bytes: &[u8]) -> Option<Vec<([u8; 4], &[u8])>> {
    bytes.starts_with(SIGNATURE).then(|| walk(bytes).collect())?
}

/// The chunks after a signature, name and data each; `None` ends a file that ends in the middle of one.
pub(in super::super) fn walk(bytes: &[u8]) -> impl Iterator<Item = Option<([u8; 4], &[u8])>> {
    let mut cursor = Cursor::new(bytes, SIGNATURE_BYTES);
    let mut is_whole = true;
    std::iter::from_fn(move || {
        if !is_whole || cursor.is_at_end() {
            return None;
        }
        let found = chunk(&mut cursor).ok().map(|Chunk { name, data }| (name, data));
        is_whole = found.is_some();
        Some(found)
    })
}

/// Where the walk stands to the chunks with pixels.
#[derive(PartialEq, Eq)]
enum Pixels {
    Ahead,
    Here,
    Behind,
}

struct Chunk<'a> {
    name: [u8; 4],
    data: &'a [u8],
}

fn chunk<'a>(cursor: &mut Cursor<'a>) -> Result<Chunk<'a>, Objection> {
    let n_bytes = cursor.u32_be()?;
    let name = cursor.array()?;
    let data = cursor.take(n_bytes as usize)?;
    cursor.take(4)?; // the checksum, which the decoder looks at
    Ok(Chunk { name, data })
}

/// Section 11.3.2.3: a name of 1 to 79 bytes, NUL, the method (0 is zlib), the profile.
fn profile(data: &[u8]) -> Profile<'_> {
    let name_bytes = data.iter().take(80).position(|&byte| byte == 0);
    match name_bytes.and_then(|n_bytes| data.get(n_bytes + 1..)) {
        Some([0, packed @ ..]) => Profile::packed(packed),
        _ => Profile::Unusable,
    }
}
