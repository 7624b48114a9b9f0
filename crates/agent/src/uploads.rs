//! Uploads files one after the other, in parallel to the training.

use std::path::{Path, PathBuf};

use protocol::{
    ArtifactId,
    agent::{ArtifactKind, Directive},
    event::LogLevel,
    problem::chain,
};
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use crate::{
    client::{Client, ClientError, Patience},
    lease::{Lease, Reporter},
    transfer::{self, TransferError, Upload},
};

/// Pending uploads. When dropped, pending files are abandoned.
pub(crate) struct Uploads {
    queue: mpsc::UnboundedSender<(ArtifactKind, PathBuf)>,
    /// Orders whose effect is stored now.
    effects: mpsc::UnboundedReceiver<Directive>,
    task: AbortOnDropHandle<Result<(), ClientError>>,
}

impl Uploads {
    /// Starts handing in files for the attempt that `lease` holds.
    pub(crate) fn start(client: Client, lease: &Lease, lora_name: String) -> Self {
        let (queue, mut files) = mpsc::unbounded_channel::<(ArtifactKind, PathBuf)>();
        let (effects_in, effects) = mpsc::unbounded_channel();
        let hand_in = HandIn {
            client,
            attempt: lease.attempt,
            fence: lease.fence,
            lora_name,
        };
        let reporter = lease.reporter().clone();
        let task = tokio::spawn(async move {
            while let Some((kind, path)) = files.recv().await {
                if let Some(effect) = hand_in.beside_the_training(kind, &path, &reporter).await? {
                    let _ = effects_in.send(effect);
                }
            }
            Ok(())
        });
        Self {
            queue,
            effects,
            task: AbortOnDropHandle::new(task),
        }
    }

    pub(crate) fn add(&self, kind: ArtifactKind, path: PathBuf) {
        // If the task has failed, the attempt ends too, and the file is not needed.
        let _ = self.queue.send((kind, path));
    }

    /// The next order whose effect is stored.
    pub(crate) async fn next_effect(&mut self) -> Option<Directive> {
        self.effects.recv().await
    }

    /// Waits until all uploads are done.
    pub(crate) async fn finish(self) -> Result<(), ClientError> {
        drop(self.queue);
        self.task.await.unwrap_or(Err(ClientError::LeaseLost))
    }
}

/// Uploads files of one attempt.
pub(crate) struct HandIn {
    pub(crate) client: Client,
    pub(crate) attempt: protocol::AttemptId,
    pub(crate) fence: i64,
    /// Name of the LoRA; files are called after it.
    pub(crate) lora_name: String,
}

impl HandIn {
    pub(crate) async fn file(&self, kind: ArtifactKind, path: &Path) -> Result<ArtifactId, TransferError> {
        let upload = Upload {
            attempt: self.attempt,
            fence: self.fence,
            file_name: self.file_name(&kind, path),
            kind,
            path,
        };
        transfer::upload(&self.client, upload, Patience::WORKING).await
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
            ArtifactKind::Picture | ArtifactKind::Edited => format!("{name}.{extension}"),
        }
    }
}
