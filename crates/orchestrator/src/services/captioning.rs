//! Captions that a model writes: its endpoints, runs over pictures of a dataset, and what becomes of the proposals.

use std::collections::{BTreeSet, HashMap};

use dataset::caption::{cleaned, proposals::filled, without_trigger};
use fetch::chat::Patience;
use protocol::{
    CaptionEndpointId, CaptionProposalId, CaptionRunId, DatasetId, ItemId, OwnerId,
    audit::AuditAction,
    caption_edit::CaptionOperation,
    captioning::{
        AcceptedProposals, CaptionEndpoint, CaptionPolicy, CaptionProposal, CaptionProposalState, CaptionRun,
        CaptionTrial, ChooseProposals, CreateCaptionEndpoint, CreateCaptionRun, DismissedProposals,
        TryCaptionEndpoint,
    },
    dataset::Item,
    limits::{
        CHAT_TRIAL_TIME, MAX_CAPTION_ENDPOINTS, MAX_CAPTION_KEY_BYTES, MAX_CAPTION_PROMPT_CHARS,
        MAX_CAPTION_URL_BYTES, MAX_NAMED_CAPTIONS, MAX_TRIGGER_WORD_CHARS,
    },
};
use store::{
    audit,
    caption_endpoints::{self, SecretEndpoint},
    datasets::{self, CaptionChange, NewCaptionRun},
};

use super::captions::chosen;
use crate::{Orchestrator, ServiceError, ServiceResult, captioner::Captioner};

impl Orchestrator {
    /// Adds an endpoint that describes pictures.
    pub async fn create_caption_endpoint(
        &self,
        owner: OwnerId,
        request: CreateCaptionEndpoint,
    ) -> ServiceResult<CaptionEndpoint> {
        let new = self.new_caption_endpoint(request)?;
        let tx = self.store.begin().await?;
        if caption_endpoints::has(&tx, owner, &new.name).await? {
            return Err(ServiceError::field(
                "name",
                format!(
                    "`{}` is already the name of an endpoint: choose another, or delete that one",
                    new.name
                ),
            ));
        }
        if caption_endpoints::count(&tx, owner).await? >= MAX_CAPTION_ENDPOINTS as u64 {
            return Err(ServiceError::Conflict(format!(
                "there are {MAX_CAPTION_ENDPOINTS} endpoints: delete one first"
            )));
        }
        let id = caption_endpoints::create(&tx, owner, new).await?;
        let made = caption_endpoints::get(&tx, owner, id).await?;
        audit::record(&tx, AuditAction::CaptionEndpointMade, &made.name, &made.origin).await?;
        Ok(tx.commit_with(made).await?)
    }

    fn new_caption_endpoint(&self, request: CreateCaptionEndpoint) -> ServiceResult<SecretEndpoint> {
        let name = request.name.trim().to_owned();
        if !(1..=80).contains(&name.chars().count()) {
            return Err(ServiceError::field(
                "name",
                "must have 1 to 80 characters on one line",
            ));
        }
        let url = request.url.trim().to_owned();
        if url.len() > MAX_CAPTION_URL_BYTES {
            return Err(ServiceError::field(
                "url",
                format!("must have at most {MAX_CAPTION_URL_BYTES} bytes"),
            ));
        }
        self.captioner
            .check(&url)
            .map_err(|problem| ServiceError::field("url", problem))?;
        let model = request.model.trim().to_owned();
        if !(1..=200).contains(&model.chars().count()) {
            return Err(ServiceError::field(
                "model",
                "must have 1 to 200 characters on one line",
            ));
        }
        let key = request.key.map(|key| key.trim().to_owned());
        let key = key.filter(|key| !key.is_empty());
        if key.as_ref().is_some_and(|key| key.len() > MAX_CAPTION_KEY_BYTES) {
            return Err(ServiceError::field(
                "key",
                format!("must have at most {MAX_CAPTION_KEY_BYTES} bytes"),
            ));
        }
        Ok(SecretEndpoint {
            name,
            url,
            model,
            key,
        })
    }

    /// Deletes an endpoint that describes pictures.
    pub async fn delete_caption_endpoint(&self, owner: OwnerId, id: CaptionEndpointId) -> ServiceResult<()> {
        let tx = self.store.begin().await?;
        let endpoint = caption_endpoints::get(&tx, owner, id).await?;
        caption_endpoints::delete(&tx, owner, id).await?;
        audit::record(
            &tx,
            AuditAction::CaptionEndpointDeleted,
            &endpoint.name,
            &endpoint.origin,
        )
        .await?;
        tx.commit().await?;
        Ok(())
    }

