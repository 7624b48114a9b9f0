//! The mask picture of a picture, which says where a training looks: it is kept in the picture's own file.
//!
//! A private chunk behind the header of the PNG holds the mask, a PNG file again. So both are one object with one hash
//! wherever pictures go: datasets and their versions, backups, machines. Programs that show the picture leave the chunk
//! out and show all of it.

use image::{GrayImage, ImageFormat};

use super::{
    NormalizedPicture, PictureError, decoded,
    facts::png::{SIGNATURE, walk},
    texts::{HEAD_BYTES, chunk},
};
use crate::sniff::format_name;

/// PNG specification, third edition, section 5.4: may be left out, private, not to be kept by what changes pixels.
const CHUNK: [u8; 4] = *b"maSK";

/// Bytes of a chunk beside its data: length, name, checksum.
const FRAME_BYTES: usize = 12;

/// The bytes of a PNG file that [`is_masked`] looks at.
pub const HEADER_BYTES: usize = HEAD_BYTES + 8;

/// Whether a picture that [`normalize`](super::normalize) made has an alpha or a mask picture, by the beginning of its
/// file.
pub fn is_masked(header: &[u8]) -> bool {
    // The color type is the tenth byte of the first chunk, behind the signature, a length and a name; 6 is RGBA.
    header.get(25) == Some(&6) || header.get(HEAD_BYTES + 4..HEADER_BYTES) == Some(&CHUNK[..])
}

/// The mask picture that [`with_mask`] put into a PNG file: a PNG file again.
pub fn mask_in(png: &[u8]) -> Option<&[u8]> {
    if !png.starts_with(SIGNATURE) {
        return None;
    }
    let (name, mask) = walk(png).nth(1).flatten()?;
    (name == CHUNK).then_some(mask)
}

/// A picture that [`normalize`](super::normalize) made with another such picture as its mask, in place of the one that it
/// had; `None` if their sizes differ.
///
/// The first channel of the mask counts: 255 where the picture is learned, 0 where it is not. It takes the place of the
/// picture's alpha.
pub fn with_mask(png: &[u8], mask: &[u8]) -> Option<Vec<u8>> {
    if size(png)? != size(mask)? {
        return None;
    }
    let mut masked = without_mask(png);
    masked.splice(HEAD_BYTES..HEAD_BYTES, chunk(CHUNK, mask));
    Some(masked)
}

/// What [`with_mask`] makes, with its hash.
pub(crate) fn joined(png: &[u8], mask: &[u8]) -> Option<NormalizedPicture> {
    let file = with_mask(png, mask)?;
    let (width, rest) = size(png)?.split_first_chunk::<4>()?;
    let height = rest.first_chunk::<4>()?;
    let size = (u32::from_be_bytes(*width), u32::from_be_bytes(*height));
    Some(NormalizedPicture::new(file, size, Vec::new()))
}

/// The picture as it was before [`with_mask`].
pub fn without_mask(png: &[u8]) -> Vec<u8> {
    match mask_in(png) {
        Some(mask) => [&png[..HEAD_BYTES], &png[HEAD_BYTES + FRAME_BYTES + mask.len()..]].concat(),
        None => png.to_vec(),
    }
}

/// Width and height, as the header has them: eight bytes.
fn size(png: &[u8]) -> Option<&[u8]> {
    png.get(16..24)
}

/// Reads the mask of a picture of this size. Its first channel counts, as in sd-scripts (`apply_masked_loss` in
/// `library/custom_train_functions.py`).
pub(super) fn read(mask: &[u8], (width, height): (u32, u32)) -> Result<GrayImage, PictureError> {
    let (mask, _) = decoded(mask, ImageFormat::Png, &mut Vec::new())?;
    let mask = mask.into_rgb8();
    if mask.dimensions() != (width, height) {
        return Err(PictureError::Damaged {
            format: format_name(ImageFormat::Png),
            problem: "its mask has another size".to_owned(),
        });
    }
    let values = mask.pixels().map(|pixel| pixel[0]).collect();
    Ok(GrayImage::from_raw(width, height, values).expect("there is one byte for each pixel"))
}
