//! Stored files that turn out lost or damaged: the server is told, looks itself, and says what to do without them.

use std::path::Path;

use protocol::{
    AttemptId,
    agent::{Instead, StoredFile, UnusableFile},
    limits::MAX_PROBLEM_CHARS,
    problem::chain,
};

use crate::{
    client::{Client, ClientError, Patience},
    transfer::{self, TransferError},
};

/// A file that the server calls whole was damaged on its way, which does not happen often.
const N_FETCHES: u32 = 3;
/// The attempt that files are fetched for.
#[derive(Clone, Copy)]
pub(crate) struct Holder {
    pub(crate) attempt: AttemptId,
    pub(crate) fence: i64,
}

/// What came of fetching a file.
#[derive(Debug, PartialEq)]
pub(crate) enum Fetched {
    /// It is here, whole.
    Here,
    /// This checkpoint takes its place; without one, the training begins at step 0.
    Instead(Option<StoredFile>),
}

/// Why a file did not come.
#[derive(Debug)]
pub(crate) enum Unfetched {
    /// The exchange failed.
    Transfer(TransferError),
    /// The server cannot be told.
    Exchange(ClientError),
    /// It is lost, and nothing takes its place; for a person.
    GiveUp(String),
}

impl Unfetched {
    /// For a person, where any failure ends the work.
    pub(crate) fn into_detail(self) -> String {
        match self {
            Self::Transfer(err) => chain(&err),
            Self::Exchange(err) => chain(&err),
            Self::GiveUp(reason) => reason,
        }
    }
}

/// Fetches a stored file, or hears what takes its place.
pub(crate) async fn fetch(
    client: &Client,
    holder: Holder,
    file: &StoredFile,
    path: &Path,
) -> Result<Fetched, Unfetched> {
    let mut n_fetches = 0;
    loop {
        let Err(err) = transfer::download(client, file, path, Patience::WORKING).await else {
            return Ok(Fetched::Here);
        };
        n_fetches += 1;
        let Some(instead) = of_failed(client, holder, &err).await? else {
            return Err(Unfetched::Transfer(err));
        };
        match instead {
            Instead::FetchAgain if n_fetches < N_FETCHES => {}
            Instead::FetchAgain => return Err(Unfetched::Transfer(err)),
            Instead::GoOn { resume_from } => return Ok(Fetched::Instead(resume_from)),
            Instead::GiveUp { reason } => return Err(Unfetched::GiveUp(reason)),
        }
    }
}

/// What to do without a file that did not come, if it is lost or damaged where it is stored.
pub(crate) async fn of_failed(
    client: &Client,
    holder: Holder,
    err: &TransferError,
) -> Result<Option<Instead>, Unfetched> {
    let Some(sha256) = err.lost() else {
        return Ok(None);
    };
    let unusable = UnusableFile {
        fence: holder.fence,
        sha256: sha256.to_owned(),
        arrived: false,
        problem: chain(err).chars().take(MAX_PROBLEM_CHARS).collect(),
    };
    told(client, holder, &unusable).await
}

/// What to do without a checkpoint that came whole, and that the engine cannot go on from.
pub(crate) async fn of_unusable(
    client: &Client,
    holder: Holder,
    file: &StoredFile,
    problem: &str,
) -> Result<Option<Instead>, Unfetched> {
    let unusable = UnusableFile {
        fence: holder.fence,
        sha256: file.sha256.clone(),
        arrived: true,
        problem: problem.chars().take(MAX_PROBLEM_CHARS).collect(),
    };
    told(client, holder, &unusable).await
}

/// `None` if the server knows nothing of such a file: it is not from its object store.
async fn told(
    client: &Client,
    holder: Holder,
    unusable: &UnusableFile,
) -> Result<Option<Instead>, Unfetched> {
    match client.unusable(holder.attempt, unusable, Patience::WORKING).await {
        Ok(instead) => Ok(Some(instead)),
        Err(ClientError::Refused { .. }) => Ok(None),
        Err(err) => Err(Unfetched::Exchange(err)),
    }
}

#[cfg(test)]
mod tests;
