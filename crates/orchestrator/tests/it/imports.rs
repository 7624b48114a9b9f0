//! LoRAs that were made elsewhere.

use std::path::Path;

use bytes::Bytes;
use orchestrator::{Incoming, ServiceError};
use protocol::{
    agent::{Work, WorkKind},
    generation::CreateGeneration,
    imported::ImportLora,
    lora::{KindCount, Leftover, LoraFormat, LoraKind, LoraSummary},
    model::{Promote, Stage},
    preset::BaseClass,
};
use store::{BlobKey, models};

use crate::fixture::Bench;

/// Stands for the reader of the data plane: what a file is named after is what it holds.
fn read(path: &Path, class: BaseClass) -> Result<LoraSummary, String> {
    assert_eq!(class, BaseClass::Tiny);
    let bytes = std::fs::read(path).map_err(|err| err.to_string())?;
    let text = String::from_utf8_lossy(&bytes);
    if text.starts_with("<!DOCTYPE html>") {
        return Err("is a web page".to_owned());
    }
    if text.contains("for-flux") {
        return Err("is a LoRA for Flux, expected one for SDXL".to_owned());
    }
    let leftover = |name: &str, needs_consent| Leftover {
        name: name.to_owned(),
        reason: "not known".to_owned(),
        needs_consent,
    };
    let mut leftovers = Vec::new();
    if text.contains("in-part") {
        leftovers = vec![leftover("unet.weird.0", true), leftover("unet.weird.1", true)];
    }
    if text.contains("with-a-note") {
        leftovers = vec![leftover("zora", false)];
    }
    let kinds = [
        ("of-loha", LoraKind::Loha),
        ("of-dora", LoraKind::Dora),
        ("of-glora", LoraKind::Glora),
    ];
    let kind = kinds.into_iter().find(|(word, _)| text.contains(word));
    Ok(LoraSummary {
        format: LoraFormat::Kohya,
        kinds: vec![KindCount {
            kind: kind.map_or(LoraKind::Lora, |(_, kind)| kind),
            n_modules: 1,
        }],
        n_modules: 1,
        rank_min: Some(4),
        rank_max: Some(4),
        leftovers,
        trained_on: Some("sd_xl_base_1.0".to_owned()),
        trigger_words: Vec::new(),
    })
}

async fn bench() -> anyhow::Result<Bench> {
    Bench::with(|options| options.read_lora = Some(read)).await
}

fn request() -> ImportLora {
    ImportLora {
        name: "ink".to_owned(),
        base_model: "tiny-xl".to_owned(),
        ..ImportLora::default()
    }
}

fn incoming(bench: &Bench, bytes: &[u8]) -> anyhow::Result<Incoming> {
    let mut pieces: Vec<Bytes> = bytes.chunks(1000).map(Bytes::copy_from_slice).rev().collect();
    let written = Incoming::write(bench.store().data_dir(), || pieces.pop())?;
    written.ok_or_else(|| anyhow::anyhow!("too large"))
}

async fn import(
    bench: &Bench,
    request: ImportLora,
    bytes: &[u8],
) -> anyhow::Result<Result<(protocol::model::ModelVersion, bool), String>> {
    let incoming = incoming(bench, bytes)?;
    let name = "ink.safetensors".to_owned();
    let imported = bench
        .orchestrator
        .import_lora(bench.owner(), request, name, incoming)
        .await;
    match imported {
        Ok(imported) => Ok(Ok((imported.version, imported.is_new))),
        Err(ServiceError::Invalid(fields)) => Ok(Err(fields.to_string())),
        Err(err) => Err(err.into()),
    }
}

fn key(bytes: &[u8]) -> BlobKey {
    use sha2::{Digest as _, Sha256};
    BlobKey::from_sha256(&hex::encode(Sha256::digest(bytes))).expect("a digest is a valid hash")
}

