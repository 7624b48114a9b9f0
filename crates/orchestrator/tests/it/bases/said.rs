//! What an owner says about a base model, and what it was measured to do.

use orchestrator::Unmeasured;
use protocol::{
    agent::{AgentEvent, Heartbeat, Report},
    base::{BaseSettings, Measured},
    generation::CreateGeneration,
};

use super::*;

/// How often a base was measured.
fn n_measured(path: &Path) -> usize {
    std::fs::read(path.with_extension("measured")).map_or(0, |marks| marks.len())
}

/// Stands for the real measurement, which `morpheus` brings. It leaves a mark.
fn measure(path: &Path, _: Beside<'_>) -> Result<Measured, Unmeasured> {
    let not_here = |err: std::io::Error| Unmeasured::NotHere(err.to_string());
    let marks = "x".repeat(n_measured(path) + 1);
    std::fs::write(path.with_extension("measured"), marks).map_err(not_here)?;
    let bytes = std::fs::read(path).map_err(not_here)?;
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(100)]).into_owned();
    if text.contains("broken") {
        return Err(Unmeasured::Broken(
            "`unet.weight` holds numbers that are not finite".into(),
        ));
    }
    if text.contains("large") {
        return Err(Unmeasured::NotHere("there is too little memory".into()));
    }
    Ok(Measured {
        method: Measured::METHOD,
        losses: Vec::new(),
        is: Some(Prediction::V),
    })
}

async fn bench(hub: &Hub) -> anyhow::Result<Bench> {
    let endpoint = hub.url.clone();
    Bench::with(|options| {
        options.inspect_base = Some(inspect);
        options.measure_base = Some(measure);
        options.base_folders = vec![std::env::temp_dir()];
        options.hub.endpoint = endpoint;
    })
    .await
}

fn said(prediction: Option<Prediction>, vae: Option<&str>) -> BaseSettings {
    BaseSettings {
        prediction,
        vae: vae.map(str::to_owned),
    }
}

async fn set(bench: &Bench, name: &str, settings: BaseSettings) -> ServiceResult<RegisteredBase> {
    bench.orchestrator.set_base(bench.owner(), name, settings).await
}

#[tokio::test]
async fn a_base_is_measured_once_and_a_contradiction_is_noted_wherever_it_is_offered() -> anyhow::Result<()> {
    let hub = Hub::start().await?;
    let bench = bench(&hub).await?;
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("mine.safetensors");
    std::fs::write(&path, tensors("sdxl", 1000))?;
    let source = path.display().to_string();
    let base = checked(&bench, "mine", &source).await?;
    let note =
        "nothing says what the U-Net predicts, but it behaves like v-prediction; it is taken as epsilon";
    assert_eq!(base.state, BaseState::Ready, "{:?}", base.problem);
    assert_eq!(base.prediction, Some(Prediction::Epsilon));
    assert_eq!(base.notes, [note]);
    let is = base.measured.as_ref().and_then(|measured| measured.is);
    assert_eq!(is, Some(Prediction::V));
    let offered = bench.orchestrator.base_models().await?;
    let offered = offered.iter().find(|model| model.name == "mine").unwrap();
    assert_eq!(offered.notes, [note]);

    // The owner decides. The same weights are not measured again.
    assert_eq!(n_measured(&path), 1);
    let refused = set(&bench, "none", BaseSettings::default()).await.unwrap_err();
    assert_eq!(refused.to_string(), "there is no base model `none`");
    set(&bench, "mine", said(Some(Prediction::V), None)).await?;
    bench.pass().await?;
    let base = shown(&bench, "mine").await?;
    assert_eq!((base.prediction, base.notes.len()), (Some(Prediction::V), 0));
    assert_eq!(base.said_by.as_deref(), Some("the setting"));
    assert_eq!(base.settings, said(Some(Prediction::V), None));
    bench.orchestrator.check_base_again("mine").await?;
    bench.pass().await?;
    assert_eq!(n_measured(&path), 1);

    // Other weights are.
    std::fs::write(&path, tensors("sdxl", 2000))?;
    bench.orchestrator.check_base_again("mine").await?;
    bench.pass().await?;
    assert_eq!(n_measured(&path), 2);
    assert!(shown(&bench, "mine").await?.measured.is_some());
    Ok(())
}

