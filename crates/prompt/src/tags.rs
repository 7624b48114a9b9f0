//! LoRA tags: `<lora:name:weight>`.

use std::ops::Range;

/// A LoRA that a prompt names.
#[derive(Debug, Clone, PartialEq)]
pub struct LoraTag {
    /// The tag as it was written.
    pub written: String,
    /// Name of the LoRA, without a `.safetensors` at its end.
    pub name: String,
    /// Weight in the text encoders; 1 if the tag has none.
    pub text_encoders: f64,
    /// Weight in the U-Net; that of the text encoders if the tag has none.
    pub unet: f64,
}

impl LoraTag {
    /// The weight of the whole LoRA.
    ///
    /// # Errors
    /// If the tag gives the text encoders another weight than the U-Net: LoRAs are applied as a whole.
    pub fn weight(&self) -> Result<f64, BadTag> {
        if self.text_encoders == self.unet {
            return Ok(self.unet);
        }
        Err(BadTag {
            written: self.written.clone(),
            why: format!(
                "gives the text encoders weight {} and the U-Net {}; a LoRA is applied with one weight: write `<lora:{}:{}>`",
                self.text_encoders, self.unet, self.name, self.unet
            ),
        })
    }
}

/// A LoRA tag that cannot be read. No picture is drawn with it: it would lack a LoRA.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{written}` {why}")]
pub struct BadTag {
    /// The tag as it was written.
    pub written: String,
    /// What is wrong and what would be right.
    pub why: String,
}

/// What looks like a tag: `<word:…>`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Tag {
    /// A LoRA.
    Lora(LoraTag),
    /// A LoRA whose tag cannot be read.
    Bad(BadTag),
    /// Another kind of tag: letters.
    Other,
}

/// Every tag of a text, and where it is in bytes. A tag is `<`, a word, a colon, and anything up to the next `>`; a
/// backslash before it makes it letters.
pub(crate) fn find(text: &str) -> Vec<(Range<usize>, Tag)> {
    let mut tags = Vec::new();
    let mut from = 0;
    while let Some(start) = text[from..].find('<').map(|at| from + at) {
        from = start + 1;
        let n_backslashes = text[..start]
            .bytes()
            .rev()
            .take_while(|byte| *byte == b'\\')
            .count();
        if n_backslashes % 2 == 1 {
            continue;
        }
        let rest = &text[from..];
        let word = rest.find(|c: char| !(c.is_alphanumeric() || c == '_'));
        let Some(word) = word.filter(|n| *n > 0 && rest[*n..].starts_with(':')) else {
            continue;
        };
        let Some(length) = rest.find('>').filter(|end| *end > word + 1) else {
            continue;
        };
        let end = from + length + 1;
        let tag = read(&rest[..word], &rest[word + 1..length], &text[start..end]);
        tags.push((start..end, tag));
        from = end;
    }
    tags
}

fn read(kind: &str, arguments: &str, written: &str) -> Tag {
    if !["lora", "lyco"]
        .iter()
        .any(|known| kind.eq_ignore_ascii_case(known))
    {
        return Tag::Other;
    }
    let bad = |why: String| {
        let written = written.to_owned();
        Tag::Bad(BadTag { written, why })
    };
    let mut parts = arguments.split(':').map(str::trim);
    let name = parts.next().unwrap_or_default();
    let name = name.strip_suffix(".safetensors").unwrap_or(name);
    if name.is_empty() {
        return bad("names no LoRA: write `<lora:NAME:WEIGHT>`".to_owned());
    }
    let (mut text_encoders, mut unet) = (None, None);
    for part in parts {
        // A1111 takes weights by place and by name.
        let (place, value) = match part.split_once('=') {
            Some(("te", value)) => (&mut text_encoders, value.trim()),
            Some(("unet", value)) => (&mut unet, value.trim()),
            Some(_) => {
                return bad(format!(
                    "has `{part}`, which is not known: only weights follow the name"
                ));
            }
            None if text_encoders.is_none() => (&mut text_encoders, part),
            None => (&mut unet, part),
        };
        let weight = value.parse::<f64>().ok().filter(|weight| weight.is_finite());
        let Some(weight) = weight else {
            return bad(format!("has the weight `{value}`, which is not a number"));
        };
        if place.replace(weight).is_some() {
            return bad("has more than two weights: write `<lora:NAME:WEIGHT>`".to_owned());
        }
    }
    let text_encoders = text_encoders.unwrap_or(1.0);
    Tag::Lora(LoraTag {
        written: written.to_owned(),
        name: name.to_owned(),
        text_encoders,
        unet: unet.unwrap_or(text_encoders),
    })
}

#[cfg(test)]
mod tests;
