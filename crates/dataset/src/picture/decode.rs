//! The decoders themselves. What they read has been walked before, and each has its limits.

use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits};
use protocol::limits::{MAX_DECODING_BYTES, MAX_PICTURE_SIDE};

use super::{Needs, PictureError, damaged, facts, pieces::Pieces};

/// Decodes all pixels as the file has them.
pub(super) fn pixels(
    pieces: Pieces<'_>,
    format: ImageFormat,
    needs: &Needs,
) -> Result<DynamicImage, PictureError> {
    let decoder = open(pieces, format)?;
    let size = decoder.dimensions();
    facts::check_size(size.0, size.1)?;
    needs.check(size, decoder.color_type())?;
    DynamicImage::from_decoder(decoder).map_err(|err| damaged(format, err))
}

/// Width and height in pixels.
pub(super) fn size(pieces: Pieces<'_>, format: ImageFormat) -> Result<(u32, u32), PictureError> {
    Ok(open(pieces, format)?.dimensions())
}

fn open(pieces: Pieces<'_>, format: ImageFormat) -> Result<impl ImageDecoder, PictureError> {
    let mut limits = Limits::default();
    limits.max_image_width = Some(MAX_PICTURE_SIDE);
    limits.max_image_height = Some(MAX_PICTURE_SIDE);
    limits.max_alloc = Some(MAX_DECODING_BYTES);
    let mut reader = ImageReader::with_format(pieces, format);
    reader.limits(limits.clone());
    let mut decoder = reader.into_decoder().map_err(|err| damaged(format, err))?;
    decoder.set_limits(limits).map_err(|err| damaged(format, err))?;
    Ok(decoder)
}
