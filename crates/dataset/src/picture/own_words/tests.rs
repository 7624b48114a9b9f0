use std::io::Write as _;

use flate2::{Compression, write::ZlibEncoder};
use image::{ExtendedColorType, ImageEncoder as _, Rgb, RgbImage, codecs::jpeg::JpegEncoder};

use super::*;
use crate::picture::{add_texts, encode_png};

fn pixels() -> RgbImage {
    RgbImage::from_fn(64, 64, |x, y| Rgb([x as u8, y as u8, 7]))
}

fn png_with(texts: &[(&str, &str)]) -> Vec<u8> {
    let mut png = encode_png(&pixels());
    let texts: Vec<(&str, String)> = texts
        .iter()
        .map(|(keyword, text)| (*keyword, (*text).to_owned()))
        .collect();
    add_texts(&mut png, &texts);
    png
}

fn png_with_chunk(name: [u8; 4], data: &[u8]) -> Vec<u8> {
    let mut png = encode_png(&pixels());
    png.splice(texts::HEAD_BYTES..texts::HEAD_BYTES, texts::chunk(name, data));
    png
}

/// A JPEG file with these segments of applications' data behind its first two bytes.
fn jpeg_with(segments: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let encoder = JpegEncoder::new_with_quality(&mut bytes, 90);
    encoder
        .write_image(&pixels(), 64, 64, ExtendedColorType::Rgb8)
        .unwrap();
    let segments = segments.iter().flat_map(|data| {
        let length = u16::try_from(data.len() + 2).unwrap().to_be_bytes();
        [&[0xff, 0xe1][..], &length, data].concat()
    });
    bytes.splice(2..2, segments.collect::<Vec<u8>>());
    bytes
}

/// EXIF data in big-endian order: a description, and a comment in a directory of its own.
fn exif(description: &[u8], comment: &[u8]) -> Vec<u8> {
    let entry = |tag: u16, kind: u16, count: usize, value: usize| {
        let (count, value) = (u32::try_from(count).unwrap(), u32::try_from(value).unwrap());
        [
            &tag.to_be_bytes()[..],
            &kind.to_be_bytes(),
            &count.to_be_bytes(),
            &value.to_be_bytes(),
        ]
        .concat()
    };
    // Values of up to four bytes would stand in the entry itself.
    assert!(description.len() > 4 && comment.len() > 4);
    let second = 8 + 2 + 2 * 12 + 4;
    let values = second + 2 + 12 + 4;
    [
        b"MM\0*\0\0\0\x08".to_vec(),
        vec![0, 2],
        entry(IMAGE_DESCRIPTION, 2, description.len(), values),
        entry(EXIF_DIRECTORY, 4, 1, second),
        vec![0; 4],
        vec![0, 1],
        entry(USER_COMMENT, 7, comment.len(), values + description.len()),
        vec![0; 4],
        description.to_vec(),
        comment.to_vec(),
    ]
    .concat()
}

fn xmp_packet(fields: &str) -> String {
    format!(
        "<?xpacket begin='\u{feff}'?><x:xmpmeta xmlns:x='adobe:ns:meta/'><rdf:RDF><rdf:Description>{fields}\
         </rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end='w'?>"
    )
}

fn jpeg_with_xmp(packet: &str) -> Vec<u8> {
    jpeg_with(&[[b"http://ns.adobe.com/xap/1.0/\0", packet.as_bytes()].concat()])
}

#[track_caller]
fn found(bytes: &[u8], text: &str, origin: &str) {
    let words = own_words(bytes).expect("it has words");
    assert_eq!((words.text.as_str(), words.origin), (text, origin));
}

const DRAWN: &str = "the prompt that it was drawn from";

#[test]
fn a_prompt_of_a1111_is_read_without_its_settings() {
    let parameters =
        "zora, <lora:ink:0.8> ゾラ\nNegative prompt: blurry\nSteps: 4, Sampler: Euler, CFG scale: 5, Seed: 1";
    found(&png_with(&[("parameters", parameters)]), "zora,  ゾラ", DRAWN);
    // What somebody wrote about a picture comes before what it was drawn from.
    found(
        &png_with(&[("parameters", parameters), ("Description", "Zora at sea")]),
        "Zora at sea",
        "its text `Description`",
    );
    // In files that are no PNG it is the comment, as UTF-16 of either order.
    let units = |to: fn(u16) -> [u8; 2]| -> Vec<u8> { parameters.encode_utf16().flat_map(to).collect() };
    for text in [units(u16::to_be_bytes), units(u16::to_le_bytes)] {
        let comment = [b"UNICODE\0".to_vec(), text].concat();
        let exif = [b"Exif\0\0".to_vec(), exif(b"SONY DSC\0", &comment)].concat();
        found(&jpeg_with(&[exif]), "zora,  ゾラ", DRAWN);
    }
}

