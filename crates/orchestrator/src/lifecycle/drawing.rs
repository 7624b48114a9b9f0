//! The life cycle of a drawing session: one pure function. It has one attempt; whatever ends that ends the session.

use protocol::drawing::DrawingPhase;

/// What happens to a drawing session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Input {
    /// The intent to order its machine was committed.
    Launch,
    /// Its agent has called.
    Claimed,
    /// It was found that no machine can be ordered, or its owner ended it before one was.
    Refused,
    /// Its attempt is over: its owner, its limit, silence, or the loss of its machine has ended it.
    AttemptEnded,
    /// No machine of it is known to run any more.
    MachineGone,
}

/// The phase after an input; `None` for one that cannot come in this phase. An input that may arrive twice leaves the
/// session in the phase that it led to.
pub fn next(phase: DrawingPhase, input: Input) -> Option<DrawingPhase> {
    use DrawingPhase::{Ended, Ending, Ordered, Ready, Starting};
    match (phase, input) {
        (Ordered, Input::Launch) => Some(Starting),
        (Starting | Ready, Input::Claimed) => Some(Ready),
        (Ordered, Input::Refused) => Some(Ended),
        (Starting | Ready | Ending, Input::AttemptEnded) => Some(Ending),
        (Ending | Ended, Input::MachineGone) => Some(Ended),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INPUTS: [Input; 5] = [
        Input::Launch,
        Input::Claimed,
        Input::Refused,
        Input::AttemptEnded,
        Input::MachineGone,
    ];

    #[test]
    fn a_session_never_goes_back_and_always_reaches_its_end() {
        let place = |phase| DrawingPhase::ALL.iter().position(|one| *one == phase);
        for phase in DrawingPhase::ALL {
            let after: Vec<DrawingPhase> = INPUTS.iter().filter_map(|input| next(phase, *input)).collect();
            assert!(after.iter().all(|next| place(*next) >= place(phase)), "{phase:?}");
            let goes_on = after.iter().any(|next| place(*next) > place(phase));
            assert_eq!(goes_on, phase != DrawingPhase::Ended, "{phase:?}");
        }
    }

    #[test]
    fn what_has_a_machine_ends_only_when_the_machine_is_gone() {
        for phase in [DrawingPhase::Starting, DrawingPhase::Ready] {
            assert_eq!(next(phase, Input::AttemptEnded), Some(DrawingPhase::Ending));
            assert_eq!(next(phase, Input::MachineGone), None);
            assert_eq!(next(phase, Input::Refused), None);
        }
        assert_eq!(next(DrawingPhase::Ending, Input::Claimed), None);
    }
}
