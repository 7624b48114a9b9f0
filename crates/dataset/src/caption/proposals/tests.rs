//! Whose words stay, which tags come back, and how they are spelled.

use super::{Choice, Found, Memory, Origin, Policy, Proposal, Rules, filled};

fn found(tags: &[(&str, f32)]) -> Vec<Found> {
    tags.iter()
        .map(|(name, score)| Found {
            name: (*name).to_owned(),
            is_character: name.contains('('),
            score: *score,
        })
        .collect()
}

fn strings(tags: &[&str]) -> Vec<String> {
    tags.iter().map(|tag| (*tag).to_owned()).collect()
}

const KEEP: Rules<'_> = Rules {
    policy: Policy::Keep,
    trigger_word: "zora",
};

fn with(policy: Policy) -> Rules<'static> {
    Rules { policy, ..KEEP }
}

/// What a program writes for a picture without a caption.
fn written(new: &str) -> Proposal {
    Proposal {
        file_name: "a.png".to_owned(),
        origin: Origin::Human,
        old: String::new(),
        new: new.to_owned(),
        is_addition: false,
        left_out: Vec::new(),
    }
}

#[test]
fn tags_are_chosen_by_score_kind_and_name() {
    let choice = Choice {
        threshold: 0.35,
        character_threshold: 0.8,
        exclude: strings(&["Solo", "looking at viewer"]),
    };
    let found = found(&[
        ("solo", 0.99),
        ("1girl", 0.9),
        (">_<", 0.6),
        ("long_hair", 0.7),
        ("looking_at_viewer", 0.8),
        ("zora_(comic)", 0.85),
        ("ida_(comic)", 0.7),
        ("hat", 0.2),
    ]);
    assert_eq!(choice.tags(&found), ["zora (comic)", "1girl", "long hair", ">_<"]);
}

#[test]
fn a_persons_words_stay_unless_asked() {
    let memory = Memory::default();
    let tags = strings(&["1girl", "hat"]);
    let propose = |policy, old| with(policy).of_tags(&memory, ("a.png", old), &tags);
    let kept = propose(Policy::Keep, "my words");
    assert!(!kept.is_change() && kept.origin == Origin::Human);
    assert_eq!(propose(Policy::Keep, "").new, "zora, 1girl, hat");
    assert_eq!(propose(Policy::Add, "zora, a Hat").new, "zora, a Hat, 1girl, hat");
    assert_eq!(propose(Policy::Add, "zora, Hat").new, "zora, Hat, 1girl");
    assert_eq!(propose(Policy::Replace, "my words").new, "zora, 1girl, hat");
    // Nothing was found: a caption is not emptied.
    let nothing = with(Policy::Replace).of_tags(&memory, ("a.png", "my words"), &[]);
    assert!(!nothing.is_change());
}

/// A caption of a program is replaced by the next one, but what a person changed in it stays.
#[test]
fn what_a_program_wrote_is_replaced_until_somebody_changes_it() {
    let mut memory = Memory::default();
    memory.note(&written("zora, 1girl, hat, smile"), (Origin::Tagger, "wd"));
    let tags = strings(&["1girl", "hat", "smile", "outdoors"]);
    let untouched = KEEP.of_tags(&memory, ("a.png", "zora, 1girl, hat, smile"), &tags);
    assert_eq!(untouched.origin, Origin::Tagger);
    assert_eq!(untouched.new, "zora, 1girl, hat, smile, outdoors");
    let edited = "zora, 1girl, smile";
    assert!(!KEEP.of_tags(&memory, ("a.png", edited), &tags).is_change());
    let added = with(Policy::Add).of_tags(&memory, ("a.png", edited), &tags);
    assert_eq!(
        (added.new.as_str(), added.left_out),
        ("zora, 1girl, smile, outdoors", strings(&["hat"]))
    );
}

#[test]
fn a_removed_tag_stays_removed_whatever_tags_next() {
    let mut memory = Memory::default();
    memory.note(&written("zora, 1girl, black_hat"), (Origin::Tagger, "wd"));
    let other = with(Policy::Replace).of_tags(
        &memory,
        ("a.png", "zora, 1girl"),
        &strings(&["1girl", "Black hat", "smile"]),
    );
    assert_eq!(other.new, "zora, 1girl, smile");
    memory.note(&other, (Origin::Tagger, "other"));
    let again = KEEP.of_tags(&memory, ("a.png", &other.new), &strings(&["black hat", "1girl"]));
    assert_eq!(
        (again.new.as_str(), again.left_out),
        ("zora, 1girl", strings(&["black hat"]))
    );
    // Somebody writes it again: it may come back.
    let back = "zora, 1girl, black hat";
    let again = with(Policy::Replace).of_tags(&memory, ("a.png", back), &strings(&["black hat"]));
    assert_eq!(again.new, "zora, black hat");
}

