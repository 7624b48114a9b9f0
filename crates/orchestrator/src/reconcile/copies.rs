//! Copies approved LoRAs into the folder of another program, and removes those that are no longer approved.

use std::{io, path::Path, time::Instant};

use futures::StreamExt as _;
use protocol::{ModelVersionId, copies::LoraCopy, preset::Family, problem::chain};
use store::{BlobKey, StoreError, models};

use super::ReconcileError;
use crate::{
    Orchestrator,
    bases::disk::patiently,
    copies::{Fetched, Held, Manifest, Missing, Part, Unusable, Wanted},
};

/// Bytes that are collected before they are written.
const WRITE_BYTES: usize = 8 << 20;

/// Versions with what prevents their copies.
type Problems = Vec<(ModelVersionId, String)>;

impl Orchestrator {
    /// Looks at the folder if something else is approved, or if it is time to.
    pub(super) async fn reconcile_copies(&self) -> Result<(), ReconcileError> {
        if self.options.lora_folder.is_none() {
            return Ok(());
        }
        let approved = models::approved_ids(&self.store).await?;
        if !self.copies.is_due(&approved, Instant::now()) {
            return Ok(());
        }
        self.copy_loras().await
    }

    /// Brings the folder to what is approved.
    pub(super) async fn copy_loras(&self) -> Result<(), ReconcileError> {
        let Some(folder) = &self.options.lora_folder else {
            return Ok(());
        };
        let wanted = self.wanted_copies().await?;
        let mut approved: Vec<ModelVersionId> = wanted.iter().map(|wanted| wanted.version.id).collect();
        approved.sort_unstable();
        let found = Box::pin(self.copy_into(folder, wanted)).await;
        for problem in self.copies.note(approved, found, Instant::now()) {
            tracing::warn!(
                problem,
                "a LoRA could not be copied for another program; it is tried again"
            );
        }
        Ok(())
    }

    async fn wanted_copies(&self) -> Result<Vec<Wanted>, ReconcileError> {
        let approved = models::approved(&self.store).await?;
        let bases = self.base_models().await?;
        let family = |name: &str| {
            let base = bases.iter().find(|base| base.name == name);
            base.map_or(Family::default(), |base| base.family)
        };
        Ok(approved
            .into_iter()
            .map(|approved| Wanted {
                family: family(&approved.version.base_model),
                version: approved.version,
                file: approved.file,
                picture: approved.picture,
            })
            .collect())
    }

    async fn copy_into(&self, folder: &Path, wanted: Vec<Wanted>) -> Result<Vec<LoraCopy>, Unusable> {
        let ids: Vec<ModelVersionId> = wanted.iter().map(|wanted| wanted.version.id).collect();
        let (opened, installation) = (folder.to_owned(), self.store.deployment());
        let begun = blocking(folder, move || {
            let Some(mut held) = Held::open(&opened, installation)? else {
                return Ok(None);
            };
            let mut problems = Problems::new();
            let missing = held.settle(&wanted, &mut problems)?;
            Ok(Some((held, missing, problems)))
        });
        let Some((mut held, missing, mut problems)) = begun.await? else {
            return seen_by_another(folder, ids).await;
        };
        crate::failpoint::reached("copies: announced");
        for missing in missing {
            let (id, is_lora) = (missing.version, missing.is_lora);
            let (back, copied) = self.fetch(folder, held, missing).await?;
            held = back;
            match copied {
                Ok(()) if is_lora => {
                    tracing::info!(model_version.id = %id, "a version was copied for another program")
                }
                Ok(()) => {}
                Err(problem) if is_lora => problems.push((id, problem)),
                // A copy without a picture is a copy.
                Err(problem) => tracing::debug!(model_version.id = %id, problem, "a copy has no picture"),
            }
        }
        crate::failpoint::reached("copies: written");
        blocking(folder, move || {
            held.finish()?;
            Ok(copies(&ids, &problems, |id| Some(held.name_of(id))))
        })
        .await
    }

    /// Copies one object. The inner error is for people, and says what prevents this copy alone.
    async fn fetch(
        &self,
        folder: &Path,
        held: Held,
        missing: Missing,
    ) -> Result<(Held, Result<(), String>), Unusable> {
        let (held, part) = blocking(folder, move || {
            let part = held.part();
            Ok((held, part))
        })
        .await?;
        let read = match part {
            Ok(part) => self.read_object(folder, part, &missing.key).await,
            Err(err) => Err(unfinished(folder, &err)),
        };
        match read {
            Err(problem) => Ok((held, Err(problem))),
            Ok(part) => {
                blocking(folder, move || {
                    let mut held = held;
                    let placed = held.place(Fetched { part, missing });
                    Ok((held, placed))
                })
                .await
            }
        }
    }

    /// Writes the bytes of an object, which are compared with its key.
    async fn read_object(&self, folder: &Path, mut part: Part, key: &BlobKey) -> Result<Part, String> {
        let reading = |err: StoreError| format!("the stored file could not be read: {}", chain(&err));
        let objects = self.store.objects();
        let mut reader = objects.read(key, None).await.map_err(|err| reading(err.into()))?;
        let mut waiting = Vec::new();
        loop {
            let bytes = reader.stream.next().await.transpose();
            let bytes = bytes.map_err(|err| reading(err.into()))?;
            let is_last = bytes.is_none();
            waiting.extend_from_slice(&bytes.unwrap_or_default());
            if waiting.len() < WRITE_BYTES && !is_last {
                continue;
            }
            let full = std::mem::take(&mut waiting);
            let (back, written) = blocking(folder, move || {
                let written = part.write(&full);
                Ok((part, written))
            })
            .await
            .map_err(|Unusable(problem)| problem)?;
            part = back;
            written.map_err(|err| unfinished(folder, &err))?;
            if is_last {
                break;
            }
        }
        if part.sha256() != key.sha256() {
            return Err("the stored file is damaged: run `morpheus objects verify`".to_owned());
        }
        Ok(part)
    }
}

/// What the server that holds the folder has written so far.
async fn seen_by_another(folder: &Path, ids: Vec<ModelVersionId>) -> Result<Vec<LoraCopy>, Unusable> {
    let read = folder.to_owned();
    blocking(folder, move || {
        let manifest = Manifest::read(&read).map_err(|err| Unusable(unfinished(&read, &err)))?;
        Ok(copies(&ids, &[], |id| manifest.as_ref()?.lora(id)))
    })
    .await
}

fn copies(
    ids: &[ModelVersionId],
    problems: &[(ModelVersionId, String)],
    name: impl Fn(ModelVersionId) -> Option<String>,
) -> Vec<LoraCopy> {
    let named = ids.iter().filter_map(|id| Some((*id, name(*id)?)));
    named
        .map(|(id, file_name)| LoraCopy {
            model_version_id: id,
            file_name,
            problem: problems
                .iter()
                .find(|(of, _)| *of == id)
                .map(|(_, problem)| problem.clone()),
        })
        .collect()
}

fn unfinished(folder: &Path, err: &io::Error) -> String {
    match err.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            format!("the disk of `{}` is full: free space on it", folder.display())
        }
        _ => format!("`{}` cannot be used: {err}", folder.display()),
    }
}

/// Works in the folder, which may be on a network drive that is gone.
async fn blocking<T: Send + 'static>(
    folder: &Path,
    work: impl FnOnce() -> Result<T, Unusable> + Send + 'static,
) -> Result<T, Unusable> {
    patiently(folder, move || work().map_err(|Unusable(problem)| problem))
        .await
        .map_err(Unusable)
}
