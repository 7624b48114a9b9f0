use super::{ImportLora, LeftOut, N_EXAMPLES, N_REASONS, trigger_words};
use crate::{limits::MAX_TRIGGER_WORDS, lora::Leftover};

fn request() -> ImportLora {
    ImportLora {
        name: "ink".to_owned(),
        base_model: "tiny-xl".to_owned(),
        ..ImportLora::default()
    }
}

fn fields(request: &ImportLora) -> Vec<String> {
    let errors = request.validate().err().map_or_else(Vec::new, |errors| errors.0);
    errors.into_iter().map(|error| error.field).collect()
}

#[test]
fn every_wrong_field_is_named_at_once() {
    assert_eq!(fields(&request()), Vec::<String>::new());
    let wrong = ImportLora {
        name: String::new(),
        base_model: "tiny\u{0}".to_owned(),
        trigger_words: vec!["two\nlines".to_owned(); MAX_TRIGGER_WORDS + 1],
        source: Some("a".repeat(1001)),
        license: Some("\u{0}".to_owned()),
        allow_partial: false,
    };
    let expected = [
        "name",
        "base_model",
        "trigger_words",
        "trigger_words",
        "source",
        "license",
    ];
    assert_eq!(fields(&wrong), expected);
    let directed = ImportLora {
        name: "a\u{202e}b".to_owned(),
        ..request()
    };
    assert_eq!(fields(&directed), ["name"]);
}

#[test]
fn trigger_words_stand_between_commas() {
    assert_eq!(trigger_words(" zora ,, ink comic,zora "), ["zora", "ink comic"]);
    assert!(trigger_words(" , ").is_empty());
}

#[test]
fn what_is_left_out_is_counted_by_reason() {
    let leftover = |name: String, reason: &str, needs_consent| Leftover {
        name,
        reason: reason.to_owned(),
        needs_consent,
    };
    let mut all: Vec<Leftover> = (0..100)
        .map(|n| leftover(format!("module {n}"), "not known", true))
        .collect();
    all.push(leftover("zora".to_owned(), "a text embedding", false));
    let found = LeftOut::of(&all);
    assert_eq!(found.len(), 2);
    assert_eq!((found[0].n, found[0].examples.len()), (100, N_EXAMPLES));
    assert_eq!((found[1].n, found[1].needs_consent), (1, false));

    let many: Vec<Leftover> = (0..1000)
        .map(|n| leftover("a".to_owned(), &n.to_string(), false))
        .collect();
    let found = LeftOut::of(&many);
    assert_eq!(found.len(), N_REASONS);
    assert_eq!(
        found.iter().map(|part| part.n).sum::<usize>(),
        1000,
        "none is lost"
    );
}
