//! Walks the directories of a TIFF file (TIFF 6.0).

use image::metadata::Orientation;

use super::{Cursor, Facts, Objection, Pieces, Profile, checked, jpeg};

/// A smaller copy of the first page (bit 0 of `NewSubfileType`, section 8) and a mask for it (bit 2) are added by
/// cameras and editors, and are no pages.
const COPY_OR_MASK: u32 = 0b101;
/// A picture with its copies and masks has a handful.
const MAX_DIRECTORIES: usize = 64;

const NEW_SUBFILE_TYPE: u16 = 254;
const IMAGE_WIDTH: u16 = 256;
const IMAGE_LENGTH: u16 = 257;
const BITS_PER_SAMPLE: u16 = 258;
const COMPRESSION: u16 = 259;
const PHOTOMETRIC: u16 = 262;
const STRIP_OFFSETS: u16 = 273;
const ORIENTATION: u16 = 274;
const SAMPLES_PER_PIXEL: u16 = 277;
const ROWS_PER_STRIP: u16 = 278;
const STRIP_BYTE_COUNTS: u16 = 279;
const TILE_WIDTH: u16 = 322;
const TILE_LENGTH: u16 = 323;
const TILE_OFFSETS: u16 = 324;
const TILE_BYTE_COUNTS: u16 = 325;
const JPEG_TABLES: u16 = 347;
const ICC_PROFILE: u16 = 34675;

/// Values of `PhotometricInterpretation`.
const PALETTE: u32 = 3;
const SEPARATED: u32 = 5;
/// Values of `Compression` that hold JPEG streams.
const JPEG: [u32; 2] = [6, 7];

pub(super) fn read(bytes: &[u8]) -> Result<Facts<'_>, Objection> {
    let file = File {
        bytes,
        is_big_endian: bytes.starts_with(b"MM"),
    };
    let mut next = file.u32_at(4)?;
    let mut first = None;
    let mut n_directories = 0;
    while next != 0 {
        n_directories += 1;
        if n_directories > MAX_DIRECTORIES {
            return Err(Objection::ManyPages);
        }
        // What follows a whole first page and cannot be read is no page.
        let directory = match Directory::read(file, next) {
            Ok(directory) => directory,
            Err(_) if first.is_some() => break,
            Err(objection) => return Err(objection),
        };
        next = directory.next;
        if first.is_none() {
            first = Some(directory);
        } else if directory.number(NEW_SUBFILE_TYPE).unwrap_or(0) & COPY_OR_MASK == 0 {
            return Err(Objection::ManyPages);
        }
    }
    let page = first.ok_or("it has no picture")?;
    let (width, height) = match (page.number(IMAGE_WIDTH), page.number(IMAGE_LENGTH)) {
        (Some(width), Some(height)) => checked(width, height)?,
        _ => return Err("it does not state the size of its picture".into()),
    };
    let mut facts = Facts::new((width, height), Pieces::whole(bytes));
    facts.is_palette = page.number(PHOTOMETRIC) == Some(PALETTE);
    facts.is_cmyk = page.number(PHOTOMETRIC) == Some(SEPARATED);
    if let Some(orientation) = page
        .number(ORIENTATION)
        .and_then(|value| u8::try_from(value).ok())
    {
        facts.orientation = Orientation::from_exif(orientation).unwrap_or(facts.orientation);
    }
    if let Some(entry) = page.entry(ICC_PROFILE) {
        facts.profile = entry.bytes().map_or(Profile::Unusable, Profile::plain);
    }
    facts.working_bytes = working_bytes(&page, (width, height))?;
    Ok(facts)
}

/// The bytes of a tag in the first directory of a file, or in another one that a tag of the first points to. EXIF data is
/// such a file, too.
pub(in super::super) fn value(bytes: &[u8], within: Option<u16>, tag: u16) -> Option<&[u8]> {
    if !bytes.starts_with(b"II*\0") && !bytes.starts_with(b"MM\0*") {
        return None;
    }
    let file = File {
        bytes,
        is_big_endian: bytes.starts_with(b"MM"),
    };
    let first = Directory::read(file, file.u32_at(4).ok()?).ok()?;
    let directory = match within {
        Some(pointer) => Directory::read(file, first.number(pointer)?).ok()?,
        None => first,
    };
    directory.entry(tag)?.bytes()
}

/// The decoder keeps the samples as they are stored beside those that it gives out, and a strip or tile.
fn working_bytes(page: &Directory<'_>, (width, height): (u32, u32)) -> Result<u64, Objection> {
    let n_samples = u64::from(page.number(SAMPLES_PER_PIXEL).unwrap_or(1));
    let n_bits = u64::from(page.number(BITS_PER_SAMPLE).unwrap_or(1));
    let (chunk_width, chunk_height) = match (page.number(TILE_WIDTH), page.number(TILE_LENGTH)) {
        (Some(width), Some(height)) => checked(width, height)?,
        _ => (width, page.number(ROWS_PER_STRIP).unwrap_or(height).min(height)),
    };
    let stored = |width: u32, height: u32| {
        u64::from(width)
            .saturating_mul(height.into())
            .saturating_mul(n_samples.saturating_mul(n_bits).div_ceil(8))
    };
    let mut n_bytes = stored(width, height).saturating_add(stored(chunk_width, chunk_height));
    if page
        .number(COMPRESSION)
        .is_some_and(|method| JPEG.contains(&method))
    {
        for stream in page.streams() {
            let frame = jpeg::largest_frame(stream)?;
            let n_pixels = frame.map_or(0, |(width, height)| u64::from(width) * u64::from(height));
            // Coefficients of two bytes each, and three channels of pixels.
            n_bytes = n_bytes.max(stored(width, height) + 9 * n_pixels + stream.len() as u64);
        }
    }
    Ok(n_bytes)
}

