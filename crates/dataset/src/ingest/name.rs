//! Names of uploaded files: validation and meaning.

use protocol::dataset::{MAX_GROUP_CHARS, Showing};
use unicode_normalization::UnicodeNormalization as _;

use crate::{caption::proposals::MEMORY_FILE, export::HELD_OUT};

/// The name without control characters and cut to a sane length, for showing and storing as text.
///
/// It is never used as a path.
pub fn displayable(name: &str) -> String {
    const MAX_CHARS: usize = 255;
    let name: String = name
        .chars()
        .map(|c| if c == '\\' { '/' } else { c })
        .filter(|c| !c.is_control() && !is_direction_override(*c))
        .collect();
    let n_chars = name.chars().count();
    // The end of a name tells more than its start: it has the extension.
    name.chars().skip(n_chars.saturating_sub(MAX_CHARS)).collect()
}

/// The name without its extension, in lower case. Systems write an accented letter as one character or as two (macOS),
/// which makes no difference here.
pub(super) fn stem(name: &str) -> String {
    let (folder, base) = name
        .rsplit_once('/')
        .map_or(("", name), |(folder, base)| (folder, base));
    let base = match base.rsplit_once('.') {
        Some((stem, _)) if !stem.is_empty() => stem,
        _ => base,
    };
    let stem = if folder.is_empty() {
        base.to_owned()
    } else {
        format!("{folder}/{base}")
    };
    stem.to_lowercase().nfc().collect()
}

/// The end of the name of a loss mask, as OneTrainer has it: `zora-masklabel.png` belongs to `zora.png` beside it.
pub(super) const MASK_SUFFIX: &str = "-masklabel";

/// Folders of loss masks, like those for sd-scripts' `conditioning_data_dir`: `masks/zora.png` belongs to `zora.png` in the
/// folder that has the folder `masks`.
pub(super) const MASK_FOLDERS: [&str; 2] = ["masks", "conditioning_data"];

/// The [stem] of the picture that a file is the loss mask of, if it is one by its name.
pub(super) fn masked_stem(name: &str) -> Option<String> {
    let stem = stem(name);
    let (folder, base) = stem.rsplit_once('/').unwrap_or(("", &stem));
    let within = |folder: &str, base: &str| match folder {
        "" => base.to_owned(),
        folder => format!("{folder}/{base}"),
    };
    if let Some(picture) = base
        .strip_suffix(MASK_SUFFIX)
        .filter(|picture| !picture.is_empty())
    {
        return Some(within(folder, picture));
    }
    let (outer, inner) = folder.rsplit_once('/').unwrap_or(("", folder));
    MASK_FOLDERS.contains(&inner).then(|| within(outer, base))
}

/// Whether the name says that the file is a caption: `.txt`, or `.caption` as sd-scripts has it.
pub(super) fn is_caption(name: &str) -> bool {
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    ["txt", "caption"]
        .iter()
        .any(|caption| extension.eq_ignore_ascii_case(caption))
}

/// Whether the name says that the file may hold captions of several pictures, or of one as JSON.
pub(super) fn is_list(name: &str) -> bool {
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    ["json", "jsonl", "csv"]
        .iter()
        .any(|list| extension.eq_ignore_ascii_case(list))
}

/// Whether a name ends as that of a picture.
pub(super) fn has_picture_extension(name: &str) -> bool {
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    [
        "png", "jpg", "jpeg", "webp", "bmp", "gif", "tif", "tiff", "avif", "heic",
    ]
    .iter()
    .any(|picture| extension.eq_ignore_ascii_case(picture))
}

/// The [stem] of a picture that a list names by a path: relative to the list, or absolute on the machine where the list was
/// made. Lists of sd-scripts leave the extension out.
pub(super) fn listed_stem(list: &str, path: &str) -> String {
    let path = displayable(path);
    let is_absolute = path.starts_with('/') || path.as_bytes().get(1) == Some(&b':');
    let within = match is_absolute {
        true => path.rsplit('/').next().unwrap_or(&path),
        false => path.trim_start_matches("./"),
    };
    let joined = match list.rsplit_once('/') {
        Some((folder, _)) => format!("{folder}/{within}"),
        None => within.to_owned(),
    };
    if has_picture_extension(&joined) {
        stem(&joined)
    } else {
        joined.to_lowercase().nfc().collect()
    }
}

