use std::{cell::RefCell, collections::HashMap, convert::Infallible, io::Cursor, slice::from_ref};

use image::{Rgb, RgbImage, Rgba, RgbaImage};

use super::*;
use crate::{
    ingest::tests::refused,
    picture::{encode_png, mask_in, without_mask},
};

fn zora() -> Vec<u8> {
    encode_png(&RgbImage::from_fn(64, 64, |x, y| Rgb([x as u8, y as u8, 7])))
}

/// White in the right half, and this gray in the left one.
fn mask(left: u8) -> Vec<u8> {
    encode_png(&RgbImage::from_fn(64, 64, |x, _| {
        Rgb([if x < 32 { left } else { 255 }; 3])
    }))
}

/// What was stored, by its hash.
#[derive(Default)]
struct Shelf(RefCell<HashMap<String, Bytes>>);

impl Shelf {
    fn store(&self) -> impl FnMut(&NormalizedPicture) -> Result<(), Infallible> {
        move |picture| {
            let mut files = self.0.borrow_mut();
            files.insert(picture.sha256.clone(), picture.png.clone());
            Ok(())
        }
    }

    fn load(&self) -> impl FnMut(&str) -> Result<Option<Bytes>, Infallible> {
        move |sha256| Ok(self.0.borrow().get(sha256).cloned())
    }

    fn file(&self, sha256: &str) -> Vec<u8> {
        self.0.borrow()[sha256].to_vec()
    }

    fn upload(&self, known: &[KnownPicture], files: &[(&str, Vec<u8>)]) -> IngestReport {
        let has_mask = |known: &&KnownPicture| {
            let files = self.0.borrow();
            files
                .get(&known.sha256)
                .is_some_and(|file| mask_in(file).is_some())
        };
        let masked = known
            .iter()
            .filter(has_mask)
            .map(|known| (known.sha256.clone(), (64, 64)));
        let mut batch = Batch::into_dataset(known.to_vec()).with_masked(masked.collect());
        for (name, bytes) in files {
            batch.add(name, Cursor::new(bytes), self.store()).unwrap();
        }
        batch.finish_with(self.load(), self.store()).unwrap()
    }
}

fn known(file_name: &str, sha256: &str) -> KnownPicture {
    KnownPicture {
        file_name: file_name.to_owned(),
        sha256: sha256.to_owned(),
    }
}

#[test]
fn names_say_what_is_a_mask() {
    for (name, picture) in [
        ("a-masklabel.png", Some("a")),
        ("10_Zora/A-MaskLabel.webp", Some("10_zora/a")),
        ("masks/a.png", Some("a")),
        ("10_zora/conditioning_data/a.png", Some("10_zora/a")),
        ("masks/10_zora/a.png", None),
        ("10_masks/a.png", None),
        ("masks.png", None),
        ("-masklabel.png", None),
    ] {
        assert_eq!(name::masked_stem(name).as_deref(), picture, "{name}");
    }
}

#[test]
fn a_mask_is_kept_with_its_picture_whichever_comes_first() {
    for name in ["zora-masklabel.png", "masks/zora.png"] {
        for is_first in [true, false] {
            let mut files = vec![("zora.png", zora()), (name, mask(0))];
            if is_first {
                files.swap(0, 1);
            }
            files.push(("zora.txt", b"a portrait".to_vec()));
            let shelf = Shelf::default();
            let report = shelf.upload(&[], &files);
            refused(&report, &[]);
            let [item] = report.items.as_slice() else {
                panic!("the mask is no picture of its own: {:?}", report.items);
            };
            assert_eq!(
                (item.file_name.as_str(), item.caption.as_str()),
                ("zora.png", "a portrait")
            );
            assert_eq!(
                item.notes,
                ["has a loss mask, which counts where masked_loss is on"]
            );
            let file = shelf.file(&item.sha256);
            assert_eq!(item.size_bytes, file.len() as u64);
            assert_eq!(without_mask(&file), zora());
            assert_eq!(mask_in(&file), Some(&mask(0)[..]));
        }
    }
}

#[test]
fn a_mask_beside_a_picture_takes_the_place_of_the_one_in_its_file() {
    let exported = picture::with_mask(&zora(), &mask(0)).unwrap();
    for is_first in [true, false] {
        let mut files = vec![("zora.png", exported.clone()), ("masks/zora.png", mask(100))];
        if is_first {
            files.swap(0, 1);
        }
        let shelf = Shelf::default();
        let report = shelf.upload(&[], &files);
        refused(&report, &[]);
        let file = shelf.file(&report.items[0].sha256);
        assert_eq!(mask_in(&file), Some(&mask(100)[..]), "{is_first}");
    }
}

