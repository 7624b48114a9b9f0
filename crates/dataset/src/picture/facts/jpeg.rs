//! Walks the markers of a JPEG file (ITU-T T.81, annex B).
//!
//! The decoder fills in gray where a truncated file has no pixels, so whether a file is whole is told here.

use std::borrow::Cow;

use protocol::limits::MAX_COLOR_PROFILE_BYTES;

use super::{Cursor, Facts, Objection, Pieces, Profile, TRUNCATED, checked, orientation};

/// Each scan of a progressive file goes over all of the picture, however few bytes it has. libjpeg-turbo's
/// fuzzers stop at 500; real files have ten.
const MAX_SCANS: u32 = 200;

pub(super) fn read(bytes: &[u8]) -> Result<Facts<'_>, Objection> {
    let mut pieces = Pieces::of(bytes);
    pieces.push(0..2)?; // the start of the image
    let mut frame = None;
    let mut n_scans = 0;
    let mut profile = ProfileParts::default();
    let mut turned = None;
    let mut at = 2;
    let mut kept_from = 2;
    loop {
        let segment = next_segment(bytes, at)?;
        match segment.marker {
            0xd9 if n_scans > 0 => {
                pieces.push(kept_from..segment.end)?;
                break;
            }
            0xd8 | 0xd9 => return Err("its parts are out of order".into()),
            // Applications' data, and comments. Adobe's segment (14) says what the colors are.
            0xe0..=0xed | 0xef | 0xfe => {
                pieces.push(kept_from..segment.start)?;
                kept_from = segment.end.min(bytes.len());
                match segment.marker {
                    0xe1 if turned.is_none() => {
                        turned = segment.data.strip_prefix(b"Exif\0\0").map(orientation);
                    }
                    0xe2 => profile.add(segment.data),
                    _ => {}
                }
            }
            0xda => {
                n_scans += 1;
                if n_scans > MAX_SCANS {
                    return Err(Objection::Damaged(format!("it has more than {MAX_SCANS} scans")));
                }
            }
            _ => {}
        }
        if is_frame(segment.marker) && frame.replace(Frame::read(&segment)?).is_some() {
            return Err("it has two headers".into());
        }
        at = segment.end;
    }
    let frame = frame.ok_or("it has no header")?;
    let n_input_bytes = pieces.len();
    let mut facts = Facts::new(frame.size, pieces);
    facts.is_cmyk = frame.n_components == 4;
    facts.profile = profile.finish();
    facts.orientation = turned.unwrap_or(facts.orientation);
    // The decoder copies its input. Rows are decoded one by one, unless they come in several scans.
    facts.working_bytes = n_input_bytes + (16 << 20);
    if frame.is_progressive || n_scans > 1 {
        facts.working_bytes += frame.n_coefficients * size_of::<i16>() as u64;
    }
    Ok(facts)
}

/// The largest frame that a stream within another file declares; nothing else of it is looked at.
pub(super) fn largest_frame(bytes: &[u8]) -> Result<Option<(u32, u32)>, Objection> {
    let mut largest = None;
    let mut at = 0;
    while let Ok(segment) = next_segment(bytes, at) {
        if is_frame(segment.marker) {
            let size = Frame::read(&segment)?.size;
            largest = largest.max(Some(size));
        }
        at = segment.end;
    }
    Ok(largest)
}

/// The data of all segments of a marker that stand before the pixels.
pub(in super::super) fn segments(bytes: &[u8], marker: u8) -> impl Iterator<Item = &[u8]> {
    let mut at = 2;
    std::iter::from_fn(move || {
        let segment = next_segment(bytes, at)
            .ok()
            .filter(|segment| !matches!(segment.marker, 0xd9 | 0xda))?;
        at = segment.end;
        Some(segment)
    })
    .filter(move |segment| segment.marker == marker)
    .map(|segment| segment.data)
}

/// Start of frame: every 0xC0..=0xCF but the tables 0xC4 and 0xCC and the reserved 0xC8.
fn is_frame(marker: u8) -> bool {
    matches!(marker, 0xc0..=0xcf) && !matches!(marker, 0xc4 | 0xc8 | 0xcc)
}

