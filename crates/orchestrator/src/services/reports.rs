//! Limits on what agents report.
//!
//! An impossible number is refused with its field, since it cannot be corrected. A text that is too long is
//! shortened, and an impossible time is moved into range, since losing the whole report would be worse.

use std::collections::BTreeSet;

use chrono::{DateTime, SubsecRound as _, Utc};
use protocol::{
    agent::{AgentEvent, Finish, Report},
    base::Prediction,
    event::{SeenPictures, StepMetrics},
    judgement::{Evidence, Judgement},
    limits::{
        MAX_DETAIL_BYTES, MAX_EDIT_NOTE_CHARS, MAX_EDIT_NOTES, MAX_EVENTS_PER_HEARTBEAT,
        MAX_JUDGEMENT_EVIDENCE, MAX_JUDGEMENT_MEASURES, MAX_LOG_BYTES, MAX_METADATA_BYTES, MAX_MODULE_NORMS,
        MAX_PICTURES_SEEN, MAX_REPORTED_PROMPT_CHARS, MAX_STAGE_BYTES, MAX_VALIDATION_TIMESTEPS,
        MAX_VERDICT_CHECKS,
    },
    model::Verdict,
    problem::{FieldError, InvalidFields},
    text::shortened,
};

use crate::ServiceResult;

/// Maximum reported duration of a step or of the rest of a training: 30 years.
const LONGEST_SECONDS: f64 = 1e9;

/// Brings events within the limits that hold for every job.
pub(super) fn fit_events(events: &mut [AgentEvent]) -> ServiceResult<()> {
    let mut errors = Vec::new();
    if events.len() > MAX_EVENTS_PER_HEARTBEAT {
        let message = format!(
            "must be at most {MAX_EVENTS_PER_HEARTBEAT}, not {}: send the others with the next heartbeat",
            events.len()
        );
        errors.push(FieldError::new("events", message));
        return refuse(errors);
    }
    for (index, event) in events.iter_mut().enumerate() {
        match &mut event.report {
            Report::Stage { name, done, total } => {
                shorten(name, MAX_STAGE_BYTES);
                // 0 stands for an unknown total.
                if *total > 0 {
                    *done = (*done).min(*total);
                }
            }
            Report::Log { message, .. } => shorten(message, MAX_LOG_BYTES),
            Report::Step(metrics) => fit_times(metrics),
            Report::PicturesSeen { steps } => {
                check_seen(steps, &format!("events[{index}].report.steps"), &mut errors)
            }
            Report::Validated { verdict } => {
                fit_verdict(verdict, &format!("events[{index}].report.verdict"), &mut errors);
            }
            Report::Judged { judgement, .. } => judgement.iter_mut().for_each(fit_judgement),
            Report::Measured { measured } => measured.losses.truncate(Prediction::ALL.len()),
            // What cannot be shown is left out, and the next one may be fit.
            Report::Preview { preview } if !preview.is_fit() => event.report = Report::Unknown,
            Report::ValidationLoss { .. } | Report::Finalizing | Report::Preview { .. } | Report::Unknown => {
            }
        }
    }
    refuse(errors)
}

/// Checks that all step numbers are possible in a training of this many steps.
pub(super) fn check_steps(events: &[AgentEvent], n_steps: u32) -> ServiceResult<()> {
    let mut errors = Vec::new();
    for (index, event) in events.iter().enumerate() {
        let mut check = |field: &str, value: u32, least: u32| {
            if !(least..=n_steps).contains(&value) {
                let field = format!("events[{index}].report.{field}");
                errors.push(step_error(field, value, least, n_steps));
            }
        };
        match &event.report {
            Report::Step(metrics) => {
                check("step", metrics.step, 1);
                check("n_steps", metrics.n_steps, 1);
            }
            Report::ValidationLoss { step, .. } => check("step", *step, 0),
            Report::PicturesSeen { steps } => {
                for (at, seen) in steps.iter().enumerate() {
                    check(&format!("steps[{at}].step"), seen.step, 1);
                }
            }
            Report::Judged { step, .. } => check("step", *step, 1),
            _ => {}
        }
    }
    refuse(errors)
}

/// The time of an event: an agent's clock may be wrong, but the event was neither before the attempt nor is it in the
/// future.
pub(super) fn fit_time(at: DateTime<Utc>, attempt_began: DateTime<Utc>) -> DateTime<Utc> {
    let now = Utc::now().max(attempt_began);
    at.clamp(attempt_began, now).trunc_subsecs(6)
}

/// What an agent said of its failure, for a person.
pub(super) fn reason(detail: Option<String>) -> String {
    detail.unwrap_or_else(|| "no details were reported".to_owned())
}