    /// Asks an endpoint once about one picture.
    pub async fn try_caption_endpoint(
        &self,
        owner: OwnerId,
        id: CaptionEndpointId,
        request: TryCaptionEndpoint,
    ) -> ServiceResult<CaptionTrial> {
        check_words(&request.prompt, &request.trigger_word)?;
        let endpoint = caption_endpoints::secret(&self.store, owner, id).await?;
        let item = datasets::item(&self.store, owner, request.dataset_id, request.item_id).await?;
        let patience = Patience {
            limit: CHAT_TRIAL_TIME,
            n_tries: 1,
            ..Patience::default()
        };
        let words = (request.prompt.as_str(), request.trigger_word.trim());
        let answer = match self.picture_to_send(&item).await? {
            Ok(png) => {
                let prompt = prompt_for(&item, words);
                self.captioner
                    .describe(&endpoint, (&prompt, &png), patience)
                    .await
            }
            Err(problem) => Err(problem),
        };
        let trial = match answer {
            Ok(text) => CaptionTrial {
                text: Some(text),
                error: None,
            },
            Err(problem) => CaptionTrial {
                text: None,
                error: Some(problem),
            },
        };
        let tx = self.store.begin().await?;
        audit::record(&tx, AuditAction::CaptionEndpointTried, &endpoint.name, "").await?;
        Ok(tx.commit_with(trial).await?)
    }

    /// Starts a run over pictures of a dataset.
    pub async fn create_caption_run(
        &self,
        owner: OwnerId,
        id: DatasetId,
        request: CreateCaptionRun,
    ) -> ServiceResult<CaptionRun> {
        check_words(&request.prompt, &request.trigger_word)?;
        if let Some(items) = &request.items {
            check_count("items", items.len())?;
        }
        let tx = self.store.begin().await?;
        let dataset = datasets::get(&tx, owner, id).await?;
        let endpoint = caption_endpoints::get(&tx, owner, request.endpoint_id).await?;
        if datasets::has_running_caption_run(&tx, id).await? {
            return Err(ServiceError::Conflict(
                "pictures of this dataset are being described: wait until that is done, or stop it"
                    .to_owned(),
            ));
        }
        let items = datasets::items(&tx, owner, id).await?;
        let items: Vec<(ItemId, String, String)> = chosen(items, request.items.as_deref())?
            .into_iter()
            .filter(|item| request.policy != CaptionPolicy::Keep || !says_something(&item.caption))
            .map(|item| (item.id, item.file_name, item.caption))
            .collect();
        if items.is_empty() {
            return Err(ServiceError::field(
                "items",
                "all of these pictures have captions, which stay as they are: choose other pictures, or `add` or `replace`",
            ));
        }
        let new = NewCaptionRun {
            endpoint_id: endpoint.id,
            endpoint: endpoint.name,
            model: endpoint.model,
            prompt: request.prompt,
            policy: request.policy,
            trigger_word: request.trigger_word.trim().to_owned(),
            items,
        };
        let run = datasets::create_caption_run(&tx, owner, id, new).await?;
        let subject = audit::named(&dataset.name, id);
        let detail = format!("{} pictures with {}", run.n_items, run.endpoint);
        audit::record(&tx, AuditAction::CaptionRunMade, &subject, &detail).await?;
        Ok(tx.commit_with(run).await?)
    }

    /// Stops a run; one that has ended stays as it is.
    pub async fn stop_caption_run(
        &self,
        owner: OwnerId,
        id: DatasetId,
        run: CaptionRunId,
    ) -> ServiceResult<CaptionRun> {
        let tx = self.store.begin().await?;
        let dataset = datasets::get(&tx, owner, id).await?;
        datasets::find_caption_run(&tx, owner, id, run).await?;
        if datasets::stop_caption_run(&tx, id, run).await? {
            let subject = audit::named(&dataset.name, id);
            audit::record(&tx, AuditAction::CaptionRunStopped, &subject, "").await?;
        }
        let run = datasets::find_caption_run(&tx, owner, id, run).await?;
        tx.commit().await?;
        Ok(run)
    }

