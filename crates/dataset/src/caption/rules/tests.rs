use proptest::prelude::*;
use protocol::{
    preset::BaseClass,
    recipe::{ParameterOverrides, RecipeRequest},
};

use super::*;

fn rules(trigger_word: &str, parameters: Parameters) -> CaptionRules {
    CaptionRules {
        trigger_word: trigger_word.to_owned(),
        parameters,
    }
}

/// Numbers in a circle.
fn circle(numbers: &[f64]) -> impl FnMut() -> f64 {
    let mut numbers = numbers.iter().copied().cycle();
    move || numbers.next().expect("a circle has no end")
}

#[track_caller]
fn check_draw(rules: &CaptionRules, caption: &str, n_steps: u32, numbers: &[f64], expected: &str) {
    let mut uniform = circle(numbers);
    let draw = Draw {
        n_steps,
        uniform: &mut uniform,
    };
    assert_eq!(rules.draw(&rules.written(caption), draw), expected);
}

#[test]
fn nothing_changes_without_rules() {
    let plain = rules("zora", Parameters::default());
    for (caption, written) in [
        ("zora, smiling,, hat,", "zora, smiling,, hat,"),
        ("smiling {a|b}", "zora, smiling {a|b}"),
        ("two\nlines", "zora, two\nlines"),
        ("", "zora"),
    ] {
        assert_eq!(plain.written(caption), written);
        assert_eq!(plain.settled(written), written);
        assert!(!plain.changes(written));
    }
    assert_eq!(rules("", Parameters::default()).written("hat"), "hat");
}

#[test]
fn prefix_and_suffix_stand_around_the_trigger_word() {
    let framed = |prefix: &str, suffix: &str| {
        rules(
            "zora",
            Parameters {
                caption_prefix: prefix.into(),
                caption_suffix: suffix.into(),
                ..Parameters::default()
            },
        )
    };
    assert_eq!(
        framed("best quality,", "white background").written("hat,"),
        "best quality, zora, hat, white background"
    );
    // It is there once.
    assert_eq!(framed("zora,", "").written("hat"), "zora, hat");
    assert_eq!(framed("", "by zora").written(""), "by zora");
}

#[test]
fn shuffled_tags_keep_the_first() {
    let shuffled = |keep_tokens| {
        rules(
            "",
            Parameters {
                shuffle_tags: true,
                keep_tokens,
                ..Parameters::default()
            },
        )
    };
    // Fisher and Yates with zeros: each last tag changes places with the first.
    check_draw(&shuffled(0), "a, b, c, d", 0, &[0.0], "b, c, d, a");
    check_draw(&shuffled(2), "a, b, c, d ,", 0, &[0.0], "a, b, d, c");
    check_draw(&shuffled(9), "a, b", 0, &[0.0], "a, b");
    assert_eq!(shuffled(0).settled("a,b,  c"), "a, b, c");
    assert!(shuffled(0).changes("a, b"));
}

#[test]
fn separators_split_head_and_tail_off() {
    let separated = rules(
        "",
        Parameters {
            shuffle_tags: true,
            keep_tokens: 1,
            keep_tokens_separator: "|||".into(),
            tag_separator: ";".into(),
            secondary_separator: "+".into(),
            ..Parameters::default()
        },
    );
    check_draw(
        &separated,
        "a; b ||| c; d ||| e; f",
        0,
        &[0.0],
        "a, b, d, c, e, f",
    );
    check_draw(&separated, "a; b ||| c; d; e", 0, &[0.0], "a, b, d, e, c");
    // Without it, the first tags are kept; the second separator becomes the first at the end.
    check_draw(&separated, "a; b+c; d", 0, &[0.0], "a, d, b;c");
}

