//! Copies of approved LoRAs in a folder of another program.

use std::{collections::BTreeSet, fs, path::Path};

use protocol::{ModelVersionId, copies::LoraCopies, model::Promote};
use serde_json::{Value, json};

use crate::{
    crashes::killed_after,
    fixture::{Bench, lora, picture, verdict},
};

/// A server that copies into this folder.
async fn copying_into(folder: &Path) -> anyhow::Result<Bench> {
    Bench::with(|options| options.lora_folder = Some(folder.to_owned())).await
}

/// Trains and approves a version of the model of this name.
async fn approved(bench: &Bench, name: &str) -> anyhow::Result<ModelVersionId> {
    let mut request = bench.request();
    request.name = name.to_owned();
    let job = bench.orchestrator.create_job(bench.owner(), request).await?;
    bench.pass().await?;
    let agent = bench.agent().await?;
    let held = agent.claim_train().await?;
    let finish = agent.completed(&held, verdict(&[])).await?;
    bench
        .orchestrator
        .finish(&agent.credential, held.id, finish)
        .await?;
    bench.machines.kill_all();
    let version = bench.job(job.id).await?.model_version_id;
    let version = version.ok_or_else(|| anyhow::anyhow!("no version was made"))?;
    promote(bench, version).await?;
    Ok(version)
}

async fn promote(bench: &Bench, version: ModelVersionId) -> anyhow::Result<()> {
    let (owner, request) = (bench.owner(), Promote::default());
    bench.orchestrator.promote(owner, version, request).await?;
    Ok(())
}

async fn retire(bench: &Bench, version: ModelVersionId) -> anyhow::Result<()> {
    bench.orchestrator.retire(bench.owner(), version).await?;
    Ok(())
}

/// Names of what lies there, without the server's own list and lock.
fn names(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).expect("a folder");
    let names = entries.map(|entry| {
        entry
            .expect("an entry")
            .file_name()
            .into_string()
            .expect("a name in UTF-8")
    });
    names
        .filter(|name| !name.starts_with(".morpheus-loras."))
        .collect()
}

fn all(stem: &str) -> BTreeSet<String> {
    [
        ".safetensors",
        ".preview.png",
        ".civitai.info",
        ".json",
        ".safetensors.rgthree-info.json",
    ]
    .map(|ending| format!("{stem}{ending}"))
    .into()
}

fn read(folder: &Path, name: &str) -> Value {
    serde_json::from_slice(&fs::read(folder.join(name)).expect("a file")).expect("JSON")
}

fn only_problem(copies: &LoraCopies) -> &str {
    copies.copies[0].problem.as_deref().expect("a problem")
}

