use super::*;

fn judged(stamp: Stamp, score: f64, [score_low, score_high]: [f64; 2]) -> Judgement {
    Judgement {
        stamp,
        sentence: String::new(),
        advice: Advice::Use,
        score,
        score_low,
        score_high,
        measures: Vec::new(),
        evidence: Vec::new(),
        seconds: 1.0,
    }
}

#[track_caller]
fn check(judged: &[(u32, Judgement)], expected: Option<u32>) -> Option<Recommendation> {
    let candidates = judged.iter().map(|(step, judgement)| Candidate {
        step: *step,
        judgement,
    });
    let recommended = recommend(&candidates.collect::<Vec<_>>());
    assert_eq!(recommended.as_ref().map(|recommended| recommended.step), expected);
    recommended
}

#[test]
fn the_best_is_taken_if_it_is_better_beyond_doubt() {
    let candidates = [
        (100, judged(Stamp::Good, 0.4, [0.35, 0.45])),
        (200, judged(Stamp::Good, 0.8, [0.75, 0.85])),
        (300, judged(Stamp::Good, 0.6, [0.55, 0.65])),
    ];
    let recommended = check(&candidates, Some(200)).unwrap();
    assert_eq!(
        (recommended.score, recommended.score_low, recommended.score_high),
        (0.8, 0.75, 0.85)
    );
    assert_eq!(
        recommended.sentence,
        "Of 3 good checkpoints, the one of step 200 is the best."
    );
}

#[test]
fn of_what_cannot_be_told_apart_the_earliest_is_taken() {
    let candidates = [
        (300, judged(Stamp::Good, 0.8, [0.7, 0.9])),
        (100, judged(Stamp::Good, 0.6, [0.5, 0.69])),
        (200, judged(Stamp::Good, 0.7, [0.6, 0.75])),
    ];
    let recommended = check(&candidates, Some(200)).unwrap();
    assert!(
        recommended.sentence.contains("of step 300"),
        "{}",
        recommended.sentence
    );
}

#[test]
fn only_good_ones_are_recommended() {
    let copies = (100, judged(Stamp::Copies, 0.9, [0.9, 0.9]));
    check(std::slice::from_ref(&copies), None);
    check(&[], None);
    let recommended = check(&[copies, (200, judged(Stamp::Good, 0.3, [0.2, 0.4]))], Some(200)).unwrap();
    assert_eq!(
        recommended.sentence,
        "The checkpoint of step 200 is the only good one."
    );
}

#[test]
fn a_measurement_is_found_by_its_name() {
    let mut judgement = judged(Stamp::Good, 0.5, [0.4, 0.6]);
    judgement.measures.push(Measure {
        name: "likeness".to_owned(),
        value: 0.7,
        low: None,
        high: None,
        base: None,
        by: "features of the base's U-Net".to_owned(),
    });
    assert_eq!(
        judgement.measure("likeness").map(|measure| measure.value),
        Some(0.7)
    );
    assert!(judgement.measure("diversity").is_none());
}
