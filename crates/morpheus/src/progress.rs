//! How progress is worded, on a terminal and without one.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A bar over steps on standard error, if that is a terminal and nobody reads it as JSON.
pub(crate) fn steps(json: bool) -> ProgressBar {
    let target = if json {
        ProgressDrawTarget::hidden()
    } else {
        ProgressDrawTarget::stderr()
    };
    let style = ProgressStyle::with_template("  {bar:32} {pos}/{len}  {msg}");
    ProgressBar::with_draw_target(None, target)
        .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

/// `1:05`, `1:00:00`.
pub(crate) fn clock(time: Duration) -> String {
    let seconds = time.as_secs();
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 {
        format!("{hours}:{minutes:02}:{seconds:02}")
    } else {
        format!("{minutes}:{seconds:02}")
    }
}

/// The first step, the last, and each that completes a tenth of the way.
pub(crate) fn is_milestone(step: u32, n_steps: u32) -> bool {
    let tenth = |step: u32| u64::from(step) * 10 / u64::from(n_steps.max(1));
    step <= 1 || step == n_steps || tenth(step) > tenth(step - 1)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{clock, is_milestone};

    #[test]
    fn clocks_have_hours_only_when_there_are_some() {
        assert_eq!(clock(Duration::from_secs(65)), "1:05");
        assert_eq!(clock(Duration::from_secs(3600)), "1:00:00");
    }

    #[test]
    fn a_long_training_says_eleven_things() {
        assert_eq!((1..=465).filter(|step| is_milestone(*step, 465)).count(), 11);
        assert_eq!((1..=3).filter(|step| is_milestone(*step, 3)).count(), 3);
    }
}
