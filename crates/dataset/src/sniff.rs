//! Detects the type of a file from its first bytes; the name is not reliable.

use image::ImageFormat;

/// Type of a file, from its first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A supported picture.
    Picture(ImageFormat),
    /// A zip archive.
    Zip,
    /// A known but unsupported type.
    Unsupported {
        /// Its name with an article: `a HEIC picture`.
        what: &'static str,
        /// What to use instead.
        advice: &'static str,
    },
    /// Text, or unknown bytes.
    Unknown,
}

/// What we decode.
const PICTURES: [ImageFormat; 6] = [
    ImageFormat::Png,
    ImageFormat::Jpeg,
    ImageFormat::WebP,
    ImageFormat::Gif,
    ImageFormat::Tiff,
    ImageFormat::Bmp,
];

/// What to do with a picture that is not read.
pub(crate) const AS_PICTURE: &str = "save it as PNG, JPEG or WebP";
const AS_ZIP: &str = "pack it as a zip archive without a password";

/// Detects the type of a file. Needs its first [`HEAD_BYTES`] bytes, or all of a shorter one.
pub(crate) fn sniff(head: &[u8]) -> Kind {
    let starts = |magic: &[u8]| head.starts_with(magic);
    let unsupported = |what, advice| Kind::Unsupported { what, advice };
    match image::guess_format(head) {
        // A text may begin with "BM" as well: then come the file's size and four reserved bytes, which most programs set
        // to zero. So may it with the letters of others: lines end behind Radiance's, channels are counted in QOI, and DDS
        // has the size of its header.
        Ok(ImageFormat::Bmp) if head.get(6..10) != Some(&[0; 4]) && !has_bmp_header(head) => {}
        Ok(ImageFormat::Hdr) if !starts(b"#?RADIANCE\n") && !starts(b"#?RADIANCE\r\n") => {}
        Ok(ImageFormat::Qoi) if !matches!(head.get(12), Some(3 | 4)) => {}
        Ok(ImageFormat::Dds) if head.get(4..8) != Some(&[124, 0, 0, 0]) => {}
        Ok(format) if PICTURES.contains(&format) => return Kind::Picture(format),
        Ok(ImageFormat::Hdr) => return unsupported("a Radiance picture", AS_PICTURE),
        Ok(ImageFormat::OpenExr) => return unsupported("an OpenEXR picture", AS_PICTURE),
        Ok(ImageFormat::Qoi) => return unsupported("a QOI picture", AS_PICTURE),
        Ok(ImageFormat::Dds) => return unsupported("a DDS texture", AS_PICTURE),
        _ => {}
    }
    if let Some(what) = packed_document(head) {
        return unsupported(what, AS_PICTURE);
    }
    if starts(b"PK\x03\x04") || starts(b"PK\x05\x06") {
        return Kind::Zip;
    }
    if head.get(4..8) == Some(b"ftyp") {
        return match head.get(8..12) {
            Some(b"avif" | b"avis") => unsupported("an AVIF picture", AS_PICTURE),
            Some(b"heic" | b"heix" | b"hevc" | b"mif1" | b"msf1" | b"heim" | b"heis") => {
                unsupported("a HEIC picture", AS_PICTURE)
            }
            _ => unsupported("a video", "upload its frames as single pictures"),
        };
    }
    if starts(b"\xff\x0a") || starts(b"\0\0\0\x0cJXL ") {
        return unsupported("a JPEG XL picture", AS_PICTURE);
    }
    if starts(b"8BPS") {
        return unsupported("a Photoshop document", AS_PICTURE);
    }
    if starts(b"CSFCHUNK") {
        return unsupported("a Clip Studio document", AS_PICTURE);
    }
    if starts(b"gimp xcf") {
        return unsupported("a GIMP document", AS_PICTURE);
    }
    if starts(b"\0\0\0\x0cjP  \r\n\x87\n") || starts(b"\xff\x4f\xff\x51") {
        return unsupported("a JPEG 2000 picture", AS_PICTURE);
    }
    if starts(b"\0\0\x01\0") {
        return unsupported("an icon", AS_PICTURE);
    }
    if starts(b"%PDF") {
        return unsupported("a PDF document", AS_PICTURE);
    }
    let is_tar = head.get(257..262) == Some(b"ustar");
    let is_bzip2 = starts(b"BZh") && head.get(4..10) == Some(b"1AY&SY");
    let magics: [&[u8]; 5] = [
        b"Rar!",
        b"7z\xbc\xaf\x27\x1c",
        b"\x1f\x8b",
        b"\xfd7zXZ\0",
        b"\x28\xb5\x2f\xfd",
    ];
    if is_tar || is_bzip2 || magics.iter().any(|magic| starts(magic)) {
        return unsupported("an archive, but not a zip archive", AS_ZIP);
    }
    if starts(b"PK") {
        return unsupported("a part of a zip archive", AS_ZIP);
    }
    if is_svg(head) {
        return unsupported("an SVG drawing", AS_PICTURE);
    }
    Kind::Unknown
}

