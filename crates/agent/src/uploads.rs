//! Uploads files in parallel to the training, one after the other; pictures of judgements in a queue of their own, so that
//! nothing waits for them.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use protocol::{
    ArtifactId,
    agent::{ArtifactKind, Directive, Report},
    event::LogLevel,
    problem::chain,
};
use reqwest::StatusCode;
use tokio::sync::{mpsc, watch};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use crate::{
    client::{Client, ClientError, Patience},
    lease::{Lease, Reporter},
    transfer::{self, TransferError, Upload},
};

/// Pictures of judgements may take this long after everything else is stored.
const TIME_FOR_EVIDENCE: Duration = Duration::from_secs(60);

/// Pending uploads. When dropped, pending files are abandoned.
pub(crate) struct Uploads {
    queue: mpsc::UnboundedSender<(ArtifactKind, PathBuf)>,
    n_added: u64,
    /// Orders whose effect is stored now.
    effects: mpsc::UnboundedReceiver<Directive>,
    task: AbortOnDropHandle<Result<(), ClientError>>,
    evidence: EvidenceUploads,
}

/// Pending pictures of judgements, and the judgements, each of which is told after its pictures.
pub(crate) struct EvidenceUploads {
    queue: mpsc::UnboundedSender<(u64, Entry)>,
    /// No more pictures are uploaded.
    dropped: CancellationToken,
    task: AbortOnDropHandle<Result<(), ClientError>>,
}

/// What waits for the files that were added before it, and for the entries before it.
enum Entry {
    Picture(ArtifactKind, PathBuf),
    Report(Report),
}

impl Uploads {
    /// Starts handing in files for the attempt that `lease` holds.
    pub(crate) fn start(client: Client, lease: &Lease, lora_name: String) -> Self {
        let (queue, mut files) = mpsc::unbounded_channel::<(ArtifactKind, PathBuf)>();
        let (effects_in, effects) = mpsc::unbounded_channel();
        let (done_in, n_done) = watch::channel(0);
        let hand_in = HandIn {
            client,
            attempt: lease.attempt,
            fence: lease.fence,
            lora_name,
        };
        let evidence = EvidenceUploads::start(hand_in.clone(), lease.reporter().clone(), n_done);
        let reporter = lease.reporter().clone();
        let task = tokio::spawn(async move {
            while let Some((kind, path)) = files.recv().await {
                if let Some(effect) = hand_in.beside_the_training(kind, &path, &reporter).await? {
                    let _ = effects_in.send(effect);
                }
                done_in.send_modify(|n_done| *n_done += 1);
            }
            Ok(())
        });
        Self {
            queue,
            n_added: 0,
            effects,
            task: AbortOnDropHandle::new(task),
            evidence,
        }
    }

    pub(crate) fn add(&mut self, kind: ArtifactKind, path: PathBuf) {
        // If a task has failed, the attempt ends too, and the file is not needed.
        if matches!(kind, ArtifactKind::Evidence { .. }) {
            let picture = Entry::Picture(kind, path);
            let _ = self.evidence.queue.send((self.n_added, picture));
        } else {
            self.n_added += 1;
            let _ = self.queue.send((kind, path));
        }
    }

    /// Reports a judgement once everything that was added before is stored.
    pub(crate) fn report(&self, report: Report) {
        let _ = self.evidence.queue.send((self.n_added, Entry::Report(report)));
    }

    /// The next order whose effect is stored.
    pub(crate) async fn next_effect(&mut self) -> Option<Directive> {
        self.effects.recv().await
    }

    /// Leaves out the pictures of judgements that are not stored yet: there is something more urgent to do.
    pub(crate) fn drop_evidence(&self) {
        self.evidence.dropped.cancel();
    }

    /// Waits until all uploads are done but those of pictures of judgements, which go on.
    pub(crate) async fn finish(self) -> Result<EvidenceUploads, ClientError> {
        drop(self.queue);
        self.task.await.unwrap_or(Err(ClientError::LeaseLost))?;
        Ok(self.evidence)
    }

    /// Waits until all uploads are done, without the pictures of judgements.
    pub(crate) async fn finish_without_evidence(self) -> Result<(), ClientError> {
        self.drop_evidence();
        let evidence = self.finish().await?;
        evidence.finish(std::future::ready(())).await
    }
}

impl EvidenceUploads {
    fn start(hand_in: HandIn, reporter: Reporter, n_done: watch::Receiver<u64>) -> Self {
        let (queue, entries) = mpsc::unbounded_channel();
        let dropped = CancellationToken::new();
        let task = tokio::spawn(bring(hand_in, reporter, entries, n_done, dropped.clone()));
        Self {
            queue,
            dropped,
            task: AbortOnDropHandle::new(task),
        }
    }

    /// Waits until everything is stored and told, for a bounded time or until there is something more urgent. Then what is
    /// told has no more pictures.
    pub(crate) async fn finish(self, urgent: impl Future<Output = ()>) -> Result<(), ClientError> {
        let Self {
            queue,
            dropped,
            mut task,
        } = self;
        drop(queue);
        let ended = tokio::select! {
            ended = &mut task => Some(ended),
            () = urgent => None,
            () = tokio::time::sleep(TIME_FOR_EVIDENCE) => None,
        };
        let ended = match ended {
            Some(ended) => ended,
            None => {
                dropped.cancel();
                task.await
            }
        };
        ended.unwrap_or(Err(ClientError::LeaseLost))
    }
}

