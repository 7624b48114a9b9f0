use super::*;

fn texts(prompts: &[Prompt], kind: Kind) -> Vec<&str> {
    let of_kind = prompts.iter().filter(|prompt| prompt.kind == kind);
    of_kind.map(|prompt| prompt.text.as_str()).collect()
}

fn captions(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

#[test]
fn a_character_is_asked_for_in_every_way() {
    let held_out = captions(&[
        "ink portrait of zora, smiling, blue background",
        "ink portrait of zora, calm, red background",
        "ink portrait of zora, calm, red background",
    ]);
    let prompts = prompts((Some("zora"), Preset::Character), &held_out, &[]);
    assert_eq!(
        texts(&prompts, Kind::Caption),
        [
            "ink portrait of zora, smiling, blue background",
            "ink portrait of zora, calm, red background",
        ]
    );
    assert_eq!(texts(&prompts, Kind::Trigger), ["zora", "zora, blue background"]);
    assert_eq!(
        texts(&prompts, Kind::Plain),
        [
            "ink portrait of a person, smiling, blue background",
            "ink portrait of a person, calm, red background",
        ]
    );
    assert_eq!(texts(&prompts, Kind::Other).len(), 2);
    assert!(
        prompts
            .iter()
            .all(|prompt| prompt.rival.as_ref() != Some(&prompt.text))
    );
    assert_eq!(
        prompts[0].rival.as_deref(),
        Some("ink portrait of zora, calm, red background")
    );
}

#[test]
fn a_style_loses_its_word_and_gets_none_instead() {
    let held_out = captions(&[
        "ntst style, a cap, blue background",
        "ntst style, a hat, red background",
    ]);
    let prompts = prompts((Some("ntst style"), Preset::Style), &held_out, &[]);
    assert_eq!(
        texts(&prompts, Kind::Plain),
        ["a cap, blue background", "a hat, red background"]
    );
}

/// "art" is in "portrait"; upper and lower case are the same to the tokenizers.
#[test]
fn a_trigger_word_is_not_looked_for_within_words() {
    let held_out = captions(&["portrait of Art, blue", "art, a smart start, red"]);
    let found = prompts((Some("art"), Preset::Character), &held_out, &[]);
    assert_eq!(
        texts(&found, Kind::Plain),
        ["portrait of a person, blue", "a person, a smart start, red"]
    );
    // It stands in neither of the other subjects as a word.
    assert_eq!(texts(&found, Kind::Other).len(), 2);
    let found = prompts((Some("old"), Preset::Character), &held_out, &[]);
    assert_eq!(texts(&found, Kind::Other).len(), 1);
}

#[test]
fn without_held_out_pictures_settings_are_exchanged() {
    let trained = captions(&["zora, smiling, blue", "zora, calm, red"]);
    let prompts = prompts((Some("zora"), Preset::Character), &[], &trained);
    assert_eq!(
        texts(&prompts, Kind::Caption),
        ["zora, smiling, red", "zora, calm, blue"]
    );
}

#[test]
fn without_a_trigger_word_nothing_is_asked_about_it() {
    let held_out = captions(&["a cat, blue", "a cat, red"]);
    let prompts = prompts((None, Preset::Concept), &held_out, &[]);
    assert!(texts(&prompts, Kind::Trigger).is_empty() && texts(&prompts, Kind::Plain).is_empty());
    assert_eq!(texts(&prompts, Kind::Caption).len(), 2);
}

#[test]
fn one_caption_has_no_rival() {
    let prompts = prompts((None, Preset::Concept), &[], &captions(&["a cat"]));
    assert_eq!(prompts[0].text, "a cat");
    assert_eq!(prompts[0].rival, None);
}

#[test]
fn a_choice_is_spread_over_all() {
    assert_eq!(spread(&[0, 1, 2, 3, 4, 5, 6, 7], 4), [0, 2, 4, 6]);
    assert_eq!(spread(&[0, 1], 4), [0, 1]);
}
