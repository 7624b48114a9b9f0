//! Files that are made out of LoRAs of the library and base models: as their owner asks for them, and as an agent hands
//! them in.

use std::collections::BTreeMap;

use futures::StreamExt as _;
use protocol::{
    AttemptId, EditId, OwnerId,
    agent::{ArtifactKind, EditResult, EditWork, Finish, NamedBase, NamedFile},
    audit::AuditAction,
    edit::{CreateEdit, EditKind, LoraEdit, LoraNames, Made, MadeFrom},
    imported::{Imported, LeftOut},
    library::file_stem,
    lora::LoraKind,
    model::ModelVersion,
    phase::{AttemptPhase, Outcome},
    problem::{FieldError, InvalidFields},
    safetensors::Header,
};
use store::{
    BlobKey, StoreError, Tx,
    artifacts::{self, Artifact},
    attempts::{self, Attempt, Subject},
    audit,
    edits::{self, EditEnd, EditPlan, EditState},
    models::{self, NewImport, VersionFile},
    tokens::AgentCredential,
};

use super::{artifacts::stored, models::usable_version, reports::reason, workers::lost_edit};
use crate::{
    Orchestrator, ServiceError, ServiceResult,
    lora_file::{Scan, words},
};

/// Name of the result of an extraction that nobody named.
const EXTRACTED: &str = "extracted";
const ENDING: &str = ".safetensors";
const MAX_NAME_CHARS: usize = 80;

impl Orchestrator {
    /// Finds the LoRAs and base models of a request, checks them, and queues it.
    pub async fn create_edit(&self, owner: OwnerId, request: CreateEdit) -> ServiceResult<LoraEdit> {
        let edit = request.parse()?;
        for (index, lora) in request.loras.iter().enumerate() {
            self.check_whole_version(owner, &field_of_lora(index), lora.model_version_id)
                .await?;
        }
        let tx = self.store.begin().await?;
        let versions = chosen(&tx, owner, &request).await?;
        let base_model = match (&request.base_model, versions.first()) {
            (Some(name), _) => name.clone(),
            (None, Some(first)) => first.base_model.clone(),
            (None, None) => return Err(ServiceError::field("base_model", "required")),
        };
        let base_class = match self.base(&tx, &base_model).await {
            Ok(base) => base.model.class,
            // A version that was imported says its class; its base model may be gone.
            Err(ServiceError::Conflict(_)) if request.base_model.is_none() => versions
                .first()
                .and_then(|version| version.imported.as_ref())
                .map_or(protocol::preset::BaseClass::Sdxl, |imported| imported.base_class),
            Err(err) => return Err(err.at("base_model")),
        };
        if let Some(tuned) = &request.tuned_model {
            let tuned = self.base(&tx, tuned).await.map_err(|err| err.at("tuned_model"))?;
            if tuned.model.class != base_class {
                let problem = format!("must be of the size of `{base_model}`");
                return Err(ServiceError::field("tuned_model", problem));
            }
        }
        let from: Vec<MadeFrom> = versions
            .iter()
            .zip(&request.loras)
            .map(|(version, lora)| MadeFrom {
                model_version_id: version.id,
                name: version.name.clone(),
                version: version.version,
                weight: lora.weight,
            })
            .collect();
        let named = request.name.as_deref().map(|name| name.trim().to_owned());
        let of_first = versions.first().map(|version| match request.kind {
            // Its file is downloaded beside those of other versions.
            EditKind::Convert => file_stem(&version.name, version.version),
            _ => version.name.clone(),
        });
        let plan = EditPlan {
            edit,
            name: named.or(of_first).unwrap_or_else(|| EXTRACTED.to_owned()),
            base_model,
            base_class,
            tuned_model: request.tuned_model.clone(),
            from,
            trigger_words: trigger_words(&versions),
            makes_version: request.kind.makes_version(),
        };
        let id = edits::create(&tx, owner, &request, &plan).await?;
        let subject = audit::named(&plan.name, id);
        audit::record(&tx, AuditAction::EditMade, &subject, &request.kind.to_string()).await?;
        let edit = edits::get(&tx, owner, id).await?;
        let edit = tx.commit_with(edit).await?;
        tracing::info!(edit.id = %id, kind = %request.kind, "edit queued");
        Ok(edit)
    }

    /// Cancels an edit: at once if it waits, else as soon as its agent hears of it. One that has ended stays as it is.
    pub async fn cancel_edit(&self, owner: OwnerId, id: EditId) -> ServiceResult<LoraEdit> {
        let tx = self.store.begin().await?;
        let edit = edits::get(&tx, owner, id).await?;
        edits::cancel(&tx, id).await?;
        audit::record(
            &tx,
            AuditAction::EditCancelled,
            &id.to_string(),
            &edit.request.kind.to_string(),
        )
        .await?;
        tx.commit().await?;
        Ok(edits::get(&self.store, owner, id).await?)
    }

