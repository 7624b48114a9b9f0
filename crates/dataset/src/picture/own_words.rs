//! Words that a picture file has about itself: a description, keywords, or the prompt that it was drawn from.
//!
//! Nothing here looks at pixels, and nothing is trusted: whatever is damaged, too large or not sure to be about the picture
//! is left out.

use std::collections::BTreeSet;

use image::ImageFormat;
use protocol::made::{a1111, comfyui};
use serde_json::{Map, Value};

use super::{facts, texts};
use crate::sniff::{self, Kind};

mod xmp;

/// Words of a file, and where they were.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OwnWords {
    /// The words, as they are.
    pub(crate) text: String,
    /// Where they were: `its XMP description`.
    pub(crate) origin: &'static str,
}

/// Bytes of texts, of an XMP packet and of nodes that are read, each; captions have far fewer.
const MAX_BYTES: usize = 1 << 20;

/// Keywords of texts in PNG files.
const DESCRIPTION: &str = "Description";
const XMP: &str = "XML:com.adobe.xmp";

/// EXIF tags (version 2.32, sections 4.6.4 and 4.6.5), and one of the XMP specification, part 3.
const IMAGE_DESCRIPTION: u16 = 0x010e;
const XMP_PACKET: u16 = 0x02bc;
const EXIF_DIRECTORY: u16 = 0x8769;
const USER_COMMENT: u16 = 0x9286;

/// What a file says beside its pixels.
#[derive(Default)]
struct Metadata {
    parameters: Option<String>,
    nodes: Option<String>,
    /// The text `Description` of a PNG file.
    text: Option<String>,
    xmp: xmp::Words,
    description: Option<String>,
    comment: Option<String>,
}

/// The words of a picture file: what somebody wrote about it, or else its keywords, or else the prompt that it was drawn from.
pub(crate) fn own_words(bytes: &[u8]) -> Option<OwnWords> {
    let Kind::Picture(format) = sniff::sniff(&bytes[..bytes.len().min(sniff::HEAD_BYTES)]) else {
        return None;
    };
    let metadata = Metadata::of(bytes, format);
    let mut prompts: Vec<String> = metadata
        .parameters
        .iter()
        .map(|text| a1111::read(text).prompt)
        .collect();
    for (text, origin) in [
        (metadata.xmp.description, "its XMP description"),
        (metadata.text, "its text `Description`"),
        (metadata.description, "its EXIF description"),
        (metadata.comment, "its EXIF comment"),
    ] {
        let Some(text) = text.filter(|text| says_something(text) && !is_of_a_phone(text)) else {
            continue;
        };
        if let Some(prompt) = of_midjourney(&text) {
            prompts.push(prompt.to_owned());
            continue;
        }
        // A1111 writes settings into the comment of files that are no PNG.
        let settings = a1111::read(&text);
        if settings.n_steps.is_none() {
            return Some(OwnWords { text, origin });
        }
        prompts.push(settings.prompt);
    }
    let keywords = metadata.xmp.keywords.join(", ");
    if says_something(&keywords) {
        return Some(OwnWords {
            text: keywords,
            origin: "its XMP keywords",
        });
    }
    prompts.extend(metadata.nodes.as_deref().and_then(drawn_by_nodes));
    let text = prompts.into_iter().find(|text| says_something(text))?;
    Some(OwnWords {
        text,
        origin: "the prompt that it was drawn from",
    })
}

impl Metadata {
    fn of(bytes: &[u8], format: ImageFormat) -> Self {
        let mut metadata = Self::default();
        match format {
            ImageFormat::Png => metadata.read_png(bytes),
            ImageFormat::Jpeg => {
                for data in facts::jpeg::segments(bytes, 0xe1) {
                    if let Some(exif) = data.strip_prefix(b"Exif\0\0") {
                        metadata.read_exif(exif);
                    } else if let Some(packet) = data.strip_prefix(b"http://ns.adobe.com/xap/1.0/\0") {
                        metadata.read_xmp(packet);
                    }
                }
            }
            ImageFormat::WebP => {
                if let Some(exif) = facts::webp::chunk(bytes, b"EXIF") {
                    metadata.read_exif(exif.strip_prefix(b"Exif\0\0").unwrap_or(exif));
                }
                if let Some(packet) = facts::webp::chunk(bytes, b"XMP ") {
                    metadata.read_xmp(packet);
                }
            }
            ImageFormat::Tiff => {
                metadata.read_exif(bytes);
                if let Some(packet) = facts::tiff::value(bytes, None, XMP_PACKET) {
                    metadata.read_xmp(packet);
                }
            }
            _ => {}
        }
        metadata
    }

    fn read_png(&mut self, bytes: &[u8]) {
        let keywords = [a1111::KEYWORD, comfyui::PROMPT, DESCRIPTION, XMP];
        for text in texts::find_texts(bytes, &keywords, MAX_BYTES) {
            let place = match text.keyword.as_str() {
                a1111::KEYWORD => &mut self.parameters,
                comfyui::PROMPT => &mut self.nodes,
                DESCRIPTION => &mut self.text,
                _ => {
                    self.read_xmp(text.text.as_bytes());
                    continue;
                }
            };
            place.get_or_insert(text.text);
        }
        let chunks = facts::png::walk(bytes).map_while(|chunk| chunk);
        if let Some((_, exif)) = chunks.into_iter().find(|(name, _)| name == b"eXIf") {
            self.read_exif(exif);
        }
    }

