//! Documents of other programs, and pictures that are not read.

use super::*;

/// A zip archive that begins with what kind of document it is.
fn document(kind: &str, entries: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    let stored = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    writer.start_file("mimetype", stored).unwrap();
    writer.write_all(kind.as_bytes()).unwrap();
    for (name, bytes) in entries {
        writer.start_file(*name, SimpleFileOptions::default()).unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

#[test]
fn a_document_of_layers_is_taken_by_its_merged_picture() {
    let layers = |merged: u8| {
        vec![
            ("data/layer0.png", png(100)),
            ("mergedimage.png", png(merged)),
            ("Thumbnails/thumbnail.png", png(101)),
        ]
    };
    let report = report_on(&[
        ("zora.ora", document("image/openraster", &layers(1))),
        ("zora.txt", b"a portrait".to_vec()),
        ("sea.kra", document("application/x-krita", &layers(2))),
        (
            "text.kra",
            document("application/x-krita", &[("mergedimage.png", b"text".to_vec())]),
        ),
    ]);
    assert_eq!(names(&report), ["zora.ora", "sea.kra"]);
    assert_eq!(
        report.items[0].sha256,
        picture::normalize(&png(1)).unwrap().sha256
    );
    assert_eq!(report.items[0].caption, "a portrait");
    assert_eq!(
        report.items[1].notes,
        ["taken from a Krita document, with all its layers merged"]
    );
    refused(
        &report,
        &[("text.kra", "is a Krita document: save it as PNG, JPEG or WebP")],
    );
}

/// The artist's export counts, whichever comes first and whether it shows the same or not.
#[test]
fn a_document_gives_way_to_the_picture_beside_it() {
    let document = |seed| document("application/x-krita", &[("mergedimage.png", png(seed))]);
    let caption = ("zora.txt", b"a portrait".to_vec());
    let reason = "is a Krita document beside `zora.png`, which was taken";
    for seed in [1, 2] {
        let files = [("zora.kra", document(seed)), ("zora.png", png(1))];
        let [first, second] = files.clone();
        for files in [files, [second, first]] {
            let [first, second] = files;
            let report = report_on(&[first, second, caption.clone()]);
            assert_eq!(names(&report), ["zora.png"]);
            assert_eq!(report.items[0].caption, "a portrait");
            assert_eq!(report.items[0].notes, [""; 0]);
            refused(&report, &[("zora.kra", reason)]);
        }
    }
    // What only the document shows may be another picture.
    let report = report_on(&[
        ("a.kra", document(2)),
        ("a.png", png(1)),
        ("b.png", png(2)),
        ("c.kra", document(3)),
        ("c.png", b"8BPS\0\x01".to_vec()),
    ]);
    assert_eq!(names(&report), ["a.png", "b.png", "c.kra"]);
    // The dataset has the picture.
    let known = KnownPicture {
        file_name: "zora.png".into(),
        sha256: picture::normalize(&png(1)).unwrap().sha256,
    };
    let files = [("zora.kra", document(2)), ("zora.png", png(1))];
    let [first, second] = files.clone();
    for files in [files, [second, first]] {
        let report = report_in(Batch::into_dataset(vec![known.clone()]), &files);
        assert_eq!((report.items.len(), report.again.len()), (0, 1));
        refused(&report, &[("zora.kra", reason)]);
    }
}

#[test]
fn a_merged_picture_has_the_limits_of_an_archive() {
    let limits = Limits {
        entry_bytes: 1000,
        ..Limits::default()
    };
    let bytes = document("image/openraster", &[("mergedimage.png", vec![7; 1001])]);
    let report = report_in(Batch::default().with_limits(limits), &[("zora.ora", bytes)]);
    refused(&report, &[("zora.ora", "is an OpenRaster document")]);
}

#[test]
fn pictures_within_other_documents_are_not_taken() {
    let report = report_on(&[
        (
            "zora.procreate",
            zip(&[("Document.archive", vec![1]), ("QuickLook/Thumbnail.png", png(1))]),
        ),
        (
            "zora.docx",
            zip(&[("[Content_Types].xml", vec![1]), ("word/media/1.png", png(2))]),
        ),
        (
            "zora.epub",
            document("application/epub+zip", &[("OEBPS/1.png", png(3))]),
        ),
    ]);
    assert_eq!(names(&report), [""; 0]);
    refused(
        &report,
        &[
            ("zora.procreate", "is a Procreate document: save it as PNG"),
            ("zora.docx", "is an Office document"),
            ("zora.epub", "is an e-book"),
        ],
    );
}

#[test]
fn pictures_that_are_not_read_are_named() {
    // An uncompressed picture in true color, 64 × 64, and one with the end of version 2.
    let header = [0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 64, 0, 64, 0, 24, 0x20];
    let targa = [&header[..], &[200; 64 * 64 * 3]].concat();
    let newer = [&[0xff; 40][..], b"TRUEVISION-XFILE.\0"].concat();
    let report = report_on(&[
        ("a.tga", targa),
        ("b.tga", newer),
        ("a.psd", b"8BPS\0\x01".to_vec()),
        ("a.qoi", b"qoif\0\0\0\x40\0\0\0\x40\x03\0".to_vec()),
        ("a.dds", b"DDS \x7c\0\0\0".to_vec()),
        ("a.hdr", b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n".to_vec()),
        ("a.exr", b"\x76\x2f\x31\x01\x02\0\0\0".to_vec()),
        ("a.bin", [&[3; 17][..], &[0xff; 40]].concat()),
    ]);
    refused(
        &report,
        &[
            ("a.tga", "is a Targa picture: save it as PNG, JPEG or WebP"),
            ("b.tga", "is a Targa picture"),
            ("a.psd", "is a Photoshop document"),
            ("a.qoi", "is a QOI picture"),
            ("a.dds", "is a DDS texture"),
            ("a.hdr", "is a Radiance picture"),
            ("a.exr", "is an OpenEXR picture"),
            ("a.bin", "is not a picture but data of an unknown type"),
        ],
    );
}

#[test]
fn a_caption_may_begin_as_a_picture_that_is_not_read() {
    let files = [
        "DDS texture of zora",
        "qoif, a portrait of zora",
        "#?RADIANCE of zora",
    ];
    let mut batch = Batch::default();
    for (seed, caption) in files.iter().enumerate() {
        let keep = |_: &NormalizedPicture| Ok::<(), io::Error>(());
        let text = Cursor::new(caption.as_bytes());
        batch.add(&format!("{seed}.txt"), text, keep).unwrap();
        let picture = Cursor::new(png(seed as u8));
        batch.add(&format!("{seed}.png"), picture, keep).unwrap();
    }
    let report = batch.finish();
    refused(&report, &[]);
    let captions: Vec<&str> = report.items.iter().map(|item| item.caption.as_str()).collect();
    assert_eq!(captions, files);
}
