//! Bounds of what an agent brings at the end of a job.

use protocol::{
    agent::{ArtifactKind, Finish},
    limits::MAX_METADATA_BYTES,
    phase::Phase,
    problem::chain,
};

use crate::fixture::{Agent, Bench, Held, verdict};

/// The same result with another LoRA.
async fn with_file(agent: &Agent, held: &Held, finish: &Finish, salt: &str) -> anyhow::Result<Finish> {
    let file: &'static [u8] = sim::files::lora(8, salt).leak();
    let id = agent.bring(held, ArtifactKind::Lora { step: 100 }, file).await?;
    let mut finish = finish.clone();
    if let Some(result) = &mut finish.result {
        result.artifact_id = id;
    }
    Ok(finish)
}

#[tokio::test]
async fn the_metadata_of_a_trained_file_has_a_limit() -> anyhow::Result<()> {
    let bench = Bench::new().await?;
    let (job, agent, held) = bench.claimed().await?;
    let fine = agent.completed(&held, verdict(&[])).await?;
    let send = async |finish: Finish| {
        let outcome = bench
            .orchestrator
            .finish(&agent.credential, held.id, finish)
            .await;
        outcome.map_err(|err| chain(&err))
    };
    // What an agent says of the file.
    let mut said = fine.clone();
    if let Some(result) = &mut said.result {
        let note = "x".repeat(MAX_METADATA_BYTES);
        result.metadata.insert("note".to_owned(), note);
    }
    let refused = send(said).await.unwrap_err();
    assert!(
        refused.contains("result.metadata") && refused.contains("2097152"),
        "{refused}"
    );
    // What the file says itself: its names count, too.
    let own = ["ss_network_dim", "8", "salt"].concat().len();
    let too_long = "x".repeat(MAX_METADATA_BYTES - own + 1);
    let long = with_file(&agent, &held, &fine, &too_long).await?;
    let refused = send(long).await.unwrap_err();
    assert!(
        refused.contains("has metadata of 2097153 bytes; the limit is 2097152"),
        "{refused}"
    );
    assert_eq!(
        bench.phase(job.id).await?,
        Phase::Running,
        "it may send a better one"
    );

    let longest = with_file(&agent, &held, &fine, &too_long[1..]).await?;
    assert_eq!(send(longest).await, Ok(()));
    assert_eq!(bench.phase(job.id).await?, Phase::Succeeded);
    let id = bench.job(job.id).await?.model_version_id.expect("a result");
    let version = store::models::version(bench.store(), bench.owner(), id).await?;
    // The file's own words, whatever the agent said.
    assert_eq!(version.metadata["salt"].len(), too_long.len() - 1);
    Ok(())
}
