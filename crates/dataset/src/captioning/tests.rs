//! What is read and written of a folder of pictures.

use std::{fs, path::Path};

use image::{Rgb, RgbImage};

use super::{CaptionFolder, CaptioningError};
use crate::{
    caption::proposals::{MEMORY_FILE, Origin, Policy, Rules},
    decoder::Decoder,
    picture,
};

const KEEP: Rules<'_> = Rules {
    policy: Policy::Keep,
    trigger_word: "zora",
};

/// Pictures of different colors.
fn folder(names: &[&str]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (i, name) in names.iter().enumerate() {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let pixels = RgbImage::from_pixel(80, 64, Rgb([20 * i as u8, 90, 200]));
        fs::write(path, picture::encode_png(&pixels)).unwrap();
    }
    folder
}

fn open(path: &Path) -> CaptionFolder {
    CaptionFolder::open(path, Decoder::in_process()).unwrap()
}

fn tags(tags: &[&str]) -> Vec<String> {
    tags.iter().map(|tag| (*tag).to_owned()).collect()
}

/// Accepts tags for all pictures that are open to them.
fn tag(folder: &mut CaptionFolder, by: &str, found: &[&str]) {
    for picture in folder.pictures.clone() {
        if folder.is_open_to(Policy::Keep, &picture) {
            let of = (picture.file_name.as_str(), picture.caption.as_str());
            let proposal = KEEP.of_tags(folder.memory(), of, &tags(found));
            folder.accept(&picture, &proposal, (Origin::Tagger, by)).unwrap();
        }
    }
}

#[test]
fn captions_are_written_beside_pictures_and_a_persons_stay() {
    let folder = folder(&["a.png", "10_zora/b.png", "c.png", "d.png"]);
    let at = |name: &str| folder.path().join(name);
    fs::write(at("c.png.txt"), "mine").unwrap();
    fs::write(
        at("metadata.jsonl"),
        r#"{"file_name": "d.png", "text": "mine too"}"#,
    )
    .unwrap();
    let mut opened = open(folder.path());
    assert!(opened.refused.is_empty(), "{:?}", opened.refused);
    tag(&mut opened, "wd", &["1girl", "hat"]);
    assert_eq!(fs::read_to_string(at("a.txt")).unwrap(), "zora, 1girl, hat\n");
    assert_eq!(
        fs::read_to_string(at("10_zora/b.txt")).unwrap(),
        "zora, 1girl, hat\n"
    );
    assert_eq!(fs::read_to_string(at("c.png.txt")).unwrap(), "mine");
    assert!(!at("c.txt").exists() && !at("d.txt").exists());
    let captions: Vec<String> = open(folder.path())
        .pictures
        .into_iter()
        .map(|picture| picture.caption)
        .collect();
    assert_eq!(
        captions,
        ["zora, 1girl, hat", "zora, 1girl, hat", "mine", "mine too"]
    );
}

/// Between two runs, a person takes a tag out and another tagger comes.
#[test]
fn what_is_remembered_survives_the_program() {
    let folder = folder(&["a.png", "b.png"]);
    tag(&mut open(folder.path()), "wd", &["1girl", "hat"]);
    fs::write(folder.path().join("a.txt"), "zora, 1girl").unwrap();
    let mut opened = open(folder.path());
    assert!(opened.refused.is_empty(), "{:?}", opened.refused);
    assert_eq!(opened.memory().origin("a.png", "zora, 1girl"), Origin::Human);
    tag(&mut opened, "other", &["1girl", "hat", "smile"]);
    assert_eq!(
        fs::read_to_string(folder.path().join("a.txt")).unwrap(),
        "zora, 1girl"
    );
    let b = fs::read_to_string(folder.path().join("b.txt")).unwrap();
    assert_eq!(b, "zora, 1girl, hat, smile\n");
    let opened = open(folder.path());
    assert_eq!(opened.memory().pictures["b.png"].by, "other");
    let added = Rules {
        policy: Policy::Add,
        ..KEEP
    };
    let added = added.of_tags(
        opened.memory(),
        ("a.png", "zora, 1girl"),
        &tags(&["hat", "smile"]),
    );
    assert_eq!(added.new, "zora, 1girl, smile");
}