#[tokio::test]
async fn an_approved_version_is_copied_and_a_retired_one_is_removed() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let folder = folder.path();
    fs::write(folder.join("mine.safetensors"), "somebody's own")?;
    let bench = copying_into(folder).await?;
    let version = approved(&bench, "Zora").await?;
    assert_eq!(
        names(folder).len(),
        1,
        "nothing is copied before the reconciler comes"
    );
    bench.pass().await?;
    let mut expected = all("Zora-v1");
    expected.insert("mine.safetensors".to_owned());
    assert_eq!(names(folder), expected);
    assert_eq!(fs::read(folder.join("Zora-v1.safetensors"))?, lora());
    assert_eq!(fs::read(folder.join("Zora-v1.preview.png"))?, picture("after"));

    // What each program reads.
    let civitai = read(folder, "Zora-v1.civitai.info");
    let sha256 = civitai["files"][0]["hashes"]["SHA256"].as_str().unwrap();
    assert_eq!(civitai["files"][0]["hashes"]["AutoV2"], sha256[..10]);
    assert_eq!(sha256.len(), 64);
    assert_eq!(civitai["files"][0]["primary"], true);
    assert_eq!(civitai["files"][0]["name"], "Zora-v1.safetensors");
    assert_eq!(civitai["model"]["name"], "Zora");
    assert_eq!(civitai["trainedWords"], json!(["zora"]));
    assert_eq!(read(folder, "Zora-v1.json")["activation text"], "zora");
    let rgthree = read(folder, "Zora-v1.safetensors.rgthree-info.json");
    assert_eq!(rgthree["trainedWords"], json!([{ "word": "zora" }]));
    assert_eq!(rgthree["sha256"], sha256.to_lowercase());

    let known = bench.orchestrator.lora_copies();
    assert_eq!(known.folder, Some(folder.display().to_string()));
    assert_eq!((known.problem, known.copies.len()), (None, 1));
    assert_eq!(known.copies[0].model_version_id, version);
    assert_eq!(known.copies[0].file_name, "Zora-v1.safetensors");
    assert_eq!(known.copies[0].problem, None);

    // What is taken away comes again, and what is there is not written again.
    let look = |name: &str| fs::metadata(folder.join(name)).unwrap().modified().unwrap();
    let before = look("Zora-v1.json");
    fs::remove_file(folder.join("Zora-v1.safetensors"))?;
    bench.pass().await?;
    assert_eq!(names(folder), expected);
    assert_eq!(look("Zora-v1.json"), before);

    // A manager's changes are its own.
    fs::write(folder.join("Zora-v1.json"), "{\"notes\": \"mine\"}")?;
    bench.pass().await?;
    assert_eq!(read(folder, "Zora-v1.json")["notes"], "mine");
    retire(&bench, version).await?;
    bench.pass().await?;
    let left = ["Zora-v1.json", "mine.safetensors"];
    assert_eq!(names(folder), BTreeSet::from(left.map(str::to_owned)));
    assert_eq!(bench.orchestrator.lora_copies().copies, []);
    Ok(())
}

#[tokio::test]
async fn nothing_of_others_is_replaced_or_removed() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let folder = folder.path();
    let theirs = folder.join("Zora-v1.safetensors");
    fs::write(&theirs, "somebody's own")?;
    let bench = copying_into(folder).await?;
    let version = approved(&bench, "Zora").await?;
    bench.pass().await?;
    assert_eq!(names(folder).len(), 1, "no texts are written beside it");
    let known = bench.orchestrator.lora_copies();
    assert!(
        only_problem(&known).contains("was not written by Morpheus"),
        "{known:?}"
    );
    // A link is not followed either.
    let outside = tempfile::NamedTempFile::new()?;
    fs::remove_file(&theirs)?;
    std::os::unix::fs::symlink(outside.path(), &theirs)?;
    bench.pass().await?;
    assert_eq!(fs::read(outside.path())?, b"");
    fs::remove_file(&theirs)?;
    bench.pass().await?;
    assert_eq!(names(folder), all("Zora-v1"));
    // One that has the same bytes and was there before stays.
    retire(&bench, version).await?;
    bench.pass().await?;
    assert_eq!(names(folder), BTreeSet::new());
    fs::write(&theirs, lora())?;
    promote(&bench, version).await?;
    bench.pass().await?;
    assert_eq!(names(folder), all("Zora-v1"));
    retire(&bench, version).await?;
    bench.pass().await?;
    assert_eq!(fs::read(&theirs)?, lora());
    assert_eq!(names(folder).len(), 1);
    Ok(())
}

#[tokio::test]
async fn a_folder_that_is_gone_is_named_and_tried_again() -> anyhow::Result<()> {
    let parent = tempfile::tempdir()?;
    let folder = parent.path().join("loras");
    let bench = copying_into(&folder).await?;
    approved(&bench, "Zora").await?;
    bench.pass().await?;
    let problem = bench.orchestrator.lora_copies().problem.unwrap();
    assert!(problem.contains("does not exist"), "{problem}");
    assert!(
        !folder.exists(),
        "a drive that is not connected gets no folder in its place"
    );
    fs::write(&folder, "a file")?;
    bench.pass().await?;
    let problem = bench.orchestrator.lora_copies().problem.unwrap();
    assert!(problem.contains("is a file"), "{problem}");
    fs::remove_file(&folder)?;
    fs::create_dir(&folder)?;
    bench.pass().await?;
    assert_eq!(bench.orchestrator.lora_copies().problem, None);
    assert_eq!(names(&folder), all("Zora-v1"));
    Ok(())
}

