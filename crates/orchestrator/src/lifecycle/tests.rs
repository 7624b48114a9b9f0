//! Every pair of phase and input in one table, and what holds for every sequence.

use expect_test::expect;
use proptest::prelude::*;
use protocol::phase::{Outcome, Phase};

use super::{Input, next};

const OUTCOMES: [Outcome; 6] = [
    Outcome::Completed,
    Outcome::Stopped,
    Outcome::Cancelled,
    Outcome::Failed,
    Outcome::Lost,
    Outcome::NeverStarted,
];

fn inputs() -> Vec<(String, Input)> {
    let mut inputs = vec![
        ("launch".to_owned(), Input::Launch),
        ("claimed".to_owned(), Input::Claimed),
        ("training done".to_owned(), Input::TrainingDone),
        ("stop requested".to_owned(), Input::StopRequested),
        ("finish requested".to_owned(), Input::FinishRequested),
        ("cancel requested".to_owned(), Input::CancelRequested),
        ("resume".to_owned(), Input::Resume),
    ];
    for outcome in OUTCOMES {
        for attempts_left in [0, 1] {
            let input = Input::AttemptEnded {
                outcome,
                attempts_left,
            };
            inputs.push((format!("{outcome:?}, {attempts_left} left").to_lowercase(), input));
        }
    }
    inputs
}

/// One line for each input, one column for each phase; `.` is refused.
#[test]
fn table() {
    let mut table = format!("{:24}", "");
    for phase in Phase::ALL {
        table.push_str(&format!(" {:10}", phase.as_str()));
    }
    for (name, input) in inputs() {
        table.push_str(&format!("\n{name:24}"));
        for phase in Phase::ALL {
            let to = next(phase, input).map_or(".", Phase::as_str);
            table.push_str(&format!(" {to:10}"));
        }
    }
    let table: String = table
        .lines()
        .map(|line| format!("{}\n", line.trim_end()))
        .collect();
    expect![[r#"
                                 queued     launching  running    finalizing stopping   stopped    cancelling cancelled  failed     succeeded
        launch                   launching  .          .          .          .          .          .          .          .          .
        claimed                  .          running    running    running    stopping   .          cancelling .          .          .
        training done            .          .          finalizing finalizing stopping   .          cancelling .          .          .
        stop requested           stopped    stopping   stopping   .          stopping   .          .          .          .          .
        finish requested         queued     launching  running    finalizing .          .          .          .          .          .
        cancel requested         cancelled  cancelling cancelling cancelling cancelling .          cancelling .          .          .
        resume                   .          .          .          .          .          queued     .          .          queued     .
        completed, 0 left        .          .          succeeded  succeeded  succeeded  .          cancelled  .          .          .
        completed, 1 left        .          .          succeeded  succeeded  succeeded  .          cancelled  .          .          .
        stopped, 0 left          .          failed     failed     failed     stopped    .          cancelled  .          .          .
        stopped, 1 left          .          queued     queued     queued     stopped    .          cancelled  .          .          .
        cancelled, 0 left        .          failed     failed     failed     stopped    .          cancelled  .          .          .
        cancelled, 1 left        .          queued     queued     queued     stopped    .          cancelled  .          .          .
        failed, 0 left           .          failed     failed     failed     failed     .          cancelled  .          .          .
        failed, 1 left           .          failed     failed     failed     failed     .          cancelled  .          .          .
        lost, 0 left             .          failed     failed     failed     stopped    .          cancelled  .          .          .
        lost, 1 left             .          queued     queued     queued     stopped    .          cancelled  .          .          .
        neverstarted, 0 left     .          failed     failed     failed     stopped    .          cancelled  .          .          .
        neverstarted, 1 left     .          queued     queued     queued     stopped    .          cancelled  .          .          .
    "#]].assert_eq(&table);
}

#[test]
fn what_cannot_happen_is_said_in_words() {
    for (phase, input, expected) in [
        (
            Phase::Succeeded,
            Input::CancelRequested,
            "a job that has succeeded cannot be canceled",
        ),
        (
            Phase::Cancelled,
            Input::StopRequested,
            "a job that was canceled cannot be stopped",
        ),
        (
            Phase::Running,
            Input::Resume,
            "a job that is running cannot be resumed",
        ),
        (
            Phase::Stopped,
            Input::FinishRequested,
            "a job that was stopped cannot be finished early",
        ),
    ] {
        assert_eq!(next(phase, input).unwrap_err().to_string(), expected);
    }
}

fn any_input() -> impl Strategy<Value = Input> {
    let ended = (0..OUTCOMES.len(), 0..3_u32).prop_map(|(outcome, attempts_left)| Input::AttemptEnded {
        outcome: OUTCOMES[outcome],
        attempts_left,
    });
    prop_oneof![
        Just(Input::Launch),
        Just(Input::Claimed),
        Just(Input::TrainingDone),
        Just(Input::StopRequested),
        Just(Input::FinishRequested),
        Just(Input::CancelRequested),
        Just(Input::Resume),
        ended,
    ]
}

proptest! {
    /// Whatever happens, a job that ended stays so, unless its owner resumes one that stopped or failed.
    #[test]
    fn ended_jobs_stay_ended(inputs in prop::collection::vec(any_input(), 1..60)) {
        let mut phase = Phase::Queued;
        for input in inputs {
            let Ok(to) = next(phase, input) else { continue };
            if phase.is_ended() {
                prop_assert!(matches!(phase, Phase::Stopped | Phase::Failed));
                prop_assert_eq!((input, to), (Input::Resume, Phase::Queued));
            }
            phase = to;
        }
    }

    /// From wherever users and agents brought a job, it ends when the agents keep failing: each attempt
    /// costs one, and when none is left the job is over.
    #[test]
    fn every_sequence_ends(
        inputs in prop::collection::vec(any_input(), 0..60),
        outcomes in prop::collection::vec(0..OUTCOMES.len(), 8),
    ) {
        let mut phase = Phase::Queued;
        for input in inputs {
            phase = next(phase, input).unwrap_or(phase);
        }
        for (attempts_left, outcome) in (0..8).rev().zip(outcomes) {
            if phase.is_ended() {
                break;
            }
            if phase == Phase::Queued {
                phase = next(phase, Input::Launch)?;
            }
            phase = next(phase, Input::Claimed)?;
            phase = next(phase, Input::AttemptEnded { outcome: OUTCOMES[outcome], attempts_left })?;
        }
        prop_assert!(phase.is_ended(), "{phase:?}");
    }

    /// An input that is told twice does what it did once.
    #[test]
    fn requests_may_be_repeated(inputs in prop::collection::vec(any_input(), 0..60)) {
        let mut phase = Phase::Queued;
        for input in inputs {
            let Ok(to) = next(phase, input) else { continue };
            let is_repeatable = !to.is_ended()
                && matches!(input, Input::StopRequested | Input::CancelRequested | Input::TrainingDone | Input::Claimed);
            if is_repeatable {
                prop_assert_eq!(next(to, input), Ok(to));
            }
            phase = to;
        }
    }
}