#[tokio::test]
async fn weights_that_are_broken_fail_and_those_that_cannot_be_measured_here_do_not() -> anyhow::Result<()> {
    let hub = Hub::start().await?;
    let bench = bench(&hub).await?;
    let folder = tempfile::tempdir()?;
    for (name, is_usable) in [("sdxl broken", false), ("sdxl large", true)] {
        let path = folder.path().join(format!("{name}.safetensors"));
        std::fs::write(&path, tensors(name, 1000))?;
        let base = checked(&bench, &name.replace(' ', "-"), &path.display().to_string()).await?;
        assert_eq!(base.state == BaseState::Ready, is_usable, "{:?}", base.problem);
        assert_eq!(base.measured, None);
        if !is_usable {
            assert!(base.problem.unwrap_or_default().contains("not finite"));
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_vae_is_looked_at_hashed_copied_and_sent_along() -> anyhow::Result<()> {
    let hub = Hub::start().await?;
    let bench = bench(&hub).await?;
    let folder = tempfile::tempdir()?;
    let (base, vae) = (
        folder.path().join("mine.safetensors"),
        folder.path().join("vae.safetensors"),
    );
    std::fs::write(&base, tensors("sdxl v", 1000))?;
    std::fs::write(&vae, tensors("a vae", 500))?;
    let request = RegisterBase {
        name: "mine".into(),
        source: base.display().to_string(),
        prediction: Some(Prediction::VZeroSnr),
        vae: Some(vae.display().to_string()),
    };
    bench.orchestrator.register_base(bench.owner(), request).await?;
    bench.pass().await?;
    let registered = shown(&bench, "mine").await?;
    assert_eq!(registered.state, BaseState::Ready, "{:?}", registered.problem);
    assert_eq!(registered.n_files, 1);
    let size = |path: &Path| std::fs::metadata(path).map(|meta| meta.len());
    assert_eq!(registered.size_bytes, Some(size(&base)? + size(&vae)?));
    assert_eq!(registered.sha256, Some(sha256(&std::fs::read(&base)?)));

    // A job of this machine gets both paths, and what is said.
    let mut request = bench.request();
    request.base_model = "mine".into();
    bench.orchestrator.create_job(bench.owner(), request).await?;
    bench.pass().await?;
    let assignment = bench.agent().await?.claim(WorkKind::Train).await?.expect("work");
    let Work::Train(work) = assignment.work else {
        anyhow::bail!("no training")
    };
    let at = |path: &Path| path.canonicalize().map(|path| path.display().to_string());
    assert_eq!(work.base, BaseLocation::Path { path: at(&base)? });
    assert_eq!(work.base_known.prediction, Some(Prediction::VZeroSnr));
    assert_eq!(work.base_known.vae, Some(BaseLocation::Path { path: at(&vae)? }));
    assert!(work.base_known.measured.is_some());

    // Other machines wait for both files.
    let refusal = plan(&bench, "mine", "agent").await.unwrap_err();
    assert!(refusal.contains("copy it to the object store"), "{refusal}");
    bench.orchestrator.copy_base("mine").await?;
    bench.pass().await?;
    plan(&bench, "mine", "agent").await.unwrap();
    for path in [&base, &vae] {
        let key = BlobKey::from_sha256(&sha256(&std::fs::read(path)?))?;
        assert!(bench.store().objects().exists(&key).await?, "{}", path.display());
    }

    // Something else is no VAE, and the base fails by its name.
    std::fs::write(&vae, tensors("a LoRA", 500))?;
    bench.orchestrator.check_base_again("mine").await?;
    bench.pass().await?;
    let broken = shown(&bench, "mine").await?;
    let problem = broken.problem.unwrap_or_default();
    assert_eq!(broken.state, BaseState::Failed);
    assert!(
        problem.contains(&vae.display().to_string()) && problem.contains("expected a VAE"),
        "{problem}"
    );
    Ok(())
}

#[tokio::test]
async fn a_vae_may_be_anywhere_else_than_its_base() -> anyhow::Result<()> {
    let hub = Hub::start().await?;
    let bench = bench(&hub).await?;
    hub.put("a/b", "model.safetensors", tensors("sdxl", 100));
    hub.put("c/d", "vaes/one.safetensors", tensors("a vae", 100));
    let request = RegisterBase {
        name: "far".into(),
        source: "hf:a/b".into(),
        prediction: None,
        vae: Some("hf:c/d:vaes/one.safetensors".into()),
    };
    bench.orchestrator.register_base(bench.owner(), request).await?;
    bench.pass().await?;
    let base = shown(&bench, "far").await?;
    assert_eq!((base.state, base.problem), (BaseState::Ready, None));
    assert!(base.is_fetchable);
    plan(&bench, "far", "agent").await.unwrap();

    // Pictures are drawn with it too.
    let request: CreateGeneration =
        serde_json::from_value(serde_json::json!({ "base_model": "far", "prompt": "zora" }))?;
    bench
        .orchestrator
        .create_generation(bench.owner(), request)
        .await?;
    bench.pass().await?;
    Ok(())
}

#[tokio::test]
async fn what_cannot_be_said_is_refused_by_its_field() -> anyhow::Result<()> {
    let hub = Hub::start().await?;
    let bench = bench(&hub).await?;
    hub.put("a/b", "model.safetensors", tensors("sdxl", 100));
    checked(&bench, "far", "hf:a/b").await?;
    for (vae, reason) in [
        ("hf:c/d", "name the file of the VAE"),
        ("/etc/vae.safetensors", "--base-folder"),
        ("ftp://a/b", "not supported"),
    ] {
        let refused = set(&bench, "far", said(None, Some(vae))).await;
        let Err(ServiceError::Invalid(fields)) = refused else {
            anyhow::bail!("{vae}: {refused:?}");
        };
        assert_eq!(fields.0[0].field, "vae");
        assert!(fields.0[0].message.contains(reason), "{vae}: {fields}");
    }
    // What is shown without its secrets stands for what there is.
    let secret = format!("{}/cdn/c/d/vae.safetensors?token=SECRET", hub.url);
    set(&bench, "far", said(None, Some(&secret))).await?;
    let shown_vae = shown(&bench, "far").await?.settings.vae.unwrap_or_default();
    assert!(!shown_vae.contains("SECRET"), "{shown_vae}");
    set(&bench, "far", said(Some(Prediction::Flow), Some(&shown_vae))).await?;
    let kept = store::bases::get(bench.store(), "far").await?.said;
    assert_eq!(kept.prediction, Some(Prediction::Flow));
    assert_eq!(kept.vae.map(|vae| vae.to_string()), Some(secret));
    Ok(())
}

#[tokio::test]
async fn what_the_first_agent_measures_of_a_base_elsewhere_is_kept() -> anyhow::Result<()> {
    let hub = Hub::start().await?;
    let bench = bench(&hub).await?;
    hub.put("a/b", "model.safetensors", tensors("sdxl", 100));
    assert_eq!(checked(&bench, "far", "hf:a/b").await?.measured, None);
    let mut request = bench.request();
    request.base_model = "far".into();
    bench.orchestrator.create_job(bench.owner(), request).await?;
    bench.pass().await?;
    let agent = bench.agent().await?;
    let held = agent.claim_train().await?;
    let measured = Measured {
        method: Measured::METHOD,
        losses: Vec::new(),
        is: Some(Prediction::Flow),
    };
    let report = Report::Measured {
        measured: measured.clone(),
    };
    let event = AgentEvent {
        n: 1,
        at: chrono::Utc::now(),
        report,
    };
    agent.beat(&held, vec![event]).await?;
    let base = shown(&bench, "far").await?;
    assert_eq!(base.measured, Some(measured));
    assert!(
        base.notes[0].contains("but it behaves like rectified flow"),
        "{base:?}"
    );
    Ok(())
}

/// A base that nobody trains on is measured by the first machine that draws with it.
#[tokio::test]
async fn what_is_measured_while_a_picture_is_drawn_is_kept_too() -> anyhow::Result<()> {
    let hub = Hub::start().await?;
    let bench = bench(&hub).await?;
    hub.put("a/b", "model.safetensors", tensors("sdxl", 100));
    assert_eq!(checked(&bench, "far", "hf:a/b").await?.measured, None);
    let request: CreateGeneration =
        serde_json::from_value(serde_json::json!({ "base_model": "far", "prompt": "zora" }))?;
    bench
        .orchestrator
        .create_generation(bench.owner(), request)
        .await?;
    bench
        .wait_passing_until(async || Ok(bench.machines.alive().len() == 1))
        .await?;
    let agent = bench.agent_of(bench.machines.alive()[0].id).await?;
    let Some(assignment) = agent.claim(WorkKind::Generate).await? else {
        anyhow::bail!("nothing to draw");
    };
    let Work::Generate(work) = &assignment.work else {
        anyhow::bail!("no picture: {assignment:?}");
    };
    assert_eq!(work.base_known.measured, None);
    // The first word counts.
    for (n, is) in [(1, Prediction::Flow), (2, Prediction::V)] {
        let measured = Measured {
            method: Measured::METHOD,
            losses: Vec::new(),
            is: Some(is),
        };
        let event = AgentEvent {
            n,
            at: chrono::Utc::now(),
            report: Report::Measured { measured },
        };
        let heartbeat = Heartbeat {
            fence: assignment.fence,
            events: vec![event],
        };
        let reply = bench
            .orchestrator
            .heartbeat(&agent.credential, assignment.attempt_id, heartbeat)
            .await?;
        assert_eq!(reply.acknowledged, n);
        let base = shown(&bench, "far").await?;
        assert_eq!(
            base.measured.and_then(|measured| measured.is),
            Some(Prediction::Flow)
        );
        assert!(
            base.notes[0].contains("but it behaves like rectified flow"),
            "{:?}",
            base.notes
        );
    }
    Ok(())
}
