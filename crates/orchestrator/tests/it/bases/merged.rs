//! Base models that edits have made: their file stays in the object store, and is downloaded from there.

use std::io::{Cursor, Write as _};

use bytes::Bytes;
use orchestrator::Incoming;
use protocol::{
    EditId,
    agent::{ArtifactKind, EditResult, Finish},
    base::BaseSettings,
    edit::{CreateEdit, EditPhase},
    imported::ImportLora,
    lora::{KindCount, LoraFormat, LoraKind, LoraSummary},
    phase::Outcome,
};
use store::edits;
use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

use super::*;
use crate::fixture::{Agent, announced};

/// Stands for the reader of the data plane.
fn read_lora(_: &Path, _: BaseClass) -> Result<LoraSummary, String> {
    Ok(LoraSummary {
        format: LoraFormat::Kohya,
        kinds: vec![KindCount {
            kind: LoraKind::Lora,
            n_modules: 1,
        }],
        n_modules: 1,
        rank_min: Some(4),
        rank_max: Some(4),
        leftovers: Vec::new(),
        trained_on: None,
        trigger_words: Vec::new(),
    })
}

async fn bench() -> anyhow::Result<Bench> {
    Bench::with(|options| {
        options.inspect_base = Some(inspect);
        options.read_lora = Some(read_lora);
        options.base_folders = vec![std::env::temp_dir()];
    })
    .await
}

/// Queues an edit of this kind of one LoRA.
async fn queue(bench: &Bench, kind: &str, base_model: &str) -> anyhow::Result<EditId> {
    let file = sim::files::lora(4, kind);
    let mut pieces = vec![Bytes::from(file)];
    let incoming = Incoming::write(bench.store().data_dir(), || pieces.pop())?;
    let incoming = incoming.ok_or_else(|| anyhow::anyhow!("too large"))?;
    let request = ImportLora {
        name: "ink".to_owned(),
        base_model: "tiny-xl".to_owned(),
        ..ImportLora::default()
    };
    let imported = bench
        .orchestrator
        .import_lora(bench.owner(), request, "ink.safetensors".to_owned(), incoming)
        .await?;
    let mut request = serde_json::json!({
        "kind": kind, "loras": [{ "model_version_id": imported.version.id }],
    });
    let (field, value) = match kind {
        "merge_into" => ("base_model", base_model),
        _ => ("to", "kohya"),
    };
    request[field] = value.into();
    let request: CreateEdit = serde_json::from_value(request)?;
    Ok(bench.orchestrator.create_edit(bench.owner(), request).await?.id)
}

/// An agent makes the file of the edit that waits.
async fn make(bench: &Bench, name: &str, bytes: &[u8]) -> anyhow::Result<()> {
    bench
        .wait_passing_until(async || Ok(bench.machines.alive().len() == 1))
        .await?;
    let agent: Agent = bench.agent_of(bench.machines.alive()[0].id).await?;
    let work = agent.claim(WorkKind::Edit).await?;
    let work = work.ok_or_else(|| anyhow::anyhow!("nothing to do"))?;
    let mut new = announced(work.fence, ArtifactKind::Edited, bytes);
    new.file_name = name.to_owned();
    let (credential, attempt) = (&agent.credential, work.attempt_id);
    let ticket = agent
        .orchestrator
        .announce_artifact(credential, attempt, new)
        .await?;
    let objects = bench.store().objects();
    objects.put(Bytes::copy_from_slice(bytes)).await?;
    agent
        .orchestrator
        .complete_artifact(credential, attempt, ticket.artifact_id)
        .await?;
    let finish = Finish {
        fence: work.fence,
        outcome: Outcome::Completed,
        detail: None,
        result: None,
        picture: None,
        edited: Some(EditResult {
            artifact_id: ticket.artifact_id,
            summary: None,
            done: "merged".to_owned(),
            kept: None,
            notes: Vec::new(),
        }),
        disk_fault: false,
    };
    agent.orchestrator.finish(credential, attempt, finish).await?;
    Ok(())
}

