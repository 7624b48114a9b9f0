//! Which files are no longer needed: a pure function of the state of their job.

#[cfg(test)]
mod tests;

use chrono::{DateTime, TimeDelta, Utc};
use protocol::{agent::ArtifactKind, limits::AUDIT_DAYS, phase::Phase};
use serde::Serialize;
use store::references::{File, Subject};

/// Why something in the store goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// No row refers to it: a deleted picture, or one of an archive that was refused.
    Unreferenced,
    /// It was announced but never uploaded.
    NeverArrived,
    /// The job has newer checkpoints, or its result; or it shows what a checkpoint was found to be.
    Superseded,
    /// Its job, generation or edit failed or was cancelled a while ago, or it is an edit's file to download, and nothing
    /// uses it.
    LeftOver,
    /// It is an old preview picture of an ended job.
    OldSample,
    /// An upload was begun and never finished.
    Unfinished,
    /// It is the mailbox of a rented machine that is gone.
    OldMailbox,
}

impl Reason {
    /// For a person.
    pub fn as_text(self) -> &'static str {
        match self {
            Self::Unreferenced => "unreferenced",
            Self::NeverArrived => "announced but never uploaded",
            Self::Superseded => {
                "a checkpoint replaced by newer ones or by the result, or a picture that judged one"
            }
            Self::LeftOver => "left over from a failed or canceled job, or made to be downloaded a week ago",
            Self::OldSample => "an old preview picture of an ended job",
            Self::Unfinished => "an unfinished upload",
            Self::OldMailbox => "the mailbox of a terminated machine",
        }
    }
}

/// How long things are kept.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    /// Nothing is deleted that was written more recently than this. Twice the time within which `BlobStore` relies on
    /// a blob without writing it again.
    pub grace: TimeDelta,
    /// Checkpoints that are replaced, counted from the end of the job.
    pub superseded: TimeDelta,
    /// What failed or was cancelled, counted from then.
    pub left_over: TimeDelta,
    /// Preview pictures, counted from the end of the job.
    pub samples: TimeDelta,
    /// Entries of the audit log.
    pub audit: TimeDelta,
    /// Clocks of servers differ by less than this.
    pub clock_skew: TimeDelta,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            grace: TimeDelta::hours(24),
            superseded: TimeDelta::hours(24),
            left_over: TimeDelta::days(7),
            samples: TimeDelta::days(90),
            audit: TimeDelta::days(i64::from(AUDIT_DAYS)),
            clock_skew: TimeDelta::minutes(10),
        }
    }
}

impl Rules {
    /// Whether a file is no longer needed, and why. Files of an approved version, files that a version or a
    /// generation shows, and files of a job that has not ended are kept.
    pub(super) fn expired(&self, file: &File, now: DateTime<Utc>) -> Option<Reason> {
        let (ended_at, is_promoted) = match file.of {
            Subject::Job {
                phase,
                ended_at,
                is_promoted,
                ..
            } => (ended_at.filter(|_| phase.is_ended()), is_promoted),
            Subject::Generation { ended_at } | Subject::Edit { ended_at } => (ended_at, false),
        };
        let ended_at = ended_at?;
        if file.is_used || is_promoted {
            return None;
        }
        let (reason, kept_for) = self.fate(file)?;
        (now - ended_at.max(file.created_at) >= kept_for).then_some(reason)
    }

    /// Why a file goes once its job or generation has ended, and how long after.
    fn fate(&self, file: &File) -> Option<(Reason, TimeDelta)> {
        if !file.is_stored {
            return Some((Reason::NeverArrived, self.grace));
        }
        let Subject::Job {
            phase,
            is_spare_checkpoint,
            ..
        } = file.of
        else {
            return Some((Reason::LeftOver, self.left_over));
        };
        match (&file.kind, phase) {
            (ArtifactKind::Sample { .. }, _) => Some((Reason::OldSample, self.samples)),
            (ArtifactKind::Checkpoint { .. }, _) if !is_spare_checkpoint => {
                Some((Reason::Superseded, self.superseded))
            }
            // It shows what a checkpoint was found to be; that of a version is used.
            (ArtifactKind::Evidence { .. }, _) => Some((Reason::Superseded, self.superseded)),
            (ArtifactKind::Checkpoint { .. }, Phase::Succeeded) => {
                Some((Reason::Superseded, self.superseded))
            }
            // Its owner stopped it, and may resume it at any time.
            (ArtifactKind::Checkpoint { .. }, Phase::Stopped) => None,
            _ => Some((Reason::LeftOver, self.left_over)),
        }
    }
}
