use uuid::Uuid;

use super::*;
use crate::limits::MAX_NOTE_CHARS;

fn strings(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

#[test]
fn a_tag_counts_once_and_long_ones_are_refused() {
    let change = |tags: Vec<String>| UpdateLabel {
        tags: Some(tags),
        note: Some("  for the cover ".to_owned()),
        ..UpdateLabel::default()
    };
    let checked = change(strings(&[" style ", "Style", "", "zora"]))
        .checked()
        .unwrap();
    assert_eq!(checked.tags, Some(strings(&["style", "zora"])));
    assert_eq!(checked.note.as_deref(), Some("for the cover"));

    let many = (0..=MAX_TAGS).map(|n| n.to_string()).collect();
    assert_eq!(change(many).checked().unwrap_err().0[0].field, "tags");
    let long = strings(&["a", &"b".repeat(MAX_TAG_CHARS + 1)]);
    assert_eq!(change(long).checked().unwrap_err().0[0].field, "tags[1]");
    let note = UpdateLabel {
        note: Some("a".repeat(MAX_NOTE_CHARS + 1)),
        ..UpdateLabel::default()
    };
    assert_eq!(note.checked().unwrap_err().0[0].field, "note");
    assert_eq!(UpdateLabel::default().checked().unwrap(), UpdateLabel::default());
}

#[test]
fn settings_are_checked_and_said_in_a_sentence() {
    let usage = HowToUse {
        weight: Some(0.8),
        sampler: Some(Sampler::EulerA),
        n_steps: Some(28),
        guidance: Some(6.0),
        prompt: " zora, city ".to_owned(),
        ..HowToUse::default()
    };
    assert_eq!(
        usage.clone().checked().unwrap().hint().as_deref(),
        Some("Weight 0.8, sampler euler_a, 28 steps, guidance 6, for example: zora, city")
    );
    assert_eq!(HowToUse::default().hint(), None);
    let wrong = HowToUse {
        weight: Some(9.0),
        n_steps: Some(0),
        guidance: Some(0.5),
        ..usage
    };
    let fields: Vec<String> = wrong
        .checked()
        .unwrap_err()
        .0
        .into_iter()
        .map(|error| error.field)
        .collect();
    assert_eq!(fields, ["weight", "n_steps", "guidance"]);
}

#[test]
fn files_have_speaking_names() {
    for (name, stem) in [
        ("Zora", "zora-v2"),
        ("../../etc/passwd", "etc-passwd-v2"),
        ("Zora's  Hat!", "zora-s-hat-v2"),
        ("Жора 🎨", "жора-v2"),
        ("...", "lora-v2"),
    ] {
        assert_eq!(file_stem(name, 2), stem);
    }
    assert!(file_stem(&"a ".repeat(80), 1).len() < 60);

    let id = GenerationId(Uuid::from_u128(0x0192_0000_0000_7000_8000_0000_dead_beef));
    let request: CreateGeneration =
        serde_json::from_value(serde_json::json!({ "base_model": "tiny-xl", "prompt": "a", "seed": "42" }))
            .unwrap();
    let loras = [("Zora".to_owned(), 2), ("Ink style".to_owned(), 1)];
    assert_eq!(
        picture_file_name(id, &request, &loras),
        "zora-v2-ink-style-v1-seed42-deadbeef.png"
    );
    assert_eq!(
        picture_file_name(id, &request, &[]),
        "tiny-xl-seed42-deadbeef.png"
    );
}
