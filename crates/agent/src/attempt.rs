//! An attempt of something that is not a job, and which makes one file: the picture of a generation, the file of an edit.

use std::{
    path::{Path, PathBuf},
    sync::atomic::AtomicBool,
};

use protocol::{
    ArtifactId,
    agent::{ArtifactKind, Assignment, Directive, EditResult, Finish, StoredFile},
    phase::Outcome,
    problem::chain,
};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::{
    client::{Client, ClientError, Patience},
    instead::{self, Holder, Unfetched},
    lease::{Lease, Reporter},
    link::Link,
    thread,
    transfer::{self, Upload},
    work_dir::{AttemptDir, WorkDir},
};

/// An attempt whose lease is being renewed.
pub(crate) struct Attempt<'a> {
    pub(crate) client: &'a Client,
    pub(crate) work_dir: &'a WorkDir,
    lease: Lease,
}

/// What may end the work of an attempt before it is done.
pub(crate) struct Interruptions {
    orders: mpsc::UnboundedReceiver<Directive>,
    lost: CancellationToken,
    link: Link,
}

/// What an attempt made.
pub(crate) enum Made {
    /// The picture of a generation.
    Picture(ArtifactId),
    /// The file of an edit.
    Edited(Box<EditResult>),
}

/// How the work of an attempt ended.
pub(crate) enum End {
    /// It is stored.
    Made(Made),
    /// It failed; text for people.
    Failed(String),
    /// The server ordered it to end.
    Cancelled,
    /// The machine must be left, for this reason.
    Left(String),
    /// It belongs to another agent now.
    LeaseLost,
}

impl<'a> Attempt<'a> {
    /// Starts renewing the lease of `assignment`.
    pub(crate) fn hold(
        client: &'a Client,
        work_dir: &'a WorkDir,
        assignment: &Assignment,
    ) -> (Self, Interruptions) {
        let (lease, orders) = Lease::hold(client.clone(), assignment);
        let interruptions = Interruptions {
            orders,
            lost: lease.lost(),
            link: client.link().clone(),
        };
        let attempt = Self {
            client,
            work_dir,
            lease,
        };
        (attempt, interruptions)
    }

    /// Queues events.
    pub(crate) fn reporter(&self) -> &Reporter {
        self.lease.reporter()
    }

    /// Its folder, removed when the value is dropped. The error is text for people.
    pub(crate) fn folder(&self) -> Result<AttemptDir, String> {
        self.work_dir
            .attempt(self.lease.attempt)
            .map_err(|err| chain(&err))
    }

    /// Fetches a LoRA that is not cached. The error is text for people.
    pub(crate) async fn lora(&self, file: &StoredFile) -> Result<PathBuf, String> {
        let holder = Holder {
            attempt: self.lease.attempt,
            fence: self.lease.fence,
        };
        instead::fetch_lora(self.client, holder, self.work_dir, file)
            .await
            .map_err(Unfetched::into_detail)
    }

    /// Stores a file. The error is text for people.
    pub(crate) async fn upload(
        &self,
        kind: ArtifactKind,
        path: &Path,
        file_name: String,
    ) -> Result<ArtifactId, String> {
        let upload = Upload {
            attempt: self.lease.attempt,
            fence: self.lease.fence,
            kind,
            path,
            file_name,
        };
        transfer::upload(self.client, upload, Patience::WORKING)
            .await
            .map_err(|err| chain(&err))
    }

    /// Tells the server how the attempt ended, and stops renewing its lease.
    pub(crate) async fn finish(self, end: End) -> Result<(), ClientError> {
        let (attempt, fence) = (self.lease.attempt, self.lease.fence);
        self.lease.close().await?;
        let (outcome, detail, made) = match end {
            End::Made(made) => (Outcome::Completed, None, Some(made)),
            End::Failed(detail) => (Outcome::Failed, Some(detail), None),
            End::Cancelled => (Outcome::Cancelled, None, None),
            End::Left(reason) => (Outcome::Lost, Some(reason), None),
            End::LeaseLost => return Err(ClientError::LeaseLost),
        };
        let (picture, edited) = match made {
            Some(Made::Picture(picture)) => (Some(picture), None),
            Some(Made::Edited(edited)) => (None, Some(*edited)),
            None => (None, None),
        };
        let finish = Finish {
            fence,
            outcome,
            detail,
            result: None,
            picture,
            edited,
            disk_fault: false,
        };
        self.client.finish(attempt, &finish, Patience::WORKING).await
    }
}

impl Interruptions {
    /// Does this work until it is done or interrupted. Work that is interrupted is dropped, and with it what
    /// [`compute`] started.
    pub(crate) async fn limit(mut self, work: impl Future<Output = Result<Made, String>>) -> End {
        // On the heap: futures that hold it by value would each be as large as it is.
        let work = Box::pin(work);
        tokio::select! {
            made = work => made.map_or_else(End::Failed, End::Made),
            () = end_ordered(&mut self.orders) => End::Cancelled,
            leave = self.link.leave() => End::Left(leave.reason),
            () = self.lost.cancelled() => End::LeaseLost,
        }
    }
}

/// Returns when the server orders to end.
async fn end_ordered(orders: &mut mpsc::UnboundedReceiver<Directive>) {
    loop {
        match orders.recv().await {
            Some(Directive::Stop | Directive::Cancel) => return,
            Some(Directive::Checkpoint | Directive::Sample | Directive::Finish) => {}
            None => std::future::pending().await,
        }
    }
}

/// Computes on a thread of its own. What it is given is set when the result is no longer waited for, so that it can
/// break off. The error is text for people.
pub(crate) async fn compute<T: Send + 'static>(
    work: impl FnOnce(&AtomicBool) -> Result<T, String> + Send + 'static,
) -> Result<T, String> {
    thread::apart(work)
        .await
        .unwrap_or_else(|panic| Err(format!("the engine panicked: {panic}")))
}

#[cfg(test)]
mod tests;
