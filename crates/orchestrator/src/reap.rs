//! Terminates rented machines past their deadline, using only their names.
//!
//! It needs the provider's key, and no database: a second machine, or cron, can run it while everything else is
//! broken. Only machines whose names say that they are ours ([`MachineName`]) and that their time is over are
//! touched; all others are named in the report. The judgement ([`judge`]) is pure.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use protocol::MicroUsd;
use rental::{Account, CallError, MachineName, Machines};
use serde::Serialize;
use tokio::time::{Instant, sleep};

/// How long after its deadline a machine, or our server, has to terminate it: half of the six minutes that every
/// reservation includes for this.
pub const GRACE: Duration = Duration::from_secs(3 * 60);

/// Pauses between two tries to end a machine: they double from the first to the last.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LAST_PAUSE: Duration = Duration::from_secs(60);

/// A larger difference between our clock and the provider's gets a warning.
const CLOCK_TOLERANCE: TimeDelta = TimeDelta::minutes(2);

/// What to reap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Only machines of this installation, by the mark in their names; if absent, those of every installation.
    pub deployment: Option<String>,
    /// See [`GRACE`].
    pub grace: Duration,
    /// How long to retry terminating a machine before giving up.
    pub patience: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            deployment: None,
            grace: GRACE,
            patience: Duration::from_secs(10 * 60),
        }
    }
}

/// What is to be done with a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Judgement {
    /// Ours, and over: it is ended.
    Overdue,
    /// Ours, with time left.
    InTime,
    /// Another installation's.
    OtherDeployment,
    /// Somebody else's.
    Foreign,
}

/// Judges a machine by its name alone.
pub fn judge(name: &str, now: DateTime<Utc>, options: &Options) -> Judgement {
    let Ok(name) = name.parse::<MachineName>() else {
        return Judgement::Foreign;
    };
    if options
        .deployment
        .as_ref()
        .is_some_and(|only| only != name.deployment())
    {
        return Judgement::OtherDeployment;
    }
    let grace = TimeDelta::from_std(options.grace).unwrap_or(TimeDelta::MAX);
    match name.deadline().checked_add_signed(grace) {
        Some(end) if now >= end => Judgement::Overdue,
        _ => Judgement::InTime,
    }
}

/// A machine in the report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Machine {
    /// The provider's id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// What an hour of it costs, in micro-dollars.
    pub rate_micro_usd: MicroUsd,
    /// When it must be gone, if its name says so.
    pub deadline: Option<DateTime<Utc>>,
}

/// What a round found and did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Overdue, and gone now: the provider says so.
    pub ended: Vec<Machine>,
    /// Overdue, and still there.
    pub left: Vec<Machine>,
    /// Ours, with time left.
    pub in_time: Vec<Machine>,
    /// Of another installation; not touched.
    pub other_deployments: Vec<Machine>,
    /// Somebody else's; not touched.
    pub foreign: Vec<Machine>,
}

/// A round that could not begin.
#[derive(Debug, thiserror::Error)]
#[error("failed to list the machines")]
pub struct ReapError(#[source] CallError);

/// Looks once at all machines, and ends those that are overdue, each until it is gone or patience is over.
pub async fn round(account: &dyn Account, options: &Options) -> Result<Report, ReapError> {
    let give_up_at = Instant::now() + options.patience;
    let listed = account.list().await.map_err(ReapError)?;
    let now = time_of(&listed);
    let mut report = Report::default();
    let mut overdue = Vec::new();
    for shown in &listed.machines {
        let machine = Machine::of(shown);
        match judge(&shown.name, now, options) {
            Judgement::Overdue => overdue.push(machine),
            Judgement::InTime => report.in_time.push(machine),
            Judgement::OtherDeployment => report.other_deployments.push(machine),
            Judgement::Foreign => report.foreign.push(machine),
        }
    }
    // All at once: one that cannot be terminated must not delay the others.
    let ends = overdue.into_iter().map(async |machine| {
        let is_gone = end(account, &machine, give_up_at).await;
        (machine, is_gone)
    });
    for (machine, is_gone) in futures::future::join_all(ends).await {
        if is_gone {
            report.ended.push(machine);
        } else {
            report.left.push(machine);
        }
    }
    Ok(report)
}

impl Machine {
    fn of(shown: &rental::Machine) -> Self {
        Self {
            id: shown.id.clone(),
            name: shown.name.clone(),
            rate_micro_usd: shown.rate,
            deadline: shown.name.parse().ok().map(|name: MachineName| name.deadline()),
        }
    }
}

/// The provider's time, since this machine's clock may be wrong; ours when it does not say.
fn time_of(listed: &Machines) -> DateTime<Utc> {
    let ours = Utc::now();
    let Some(theirs) = listed.at else { return ours };
    if (theirs - ours).abs() > CLOCK_TOLERANCE {
        tracing::warn!(%ours, %theirs, "this machine's clock differs from the provider's, which counts");
    }
    theirs
}

/// Asks for a machine's termination repeatedly until the provider says that it is gone; false after the time limit.
async fn end(account: &dyn Account, machine: &Machine, give_up_at: Instant) -> bool {
    let Machine { id, name, .. } = machine;
    let mut pause = FIRST_PAUSE;
    loop {
        match try_to_end(account, id).await {
            Ok(true) => {
                tracing::info!(machine.id = id, machine.name = name, "machine ended");
                return true;
            }
            Ok(false) => tracing::debug!(machine.id = id, machine.name = name, "machine is still there"),
            Err(err) => {
                let error = &err as &dyn std::error::Error;
                tracing::warn!(
                    machine.id = id,
                    machine.name = name,
                    error,
                    "failed to end a machine; trying again"
                );
            }
        }
        if Instant::now() + pause > give_up_at {
            tracing::error!(machine.id = id, machine.name = name, "machine does not end");
            return false;
        }
        sleep(pause).await;
        pause = (pause * 2).min(LAST_PAUSE);
    }
}

/// Asks for a machine's termination; true if neither its own page nor the list shows it any more. Either can be out
/// of date, and a confirmed request is not proof.
async fn try_to_end(account: &dyn Account, id: &str) -> Result<bool, CallError> {
    account.terminate(id).await?;
    if account.get(id).await?.is_some() {
        return Ok(false);
    }
    let listed = account.list().await?;
    Ok(listed.machines.iter().all(|machine| machine.id != id))
}

#[cfg(test)]
mod tests;
