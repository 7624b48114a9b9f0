//! The name of a rented machine: whose it is, what it is for, and when it must be gone at the latest.
//!
//! Whoever holds the provider's key can judge a machine by its name, without our database. Names are not unique at a
//! provider; the nonce makes ours so. There are two forms, and [`NameForm::within`] takes the one that fits into what a
//! provider allows:
//!
//! ```text
//! mph-<deployment>-<job>-a<attempt>-<nonce>-d<deadline>     up to 46 characters
//! mph-<deployment><deadline><job><attempt><nonce><check>    always 32
//! ```
//!
//! The short one has no marks between its parts, so it ends with two letters that follow from the others: a name that
//! somebody else gave a machine does not have them by chance.

#[cfg(test)]
mod tests;

use std::{fmt, str::FromStr};

use chrono::{DateTime, Utc};
use uuid::Uuid;

const DEPLOYMENT_LETTERS: usize = 6;
const JOB_LETTERS: usize = 8;
const NONCE_LETTERS: usize = 6;
/// Unix minutes: enough for the next centuries, and far from the end of a timestamp's range.
const MOST_DEADLINE_LETTERS: usize = 6;
const BASE: u128 = 36;
const DIGITS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";

const MARK: &str = "mph-";

/// The long form's characters at most, and the short form's.
const LONG: usize = 46;
const SHORT: usize = 32;
/// Of the short form; the deployment, the deadline and the nonce are those of the long one.
const SHORT_JOB_LETTERS: usize = 6;
const SHORT_ATTEMPT_LETTERS: usize = 2;
const CHECK_LETTERS: usize = 2;
/// Attempts that the short form cannot count are all called the last one.
const MOST_SHORT_ATTEMPTS: u32 = 36_u32.pow(SHORT_ATTEMPT_LETTERS as u32) - 1;

/// How names are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NameForm {
    /// For people, too.
    Long,
    /// For providers that allow little.
    Short,
}

impl NameForm {
    /// The form for a provider whose names have at most so many characters.
    ///
    /// # Panics
    /// If none fits. Providers ask for it in constants, so that this is found when they are compiled.
    pub const fn within(n_characters: usize) -> Self {
        assert!(n_characters >= SHORT, "no form of names is so short");
        if n_characters >= LONG {
            Self::Long
        } else {
            Self::Short
        }
    }

    fn job_letters(self) -> usize {
        match self {
            Self::Long => JOB_LETTERS,
            Self::Short => SHORT_JOB_LETTERS,
        }
    }
}

/// A machine's name.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct MachineName {
    form: NameForm,
    deployment: String,
    job: String,
    attempt: u32,
    nonce: String,
    deadline_minutes: u32,
}

/// A text that is no such name; the machine is somebody else's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the name of a machine of ours")]
pub struct ForeignName;

impl MachineName {
    /// A fresh name, for the id of a job or a drawing session. The deadline is rounded up to whole minutes.
    pub fn new(
        form: NameForm,
        deployment: Uuid,
        job: impl Into<Uuid>,
        attempt: u32,
        deadline: DateTime<Utc>,
    ) -> Self {
        let minutes = u64::try_from(deadline.timestamp()).unwrap_or(0).div_ceil(60);
        Self {
            form,
            deployment: deployment_mark(deployment),
            job: letters(job.into().as_u128(), form.job_letters()),
            attempt: match form {
                NameForm::Long => attempt,
                NameForm::Short => attempt.min(MOST_SHORT_ATTEMPTS),
            },
            nonce: letters(u128::from(rand::random::<u64>()), NONCE_LETTERS),
            deadline_minutes: u32::try_from(minutes).unwrap_or(u32::MAX).min(MOST_MINUTES),
        }
    }

    /// Which installation rented it: see [`deployment_mark`].
    pub fn deployment(&self) -> &str {
        &self.deployment
    }