#[test]
fn the_trigger_word_is_kept_in_front() {
    let shuffled = |trigger: &str, change: fn(&mut Parameters)| {
        let mut parameters = Parameters {
            shuffle_tags: true,
            ..Parameters::default()
        };
        change(&mut parameters);
        rules(trigger, parameters)
    };
    let plain = shuffled("zora", |_| ());
    assert_eq!(plain.n_kept_tags(), 1);
    assert_eq!(
        plain.written("1girl, a photo of Zora, hat"),
        "a photo of Zora, 1girl, hat"
    );
    check_draw(&plain, "hat, cat", 0, &[0.0], "zora, cat, hat");
    check_draw(&plain, "1girl, zora, hat", 0, &[0.0], "zora, hat, 1girl");

    let prefixed = shuffled("zora", |p| p.caption_prefix = "best quality,".into());
    check_draw(&prefixed, "hat", 0, &[0.0], "zora, hat, best quality");

    // Two tags are one trigger word.
    let two = shuffled("zora, the cat", |_| ());
    assert_eq!(two.n_kept_tags(), 2);
    check_draw(
        &two,
        "hat, zora, the cat, fur",
        0,
        &[0.0],
        "zora, the cat, fur, hat",
    );

    let separated = shuffled("zora", |p| p.keep_tokens_separator = "|||".into());
    check_draw(
        &separated,
        "1girl ||| hat, zora, fur",
        0,
        &[0.0],
        "zora, 1girl, fur, hat",
    );
    check_draw(
        &separated,
        "1girl ||| hat, fur ||| zora",
        0,
        &[0.0],
        "1girl, fur, hat, zora",
    );

    let dropping = shuffled("zora", |p| p.tag_dropout = 1.0);
    check_draw(&dropping, "hat, zora, fur", 0, &[0.5], "zora");
    let warming = shuffled("zora", |p| p.token_warmup_steps = 10);
    check_draw(&warming, "hat, zora, fur", 0, &[0.99], "zora, hat");
}

#[test]
fn tags_are_dropped_one_by_one() {
    let dropping = rules(
        "",
        Parameters {
            tag_dropout: 0.3,
            keep_tokens: 1,
            ..Parameters::default()
        },
    );
    // A number below the rate drops; without a shuffle the order stays.
    check_draw(&dropping, "a, b, c, d", 0, &[0.29, 0.3, 0.1], "a, c");
}

/// The numbers are sd-scripts' formula: `floor(step * ((n - min) / steps)) + min`.
#[test]
fn tags_come_one_after_the_other() {
    let warming = rules(
        "",
        Parameters {
            token_warmup_min: 2,
            token_warmup_steps: 10,
            ..Parameters::default()
        },
    );
    let caption = "a, b, c, d, e, f";
    for (n_steps, expected) in [
        (0, "a, b"),
        (2, "a, b"),
        (3, "a, b, c"),
        (5, "a, b, c, d"),
        (9, "a, b, c, d, e"),
        (10, caption),
        (999, caption),
    ] {
        check_draw(&warming, caption, n_steps, &[0.0], expected);
    }
    check_draw(&warming, "a", 0, &[0.0], "a");
    assert_eq!(
        [0, 5, 10].map(|n_steps| warming.n_warm_tags(caption, n_steps)),
        [Some(2), Some(4), Some(6)]
    );
    assert_eq!(warming.n_warm_tags("a, b", 5), None);
}

#[test]
fn every_so_many_epochs_captions_are_empty() {
    let every = |n| {
        let parameters = Parameters {
            caption_dropout_every_n_epochs: n,
            ..Parameters::default()
        };
        let rules = rules("zora", parameters);
        (0..6)
            .filter(|&epoch| rules.drops_epoch(epoch))
            .collect::<Vec<_>>()
    };
    assert_eq!(every(0), Vec::<u32>::new());
    assert_eq!(every(2), [1_u32, 3, 5]);
    assert_eq!(every(1), [0_u32, 1, 2, 3, 4, 5]);
}

