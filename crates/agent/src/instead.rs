//! Lost or damaged stored files: the server is told, checks them itself, and replies what to do without them.

use std::path::{Path, PathBuf};

use protocol::{
    AttemptId,
    agent::{Instead, StoredFile, UnusableFile},
    limits::MAX_PROBLEM_CHARS,
    problem::chain,
};

use crate::{
    client::{Client, ClientError, Patience},
    transfer::{self, TransferError},
    work_dir::WorkDir,
};

/// A file that the server calls whole was damaged on its way, which does not happen often.
const N_FETCHES: u32 = 3;

/// The attempt that files are fetched for.
#[derive(Clone, Copy)]
pub(crate) struct Holder {
    pub(crate) attempt: AttemptId,
    pub(crate) fence: i64,
}

/// Result of downloading a file.
#[derive(Debug, PartialEq)]
pub(crate) enum Fetched {
    /// It was downloaded and is intact.
    Here,
    /// Use this checkpoint instead; without one, the training starts at step 0.
    Instead(Option<StoredFile>),
}

/// Why a download failed.
#[derive(Debug)]
pub(crate) enum Unfetched {
    /// The transfer failed.
    Transfer(TransferError),
    /// The server could not be informed.
    Exchange(ClientError),
    /// It is lost without replacement; text for people.
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

/// Downloads a stored file, or returns its replacement.
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

/// Downloads a LoRA into the cache, unless it is there.
pub(crate) async fn fetch_lora(
    client: &Client,
    holder: Holder,
    work_dir: &WorkDir,
    file: &StoredFile,
) -> Result<PathBuf, Unfetched> {
    let path = work_dir.lora(&file.sha256);
    if !path.exists() {
        work_dir.make_room();
    }
    match fetch(client, holder, file, &path).await? {
        Fetched::Here => Ok(path),
        Fetched::Instead(_) => Err(Unfetched::GiveUp(
            "the server sent a checkpoint in place of a LoRA".to_owned(),
        )),
    }
}

/// What to do if a file could not be downloaded because it is lost or damaged in the store.
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

/// What to do if the engine cannot resume from an intact checkpoint.
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