    /// Whether it was rented for this job, or drawing session.
    pub fn is_for(&self, job: impl Into<Uuid>) -> bool {
        self.job == letters(job.into().as_u128(), self.form.job_letters())
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
            form,
            deployment,
            job,
            attempt,
            nonce,
            deadline_minutes,
        } = self;
        match form {
            NameForm::Long => {
                let deadline = number(*deadline_minutes);
                write!(f, "{MARK}{deployment}-{job}-a{attempt}-{nonce}-d{deadline}")
            }
            NameForm::Short => {
                let deadline = letters(u128::from(*deadline_minutes), MOST_DEADLINE_LETTERS);
                let attempt = letters(u128::from(*attempt), SHORT_ATTEMPT_LETTERS);
                let parts = format!("{deployment}{deadline}{job}{attempt}{nonce}");
                write!(f, "{MARK}{parts}{}", check(&parts))
            }
        }
    }
}

impl FromStr for MachineName {
    type Err = ForeignName;

    /// Takes exactly what [`fmt::Display`] writes, and nothing that merely looks like it.
    fn from_str(text: &str) -> Result<Self, ForeignName> {
        let parts = text.strip_prefix(MARK).ok_or(ForeignName)?;
        let name = match parts.split('-').collect::<Vec<_>>().as_slice() {
            [parts] => Self::from_short(parts)?,
            [deployment, job, attempt, nonce, deadline] => {
                let deadline = deadline.strip_prefix('d').ok_or(ForeignName)?;
                let attempt = attempt.strip_prefix('a').ok_or(ForeignName)?;
                Self {
                    form: NameForm::Long,
                    deployment: word(deployment, DEPLOYMENT_LETTERS)?,
                    job: word(job, JOB_LETTERS)?,
                    attempt: attempt.parse().map_err(|_| ForeignName)?,
                    nonce: word(nonce, NONCE_LETTERS)?,
                    deadline_minutes: minutes(deadline)?,
                }
            }
            _ => return Err(ForeignName),
        };
        // Numbers have other ways to be written: `+1`, `01`, capitals. And the check letters must be right.
        if name.to_string() == text {
            Ok(name)
        } else {
            Err(ForeignName)
        }
    }
}

impl MachineName {
    /// What follows the mark in the short form; the check letters are not looked at.
    fn from_short(parts: &str) -> Result<Self, ForeignName> {
        let parts = word(parts, SHORT - MARK.len())?;
        let (deployment, rest) = parts.split_at(DEPLOYMENT_LETTERS);
        let (deadline, rest) = rest.split_at(MOST_DEADLINE_LETTERS);
        let (job, rest) = rest.split_at(SHORT_JOB_LETTERS);
        let (attempt, rest) = rest.split_at(SHORT_ATTEMPT_LETTERS);
        let (nonce, _) = rest.split_at(NONCE_LETTERS);
        Ok(Self {
            form: NameForm::Short,
            deployment: deployment.to_owned(),
            job: job.to_owned(),
            attempt: u32::from_str_radix(attempt, 36).map_err(|_| ForeignName)?,
            nonce: nonce.to_owned(),
            deadline_minutes: minutes(deadline)?,
        })
    }
}

/// So many letters and digits.
fn word(text: &str, n_letters: usize) -> Result<String, ForeignName> {
    let is_word = text.len() == n_letters && text.bytes().all(|byte| DIGITS.contains(&byte));
    is_word.then(|| text.to_owned()).ok_or(ForeignName)
}

fn minutes(text: &str) -> Result<u32, ForeignName> {
    if text.len() > MOST_DEADLINE_LETTERS {
        return Err(ForeignName);
    }
    u32::from_str_radix(text, 36).map_err(|_| ForeignName)
}

/// Letters that follow from others. A polynomial over a prime field: it is another one when a single letter differs, and
/// when two neighbors have changed places.
fn check(parts: &str) -> String {
    /// The largest prime below 36 squared.
    const PRIME: u32 = 1291;
    let sum = parts
        .bytes()
        .fold(0, |sum, byte| (sum * 37 + u32::from(byte)) % PRIME);
    letters(u128::from(sum), CHECK_LETTERS)
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