/// Tags are added in one run, and the next one does not take the caption for a program's.
#[test]
fn a_person_keeps_words_that_tags_were_added_to() {
    let folder = folder(&["a.png"]);
    fs::write(folder.path().join("a.txt"), "my words").unwrap();
    let mut opened = open(folder.path());
    let picture = opened.pictures[0].clone();
    let add = Rules {
        policy: Policy::Add,
        ..KEEP
    };
    let added = add.of_tags(opened.memory(), ("a.png", "my words"), &tags(&["hat"]));
    opened.accept(&picture, &added, (Origin::Tagger, "wd")).unwrap();
    let mut opened = open(folder.path());
    assert!(!opened.is_open_to(Policy::Keep, &opened.pictures[0]));
    tag(&mut opened, "wd", &["1girl"]);
    let kept = fs::read_to_string(folder.path().join("a.txt")).unwrap();
    assert_eq!(kept, "zora, my words, hat\n");
}

#[test]
fn a_caption_that_was_changed_meanwhile_is_not_overwritten() {
    let folder = folder(&["a.png"]);
    let mut opened = open(folder.path());
    let picture = opened.pictures[0].clone();
    let proposal = KEEP.of_tags(opened.memory(), ("a.png", ""), &tags(&["hat"]));
    fs::write(folder.path().join("a.txt"), "typed just now").unwrap();
    let refused = opened.accept(&picture, &proposal, (Origin::Tagger, "wd"));
    assert!(matches!(refused, Err(CaptioningError::Changed(_))), "{refused:?}");
    assert!(refused.unwrap_err().of_picture().is_some());
    let kept = fs::read_to_string(folder.path().join("a.txt")).unwrap();
    assert_eq!(kept, "typed just now");
}

/// A caption that an upload refuses is somebody's words, too.
#[test]
fn a_caption_that_cannot_be_read_is_not_overwritten() {
    let folder = folder(&["a.png"]);
    fs::write(folder.path().join("A.TXT"), b"caf\xe9").unwrap();
    let mut opened = open(folder.path());
    let picture = opened.pictures[0].clone();
    let proposal = KEEP.of_tags(opened.memory(), ("a.png", ""), &tags(&["hat"]));
    let refused = opened.accept(&picture, &proposal, (Origin::Tagger, "wd"));
    let err = refused.unwrap_err().of_picture().unwrap();
    assert!(err.contains("A.TXT") && err.contains("UTF-8"), "{err}");
    assert_eq!(fs::read(folder.path().join("A.TXT")).unwrap(), b"caf\xe9");
}

#[test]
fn pixels_are_those_that_engines_see() {
    let folder = folder(&["a.png"]);
    let opened = open(folder.path());
    let pixels = opened.pixels(&opened.pictures[0]).unwrap();
    assert_eq!(
        (pixels.dimensions(), pixels.get_pixel(5, 5).0),
        ((80, 64), [0, 90, 200])
    );
}

#[test]
fn what_cannot_be_used_is_said() {
    let folder = folder(&["a.png"]);
    let file = CaptionFolder::open(&folder.path().join("a.png"), Decoder::in_process());
    assert!(matches!(file, Err(CaptioningError::NotAFolder(_))), "{file:?}");
    fs::write(folder.path().join(MEMORY_FILE), "{").unwrap();
    let damaged = CaptionFolder::open(folder.path(), Decoder::in_process());
    let damaged = damaged.unwrap_err();
    assert!(damaged.to_string().contains(MEMORY_FILE) && damaged.of_picture().is_none());
}
