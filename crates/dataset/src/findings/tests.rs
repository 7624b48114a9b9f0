use protocol::finding::About;

use super::*;

mod labelled;

fn purpose() -> Purpose {
    Purpose {
        preset: Preset::Character,
        resolution: 1024,
        bucket_step: 64,
        batch_size: 1,
        max_tokens: 75,
        trigger_word: "zora".into(),
        rules: None,
    }
}

/// A picture that nothing is wrong with but perhaps its caption; the hash is that of its name.
fn subject<'a>(file_name: &'a str, sha256: &'a str, caption: &'a str) -> Subject<'a> {
    Subject {
        id: None,
        file_name,
        sha256,
        caption,
        width: 1024,
        height: 1024,
        split: Split::Train,
        showing: Showing::default(),
        notes: &[],
        measures: None,
    }
}

/// Findings about the captions of a dataset that has these.
#[track_caller]
fn check(captions: &[&str], wanted: &expect_test::Expect) {
    check_for(&purpose(), captions, wanted);
}

#[track_caller]
fn check_for(purpose: &Purpose, captions: &[&str], wanted: &expect_test::Expect) {
    let names: Vec<(String, String)> = (0..captions.len())
        .map(|n| (format!("{n}.png"), format!("{n:064}")))
        .collect();
    let subjects: Vec<Subject<'_>> = names
        .iter()
        .zip(captions)
        .map(|((name, hash), caption)| subject(name, hash, caption))
        .collect();
    let mut shown = String::new();
    for finding in find(&subjects, purpose) {
        if finding.about != About::Captions {
            continue;
        }
        shown.push_str(&format!(
            "{:?} {:?}: {}\n",
            finding.severity, finding.code, finding.message
        ));
        for picture in &finding.pictures {
            shown.push_str(&format!("  {}: {}\n", picture.file_name, picture.detail));
        }
    }
    wanted.assert_eq(&shown);
}

