use std::{collections::HashMap, convert::Infallible, io::Cursor};

use bytes::Bytes;
use image::{Rgb, RgbImage};
use protocol::dataset::ExportFormat;

use super::*;
use crate::{
    ingest::{Batch, IngestReport, showing},
    picture::{NormalizedPicture, encode_png, mask_in, with_mask, without_mask},
};

fn png(seed: u8) -> Vec<u8> {
    encode_png(&RgbImage::from_fn(64, 80, |x, y| {
        Rgb([x as u8 ^ seed, y as u8, seed.wrapping_mul(37)])
    }))
}

fn subject<'a>(file_name: &'a str, caption: &'a str, group: &str, repeats: u32) -> Subject<'a> {
    Subject {
        file_name,
        caption,
        split: Split::Train,
        showing: Showing {
            group: group.to_owned(),
            repeats,
            regularization: false,
        },
    }
}

/// The archive as it is sent: taken piece by piece.
fn archive(plan: &Plan, files: &[Vec<u8>]) -> Vec<u8> {
    let mut archive = Archive::default();
    let mut sent = Vec::new();
    for (planned, file) in plan.pictures.iter().zip(files) {
        match (&planned.mask, mask_in(file)) {
            (Some(name), Some(mask)) => {
                archive.add(&planned.name, &without_mask(file)).unwrap();
                archive.add(name, mask).unwrap();
            }
            _ => archive.add(&planned.name, file).unwrap(),
        }
        if let Some((name, text)) = &planned.caption {
            archive.add(name, text.as_bytes()).unwrap();
        }
        sent.extend(archive.take());
    }
    for (name, text) in &plan.lists {
        archive.add(name, text.as_bytes()).unwrap();
        sent.extend(archive.take());
    }
    sent.extend(archive.finish().unwrap());
    sent
}

/// What an upload of the archive brings, and the files that it stores.
fn upload(zip: Vec<u8>) -> (IngestReport, HashMap<String, Bytes>) {
    let mut batch = Batch::default();
    let mut first = HashMap::new();
    let mut keep = |picture: &NormalizedPicture| {
        first.insert(picture.sha256.clone(), picture.png.clone());
        Ok::<(), Infallible>(())
    };
    batch.add("export.zip", Cursor::new(zip), &mut keep).unwrap();
    let mut stored = first.clone();
    let report = batch
        .finish_with(
            |sha256| Ok::<_, Infallible>(first.get(sha256).cloned()),
            |picture| {
                stored.insert(picture.sha256.clone(), picture.png.clone());
                Ok(())
            },
        )
        .unwrap();
    (report, stored)
}

#[test]
fn an_upload_of_an_export_brings_the_same_again() {
    let regularization = |subject: Subject<'static>| Subject {
        showing: Showing {
            regularization: true,
            ..subject.showing.clone()
        },
        ..subject
    };
    let held_out = |subject: Subject<'static>| Subject {
        split: Split::HeldOut,
        ..subject
    };
    let subjects = [
        subject("001.png", "zora, smiling", "", 1),
        subject("set/10_x/001.png", "zora,\nwith a hat", "outfit", 10),
        subject("001.jpg", "zora, outside", "outfit", 10),
        subject("ZORA.png", "zora", "outfit", 3),
        subject("zora.webp", "Зора, \"quoted\"", "outfit", 3),
        subject("Zora\u{308} 漫画.png", "漫画", "мода", 2),
        subject("portrait-masklabel.png", "not a mask", "masks", 1),
        subject("con.png", "a device", "5_a", 1),
        subject("a.png.png", "two extensions", "", 1000),
        subject("no words.png", "", "", 1),
        held_out(subject("h.png", "held out", "", 1)),
        regularization(subject("r.png", "a woman", "woman", 1)),
        held_out(regularization(subject("hr.png", "a man", "", 4))),
    ];
    let files: Vec<Vec<u8>> = (0..subjects.len() as u8)
        .map(|seed| match seed % 3 {
            0 => with_mask(&png(seed), &png(seed + 100)).unwrap(),
            _ => png(seed),
        })
        .collect();
    for format in ExportFormat::ALL {
        let plan = plan(&subjects, format);
        let (report, stored) = upload(archive(&plan, &files));
        assert_eq!(report.refused, [], "{format:?}");
        assert_eq!(report.items.len(), subjects.len(), "{format:?}");
        for ((item, subject), file) in report.items.iter().zip(&subjects).zip(&files) {
            let name = &item.file_name;
            assert_eq!(stored[&item.sha256], *file, "{format:?}: {name}");
            assert_eq!(item.caption, subject.caption, "{format:?}: {name}");
            assert_eq!(showing(name), subject.showing, "{format:?}: {name}");
            assert_eq!(
                is_held_out(name),
                subject.split == Split::HeldOut,
                "{format:?}: {name}"
            );
        }
    }
}

