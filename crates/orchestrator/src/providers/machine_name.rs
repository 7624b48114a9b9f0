//! The name of a rented machine: whose it is, what it is for, and when it must be gone at the latest.
//!
//! `mph-<deployment>-<job>-a<attempt>-<nonce>-d<deadline>`, so that whoever holds the provider's key can judge a
//! machine without our database. Names are not unique at the provider; the nonce makes ours so.

#[cfg(test)]
mod tests;

use std::{fmt, str::FromStr};

use chrono::{DateTime, Utc};
use protocol::JobId;
use uuid::Uuid;

const DEPLOYMENT_LETTERS: usize = 6;
const JOB_LETTERS: usize = 8;
const NONCE_LETTERS: usize = 6;
/// Unix minutes: enough for the next centuries, and far from the end of a timestamp's range.
const MOST_DEADLINE_LETTERS: usize = 6;
const BASE: u128 = 36;
const DIGITS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";

/// A machine's name.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct MachineName {
    deployment: String,
    job: String,
    attempt: u32,
    nonce: String,
    deadline_minutes: u32,
}

/// A text that is no such name; the machine is somebody else's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a name of the form `mph-…-d<deadline>`")]
pub struct ForeignName;

impl MachineName {
    /// A fresh name. The deadline is rounded up to whole minutes.
    pub fn new(deployment: Uuid, job: JobId, attempt: u32, deadline: DateTime<Utc>) -> Self {
        let minutes = u64::try_from(deadline.timestamp()).unwrap_or(0).div_ceil(60);
        Self {
            deployment: deployment_mark(deployment),
            job: letters(job.0.as_u128(), JOB_LETTERS),
            attempt,
            nonce: letters(u128::from(rand::random::<u64>()), NONCE_LETTERS),
            deadline_minutes: u32::try_from(minutes).unwrap_or(u32::MAX).min(MOST_MINUTES),
        }
    }

    /// Which installation rented it: see [`deployment_mark`].
    pub fn deployment(&self) -> &str {
        &self.deployment
    }

    /// Whether it was rented for this job.
    pub fn is_for(&self, job: JobId) -> bool {
        self.job == letters(job.0.as_u128(), JOB_LETTERS)
    }

    /// Which attempt of the job.
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// When it must be gone at the latest.
    pub fn deadline(&self) -> DateTime<Utc> {
        DateTime::from_timestamp(i64::from(self.deadline_minutes) * 60, 0).unwrap_or(DateTime::<Utc>::MAX_UTC)
    }
}

/// The largest number of minutes that fits.
const MOST_MINUTES: u32 = 36_u32.pow(MOST_DEADLINE_LETTERS as u32) - 1;

/// What stands for an installation in the names of its machines.
pub fn deployment_mark(deployment: Uuid) -> String {
    letters(deployment.as_u128(), DEPLOYMENT_LETTERS)
}

impl fmt::Display for MachineName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            deployment,
            job,
            attempt,
            nonce,
            ..
        } = self;
        let deadline = number(self.deadline_minutes);
        write!(f, "mph-{deployment}-{job}-a{attempt}-{nonce}-d{deadline}")
    }
}

impl FromStr for MachineName {
    type Err = ForeignName;

    /// Takes exactly what [`fmt::Display`] writes, and nothing that merely looks like it.
    fn from_str(text: &str) -> Result<Self, ForeignName> {
        let parts: Vec<&str> = text.split('-').collect();
        let ["mph", deployment, job, attempt, nonce, deadline] = parts.as_slice() else {
            return Err(ForeignName);
        };
        let word = |text: &str, n_letters: usize| {
            let is_word = text.len() == n_letters && text.bytes().all(|byte| DIGITS.contains(&byte));
            is_word.then(|| text.to_owned()).ok_or(ForeignName)
        };
        let deadline = deadline.strip_prefix('d').ok_or(ForeignName)?;
        if deadline.len() > MOST_DEADLINE_LETTERS {
            return Err(ForeignName);
        }
        let attempt = attempt.strip_prefix('a').ok_or(ForeignName)?;
        let name = Self {
            deployment: word(deployment, DEPLOYMENT_LETTERS)?,
            job: word(job, JOB_LETTERS)?,
            attempt: attempt.parse().map_err(|_| ForeignName)?,
            nonce: word(nonce, NONCE_LETTERS)?,
            deadline_minutes: u32::from_str_radix(deadline, 36).map_err(|_| ForeignName)?,
        };
        // Numbers have other ways to be written: `+1`, `01`, capitals.
        if name.to_string() == text {
            Ok(name)
        } else {
            Err(ForeignName)
        }
    }
}

/// The last letters of a number: those of a UUIDv7 are the random ones.
fn letters(mut number: u128, n_letters: usize) -> String {
    let mut letters = vec![b'0'; n_letters];
    for letter in letters.iter_mut().rev() {
        *letter = digit(number % BASE);
        number /= BASE;
    }
    letters.into_iter().map(char::from).collect()
}

/// A number without leading zeros.
fn number(value: u32) -> String {
    let text = letters(u128::from(value), MOST_DEADLINE_LETTERS);
    let text = text.trim_start_matches('0');
    if text.is_empty() {
        "0".to_owned()
    } else {
        text.to_owned()
    }
}

fn digit(value: u128) -> u8 {
    usize::try_from(value).map_or(b'0', |index| DIGITS[index])
}
