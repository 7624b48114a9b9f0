//! Texts in PNG files: settings that programs which draw keep in their pictures (PNG specification, third edition,
//! section 11.3.3). Nothing here looks at pixels.

use std::io::Read as _;

use flate2::{Crc, read::ZlibDecoder};
use protocol::limits::{MAX_PICTURE_TEXT_BYTES, MAX_PICTURE_TEXTS};

use super::facts::png::{SIGNATURE, walk};

/// Bytes of the signature and the header, which every file begins with.
pub(super) const HEAD_BYTES: usize = 33;

/// A text of a PNG file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PictureText {
    /// What it is: `parameters`, `Comment`.
    pub keyword: String,
    /// The text.
    pub text: String,
}

/// Why the texts of a file cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// It is another kind of file.
    #[error("is not a PNG file; only PNG files keep settings that can be read")]
    NotPng,
    /// It ends before its last text could have come.
    #[error("is a damaged PNG file: it ends in the middle")]
    Truncated,
    /// A text cannot be read.
    #[error("has a damaged text `{keyword}`")]
    Damaged {
        /// Its keyword.
        keyword: String,
    },
    /// More than any program writes.
    #[error(
        "has more text than is read: at most {MAX_PICTURE_TEXTS} texts with {} MiB together",
        MAX_PICTURE_TEXT_BYTES >> 20
    )]
    TooMuch,
}

/// Reads all texts of a PNG file, in their order. Pixels, checksums and other chunks are not looked at.
///
/// # Errors
/// If it is no PNG file, a text is damaged, or there is too much text.
pub fn read_texts(png: &[u8]) -> Result<Vec<PictureText>, TextError> {
    if !png.starts_with(SIGNATURE) {
        return Err(TextError::NotPng);
    }
    let mut texts = Vec::new();
    let mut room = MAX_PICTURE_TEXT_BYTES;
    for chunk in walk(png) {
        let (name, data) = chunk.ok_or(TextError::Truncated)?;
        let kind = match &name {
            b"tEXt" => Kind::Latin,
            b"zTXt" => Kind::PackedLatin,
            b"iTXt" => Kind::International,
            b"IEND" => return Ok(texts),
            _ => continue,
        };
        if texts.len() == MAX_PICTURE_TEXTS {
            return Err(TextError::TooMuch);
        }
        let text = read_text(kind, data, room)?;
        room -= text.text.len().min(room);
        texts.push(text);
    }
    Err(TextError::Truncated)
}

/// The texts of a PNG file with one of these keywords, as far as they can be read in so much room; at most 16 of them, since
/// each may have to be unpacked. A file may end in the middle.
pub(super) fn find_texts(png: &[u8], keywords: &[&str], mut room: usize) -> Vec<PictureText> {
    const MOST: usize = 16;
    let wanted = walk(png).map_while(|chunk| chunk).filter_map(|(name, data)| {
        let kind = match &name {
            b"tEXt" => Kind::Latin,
            b"zTXt" => Kind::PackedLatin,
            b"iTXt" => Kind::International,
            _ => return None,
        };
        let (keyword, _) = until_zero(data)?;
        let is_wanted = keywords.iter().any(|wanted| wanted.as_bytes() == keyword);
        is_wanted.then_some((kind, data))
    });
    let mut texts = Vec::new();
    for (kind, data) in wanted.take(MOST) {
        if let Ok(text) = read_text(kind, data, room) {
            room -= text.text.len().min(room);
            texts.push(text);
        }
    }
    texts
}

/// Adds texts to a PNG file, before its pixels: as `tEXt` what Latin-1 can hold, and else as `iTXt`, as Pillow does for
/// A1111 and ComfyUI. A keyword has 1 to 79 printable ASCII characters. A file that is no PNG stays as it is.
pub fn add_texts(png: &mut Vec<u8>, texts: &[(&str, String)]) {
    if !png.starts_with(SIGNATURE) || png.len() < HEAD_BYTES {
        return;
    }
    let chunks: Vec<u8> = texts
        .iter()
        .flat_map(|(keyword, text)| written(keyword, text))
        .collect();
    png.splice(HEAD_BYTES..HEAD_BYTES, chunks);
}

