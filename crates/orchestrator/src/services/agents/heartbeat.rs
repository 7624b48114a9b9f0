//! Heartbeats: events in, lease and orders out.

use protocol::{
    AttemptId, GenerationId, JobId,
    agent::{AgentEvent, Directive, Heartbeat, HeartbeatReply, Report},
    base::Measured,
    edit::EditProgress,
    event::Event,
    generation::Preview,
    phase::Phase,
};
use store::{
    StoreError, Tx, artifacts,
    attempts::{self, Attempt, Subject},
    bases, edits,
    events::{self, NewEvent},
    generations,
    jobs::{self, JobState, Requested},
    metrics,
    tokens::AgentCredential,
};

use super::held_attempt;
use crate::{
    Orchestrator, ServiceError, ServiceResult,
    disk::PAUSED,
    lifecycle::Input,
    services::{apply, reports},
};

impl Orchestrator {
    /// Stores events, renews the lease, gives orders.
    pub async fn heartbeat(
        &self,
        agent: &AgentCredential,
        id: AttemptId,
        mut heartbeat: Heartbeat,
    ) -> ServiceResult<HeartbeatReply> {
        reports::fit_events(&mut heartbeat.events)?;
        let tx = self.store.begin().await?;
        // This locks the row: a second copy of the same request waits, then finds its events stored.
        let attempt = held_attempt(&tx, agent, id, heartbeat.fence).await?;
        let granted = self.grant(&tx, &attempt).await?;
        attempts::renew(&tx, id, attempt.fence, granted.until)
            .await
            .map_err(stale_is_lost)?;
        if let Subject::Job(job) = attempt.subject
            && !heartbeat.events.is_empty()
        {
            let n_steps = jobs::state(&tx, job).await?.recipe.parameters().n_steps;
            reports::check_steps(&heartbeat.events, n_steps)?;
        }
        let news = news(&attempt, heartbeat.events);
        let acknowledged = news.last().map_or(attempt.last_event_n, |event| event.n);
        if acknowledged > attempt.last_event_n {
            attempts::acknowledge(&tx, id, acknowledged).await?;
        }
        let mut preview = None;
        let directives = match attempt.subject {
            Subject::Job(job) => {
                take_reports(&tx, job, &attempt, news).await?;
                let pauses = self.disk.is_short() && self.copies_here(&attempt.provider) > 0;
                let state = jobs::state(&tx, job).await?;
                if pauses && is_to_pause(&state) && attempt.detail.is_none() {
                    // This tells the server that handles the end of the attempt that the agent followed an order.
                    attempts::told_to_stop(&tx, id, PAUSED).await?;
                }
                directives(&state, pauses)
            }
            Subject::Generation(generation) => {
                preview = take_generation(&tx, generation, &attempt, news).await?;
                Vec::new()
            }
            // Each claim of its agent renews it.
            Subject::Drawing(_) => Vec::new(),
            Subject::Edit(edit) => {
                let newest = news.iter().rev().find_map(|event| match &event.report {
                    Report::Stage { name, done, total } => Some(EditProgress {
                        stage: name.clone(),
                        done: *done,
                        total: *total,
                    }),
                    _ => None,
                });
                if let Some(progress) = newest {
                    edits::set_progress(&tx, edit, &progress).await?;
                }
                match edits::state(&tx, edit).await?.wants_cancel {
                    true => vec![Directive::Cancel],
                    false => Vec::new(),
                }
            }
        };
        tx.commit().await?;
        if let (Some(preview), Subject::Generation(generation)) = (preview, attempt.subject) {
            self.previews.show(generation, preview);
        }
        Ok(HeartbeatReply {
            lease_seconds: granted.seconds,
            acknowledged,
            directives,
            terms: granted.terms,
        })
    }
}

/// Keeps what the agent of a generation reports; the newest preview is for those who follow it.
async fn take_generation(
    tx: &Tx,
    generation: GenerationId,
    attempt: &Attempt,
    news: Vec<AgentEvent>,
) -> ServiceResult<Option<Preview>> {
    let (mut stage, mut notes, mut newest) = (None, Vec::new(), None);
    for AgentEvent { report, .. } in news {
        match report {
            Report::Measured { measured } => {
                let request = generations::state(tx, generation).await?.request;
                learn_of_base(tx, &request.base_model, attempt, &measured).await?;
            }
            Report::Stage { name, .. } => stage = Some(name),
            Report::Log { message, .. } => notes.push(message),
            Report::Preview { preview } => newest = Some(preview),
            Report::Step(_)
            | Report::ValidationLoss { .. }
            | Report::PicturesSeen { .. }
            | Report::Finalizing
            | Report::Validated { .. }
            | Report::Judged { .. }
            | Report::Unknown => {}
        }
    }
    if stage.is_some() || !notes.is_empty() {
        generations::note(tx, generation, stage.as_deref(), &notes).await?;
    }
    Ok(newest)
}

