use std::io::{Cursor, Write as _};

use image::{Rgb, RgbImage};
use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

use super::*;
use crate::picture;

mod documents;
mod names;
mod own_words;

fn png(seed: u8) -> Vec<u8> {
    picture::encode_png(&RgbImage::from_fn(64, 64, |x, y| Rgb([x as u8, y as u8, seed])))
}

fn report_on(files: &[(&str, Vec<u8>)]) -> IngestReport {
    report_in(Batch::default(), files)
}

fn report_in(mut batch: Batch, files: &[(&str, Vec<u8>)]) -> IngestReport {
    for (name, bytes) in files {
        batch
            .add(name, Cursor::new(bytes), |_| Ok::<(), io::Error>(()))
            .unwrap();
    }
    batch.finish()
}

fn zip(entries: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in entries {
        let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
        writer.start_file(*name, options).unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn names(report: &IngestReport) -> Vec<&str> {
    report.items.iter().map(|item| item.file_name.as_str()).collect()
}

/// Checks which files were refused, and a part of each reason.
#[track_caller]
pub(super) fn refused(report: &IngestReport, expected: &[(&str, &str)]) {
    let refused: Vec<_> = report
        .refused
        .iter()
        .map(|file| (file.file_name.as_str(), file.reason.as_str()))
        .collect();
    assert_eq!(refused.len(), expected.len(), "{refused:?}");
    for ((name, reason), (expected_name, part)) in refused.into_iter().zip(expected) {
        assert_eq!(name, *expected_name);
        assert!(
            reason.contains(part),
            "`{name}`: `{reason}` should contain `{part}`"
        );
    }
}

#[test]
fn pairs_captions_with_pictures_in_any_order() {
    let report = report_on(&[
        ("b.txt", b"  the second ".to_vec()),
        ("A.PNG", png(1)),
        ("b.png", png(2)),
        ("a.txt", b"the first".to_vec()),
        ("c.png", png(3)),
    ]);
    refused(&report, &[]);
    let captions: Vec<_> = report
        .items
        .iter()
        .map(|item| (&*item.file_name, &*item.caption))
        .collect();
    assert_eq!(
        captions,
        [("A.PNG", "the first"), ("b.png", "the second"), ("c.png", "")]
    );
}

/// A letter with its accent apart, as macOS writes names, and as one character.
#[test]
fn an_accent_may_be_written_either_way() {
    let report = report_on(&[
        ("zoe\u{308}.txt", b"a portrait".to_vec()),
        ("zo\u{eb}.png", png(1)),
    ]);
    refused(&report, &[]);
    assert_eq!(report.items[0].caption, "a portrait");
}

#[test]
fn names_every_refused_file_and_goes_on() {
    let report = report_on(&[
        ("text.png", b"I am text".to_vec()),
        ("latin.txt", b"gr\xfcn".to_vec()),
        ("same.png", png(1)),
        ("same.jpg", png(2)),
        ("copy.png", png(1)),
        ("orphan.txt", b"a caption".to_vec()),
        ("empty.txt", b"\n".to_vec()),
        ("good.png", png(3)),
        (".DS_Store", b"clutter".to_vec()),
    ]);
    assert_eq!(names(&report), ["same.png", "good.png"]);
    refused(
        &report,
        &[
            ("text.png", "is not a picture but text"),
            ("latin.txt", "is not UTF-8 text: byte 2 is 0xfc"),
            (
                "same.jpg",
                "has the same name as `same.png` apart from the extension",
            ),
            ("copy.png", "shows the same pixels as `same.png`"),
            ("empty.txt", "is empty: describe the picture"),
            ("orphan.txt", "is a caption without a picture"),
        ],
    );
}

#[test]
fn captions_find_pictures_of_an_earlier_upload() {
    let first = report_on(&[("zora.png", png(1))]);
    let known = |name: &str, sha256: &str| KnownPicture {
        file_name: name.into(),
        sha256: sha256.into(),
    };
    let batch = Batch::into_dataset(vec![
        known("zora.png", &first.items[0].sha256),
        known("two.png", "b"),
        known("two.jpg", "c"),
    ]);
    let report = report_in(
        batch,
        &[
            ("again.png", png(1)),
            ("zora.txt", b"zora".to_vec()),
            ("two.txt", b"which?".to_vec()),
        ],
    );
    assert_eq!(
        report.captions,
        [NewCaption {
            sha256: first.items[0].sha256.clone(),
            caption: "zora".into(),
            notes: Vec::new(),
        }]
    );
    let again = SamePicture {
        file_name: "again.png".into(),
        known_as: "zora.png".into(),
        sha256: first.items[0].sha256.clone(),
    };
    assert_eq!(report.again, [again]);
    refused(&report, &[("two.txt", "belongs to more than one picture")]);
}

#[test]
fn a_picture_that_the_dataset_has_is_handed_on_again() {
    let first = report_on(&[("zora.png", png(1))]);
    let known = KnownPicture {
        file_name: "zora.png".into(),
        sha256: first.items[0].sha256.clone(),
    };
    let mut batch = Batch::into_dataset(vec![known]);
    let mut stored = Vec::new();
    let mut store = |picture: &NormalizedPicture| {
        stored.push(picture.sha256.clone());
        Ok::<(), std::io::Error>(())
    };
    batch.add("again.png", Cursor::new(png(1)), &mut store).unwrap();
    let report = batch.finish();
    assert_eq!(
        stored,
        [first.items[0].sha256.clone()],
        "its stored file may be lost"
    );
    assert_eq!(report.items, []);
    assert_eq!(
        report.again[0].reason(),
        "shows the same pixels as `zora.png`: a picture counts once"
    );
}

#[test]
fn hands_each_picture_on_at_once_and_stops_when_it_cannot_be_stored() {
    let mut batch = Batch::default();
    let mut stored = Vec::new();
    for seed in 0..3 {
        let store = |picture: &NormalizedPicture| {
            stored.push(picture.sha256.clone());
            Ok::<(), io::Error>(())
        };
        batch
            .add(&format!("{seed}.png"), Cursor::new(png(seed)), store)
            .unwrap();
    }
    assert_eq!(stored.len(), 3);
    let full = |_: &NormalizedPicture| Err(io::Error::from(io::ErrorKind::StorageFull));
    let err = batch.add("last.png", Cursor::new(png(9)), full).unwrap_err();
    assert_eq!(err.to_string(), "failed to store the picture `last.png`");
    assert_eq!(names(&batch.finish()).len(), 3);
}

#[test]
fn masks_of_an_archive_belong_to_its_pictures() {
    let archive = zip(&[
        ("10_zora/1.png", png(1)),
        ("10_zora/masks/1.png", png(2)),
        ("10_zora/2.png", png(3)),
    ]);
    let report = report_on(&[("set.zip", archive), ("10_zora/2-masklabel.png", png(4))]);
    assert_eq!(names(&report), ["10_zora/1.png", "10_zora/2.png"]);
    let masks = report
        .items
        .iter()
        .map(|item| item.mask.as_ref().map(|mask| &*mask.file_name));
    assert_eq!(
        masks.collect::<Vec<_>>(),
        [Some("set.zip/10_zora/masks/1.png"), None]
    );
    refused(
        &report,
        &[(
            "10_zora/2-masklabel.png",
            "is the loss mask of a picture named `10_zora/2`",
        )],
    );
}

#[test]
fn takes_the_files_of_an_archive() {
    let archive = zip(&[
        ("zora/1.png", png(1)),
        ("zora/1.txt", b"one".to_vec()),
        ("__MACOSX/zora/._1.png", b"clutter".to_vec()),
        ("zora/Thumbs.db", b"clutter".to_vec()),
        ("zora/bad.png", b"text".to_vec()),
    ]);
    let report = report_on(&[("set.zip", archive)]);
    assert_eq!(names(&report), ["zora/1.png"]);
    assert_eq!(report.items[0].caption, "one");
    refused(&report, &[("set.zip/zora/bad.png", "is not a picture but text")]);
}

#[test]
fn refuses_hostile_names_and_takes_the_rest() {
    let archive = zip(&[
        ("../up.png", png(1)),
        ("a/../../up.png", png(2)),
        ("/etc/absolute.png", png(3)),
        ("C:\\drive.png", png(4)),
        ("..\\up.png", png(5)),
        ("inner.zip", zip(&[("x.png", png(6))])),
        ("Case.png", png(7)),
        ("case.png", png(8)),
        ("good.png", png(9)),
    ]);
    let report = report_on(&[("x.zip", archive)]);
    assert_eq!(names(&report), ["Case.png", "good.png"]);
    refused(
        &report,
        &[
            ("x.zip/../up.png", "has `..` in its name"),
            ("x.zip/a/../../up.png", "has `..` in its name"),
            ("x.zip//etc/absolute.png", "has an absolute path as its name"),
            ("x.zip/C:/drive.png", "has a drive letter in its name"),
            ("x.zip/../up.png", "has `..` in its name"),
            ("x.zip/inner.zip", "is an archive inside an archive"),
            (
                "x.zip/case.png",
                "has the same name as another file in the archive",
            ),
        ],
    );
}

#[test]
fn refuses_symbolic_links() {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    writer
        .add_symlink("link.png", "/etc/passwd", SimpleFileOptions::default())
        .unwrap();
    let report = report_on(&[("x.zip", writer.finish().unwrap().into_inner())]);
    refused(&report, &[("x.zip/link.png", "is a symbolic link")]);
}

#[test]
fn refuses_an_archive_that_breaks_a_limit_as_a_whole() {
    let limits = Limits {
        n_entries: 3,
        directory_bytes: 10_000,
        total_bytes: 100_000,
        entry_bytes: 60_000,
        ratio: 20,
        ratio_from_bytes: 20_000,
    };
    let noise = |n: usize| {
        (0..n as u32)
            .map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8)
            .collect::<Vec<_>>()
    };
    for (entries, reason) in [
        (
            vec![("a.png", png(1)), ("b", vec![1]), ("c", vec![2]), ("d", vec![3])],
            "an archive can have at most 3",
        ),
        (
            vec![("a.png", png(1)), ("big.png", noise(70_000))],
            "a file in it unpacks to more than 0 MiB",
        ),
        (
            vec![
                ("a.png", png(1)),
                ("b.png", noise(55_000)),
                ("c.png", noise(55_001)),
            ],
            "unpacks to more than 0 MiB",
        ),
        (
            vec![("a.png", png(1)), ("zeros.png", vec![0; 50_000])],
            "more than 20 times its size",
        ),
    ] {
        let batch = Batch::default().with_limits(limits);
        let report = report_in(batch, &[("bomb.zip", zip(&entries)), ("good.png", png(1))]);
        assert_eq!(
            names(&report),
            ["good.png"],
            "what came out of the bomb is forgotten"
        );
        refused(&report, &[("bomb.zip", reason)]);
    }
}

#[test]
fn the_default_limits_stop_a_bomb_of_a_gigabyte_early() {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    writer
        .start_file("zeros.png", SimpleFileOptions::default())
        .unwrap();
    let zeros = vec![0; 1 << 20];
    for _ in 0..300 {
        writer.write_all(&zeros).unwrap();
    }
    let report = report_on(&[("bomb.zip", writer.finish().unwrap().into_inner())]);
    refused(
        &report,
        &[(
            "bomb.zip",
            "is a zip bomb: it unpacks to more than 200 times its size",
        )],
    );
}

#[test]
fn refuses_broken_archives() {
    let mut truncated = zip(&[("a.png", png(1))]);
    truncated.truncate(truncated.len() / 2);
    let mut corrupt = zip(&[("a.png", png(1)), ("b.png", png(2))]);
    corrupt[60] ^= 0xff;
    let report = report_on(&[
        ("cut.zip", truncated),
        ("empty.zip", zip(&[])),
        ("corrupt.zip", corrupt),
    ]);
    assert_eq!(names(&report), ["b.png"]);
    refused(
        &report,
        &[
            ("cut.zip", "is a damaged zip archive"),
            ("empty.zip", "is an empty archive"),
            ("corrupt.zip/a.png", "is damaged in the archive"),
        ],
    );
}

#[test]
fn files_of_all_archives_of_an_upload_count_together() {
    let file_names: Vec<String> = (0..8000).map(|index| format!("{index}.md")).collect();
    let entries: Vec<_> = file_names
        .iter()
        .map(|name| (name.as_str(), Vec::new()))
        .collect();
    let archive = zip(&entries);
    let report = report_on(&[
        ("a.zip", archive.clone()),
        ("b.zip", archive.clone()),
        ("c.zip", archive),
        ("d.zip", zip(&[("good.png", png(1))])),
    ]);
    assert_eq!(names(&report), ["good.png"]);
    let last = report.refused.last().unwrap();
    assert_eq!((last.file_name.as_str(), report.refused.len()), ("c.zip", 16_001));
    assert!(
        last.reason
            .starts_with("contains 8000 files, which exceeds the limit of 20000"),
        "{}",
        last.reason
    );
}

#[test]
fn captions_of_an_upload_are_bounded_together() {
    let caption = vec![b'c'; 64 * 1024];
    let names: Vec<String> = (0..600).map(|index| format!("{index}.txt")).collect();
    let mut batch = Batch::default();
    for name in &names {
        batch
            .add(name, Cursor::new(&caption), |_| Ok::<(), io::Error>(()))
            .unwrap();
    }
    assert_eq!(batch.n_caption_bytes, limits::MAX_CAPTIONS_BYTES);
    let report = batch.finish();
    let reason = "exceeds the limit of 32 MiB for all captions of one upload";
    assert!(report.refused.iter().any(|file| file.reason.starts_with(reason)));
}

#[test]
fn a_folder_is_a_group_with_its_repeats() {
    let of = |name: &str| {
        let showing = showing(name);
        (showing.group, showing.repeats, showing.regularization)
    };
    for (name, group, repeats, regularization) in [
        ("0.png", "", 1, false),
        ("outfit/0.png", "outfit", 1, false),
        ("10_zora/0.png", "zora", 10, false),
        ("data/3_zora girl/0.png", "zora girl", 3, false),
        ("reg/2_1girl/0.png", "1girl", 2, true),
        ("Regularization/0.png", "Regularization", 1, true),
        ("0_zora/0.png", "0_zora", 1, false),
        ("5000_zora/0.png", "5000_zora", 1, false),
        ("regal/0.png", "regal", 1, false),
        ("held_out/001.png", "", 1, false),
        ("zora/Held_Out/001.png", "", 1, false),
        ("held_out/2_zora/001.png", "zora", 2, false),
    ] {
        assert_eq!(of(name), (group.to_owned(), repeats, regularization), "{name}");
    }
    assert_eq!(showing(&format!("{}/0.png", "x".repeat(200))).group.len(), 80);
}

#[test]
fn a_caption_may_have_the_full_name_of_its_picture() {
    let report = report_on(&[
        ("a.png", png(1)),
        ("a.png.txt", b"one".to_vec()),
        ("b.png.txt", b"full".to_vec()),
        ("b.txt", b"short".to_vec()),
        ("b.png", png(2)),
    ]);
    let captions: Vec<&str> = report.items.iter().map(|item| item.caption.as_str()).collect();
    assert_eq!(captions, ["one", "short"]);
    refused(&report, &[("b.png.txt", "or a second one")]);
}

#[test]
fn names_that_differ_in_case_are_told_apart() {
    let report = report_on(&[("Zora.png", png(1)), ("zora.png", png(2))]);
    refused(
        &report,
        &[(
            "zora.png",
            "has the same name as `Zora.png` apart from upper and lower case",
        )],
    );
}

#[test]
fn pictures_without_captions_get_the_words_of_their_folder() {
    let report = report_on(&[
        ("10_zora girl/1.png", png(1)),
        ("10_zora girl/2.png", png(2)),
        ("10_zora girl/2.txt", b"own words".to_vec()),
        ("outfit/3.png", png(3)),
    ]);
    let captions: Vec<&str> = report.items.iter().map(|item| item.caption.as_str()).collect();
    assert_eq!(captions, ["zora girl", "own words", ""]);
    assert_eq!(
        report.items[0].notes,
        ["captioned with the words of its folder, as sd-scripts does"]
    );
}

#[test]
fn caches_of_other_trainers_are_left_out_in_one_line() {
    let archive = zip(&[
        ("a.npz", b"PK\x03\x04".to_vec()),
        ("_latent_cache/a.safetensors", vec![0; 9]),
        ("a.png", png(1)),
    ]);
    let report = report_on(&[
        (".aitk_size.json", b"{}".to_vec()),
        ("set.zip", archive),
        ("aspect_ratio_bucket_indices_1.json", b"{}".to_vec()),
    ]);
    assert_eq!(names(&report), ["a.png"]);
    refused(
        &report,
        &[(".aitk_size.json", "and 3 more files are caches of other trainers")],
    );
}

#[test]
fn archives_of_nothing_and_of_layers_are_named() {
    let mut krita = ZipWriter::new(Cursor::new(Vec::new()));
    let stored = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    krita.start_file("mimetype", stored).unwrap();
    krita.write_all(b"application/x-krita").unwrap();
    krita.start_file("layer.png", stored).unwrap();
    krita.write_all(&png(1)).unwrap();
    let report = report_on(&[
        ("zora.kra", krita.finish().unwrap().into_inner()),
        (
            "empty.zip",
            zip(&[("__MACOSX/a.png", png(2)), (".DS_Store", vec![1])]),
        ),
    ]);
    assert_eq!(names(&report), [""; 0]);
    refused(
        &report,
        &[
            ("zora.kra", "is a Krita document: save it as PNG, JPEG or WebP"),
            ("empty.zip", "holds no pictures and no captions"),
        ],
    );
}

#[test]
fn a_method_that_is_not_read_is_named() {
    let mut archive = zip(&[("a.png", png(1)), ("b.png", png(2))]);
    // The method of an entry in the list of entries, 10 bytes behind its signature, and in the entry itself.
    let list = archive
        .windows(4)
        .position(|bytes| bytes == b"PK\x01\x02")
        .unwrap();
    archive[list + 10] = 9;
    archive[8] = 9;
    let report = report_on(&[("set.zip", archive)]);
    assert_eq!(names(&report), ["b.png"]);
    refused(
        &report,
        &[(
            "set.zip/a.png",
            "is packed with Deflate64: pack the archive with Deflate",
        )],
    );
}

#[test]
fn a_picture_that_may_replace_another_says_so() {
    let known = KnownPicture {
        file_name: "Zora.png".into(),
        sha256: "a".into(),
    };
    let report = report_in(Batch::into_dataset(vec![known]), &[("zora.jpg", png(1))]);
    assert_eq!(
        report.items[0].notes,
        ["the dataset has another picture named `zora`: delete the older one if this replaces it"]
    );
}

#[test]
fn documents_and_archives_that_are_not_read_are_named() {
    let mut tar = vec![0; 512];
    tar[..5].copy_from_slice(b"a.png");
    tar[257..262].copy_from_slice(b"ustar");
    let report = report_on(&[
        ("a.clip", b"CSFCHUNK\0\0".to_vec()),
        ("a.jp2", b"\0\0\0\x0cjP  \r\n\x87\n".to_vec()),
        ("a.ico", b"\0\0\x01\0\x01\0".to_vec()),
        ("a.tar", tar),
        ("a.tar.bz2", b"BZh91AY&SY".to_vec()),
    ]);
    refused(
        &report,
        &[
            ("a.clip", "is a Clip Studio document"),
            ("a.jp2", "is a JPEG 2000 picture"),
            ("a.ico", "is an icon"),
            ("a.tar", "is an archive, but not a zip archive"),
            ("a.tar.bz2", "is an archive, but not a zip archive"),
        ],
    );
}