#[test]
fn the_folders_are_those_of_each_trainer() {
    let subjects = [
        subject("a/001.jpg", "zora", "zora", 10),
        Subject {
            split: Split::HeldOut,
            ..subject("002.png", "", "", 1)
        },
    ];
    let names = |format| {
        let plan = plan(&subjects, format);
        let pictures = plan.pictures.into_iter().flat_map(|planned| {
            let caption = planned.caption.map(|(name, _)| name);
            [Some(planned.name), planned.mask, caption]
        });
        let lists = plan.lists.into_iter().map(|(name, _)| name);
        pictures.flatten().chain(lists).collect::<Vec<_>>()
    };
    assert_eq!(
        names(ExportFormat::Kohya),
        [
            "img/10_zora/001.png",
            "img/10_zora/conditioning_data/001.png",
            "img/10_zora/001.txt",
            "held_out/1_/002.png",
            "held_out/1_/conditioning_data/002.png",
        ]
    );
    assert_eq!(
        names(ExportFormat::Onetrainer),
        [
            "train/10_zora/001.png",
            "train/10_zora/001-masklabel.png",
            "train/10_zora/001.txt",
            "held_out/1_/002.png",
            "held_out/1_/002-masklabel.png",
        ]
    );
    assert_eq!(
        names(ExportFormat::Diffusers),
        [
            "train/10_zora/001.png",
            "held_out/1_/002.png",
            "held_out/metadata.jsonl",
            "train/metadata.jsonl",
        ]
    );
    let lists = plan(&subjects, ExportFormat::Diffusers).lists;
    assert_eq!(lists[0].1, "{\"file_name\":\"1_/002.png\",\"text\":\"\"}\n");
    assert_eq!(
        lists[1].1,
        "{\"file_name\":\"10_zora/001.png\",\"text\":\"zora\"}\n"
    );
}

#[test]
fn names_are_such_as_every_system_takes() {
    let cases = [
        ("a<b>:c.png", "a_b__c"),
        ("tab\there.png", "tab_here"),
        ("CON.png", "_CON"),
        ("con.more.png", "_con.more"),
        ("Com1.png", "_Com1"),
        ("lpt².png", "_lpt²"),
        ("conan.png", "conan"),
        ("com10.png", "com10"),
        (".hidden", "_.hidden"),
        ("", "_"),
        ("x-MaskLabel.png", "x-MaskLabel_"),
        ("folder/sub\\name.png", "sub_name"),
    ];
    for (file_name, expected) in cases {
        assert_eq!(Names::default().stem("f", file_name), expected, "{file_name}");
    }
    let long = format!("{}.png", "漫".repeat(80));
    assert_eq!(Names::default().stem("f", &long), "漫".repeat(33));
    let mut names = Names::default();
    let all = ["é.png", "E\u{301}.png", "é.jpg", "other.png"];
    let all = all.map(|name| names.stem("f", name));
    assert_eq!(all, ["é", "E\u{301} (2)", "é (3)", "other"]);
    assert_eq!(names.stem("g", "é.png"), "é");
    let groups = ["a/b", "a_b", "dots.", "a/b", ""].map(|group| names.group(group));
    assert_eq!(groups, ["a_b", "a_b (2)", "dots_", "a_b", ""]);
}

/// Names that differ in upper and lower case alone are one folder on Windows and macOS.
#[test]
fn groups_have_folders_that_every_system_tells_apart() {
    let mut names = Names::default();
    let groups = ["Zora", "zora", "Zoé", "ZOE\u{301}", "zora"].map(|group| names.group(group));
    assert_eq!(groups, ["Zora", "zora (2)", "Zoé", "ZOE\u{301} (2)", "zora (2)"]);
}

#[test]
fn thousands_of_equal_names_are_numbered_at_once() {
    let mut names = Names::default();
    names.stem("f", "zora (7).png");
    let given: HashSet<String> = (0..20_000).map(|_| names.stem("f", "Zora.png")).collect();
    assert_eq!(given.len(), 20_000);
    assert!(given.contains("Zora") && given.contains("Zora (20001)"));
    assert_eq!(names.used_stems.n_tries, 20_002);
}

#[test]
fn an_archive_that_breaks_off_is_none() {
    let subjects = [subject("a.png", "zora", "", 1), subject("b.png", "zora", "", 1)];
    let plan = plan(&subjects, ExportFormat::Kohya);
    let whole = archive(&plan, &[png(1), png(2)]);
    assert!(crate::ingest::open_archive(Cursor::new(whole.clone())).is_ok());
    for n_bytes in [whole.len() - 1, whole.len() - 100, whole.len() / 2, 4] {
        let part = Cursor::new(whole[..n_bytes].to_vec());
        assert!(
            crate::ingest::open_archive(part).is_err(),
            "{n_bytes} of {}",
            whole.len()
        );
    }
}

#[test]
fn little_is_kept_of_what_was_taken_and_names_say_that_they_are_utf_8() {
    let mut archive = Archive::default();
    let mut sent = Vec::new();
    for n in 0..50_u8 {
        archive.add(&format!("漫画 {n}.png"), &vec![n; 10_000]).unwrap();
        sent.extend(archive.take());
        let n_expected = 10_000 * usize::from(n);
        assert!(
            sent.len() >= n_expected,
            "{} of {n_expected} bytes were sent",
            sent.len()
        );
    }
    let end = archive.finish().unwrap();
    assert!(end.len() < 20_000, "{} bytes were kept to the end", end.len());
    sent.extend(end);
    // Bit 11 of the flags of the first entry; the sizes are in front of the bytes, so bit 3 is not set.
    let flags = u16::from_le_bytes([sent[6], sent[7]]);
    assert_eq!(flags & (1 << 11 | 1 << 3), 1 << 11);
    assert_eq!(sent[18..22], 10_000_u32.to_le_bytes());
    let mut whole = zip::ZipArchive::new(Cursor::new(sent)).unwrap();
    assert_eq!(whole.len(), 50);
    for n in 0..50_u8 {
        let mut file = whole.by_name(&format!("漫画 {n}.png")).unwrap();
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut file, &mut bytes).unwrap();
        assert_eq!(bytes, vec![n; 10_000]);
    }
}