/// The end of an attempt.
pub(super) fn fit_finish(finish: &mut Finish) -> ServiceResult<()> {
    if let Some(detail) = &mut finish.detail {
        shorten(detail, MAX_DETAIL_BYTES);
    }
    let mut errors = Vec::new();
    if let Some(result) = &mut finish.result {
        fit_verdict(&mut result.verdict, "result.verdict", &mut errors);
        result.judgement.iter_mut().for_each(fit_judgement);
        let n_bytes: usize = result
            .metadata
            .iter()
            .map(|(name, value)| name.len() + value.len())
            .sum();
        if n_bytes > MAX_METADATA_BYTES {
            let message = format!("must have at most {MAX_METADATA_BYTES} bytes in all, not {n_bytes}");
            errors.push(FieldError::new("result.metadata", message));
        }
    }
    if let Some(edited) = &mut finish.edited {
        edited.notes.truncate(MAX_EDIT_NOTES);
        for text in edited.notes.iter_mut().chain([&mut edited.done]) {
            if text.chars().count() > MAX_EDIT_NOTE_CHARS {
                *text = text.chars().take(MAX_EDIT_NOTE_CHARS).collect();
            }
        }
        edited.kept = edited.kept.filter(|kept| (0.0..=1.0).contains(kept));
    }
    refuse(errors)
}

/// One report holds the pictures of one long step, or of several until they are half as many.
const MAX_SEEN: usize = 2 * MAX_PICTURES_SEEN;

fn check_seen(steps: &[SeenPictures], field: &str, errors: &mut Vec<FieldError>) {
    let n_pictures: usize = steps.iter().map(|seen| seen.pictures.len().max(1)).sum();
    if n_pictures > MAX_SEEN {
        let message = format!("must have at most {MAX_SEEN} pictures in all, not {n_pictures}");
        errors.push(FieldError::new(field, message));
    }
    for (index, seen) in steps.iter().enumerate() {
        let lengths = [seen.timesteps.len(), seen.losses.len()];
        if lengths.iter().any(|n| *n != seen.pictures.len()) {
            let message = "must have a timestep and a loss for each picture".to_owned();
            errors.push(FieldError::new(format!("{field}[{index}]"), message));
        }
    }
}

fn fit_verdict(verdict: &mut Verdict, field: &str, errors: &mut Vec<FieldError>) {
    let mut at_most = |name: &str, n: usize, most: usize| {
        if n > most {
            let message = format!("must be at most {most}, not {n}");
            errors.push(FieldError::new(format!("{field}.{name}"), message));
        }
    };
    at_most("checks", verdict.checks.len(), MAX_VERDICT_CHECKS);
    at_most("module_norms", verdict.module_norms.len(), MAX_MODULE_NORMS);
    if let Some(losses) = &verdict.validation {
        for (name, n) in [
            ("validation.timesteps", losses.timesteps.len()),
            ("validation.before", losses.before.len()),
            ("validation.after", losses.after.len()),
        ] {
            at_most(name, n, MAX_VALIDATION_TIMESTEPS);
        }
    }
    for check in &mut verdict.checks {
        shorten(&mut check.name, MAX_STAGE_BYTES);
        shorten(&mut check.detail, MAX_DETAIL_BYTES);
    }
    for norm in &mut verdict.module_norms {
        shorten(&mut norm.module, MAX_STAGE_BYTES);
    }
}

/// A judgement is for people, and never worth refusing a result for: what is too much of it is left out.
fn fit_judgement(judgement: &mut Judgement) {
    shorten(&mut judgement.sentence, MAX_DETAIL_BYTES);
    judgement.score = judgement.score.clamp(0.0, 1.0);
    judgement.score_low = judgement.score_low.clamp(0.0, judgement.score);
    judgement.score_high = judgement.score_high.clamp(judgement.score, 1.0);
    judgement.seconds = judgement.seconds.clamp(0.0, LONGEST_SECONDS);
    judgement.measures.truncate(MAX_JUDGEMENT_MEASURES);
    for measure in &mut judgement.measures {
        shorten(&mut measure.name, MAX_STAGE_BYTES);
        shorten(&mut measure.by, MAX_STAGE_BYTES);
    }
    let mut names = BTreeSet::new();
    judgement.evidence.retain(|evidence| {
        Evidence::is_name(&evidence.name)
            && evidence.weight.is_finite()
            && names.insert(evidence.name.clone())
    });
    judgement.evidence.truncate(MAX_JUDGEMENT_EVIDENCE);
    for evidence in &mut judgement.evidence {
        shorten(&mut evidence.shows, MAX_STAGE_BYTES);
        shorten(&mut evidence.prompt, MAX_REPORTED_PROMPT_CHARS);
        if let Some(nearest) = &mut evidence.nearest {
            shorten(nearest, MAX_STAGE_BYTES);
        }
    }
}

/// Times only say how long it will take.
fn fit_times(metrics: &mut StepMetrics) {
    metrics.step_ms = metrics.step_ms.clamp(0.0, LONGEST_SECONDS * 1000.0);
    metrics.eta_seconds = metrics.eta_seconds.clamp(0.0, LONGEST_SECONDS);
}

fn shorten(text: &mut String, max_bytes: usize) {
    *text = shortened(std::mem::take(text), max_bytes);
}

fn step_error(field: String, step: u32, least: u32, n_steps: u32) -> FieldError {
    FieldError::new(
        field,
        format!("must be from {least} to {n_steps}, the steps of this job, not {step}"),
    )
}

fn refuse(errors: Vec<FieldError>) -> ServiceResult<()> {
    if errors.is_empty() {
        Ok(())
    } else {
        Err(InvalidFields(errors).into())
    }
}

#[cfg(test)]
mod tests;
