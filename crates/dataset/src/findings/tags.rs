//! Tags that exclude each other.

use std::collections::BTreeSet;

/// Of each line, a picture with one subject has at most one.
const EXCLUSIVE: [&[&str]; 9] = [
    &["open mouth", "closed mouth"],
    &["day", "night"],
    &["indoors", "outdoors"],
    &["from above", "from below"],
    &["from behind", "from front"],
    &["short hair", "medium hair", "long hair", "very long hair", "bald"],
    &["full body", "close-up"],
    &["monochrome", "colorful"],
    &["standing", "lying"],
];
/// `blue eyes` excludes `red eyes`.
const COLORS: [&str; 14] = [
    "aqua", "black", "blonde", "blue", "brown", "gray", "green", "grey", "orange", "pink", "purple", "red",
    "white", "yellow",
];
/// Tags that say that a feature has several colors, by the feature.
const SEVERAL_COLORS: [(&str, &[&str]); 2] = [
    ("eyes", &["heterochromia", "multicolored eyes", "two-tone eyes"]),
    (
        "hair",
        &[
            "multicolored hair",
            "two-tone hair",
            "gradient hair",
            "streaked hair",
            "colored inner hair",
            "split-color hair",
            "rainbow hair",
        ],
    ),
];
/// Counts of people, of which a picture has one of each kind.
const COUNTS: [&[&str]; 2] = [
    &["1girl", "2girls", "3girls", "4girls", "5girls", "6+girls"],
    &["1boy", "2boys", "3boys", "4boys", "5boys", "6+boys"],
];

/// Two tags of a caption that cannot both be true; none if it seems fine.
pub(super) fn contradiction(tags: &BTreeSet<String>) -> Option<(String, String)> {
    let two_of = |all: &[&str]| {
        let mut present = all.iter().filter(|tag| tags.contains(**tag));
        Some(((*present.next()?).to_owned(), (*present.next()?).to_owned()))
    };
    if let Some(found) = COUNTS.iter().find_map(|counts| two_of(counts)) {
        return Some(found);
    }
    let several = several_people(tags);
    if let Some(people) = &several {
        return tags.contains("solo").then(|| ("solo".to_owned(), people.clone()));
    }
    if let Some(found) = EXCLUSIVE.iter().find_map(|exclusive| two_of(exclusive)) {
        return Some(found);
    }
    SEVERAL_COLORS.iter().find_map(|(feature, several)| {
        if several.iter().any(|tag| tags.contains(*tag)) {
            return None;
        }
        let colored: Vec<String> = COLORS.iter().map(|color| format!("{color} {feature}")).collect();
        let mut present = colored.iter().filter(|tag| tags.contains(*tag));
        Some((present.next()?.clone(), present.next()?.clone()))
    })
}

/// The tag that says that there are several people, each of which may have features of its own.
fn several_people(tags: &BTreeSet<String>) -> Option<String> {
    let is_several = |tag: &&String| {
        let counts = COUNTS.iter().any(|counts| counts[1..].contains(&tag.as_str()));
        counts || tag.starts_with("multiple ")
    };
    if let Some(tag) = tags.iter().find(is_several) {
        return Some(tag.clone());
    }
    (tags.contains("1girl") && tags.contains("1boy")).then(|| "1girl, 1boy".to_owned())
}
