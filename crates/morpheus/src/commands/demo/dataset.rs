//! The demo's pictures, inside the binary: the character `zora`, and more of her that is held out.

use crate::api::UploadFile;

/// Pictures and captions to train on.
pub(super) fn zora() -> Vec<UploadFile> {
    upload("zora", ZORA)
}

/// Pictures and captions that training never sees.
pub(super) fn zora_held_out() -> Vec<UploadFile> {
    upload("zora-held-out", ZORA_HELD_OUT)
}

/// Captions of held-out pictures: new combinations of what the training pictures show.
pub(super) fn held_out_captions() -> impl Iterator<Item = String> {
    let captions = ZORA_HELD_OUT.iter().filter(|(name, _)| name.ends_with(".txt"));
    captions.map(|(_, bytes)| String::from_utf8_lossy(bytes).trim().to_owned())
}

type Files = &'static [(&'static str, &'static [u8])];

macro_rules! files {
    ($folder:literal: $($stem:literal)*) => {
        &[$(
            (concat!($stem, ".png"), include_bytes!(concat!("../../../../../assets/demo-datasets/", $folder, "/", $stem, ".png"))),
            (concat!($stem, ".txt"), include_bytes!(concat!("../../../../../assets/demo-datasets/", $folder, "/", $stem, ".txt"))),
        )*]
    };
}

const ZORA: Files = files!("zora":
    "000" "001" "002" "003" "004" "005" "006" "007" "008" "009" "010" "011" "012" "013" "014" "015");

const ZORA_HELD_OUT: Files = files!("zora-held-out":
    "000" "001" "002" "003" "004" "005" "006" "007" "008" "009" "010" "011" "012" "013" "014" "015");

/// File names get their folder as a prefix, since both folders count from 000.
fn upload(prefix: &str, files: Files) -> Vec<UploadFile> {
    let named = files.iter().map(|(name, bytes)| UploadFile {
        name: format!("{prefix}-{name}"),
        bytes: bytes.to_vec(),
    });
    named.collect()
}
