//! Files that are something else, or only a part.

use std::fs;

use super::*;

#[track_caller]
fn check_refused(name: &str, bytes: &[u8], expected: &str) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, bytes).unwrap();
    let error = TensorFile::open(&path).unwrap_err().to_string();
    assert!(error.contains(expected), "`{error}` does not say `{expected}`");
    assert!(error.contains(name), "{error}");
}

#[test]
fn what_is_no_safetensors_file_is_named() {
    let tar = [&[b'a'; 257][..], b"ustar\0", &[0; 200]].concat();
    let archive = |entry: &str| {
        let mut zip = b"PK\x03\x04".to_vec();
        zip.extend([0; 22]);
        zip.extend((entry.len() as u16).to_le_bytes());
        zip.extend([0; 2]);
        zip.extend(entry.as_bytes());
        zip.extend([0; 40]);
        zip
    };
    let cases: [(&[u8], &str); 33] = [
        (b"", "is empty"),
        (
            b"<!DOCTYPE html><html><head>",
            "is a web page: the download needs signing in",
        ),
        (b"\n\n  <html lang=\"en\">", "is a web page"),
        (b"\xef\xbb\xbf<HTML>", "is a web page"),
        (b"<?xml version=\"1.0\"?><Error>", "an XML text"),
        (
            b"{\"error\":\"Access to model x is restricted\"}",
            "is a JSON text, as a server answers",
        ),
        (b"[{\"a\": 1}]", "is a JSON text"),
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:",
            "is a pointer of Git LFS",
        ),
        (b"Unauthorized", "is a text, and no tensors"),
        (b"GGUF\x03\0\0\0\0\0\0\0", "is a GGUF file"),
        (
            b"\x89PNG\r\n\x1a\n....",
            "is a PNG picture; expected a safetensors file",
        ),
        (b"\xff\xd8\xff\xe0....", "is a JPEG picture"),
        (b"RIFF....WEBP", "is a WebP picture"),
        (b"GIF89a......", "is a GIF picture"),
        (b"%PDF-1.7\n%", "is a PDF document"),
        (b"\x1f\x8b\x08....", "packed with gzip"),
        (b"7z\xbc\xaf\x27\x1c..", "is a 7z archive"),
        (b"Rar!\x1a\x07..", "is a RAR archive"),
        (b"\x80\x02}q\0X....", "is a pickled checkpoint"),
        (b"\x80\x04\x95....", "is a pickled checkpoint"),
        (&tar, "is a tar archive"),
        (&archive("archive/data.pkl"), "is a pickled checkpoint"),
        (&archive("zora.safetensors"), "is a zip archive: unpack it first"),
        (b"MZ\x90\0\x03\0\0\0\x04\0", "is a Windows program"),
        (b"\x7fELF\x02\x01\x01\0\0", "is a Linux program"),
        (b"SQLite format 3\0", "is an SQLite database"),
        (b"\x93NUMPY\x01\0v\0{'descr'", "is a NumPy array"),
        (
            b"\0\x05\x16\x07\0\x02\0\0Mac OS X",
            "use the file without `._` before its name",
        ),
        (b"d8:announce35:udp://x", "is a torrent"),
        (
            b"\x08\x07\x12\x07pytorch\x1a\x052.0.0",
            "is an ONNX model, which is not read; use the safetensors file",
        ),
        (
            &[0; 5000],
            "is zeros where its header should be: the download was not finished",
        ),
        (
            b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\0",
            "is a document of Microsoft Office",
        ),
        (&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9], "is not a whole safetensors file"),
    ];
    for (bytes, expected) in cases {
        check_refused("x.safetensors", bytes, expected);
    }
    check_refused(
        "x.ckpt",
        &[9, 1, 2, 3, 4, 5, 6, 7, 8, 9],
        "is a pickled checkpoint",
    );
}

#[test]
fn a_cut_file_says_what_is_missing() {
    let header = br#"{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}"#;
    let mut whole = (header.len() as u64).to_le_bytes().to_vec();
    whole.extend(header);
    whole.extend([0; 16]);
    let all = whole.len();
    check_refused(
        "x.safetensors",
        &whole[..all - 5],
        &format!("cut short: 5 of {all} bytes are missing"),
    );
    check_refused(
        "x.safetensors",
        &whole[..20],
        "cut short within its header: it has 20 bytes",
    );
    check_refused(
        "x.safetensors",
        &[&whole[..], &[0; 3]].concat(),
        "longer than its header says, by 3 bytes",
    );
}
