//! Walks a JPEG's markers, because the decoder fills in gray where a truncated file has no pixels.

/// Checks that a JPEG file is whole, and returns its number of color components.
///
/// The structure is that of ITU-T T.81, annex B: segments with a length, and after a start-of-scan segment
/// entropy-coded bytes up to the next marker, in which 0xFF is followed by 0x00 or a restart marker.
pub(super) fn inspect(bytes: &[u8]) -> Result<u8, &'static str> {
    const TRUNCATED: &str = "it ends in the middle of the picture";
    let mut n_components = None;
    let mut has_scan = false;
    let mut at = 2; // after the start-of-image marker
    loop {
        at += bytes[at.min(bytes.len())..]
            .iter()
            .position(|&byte| byte == 0xff)
            .ok_or(TRUNCATED)?;
        while bytes.get(at) == Some(&0xff) {
            at += 1; // fill bytes
        }
        let marker = *bytes.get(at).ok_or(TRUNCATED)?;
        at += 1;
        match marker {
            0x00 | 0x01 | 0xd0..=0xd7 => continue, // stuffed byte, no content, restart
            0xd9 if has_scan => return n_components.ok_or("it has no header"),
            0xd8 | 0xd9 => return Err("its parts are out of order"),
            _ => {}
        }
        let length = match bytes.get(at..at + 2) {
            Some(&[high, low]) => usize::from(u16::from_be_bytes([high, low])),
            _ => return Err(TRUNCATED),
        };
        // Start of frame: every 0xC0..=0xCF but the tables 0xC4 and 0xCC and the reserved 0xC8.
        if matches!(marker, 0xc0..=0xcf) && !matches!(marker, 0xc4 | 0xc8 | 0xcc) {
            n_components = Some(*bytes.get(at + 7).ok_or(TRUNCATED)?);
        }
        has_scan |= marker == 0xda;
        at += length.max(2);
    }
}
