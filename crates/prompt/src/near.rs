//! Names that resemble one that is not known.

/// Names offered at most.
const MOST: usize = 3;

/// The names that `wanted` may have been meant to be, the nearest first: those that contain it or that it contains, and
/// those that differ in few letters.
pub fn near<'a>(wanted: &str, names: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let wanted = wanted.to_lowercase();
    let n_wanted = wanted.chars().count();
    let mut found: Vec<(usize, &str)> = names
        .into_iter()
        .filter_map(|name| {
            let lower = name.to_lowercase();
            let n_edits = edits(&wanted, &lower);
            let is_part =
                n_wanted >= 3 && lower.contains(&wanted) || !lower.is_empty() && wanted.contains(&lower);
            (is_part || n_edits <= 1 + n_wanted / 4).then_some((n_edits, name))
        })
        .collect();
    found.sort();
    found.truncate(MOST);
    found.into_iter().map(|(_, name)| name).collect()
}

/// The names as the end of a sentence that says that one is not known: `; near it are …`, or nothing.
pub fn near_in_words<'a>(wanted: &str, names: impl IntoIterator<Item = &'a str>) -> String {
    match &near(wanted, names)[..] {
        [] => String::new(),
        [one] => format!("; did you mean `{one}`?"),
        [others @ .., last] => {
            let others: Vec<String> = others.iter().map(|name| format!("`{name}`")).collect();
            format!("; did you mean {} or `{last}`?", others.join(", "))
        }
    }
}

/// Letters to add, remove or replace (Levenshtein 1966).
fn edits(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, a) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::{edits, near, near_in_words};

    #[test]
    fn edits_count_letters() {
        for (a, b, n) in [
            ("zora", "zora", 0),
            ("zora", "zorro", 2),
            ("", "ink", 3),
            ("kitten", "sitting", 3),
        ] {
            assert_eq!((edits(a, b), edits(b, a)), (n, n), "{a} {b}");
        }
    }

    #[test]
    fn near_names() {
        let names = ["Zora", "zora-ink", "inkwell", "Lorelei"];
        assert_eq!(near("zoro", names), ["Zora"]);
        assert_eq!(near("zora", names), ["Zora", "zora-ink"]);
        assert!(near("qqqqqq", names).is_empty());
        assert_eq!(near_in_words("zoro", names), "; did you mean `Zora`?");
        assert_eq!(
            near_in_words("zora", names),
            "; did you mean `Zora` or `zora-ink`?"
        );
        assert_eq!(near_in_words("qqqqqq", names), "");
    }
}