#[test]
fn a_prompt_of_comfyui_is_read_if_there_is_no_doubt() {
    let nodes = |positive: &str, others: &str| {
        format!(
            r#"{{"1":{{"class_type":"CLIPTextEncode","inputs":{{"text":"zora, sea","clip":["4",1]}}}},
            "2":{{"class_type":"CLIPTextEncode","inputs":{{"text":"blurry","clip":["4",1]}}}},
            "5":{{"class_type":"ConditioningCombine","inputs":{{"conditioning_1":["1",0]}}}},
            "3":{{"class_type":"KSampler","inputs":{{"positive":["{positive}",0],"negative":["2",0]}}}}{others}}}"#
        )
    };
    let png = |nodes: String| png_with(&[("prompt", &nodes)]);
    found(&png(nodes("1", "")), "zora, sea", DRAWN);
    let twice = r#","6":{"class_type":"KSamplerAdvanced","inputs":{"positive":["1",0]}}"#;
    found(&png(nodes("1", twice)), "zora, sea", DRAWN);
    let other = r#","6":{"class_type":"KSampler","inputs":{"positive":["2",0]}}"#;
    let unknown = r#","6":{"class_type":"FaceDetailer","inputs":{"positive":["1",0]}}"#;
    for doubtful in [
        nodes("5", ""),
        nodes("9", ""),
        nodes("1", other),
        nodes("1", unknown),
        "[1]".into(),
    ] {
        assert_eq!(own_words(&png(doubtful.clone())), None, "{doubtful}");
    }
}

#[test]
fn descriptions_and_comments_of_exif_are_read() {
    let both = exif(b"Zo\xc3\xab at sea\0", b"ASCII\0\0\0a comment");
    let segment = [b"Exif\0\0".to_vec(), both.clone()].concat();
    found(&jpeg_with(&[segment]), "Zoë at sea", "its EXIF description");
    found(
        &png_with_chunk(*b"eXIf", &both),
        "Zoë at sea",
        "its EXIF description",
    );
    // Latin-1, and a camera's own words.
    let latin = exif(b"Zo\xeb at sea\0", b"ASCII\0\0\0a comment");
    found(
        &png_with_chunk(*b"eXIf", &latin),
        "Zoë at sea",
        "its EXIF description",
    );
    let camera = exif(b"OLYMPUS DIGITAL CAMERA         \0", b"ASCII\0\0\0a comment");
    found(
        &png_with_chunk(*b"eXIf", &camera),
        "a comment",
        "its EXIF comment",
    );
}

#[test]
fn descriptions_and_keywords_of_xmp_are_read() {
    let list = |tag: &str, kind: &str, items: &[&str]| {
        let items: String = items
            .iter()
            .map(|item| format!("<rdf:li>{item}</rdf:li>"))
            .collect();
        format!("<{tag}><rdf:{kind}>{items}</rdf:{kind}></{tag}>")
    };
    let subject = list("dc:subject", "Bag", &["zora", "red &amp; blue", " "]);
    let hierarchy = list("lr:hierarchicalSubject", "Bag", &["people|zora", "place|the sea"]);
    let description = list("dc:description", "Alt", &["Zora &#x40; sea", "Zora am Meer"]);
    for (fields, text, origin) in [
        (
            subject.clone() + &hierarchy + &description,
            "Zora @ sea",
            "its XMP description",
        ),
        (
            subject.clone() + &hierarchy,
            "zora, red & blue",
            "its XMP keywords",
        ),
        (hierarchy, "zora, the sea", "its XMP keywords"),
    ] {
        let packet = xmp_packet(&fields);
        found(&jpeg_with_xmp(&packet), text, origin);
        found(&png_with(&[("XML:com.adobe.xmp", &packet)]), text, origin);
    }
}

#[test]
fn damaged_and_hostile_metadata_says_nothing() {
    let bomb = {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(&vec![b'x'; 4 * MAX_BYTES]).unwrap();
        [b"parameters\0\0".to_vec(), encoder.finish().unwrap()].concat()
    };
    assert_eq!(own_words(&png_with_chunk(*b"zTXt", &bomb)), None);
    // Behind a damaged text, the next one counts.
    let mut png = png_with(&[("Description", "Zora at sea")]);
    png.splice(
        texts::HEAD_BYTES..texts::HEAD_BYTES,
        texts::chunk(*b"zTXt", b"parameters\0\0no zlib"),
    );
    found(&png, "Zora at sea", "its text `Description`");
    // Entities that grow without bound are none of ours.
    let laughs = "<!DOCTYPE x [<!ENTITY a 'ha'><!ENTITY b '&a;&a;'>]><dc:description><rdf:li>&b;&b;</rdf:li></dc:description>";
    assert_eq!(own_words(&jpeg_with_xmp(laughs)), None);
    assert_eq!(own_words(&jpeg_with_xmp(&"<dc:subject>".repeat(4000))), None);
    // EXIF data that is cut anywhere, or points beyond its end and at itself.
    let whole = exif(b"Zora at sea\0", b"ASCII\0\0\0a comment");
    for n_bytes in 0..whole.len() {
        own_words(&png_with_chunk(*b"eXIf", &whole[..n_bytes]));
        let mut pointing = whole.clone();
        pointing[n_bytes] = 0xff;
        own_words(&png_with_chunk(*b"eXIf", &pointing));
    }
    // A file that ends in the middle, and one that is no picture.
    let png = png_with(&[("Description", "Zora at sea")]);
    found(&png[..png.len() / 2], "Zora at sea", "its text `Description`");
    assert_eq!(own_words(b"text"), None);
    assert_eq!(own_words(b""), None);
}

