//! Archives that lie about what they hold.

use std::io::{Cursor, Write as _};

use image::ImageFormat;
use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

use super::{Hostile, Refused, Taken, hostile};
use crate::good;

/// An archive of these files.
pub(crate) fn zip(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in entries {
        archive.start_file(*name, SimpleFileOptions::default()).unwrap();
        archive.write_all(bytes).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

/// The same archive with the long kind of end, which says that it holds so many files.
pub(crate) fn zip64(archive: &[u8], n_entries: u64) -> Vec<u8> {
    let (front, end) = archive.split_at(archive.len() - 22);
    let long = |at: usize| u64::from(u32::from_le_bytes(end[at..at + 4].try_into().unwrap())).to_le_bytes();
    let (size, offset) = (long(12), long(16));
    let mut bytes = front.to_vec();
    // APPNOTE.TXT, 4.3.14: signature, size of the rest, versions, disks, entries on this disk and in all, size, offset.
    bytes.extend_from_slice(b"PK\x06\x06");
    bytes.extend_from_slice(&44_u64.to_le_bytes());
    bytes.extend_from_slice(&[45, 0, 45, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    bytes.extend_from_slice(&n_entries.to_le_bytes());
    bytes.extend_from_slice(&n_entries.to_le_bytes());
    bytes.extend_from_slice(&size);
    bytes.extend_from_slice(&offset);
    // 4.3.15: where that is.
    bytes.extend_from_slice(b"PK\x06\x07\0\0\0\0");
    bytes.extend_from_slice(&(front.len() as u64).to_le_bytes());
    bytes.extend_from_slice(&1_u32.to_le_bytes());
    bytes.extend_from_slice(b"PK\x05\x06\0\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\0\0");
    bytes
}

/// An archive of empty files whose list is written by hand: so many entries, with names and comments of this length.
fn list_of(n_entries: usize, name_bytes: usize, comment_bytes: usize) -> Vec<u8> {
    let mut bytes = b"PK\x03\x04\x14\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\0\0\0a".to_vec();
    let start = bytes.len();
    for index in 0..n_entries {
        bytes.extend_from_slice(b"PK\x01\x02\x14\0\x14\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0");
        bytes.extend_from_slice(&(name_bytes as u16).to_le_bytes());
        bytes.extend_from_slice(&[0, 0]);
        bytes.extend_from_slice(&(comment_bytes as u16).to_le_bytes());
        bytes.extend_from_slice(&[0; 12]);
        bytes.extend_from_slice(format!("{index:0name_bytes$}").as_bytes());
        bytes.resize(bytes.len() + comment_bytes, b'c');
    }
    let size = (bytes.len() - start) as u32;
    let said = u16::try_from(n_entries).unwrap_or(u16::MAX).to_le_bytes();
    bytes.extend_from_slice(
        &[
            b"PK\x05\x06\0\0\0\0".as_slice(),
            &said,
            &said,
            &size.to_le_bytes(),
            &(start as u32).to_le_bytes(),
            &[0, 0],
        ]
        .concat(),
    );
    bytes
}

pub(super) fn corpus() -> Vec<Hostile> {
    let picture = good::file(ImageFormat::Png);
    let fine = zip(&[("a.png", &picture)]);
    let with_end = |at: usize, bytes: &[u8]| {
        let mut archive = fine.clone();
        let end = archive.len() - 22 + at;
        archive[end..end + bytes.len()].copy_from_slice(bytes);
        archive
    };
    let deep = "folder/".repeat(8000) + "a.png";
    let named = |name: &str| zip(&[("b.png", picture.as_slice()), (name, b"x")]);
    let stored = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    let nested = {
        let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
        archive.start_file("inner.zip", stored).unwrap();
        archive.write_all(&fine).unwrap();
        archive.finish().unwrap().into_inner()
    };
    let twice = {
        // Two entries of the list show the same bytes.
        let mut archive = zip(&[("a.png", &picture), ("b.png", &picture)]);
        let second = archive
            .windows(4)
            .rposition(|magic| magic == b"PK\x01\x02")
            .unwrap();
        archive[second + 42..second + 46].fill(0);
        archive
    };
    vec![
        hostile("fine", fine.clone(), Taken),
        hostile("fine, with the long kind of end", zip64(&fine, 1), Taken),
        hostile(
            "a script in front",
            [b"#!/bin/sh\nexit\n".as_slice(), &fine].concat(),
            Refused("is not a picture but data of an unknown type"),
        ),
        hostile("no files", zip(&[]), Refused("is an empty archive")),
        hostile(
            "10,001 files",
            list_of(10_001, 8, 0),
            Refused("contains 10001 files: an archive can have at most 10000"),
        ),
        hostile(
            "400,000 files",
            zip64(&list_of(400_000, 8, 0), 400_000),
            Refused("contains 400000 files"),
        ),
        hostile(
            "says that it holds 2⁶³ files",
            zip64(&fine, 1 << 63),
            Refused("is a damaged zip archive"),
        ),
        hostile(
            "says that it holds 4 billion files",
            zip64(&fine, u32::MAX.into()),
            Refused("is a damaged zip archive"),
        ),
        hostile(
            "says that it holds 65,535 files",
            with_end(8, &[0xff; 4]),
            Refused("is a damaged zip archive"),
        ),
        hostile(
            "says that its list has 4 GB, where it can be found all the same",
            with_end(12, &[0xff, 0xff, 0xff, 0x7f]),
            Taken,
        ),
        hostile(
            "says that its list is behind the end",
            with_end(16, &[0xff, 0xff, 0xff, 0x7f]),
            Refused("is a damaged zip archive"),
        ),
        hostile(
            "comments of 60 kB for 1000 files",
            list_of(1000, 8, 60_000),
            Refused("has a file list larger than 16 MiB"),
        ),
        hostile(
            "names of 60 kB for 1000 files",
            list_of(1000, 60_000, 0),
            Refused("has a file list larger than 16 MiB"),
        ),
        hostile("8000 folders deep", zip(&[(&deep, &picture)]), Taken),
        hostile(
            "cut in the middle",
            fine[..fine.len() / 2].to_vec(),
            Refused("is a damaged zip archive"),
        ),
        hostile(
            "without its end",
            fine[..fine.len() - 22].to_vec(),
            Refused("is a damaged zip archive"),
        ),
        hostile(
            "an archive within",
            nested,
            Refused("is an archive inside an archive"),
        ),
        hostile("one file under two names", twice, Refused("its files overlap")),
        hostile(
            "a bomb of zeros",
            zip(&[("a.png", &vec![0; 64 << 20])]),
            Refused("is a zip bomb"),
        ),
        hostile(
            "a way out",
            named("../../etc/passwd"),
            Refused("which leads out of the archive"),
        ),
        hostile("an absolute name", named("/etc/passwd"), Refused("absolute path")),
        hostile("a drive", named("C:\\a.txt"), Refused("drive letter")),
        hostile(
            "the same name but for its case",
            named("B.PNG"),
            Refused("apart from upper and lower case"),
        ),
        hostile(
            "a name of control characters",
            named("a\u{1}\u{202e}gnp.txt"),
            Refused("is a caption without a picture"),
        ),
        hostile(
            "a hostile picture within",
            zip(&[("a.gif", &good::gif_canvas(65_535, 65_535))]),
            Refused("is too large"),
        ),
    ]
}