#[test]
fn wildcards_choose_a_line_and_a_word() {
    let wild = |trigger| {
        let parameters = Parameters {
            wildcards: true,
            ..Parameters::default()
        };
        rules(trigger, parameters)
    };
    check_draw(&wild(""), "a {red|blue} hat", 0, &[0.0], "a red hat");
    check_draw(&wild(""), "a {red|blue} hat", 0, &[0.5], "a blue hat");
    check_draw(&wild(""), "a {red} {{b|c}} {} {x", 0, &[0.9], "a red {b|c} {} {x");
    check_draw(&wild(""), "{{{a|b}}}", 0, &[0.0], "{a");
    check_draw(&wild(""), "first\n\nsecond {x|y}", 0, &[0.5, 0.0], "second x");
    assert_eq!(wild("").settled("{x|y} z\nsecond"), "x z");
    assert!(!wild("").changes("plain"));

    // Each line has the trigger word, and one that may not be drawn does not count.
    assert_eq!(wild("zora").written("one\nzora, two"), "zora, one\nzora, two");
    assert_eq!(wild("zora").written("{zora|cat}, hat"), "zora, {zora|cat}, hat");

    let shuffled = rules(
        "zora",
        Parameters {
            wildcards: true,
            shuffle_tags: true,
            ..Parameters::default()
        },
    );
    // A comma in a wildcard does not tear it apart.
    assert_eq!(
        shuffled.written("{red, big|blue} hat, zora"),
        "zora, {red, big|blue} hat"
    );
}

/// What `process_caption` of sd-scripts says with the same numbers in place of chance; made by
/// `tools/golden/captions.py`.
#[test]
fn captions_are_those_of_sd_scripts() {
    #[derive(serde::Deserialize)]
    struct Case {
        parameters: ParameterOverrides,
        caption: String,
        n_steps: u32,
        /// Counted from 1.
        epoch: u32,
        numbers: Vec<f64>,
        said: String,
    }
    let cases: Vec<Case> = serde_json::from_str(include_str!("golden.json")).unwrap();
    assert!(cases.len() > 50);
    for case in cases {
        let shown = format!("{:?} {}", case.parameters, case.caption);
        let request = RecipeRequest {
            name: "zora".into(),
            base_model: "sdxl".into(),
            overrides: case.parameters,
            ..RecipeRequest::default()
        };
        let rules = CaptionRules::of(&Recipe::resolve(request, BaseClass::Sdxl).unwrap());
        let mut uniform = circle(&case.numbers);
        let draw = Draw {
            n_steps: case.n_steps,
            uniform: &mut uniform,
        };
        let said = if rules.drops_epoch(case.epoch - 1) {
            String::new()
        } else {
            rules.draw(&rules.written(&case.caption), draw)
        };
        assert_eq!(said, case.said, "{shown}");
    }
}

proptest! {
    #[test]
    fn no_tag_is_lost_and_the_trigger_word_comes_first(
        tags in prop::collection::vec("[a-y]{1,5}", 0..12), at in 0_usize..12, numbers in prop::collection::vec(0.0..1.0, 1..9),
    ) {
        let mut tags = tags;
        tags.insert(at.min(tags.len()), "zora".to_owned());
        let parameters = Parameters { shuffle_tags: true, ..Parameters::default() };
        let rules = rules("zora", parameters);
        let mut uniform = circle(&numbers);
        let said = rules.draw(&rules.written(&tags.join(",")), Draw { n_steps: 0, uniform: &mut uniform });
        let mut said: Vec<&str> = said.split(", ").collect();
        prop_assert_eq!(said[0], "zora");
        said.sort_unstable();
        tags.sort_unstable();
        prop_assert_eq!(said, tags);
    }

    #[test]
    fn no_caption_is_too_strange(caption: String, numbers in prop::collection::vec(0.0..1.0, 1..9)) {
        let parameters = Parameters {
            shuffle_tags: true, tag_dropout: 0.5, wildcards: true, keep_tokens_separator: "|".into(),
            token_warmup_steps: 3, caption_prefix: "{".into(), ..Parameters::default()
        };
        let rules = rules("zora, 2", parameters);
        let mut uniform = circle(&numbers);
        let written = rules.written(&caption);
        rules.draw(&written, Draw { n_steps: 1, uniform: &mut uniform });
        rules.settled(&written);
    }
}
