//! How a verdict is shown on a terminal: whether the file is healthy, and apart from that what it does.

use protocol::{
    judgement::Judgement,
    model::{RESULT_CHECKS, Verdict, VerdictCheck},
};

use crate::screen::Screen;

/// Shows what is wrong with the file, what was measured of the result, and the losses before and after.
pub(crate) fn show(verdict: &Verdict, screen: &Screen) {
    for line in lines(verdict) {
        screen.say(line);
    }
}

/// What a LoRA was found to be, in a line.
pub(crate) fn judged(judgement: &Judgement) -> String {
    format!("was found {}: {}", judgement.stamp.title(), judgement.sentence)
}

fn lines(verdict: &Verdict) -> Vec<String> {
    let is_of_result = |check: &&VerdictCheck| RESULT_CHECKS.contains(&check.name.as_str());
    let (result, file): (Vec<_>, Vec<_>) = verdict.checks.iter().partition(is_of_result);
    let broken: Vec<&VerdictCheck> = file.iter().filter(|check| !check.passed).copied().collect();
    let mut lines = vec![if broken.is_empty() {
        format!("The file is healthy ({} checks).", file.len())
    } else {
        "The file is broken:".to_owned()
    }];
    lines.extend(broken.iter().map(|check| format!("  {}", check.detail)));
    if !result.is_empty() {
        lines.push("Result:".to_owned());
    }
    for check in result {
        let mark = if check.passed { ' ' } else { '!' };
        lines.push(format!("{mark} {}", check.detail));
    }
    if let Some(losses) = &verdict.validation {
        lines.push(format!(
            "  loss on {} held-out pictures: {:.4} before, {:.4} after",
            losses.n_items,
            losses.mean_before(),
            losses.mean_after()
        ));
    }
    lines
}

#[cfg(test)]
mod tests {
    use protocol::judgement::{Advice, Stamp};

    use super::*;

    fn verdict(checks: &[(&str, bool)]) -> Verdict {
        Verdict {
            passed: checks.iter().all(|(_, passed)| *passed),
            checks: checks
                .iter()
                .map(|(name, passed)| VerdictCheck {
                    name: (*name).to_owned(),
                    passed: *passed,
                    detail: format!("about {name}"),
                })
                .collect(),
            validation: None,
            picture_change: None,
            module_norms: Vec::new(),
        }
    }

    #[test]
    fn a_healthy_file_says_nothing_of_its_result() {
        let verdict = verdict(&[("opens", true), ("finite", true), ("picture_changes", false)]);
        assert_eq!(
            lines(&verdict),
            [
                "The file is healthy (2 checks).",
                "Result:",
                "! about picture_changes"
            ]
        );
    }

    #[test]
    fn a_judgement_is_a_line_with_its_word_and_its_reason() {
        let judgement = Judgement {
            stamp: Stamp::TooWeak,
            sentence: "Its pictures barely differ from the base model's.".to_owned(),
            advice: Advice::TrainLonger,
            score: 0.1,
            score_low: 0.0,
            score_high: 0.2,
            measures: Vec::new(),
            evidence: Vec::new(),
            seconds: 1.0,
        };
        assert_eq!(
            judged(&judgement),
            "was found too weak: Its pictures barely differ from the base model's."
        );
    }

    #[test]
    fn what_is_broken_is_named() {
        let verdict = verdict(&[("opens", true), ("finite", false)]);
        assert_eq!(lines(&verdict), ["The file is broken:", "  about finite"]);
    }
}
