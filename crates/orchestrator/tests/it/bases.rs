//! Base models by path, address and id: looked at, hashed, copied, and where jobs get them.

mod hostile;
mod merged;
mod said;

use std::path::Path;

use chrono::TimeDelta;
use orchestrator::{Beside, HubOptions, Pass, ServiceError, ServiceResult};
use protocol::{
    agent::{BaseLocation, Work, WorkKind},
    base::{BaseCopy, BaseFacts, BaseState, Prediction, RegisterBase, RegisteredBase},
    phase::Phase,
    preset::BaseClass,
};
use sim::hub::{Asked, COMMIT, Faults, Hub, sha256};
use store::BlobKey;

use crate::fixture::Bench;

/// A safetensors file as far as this server's eyes go: a header that says what it is, and bytes.
fn tensors(what: &str, n_bytes: usize) -> Vec<u8> {
    let header = format!(r#"{{"__metadata__":{{"what":"{what}"}}}}"#);
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend(header.bytes());
    file.extend((0..n_bytes).map(|n| (n % 251) as u8));
    file
}

/// Stands for the real reader, which `morpheus` brings: it reads nothing behind the header either.
fn inspect(path: &Path, beside: Beside<'_>) -> Result<BaseFacts, String> {
    let weights = if path.is_dir() {
        path.join("unet/diffusion_pytorch_model.fp16.safetensors")
    } else {
        path.to_owned()
    };
    let bytes = std::fs::read(&weights).map_err(|err| format!("`{}`: {err}", weights.display()))?;
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(100)]).into_owned();
    if let Some(vae) = beside.vae {
        let bytes = std::fs::read(vae).map_err(|err| format!("`{}`: {err}", vae.display()))?;
        if !String::from_utf8_lossy(&bytes).contains("vae") {
            return Err(format!(
                "`{}`: found something else, expected a VAE",
                vae.display()
            ));
        }
    }
    if text.contains("sdxl") {
        let said = text.contains("sdxl v").then_some(Prediction::V);
        Ok(BaseFacts {
            class: BaseClass::Tiny,
            native_resolution: 128,
            prediction: Some(beside.prediction.or(said).unwrap_or(Prediction::Epsilon)),
            said_by: match (beside.prediction, said) {
                (Some(_), _) => Some("the setting".to_owned()),
                (None, Some(_)) => Some("its header".to_owned()),
                (None, None) => None,
            },
            title: None,
            notes: Vec::new(),
        })
    } else {
        Err("found something else, expected a single-file SDXL checkpoint".into())
    }
}

async fn bench(hub: &Hub) -> anyhow::Result<Bench> {
    let endpoint = hub.url.clone();
    Bench::with(|options| {
        options.inspect_base = Some(inspect);
        options.base_folders = vec![std::env::temp_dir()];
        options.hub = HubOptions {
            endpoint,
            token: None,
        };
    })
    .await
}

async fn register(bench: &Bench, name: &str, source: &str) -> ServiceResult<RegisteredBase> {
    let request = RegisterBase {
        name: name.into(),
        source: source.into(),
        prediction: None,
        vae: None,
    };
    bench.orchestrator.register_base(bench.owner(), request).await
}

/// Registers, and has it looked at.
async fn checked(bench: &Bench, name: &str, source: &str) -> anyhow::Result<RegisteredBase> {
    let registered = register(bench, name, source).await?;
    assert_eq!(registered.state, BaseState::Checking);
    bench.pass().await?;
    shown(bench, name).await
}

async fn shown(bench: &Bench, name: &str) -> anyhow::Result<RegisteredBase> {
    let all = bench.orchestrator.registered_bases().await?;
    let found = all.into_iter().find(|base| base.name == name);
    found.ok_or_else(|| anyhow::anyhow!("`{name}` is not registered"))
}

async fn is_offered(bench: &Bench, name: &str) -> anyhow::Result<bool> {
    let models = bench.orchestrator.base_models().await?;
    Ok(models.iter().any(|model| model.name == name))
}

/// Whether a job with this base could be made for this provider.
async fn plan(bench: &Bench, base: &str, provider: &str) -> Result<(), String> {
    let mut request = bench.request();
    request.base_model = base.into();
    request.provider = provider.into();
    let plan = bench.orchestrator.estimate_job(bench.owner(), &request).await;
    plan.map(drop).map_err(|err| err.to_string())
}

