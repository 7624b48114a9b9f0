//! What a file is that is no safetensors file, by its first bytes.

use std::path::Path;

use super::FileError;

/// Length of the number in front of a safetensors header.
const PREFIX: usize = 8;
/// How much of a file is looked at.
const WINDOW: usize = 4096;

/// Files of other programs by their first bytes.
const BY_START: [(&[u8], &str); 19] = [
    (
        b"GGUF",
        "a GGUF file of quantized weights, which is not read; use the safetensors file of the same model",
    ),
    (b"\x89PNG\r\n", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"GIF8", "a GIF picture"),
    (b"RIFF", "a WebP picture or another RIFF file"),
    (b"%PDF", "a PDF document"),
    (b"\x1f\x8b", "packed with gzip: unpack it first"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive: unpack it first"),
    (b"Rar!", "a RAR archive: unpack it first"),
    (b"\x28\xb5\x2f\xfd", "packed with zstd: unpack it first"),
    (
        b"\x89HDF",
        "an HDF5 file, which is not read; use the safetensors file of the same model",
    ),
    (b"BZh", "packed with bzip2: unpack it first"),
    (b"MZ", "a Windows program"),
    (b"\x7fELF", "a Linux program"),
    (b"SQLite format 3", "an SQLite database"),
    (b"\x93NUMPY", "a NumPy array"),
    (
        b"\x00\x05\x16\x07",
        "what macOS keeps beside a file on foreign disks; use the file without `._` before its name",
    ),
    (b"d8:announce", "a torrent: download what it is for"),
    (b"\xd0\xcf\x11\xe0", "a document of Microsoft Office"),
];

/// ONNX and other protocol buffers say early by which program they were written.
const ONNX: [&[u8]; 3] = [b"pytorch", b"onnx", b"tf2onnx"];

/// Says what a file is that is not safetensors; none if it may be.
pub(super) fn other(path: &Path, bytes: &[u8]) -> Option<FileError> {
    let is = |what: &str| {
        Some(FileError::Other {
            path: path.to_owned(),
            what: what.to_owned(),
        })
    };
    if bytes.is_empty() {
        return Some(FileError::WrongLength {
            path: path.to_owned(),
            what: "empty: the download broke off, or never began; download it again".to_owned(),
        });
    }
    let window = &bytes[..bytes.len().min(WINDOW)];
    if window.len() > PREFIX && window.iter().all(|byte| *byte == 0) {
        return Some(FileError::WrongLength {
            path: path.to_owned(),
            what: "zeros where its header should be: the download was not finished; download it again"
                .to_owned(),
        });
    }
    // A safetensors header begins with a brace, whatever the file is called.
    let may_be_whole = bytes.get(PREFIX) == Some(&b'{');
    if bytes.starts_with(b"PK\x03\x04") {
        return if is_archive(window) {
            is("a zip archive: unpack it first")
        } else {
            Some(FileError::Pickle {
                path: path.to_owned(),
            })
        };
    }
    if may_be_whole {
        // A text may have a brace in the same place (`{"data":{`). A header's length is no text: it has zeros.
        return text(window).and_then(&is);
    }
    // Protocols 2 to 5.
    if matches!(window, [0x80, 2..=5, ..]) {
        return Some(FileError::Pickle {
            path: path.to_owned(),
        });
    }
    if let Some((_, what)) = BY_START.iter().find(|(start, _)| bytes.starts_with(start)) {
        return is(what);
    }
    let is_onnx = window.starts_with(b"\x08")
        && ONNX.iter().any(|name| {
            let start = &window[..window.len().min(64)];
            start.windows(name.len()).any(|part| part == *name)
        });
    if is_onnx {
        return is("an ONNX model, which is not read; use the safetensors file of the same model");
    }
    if window.get(257..262) == Some(b"ustar") {
        return is("a tar archive: unpack it first");
    }
    if let Some(what) = text(window) {
        return is(what);
    }
    let by_name = path.extension().is_some_and(|extension| {
        ["ckpt", "pt", "pth", "bin"]
            .iter()
            .any(|e| extension.eq_ignore_ascii_case(e))
    });
    by_name.then(|| FileError::Pickle {
        path: path.to_owned(),
    })
}

/// Whether a zip file is an ordinary archive: its first entry is not one that `torch.save` writes.
fn is_archive(window: &[u8]) -> bool {
    let length = match window.get(26..28) {
        Some([low, high]) => usize::from(u16::from_le_bytes([*low, *high])),
        _ => return false,
    };
    let Some(name) = window
        .get(30..30 + length)
        .and_then(|name| std::str::from_utf8(name).ok())
    else {
        return false;
    };
    let written_by_torch = [
        "data.pkl",
        "version",
        ".format_version",
        "byteorder",
        ".storage_alignment",
    ];
    let last = name.rsplit('/').next().unwrap_or(name);
    !name.is_empty() && !written_by_torch.contains(&last) && !name.contains("/data/")
}

/// What a text is.
fn text(window: &[u8]) -> Option<&'static str> {
    // A window may end within a character.
    let text = match std::str::from_utf8(window) {
        Ok(text) => text,
        Err(err) if err.error_len().is_none() => std::str::from_utf8(&window[..err.valid_up_to()]).ok()?,
        Err(_) => return None,
    };
    let text = text.trim_start_matches('\u{feff}').trim_start();
    if text.chars().any(|c| c.is_control() && !c.is_whitespace()) {
        return None;
    }
    if text.starts_with("version https://git-lfs") {
        return Some(
            "a pointer of Git LFS, not the file itself: run `git lfs pull`, or download the file from its page",
        );
    }
    if let Some(tag) = text.strip_prefix('<') {
        let tag = tag.to_ascii_lowercase();
        return Some(match tag.starts_with("?xml") || tag.starts_with("error") {
            true => "an XML text, as a server answers when it refuses a download: sign in, or get a new link",
            false => {
                "a web page: the download needs signing in, or the link leads to a page and not to the file"
            }
        });
    }
    if text.starts_with(['{', '[']) {
        return Some(
            "a JSON text, as a server answers when it refuses a download (it may need signing in), or a configuration",
        );
    }
    (!text.is_empty()).then_some("a text, and no tensors")
}

