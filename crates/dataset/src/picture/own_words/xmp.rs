//! Description and keywords of an XMP packet (XMP specification, part 1, and Dublin Core in part 2).

use quick_xml::{Reader, events::Event};

/// Keywords that are kept.
const MAX_KEYWORDS: usize = 500;

/// What a packet says about its picture.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Words {
    /// The first text of `dc:description`.
    pub(super) description: Option<String>,
    /// `dc:subject`, or else the last parts of Lightroom's `lr:hierarchicalSubject`.
    pub(super) keywords: Vec<String>,
}

#[derive(Clone, Copy)]
enum Field {
    Description,
    Subject,
    Hierarchy,
}

/// Reads as much of a packet as is well-formed. Entities that a packet declares itself are left out.
pub(super) fn read(packet: &str) -> Words {
    let mut words = Words::default();
    let mut leaves = Vec::new();
    let mut reader = Reader::from_str(packet.trim_matches(['\0', '\u{feff}']));
    let mut field = None;
    let mut item: Option<String> = None;
    while let Ok(event) = reader.read_event() {
        match event {
            Event::Start(start) => match start.name().as_ref() {
                b"dc:description" => field = Some(Field::Description),
                b"dc:subject" => field = Some(Field::Subject),
                b"lr:hierarchicalSubject" => field = Some(Field::Hierarchy),
                b"rdf:li" if field.is_some() => item = Some(String::new()),
                _ => {}
            },
            Event::End(end) => match end.name().as_ref() {
                b"dc:description" | b"dc:subject" | b"lr:hierarchicalSubject" => field = None,
                b"rdf:li" => {
                    let text = item.take().unwrap_or_default().trim().to_owned();
                    match field {
                        _ if text.is_empty() => {}
                        Some(Field::Description) => {
                            words.description.get_or_insert(text);
                        }
                        Some(Field::Subject) => words.keywords.push(text),
                        Some(Field::Hierarchy) => {
                            let leaf = text.rsplit('|').next().unwrap_or_default();
                            leaves.push(leaf.to_owned());
                        }
                        None => {}
                    }
                }
                _ => {}
            },
            Event::Text(text) => {
                if let (Some(item), Ok(text)) = (&mut item, text.decode()) {
                    item.push_str(&text);
                }
            }
            Event::CData(text) => {
                if let (Some(item), Ok(text)) = (&mut item, text.decode()) {
                    item.push_str(&text);
                }
            }
            Event::GeneralRef(reference) => {
                if let (Some(item), Ok(name)) = (&mut item, reference.decode()) {
                    item.extend(character(&name));
                }
            }
            Event::Eof => break,
            _ => {}
        }
    }
    if words.keywords.is_empty() {
        words.keywords = leaves;
    }
    words.keywords.truncate(MAX_KEYWORDS);
    words
}

/// The character that a reference stands for.
fn character(name: &str) -> Option<char> {
    let number = |digits: &str, base: u32| char::from_u32(u32::from_str_radix(digits, base).ok()?);
    match name {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => match name.strip_prefix('#')? {
            hexadecimal if hexadecimal.starts_with('x') => number(&hexadecimal[1..], 16),
            decimal => number(decimal, 10),
        },
    }
}
