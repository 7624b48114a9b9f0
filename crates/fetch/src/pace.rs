//! Minimum rate of a response.

use std::time::Duration;

use protocol::limits::{FETCH_PACE_WINDOW, MIN_FETCH_PACE_BYTES};

/// Measures the rate while the receiver waits for data.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    waited: Duration,
    n_bytes: u64,
}

impl Pace {
    /// Records bytes received after a wait; returns `false` if the rate is too low.
    pub(crate) fn note(&mut self, n_bytes: usize, waited: Duration) -> bool {
        self.waited += waited;
        self.n_bytes += n_bytes as u64;
        if self.waited < FETCH_PACE_WINDOW {
            return true;
        }
        let is_enough = self.n_bytes >= MIN_FETCH_PACE_BYTES;
        *self = Self::default();
        is_enough
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Pace;

    #[test]
    fn a_trickle_is_too_slow_and_a_pause_is_not() {
        let mut trickle = Pace::default();
        let second = Duration::from_secs(1);
        assert!((0..59).all(|_| trickle.note(1, second)));
        assert!(!trickle.note(1, second));

        let mut slow = Pace::default();
        assert!((0..600).all(|_| slow.note(2000, second)));

        // Nobody waited for what came late because nobody asked for it.
        let mut paused = Pace::default();
        assert!((0..600).all(|_| paused.note(16_384, Duration::ZERO)));
    }
}