/// Says how much of a safetensors file is missing, or is there beyond its end; none if its header makes no sense.
pub(super) fn wrong_length(path: &Path, bytes: &[u8]) -> Option<FileError> {
    let is = |what: String| {
        Some(FileError::WrongLength {
            path: path.to_owned(),
            what,
        })
    };
    let length = bytes.len() as u64;
    let prefix: [u8; PREFIX] = bytes.get(..PREFIX)?.try_into().ok()?;
    let header = u64::from_le_bytes(prefix);
    // The longest header that the format allows.
    if !(2..=100_000_000).contains(&header) || bytes.get(PREFIX) != Some(&b'{') {
        return None;
    }
    let start = header + PREFIX as u64;
    if length < start {
        return is(format!(
            "cut short within its header: it has {length} bytes, the header alone ends at {start}; download it again"
        ));
    }
    let header: serde_json::Map<String, serde_json::Value> =
        serde_json::from_slice(bytes.get(PREFIX..usize::try_from(start).ok()?)?).ok()?;
    let ends = header
        .values()
        .filter_map(|tensor| tensor.get("data_offsets")?.get(1)?.as_u64());
    let end = start.checked_add(ends.max().unwrap_or(0))?;
    match length.cmp(&end) {
        std::cmp::Ordering::Less => is(format!(
            "cut short: {} of {end} bytes are missing; download it again",
            end - length
        )),
        std::cmp::Ordering::Greater => is(format!(
            "longer than its header says, by {} bytes: it is damaged; download it again",
            length - end
        )),
        std::cmp::Ordering::Equal => None,
    }
}
