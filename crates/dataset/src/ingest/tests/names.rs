//! Names in archives that are not UTF-8.

use super::*;

/// An archive whose placeholders, of the same lengths, are replaced by these names.
fn named(entries: &[(&str, &[u8], Vec<u8>)]) -> Vec<u8> {
    let files: Vec<(&str, Vec<u8>)> = entries
        .iter()
        .map(|(placeholder, _, bytes)| (*placeholder, bytes.clone()))
        .collect();
    let mut archive = zip(&files);
    for (placeholder, name, _) in entries {
        assert_eq!(placeholder.len(), name.len());
        for at in 0..archive.len() - name.len() {
            if &archive[at..at + name.len()] == placeholder.as_bytes() {
                archive[at..at + name.len()].copy_from_slice(name);
            }
        }
    }
    archive
}

#[test]
fn japanese_names_are_read_and_pair() {
    // ゾラ1 and 表紙 in code page 932, where the second byte of 表 is a backslash.
    let archive = named(&[
        ("AAAA1.png", b"\x83\x5d\x83\x891.png", png(1)),
        ("AAAA1.txt", b"\x83\x5d\x83\x891.txt", b"a portrait".to_vec()),
        ("BBBB.png", b"\x95\x5c\x8e\x86.png", png(2)),
    ]);
    let report = report_on(&[("set.zip", archive)]);
    refused(&report, &[]);
    assert_eq!(names(&report), ["ゾラ1.png", "表紙.png"]);
    assert_eq!(report.items[0].caption, "a portrait");
    assert_eq!(
        showing(&report.items[1].file_name).group,
        "",
        "no folder is made up"
    );
}

#[test]
fn names_of_the_code_page_of_zip_are_read() {
    let archive = named(&[
        ("ZoA.png", b"Zo\x82.png", png(1)),
        ("chAteau.png", b"ch\x83teau.png", png(2)),
    ]);
    assert_eq!(
        names(&report_on(&[("set.zip", archive)])),
        ["Zoé.png", "château.png"]
    );
}

/// Info-ZIP's field with the name in Unicode (0x7075).
#[test]
fn a_name_in_unicode_beside_the_other_one_counts() {
    let field = |of: &[u8]| {
        let mut checksum = flate2::Crc::new();
        checksum.update(of);
        [&[1][..], &checksum.sum().to_le_bytes(), "ゾラ.png".as_bytes()].concat()
    };
    for (of, expected) in [(&b"zo__.png"[..], "ゾラ.png"), (b"another.png", "zo__.png")] {
        let mut options = SimpleFileOptions::default().into_full_options();
        options.add_extra_field(0x7075, field(of), false).unwrap();
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        writer.start_file("zo__.png", options).unwrap();
        writer.write_all(&png(1)).unwrap();
        let archive = writer.finish().unwrap().into_inner();
        assert_eq!(names(&report_on(&[("set.zip", archive)])), [expected]);
    }
}

#[test]
fn a_name_that_leads_out_of_the_archive_is_refused_in_any_encoding() {
    let archive = named(&[("AA/AAAA.png", b"../\x83\x5d\x83\x89.png", png(1))]);
    let report = report_on(&[("set.zip", archive)]);
    refused(&report, &[("set.zip/../ゾラ.png", "has `..` in its name")]);
}
