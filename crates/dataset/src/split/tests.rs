use proptest::prelude::*;
use protocol::ItemId;

use super::*;

fn items(hashes: impl IntoIterator<Item = u32>) -> Vec<ManifestItem> {
    let item = |hash: u32| ManifestItem {
        id: ItemId::new(),
        sha256: format!("{hash:064x}"),
        width: 128,
        height: 128,
        caption: String::new(),
        split: Split::Train,
        showing: protocol::dataset::Showing::default(),
    };
    hashes.into_iter().map(item).collect()
}

fn n_held_out(manifest: &Manifest) -> usize {
    manifest
        .items
        .iter()
        .filter(|item| item.split == Split::HeldOut)
        .count()
}

#[test]
fn holds_out_a_sensible_number() {
    for (n_items, n_wanted) in [
        (1, 0),
        (11, 0),
        (12, 2),
        (16, 2),
        (24, 3),
        (30, 4),
        (31, 4),
        (50, 5),
        (200, 20),
    ] {
        let manifest = freeze(DatasetVersionId::new(), items(0..n_items)).unwrap();
        assert_eq!(n_held_out(&manifest), n_wanted, "of {n_items}");
    }
}

#[test]
fn regularization_pictures_are_neither_held_out_nor_enough() {
    let mut with_others = items(0..40);
    with_others[..30]
        .iter_mut()
        .for_each(|item| item.showing.regularization = true);
    let manifest = freeze(DatasetVersionId::new(), with_others.clone()).unwrap();
    assert_eq!(n_held_out(&manifest), 0, "of ten pictures none is");
    with_others.extend(items(100..110));
    let manifest = freeze(DatasetVersionId::new(), with_others).unwrap();
    assert_eq!(n_held_out(&manifest), 3, "of twenty, three are");
    assert!(
        manifest
            .items
            .iter()
            .all(|item| !item.showing.regularization || item.split == Split::Train)
    );

    let mut alone = items(0..3);
    alone
        .iter_mut()
        .for_each(|item| item.showing.regularization = true);
    assert_eq!(
        freeze(DatasetVersionId::new(), alone),
        Err(FreezeError::OnlyRegularization)
    );
}

#[test]
fn keeps_what_is_marked() {
    let mut marked = items(0..40);
    marked[7].split = Split::HeldOut;
    let id = marked[7].id;
    let manifest = freeze(DatasetVersionId::new(), marked).unwrap();
    assert_eq!(n_held_out(&manifest), 1);
    assert!(
        manifest
            .items
            .iter()
            .any(|item| item.id == id && item.split == Split::HeldOut)
    );
}

#[test]
fn refuses_leaks_emptiness_and_nothing_to_train_on() {
    let mut leaking = items([1, 2, 1]);
    leaking[2].split = Split::HeldOut;
    let (held_out, trained) = (leaking[2].id.to_string(), leaking[0].id.to_string());
    assert_eq!(
        freeze(DatasetVersionId::new(), leaking),
        Err(FreezeError::Leak { held_out, trained })
    );
    assert_eq!(
        freeze(DatasetVersionId::new(), Vec::new()),
        Err(FreezeError::Empty)
    );
    let mut all = items(0..2);
    all.iter_mut().for_each(|item| item.split = Split::HeldOut);
    assert_eq!(
        freeze(DatasetVersionId::new(), all),
        Err(FreezeError::NothingToTrainOn(2))
    );
}

proptest! {
    #[test]
    fn never_leaks_and_depends_on_pixels_alone(hashes in prop::collection::vec(0_u32..60, 1..80)) {
        let first = freeze(DatasetVersionId::new(), items(hashes.clone())).unwrap();
        let second = freeze(DatasetVersionId::new(), items(hashes.into_iter().rev())).unwrap();
        let held_out = |manifest: &Manifest| {
            let mut hashes: Vec<_> = manifest.items.iter().filter(|item| item.split == Split::HeldOut)
                .map(|item| item.sha256.clone()).collect();
            hashes.sort();
            hashes
        };
        prop_assert_eq!(held_out(&first), held_out(&second));
        prop_assert!(n_held_out(&first) <= default_held_out(first.items.len()));
        let trained: Vec<_> =
            first.items.iter().filter(|item| item.split == Split::Train).map(|item| &item.sha256).collect();
        prop_assert!(held_out(&first).iter().all(|hash| !trained.contains(&hash)));
    }
}