/// Whether the file is a cache that another trainer keeps beside pictures: latents and text embeddings of sd-scripts, sizes
/// and latents of ai-toolkit, buckets of SimpleTuner.
pub(super) fn is_side_file(name: &str) -> bool {
    let lower = name.to_lowercase();
    let (folders, base) = lower.rsplit_once('/').unwrap_or(("", &lower));
    let is_cached = folders
        .split('/')
        .any(|folder| ["_latent_cache", "_t_e_cache", "_clip_vision_cache"].contains(&folder));
    base.ends_with(".npz")
        || base == ".aitk_size.json"
        || (base.starts_with("aspect_ratio_bucket_") && base.ends_with(".json"))
        || (is_cached && base.ends_with(".safetensors"))
}

/// The words of sd-scripts' folders, which caption their pictures: `zora girl` of `10_zora girl/1.png`.
pub(super) fn class_words(file_name: &str) -> Option<&str> {
    let (folders, _) = file_name.rsplit_once('/')?;
    let folder = folders.rsplit('/').next()?;
    let (repeats, words) = folder.split_once('_')?;
    let repeats: u32 = repeats.parse().ok()?;
    let words = words.trim();
    ((1..=1000).contains(&repeats) && !words.is_empty()).then_some(words)
}

/// Whether the file is a hidden system file that operating systems create.
pub(super) fn is_clutter(name: &str) -> bool {
    let base = name.rsplit('/').next().unwrap_or(name);
    name.split('/').any(|part| part == "__MACOSX")
        || base.starts_with("._")
        || [".DS_Store", "Thumbs.db", "desktop.ini", MEMORY_FILE]
            .iter()
            .any(|clutter| base.eq_ignore_ascii_case(clutter))
}

/// How often a picture is shown, and as what, by the folder that it lies in.
///
/// The folder is its group, except for `held_out`, which is not a group. As in sd-scripts' folders, `10_zora` is the group
/// `zora` with 10 repeats. Below a folder `reg` or `regularization` are regularization pictures.
pub fn showing(file_name: &str) -> Showing {
    let Some((folders, _)) = file_name.rsplit_once('/') else {
        return Showing::default();
    };
    let is_regularization = |folder: &str| {
        ["reg", "regularization", "regularisation"]
            .iter()
            .any(|word| folder.eq_ignore_ascii_case(word))
    };
    let folder = folders.rsplit('/').next().unwrap_or(folders);
    let (repeats, group) = folder
        .split_once('_')
        .and_then(|(number, name)| Some((number.parse::<u32>().ok()?, name)))
        .filter(|(repeats, _)| (1..=1000).contains(repeats))
        .unwrap_or(match folder.eq_ignore_ascii_case(HELD_OUT) {
            true => (1, ""),
            false => (1, folder),
        });
    Showing {
        group: group.trim().chars().take(MAX_GROUP_CHARS).collect(),
        repeats,
        regularization: folders.split('/').any(is_regularization),
    }
}

/// Checks the name of an archive's entry; returns what is wrong.
///
/// Entries are never written to a path, so a wrong name could do no harm here; an archive that has one is
/// broken or hostile all the same, and its files are not what they seem.
pub(super) fn objection(name: &str) -> Option<&'static str> {
    let unified = name.replace('\\', "/");
    if name.contains('\0') {
        return Some("has a NUL character in its name");
    }
    if unified.starts_with('/') {
        return Some("has an absolute path as its name: names in an archive must be relative");
    }
    if unified.as_bytes().get(1) == Some(&b':') && unified.as_bytes()[0].is_ascii_alphabetic() {
        return Some("has a drive letter in its name: names in an archive must be relative");
    }
    if unified.split('/').any(|part| part == "..") {
        return Some("has `..` in its name, which leads out of the archive");
    }
    None
}

/// Characters that make a name read differently from what it is.
fn is_direction_override(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}