async fn merged(bench: &Bench, base_model: &str, name: &str, bytes: &[u8]) -> anyhow::Result<EditId> {
    let id = queue(bench, "merge_into", base_model).await?;
    make(bench, name, bytes).await?;
    assert_eq!(
        edits::get(bench.store(), bench.owner(), id).await?.phase,
        EditPhase::Succeeded
    );
    Ok(id)
}

fn refusal(refused: ServiceResult<RegisteredBase>) -> anyhow::Result<String> {
    match refused {
        Err(ServiceError::Invalid(fields)) => Ok(fields.to_string()),
        other => anyhow::bail!("{other:?}"),
    }
}

/// Nothing is uploaded or downloaded again, and the file outlives its edit's week for as long as it is a base model.
#[tokio::test]
async fn what_an_edit_has_merged_is_a_base_model_for_as_long_as_it_is_registered() -> anyhow::Result<()> {
    let bench = bench().await?;
    let content = tensors("sdxl", 3000);
    let edit = merged(&bench, "tiny-xl", "Zora.safetensors", &content).await?;
    let base = checked(&bench, "mine", &format!("edit:{edit}")).await?;
    assert_eq!((base.state, base.problem), (BaseState::Ready, None));
    assert_eq!(base.sha256.as_deref(), Some(sha256(&content).as_str()));
    assert_eq!(base.size_bytes, Some(content.len() as u64));
    assert_eq!((base.copy, base.is_fetchable), (BaseCopy::None, true));
    assert!(is_offered(&bench, "mine").await?);
    plan(&bench, "mine", "agent").await.unwrap();

    // The machines of the server have no file of their own to read.
    let mut request = bench.request();
    request.base_model = "mine".into();
    let job = bench.orchestrator.create_job(bench.owner(), request).await?;
    bench.pass().await?;
    let assignment = bench.agent().await?.claim(WorkKind::Train).await?.expect("work");
    let Work::Train(work) = assignment.work else {
        anyhow::bail!("no training")
    };
    let BaseLocation::Files { files } = &work.base else {
        anyhow::bail!("{:?}", work.base)
    };
    let [file] = files.as_slice() else {
        anyhow::bail!("{files:?}")
    };
    assert_eq!(file.path, "Zora.safetensors");
    assert_eq!((file.is_foreign, &file.file.sha256), (false, &sha256(&content)));
    bench.orchestrator.cancel_job(bench.owner(), job.id).await?;
    bench.machines.kill_all();
    bench
        .wait_passing_until(async || Ok(bench.phase(job.id).await? == Phase::Cancelled))
        .await?;

    // The edit's own week is over; the base model is there, and can be checked again.
    let key = BlobKey::from_sha256(&sha256(&content))?;
    bench.collect(Pass::Delete, TimeDelta::days(30)).await?;
    let gone = edits::file(bench.store(), bench.owner(), edit).await;
    assert!(gone.is_err(), "the edit keeps its file: {gone:?}");
    assert!(bench.store().objects().exists(&key).await?);
    bench.orchestrator.check_base_again("mine").await?;
    bench.pass().await?;
    assert_eq!(shown(&bench, "mine").await?.state, BaseState::Ready);
    let again = refusal(register(&bench, "second", &format!("edit:{edit}")).await)?;
    assert!(again.contains("is gone: merge again"), "{again}");

    bench.orchestrator.remove_base("mine").await?;
    bench.collect(Pass::Delete, TimeDelta::days(30)).await?;
    assert!(!bench.store().objects().exists(&key).await?);
    Ok(())
}

