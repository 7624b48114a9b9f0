//! An upload, `dataset check` and `train` see the same in the same files.

use std::{collections::BTreeMap, io::Cursor};

use dataset::{
    check::{CheckOptions, CheckReport, check},
    picture,
};
use image::{Rgb, RgbImage};
use protocol::{
    finding::{FindingCode, Severity},
    preset::Preset,
};

use super::*;

fn png(seed: u8) -> Vec<u8> {
    picture::encode_png(&RgbImage::from_fn(128, 128, |x, y| {
        let value = (x / 8 * 37) ^ (y / 8 * 59) ^ (u32::from(seed) * 101);
        Rgb([value as u8, (x * 2) as u8, (y * 2) as u8 ^ seed])
    }))
}

fn described(seed: u8, words: &str) -> Vec<u8> {
    let mut bytes = png(seed);
    picture::add_texts(&mut bytes, &[("Description", words.to_owned())]);
    bytes
}

fn truncated() -> Vec<u8> {
    let mut bytes = png(9);
    bytes.truncate(bytes.len() / 2);
    bytes
}

/// Captions by the names of pictures, and reasons by the names of files that were not accepted.
#[derive(Debug, Default, PartialEq)]
struct Said {
    captions: BTreeMap<String, String>,
    refused: BTreeMap<String, String>,
    notes: BTreeMap<String, Vec<String>>,
}

impl Said {
    fn by(items: &[IngestedItem], refused: &[RefusedFile]) -> Self {
        let of = |item: &IngestedItem| item.file_name.clone();
        Self {
            captions: items
                .iter()
                .map(|item| (of(item), item.caption.clone()))
                .collect(),
            refused: refused
                .iter()
                .map(|file| (file.file_name.clone(), file.reason.clone()))
                .collect(),
            notes: items
                .iter()
                .filter(|item| !item.notes.is_empty())
                .map(|item| (of(item), item.notes.clone()))
                .collect(),
        }
    }
}

fn uploaded(files: &[(&str, Vec<u8>)]) -> Said {
    let mut batch = Batch::into_dataset(Vec::new());
    let keep = |_: &NormalizedPicture| Ok::<(), std::io::Error>(());
    for (name, bytes) in files {
        batch.add(name, Cursor::new(bytes), keep).unwrap();
    }
    let report = batch.finish_with(|_| Ok(None), keep).unwrap();
    Said::by(&report.items, &report.refused)
}

fn checked(folder: &Path, max_tokens: u16) -> CheckReport {
    let options = CheckOptions {
        decoder: Decoder::in_process(),
        purpose: Purpose {
            preset: Preset::Character,
            resolution: 128,
            bucket_step: 32,
            batch_size: 8,
            max_tokens,
            trigger_word: String::new(),
            rules: None,
        },
    };
    check(folder, &options).unwrap()
}

fn details(report: &CheckReport, code: FindingCode) -> BTreeMap<String, Vec<String>> {
    let mut details: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let found = report.findings.iter().filter(|finding| finding.code == code);
    for picture in found.flat_map(|finding| &finding.pictures) {
        let of_picture = details.entry(picture.file_name.clone()).or_default();
        of_picture.push(picture.detail.clone());
    }
    details
}