#[tokio::test]
async fn a_file_of_the_server_is_hashed_and_copied_for_others() -> anyhow::Result<()> {
    let hub = Hub::start().await?;
    let bench = bench(&hub).await?;
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("mine.safetensors");
    let content = tensors("sdxl", 3_000_000);
    std::fs::write(&path, &content)?;
    let source = path.display().to_string();

    let base = checked(&bench, "mine", &source).await?;
    assert_eq!((base.state, base.problem), (BaseState::Ready, None));
    assert_eq!(base.sha256.as_deref(), Some(sha256(&content).as_str()));
    assert_eq!(base.size_bytes, Some(content.len() as u64));
    assert!(!base.is_fetchable);
    assert!(is_offered(&bench, "mine").await?);
    plan(&bench, "mine", "local").await.unwrap();
    let refusal = plan(&bench, "mine", "agent").await.unwrap_err();
    assert!(refusal.contains("copy it to the object store"), "{refusal}");

    bench.orchestrator.copy_base("mine").await?;
    bench.pass().await?;
    let base = shown(&bench, "mine").await?;
    assert_eq!((base.copy, base.is_fetchable), (BaseCopy::Stored, true));
    plan(&bench, "mine", "agent").await.unwrap();

    // Its own machines read the file itself.
    let mut request = bench.request();
    request.base_model = "mine".into();
    bench.orchestrator.create_job(bench.owner(), request).await?;
    bench.pass().await?;
    let assignment = bench.agent().await?.claim(WorkKind::Train).await?.expect("work");
    let Work::Train(work) = assignment.work else {
        anyhow::bail!("no training")
    };
    let resolved = path.canonicalize()?.display().to_string();
    assert_eq!(work.base, BaseLocation::Path { path: resolved });
    Ok(())
}

/// Behind a balancer, the server that has shown a base as ready is not the one that is asked to train on it.
#[tokio::test]
async fn what_one_server_knows_of_a_base_every_server_goes_by_at_once() -> anyhow::Result<()> {
    let hub = Hub::start().await?;
    let bench = bench(&hub).await?;
    let other = bench.beside().await?;
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("mine.safetensors");
    std::fs::write(&path, tensors("sdxl", 1000))?;
    let refusal = plan(&other, "mine", "local").await.unwrap_err();
    assert!(
        refusal.contains("must be one of `tiny-xl`, not `mine`"),
        "{refusal}"
    );

    checked(&bench, "mine", &path.display().to_string()).await?;
    plan(&other, "mine", "local").await.unwrap();
    plan(&other, "mine", "agent").await.unwrap_err();
    bench.orchestrator.copy_base("mine").await?;
    bench.pass().await?;
    plan(&other, "mine", "agent").await.unwrap();

    bench.orchestrator.remove_base("mine").await?;
    plan(&other, "mine", "local").await.unwrap_err();
    Ok(())
}

#[tokio::test]
async fn a_changed_file_is_hashed_again_and_its_copy_is_void() -> anyhow::Result<()> {
    let hub = Hub::start().await?;
    let bench = bench(&hub).await?;
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("mine.safetensors");
    std::fs::write(&path, tensors("sdxl", 1000))?;
    let before = checked(&bench, "mine", &path.display().to_string()).await?;
    bench.orchestrator.copy_base("mine").await?;
    bench.pass().await?;

    std::fs::write(&path, tensors("sdxl", 2000))?;
    bench.orchestrator.check_base_again("mine").await?;
    bench.pass().await?;
    let after = shown(&bench, "mine").await?;
    assert_ne!(before.sha256, after.sha256);
    assert_eq!((after.state, after.copy), (BaseState::Ready, BaseCopy::None));

    std::fs::write(&path, tensors("a LoRA", 10))?;
    bench.orchestrator.check_base_again("mine").await?;
    bench.pass().await?;
    let broken = shown(&bench, "mine").await?;
    assert_eq!(broken.state, BaseState::Failed);
    assert!(!is_offered(&bench, "mine").await?);
    let refusal = plan(&bench, "mine", "local").await.unwrap_err();
    assert!(refusal.contains("expected a single-file SDXL"), "{refusal}");
    Ok(())
}

