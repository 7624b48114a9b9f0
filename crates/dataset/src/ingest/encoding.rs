//! Names that are not UTF-8: of zip archives without the flag for it, and of programs that send what they have.
//!
//! Names are short, so all of an archive are looked at together. Double bytes of East Asia and words in other scripts stand
//! side by side, while letters with accents stand alone between plain ones.

use std::borrow::Cow;

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{Encoding, SHIFT_JIS, WINDOWS_1252};

/// Bytes of names that are looked at.
const MAX_BYTES: usize = 64 << 10;

/// A name or a header in whatever encoding it is: the one of this label, or else UTF-8, or else what it looks like.
pub fn readable<'a>(bytes: &'a [u8], label: Option<&str>) -> Cow<'a, str> {
    let labelled = label.and_then(|label| Encoding::for_label(label.as_bytes()));
    let encoding = labelled.filter(|encoding| *encoding != encoding_rs::UTF_8);
    if encoding.is_none()
        && let Ok(text) = str::from_utf8(bytes)
    {
        return Cow::Borrowed(text);
    }
    let encoding = encoding.or_else(|| of_names([bytes])).unwrap_or(WINDOWS_1252);
    encoding.decode_without_bom_handling(bytes).0
}

/// The encoding of an archive's names; none if that is the one of the zip format, code page 437.
pub(super) fn of_names<'a>(names: impl IntoIterator<Item = &'a [u8]>) -> Option<&'static Encoding> {
    let mut joined = Vec::new();
    for name in names {
        if str::from_utf8(name).is_err() && joined.len() + name.len() < MAX_BYTES {
            joined.extend_from_slice(name);
            joined.push(b'\n');
        }
    }
    if joined.is_empty() {
        return None;
    }
    // Half-width letters are rare in names, and what other encodings look like as this one.
    if let Some(text) = decoded(&joined, SHIFT_JIS)
        && !text.chars().any(|c| matches!(c, '\u{ff61}'..='\u{ff9f}'))
        && Neighbors::of(&text).are_mostly_alike()
    {
        return Some(SHIFT_JIS);
    }
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
    detector.feed(&joined, true);
    let guess = detector.guess(None, Utf8Detection::Deny);
    if guess != WINDOWS_1252
        && let Some(text) = decoded(&joined, guess)
    {
        let neighbors = Neighbors::of(&text);
        if neighbors.are_mostly_alike() && (!guess.is_single_byte() || neighbors.are_mostly_apart()) {
            return Some(guess);
        }
    }
    // Accented letters are 0x80 to 0xa5 in code page 437, with 0xe1 for ß, and from 0xc0 in Latin-1.
    let has = |wanted: fn(&u8) -> bool| joined.iter().any(wanted);
    let is_latin = has(|byte| *byte >= 0xc0 && *byte != 0xe1) && !has(|byte| (0x80..=0xa5).contains(byte));
    is_latin.then_some(WINDOWS_1252)
}

/// A name in this encoding, if it is in it.
pub(super) fn decoded<'a>(bytes: &'a [u8], encoding: &'static Encoding) -> Option<Cow<'a, str>> {
    encoding.decode_without_bom_handling_and_without_replacement(bytes)
}

/// What stands beside characters that are not ASCII.
#[derive(Default)]
struct Neighbors {
    n_alike: usize,
    n_alone: usize,
    /// Those beside a plain letter.
    n_beside_letters: usize,
}

impl Neighbors {
    fn of(text: &str) -> Self {
        let chars: Vec<char> = text.chars().collect();
        let mut neighbors = Self::default();
        for (at, _) in chars.iter().enumerate().filter(|(_, c)| !c.is_ascii()) {
            let before = at.checked_sub(1).and_then(|before| chars.get(before));
            let beside = [before, chars.get(at + 1)];
            let any = |is: fn(&char) -> bool| beside.into_iter().flatten().any(is);
            match any(|c| !c.is_ascii()) {
                true => neighbors.n_alike += 1,
                false => neighbors.n_alone += 1,
            }
            neighbors.n_beside_letters += usize::from(any(char::is_ascii_alphabetic));
        }
        neighbors
    }

    fn are_mostly_alike(&self) -> bool {
        self.n_alike > self.n_alone
    }

    fn are_mostly_apart(&self) -> bool {
        self.n_beside_letters * 2 < self.n_alike + self.n_alone
    }
}

#[cfg(test)]
mod tests;