/// Hands in pictures of judgements and tells the judgements. None of the pictures is worth a training: what fails is left out,
/// unless the attempt as a whole is over.
async fn bring(
    hand_in: HandIn,
    reporter: Reporter,
    mut entries: mpsc::UnboundedReceiver<(u64, Entry)>,
    mut n_done: watch::Receiver<u64>,
    dropped: CancellationToken,
) -> Result<(), ClientError> {
    // A server of before it knew of judgements refuses each of their pictures.
    let mut takes_evidence = true;
    let mut patience = Patience::FOR_EVIDENCE;
    while let Some((n_before, entry)) = entries.recv().await {
        if n_done.wait_for(|n_done| *n_done >= n_before).await.is_err() {
            // The attempt has failed.
            return Ok(());
        }
        let (kind, path) = match entry {
            Entry::Report(report) => {
                reporter.report(report);
                continue;
            }
            Entry::Picture(..) if !takes_evidence || dropped.is_cancelled() => continue,
            Entry::Picture(kind, path) => (kind, path),
        };
        let brought = tokio::select! {
            brought = hand_in.patiently(kind, &path, patience) => brought,
            () = dropped.cancelled() => continue,
        };
        reporter.handed_in();
        let Err(err) = brought else {
            patience = Patience::FOR_EVIDENCE;
            continue;
        };
        let message = match err.into_final() {
            Ok(err @ (ClientError::LeaseLost | ClientError::Unauthorized { .. })) => return Err(err),
            Ok(err) => {
                // One try tells whether it is back.
                patience = Patience(Duration::ZERO);
                format!("a picture of a judgement is not stored: {}", chain(&err))
            }
            Err(err) if is_unknown_kind(&err) => {
                takes_evidence = false;
                format!("pictures of judgements are not stored: {}", chain(&err))
            }
            Err(err) => format!("a picture of a judgement is not stored: {}", chain(&err)),
        };
        reporter.log(LogLevel::Warning, message);
    }
    Ok(())
}

/// Whether the server does not know what a picture of a judgement is.
fn is_unknown_kind(err: &TransferError) -> bool {
    let TransferError::Exchange { err, .. } = err else {
        return false;
    };
    let ClientError::Refused { problem, .. } = &**err else {
        return false;
    };
    [StatusCode::BAD_REQUEST, StatusCode::UNPROCESSABLE_ENTITY].contains(&problem.status)
        && problem.to_string().contains("`evidence`")
}

/// Uploads files of one attempt.
#[derive(Clone)]
pub(crate) struct HandIn {
    pub(crate) client: Client,
    pub(crate) attempt: protocol::AttemptId,
    pub(crate) fence: i64,
    /// Name of the LoRA; files are called after it.
    pub(crate) lora_name: String,
}

impl HandIn {
    pub(crate) async fn file(&self, kind: ArtifactKind, path: &Path) -> Result<ArtifactId, TransferError> {
        self.patiently(kind, path, Patience::WORKING).await
    }

    async fn patiently(
        &self,
        kind: ArtifactKind,
        path: &Path,
        patience: Patience,
    ) -> Result<ArtifactId, TransferError> {
        let upload = Upload {
            attempt: self.attempt,
            fence: self.fence,
            file_name: self.file_name(&kind, path),
            kind,
            path,
        };
        transfer::upload(&self.client, upload, patience).await
    }

    /// A file that cannot be handed in is no reason to end a training: the next one may do. Answers which
    /// order the file may have been for.
    async fn beside_the_training(
        &self,
        kind: ArtifactKind,
        path: &Path,
        reporter: &Reporter,
    ) -> Result<Option<Directive>, ClientError> {
        let effect = match kind {
            ArtifactKind::Checkpoint { .. } => Some(Directive::Checkpoint),
            ArtifactKind::Sample { .. } => Some(Directive::Sample),
            _ => None,
        };
        if matches!(kind, ArtifactKind::Checkpoint { .. }) {
            // An attempt that resumes from a checkpoint reports the steps after it, so those before it must be stored.
            reporter.delivered().await;
        }
        if let Err(err) = self.file(kind, path).await {
            let err = match err.into_final() {
                Ok(err) => return Err(err),
                Err(err) => err,
            };
            reporter.log(LogLevel::Warning, chain(&err));
        }
        reporter.handed_in();
        Ok(effect)
    }

    fn file_name(&self, kind: &ArtifactKind, path: &Path) -> String {
        // What sd-scripts goes on from is a folder, and becomes an archive.
        let extension = path.extension().unwrap_or_default().display();
        let name = &self.lora_name;
        match kind {
            ArtifactKind::Sample {
                step, prompt_index, ..
            } => format!("{name}-sample-{step:06}-{prompt_index:02}.png"),
            ArtifactKind::Checkpoint { step } => format!("{name}-checkpoint-{step:06}.{extension}"),
            ArtifactKind::Lora { .. } => format!("{name}.safetensors"),
            ArtifactKind::PictureBefore => format!("{name}-before.png"),
            ArtifactKind::PictureAfter => format!("{name}-after.png"),
            ArtifactKind::Evidence { step, name: evidence } => {
                format!("{name}-evidence-{step:06}-{evidence}.png")
            }
            ArtifactKind::Picture | ArtifactKind::Edited => format!("{name}.{extension}"),
        }
    }
}