#[test]
fn what_programs_write_by_themselves_is_left_out() {
    for filling in [
        "Screenshot",
        "Created with GIMP",
        "{\"shape\": [64, 64]}",
        "ImageJ=1.53c",
        "Processed with VSCO with c1 preset",
        "dav",
        "hdrpl",
        "btf ",
        " --ar 2:3 --v 6 Job ID: 1c7d9f3e",
        "...",
        "",
    ] {
        assert_eq!(
            own_words(&png_with(&[("Description", filling)])),
            None,
            "{filling}"
        );
    }
}

#[test]
fn a_prompt_of_midjourney_is_read_without_its_settings() {
    for text in [
        "zora at sea, red hat --ar 2:3 --v 6.0 Job ID: 1c7d9f3e-0000",
        "zora at sea, red hat Job ID: 1c7d9f3e-0000",
    ] {
        found(&png_with(&[("Description", text)]), "zora at sea, red hat", DRAWN);
    }
    let text = "a cat -- not a dog";
    found(
        &png_with(&[("Description", text)]),
        text,
        "its text `Description`",
    );
    found(
        &png_with(&[("Description", "a cat")]),
        "a cat",
        "its text `Description`",
    );
}

/// A WebP file of these chunks, without a picture.
fn webp_with(chunks: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut body = b"WEBP".to_vec();
    for (name, data) in chunks {
        body.extend_from_slice(name.as_bytes());
        body.extend_from_slice(&u32::try_from(data.len()).unwrap().to_le_bytes());
        body.extend_from_slice(data);
        body.resize(body.len().next_multiple_of(2), 0);
    }
    [
        b"RIFF",
        &u32::try_from(body.len()).unwrap().to_le_bytes()[..],
        &body,
    ]
    .concat()
}

#[test]
fn words_of_webp_and_tiff_files_are_read() {
    let exif = exif(b"Zora at sea\0", b"ASCII\0\0\0a comment");
    found(&exif, "Zora at sea", "its EXIF description");
    let packet = xmp_packet("<dc:subject><rdf:Bag><rdf:li>zora</rdf:li></rdf:Bag></dc:subject>");
    let xmp = ("XMP ", packet.into_bytes());
    found(
        &webp_with(&[("VP8L", vec![1; 9]), xmp.clone()]),
        "zora",
        "its XMP keywords",
    );
    let marked = [b"Exif\0\0".to_vec(), exif.clone()].concat();
    for exif in [exif, marked] {
        found(
            &webp_with(&[("VP8L", vec![1; 9]), ("EXIF", exif), xmp.clone()]),
            "Zora at sea",
            "its EXIF description",
        );
    }
}

#[test]
fn fuzz_picture_words() {
    let exif = exif(b"Zora at sea\0", b"UNICODE\0\0z\0o\0r\0a");
    let packet = xmp_packet(
        "<dc:subject><rdf:Bag><rdf:li>a &amp; b</rdf:li></rdf:Bag></dc:subject><dc:description><rdf:Alt>\
         <rdf:li>zora</rdf:li></rdf:Alt></dc:description>",
    );
    let nodes = r#"{"1":{"class_type":"CLIPTextEncode","inputs":{"text":"zora"}},
        "2":{"class_type":"KSampler","inputs":{"positive":["1",0]}}}"#;
    let files = [
        jpeg_with(&[
            [b"Exif\0\0".to_vec(), exif.clone()].concat(),
            [b"http://ns.adobe.com/xap/1.0/\0", packet.as_bytes()].concat(),
        ]),
        png_with(&[
            ("prompt", nodes),
            ("parameters", "zora\nSteps: 1, Seed: 2, Size: 8x8"),
        ]),
        webp_with(&[("EXIF", exif.clone()), ("XMP ", packet.into_bytes())]),
        exif,
    ];
    sim::fuzz::run("picture_words", &files, |input| {
        if let Some(words) = own_words(input) {
            assert!(words.text.len() <= 4 * MAX_BYTES && says_something(&words.text));
        }
    });
}