/// What was added to a person's words does not make them a program's.
#[test]
fn words_that_were_added_to_stay_a_persons() {
    let mut memory = Memory::default();
    let wd = (Origin::Tagger, "wd");
    let propose = |memory: &Memory, policy, old: &str, tags: &[&str]| {
        with(policy).of_tags(memory, ("a.png", old), &strings(tags))
    };
    let once = propose(&memory, Policy::Add, "my words", &["1girl", "hat"]);
    assert_eq!(once.new, "zora, my words, 1girl, hat");
    memory.note(&once, wd);
    assert_eq!(memory.origin("a.png", &once.new), Origin::Human);
    assert!(memory.is_by("a.png", &once.new, wd));
    let twice = propose(&memory, Policy::Add, &once.new, &["1girl", "smile"]);
    assert_eq!(twice.new, "zora, my words, 1girl, hat, smile");
    memory.note(&twice, wd);
    let kept = propose(&memory, Policy::Keep, &twice.new, &["1girl"]);
    assert!(!kept.is_change() && kept.origin == Origin::Human, "{kept:?}");
    // What was added and removed since stays away, by tags and by sentences.
    let edited = "zora, my words, 1girl, smile";
    let again = propose(&memory, Policy::Add, edited, &["hat", "tree"]);
    assert_eq!(again.new, "zora, my words, 1girl, smile, tree");
    let described = with(Policy::Add).of_text(&memory, ("a.png", edited), "She stands.");
    memory.note(&described, (Origin::Model, "qwen"));
    let again = propose(
        &memory,
        Policy::Add,
        "zora, my words, She stands.",
        &["hat", "smile"],
    );
    assert_eq!(
        (again.is_change(), again.left_out),
        (false, strings(&["hat", "smile"]))
    );
    // Who asks for it gets rid of them.
    let replaced = propose(&memory, Policy::Replace, &described.new, &["1girl"]);
    assert_eq!(replaced.new, "zora, 1girl");
    memory.note(&replaced, wd);
    assert_eq!(memory.origin("a.png", "zora, 1girl"), Origin::Tagger);
}

#[test]
fn tags_do_not_replace_a_sentence_that_was_added_to_words() {
    let mut memory = Memory::default();
    let described = with(Policy::Add).of_text(&memory, ("a.png", "my words"), "A hat.");
    assert_eq!(described.new, "zora, my words, A hat.");
    memory.note(&described, (Origin::Model, "qwen"));
    let tags = strings(&["1girl"]);
    assert!(
        !KEEP
            .of_tags(&memory, ("a.png", &described.new), &tags)
            .is_change()
    );
    let added = with(Policy::Add).of_tags(&memory, ("a.png", &described.new), &tags);
    assert_eq!(added.new, "zora, my words, A hat., 1girl");
}

#[test]
fn sentences_are_one_line_and_follow_the_same_rules() {
    let mut memory = Memory::default();
    let text = "A woman in a hat.\n\nShe smiles.\n";
    let first = KEEP.of_text(&memory, ("a.png", ""), text);
    assert_eq!(first.new, "zora, A woman in a hat. She smiles.");
    memory.note(&first, (Origin::Model, "qwen"));
    assert_eq!(memory.origin("a.png", &first.new), Origin::Model);
    assert_eq!(
        KEEP.of_text(&memory, ("a.png", &first.new), "A hat.").new,
        "zora, A hat."
    );
    assert!(!KEEP.of_text(&memory, ("a.png", "mine"), text).is_change());
    assert_eq!(
        with(Policy::Add)
            .of_text(&memory, ("a.png", "mine"), "A hat.")
            .new,
        "zora, mine, A hat."
    );
    assert!(
        !with(Policy::Replace)
            .of_text(&memory, ("a.png", "mine"), " \n")
            .is_change()
    );
}

#[test]
fn a_template_is_filled_once() {
    assert_eq!(
        filled(
            "Describe {name} as {trigger}: {tags} {other} {",
            "zora",
            "{name}, hat",
            "10_zora/a.b.png"
        ),
        "Describe a.b as zora: {name}, hat {other} {"
    );
}
