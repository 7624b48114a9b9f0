//! The checks of a dataset, as the API, the dataset page and the job form show them.

use std::collections::{BTreeSet, HashMap};

use dataset::findings::{self, Purpose, Subject};
use protocol::{
    DatasetId, ItemId, OwnerId,
    audit::AuditAction,
    dataset::{Item, Showing},
    finding::{AcknowledgeFindings, CheckDataset, Finding, Measures},
};
use store::{BlobKey, audit, datasets};

use super::look;
use crate::{Orchestrator, ServiceError, ServiceResult};

/// A picture that is to be measured.
#[derive(Debug, Clone)]
pub struct UnmeasuredPicture {
    /// Its id.
    pub id: ItemId,
    /// SHA-256 of its file, in hexadecimal.
    pub sha256: String,
}

impl Orchestrator {
    /// Checks a dataset for a purpose that a user names.
    pub async fn check_dataset(
        &self,
        owner: OwnerId,
        id: DatasetId,
        request: &CheckDataset,
    ) -> ServiceResult<Vec<Finding>> {
        request.validate()?;
        let purpose = Purpose {
            preset: request.preset,
            resolution: request.resolution,
            bucket_step: request.bucket_step,
            batch_size: request.batch_size,
            max_tokens: request.max_tokens,
            trigger_word: request.trigger_word.trim().to_owned(),
            rules: None,
        };
        self.findings(owner, id, purpose).await
    }

    /// Checks a dataset, and says which findings its owner has acknowledged.
    pub(super) async fn findings(
        &self,
        owner: OwnerId,
        id: DatasetId,
        purpose: Purpose,
    ) -> ServiceResult<Vec<Finding>> {
        let mut items = datasets::items(&self.store, owner, id).await?;
        // What is not trained on cannot harm.
        items.retain(|item| !item.set_aside);
        let measures = datasets::measures(&self.store, owner, id).await?;
        let acknowledged = datasets::acknowledged(&self.store, owner, id).await?;
        // Thousands of pictures are compared with one another, which takes a second.
        aside(move || judged(&items, &measures, &acknowledged, &purpose)).await
    }

    /// The pictures of a dataset whose pixels were not measured yet and whose files are whole, as far as is known.
    pub async fn unmeasured(&self, owner: OwnerId, id: DatasetId) -> ServiceResult<Vec<UnmeasuredPicture>> {
        let measures = datasets::measures(&self.store, owner, id).await?;
        let items = datasets::items(&self.store, owner, id).await?;
        // Older versions did not look for pages.
        let is_measured = |item: &Item| {
            let measures = measures.get(&item.id);
            measures.is_some_and(|measures| measures.page.is_some())
        };
        let unmeasured = items
            .into_iter()
            .filter(|item| !is_measured(item) && item.damage.is_none());
        Ok(unmeasured
            .map(|item| UnmeasuredPicture {
                id: item.id,
                sha256: item.sha256,
            })
            .collect())
    }

    /// Looks at the files of pictures that could not be read whole, and records what is wrong with them.
    pub async fn note_unread(&self, lost: &[String]) -> ServiceResult<()> {
        for sha256 in lost {
            let key = BlobKey::from_sha256(sha256).expect("a digest is a valid hash");
            look(&self.store, &key).await?;
        }
        Ok(())
    }

    /// Keeps what pictures of a dataset were measured to be.
    pub async fn keep_measures(&self, id: DatasetId, measured: &[(ItemId, Measures)]) -> ServiceResult<()> {
        if measured.is_empty() {
            return Ok(());
        }
        let tx = self.store.begin().await?;
        for (item, measures) in measured {
            datasets::set_measures(&tx, id, *item, measures).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// Notes that an owner acknowledges findings for what they are about now.
    pub async fn acknowledge_findings(
        &self,
        owner: OwnerId,
        id: DatasetId,
        request: &AcknowledgeFindings,
    ) -> ServiceResult<()> {
        request.validate()?;
        let tx = self.store.begin().await?;
        let dataset = datasets::get(&tx, owner, id).await?;
        for finding in &request.findings {
            datasets::acknowledge(&tx, owner, id, finding.code, &finding.content).await?;
        }
        let detail = format!("{} findings", request.findings.len());
        let subject = audit::named(&dataset.name, id);
        audit::record(&tx, AuditAction::FindingsAcknowledged, &subject, &detail).await?;
        tx.commit().await?;
        Ok(())
    }
}

/// Does work that takes a while beside the threads that answer requests.
pub(super) async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> ServiceResult<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => Ok(done),
        Err(err) if err.is_panic() => std::panic::resume_unwind(err.into_panic()),
        Err(_) => Err(ServiceError::Unavailable(
            "the server is shutting down: try again".to_owned(),
        )),
    }
}

fn judged(
    items: &[Item],
    measures: &HashMap<ItemId, Measures>,
    acknowledged: &BTreeSet<String>,
    purpose: &Purpose,
) -> Vec<Finding> {
    let subjects: Vec<Subject<'_>> = items
        .iter()
        .map(|item| Subject {
            id: Some(item.id),
            file_name: &item.file_name,
            sha256: &item.sha256,
            caption: &item.caption,
            width: item.width,
            height: item.height,
            split: item.split,
            showing: Showing {
                group: item.group.clone(),
                repeats: item.repeats,
                regularization: item.regularization,
            },
            notes: &item.notes,
            measures: measures.get(&item.id).copied(),
        })
        .collect();
    let mut findings = findings::find(&subjects, purpose);
    for finding in &mut findings {
        finding.acknowledged = acknowledged.contains(&finding.content);
    }
    findings
}