#[tokio::test]
async fn an_imported_file_is_used_and_approved_without_a_verdict() -> anyhow::Result<()> {
    let bench = bench().await?;
    let file = sim::files::lora(4, "foreign");
    let wanted = ImportLora {
        trigger_words: vec!["ink".to_owned()],
        source: Some("https://example.com".to_owned()),
        license: Some("CC0".to_owned()),
        ..request()
    };
    let (version, is_new) = import(&bench, wanted.clone(), &file)
        .await?
        .map_err(anyhow::Error::msg)?;
    assert!(is_new);
    assert_eq!((version.stage, version.version), (Stage::Draft, 1));
    assert_eq!((version.verdict, version.job_id), (None, None));
    assert_eq!(version.trigger_word.as_deref(), Some("ink"));
    assert_eq!(version.metadata["salt"], "foreign", "what the file says itself");
    let imported = version.imported.ok_or_else(|| anyhow::anyhow!("not marked"))?;
    assert_eq!(imported.license.as_deref(), Some("CC0"));
    assert_eq!(imported.trained_on.as_deref(), Some("sd_xl_base_1.0"));
    assert_eq!(bench.store().objects().get(&key(&file)).await?, file);
    let (again, is_new) = import(&bench, wanted, &file).await?.map_err(anyhow::Error::msg)?;
    assert_eq!((again.id, is_new), (version.id, false));

    let picture = serde_json::json!({
        "base_model": "tiny-xl", "prompt": "ink", "loras": [{ "model_version_id": version.id, "weight": 1.0 }],
    });
    let picture: CreateGeneration = serde_json::from_value(picture)?;
    bench
        .orchestrator
        .create_generation(bench.owner(), picture)
        .await?;

    let promote = async |request| {
        bench
            .orchestrator
            .promote(bench.owner(), version.id, request)
            .await
    };
    let refused = promote(Promote::default()).await.unwrap_err().to_string();
    assert!(
        refused.contains("nothing has judged it") && refused.contains("without_verdict"),
        "{refused}"
    );
    let approved = promote(Promote {
        without_verdict: true,
    })
    .await?;
    assert_eq!(approved.stage, Stage::Approved);
    Ok(())
}

#[tokio::test]
async fn a_part_that_is_not_applied_needs_a_yes_which_the_agent_hears() -> anyhow::Result<()> {
    let bench = bench().await?;
    let file = sim::files::lora(4, "in-part");
    let refused = import(&bench, request(), &file).await?.unwrap_err();
    assert_eq!(
        refused,
        "allow_partial: 2 of 3 modules are not known and are left out: `unet.weird.0`, `unet.weird.1`; set it to `true` to \
         use the rest"
    );
    assert!(
        !bench.store().objects().exists(&key(&file)).await?,
        "nothing was kept"
    );
    let yes = ImportLora {
        allow_partial: true,
        ..request()
    };
    let (version, _) = import(&bench, yes, &file).await?.map_err(anyhow::Error::msg)?;
    let imported = version.imported.ok_or_else(|| anyhow::anyhow!("not marked"))?;
    assert!(imported.allow_partial);
    assert_eq!(
        (imported.left_out[0].n, imported.left_out[0].examples.len()),
        (2, 2)
    );

    let picture = serde_json::json!({
        "base_model": "tiny-xl", "prompt": "ink", "loras": [{ "model_version_id": version.id, "weight": 1.0 }],
    });
    let picture: CreateGeneration = serde_json::from_value(picture)?;
    bench
        .orchestrator
        .create_generation(bench.owner(), picture)
        .await?;
    bench.pass().await?;
    let worker = bench.agent_of(bench.machines.alive()[0].id).await?;
    let assignment = worker.claim(WorkKind::Generate).await?;
    let Some(Work::Generate(work)) = assignment.map(|assignment| assignment.work) else {
        anyhow::bail!("nothing to do");
    };
    assert!(work.request.loras[0].partial);
    assert_eq!(work.lora_files[0].sha256, version.sha256);
    Ok(())
}

#[tokio::test]
async fn a_note_needs_no_yes() -> anyhow::Result<()> {
    let bench = bench().await?;
    let imported = import(&bench, request(), &sim::files::lora(4, "with-a-note")).await?;
    let (version, _) = imported.map_err(anyhow::Error::msg)?;
    let imported = version.imported.ok_or_else(|| anyhow::anyhow!("not marked"))?;
    assert!(!imported.allow_partial && !imported.left_out[0].needs_consent);
    Ok(())
}

/// A safetensors file with one number that is none.
fn broken() -> Vec<u8> {
    let mut file = sim::files::lora(4, "broken");
    let at = file.len() - 8;
    file[at..at + 4].copy_from_slice(&f32::NAN.to_le_bytes());
    file
}