#[tokio::test]
async fn names_that_differ_in_case_alone_are_told_apart() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let folder = folder.path();
    let bench = copying_into(folder).await?;
    let first = approved(&bench, "Zora").await?;
    bench.pass().await?;
    approved(&bench, "zora").await?;
    bench.pass().await?;
    let copies = bench.orchestrator.lora_copies().copies;
    let lower: BTreeSet<String> = copies.iter().map(|copy| copy.file_name.to_lowercase()).collect();
    assert_eq!(lower.len(), 2, "{copies:?}");
    let others: BTreeSet<String> = names(folder).difference(&all("Zora-v1")).cloned().collect();
    assert_eq!(others.len(), 5);
    // A name stays what it is when the other one goes.
    retire(&bench, first).await?;
    bench.pass().await?;
    assert_eq!(names(folder), others);
    Ok(())
}

#[tokio::test]
async fn a_lost_file_prevents_its_own_copy_alone() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let bench = copying_into(folder.path()).await?;
    approved(&bench, "Zora").await?;
    let objects = bench.store().objects().folder().unwrap().to_owned();
    fs::rename(&objects, objects.with_extension("away"))?;
    fs::create_dir(&objects)?;
    bench.pass().await?;
    let known = bench.orchestrator.lora_copies();
    assert!(only_problem(&known).contains("could not be read"), "{known:?}");
    assert!(!folder.path().join("Zora-v1.safetensors").exists());
    fs::remove_dir(&objects)?;
    fs::rename(objects.with_extension("away"), &objects)?;
    bench.pass().await?;
    assert_eq!(names(folder.path()), all("Zora-v1"));
    Ok(())
}

#[tokio::test]
async fn servers_that_share_the_folder_write_each_copy_once() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let bench = copying_into(folder.path()).await?;
    let other = bench.beside().await?;
    let version = approved(&bench, "Zora").await?;
    for _ in 0..5 {
        let (one, two) = tokio::join!(bench.pass(), other.pass());
        one?;
        two?;
    }
    assert_eq!(names(folder.path()), all("Zora-v1"));
    for server in [&bench, &other] {
        let known = server.orchestrator.lora_copies();
        assert_eq!((known.problem, known.copies.len()), (None, 1));
    }
    retire(&other, version).await?;
    for server in [&bench, &other] {
        server.pass().await?;
    }
    assert_eq!(names(folder.path()), BTreeSet::new());
    Ok(())
}

/// The server dies at each line of a copy. Then the version stays, and its copy is completed; or it is retired, and
/// nothing of the copy is left.
#[tokio::test]
async fn a_copy_that_was_interrupted_anywhere_is_completed_or_removed() -> anyhow::Result<()> {
    let mut bench = Bench::new().await?;
    let version = approved(&bench, "Zora").await?;
    let mut came_to_the_end = false;
    for n_polls in 1..2000 {
        let folder = tempfile::tempdir()?;
        bench.restart_with(|options| options.lora_folder = Some(folder.path().to_owned()));
        came_to_the_end = killed_after(n_polls, Box::pin(bench.pass())).await?;
        bench.restart();
        let is_retired = n_polls % 2 == 0;
        let expected = if is_retired {
            retire(&bench, version).await?;
            BTreeSet::new()
        } else {
            all("Zora-v1")
        };
        bench
            .wait_passing_until(async || Ok(names(folder.path()) == expected))
            .await?;
        if is_retired {
            promote(&bench, version).await?;
        }
        if came_to_the_end && !is_retired {
            break;
        }
    }
    assert!(came_to_the_end, "the last one was not killed at all");
    Ok(())
}
