//! How a verdict is shown on a terminal.

use protocol::model::Verdict;

use crate::screen::Screen;

/// Shows every check, and the losses before and after.
pub(crate) fn show(verdict: &Verdict, screen: &Screen) {
    screen.say(if verdict.passed {
        "The LoRA passed:"
    } else {
        "The LoRA did not pass:"
    });
    for check in &verdict.checks {
        let mark = if check.passed { "ok  " } else { "FAIL" };
        screen.say(format_args!("  {mark}  {:16} {}", check.name, check.detail));
    }
    if let Some(losses) = &verdict.validation {
        screen.say(format_args!(
            "  loss on {} held-out pictures: {:.4} before, {:.4} after",
            losses.n_items,
            losses.mean_before(),
            losses.mean_after()
        ));
    }
}