#[tokio::test]
async fn of_an_address_with_a_hash_only_the_header_is_read() -> anyhow::Result<()> {
    let hub = Hub::start().await?;
    let bench = bench(&hub).await?;
    let content = tensors("sdxl", 2_000_000);
    hub.put("a/b", "x.safetensors", content.clone());
    let url = format!("{}/cdn/a/b/x.safetensors", hub.url);
    let hash = sha256(&content);

    let base = checked(&bench, "known", &format!("{url}#sha256={hash}")).await?;
    assert_eq!((base.state, base.is_fetchable), (BaseState::Ready, true));
    assert_eq!(base.size_bytes, Some(content.len() as u64));
    let ranges: Vec<_> = hub.take_asked().into_iter().map(|asked| asked.range).collect();
    assert_eq!(ranges[0].as_deref(), Some("bytes=0-7"));
    assert!(ranges.iter().all(Option::is_some), "{ranges:?}");
    plan(&bench, "known", "agent").await.unwrap();

    // Without, all of it is read, however often the connection breaks.
    hub.set_faults(Faults {
        cut_after: Some(700_000),
        ..Faults::default()
    });
    let base = checked(&bench, "unknown", &url).await?;
    assert_eq!((base.state, base.sha256), (BaseState::Ready, Some(hash)));
    let read = hub.take_asked();
    let range = |first: &str| Asked {
        path: "x.safetensors".into(),
        range: Some(format!("bytes={first}-")),
    };
    assert!(read.ends_with(&[range("700000"), range("1400000")]), "{read:?}");
    Ok(())
}

#[tokio::test]
async fn a_repository_is_pinned_to_its_commit_and_jobs_fetch_from_there() -> anyhow::Result<()> {
    let hub = Hub::start().await?;
    let bench = bench(&hub).await?;
    let single = tensors("sdxl", 5000);
    hub.put("owner/single", "deep/one.safetensors", single.clone());
    hub.put("owner/single", "top.safetensors", tensors("sdxl", 10));
    hub.put("owner/single", "README.md", "text");
    let base = checked(&bench, "one", "hf:owner/single@main:deep/one.safetensors").await?;
    assert_eq!(base.state, BaseState::Ready, "{:?}", base.problem);
    assert_eq!(base.sha256.as_deref(), Some(sha256(&single).as_str()));

    for part in ["unet", "vae", "text_encoder", "text_encoder_2"] {
        let stem = if part.starts_with("text") {
            "model"
        } else {
            "diffusion_pytorch_model"
        };
        hub.put("owner/folder", &format!("{part}/config.json"), "{}");
        for ending in ["", ".fp16"] {
            let path = format!("{part}/{stem}{ending}.safetensors");
            hub.put("owner/folder", &path, tensors("sdxl", 100));
        }
    }
    hub.put("owner/folder", "model_index.json", "{}");
    let base = checked(&bench, "several", "hf:owner/folder").await?;
    assert_eq!(base.state, BaseState::Ready, "{:?}", base.problem);
    assert_eq!((base.n_files, base.is_fetchable), (9, true));

    let mut request = bench.request();
    request.base_model = "several".into();
    bench.orchestrator.create_job(bench.owner(), request).await?;
    bench.pass().await?;
    let assignment = bench.agent().await?.claim(WorkKind::Train).await?.expect("work");
    let Work::Train(work) = assignment.work else {
        anyhow::bail!("no training")
    };
    let BaseLocation::Files { files } = &work.base else {
        anyhow::bail!("{:?}", work.base)
    };
    assert_eq!(files.len(), 9);
    for file in files {
        let expected = format!("{}/owner/folder/resolve/{COMMIT}/{}", hub.url, file.path);
        assert_eq!((&file.file.url, file.is_foreign), (&expected, true));
        assert!(!file.path.ends_with("model.safetensors"), "{}", file.path);
        assert_eq!(file.file.sha256.len(), 64);
    }
    Ok(())
}