    /// What an agent of this provider is told to do; a conflict says what is missing.
    pub(super) async fn edit_work(
        &self,
        tx: &Tx,
        edit: &EditState,
        provider: &str,
    ) -> ServiceResult<EditWork> {
        let plan = &edit.plan;
        let mut loras = Vec::with_capacity(plan.from.len());
        for from in &plan.from {
            let file = models::file(tx, edit.owner, from.model_version_id).await?;
            loras.push(NamedFile {
                name: stem(&file.file_name).to_owned(),
                file: self.fetched(&file.key, file.size_bytes),
            });
        }
        let is_asked_for = matches!(
            plan.edit,
            protocol::edit::Edit::MergeInto { .. } | protocol::edit::Edit::Extract { .. }
        );
        let base = match self.named_base(tx, &plan.base_model, provider).await {
            Ok(base) => Some(base),
            // Most LoRAs need none, and an agent that does says so.
            Err(ServiceError::Conflict(_)) if !is_asked_for => None,
            Err(err) => return Err(err),
        };
        let tuned = match &plan.tuned_model {
            Some(name) => Some(self.named_base(tx, name, provider).await?),
            None => None,
        };
        Ok(EditWork {
            edit_id: edit.id,
            edit: plan.edit.clone(),
            loras,
            base,
            tuned,
            name: plan.name.clone(),
        })
    }

    async fn named_base(&self, tx: &Tx, name: &str, provider: &str) -> ServiceResult<NamedBase> {
        let base = self.base(tx, name).await?;
        // Its VAE and what it predicts are nothing to an edit.
        let (location, _) = self.base_location(&base, provider)?;
        Ok(NamedBase {
            name: name.to_owned(),
            location,
        })
    }

    /// Looks at the result that an agent reports before it becomes a version, and gives the header of its file; none
    /// where the result is a file to download, or the transaction that follows says what is wrong.
    pub(super) async fn check_edited(
        &self,
        agent: &AgentCredential,
        id: AttemptId,
        result: &EditResult,
    ) -> ServiceResult<Option<Header>> {
        let attempt = attempts::get(&self.store, id).await?;
        let Subject::Edit(edit) = attempt.subject else {
            return Err(ServiceError::field("edited", "belongs to an edit"));
        };
        if !attempt.belongs_to(agent)
            || attempt.phase == AttemptPhase::Gone
            || !edits::state(&self.store, edit).await?.plan.makes_version
        {
            return Ok(None);
        }
        let file = match artifacts::find(&self.store, result.artifact_id).await {
            Ok(file) if file.attempt_id == id && file.is_stored => file,
            Ok(_) | Err(StoreError::NotFound { .. }) => return Ok(None),
            Err(err) => return Err(err.into()),
        };
        let wrong = |problem: String| ServiceError::field("edited.artifact_id", problem);
        let header = self.header(&file).await?;
        let header = header.map_err(|problem| wrong(format!("is not a LoRA: {problem}")))?;
        if let Some(tensor) = self.not_finite(&file.key, header.clone()).await? {
            return Err(wrong(format!(
                "is broken: its tensor `{tensor}` holds NaN or infinity"
            )));
        }
        Ok(Some(header))
    }

    /// The first tensor of a stored file with a number that is infinite or none.
    async fn not_finite(&self, key: &BlobKey, header: Header) -> ServiceResult<Option<String>> {
        let first = header.tensors.values().map(|tensor| tensor.range.start).min();
        let Some(mut skipped) = first.and_then(|first| usize::try_from(first).ok()) else {
            return Ok(None);
        };
        let mut scan = Scan::new(header);
        let objects = self.store.objects();
        let mut reader = objects.read(key, None).await.map_err(StoreError::from)?;
        while let Some(bytes) = reader.stream.next().await {
            let bytes = bytes.map_err(StoreError::from)?;
            let n_skipped = skipped.min(bytes.len());
            skipped -= n_skipped;
            scan.take(&bytes[n_skipped..]);
        }
        Ok(scan.end().not_finite)
    }
}

/// Ends an attempt of an edit; `header` is that of a checked LoRA.
pub(super) async fn finish_edit(
    tx: &Tx,
    attempt: &Attempt,
    finish: Finish,
    header: Option<Header>,
) -> ServiceResult<()> {
    let Subject::Edit(id) = attempt.subject else {
        return Err(ServiceError::Forbidden);
    };
    let edit = edits::state(tx, id).await?;
    let end = match (finish.outcome, finish.edited) {
        (Outcome::Completed, Some(result)) => {
            let file = stored(tx, attempt, "edited.artifact_id", result.artifact_id).await?;
            if file.kind != ArtifactKind::Edited {
                return Err(ServiceError::field(
                    "edited.artifact_id",
                    "must be a file of kind `edited`",
                ));
            }
            let version = match header {
                Some(header) => Some(make_version(tx, &edit, &file, &result, &header).await?),
                None if edit.plan.makes_version => {
                    return Err(ServiceError::field("edited.artifact_id", "must be a LoRA"));
                }
                None => None,
            };
            EditEnd::Made {
                file: file.id,
                version,
                notes: result.notes,
            }
        }
        (Outcome::Completed, None) => {
            return Err(ServiceError::field(
                "edited",
                "must be given when the outcome is `completed`",
            ));
        }
        (Outcome::Cancelled, _) if edit.wants_cancel => EditEnd::Cancelled,
        (Outcome::Failed, _) => EditEnd::Failed(reason(finish.detail.clone())),
        _ => lost_edit(attempt, &edit),
    };
    attempts::end(tx, attempt, finish.outcome, finish.detail).await?;
    edits::end_attempt(tx, id, end).await?;
    Ok(())
}