struct Segment<'a> {
    marker: u8,
    /// Where its first 0xFF stands.
    start: usize,
    /// What stands behind its length, as far as the file goes.
    data: &'a [u8],
    end: usize,
}

/// The next segment from here. What is in between is entropy-coded, where 0xFF is followed by 0x00 or a restart marker.
fn next_segment(bytes: &[u8], from: usize) -> Result<Segment<'_>, Objection> {
    let mut at = from.min(bytes.len());
    loop {
        at += bytes[at..]
            .iter()
            .position(|&byte| byte == 0xff)
            .ok_or(TRUNCATED)?;
        let start = at;
        while bytes.get(at) == Some(&0xff) {
            at += 1; // fill bytes
        }
        let marker = *bytes.get(at).ok_or(TRUNCATED)?;
        at += 1;
        match marker {
            0x00 | 0x01 | 0xd0..=0xd7 => continue, // stuffed byte, no content, restart
            0xd8 | 0xd9 => {
                return Ok(Segment {
                    marker,
                    start,
                    data: &[],
                    end: at,
                });
            }
            _ => {}
        }
        let n_bytes = usize::from(Cursor::new(bytes, at).u16_be()?).max(2);
        let end = at + n_bytes;
        return Ok(Segment {
            marker,
            start,
            data: &bytes[at + 2..end.min(bytes.len()).max(at + 2)],
            end,
        });
    }
}

struct Frame {
    size: (u32, u32),
    n_components: u8,
    is_progressive: bool,
    /// Coefficients of all components, in whole blocks.
    n_coefficients: u64,
}

impl Frame {
    fn read(segment: &Segment<'_>) -> Result<Self, Objection> {
        let mut fields = Cursor::new(segment.data, 0);
        fields.u8()?; // bits of a sample
        let height = fields.u16_be()?;
        let width = fields.u16_be()?;
        let size = checked(width.into(), height.into())?;
        let n_components = fields.u8()?;
        let mut n_samples = 0;
        let mut sampling = (1, 1);
        for _ in 0..n_components {
            let [_, factors, _] = fields.array()?;
            let (across, down) = (u64::from(factors >> 4), u64::from(factors & 15));
            n_samples += across * down;
            sampling = (sampling.0.max(across), sampling.1.max(down));
        }
        // Section A.2.4: a component has `across × down` blocks of 8 × 8 in each unit that all components share.
        let n_across = u64::from(size.0).div_ceil(8 * sampling.0);
        let n_down = u64::from(size.1).div_ceil(8 * sampling.1);
        Ok(Self {
            size,
            n_components,
            is_progressive: matches!(segment.marker & 15, 2 | 6 | 10 | 14),
            n_coefficients: n_across * n_down * n_samples * 64,
        })
    }
}

/// A profile comes in parts of at most 64 KiB (ICC.1:2022, annex B.4).
#[derive(Default)]
struct ProfileParts<'a> {
    /// By the number that each part gives itself.
    parts: Vec<(u8, &'a [u8])>,
    n_bytes: usize,
}

impl<'a> ProfileParts<'a> {
    fn add(&mut self, data: &'a [u8]) {
        let Some([number, _, part @ ..]) = data.strip_prefix(b"ICC_PROFILE\0") else {
            return;
        };
        // Numbers end at 255; more parts than that are of no profile.
        if self.parts.len() < 256 {
            self.parts.push((*number, part));
            self.n_bytes += part.len();
        }
    }

    fn finish(mut self) -> Profile<'a> {
        if self.parts.is_empty() {
            return Profile::None;
        }
        if self.n_bytes > MAX_COLOR_PROFILE_BYTES || self.parts.len() > 255 {
            return Profile::Unusable;
        }
        self.parts.sort_by_key(|(number, _)| *number);
        let parts: Vec<&[u8]> = self.parts.into_iter().map(|(_, part)| part).collect();
        Profile::Found(Cow::Owned(parts.concat()))
    }
}
