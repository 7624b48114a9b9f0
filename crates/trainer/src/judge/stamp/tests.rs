use super::*;

const LINES: Thresholds = Thresholds {
    copied: 0.5,
    damage: 1.0,
    obedience: 0.3,
    loss_change: 0.1,
    gain: 0.25,
    gain_plain: 0.6,
    gain_other: 0.5,
};

fn certain(value: f64) -> Option<Interval> {
    Some(Interval {
        value,
        low: value,
        high: value,
    })
}

/// A LoRA that does what it should.
fn good() -> Figures {
    Figures {
        gain: certain(0.8),
        way: Some(0.2),
        has_trigger: true,
        obedience: certain(0.9),
        diversity: certain(0.7),
        copied: Some(0.0),
        nearest: Some(1.5),
        gain_plain: Some(0.2),
        gain_other: Some(0.1),
        damage: Some(0.1),
        damage_low: Some(0.05),
        loss_change: Some(-0.3),
        ..Figures::default()
    }
}

#[track_caller]
fn check(change: impl FnOnce(&mut Figures), expected: (Stamp, Advice)) -> String {
    let mut figures = good();
    change(&mut figures);
    let Stamped {
        stamp,
        sentence,
        advice,
    } = stamp(&figures, &LINES);
    assert_eq!((stamp, advice), expected, "{sentence}");
    assert!(sentence.ends_with('.') && !sentence.contains("NaN"), "{sentence}");
    sentence
}

#[test]
fn each_rule_has_its_stamp_and_its_advice() {
    let sentence = check(|_| {}, (Stamp::Good, Advice::Use));
    assert_eq!(
        sentence,
        "Its pictures go 80 % of the way from the base to the dataset, and still show what their prompts say."
    );
    check(
        |figures| figures.broken = 0.1,
        (Stamp::Overcooked, Advice::LowerLearningRate),
    );
    check(
        |figures| figures.copied = Some(0.5),
        (Stamp::Copies, Advice::AddPictures),
    );
    check(
        |figures| figures.loss_change = Some(0.1),
        (Stamp::Overcooked, Advice::TrainShorter),
    );
    check(
        |figures| figures.obedience = certain(-0.1),
        (Stamp::Overcooked, Advice::TrainShorter),
    );
    check(
        |figures| figures.gain = certain(0.2),
        (Stamp::TooWeak, Advice::TrainLonger),
    );
    check(
        |figures| figures.gain_plain = Some(0.65),
        (Stamp::Bleeds, Advice::ImproveCaptions),
    );
    check(
        |figures| figures.gain_other = Some(0.5),
        (Stamp::Bleeds, Advice::ImproveCaptions),
    );
}

/// There is one sentence for each cause.
#[test]
fn without_a_gain_it_cannot_be_told_whether_it_is_too_weak() {
    let few = check(
        |figures| (figures.gain, figures.way) = (None, None),
        (Stamp::CannotTell, Advice::AddPictures),
    );
    assert!(few.contains("too few"), "{few}");
    let alike = check(
        |figures| (figures.gain, figures.way) = (None, Some(0.005)),
        (Stamp::CannotTell, Advice::Use),
    );
    assert!(alike.contains("already"), "{alike}");
}

/// Whoever is destroyed, or copies, is called so without a gain, too.
#[test]
fn what_is_worse_needs_no_gain() {
    type Change = fn(&mut Figures);
    let worse: [(Change, Stamp); 4] = [
        (|figures| figures.copied = Some(1.0), Stamp::Copies),
        (|figures| figures.damage = Some(2.0), Stamp::Overcooked),
        (|figures| figures.loss_change = Some(19.0), Stamp::Overcooked),
        (|figures| figures.obedience = certain(0.0), Stamp::Overcooked),
    ];
    for (change, expected) in worse {
        let mut figures = Figures { gain: None, ..good() };
        change(&mut figures);
        assert_eq!(stamp(&figures, &LINES).stamp, expected);
    }
}

/// From less than nothing to more than twice the line: that is no measurement.
#[test]
fn an_interval_that_decides_nothing_is_said() {
    let wide = |low, value, high| Some(Interval { value, low, high });
    check(
        |figures| figures.gain = wide(-0.1, 0.3, 0.6),
        (Stamp::CannotTell, Advice::AddPictures),
    );
    check(
        |figures| figures.obedience = wide(-0.1, 0.2, 0.7),
        (Stamp::CannotTell, Advice::AddPictures),
    );
    check(
        |figures| figures.gain = wide(-0.1, 0.2, 0.4),
        (Stamp::TooWeak, Advice::TrainLonger),
    );
    check(
        |figures| figures.gain = wide(0.1, 0.3, 0.9),
        (Stamp::Good, Advice::Use),
    );
    // Obedience that does not accuse is not asked how certain it is.
    check(
        |figures| figures.obedience = wide(-0.6, 0.8, 1.3),
        (Stamp::Good, Advice::Use),
    );
}

/// A style without a trigger word is meant to change everything.
#[test]
fn without_a_trigger_word_nothing_bleeds() {
    check(
        |figures| {
            figures.has_trigger = false;
            figures.gain_other = Some(1.0);
            figures.gain_plain = Some(1.0);
        },
        (Stamp::Good, Advice::Use),
    );
}

#[test]
fn damage_that_a_lower_weight_avoids_is_advised_so() {
    let sentence = check(
        |figures| figures.damage = Some(1.0),
        (Stamp::Overcooked, Advice::LowerWeight),
    );
    assert!(sentence.contains("2.0 times"), "{sentence}");
    check(
        |figures| {
            figures.damage = Some(2.0);
            figures.damage_low = Some(1.5);
        },
        (Stamp::Overcooked, Advice::LowerLearningRate),
    );
    check(
        |figures| {
            figures.damage = Some(2.0);
            figures.damage_low = None;
        },
        (Stamp::Overcooked, Advice::LowerLearningRate),
    );
}

/// What is worse is said first: a copy that bleeds is a copy.
#[test]
fn the_first_rule_decides() {
    check(
        |figures| {
            figures.copied = Some(1.0);
            figures.damage = Some(3.0);
            figures.gain_plain = Some(1.0);
        },
        (Stamp::Copies, Advice::AddPictures),
    );
    check(
        |figures| {
            figures.gain = certain(0.0);
            figures.gain_plain = Some(1.0);
        },
        (Stamp::TooWeak, Advice::TrainLonger),
    );
}

/// What was not measured accuses nobody.
#[test]
fn a_rule_without_its_number_is_passed_over() {
    check(
        |figures| {
            *figures = Figures {
                gain: certain(0.6),
                ..Figures::default()
            };
        },
        (Stamp::Good, Advice::Use),
    );
}
