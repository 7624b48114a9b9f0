use super::*;

fn edit(operation: CaptionOperation, caption: &str) -> Result<String, EditError> {
    CaptionEditor::new(&operation)?.edit(caption)
}

#[track_caller]
fn check(operation: CaptionOperation, cases: &[(&str, &str)]) {
    for (before, after) in cases {
        let edited = edit(operation.clone(), before);
        assert_eq!(edited.as_deref(), Ok(*after), "{operation} of `{before}`");
        // Once more changes nothing but where a replacement finds itself.
        if !matches!(
            operation,
            CaptionOperation::Replace { .. } | CaptionOperation::ReplacePattern { .. }
        ) {
            assert_eq!(edit(operation.clone(), after).as_deref(), Ok(*after));
        }
    }
}

#[test]
fn texts_are_put_first_and_last() {
    let text = || "zora".to_owned();
    check(
        CaptionOperation::AddFirst { text: text() },
        &[
            ("", "zora"),
            ("a portrait", "zora, a portrait"),
            ("Zora, a portrait", "Zora, a portrait"),
            ("smiling, zora,  hat", "zora, smiling, hat"),
            ("one\ntwo", "zora, one\nzora, two"),
        ],
    );
    check(
        CaptionOperation::AddLast { text: text() },
        &[
            ("", "zora"),
            ("a portrait,", "a portrait, zora"),
            ("zora, a portrait", "zora, a portrait"),
        ],
    );
}

#[test]
fn tags_are_removed_renamed_and_merged() {
    check(
        CaptionOperation::RemoveTag {
            tag: "pink hair".into(),
        },
        &[
            ("zora, Pink_Hair, smiling", "zora, smiling"),
            ("pink hair", ""),
            ("long pink hair,  hat", "long pink hair,  hat"),
        ],
    );
    check(
        CaptionOperation::RenameTag {
            tag: "hat".into(),
            new_tag: "red hat".into(),
        },
        &[
            ("zora, hat", "zora, red hat"),
            ("hat, zora, red hat", "red hat, zora"),
            ("zora", "zora"),
        ],
    );
    check(
        CaptionOperation::MergeTags {
            tags: vec!["grin".into(), "smile".into()],
            new_tag: "smiling".into(),
        },
        &[("zora, smile, hat, grin", "zora, smiling, hat")],
    );
}

#[test]
fn texts_and_patterns_are_replaced() {
    let replace = |find: &str, replacement: &str, ignore_case| CaptionOperation::Replace {
        find: find.into(),
        replacement: replacement.into(),
        ignore_case,
    };
    check(replace("a.b", "$1", false), &[("a.b acb", "$1 acb")]);
    check(replace("HAT", "cap", false), &[("hat", "hat")]);
    check(replace("HAT", "cap", true), &[("hat, Hat", "cap, cap")]);
    let pattern = |pattern: &str, replacement: &str| CaptionOperation::ReplacePattern {
        pattern: pattern.into(),
        replacement: replacement.into(),
        ignore_case: false,
    };
    check(
        pattern(r"(\w+) hair", "hair of $1"),
        &[("pink hair, red hair", "hair of pink, hair of red")],
    );
    check(pattern("^", "zora, "), &[("smiling", "zora, smiling")]);
    check(pattern(".*", ""), &[("smiling", "")]);
}

#[test]
fn patterns_that_are_wrong_or_too_large_are_refused() {
    let error = |pattern: &str, replacement: &str, caption: &str| {
        let operation = CaptionOperation::ReplacePattern {
            pattern: pattern.into(),
            replacement: replacement.into(),
            ignore_case: false,
        };
        edit(operation, caption).unwrap_err()
    };
    let EditError::Pattern(reason) = error("(", "", "") else {
        panic!("it is no pattern")
    };
    assert!(reason.contains("unclosed group"), "{reason}");
    for large in ["(a{1000}){1000}".to_owned(), "(".repeat(100) + &")".repeat(100)] {
        assert!(matches!(error(&large, "", ""), EditError::Pattern(_)), "{large}");
    }
    let caption = "a".repeat(1000);
    assert_eq!(error("a", &"b".repeat(1000), &caption), EditError::TooLong);
    // Patterns that take other programs exponential time.
    let slow = "a".repeat(50_000);
    let started = std::time::Instant::now();
    let operation = CaptionOperation::ReplacePattern {
        pattern: "(a+)+b|(a|aa)+$x".into(),
        replacement: "c".into(),
        ignore_case: false,
    };
    assert_eq!(edit(operation, &slow).as_deref(), Ok(slow.as_str()));
    assert!(started.elapsed() < std::time::Duration::from_secs(20));
    assert_eq!(error(".*[^a]|a", "c", &slow), EditError::TooSlow);
}
