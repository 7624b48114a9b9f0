use serde_json::json;

use super::*;

fn item(n: u128, repeats: u32, regularization: bool) -> ManifestItem {
    ManifestItem {
        id: ItemId(uuid::Uuid::from_u128(n)),
        sha256: "ab".repeat(32),
        width: 64,
        height: 64,
        caption: "zora".into(),
        split: Split::Train,
        showing: Showing {
            group: String::new(),
            repeats,
            regularization,
        },
    }
}

/// Frozen versions are found again by the hash of this text.
#[test]
fn a_picture_without_a_group_is_written_as_before_there_were_any() {
    let plain = item(1, 1, false);
    let text = json!({
        "id": "00000000-0000-0000-0000-000000000001", "sha256": "ab".repeat(32), "width": 64, "height": 64,
        "caption": "zora", "split": "train",
    });
    assert_eq!(serde_json::to_value(&plain).unwrap(), text);
    assert_eq!(serde_json::from_value::<ManifestItem>(text).unwrap(), plain);

    let mut other = item(2, 10, true);
    other.showing.group = "outfit".into();
    let text = serde_json::to_value(&other).unwrap();
    assert_eq!((&text["group"], &text["repeats"]), (&json!("outfit"), &json!(10)));
    assert_eq!(serde_json::from_value::<ManifestItem>(text).unwrap(), other);
    let id = DatasetVersionId::new();
    let is_uneven = |items: Vec<ManifestItem>| Manifest { id, items }.is_uneven();
    assert!(!is_uneven(vec![plain.clone()]) && is_uneven(vec![plain.clone(), other]));
    assert!(is_uneven(vec![item(3, 1, true)]) && is_uneven(vec![item(3, 2, false)]));
}

/// The numbers of sd-scripts' loop, counted by hand.
#[test]
fn regularization_pictures_are_repeated_until_they_are_as_many() {
    for (n_others, repeats, expected) in [
        (10, vec![1, 1, 1], vec![4, 3, 3]),
        (3, vec![1, 1, 1], vec![1, 1, 1]),
        (2, vec![1, 1, 1], vec![1, 1, 0]),
        (7, vec![2, 3], vec![3, 4]),
        (4, vec![10, 1], vec![10, 0]),
        (5, vec![], vec![]),
    ] {
        assert_eq!(
            regularization_repeats(n_others, &repeats),
            expected,
            "{n_others} {repeats:?}"
        );
    }
}

#[test]
fn what_is_shown_begins_with_what_is_learned() {
    let mut held_out = item(4, 7, false);
    held_out.split = Split::HeldOut;
    let items = [item(1, 1, true), item(2, 3, false), item(3, 1, false), held_out];
    let of = |n_drawn| {
        let Shown { items, drawn } = Shown::of(&items, n_drawn);
        let items = items
            .into_iter()
            .map(|(item, repeats)| (item.id.0.as_u128(), repeats));
        (items.collect::<Vec<_>>(), drawn)
    };
    assert_eq!(of(0), (vec![(2, 3), (3, 1), (1, 4)], vec![]));
    assert_eq!(of(2), (vec![(2, 3), (3, 1), (1, 2)], vec![1, 1]));
    assert_eq!(
        of(9),
        (vec![(2, 3), (3, 1), (1, 1)], vec![1, 1, 1, 0, 0, 0, 0, 0, 0])
    );
}

#[test]
fn limits_of_groups_are_named() {
    let errors = |result: Result<(), InvalidFields>| -> Vec<String> {
        let errors = result.err().map(|errors| errors.0).unwrap_or_default();
        errors
            .iter()
            .map(|error| format!("{}: {}", error.field, error.message))
            .collect()
    };
    let change = UpdateItem {
        group: Some("a\nb".into()),
        repeats: Some(0),
        ..UpdateItem::default()
    };
    assert_eq!(
        errors(change.validate()),
        [
            "group: must not contain U+000A, a line break",
            "repeats: must be from 1 to 1000, not 0"
        ]
    );
    let groups = |repeats| UpdateGroups {
        groups: vec![GroupChange {
            group: String::new(),
            repeats: Some(repeats),
            regularization: None,
        }],
    };
    assert_eq!(errors(groups(1000).validate()), Vec::<String>::new());
    assert_eq!(
        errors(groups(1001).validate()),
        ["groups[0].repeats: must be from 1 to 1000, not 1001"]
    );
}