#[test]
fn captions_that_say_nothing_are_missing() {
    check(
        &["", ", ,", "zora, smiling"],
        &expect_test::expect![[r#"
            Warning NoCaption: 2 pictures have no caption.
              0.png: has no caption
              1.png: has no caption
        "#]],
    );
}

#[test]
fn a_caption_is_cut_where_the_tokenizer_says() {
    let long = format!("zora, {}the end", "cat ".repeat(80));
    let mut long_enough = purpose();
    long_enough.max_tokens = 150;
    check_for(&long_enough, &[&long], &expect_test::expect![[""]]);
    // `zora` has two tokens, a comma one, and each cat one.
    check(
        &[&long],
        &expect_test::expect![[r#"
            Warning CaptionTooLong: 1 caption is longer than what is read.
              0.png: its caption has 85 tokens, and after 75 `cat cat cat cat cat cat cat cat the end` is cut off
        "#]],
    );
}

#[test]
fn the_trigger_word_is_missing_late_or_repeated() {
    let late = format!("{}zora", "cat ".repeat(30));
    check(
        &["a portrait", &late, "zora, Zora smiling", "zorah, zora"],
        &expect_test::expect![[r#"
            Note TriggerMissing: 1 caption lacks the trigger word.
              0.png: its caption lacks `zora`, which will be prepended
            Note TriggerLate: 1 caption has the trigger word late.
              1.png: its caption has `zora` after 30 other tokens
            Note TriggerRepeated: 1 caption repeats the trigger word.
              2.png: its caption has `zora` 2 times
        "#]],
    );
}

#[test]
fn trigger_words_of_bad_tokens_are_named() {
    for (word, wanted) in [
        (
            "zora7",
            expect_test::expect![[r#"
                Warning TriggerTokens: The trigger word `zora7` has digits, which are tokens of their own with many other meanings.
            "#]],
        ),
        (
            "cat",
            expect_test::expect![[r#"
                Warning TriggerTokens: The trigger word `cat` is a single token, which the base model knows with a meaning of its own.
            "#]],
        ),
        ("zora", expect_test::expect![[""]]),
        ("ntst style", expect_test::expect![[""]]),
    ] {
        let mut purpose = purpose();
        purpose.trigger_word = word.into();
        check_for(&purpose, &[&format!("{word}, smiling")], &wanted);
    }
}

#[test]
fn text_in_a_wrong_encoding_and_contradictions_are_named() {
    check(
        &[
            "zora, grÃ¼n",
            "zora, gr\u{fffd}n",
            "zora, âme, Ärger",
            "1girl, 2girls",
            "1girl, 1boy, blue eyes, red eyes",
            "zora, blue_eyes, red eyes",
            "zora, blue eyes, red eyes, heterochromia",
            "zora, solo, 2girls",
        ],
        &expect_test::expect![[r#"
            Warning CaptionEncoding: 2 captions were saved in a wrong encoding.
              0.png: its caption has `Ã¼n`, as text in a wrong encoding has
              1.png: its caption has `�n`, as text in a wrong encoding has
            Warning ContradictingTags: 3 captions contradict themselves.
              3.png: its caption has both `1girl` and `2girls`
              5.png: its caption has both `blue eyes` and `red eyes`
              7.png: its caption has both `solo` and `2girls`
            Note TriggerMissing: 2 captions lack the trigger word.
              3.png: its caption lacks `zora`, which will be prepended
              4.png: its caption lacks `zora`, which will be prepended
        "#]],
    );
}

#[test]
fn one_caption_for_all_and_tags_that_all_have_are_named() {
    check(
        &["zora, a", "Zora, a", "zora, a", "zora, a", "zora, b"],
        &expect_test::expect![[r#"
            Warning SameCaption: 4 pictures share one caption.
              0.png: has the caption `zora, a`
              1.png: has the caption `Zora, a`
              2.png: has the caption `zora, a`
              3.png: has the caption `zora, a`
        "#]],
    );
    check(
        &[
            "zora, 1girl, pink hair, smiling",
            "zora, 1girl, pink_hair, frowning",
            "zora, 1girl, pink hair, running",
            "zora, 1girl, pink hair, asleep",
            "zora, 1girl, Pink Hair, reading",
        ],
        &expect_test::expect![[r#"
            Note DominatingTag: More than 80 % of the 5 captions have `pink hair` (5).
        "#]],
    );
}

#[test]
fn regularization_pictures_need_no_trigger_word() {
    let mut regularization = subject("a.png", "a", "a portrait");
    regularization.showing.regularization = true;
    let codes: Vec<FindingCode> = find(&[regularization, subject("b.png", "b", "zora")], &purpose())
        .iter()
        .map(|finding| finding.code)
        .collect();
    assert_eq!(codes, [FindingCode::FewPictures]);
}

#[test]
fn a_finding_is_another_one_when_what_it_is_about_changes() {
    let of = |caption: &'static str, hash: &'static str| {
        let findings = find(
            &[subject("a.png", hash, caption), subject("b.png", "b", "")],
            &purpose(),
        );
        let finding = findings
            .iter()
            .find(|finding| finding.code == FindingCode::NoCaption);
        finding.unwrap().content.clone()
    };
    assert_eq!(
        of("zora", "a"),
        of("zora, smiling", "a"),
        "it is about the other picture"
    );
    assert_ne!(of("zora", "a"), of("", "a"), "now both have none");
    assert_ne!(of("", "a"), of("", "c"), "another file");
}

#[test]
fn groups_and_buckets_are_counted_as_an_epoch_shows_them() {
    let mut purpose = purpose();
    purpose.batch_size = 4;
    let mut often = subject("10_a/1.png", "1", "zora");
    often.showing = crate::ingest::showing(often.file_name);
    let mut once = subject("b/1.png", "2", "zora, hat");
    once.showing = crate::ingest::showing(once.file_name);
    once.width = 512;
    let messages: Vec<String> = find(&[often, once], &purpose)
        .into_iter()
        .filter(|finding| finding.about == About::Dataset)
        .map(|finding| finding.message)
        .collect();
    assert_eq!(
        messages,
        [
            "The dataset has 2 pictures.",
            "An epoch shows the group `a` 10 times and the group `b` 1 times.",
            "The bucket 704×1408 (1) has fewer pictures than a batch of 4.",
        ]
    );
}
