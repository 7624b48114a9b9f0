//! Captions that pictures bring along in their files.

use super::*;

fn described(seed: u8, words: &str) -> Vec<u8> {
    let mut bytes = png(seed);
    picture::add_texts(&mut bytes, &[("Description", words.to_owned())]);
    bytes
}

#[test]
fn own_words_caption_a_picture_that_has_no_other_caption() {
    let report = report_on(&[
        ("1.png", described(1, "Zora\u{200b} at sea\n\nin a red hat")),
        ("2.png", described(2, "not these")),
        ("2.txt", b"these words".to_vec()),
        ("3.png", described(3, "not these")),
        (
            "metadata.jsonl",
            br#"{"file_name": "3.png", "text": "of the list"}"#.to_vec(),
        ),
        ("10_zora girl/4.png", described(4, "not these")),
        ("5.png", described(5, &"long ".repeat(20_000))),
        ("6.png", described(6, ", ,")),
    ]);
    refused(&report, &[]);
    let captions: Vec<&str> = report.items.iter().map(|item| item.caption.as_str()).collect();
    assert_eq!(
        captions,
        [
            "Zora at sea\nin a red hat",
            "these words",
            "of the list",
            "zora girl",
            "",
            ""
        ]
    );
    assert_eq!(
        report.items[0].notes,
        [
            "caption taken from the picture itself: its text `Description`",
            caption::SEVERAL_LINES
        ]
    );
}

#[test]
fn own_words_take_no_room_from_captions() {
    let mut batch = Batch::default();
    let keep = |_: &NormalizedPicture| Ok::<(), io::Error>(());
    batch
        .add("1.png", Cursor::new(described(1, "Zora at sea")), keep)
        .unwrap();
    assert_eq!((batch.n_caption_bytes, batch.n_own_bytes), (0, 11));
    batch.n_own_bytes = limits::MAX_CAPTIONS_BYTES;
    batch
        .add("2.png", Cursor::new(described(2, "Zora on land")), keep)
        .unwrap();
    batch.add("3.txt", Cursor::new(b"a portrait"), keep).unwrap();
    batch.add("3.png", Cursor::new(png(3)), keep).unwrap();
    let captions: Vec<String> = batch
        .finish()
        .items
        .into_iter()
        .map(|item| item.caption)
        .collect();
    assert_eq!(captions, ["Zora at sea", "", "a portrait"]);
}

#[test]
fn own_words_never_replace_a_caption_of_the_dataset() {
    let mask = picture::encode_png(&RgbImage::from_fn(64, 64, |x, _| {
        Rgb([if x < 32 { 255 } else { 0 }; 3])
    }));
    let plain = picture::normalize(&png(1)).unwrap().png;
    let joined = picture::joined(&plain, &mask).unwrap();
    let (masked, sha256) = (joined.png, joined.sha256);
    let known = KnownPicture {
        file_name: "1.png".into(),
        sha256: sha256.clone(),
    };
    let mut batch = Batch::into_dataset(vec![known]).with_masked(HashMap::from([(sha256, (64, 64))]));
    let keep = |_: &NormalizedPicture| Ok::<(), io::Error>(());
    batch
        .add("1.png", Cursor::new(described(1, "other words")), keep)
        .unwrap();
    let report = batch
        .finish_with(|_| Ok::<_, io::Error>(Some(masked.clone())), keep)
        .unwrap();
    assert_eq!((report.again.len(), report.items.len()), (1, 0));
    assert_eq!(report.captions, []);
}