/// A folder with these files.
fn folder(files: &[(&str, Vec<u8>)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    folder
}

/// The files of one thing that people have in their folders: the captions that the pictures get, and parts of the reasons for
/// which files are not accepted.
struct Case {
    name: &'static str,
    files: Vec<(&'static str, Vec<u8>)>,
    captions: Vec<(&'static str, &'static str)>,
    refused: Vec<(&'static str, &'static str)>,
}

fn cases() -> Vec<Case> {
    let case = |name, files, captions, refused| Case {
        name,
        files,
        captions,
        refused,
    };
    let text = |text: &str| text.as_bytes().to_vec();
    let long: &'static str = Box::leak("word ".repeat(479).into_boxed_str());
    vec![
        case(
            "an accent as one character and as two",
            vec![("zoe\u{308}.png", png(1)), ("zo\u{eb}.txt", text("a portrait"))],
            vec![("zoe\u{308}.png", "a portrait")],
            vec![],
        ),
        case(
            "the full name of the picture",
            vec![("a.png", png(1)), ("a.png.txt", text("a portrait"))],
            vec![("a.png", "a portrait")],
            vec![],
        ),
        case(
            "names that differ in case",
            vec![("Zora.png", png(1)), ("zora.png", png(2))],
            vec![("Zora.png", "")],
            vec![("zora.png", "apart from upper and lower case")],
        ),
        case(
            "joiners of pictographs and Persian",
            vec![
                ("a.png", png(1)),
                (
                    "a.txt",
                    text("👩\u{200d}🎨, \u{645}\u{6cc}\u{200c}\u{62e}\u{648}\u{627}\u{647}\u{645}"),
                ),
            ],
            vec![(
                "a.png",
                "👩\u{200d}🎨, \u{645}\u{6cc}\u{200c}\u{62e}\u{648}\u{627}\u{647}\u{645}",
            )],
            vec![],
        ),
        case(
            "captions that say nothing",
            vec![
                ("a.png", png(1)),
                ("a.txt", text(", , ,")),
                ("b.png", png(2)),
                ("b.txt", text("")),
            ],
            vec![("a.png", ""), ("b.png", "")],
            vec![("a.txt", "is empty"), ("b.txt", "is empty")],
        ),
        case(
            "a caption of 2,400 characters",
            vec![("a.png", png(1)), ("a.txt", text(long))],
            vec![("a.png", long.trim())],
            vec![],
        ),
        case(
            "folders of sd-scripts",
            vec![
                ("img/10_zora girl/1.png", png(1)),
                ("img/10_zora girl/2.png", png(2)),
                ("img/10_zora girl/2.txt", text("own words")),
                ("img/2_hat/3.png", png(3)),
            ],
            vec![
                ("img/10_zora girl/1.png", "zora girl"),
                ("img/10_zora girl/2.png", "own words"),
                ("img/2_hat/3.png", "hat"),
            ],
            vec![],
        ),
        case(
            "a good picture among others",
            vec![
                ("a.png", png(1)),
                ("b.png", truncated()),
                ("c.avif", b"\0\0\0\x1cftypavif\0\0\0\0".to_vec()),
                ("d.tga", [&[0xff; 40][..], b"TRUEVISION-XFILE.\0"].concat()),
            ],
            vec![("a.png", "")],
            vec![
                ("b.png", "is a damaged PNG file"),
                ("c.avif", "is an AVIF picture"),
                ("d.tga", "is a Targa picture"),
            ],
        ),
        case(
            "caches of other trainers",
            vec![
                ("a.png", png(1)),
                ("a.npz", b"PK\x03\x04".to_vec()),
                (".aitk_size.json", text("{}")),
                ("_latent_cache/a.safetensors", vec![0; 9]),
                ("aspect_ratio_bucket_indices_1.json", text("{}")),
            ],
            vec![("a.png", "")],
            vec![(".aitk_size.json", "and 3 more files are caches of other trainers")],
        ),
        case(
            "words that pictures bring along",
            vec![
                ("a.png", described(1, "Zora at sea")),
                ("b.png", described(2, "not these")),
                ("b.txt", text("these words")),
            ],
            vec![("a.png", "Zora at sea"), ("b.png", "these words")],
            vec![],
        ),
    ]
}

#[test]
fn an_upload_a_check_and_a_training_say_the_same() {
    for case in cases() {
        let name = case.name;
        let upload = uploaded(&case.files);
        let captions: Vec<(&str, &str)> = upload
            .captions
            .iter()
            .map(|(file, caption)| (file.as_str(), caption.as_str()))
            .collect();
        assert_eq!(captions, case.captions, "{name}");
        assert_eq!(
            upload.refused.len(),
            case.refused.len(),
            "{name}: {:?}",
            upload.refused
        );
        for (file, part) in &case.refused {
            let reason = upload.refused.get(*file).map_or("", String::as_str);
            assert!(
                reason.contains(part),
                "{name}: `{reason}` should contain `{part}`"
            );
        }

        let folder = folder(&case.files);
        let training = Pictures::read_with(&Decoder::in_process(), folder.path(), None).unwrap();
        let accepted: Vec<IngestedItem> = training.accepted.iter().map(|(_, item)| item.clone()).collect();
        assert_eq!(Said::by(&accepted, &training.refused), upload, "{name}");

        let report = checked(folder.path(), 75);
        assert!(report.passed, "{name}: a training would start: {report:?}");
        assert_eq!(report.n_pictures, upload.captions.len(), "{name}");
        let n_captioned = upload.captions.values().filter(|caption| !caption.is_empty());
        assert_eq!(report.n_captioned, n_captioned.count(), "{name}");
        assert_eq!(details(&report, FindingCode::Changed), upload.notes, "{name}");
        let refused = details(&report, FindingCode::FileRefused).into_iter();
        let refused: BTreeMap<String, String> =
            refused.map(|(file, reasons)| (file, reasons.join(" "))).collect();
        assert_eq!(refused, upload.refused, "{name}");
    }
}

#[test]
fn a_caption_that_is_cut_and_a_small_batch_are_told() {
    let words = "word ".repeat(300);
    let folder = folder(&[
        ("a.png", png(1)),
        ("a.txt", words.into_bytes()),
        ("b.png", png(2)),
        ("c.png", png(3)),
    ]);
    let report = checked(folder.path(), 75);
    let cut = details(&report, FindingCode::CaptionTooLong);
    assert!(cut["a.png"][0].contains("after 75"), "{cut:?}");
    let small = report
        .findings
        .iter()
        .find(|finding| finding.code == FindingCode::SmallBucket)
        .expect("there is one bucket, with three pictures");
    assert_eq!(
        (small.severity, small.message.as_str()),
        (
            Severity::Note,
            "The bucket 128×128 (3) has fewer pictures than a batch of 8."
        )
    );
}

/// Without pictures, none of them goes on, and all say why.
#[test]
fn nothing_to_train_on_is_an_error_everywhere() {
    let files = [("notes.md", b"# Notes".to_vec())];
    assert_eq!(uploaded(&files).captions.len(), 0);
    let folder = folder(&files);
    assert!(!checked(folder.path(), 75).passed);
    let Err(err) = Pictures::read_with(&Decoder::in_process(), folder.path(), None) else {
        panic!("there is nothing to train on");
    };
    assert!(
        err.to_string().contains("no picture was accepted: notes.md"),
        "{err}"
    );
}