fn field_of_lora(index: usize) -> String {
    format!("loras[{index}].model_version_id")
}

/// The LoRAs of a request; all that is wrong with them is said at once.
async fn chosen(tx: &Tx, owner: OwnerId, request: &CreateEdit) -> ServiceResult<Vec<ModelVersion>> {
    let mut versions: Vec<ModelVersion> = Vec::with_capacity(request.loras.len());
    let mut errors = Vec::new();
    for (index, lora) in request.loras.iter().enumerate() {
        let field = field_of_lora(index);
        let version = match usable_version(tx, owner, &field, lora.model_version_id).await? {
            Ok(version) => version,
            Err(wrong) => {
                errors.push(wrong);
                continue;
            }
        };
        let to = request.to.filter(|_| request.kind == EditKind::Convert);
        if let Some(problem) = to.and_then(|to| not_held(&version, to)) {
            errors.push(FieldError::new(field, problem));
        }
        versions.push(version);
    }
    if errors.is_empty() {
        Ok(versions)
    } else {
        Err(InvalidFields(errors).into())
    }
}

/// What of a version another program's names cannot hold, as far as the kinds of its modules tell. What they do not tell the
/// agent says when it makes the file.
fn not_held(version: &ModelVersion, to: LoraNames) -> Option<String> {
    let is_lora = |kind| matches!(kind, LoraKind::Lora | LoraKind::Locon | LoraKind::Dora);
    let is_held = |kind: LoraKind| match to {
        LoraNames::Kohya => true,
        LoraNames::Diffusers => is_lora(kind),
        LoraNames::Peft => is_lora(kind) || matches!(kind, LoraKind::Loha | LoraKind::Lokr),
    };
    let kinds = version.imported.iter().flat_map(|imported| &imported.kinds);
    let kind = kinds.map(|count| count.kind).find(|kind| !is_held(*kind))?;
    let instead = to.instead(matches!(kind, LoraKind::Loha | LoraKind::Lokr));
    Some(format!(
        "holds modules of the kind {kind}, {}",
        to.not_held(instead)
    ))
}

fn trigger_words(versions: &[ModelVersion]) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for version in versions {
        let imported = version
            .imported
            .iter()
            .flat_map(|imported| &imported.trigger_words);
        for word in imported.chain(&version.trigger_word) {
            if !found.contains(word) {
                found.push(word.clone());
            }
        }
    }
    words::fit(found)
}

async fn make_version(
    tx: &Tx,
    edit: &EditState,
    file: &Artifact,
    result: &EditResult,
    header: &Header,
) -> ServiceResult<protocol::ModelVersionId> {
    let Some(summary) = &result.summary else {
        return Err(ServiceError::field("edited.summary", "must be given for a LoRA"));
    };
    let plan = &edit.plan;
    let imported = Imported {
        made: Some(Made {
            edit_id: edit.id,
            done: result.done.clone(),
            from: plan.from.clone(),
            kept: result.kept,
            notes: result.notes.clone(),
        }),
        format: summary.format,
        kinds: summary.kinds.clone(),
        n_modules: summary.n_modules,
        rank_min: summary.rank_min,
        rank_max: summary.rank_max,
        left_out: LeftOut::of(&summary.leftovers),
        allow_partial: false,
        base_class: plan.base_class,
        trained_on: summary.trained_on.clone(),
        trigger_words: plan.trigger_words.clone(),
        source: None,
        license: None,
    };
    let metadata: BTreeMap<String, String> = words::kept(&header.metadata);
    let name: String = plan.name.chars().take(MAX_NAME_CHARS).collect();
    let stored = VersionFile {
        file_name: file.file_name.clone(),
        sha256: file.sha256.clone(),
        size_bytes: file.size_bytes,
        key: file.key.clone(),
        allow_partial: false,
    };
    let new = NewImport {
        owner: edit.owner,
        name: &name,
        base_model: &plan.base_model,
        file: &stored,
        metadata: &metadata,
        imported: &imported,
    };
    let (id, _) = models::create_imported(tx, new).await?;
    tracing::info!(edit.id = %edit.id, model_version.id = %id, "version made out of others");
    Ok(id)
}

fn stem(file_name: &str) -> &str {
    file_name.strip_suffix(ENDING).unwrap_or(file_name)
}
