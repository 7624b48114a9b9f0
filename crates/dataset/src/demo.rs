//! The demo's pictures, inside the binary: the character `zora`, and more of her that is held out.

use protocol::dataset::Split;

/// A file of the demo: its name in an upload, what its picture is used for, and its bytes.
#[derive(Debug, Clone)]
pub struct DemoFile {
    /// Name with its folder as a prefix, since both folders count from 000.
    pub name: String,
    /// What its picture is used for.
    pub split: Split,
    /// A PNG, or a caption as text.
    pub bytes: &'static [u8],
}

/// Pictures and captions: first those to train on, then those that training never sees.
pub fn files() -> impl Iterator<Item = DemoFile> {
    let of = |prefix: &'static str, split, files: Files| {
        files.iter().map(move |(name, bytes)| DemoFile {
            name: format!("{prefix}-{name}"),
            split,
            bytes,
        })
    };
    of("zora", Split::Train, ZORA).chain(of("zora-held-out", Split::HeldOut, ZORA_HELD_OUT))
}

/// Captions of held-out pictures: new combinations of what the training pictures show.
pub fn held_out_captions() -> impl Iterator<Item = String> {
    let captions = ZORA_HELD_OUT.iter().filter(|(name, _)| name.ends_with(".txt"));
    captions.map(|(_, bytes)| String::from_utf8_lossy(bytes).trim().to_owned())
}

type Files = &'static [(&'static str, &'static [u8])];

macro_rules! files {
    ($folder:literal: $($stem:literal)*) => {
        &[$(
            (concat!($stem, ".png"), include_bytes!(concat!("../../../assets/demo-datasets/", $folder, "/", $stem, ".png"))),
            (concat!($stem, ".txt"), include_bytes!(concat!("../../../assets/demo-datasets/", $folder, "/", $stem, ".txt"))),
        )*]
    };
}

const ZORA: Files = files!("zora":
    "000" "001" "002" "003" "004" "005" "006" "007" "008" "009" "010" "011" "012" "013" "014" "015");

const ZORA_HELD_OUT: Files = files!("zora-held-out":
    "000" "001" "002" "003" "004" "005" "006" "007" "008" "009" "010" "011" "012" "013" "014" "015");