    fn read_exif(&mut self, exif: &[u8]) {
        let description = facts::tiff::value(exif, None, IMAGE_DESCRIPTION);
        let description = description.filter(|bytes| bytes.len() <= MAX_BYTES);
        self.description = self.description.take().or_else(|| description.map(plain));
        let comment = facts::tiff::value(exif, Some(EXIF_DIRECTORY), USER_COMMENT);
        let comment = comment.filter(|bytes| bytes.len() <= MAX_BYTES);
        self.comment = self.comment.take().or_else(|| comment.and_then(comment_of));
    }

    fn read_xmp(&mut self, packet: &[u8]) {
        if packet.len() <= MAX_BYTES
            && let Ok(packet) = str::from_utf8(packet)
        {
            let words = xmp::read(packet);
            self.xmp.description = self.xmp.description.take().or(words.description);
            if self.xmp.keywords.is_empty() {
                self.xmp.keywords = words.keywords;
            }
        }
    }
}

/// A text of EXIF data: ASCII by the specification, UTF-8 by what programs do, Latin-1 otherwise.
fn plain(bytes: &[u8]) -> String {
    let bytes = bytes.split(|&byte| byte == 0).next().unwrap_or_default();
    match str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes.iter().map(|&byte| char::from(byte)).collect(),
    }
}

/// A comment of EXIF data, behind eight bytes that name its encoding (section 4.6.5).
fn comment_of(bytes: &[u8]) -> Option<String> {
    let (encoding, text) = bytes.split_at_checked(8)?;
    match encoding {
        b"ASCII\0\0\0" | b"\0\0\0\0\0\0\0\0" => Some(plain(text)),
        b"UNICODE\0" => Some(utf16(text)),
        _ => None,
    }
}

/// UTF-16 whose byte order is not that of the file in every program: most texts have spaces and commas, whose upper byte
/// is zero.
fn utf16(bytes: &[u8]) -> String {
    let (pairs, _) = bytes.as_chunks::<2>();
    let n_zero = |at: usize| {
        pairs
            .iter()
            .filter(|pair| pair[at] == 0 && pair[1 - at] != 0)
            .count()
    };
    let unit = match n_zero(0) >= n_zero(1) {
        true => u16::from_be_bytes,
        false => u16::from_le_bytes,
    };
    let units: Vec<u16> = pairs.iter().map(|&pair| unit(pair)).collect();
    String::from_utf16_lossy(&units)
        .trim_matches(['\0', '\u{feff}'])
        .to_owned()
}

/// Whether a text is about the picture: cameras, screens and programs fill the fields with their own words.
fn says_something(text: &str) -> bool {
    const FILLINGS: [&str; 6] = [
        "digital camera",
        "sony dsc",
        "exif_jpeg_picture",
        "screenshot",
        "created with gimp",
        "default",
    ];
    let text = text.trim().to_lowercase();
    let is_filling = FILLINGS.iter().any(|filling| text == *filling)
        || text.ends_with(" digital camera")
        || text.starts_with("imagej=")
        || text.starts_with('{');
    !is_filling && text.chars().any(char::is_alphabetic)
}

/// Whether phones and their apps wrote a description: `dav`, `hdrpl`, `rhdr`, `Processed with VSCO with c1 preset`.
fn is_of_a_phone(text: &str) -> bool {
    let text = text.trim();
    let is_mode = text.len() < 8
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    is_mode || text.to_lowercase().starts_with("processed with ")
}

/// The prompt in a description of Midjourney: `zora at sea --ar 2:3 --v 6 Job ID: 1c7…`.
fn of_midjourney(text: &str) -> Option<&str> {
    let (before, _) = text.split_once(" Job ID: ")?;
    let prompt = before.split(" --").next().unwrap_or(before);
    Some(prompt.trim())
}

/// The prompt of ComfyUI's nodes, if there is no doubt which it is: every sampler is one of its own, and the conditioning of
/// all of them is the text of one node.
fn drawn_by_nodes(text: &str) -> Option<String> {
    let nodes: Map<String, Value> = serde_json::from_str(text).ok()?;
    let mut prompts = BTreeSet::new();
    for node in nodes.values() {
        let Some(link) = node["inputs"].get("positive") else {
            continue;
        };
        if !matches!(node["class_type"].as_str()?, "KSampler" | "KSamplerAdvanced") {
            return None;
        }
        let source = nodes.get(link.get(0)?.as_str()?)?;
        let words = |name: &str| source["inputs"][name].as_str();
        let prompt = match source["class_type"].as_str()? {
            "CLIPTextEncode" => words("text")?,
            "CLIPTextEncodeSDXL" if words("text_g") == words("text_l") => words("text_g")?,
            _ => return None,
        };
        prompts.insert(prompt);
    }
    let prompt = prompts.pop_first()?;
    prompts.is_empty().then(|| prompt.to_owned())
}

#[cfg(test)]
mod tests;