#[tokio::test]
async fn what_is_no_lora_for_sdxl_is_said_by_name() -> anyhow::Result<()> {
    let bench = bench().await?;
    let lora = sim::files::lora(4, "");
    for (bytes, said) in [
        (b"<!DOCTYPE html>".to_vec(), "file: is a web page"),
        (Vec::new(), "file: is not a whole safetensors file"),
        (
            lora[..lora.len() - 1].to_vec(),
            "file: is not a whole safetensors file",
        ),
        (vec![7; 4000], "file: is not a whole safetensors file"),
        (sim::files::lora(4, "for-flux"), "file: is a LoRA for Flux"),
        (long_header("for-flux"), "file: has a header of 17 MiB"),
        (
            broken(),
            "file: is broken: its tensor `lora_unet_middle_block_1_proj_in.lora_up.weight` holds NaN",
        ),
    ] {
        let refused = import(&bench, request(), &bytes).await?.unwrap_err();
        assert!(refused.starts_with(said), "{refused}, instead of {said}");
        assert!(
            !bench.store().objects().exists(&key(&bytes)).await?,
            "{said}: nothing was kept"
        );
    }
    let elsewhere = ImportLora {
        base_model: "sdxl".to_owned(),
        ..request()
    };
    let refused = import(&bench, elsewhere, &lora).await?.unwrap_err();
    assert_eq!(refused, "base_model: must be one of `tiny-xl`, not `sdxl`");
    assert_eq!(models::list(bench.store(), bench.owner(), None, 10).await?, []);
    Ok(())
}

/// A file that the reader of the data plane would take minutes and gigabytes for, if it were asked.
fn long_header(text: &str) -> Vec<u8> {
    let header = format!(
        "{{\"__metadata__\":{{\"a\":\"{text}\"}}}}{}",
        " ".repeat(17 << 20)
    );
    [&(header.len() as u64).to_le_bytes(), header.as_bytes()].concat()
}

#[tokio::test]
async fn trigger_words_come_from_the_metadata() -> anyhow::Result<()> {
    let bench = bench().await?;
    for (metadata, words) in [
        (
            serde_json::json!({ "modelspec.trigger_phrase": "zora, ink" }),
            vec!["zora", "ink"],
        ),
        (
            serde_json::json!({ "ss_tag_frequency": r#"{"10_zora": {"zora": 20, "smile": 3}, "2_x": {"zora": 1}}"# }),
            vec!["zora"],
        ),
        (
            serde_json::json!({ "ss_tag_frequency": r#"{"a": {"b": 1, "c": 1, "d": 1, "e": 1, "f": 1}}"# }),
            vec![],
        ),
        (serde_json::json!({ "ss_tag_frequency": "not JSON" }), vec![]),
    ] {
        let file = with_metadata(&metadata);
        let (version, _) = import(&bench, request(), &file)
            .await?
            .map_err(anyhow::Error::msg)?;
        let imported = version.imported.ok_or_else(|| anyhow::anyhow!("not marked"))?;
        assert_eq!(imported.trigger_words, words, "{metadata}");
    }
    Ok(())
}

/// One tensor, and this metadata.
fn with_metadata(metadata: &serde_json::Value) -> Vec<u8> {
    let header = serde_json::json!({
        "__metadata__": metadata,
        "a": { "dtype": "F32", "shape": [1], "data_offsets": [0, 4] },
    });
    let header = header.to_string();
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend_from_slice(header.as_bytes());
    file.extend_from_slice(&1_f32.to_le_bytes());
    file
}

/// What names cannot hold is said when it is asked for, as far as the file's kinds tell.
#[tokio::test]
async fn a_conversion_to_names_that_cannot_hold_a_file_is_refused_at_once() -> anyhow::Result<()> {
    let bench = bench().await?;
    let mut answers = Vec::new();
    for kind in ["of-loha", "of-dora", "of-glora"] {
        let wanted = ImportLora {
            name: kind.to_owned(),
            ..request()
        };
        let file = sim::files::lora(4, kind);
        let (version, _) = import(&bench, wanted, &file).await?.map_err(anyhow::Error::msg)?;
        for to in ["kohya", "diffusers", "peft"] {
            let edit = serde_json::from_value(serde_json::json!({
                "kind": "convert", "to": to, "loras": [{ "model_version_id": version.id }],
            }))?;
            match bench.orchestrator.create_edit(bench.owner(), edit).await {
                Ok(_) => {}
                Err(ServiceError::Invalid(fields)) => answers.push(format!("{kind} {to}: {fields}")),
                Err(err) => return Err(err.into()),
            }
        }
    }
    assert_eq!(
        answers,
        [
            "of-loha diffusers: loras[0].model_version_id: holds modules of the kind LoHa, which diffusers' names cannot \
             hold: convert to PEFT's or kohya's names, or resize it to a plain LoRA first",
            "of-glora diffusers: loras[0].model_version_id: holds modules of the kind GLoRA, which diffusers' names \
             cannot hold: keep kohya's names, or resize it to a plain LoRA first",
            "of-glora peft: loras[0].model_version_id: holds modules of the kind GLoRA, which PEFT's names cannot hold: \
             keep kohya's names, or resize it to a plain LoRA first",
        ]
    );
    Ok(())
}