#[derive(Clone, Copy)]
struct File<'a> {
    bytes: &'a [u8],
    is_big_endian: bool,
}

impl<'a> File<'a> {
    fn u16_at(&self, at: usize) -> Result<u16, Objection> {
        let mut cursor = Cursor::new(self.bytes, at);
        if self.is_big_endian {
            cursor.u16_be()
        } else {
            cursor.u16_le()
        }
    }

    fn u32_at(&self, at: usize) -> Result<u32, Objection> {
        let mut cursor = Cursor::new(self.bytes, at);
        if self.is_big_endian {
            cursor.u32_be()
        } else {
            cursor.u32_le()
        }
    }
}

struct Directory<'a> {
    file: File<'a>,
    /// Where its entries begin.
    at: usize,
    n_entries: usize,
    /// Offset of the next directory; 0 in the last one.
    next: u32,
}

/// A value in a directory.
struct Entry<'a> {
    file: File<'a>,
    kind: u16,
    count: u32,
    /// Where its values are.
    at: usize,
}

impl<'a> Directory<'a> {
    const ENTRY_BYTES: usize = 12;

    fn read(file: File<'a>, at: u32) -> Result<Self, Objection> {
        let at = at as usize;
        let n_entries = usize::from(file.u16_at(at)?);
        Ok(Self {
            file,
            at: at + 2,
            n_entries,
            next: file.u32_at(at + 2 + n_entries * Self::ENTRY_BYTES)?,
        })
    }

    fn entry(&self, tag: u16) -> Option<Entry<'a>> {
        (0..self.n_entries).find_map(|index| {
            let at = self.at + index * Self::ENTRY_BYTES;
            (self.file.u16_at(at).ok()? == tag).then_some(())?;
            let kind = self.file.u16_at(at + 2).ok()?;
            let count = self.file.u32_at(at + 4).ok()?;
            let entry = Entry {
                file: self.file,
                kind,
                count,
                at: at + 8,
            };
            // Section 2: values of more than four bytes stand elsewhere.
            match entry.n_bytes()? {
                0..=4 => Some(entry),
                _ => Some(Entry {
                    at: self.file.u32_at(at + 8).ok()? as usize,
                    ..entry
                }),
            }
        })
    }

    /// The first value of a tag.
    fn number(&self, tag: u16) -> Option<u32> {
        self.entry(tag)?.number(0)
    }

    /// The bytes of all strips or tiles, and of the tables that they share.
    fn streams(&self) -> impl Iterator<Item = &'a [u8]> {
        let chunks = [
            (STRIP_OFFSETS, STRIP_BYTE_COUNTS),
            (TILE_OFFSETS, TILE_BYTE_COUNTS),
        ];
        let chunks = chunks.into_iter().filter_map(|(offsets, counts)| {
            let (offsets, counts) = (self.entry(offsets)?, self.entry(counts)?);
            let n_chunks = offsets.count.min(counts.count) as usize;
            Some((0..n_chunks).map_while(move |index| {
                let start = offsets.number(index)? as usize;
                let end = start.checked_add(counts.number(index)? as usize)?;
                let bytes = offsets.file.bytes;
                Some(bytes.get(start..end.min(bytes.len())).unwrap_or_default())
            }))
        });
        let tables = self.entry(JPEG_TABLES).and_then(|entry| entry.bytes());
        chunks.flatten().chain(tables)
    }
}

impl<'a> Entry<'a> {
    /// Section 2: bytes, texts, shorts, longs, rationals; then their signed and floating kin.
    fn n_bytes(&self) -> Option<usize> {
        let of_one: usize = match self.kind {
            1 | 2 | 6 | 7 => 1,
            3 | 8 => 2,
            4 | 9 | 11 | 13 => 4,
            5 | 10 | 12 => 8,
            _ => return None,
        };
        of_one.checked_mul(self.count as usize)
    }

    fn number(&self, index: usize) -> Option<u32> {
        if index >= self.count as usize {
            return None;
        }
        match self.kind {
            1 => self
                .file
                .bytes
                .get(self.at.checked_add(index)?)
                .copied()
                .map(u32::from),
            3 => self
                .file
                .u16_at(self.at.checked_add(index * 2)?)
                .ok()
                .map(u32::from),
            4 | 13 => self.file.u32_at(self.at.checked_add(index * 4)?).ok(),
            _ => None,
        }
    }

    fn bytes(&self) -> Option<&'a [u8]> {
        let end = self.at.checked_add(self.n_bytes()?)?;
        self.file.bytes.get(self.at..end)
    }
}