/// Setting a VAE makes other files of it, and its own is kept all the same.
#[tokio::test]
async fn what_was_said_of_the_base_model_before_holds_for_the_result() -> anyhow::Result<()> {
    let bench = bench().await?;
    let folder = tempfile::tempdir()?;
    let (path, vae) = (
        folder.path().join("noob.safetensors"),
        folder.path().join("vae.safetensors"),
    );
    std::fs::write(&path, tensors("sdxl", 1000))?;
    std::fs::write(&vae, tensors("a vae", 10))?;
    checked(&bench, "noob", &path.display().to_string()).await?;
    let settings = BaseSettings {
        prediction: Some(Prediction::VZeroSnr),
        vae: None,
    };
    bench
        .orchestrator
        .set_base(bench.owner(), "noob", settings)
        .await?;
    bench.pass().await?;
    let content = tensors("sdxl", 2000);
    let edit = merged(&bench, "noob", "Zora.safetensors", &content).await?;
    let base = checked(&bench, "mine", &format!("edit:{edit}")).await?;
    assert_eq!(base.state, BaseState::Ready, "{:?}", base.problem);
    assert_eq!(base.prediction, Some(Prediction::VZeroSnr));

    let settings = BaseSettings {
        prediction: None,
        vae: Some(vae.display().to_string()),
    };
    bench
        .orchestrator
        .set_base(bench.owner(), "mine", settings)
        .await?;
    bench.pass().await?;
    let base = shown(&bench, "mine").await?;
    assert_eq!(base.state, BaseState::Ready, "{:?}", base.problem);
    assert_eq!(
        (base.n_files, base.is_fetchable),
        (1, false),
        "the VAE is here alone"
    );
    let key = BlobKey::from_sha256(&sha256(&content))?;
    bench.collect(Pass::Delete, TimeDelta::days(30)).await?;
    assert!(bench.store().objects().exists(&key).await?);

    bench.orchestrator.copy_base("mine").await?;
    bench.pass().await?;
    let base = shown(&bench, "mine").await?;
    assert_eq!(
        (base.copy, base.is_fetchable),
        (BaseCopy::Stored, true),
        "{:?}",
        base.problem
    );
    Ok(())
}

#[tokio::test]
async fn an_edit_that_is_no_base_model_is_refused_in_words() -> anyhow::Result<()> {
    let bench = bench().await?;
    let unknown = EditId::new();
    let said = refusal(register(&bench, "x", &format!("edit:{unknown}")).await)?;
    assert_eq!(said, format!("source: there is no edit `{unknown}`"));
    let said = refusal(register(&bench, "x", "edit:mine").await)?;
    assert!(said.contains("is not a valid id of an edit"), "{said}");

    let converted = queue(&bench, "convert", "tiny-xl").await?;
    let said = refusal(register(&bench, "x", &format!("edit:{converted}")).await)?;
    assert_eq!(
        said,
        "source: must be an edit that merged LoRAs into a base model"
    );
    bench.orchestrator.cancel_edit(bench.owner(), converted).await?;
    let waiting = queue(&bench, "merge_into", "tiny-xl").await?;
    let said = refusal(register(&bench, "x", &format!("edit:{waiting}")).await)?;
    assert_eq!(said, "source: this edit has not ended yet: wait until it has");
    // What an agent has made is looked at as every other base model is.
    make(&bench, "Zora.safetensors", &tensors("a LoRA", 10)).await?;
    let base = checked(&bench, "broken", &format!("edit:{waiting}")).await?;
    assert_eq!(base.state, BaseState::Failed);
    let problem = base.problem.unwrap_or_default();
    assert!(problem.contains("expected a single-file SDXL"), "{problem}");
    let settings = BaseSettings {
        prediction: None,
        vae: Some(format!("edit:{waiting}")),
    };
    let said = refusal(
        bench
            .orchestrator
            .set_base(bench.owner(), "broken", settings)
            .await,
    )?;
    assert!(said.contains("must be a VAE of its own"), "{said}");
    Ok(())
}