#[test]
fn a_mask_that_fits_no_picture_is_refused_and_is_not_trained_on() {
    let small = encode_png(&RgbImage::from_pixel(64, 72, Rgb([255; 3])));
    let clear = RgbaImage::from_fn(64, 64, |x, _| Rgba([0, 0, 0, if x < 32 { 0 } else { 255 }]));
    let mut transparent = Cursor::new(Vec::new());
    image::DynamicImage::from(clear)
        .write_to(&mut transparent, image::ImageFormat::Png)
        .unwrap();
    let files = [
        ("a.png", zora()),
        ("a-masklabel.png", small),
        ("b-masklabel.png", transparent.into_inner()),
        ("c-masklabel.png", mask(1)),
        ("c-masklabel.webp", mask(2)),
    ];
    let report = Shelf::default().upload(&[], &files);
    refused(
        &report,
        &[
            ("b-masklabel.png", "transparent in places: a mask is opaque"),
            ("c-masklabel.webp", "is a second loss mask for the same picture"),
            (
                "a-masklabel.png",
                "is the loss mask of `a.png` and 64×72, but the picture is 64×64",
            ),
            (
                "c-masklabel.png",
                "a picture named `c`, and none of that name was accepted; to train on it as a picture, give it a name \
                 without `-masklabel` and put it into no folder named `masks` or `conditioning_data`",
            ),
        ],
    );
    assert_eq!(report.items.len(), 1);
    assert_eq!(report.items[0].mask, None);
}

#[test]
fn a_picture_of_the_dataset_gets_its_mask_later_and_another_one_instead() {
    let shelf = Shelf::default();
    let first = shelf.upload(&[], &[("zora.png", zora())]);
    let plain = known("zora.png", &first.items[0].sha256);
    // Alone by its name, and beside its picture whatever that is called.
    for files in [
        vec![("zora-masklabel.png", mask(0))],
        vec![("other.png", zora()), ("other-masklabel.png", mask(0))],
    ] {
        let report = shelf.upload(from_ref(&plain), &files);
        assert_eq!(report.items, []);
        assert_eq!(report.masks[0].sha256, plain.sha256);
        let joined = report.masks[0].joined.clone().unwrap();
        let file = shelf.file(&joined.sha256);
        assert_eq!(
            (without_mask(&file), joined.size_bytes),
            (zora(), file.len() as u64)
        );
        assert_eq!(mask_in(&file), Some(&mask(0)[..]));

        let masked = known("zora.png", &joined.sha256);
        let again = shelf.upload(from_ref(&masked), &[("zora-masklabel.png", mask(0))]);
        refused(&again, &[("zora-masklabel.png", "that its picture has already")]);
        let other = shelf.upload(&[masked], &[("zora-masklabel.png", mask(100))]);
        let joined = other.masks[0].joined.clone().unwrap();
        assert_eq!(mask_in(&shelf.file(&joined.sha256)), Some(&mask(100)[..]));
    }
    let large = shelf.upload(
        &[plain],
        &[(
            "zora-masklabel.png",
            encode_png(&RgbImage::from_pixel(64, 72, Rgb([255; 3]))),
        )],
    );
    refused(&large, &[("zora-masklabel.png", "has another size or was lost")]);
    assert_eq!(large.masks, []);
}

#[test]
fn a_picture_that_the_dataset_has_with_a_mask_counts_once() {
    let shelf = Shelf::default();
    let pair = [("zora.png", zora()), ("zora-masklabel.png", mask(0))];
    let first = shelf.upload(&[], &pair);
    let masked = known("zora.png", &first.items[0].sha256);
    let exported = shelf.file(&masked.sha256);
    for files in [
        pair.to_vec(),
        vec![("zora.png", zora())],
        vec![("exported.png", exported.clone())],
        vec![("10_zora/elsewhere.png", zora())],
        vec![("b.png", zora()), ("b-masklabel.png", mask(0))],
    ] {
        let report = shelf.upload(from_ref(&masked), &files);
        assert_eq!(report.items, []);
        assert_eq!(report.masks, []);
        assert_eq!(report.again[0].sha256, masked.sha256);
    }
    // Elsewhere it keeps its mask.
    let elsewhere = shelf.upload(&[], &[("exported.png", exported.clone())]);
    assert_eq!(shelf.file(&elsewhere.items[0].sha256), exported);
    // Pictures of its size are others by their pixels.
    let other = encode_png(&RgbImage::from_pixel(64, 64, Rgb([9; 3])));
    let report = shelf.upload(from_ref(&masked), &[("zora.png", other)]);
    assert_eq!((report.items.len(), report.again.len()), (1, 0));
    // A mask that changed is taken, and the picture stays one.
    let changed = shelf.upload(
        from_ref(&masked),
        &[("zora.png", zora()), ("zora-masklabel.png", mask(9))],
    );
    assert_eq!((changed.items.len(), changed.masks.len()), (0, 1));
    assert_eq!(changed.masks[0].sha256, masked.sha256);
}
