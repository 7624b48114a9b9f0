//! Two servers with one drawing session.

use protocol::generation::{CreateGeneration, GenerationPhase};
use store::Store;

use super::*;

#[tokio::test]
async fn a_refusal_that_comes_after_the_launch_changes_nothing() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let store = Store::open(folder.path()).await?;
    let owner = store.default_owner();
    let request: CreateDrawingSession = serde_json::from_value(serde_json::json!({
        "name": "Covers", "provider": "somebody", "limit_micro_usd": 1,
    }))?;
    let tx = store.begin().await?;
    let id = drawing::create(&tx, owner, &request).await?;
    let asked: CreateGeneration = serde_json::from_value(serde_json::json!({
        "base_model": "tiny-xl", "prompt": "zora", "drawing_session_id": id,
    }))?;
    let picture = generations::create(&tx, owner, &asked).await?;
    let state = drawing::state(&tx, id).await?;
    assert!(launch_drawing(&tx, &state).await?);
    refuse_drawing(&tx, id, "no machine on offer fits").await?;
    tx.commit().await?;
    let session = drawing::get(&store, owner, id).await?;
    assert_eq!((session.phase, session.reason), (DrawingPhase::Starting, None));
    let picture = generations::get(&store, owner, picture).await?;
    assert_eq!((picture.phase, picture.error), (GenerationPhase::Queued, None));
    Ok(())
}