    /// Makes proposals the captions of their pictures, each only if the picture still has the caption beside which it was
    /// made.
    pub async fn accept_captions(
        &self,
        owner: OwnerId,
        id: DatasetId,
        run: CaptionRunId,
        request: ChooseProposals,
    ) -> ServiceResult<AcceptedProposals> {
        let tx = self.store.begin().await?;
        let dataset = datasets::get(&tx, owner, id).await?;
        let found = datasets::find_caption_run(&tx, owner, id, run).await?;
        let open = datasets::open_caption_proposals(&tx, run).await?;
        let open = chosen_proposals(open, request.proposals.as_deref())?;
        let by_item: HashMap<ItemId, CaptionProposalId> = open
            .iter()
            .map(|proposal| (proposal.item_id, proposal.id))
            .collect();
        let mut changes: Vec<CaptionChange> = open
            .into_iter()
            .filter_map(|proposal| {
                Some(CaptionChange {
                    item: proposal.item_id,
                    before: proposal.before,
                    after: proposal.after?,
                })
            })
            .collect();
        let skipped = datasets::set_captions(&tx, owner, id, &changes).await?;
        let skipped: BTreeSet<ItemId> = skipped.into_iter().collect();
        changes.retain(|change| !skipped.contains(&change.item));
        let mut edit = None;
        if !changes.is_empty() {
            let accepted: Vec<CaptionProposalId> = changes
                .iter()
                .filter_map(|change| by_item.get(&change.item).copied())
                .collect();
            let state = CaptionProposalState::Accepted;
            datasets::settle_caption_proposals(&tx, run, &accepted, state).await?;
            let operation = CaptionOperation::Accept { model: found.model };
            edit = Some(datasets::keep_caption_edit(&tx, owner, id, &operation, &changes).await?);
        }
        let subject = audit::named(&dataset.name, id);
        let detail = format!("{} captions", changes.len());
        audit::record(&tx, AuditAction::ProposalsAccepted, &subject, &detail).await?;
        let accepted = AcceptedProposals {
            edit,
            n_accepted: changes.len() as u64,
            n_skipped: skipped.len() as u64,
        };
        Ok(tx.commit_with(accepted).await?)
    }

    /// Dismisses proposals.
    pub async fn dismiss_captions(
        &self,
        owner: OwnerId,
        id: DatasetId,
        run: CaptionRunId,
        request: ChooseProposals,
    ) -> ServiceResult<DismissedProposals> {
        let tx = self.store.begin().await?;
        let dataset = datasets::get(&tx, owner, id).await?;
        datasets::find_caption_run(&tx, owner, id, run).await?;
        let open = datasets::open_caption_proposals(&tx, run).await?;
        let open = chosen_proposals(open, request.proposals.as_deref())?;
        let ids: Vec<CaptionProposalId> = open.iter().map(|proposal| proposal.id).collect();
        datasets::settle_caption_proposals(&tx, run, &ids, CaptionProposalState::Dismissed).await?;
        let subject = audit::named(&dataset.name, id);
        let detail = format!("{} captions", ids.len());
        audit::record(&tx, AuditAction::ProposalsDismissed, &subject, &detail).await?;
        tx.commit().await?;
        Ok(DismissedProposals {
            n_dismissed: ids.len() as u64,
        })
    }

    /// A picture as endpoints get it, or what is wrong with it.
    pub(crate) async fn picture_to_send(&self, item: &Item) -> ServiceResult<Result<Vec<u8>, String>> {
        let key = store::BlobKey::from_sha256(&item.sha256)
            .map_err(|err| ServiceError::field("item_id", err.to_string()))?;
        let turn = self.captioner.turn().await;
        let Ok(stored) = self.store.objects().get(&key).await else {
            return Ok(Err("the picture's file is missing or damaged".to_owned()));
        };
        Ok(Captioner::small_png(stored, turn).await)
    }
}

/// What a model is told about a picture: the template and the trigger word in `words`.
pub(crate) fn prompt_for(item: &Item, (template, trigger_word): (&str, &str)) -> String {
    let tags = without_trigger(&item.caption, trigger_word);
    filled(template, trigger_word, &tags, &item.file_name)
}

/// Whether a caption has words.
pub(crate) fn says_something(caption: &str) -> bool {
    !cleaned(caption).is_empty()
}

/// The trigger word may be in the prompt many times.
fn check_words(prompt: &str, trigger_word: &str) -> ServiceResult<()> {
    let n_chars = prompt.chars().count();
    if prompt.trim().is_empty() || n_chars > MAX_CAPTION_PROMPT_CHARS {
        return Err(ServiceError::field(
            "prompt",
            format!("must have 1 to {MAX_CAPTION_PROMPT_CHARS} characters"),
        ));
    }
    if trigger_word.trim().chars().count() > MAX_TRIGGER_WORD_CHARS {
        return Err(ServiceError::field(
            "trigger_word",
            format!("must have at most {MAX_TRIGGER_WORD_CHARS} characters"),
        ));
    }
    Ok(())
}

fn check_count(field: &str, n_named: usize) -> ServiceResult<()> {
    if (1..=MAX_NAMED_CAPTIONS).contains(&n_named) {
        return Ok(());
    }
    Err(ServiceError::field(
        field,
        format!("must be 1 to {MAX_NAMED_CAPTIONS}, or absent for all, not {n_named}"),
    ))
}

/// Those of the open proposals that a request names. One that was settled before is left out.
fn chosen_proposals(
    mut open: Vec<CaptionProposal>,
    wanted: Option<&[CaptionProposalId]>,
) -> ServiceResult<Vec<CaptionProposal>> {
    if let Some(wanted) = wanted {
        check_count("proposals", wanted.len())?;
        let wanted: BTreeSet<CaptionProposalId> = wanted.iter().copied().collect();
        open.retain(|proposal| wanted.contains(&proposal.id));
    }
    Ok(open)
}
