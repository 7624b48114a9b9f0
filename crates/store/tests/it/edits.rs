//! Files that are made out of others.

use protocol::{
    OwnerId,
    agent::{ArtifactKind, NewArtifact},
    edit::{EditPhase, EditProgress},
    phase::Outcome,
};
use store::{
    Tx, artifacts,
    attempts::{self, Attempt, Claimant, NewAttempt, Subject},
    dependents,
    edits::{self, EditEnd, EditState},
    queue, references,
    tokens::NewToken,
};

use crate::fixture::{TestStore, edit};

async fn attempt(tx: &Tx, edit: &EditState) -> anyhow::Result<Attempt> {
    let new = NewAttempt {
        subject: Subject::Edit(edit.id),
        n: edit.n_attempts,
        provider: "local",
        claimant: Claimant::Own(&NewToken::random()),
        start_step: 0,
    };
    Ok(attempts::open(tx, new).await?)
}

async fn phase(test: &TestStore, state: &EditState) -> anyhow::Result<EditPhase> {
    Ok(edits::get(&test.store, test.owner(), state.id).await?.phase)
}

pub(crate) async fn go_from_phase_to_phase(test: TestStore) -> anyhow::Result<()> {
    let (request, plan) = edit();
    let tx = test.store.begin().await?;
    let first = edits::create(&tx, test.owner(), &request, &plan).await?;
    let second = edits::create(&tx, test.owner(), &request, &plan).await?;
    tx.commit().await?;
    assert_eq!(edits::oldest_queued(&test.store).await?, Some(first));
    let stranger = edits::get(&test.store, OwnerId::new(), first).await;
    assert!(stranger.is_err(), "of somebody else");

    let tx = test.store.begin().await?;
    let claimed = queue::claim_edit(&tx)
        .await?
        .ok_or_else(|| anyhow::anyhow!("none"))?;
    assert_eq!((claimed.id, claimed.n_attempts, &claimed.plan), (first, 1, &plan));
    let begun = attempt(&tx, &claimed).await?;
    tx.commit().await?;
    let alive = attempts::alive_of(&test.store, Subject::Edit(first)).await?;
    assert_eq!(alive.map(|attempt| attempt.id), Some(begun.id));
    let progress = EditProgress {
        stage: "merging".to_owned(),
        done: 3,
        total: 10,
    };
    let tx = test.store.begin().await?;
    edits::set_progress(&tx, first, &progress).await?;
    attempts::end(&tx, &begun, Outcome::Lost, None).await?;
    edits::end_attempt(&tx, first, EditEnd::Again).await?;
    tx.commit().await?;
    assert_eq!(phase(&test, &claimed).await?, EditPhase::Queued);

    // Canceled at once while it waits, and by its agent while it runs.
    let tx = test.store.begin().await?;
    edits::cancel(&tx, second).await?;
    let again = queue::claim_edit(&tx)
        .await?
        .ok_or_else(|| anyhow::anyhow!("none"))?;
    assert_eq!((again.id, again.n_attempts), (first, 2));
    edits::cancel(&tx, first).await?;
    tx.commit().await?;
    assert_eq!(edits::n_queued(&test.store).await?, 0);
    let running = edits::get(&test.store, test.owner(), first).await?;
    assert!(
        running.is_cancelling && running.phase == EditPhase::Running,
        "{running:?}"
    );
    assert_eq!(running.progress, Some(progress));
    let tx = test.store.begin().await?;
    edits::end_attempt(&tx, first, EditEnd::Cancelled).await?;
    tx.commit().await?;
    let listed = edits::list(&test.store, test.owner(), None, 10).await?;
    let phases: Vec<EditPhase> = listed.iter().map(|edit| edit.phase).collect();
    assert_eq!(phases, [EditPhase::Cancelled; 2]);
    assert!(
        listed
            .iter()
            .all(|edit| edit.ended_at.is_some() && !edit.is_cancelling)
    );
    let tx = test.store.begin().await?;
    let late = edits::end_attempt(&tx, first, EditEnd::Again).await;
    assert!(late.is_err(), "it is over");
    Ok(())
}

pub(crate) async fn keep_what_they_made(test: TestStore) -> anyhow::Result<()> {
    let (request, plan) = edit();
    let tx = test.store.begin().await?;
    let id = edits::create(&tx, test.owner(), &request, &plan).await?;
    let claimed = queue::claim_edit(&tx)
        .await?
        .ok_or_else(|| anyhow::anyhow!("none"))?;
    let attempt = attempt(&tx, &claimed).await?;
    let announced = NewArtifact {
        fence: 0,
        kind: ArtifactKind::Edited,
        file_name: "zora-peft.zip".to_owned(),
        size_bytes: 5,
        sha256: hex::encode([7; 32]),
    };
    let file = artifacts::announce(&tx, test.owner(), &attempt, &announced).await?;
    assert_eq!(file.edit_id, Some(id));
    artifacts::mark_stored(&tx, file.id).await?;
    let end = EditEnd::Made {
        file: file.id,
        version: None,
        notes: vec!["1 alphas are rounded".to_owned()],
    };
    attempts::end(&tx, &attempt, Outcome::Completed, None).await?;
    edits::end_attempt(&tx, id, end).await?;
    tx.commit().await?;

    let made = edits::get(&test.store, test.owner(), id).await?;
    assert_eq!(made.file_name.as_deref(), Some("zora-peft.zip"));
    assert_eq!(made.notes, ["1 alphas are rounded"]);
    let (key, name) = edits::file(&test.store, test.owner(), id).await?;
    assert_eq!((&key, name.as_str()), (&file.key, "zora-peft.zip"));
    let kept = references::files(&test.store, None, 10).await?;
    assert!(
        matches!(kept[0].of, references::Subject::Edit { ended_at: Some(_) }) && !kept[0].is_used,
        "{kept:?}"
    );
    let keys = std::collections::BTreeSet::from([key.clone()]);
    let found = dependents::of(&test.store, &keys).await?;
    assert_eq!(found[&key][0].to_string(), format!("the file of the edit {id}"));

    // What is a week old goes; the edit stays, without a file.
    let tx = test.store.begin().await?;
    references::forget(&tx, &[file.id]).await?;
    tx.commit().await?;
    let made = edits::get(&test.store, test.owner(), id).await?;
    assert_eq!((made.phase, made.file_name), (EditPhase::Succeeded, None));
    assert!(edits::file(&test.store, test.owner(), id).await.is_err());
    Ok(())
}
