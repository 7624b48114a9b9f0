use super::*;

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn checkpoints_are_judged_within_their_share_of_the_time() {
    let tenth = JudgeShare::default();
    let left = |elapsed: u32, spent: u32| time_left(tenth, SECOND * elapsed, SECOND * spent);
    assert_eq!(left(0, 0), None);
    assert_eq!(left(100, 0), Some(SECOND * 10));
    assert_eq!(left(100, 4), Some(SECOND * 6));
    assert_eq!(left(100, 10), None);
    assert_eq!(left(100, 11), None);
    assert_eq!(time_left(JudgeShare::NONE, SECOND * 1000, Duration::ZERO), None);
    assert_eq!(JudgeShare::percent(200), JudgeShare::percent(100));
}

#[test]
fn a_time_that_was_too_short_is_tried_again_at_twice_of_it() {
    let mut judging = Judging::begin(JudgeShare::percent(50), SECOND * 100);
    let time = judging.time_for_checkpoint().unwrap();
    assert!(
        time.most >= SECOND * 50 && time.enough <= time.most / 2,
        "{time:?}"
    );
    judging.too_short = SECOND * 60;
    assert_eq!(judging.time_for_checkpoint(), None);
    judging.too_short = SECOND * 40;
    assert_eq!(judging.time_for_checkpoint(), None);
    judging.too_short = SECOND * 20;
    assert!(judging.time_for_checkpoint().is_some());
}

#[test]
fn a_result_gets_its_time_unless_nothing_is_judged() {
    let of = |share, trained| Judging::begin(share, trained).time_for_result();
    let short = of(JudgeShare::default(), SECOND).unwrap();
    assert!(short.enough < SECOND && short.most == FOR_A_RESULT, "{short:?}");
    // From begun to given up there is time for what has begun, however long the training was.
    for trained in [2000, 3000, 3001, 36_000] {
        let time = of(JudgeShare::default(), SECOND * trained).unwrap();
        assert!(time.most >= SECOND * trained / 10, "{time:?}");
        assert!(time.enough <= time.most / 2, "{time:?}");
        assert!(time.enough >= SECOND * 150, "{time:?}");
    }
    assert_eq!(of(JudgeShare::NONE, SECOND * 36_000), None);
}

#[test]
fn what_checkpoints_took_is_not_given_to_the_result_once_more() {
    let mut judging = Judging::begin(JudgeShare::default(), SECOND * 36_000);
    judging.spent = SECOND * 3000;
    let some = judging.time_for_result().unwrap();
    assert!(some.most >= SECOND * 600 && some.most < SECOND * 700, "{some:?}");
    judging.spent = SECOND * 4000;
    let least = Time {
        enough: Duration::ZERO,
        most: FOR_A_RESULT,
    };
    assert_eq!(judging.time_for_result(), Some(least));
}