/// Files of a diffusers folder, and others that no loader reads.
fn folder() -> Vec<(String, Vec<u8>)> {
    let mut files = vec![
        ("model_index.json".to_owned(), b"{}".to_vec()),
        ("README.md".to_owned(), b"text".to_vec()),
    ];
    for part in ["unet", "vae", "text_encoder", "text_encoder_2"] {
        let stem = if part.starts_with("text") {
            "model"
        } else {
            "diffusion_pytorch_model"
        };
        files.push((
            format!("{part}/config.json"),
            format!("{{\"of\":\"{part}\"}}").into(),
        ));
        let weights = tensors(&format!("sdxl {part}"), 100);
        files.push((format!("{part}/{stem}.fp16.safetensors"), weights));
    }
    files
}

fn archive(files: &[(String, Vec<u8>)], method: CompressionMethod) -> anyhow::Result<Vec<u8>> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(method);
    for (path, bytes) in files {
        archive.start_file(path.as_str(), options)?;
        archive.write_all(bytes)?;
    }
    Ok(archive.finish()?.into_inner())
}

/// What is merged into a folder comes as an archive: its files become objects, and the archive goes.
#[tokio::test]
async fn a_folder_is_taken_out_of_its_archive() -> anyhow::Result<()> {
    let bench = bench().await?;
    let files = folder();
    let content = archive(&files, CompressionMethod::Stored)?;
    let edit = merged(&bench, "tiny-xl", "tiny-xl-ink.zip", &content).await?;
    let base = checked(&bench, "mine", &format!("edit:{edit}")).await?;
    assert_eq!((base.state, base.problem), (BaseState::Ready, None));
    assert_eq!((base.n_files, base.is_fetchable), (9, true));
    bench.collect(Pass::Delete, TimeDelta::days(30)).await?;
    let objects = bench.store().objects();
    assert!(!objects.exists(&BlobKey::from_sha256(&sha256(&content))?).await?);
    for (path, bytes) in &files {
        let key = BlobKey::from_sha256(&sha256(bytes))?;
        assert_eq!(objects.exists(&key).await?, path != "README.md", "{path}");
    }
    // There is no archive any more, and none is needed.
    bench.orchestrator.check_base_again("mine").await?;
    bench.pass().await?;
    assert_eq!(shown(&bench, "mine").await?.state, BaseState::Ready);

    let mut request = bench.request();
    request.base_model = "mine".into();
    bench.orchestrator.create_job(bench.owner(), request).await?;
    bench.pass().await?;
    let assignment = bench.agent().await?.claim(WorkKind::Train).await?.expect("work");
    let Work::Train(work) = assignment.work else {
        anyhow::bail!("no training")
    };
    let BaseLocation::Files { files: given } = &work.base else {
        anyhow::bail!("{:?}", work.base)
    };
    assert_eq!(given.len(), 9);
    for file in given {
        let (_, bytes) = files
            .iter()
            .find(|(path, _)| *path == file.path)
            .expect("one of them");
        assert_eq!(file.file.sha256, sha256(bytes), "{}", file.path);
    }
    Ok(())
}

#[tokio::test]
async fn an_archive_that_is_no_folder_of_a_model_is_refused_in_words() -> anyhow::Result<()> {
    let bench = bench().await?;
    let packed = archive(&folder(), CompressionMethod::Deflated)?;
    let other = archive(&folder()[..2], CompressionMethod::Stored)?;
    let damaged = packed[..packed.len() / 2].to_vec();
    for (name, content, said) in [
        ("packed", packed, "cannot be read: merge again"),
        ("other", other, "diffusion_pytorch_model.fp16.safetensors"),
        ("damaged", damaged, "the merged archive cannot be read"),
    ] {
        let edit = merged(&bench, "tiny-xl", "tiny-xl-ink.zip", &content).await?;
        let base = checked(&bench, name, &format!("edit:{edit}")).await?;
        let problem = base.problem.unwrap_or_default();
        assert_eq!(base.state, BaseState::Failed, "{name}");
        assert!(problem.contains(said), "{name}: {problem}");
    }
    Ok(())
}