#[tokio::test]
async fn what_cannot_be_a_base_is_said_with_what_would_be() -> anyhow::Result<()> {
    let hub = Hub::start().await?;
    let bench = bench(&hub).await?;
    let text = tensors("a Flux model", 10);
    hub.put("a/b", "page.safetensors", "<!DOCTYPE html><html>sign in</html>");
    hub.put("a/b", "flux.safetensors", text);
    hub.put("c/d", "README.md", "text");
    let url = |path: &str| format!("{}/cdn/{path}", hub.url);
    let cases = [
        (
            "gone",
            std::env::temp_dir()
                .join("nowhere/x.safetensors")
                .display()
                .to_string(),
            "nowhere/x.safetensors",
        ),
        ("page", url("a/b/page.safetensors"), "not a safetensors file"),
        ("flux", url("a/b/flux.safetensors"), "expected a single-file SDXL"),
        ("none", url("a/b/none.safetensors"), "404"),
        (
            "several",
            "hf:a/b".to_owned(),
            "flux.safetensors, page.safetensors",
        ),
        ("empty", "hf:c/d".to_owned(), "no safetensors file at its top"),
        ("lost", "hf:no/body".to_owned(), "no `no/body`"),
        (
            "branch",
            "hf:a/b@dev".to_owned(),
            "no branch, tag or commit `dev`",
        ),
        (
            "file",
            "hf:a/b:x.safetensors".to_owned(),
            "no file `x.safetensors`",
        ),
    ];
    for (name, source, said) in cases {
        let base = checked(&bench, name, &source).await?;
        let problem = base.problem.unwrap_or_default();
        assert_eq!(base.state, BaseState::Failed, "{name}");
        assert!(problem.contains(said), "{name}: {problem}");
    }
    for (name, source, field) in [
        ("tiny-xl", "/x", "name"),
        ("a b", "/x", "name"),
        ("flux", "hf:c/d", "name"),
        ("x", "relative/x", "source"),
        ("x", "/etc/passwd", "source"),
        ("x", "hf:nobody", "source"),
        ("x", "ftp://a/b", "source"),
    ] {
        let refused = register(&bench, name, source).await;
        let Err(ServiceError::Invalid(fields)) = refused else {
            anyhow::bail!("{name} {source}: {refused:?}");
        };
        assert_eq!(fields.0[0].field, field, "{name} {source}");
    }
    // Mended, and looked at again.
    hub.put("c/d", "it.safetensors", tensors("sdxl", 10));
    bench.orchestrator.check_base_again("empty").await?;
    bench.pass().await?;
    assert_eq!(shown(&bench, "empty").await?.state, BaseState::Ready);
    bench.orchestrator.remove_base("empty").await?;
    assert!(!is_offered(&bench, "empty").await?);
    Ok(())
}

#[tokio::test]
async fn a_base_that_a_job_needs_stays() -> anyhow::Result<()> {
    let hub = Hub::start().await?;
    let bench = bench(&hub).await?;
    hub.put("c/d", "it.safetensors", tensors("sdxl", 10));
    checked(&bench, "it", "hf:c/d").await?;
    let mut request = bench.request();
    request.base_model = "it".into();
    let job = bench.orchestrator.create_job(bench.owner(), request).await?;
    let refused = bench.orchestrator.remove_base("it").await.unwrap_err();
    assert!(refused.to_string().contains("cancel it first"), "{refused}");
    bench.orchestrator.cancel_job(bench.owner(), job.id).await?;
    bench.pass().await?;
    assert_eq!(bench.phase(job.id).await?, Phase::Cancelled);
    bench.orchestrator.remove_base("it").await?;
    Ok(())
}

#[tokio::test]
async fn only_who_has_the_token_reads_a_closed_repository() -> anyhow::Result<()> {
    let hub = Hub::start().await?;
    hub.put("c/d", "it.safetensors", tensors("sdxl", 10));
    hub.set_faults(Faults {
        token: Some("secret".into()),
        ..Faults::default()
    });
    let open = bench(&hub).await?;
    let base = checked(&open, "it", "hf:c/d").await?;
    let problem = base.problem.unwrap_or_default();
    assert!(problem.contains("HF_TOKEN"), "{problem}");

    let endpoint = hub.url.clone();
    let trusted = Bench::with(|options| {
        options.inspect_base = Some(inspect);
        options.hub = HubOptions {
            endpoint,
            token: Some("secret".into()),
        };
    })
    .await?;
    let base = checked(&trusted, "it", "hf:c/d").await?;
    assert_eq!(base.state, BaseState::Ready, "{:?}", base.problem);
    // Its machines need not have the token when the file is copied.
    trusted.orchestrator.copy_base("it").await?;
    trusted.pass().await?;
    assert_eq!(shown(&trusted, "it").await?.copy, BaseCopy::Stored);
    Ok(())
}

#[tokio::test]
async fn a_copy_is_kept_for_as_long_as_its_base() -> anyhow::Result<()> {
    let hub = Hub::start().await?;
    let bench = bench(&hub).await?;
    let content = tensors("sdxl", 100);
    hub.put("c/d", "it.safetensors", content.clone());
    checked(&bench, "it", "hf:c/d").await?;
    bench.orchestrator.copy_base("it").await?;
    bench.pass().await?;
    let key = BlobKey::from_sha256(&sha256(&content))?;
    let objects = bench.store().objects();
    bench.collect(Pass::Delete, TimeDelta::hours(25)).await?;
    assert!(objects.exists(&key).await?);
    bench.orchestrator.remove_base("it").await?;
    bench.collect(Pass::Delete, TimeDelta::hours(25)).await?;
    assert!(!objects.exists(&key).await?);
    Ok(())
}