/// Number of bytes that [`sniff`] needs.
pub(crate) const HEAD_BYTES: usize = 512;

/// The usual name of a format.
pub(crate) fn format_name(format: ImageFormat) -> &'static str {
    match format {
        ImageFormat::Png => "PNG",
        ImageFormat::Jpeg => "JPEG",
        ImageFormat::WebP => "WebP",
        ImageFormat::Gif => "GIF",
        ImageFormat::Tiff => "TIFF",
        ImageFormat::Bmp => "BMP",
        _ => "picture",
    }
}

/// Whether this is a Targa picture: by its end, which files of version 2 have, or else by a header that is one.
pub(crate) fn is_targa(bytes: &[u8]) -> bool {
    if bytes.ends_with(b"TRUEVISION-XFILE.\0") {
        return true;
    }
    let Some(header) = bytes.first_chunk::<18>() else {
        return false;
    };
    let [
        _,
        has_palette,
        kind,
        palette @ ..,
        width_low,
        width_high,
        height_low,
        height_high,
        depth,
        flags,
    ] = header;
    let is_palette_right = match has_palette {
        0 => palette[..5] == [0; 5],
        1 => matches!(kind, 1 | 9),
        _ => false,
    };
    is_palette_right
        && matches!(kind, 1..=3 | 9..=11)
        && (width_low | width_high) != 0
        && (height_low | height_high) != 0
        && matches!(depth, 8 | 15 | 16 | 24 | 32)
        && flags >> 6 == 0
}

/// Documents of painting programs, among others, are zip archives, whose first entry says what they are: their layers are no pictures of
/// a dataset.
pub(crate) fn packed_document(head: &[u8]) -> Option<&'static str> {
    let rest = head.strip_prefix(b"PK\x03\x04")?;
    let two = |at: usize| {
        Some(usize::from(u16::from_le_bytes(
            rest.get(at..at + 2)?.try_into().ok()?,
        )))
    };
    // Lengths of the name and of what follows it, behind fields of 22 bytes.
    let (n_name, n_extra) = (two(22)?, two(24)?);
    if rest.get(26..26 + n_name)? != b"mimetype" {
        return None;
    }
    let kind = rest.get(26 + n_name + n_extra..)?;
    if kind.starts_with(b"application/x-krita") {
        Some("a Krita document")
    } else if kind.starts_with(b"image/openraster") {
        Some("an OpenRaster document")
    } else if kind.starts_with(b"application/epub+zip") {
        Some("an e-book")
    } else if kind.starts_with(b"application/vnd.oasis.opendocument") {
        Some("an OpenDocument file")
    } else {
        None
    }
}

/// Whether a size of BMP's second header stands where it belongs, which is no text.
fn has_bmp_header(head: &[u8]) -> bool {
    let size = head
        .get(14..18)
        .and_then(|size| Some(u32::from_le_bytes(size.try_into().ok()?)));
    matches!(size, Some(12 | 16 | 40 | 52 | 56 | 64 | 108 | 124))
}

fn is_svg(head: &[u8]) -> bool {
    let text = String::from_utf8_lossy(head);
    let text = text.trim_start_matches('\u{feff}').trim_start();
    text.starts_with("<svg") || (text.starts_with("<?xml") && text.contains("<svg"))
}
