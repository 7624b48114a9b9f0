//! Six small drawn pictures: the dataset of the tests and of `examples/fingerprint.rs`.

use std::{collections::BTreeMap, io};

use dataset::picture::encode_png;
use image::{Rgb, RgbImage};
use protocol::{
    DatasetVersionId, ItemId,
    dataset::{Manifest, ManifestItem, Split},
};
use sha2::{Digest as _, Sha256};

/// Width and height of each picture, in pixels: two buckets at a resolution of 64. The last picture is held out.
const SIZES: [(u32, u32); 6] = [(64, 64), (96, 64), (64, 64), (96, 64), (64, 64), (64, 64)];

/// A dataset version and the files of its pictures.
#[derive(Debug, Clone)]
pub struct Drawn {
    /// The pictures with their captions, `picture number 0` to `picture number 5`. Only the ids differ from call to call.
    pub manifest: Manifest,
    files: BTreeMap<String, Vec<u8>>,
}

impl Drawn {
    /// Draws the pictures.
    pub fn new() -> Self {
        let mut files = BTreeMap::new();
        let items = (0..).zip(SIZES).map(|(index, (width, height))| {
            let seed = 40 * index;
            let pixels = RgbImage::from_fn(width, height, |x, y| {
                Rgb([(2 * x + seed) as u8, (3 * y) as u8, (x + y + seed) as u8])
            });
            let png = encode_png(&pixels);
            let sha256 = hex::encode(Sha256::digest(&png));
            files.insert(sha256.clone(), png);
            ManifestItem {
                id: ItemId::new(),
                sha256,
                width,
                height,
                caption: format!("picture number {index}"),
                split: if index == 5 { Split::HeldOut } else { Split::Train },
                showing: protocol::dataset::Showing::default(),
            }
        });
        let manifest = Manifest {
            id: DatasetVersionId::new(),
            items: items.collect(),
        };
        Self { manifest, files }
    }

    /// The PNG file of a picture.
    ///
    /// # Errors
    /// If no picture has this hash.
    pub fn file(&self, item: &ManifestItem) -> io::Result<Vec<u8>> {
        let file = self.files.get(&item.sha256).cloned();
        file.ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

impl Default for Drawn {
    fn default() -> Self {
        Self::new()
    }
}