/// How a text is stored.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Latin,
    PackedLatin,
    International,
}

fn read_text(kind: Kind, data: &[u8], room: usize) -> Result<PictureText, TextError> {
    let (keyword, rest) = until_zero(data)
        .filter(|(keyword, _)| keyword.len() < 80)
        .ok_or_else(|| damaged(&[]))?;
    let text = match kind {
        Kind::Latin => latin(rest),
        // The method 0 is zlib, and the only one.
        Kind::PackedLatin => match rest {
            [0, packed @ ..] => latin(&unpacked(packed, room, keyword)?),
            _ => return Err(damaged(keyword)),
        },
        Kind::International => {
            let (flags, rest) = rest.split_at_checked(2).ok_or_else(|| damaged(keyword))?;
            let words = until_zero(rest).and_then(|(_language, rest)| until_zero(rest));
            let (_translated, text) = words.ok_or_else(|| damaged(keyword))?;
            let bytes = match flags {
                [0, _] => text.to_vec(),
                [1, 0] => unpacked(text, room, keyword)?,
                _ => return Err(damaged(keyword)),
            };
            String::from_utf8(bytes).map_err(|_| damaged(keyword))?
        }
    };
    if text.len() > room {
        return Err(TextError::TooMuch);
    }
    Ok(PictureText {
        keyword: latin(keyword),
        text,
    })
}

fn until_zero(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = bytes.iter().position(|&byte| byte == 0)?;
    Some((&bytes[..end], &bytes[end + 1..]))
}

fn latin(bytes: &[u8]) -> String {
    bytes.iter().map(|&byte| char::from(byte)).collect()
}

fn unpacked(packed: &[u8], room: usize, keyword: &[u8]) -> Result<Vec<u8>, TextError> {
    let mut bytes = Vec::new();
    let read = ZlibDecoder::new(packed)
        .take(room as u64 + 1)
        .read_to_end(&mut bytes);
    match read {
        Ok(n_bytes) if n_bytes > room => Err(TextError::TooMuch),
        Ok(_) => Ok(bytes),
        Err(_) => Err(damaged(keyword)),
    }
}

fn damaged(keyword: &[u8]) -> TextError {
    TextError::Damaged {
        keyword: protocol::text::shown(&latin(keyword), 79),
    }
}

fn written(keyword: &str, text: &str) -> Vec<u8> {
    debug_assert!((1..=79).contains(&keyword.len()) && keyword.bytes().all(|byte| byte.is_ascii_graphic()));
    let as_latin: Option<Vec<u8>> = text
        .chars()
        .map(|c| u8::try_from(u32::from(c)).ok().filter(|&byte| byte != 0))
        .collect();
    match as_latin {
        Some(latin) => chunk(*b"tEXt", &[keyword.as_bytes(), b"\0", &latin].concat()),
        // Not packed, in no language, with no translated keyword.
        None => {
            let text = text.replace('\0', "");
            chunk(
                *b"iTXt",
                &[keyword.as_bytes(), b"\0\0\0\0\0", text.as_bytes()].concat(),
            )
        }
    }
}

/// A chunk of a PNG file.
pub(super) fn chunk(name: [u8; 4], data: &[u8]) -> Vec<u8> {
    let length = u32::try_from(data.len()).expect("settings and masks have less than 4 GiB");
    let mut checksum = Crc::new();
    checksum.update(&name);
    checksum.update(data);
    [
        &length.to_be_bytes()[..],
        &name,
        data,
        &checksum.sum().to_be_bytes(),
    ]
    .concat()
}

#[cfg(test)]
mod tests;