fn stale_is_lost(err: StoreError) -> ServiceError {
    match err {
        StoreError::Stale { .. } => ServiceError::LeaseLost,
        err => err.into(),
    }
}

/// Events that are not stored yet, up to the first gap in their numbers; the agent sends the others again.
fn news(attempt: &Attempt, mut events: Vec<AgentEvent>) -> Vec<AgentEvent> {
    events.sort_by_key(|event| event.n);
    events.dedup_by_key(|event| event.n);
    let mut next = attempt.last_event_n + 1;
    let mut news = Vec::new();
    for event in events {
        if event.n == next {
            next += 1;
            news.push(event);
        }
    }
    news
}

/// Appends what the agent saw to the job's stream, in its order.
async fn take_reports(tx: &Tx, job: JobId, attempt: &Attempt, news: Vec<AgentEvent>) -> ServiceResult<()> {
    let mut batch = Vec::with_capacity(news.len());
    for AgentEvent { n, at, report } in news {
        let event = match report {
            Report::Stage { name, done, total } => Event::Stage { name, done, total },
            Report::Step(metrics) => Event::Step(metrics),
            Report::ValidationLoss { step, loss } => Event::ValidationLoss { step, loss },
            Report::PicturesSeen { steps } => Event::PicturesSeen { steps },
            Report::Log { level, message } => Event::Log { level, message },
            Report::Validated { verdict } => Event::Validated { verdict },
            Report::Judged {
                step,
                judgement: Some(judgement),
            } => {
                // A checkpoint that could not be stored has nobody to be told of.
                if !artifacts::judge_checkpoint(tx, job, step, &judgement).await? {
                    continue;
                }
                Event::Judged { step, judgement }
            }
            Report::Unknown | Report::Preview { .. } | Report::Judged { judgement: None, .. } => continue,
            Report::Measured { measured } => {
                let recipe = jobs::state(tx, job).await?.recipe;
                learn_of_base(tx, recipe.base_model(), attempt, &measured).await?;
                continue;
            }
            Report::Finalizing => {
                append(tx, job, std::mem::take(&mut batch)).await?;
                let state = jobs::state(tx, job).await?;
                apply(tx, &state, Input::TrainingDone, None).await?;
                continue;
            }
        };
        batch.push(NewEvent {
            at: reports::fit_time(at, attempt.created_at),
            attempt: Some(attempt.id),
            agent_n: Some(n),
            event,
        });
    }
    append(tx, job, batch).await
}

/// Keeps what an agent measured of the base that it works with, if nobody has and it is the one that the agent got.
async fn learn_of_base(tx: &Tx, base: &str, attempt: &Attempt, measured: &Measured) -> ServiceResult<()> {
    let base = match bases::get(tx, base).await {
        Ok(base) => base,
        // It is built in, or was removed meanwhile.
        Err(StoreError::NotFound { .. }) => return Ok(()),
        Err(err) => return Err(err.into()),
    };
    let is_news = base.measured.is_none() && measured.method == Measured::METHOD;
    if is_news && base.created_at < attempt.created_at {
        bases::measured(tx, base.id, measured).await?;
    }
    Ok(())
}

async fn append(tx: &Tx, job: JobId, batch: Vec<NewEvent>) -> ServiceResult<()> {
    if batch.is_empty() {
        return Ok(());
    }
    metrics::record(tx, job, batch.iter().map(|new| (new.at, &new.event))).await?;
    let newest = batch.iter().rev().find_map(|new| match &new.event {
        Event::Step(metrics) => Some(*metrics),
        _ => None,
    });
    if let Some(newest) = newest {
        jobs::set_progress(tx, job, Some(&newest)).await?;
    }
    events::append(tx, job, batch).await?;
    Ok(())
}

/// Whether it is to be stopped because the disk is short of space: only if its owner has not asked for something
/// else.
fn is_to_pause(job: &JobState) -> bool {
    job.phase == Phase::Running && job.requested.is_none()
}

/// The current orders; `pauses` means that the disk is short of space.
fn directives(job: &JobState, pauses: bool) -> Vec<Directive> {
    match (job.phase, job.requested) {
        (Phase::Cancelling, _) | (_, Some(Requested::Cancel)) => return vec![Directive::Cancel],
        (Phase::Stopping, _) | (_, Some(Requested::Stop)) => return vec![Directive::Stop],
        _ if pauses && is_to_pause(job) => return vec![Directive::Stop],
        _ => {}
    }
    let mut directives = Vec::new();
    if job.wants_finish {
        directives.push(Directive::Finish);
    }
    if job.wants_checkpoint {
        directives.push(Directive::Checkpoint);
    }
    if job.wants_sample {
        directives.push(Directive::Sample);
    }
    directives
}
