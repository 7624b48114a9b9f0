//! The disk guard's reconciler: measures, and tells waiting jobs the reason.

use protocol::{phase::Phase, system::DiskStatus};
use store::{artifacts, jobs, outbox};

use super::ReconcileError;
use crate::{Orchestrator, disk::WAITS, providers::local};

impl Orchestrator {
    /// How many copies of a checkpoint of a job at this provider are on this disk: the agent's, and the stored one.
    pub(crate) fn copies_here(&self, provider: &str) -> u64 {
        let is_stored_here = self.store.objects().folder().is_some();
        u64::from(provider == local::NAME) + u64::from(is_stored_here)
    }

    /// One measurement of the disks.
    pub(crate) async fn reconcile_disk(&self) -> Result<(), ReconcileError> {
        let was_short = self.disk.is_short();
        let (mut running, mut next) = (0, 0);
        for job in jobs::open(&self.store).await? {
            let runs = matches!(job.phase, Phase::Running | Phase::Stopping);
            // Paused jobs need as much again, or they would be paused as soon as they go on.
            let waits = was_short && job.phase == Phase::Queued;
            let n_copies = self.copies_here(&job.provider);
            if n_copies == 0 || !(runs || waits) {
                continue;
            }
            let newest = artifacts::newest_checkpoint(&self.store, job.id).await?;
            let n_bytes = n_copies * newest.map_or(0, |file| file.size_bytes);
            if runs {
                running += n_bytes;
            } else {
                next = next.max(n_bytes);
            }
        }
        self.disk.reserve(running + next);
        let status = self.disk.look();
        if status.is_short == was_short {
            return Ok(());
        }
        for folder in &status.folders {
            let (free_bytes, min_free_bytes) = (folder.free_bytes, folder.min_free_bytes);
            if folder.is_short {
                tracing::error!(
                    folder = folder.name,
                    free_bytes,
                    min_free_bytes,
                    "the disk is nearly full: uploads are rejected and jobs pause until space is free"
                );
            } else if !status.is_short {
                tracing::info!(folder = folder.name, free_bytes, "the disk has free space again");
            }
        }
        if status.is_short {
            self.tell_waiting().await?;
            if !outbox::was_told_of_disk(&self.store).await? {
                let tx = self.store.begin().await?;
                outbox::tell_of_disk(&tx, short_of(&status)).await?;
                tx.commit().await?;
            }
        }
        Ok(())
    }

    /// Tells queued jobs why they wait: none is started, at any provider.
    async fn tell_waiting(&self) -> Result<(), ReconcileError> {
        for job in jobs::open(&self.store).await? {
            if job.phase == Phase::Queued {
                let tx = self.store.begin().await?;
                jobs::put_off(&tx, job.id, WAITS, store::now()).await?;
                tx.commit().await?;
            }
        }
        Ok(())
    }
}

/// What people are told of a full disk, in a sentence.
fn short_of(status: &DiskStatus) -> String {
    let folder = status.folders.iter().find(|folder| folder.is_short);
    let free = folder.map_or(0, |folder| folder.free_bytes / 1_000_000);
    format!("The server's disk is nearly full: {free} MB are free. Uploads are rejected and jobs are paused.")
}
