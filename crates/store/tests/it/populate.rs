//! One row, or some, of every table.

use protocol::{
    MicroUsd, OwnerId,
    agent::{ArtifactKind, NewArtifact},
    audit::AuditAction,
    base::{Measured, Prediction},
    caption_edit::CaptionOperation,
    damage::Damage,
    dataset::Split,
    drawing::CreateDrawingSession,
    event::Event,
    finding::{FindingCode, Measures},
    library::{HowToUse, Labeled, UpdateLabel},
    machine::{DeviceKind, LoraKind, Machine, Protocol},
    notice::NoticeKind,
    parameters::ParameterOverrides,
    phase::Outcome,
    preset::{Family, Preset},
    recipe::Engine,
    spend::{CloudTier, RentalWish},
    trash::TrashKind,
};
use store::{
    BlobKey, Store, artifacts, attempts,
    audit::{self, Actor},
    bases::{self, NewBase, Said},
    caption_endpoints, damage,
    datasets::{self, AddedItem, CaptionChange, NewItem},
    drawing, edits, generations, idempotency,
    jobs::{self, NewJob},
    labels, metrics,
    models::{self, NewVersion},
    own_presets, pool,
    spend::{self, NewInstance, Payer},
    tokens::{self, NewToken},
    trash, webhooks,
};

use crate::{
    captioning,
    fixture::{edit, generation, judgement, manifest, metadata, open_attempt, recipe, step, verdict},
    outbox,
};

/// Steps of the job, more than one page of an export.
pub(crate) const N_STEPS: u32 = 2500;

/// Something in every table, for one owner; `seed` makes different pictures of it.
pub(crate) async fn populate(store: &Store, owner: OwnerId, seed: u8) -> anyhow::Result<()> {
    populate_with(store, owner, seed, &hex::encode([seed; 32])).await
}

/// The same with a picture and a file that have this hash.
pub(crate) async fn populate_with(
    store: &Store,
    owner: OwnerId,
    seed: u8,
    sha256: &str,
) -> anyhow::Result<()> {
    let tx = store.begin().await?;
    let dataset = datasets::create(&tx, owner, "zora, \"the\" öther\\one").await?.id;
    let picture = NewItem {
        file_name: "1.png".to_owned(),
        caption: "line one\nline two\t'quoted' 漫画".to_owned(),
        split: Split::Train,
        showing: protocol::dataset::Showing::default(),
        width: 128,
        height: 96,
        size_bytes: 1234,
        sha256: sha256.to_owned(),
        notes: vec!["a note".to_owned()],
    };
    let caption = picture.caption.clone();
    let added = datasets::add_item(&tx, owner, dataset, picture).await?;
    let AddedItem::Added(item) = added else {
        anyhow::bail!("the picture is new in its dataset");
    };
    let measures = Measures {
        sharpness: Some(500),
        darkest: 1,
        brightest: 254,
        frame: [0; 4],
        signs: u64::MAX,
        strong: u64::MAX - 1,
        page: Some(true),
    };
    datasets::set_measures(&tx, dataset, item.id, &measures).await?;
    let panel = protocol::dataset::PanelOf {
        page_id: protocol::ItemId::new(),
        number: 2,
    };
    datasets::set_panel(&tx, item.id, panel, "of the page").await?;
    datasets::acknowledge(
        &tx,
        owner,
        dataset,
        FindingCode::Blurred,
        &hex::encode([seed; 32]),
    )
    .await?;
    let operation = CaptionOperation::AddFirst {
        text: "öther \"zora\"".to_owned(),
    };
    let change = CaptionChange {
        item: item.id,
        before: "漫画\nother".to_owned(),
        after: caption,
    };
    datasets::keep_caption_edit(&tx, owner, dataset, &operation, &[change]).await?;
    let endpoint = captioning::endpoint(&format!("describes-{seed}"));
    let endpoint = caption_endpoints::create(&tx, owner, endpoint).await?;
    let run = captioning::run(endpoint, &[item.id]);
    datasets::create_caption_run(&tx, owner, dataset, run).await?;
    let mut frozen = manifest(seed);
    frozen.items[0].sha256 = sha256.to_owned();
    let version = datasets::freeze(&tx, dataset, frozen).await?;
    let job = NewJob {
        owner,
        dataset_id: dataset,
        dataset_version_id: version.id,
        recipe: recipe()?,
        provider: "local".to_owned(),
        priority: 0,
        project: Some("Zora's book".to_owned()),
        note: Some("more steps".to_owned()),
        rental: Some(RentalWish::default()),
        limit: Some(MicroUsd(50_000_000)),
    };
    let job = jobs::insert(&tx, job).await?;
    let attempt = open_attempt(&tx, job, 1, &NewToken::random()).await?;
    let state = jobs::state(&tx, job).await?;
    let now = store::now();
    let new = NewInstance {
        payer: Payer::Job(job),
        owner: state.owner,
        project: state.project.as_deref(),
        attempt: attempt.id,
        provider: "somebody",
        name: format!("mph-{seed}"),
        gpu: "NVIDIA GeForce RTX 4090",
        n_gpus: 1,
        cloud: CloudTier::Secure,
        data_center: None,
        rate: MicroUsd(690_000),
        rate_cap: MicroUsd(759_000),
        reserved: MicroUsd(1_000_000),
        ordered_at: now,
        deadline_at: now,
    };
    let instance = spend::open(&tx, new).await?;
    anyhow::ensure!(instance.is_ok(), "{instance:?}");
    // Numbers that need all their digits.
    let steps: Vec<Event> = (1..=N_STEPS)
        .map(|n| Event::Step(step(n, (f64::from(n) + 0.1).ln() / 3.0)))
        .collect();
    metrics::record(&tx, job, steps.iter().map(|event| (store::now(), event))).await?;
    let announced = NewArtifact {
        fence: 0,
        kind: ArtifactKind::Lora { step: 100 },
        file_name: "Zora.safetensors".to_owned(),
        size_bytes: 5,
        sha256: sha256.to_owned(),
    };
    let file = artifacts::announce(&tx, owner, &attempt, &announced).await?;
    artifacts::mark_stored(&tx, file.id).await?;
    let announced = NewArtifact {
        kind: ArtifactKind::Checkpoint { step: 100 },
        ..announced
    };
    let checkpoint = artifacts::announce(&tx, owner, &attempt, &announced).await?;
    artifacts::mark_stored(&tx, checkpoint.id).await?;
    assert!(artifacts::judge_checkpoint(&tx, job, 100, &judgement()).await?);
    let job = jobs::state(&tx, job).await?;
    let new = NewVersion {
        job: &job,
        file: &file,
        n_steps: 100,
        verdict: &verdict(true),
        metadata: &metadata(),
        before: None,
        after: Some(file.id),
        judgement: Some(&judgement()),
    };
    let version = models::create_version(&tx, new).await?;
    let usage = HowToUse {
        weight: Some(0.8),
        prompt: "zora, \"the\" city".to_owned(),
        ..HowToUse::default()
    };
    models::set_usage(&tx, owner, version, &usage).await?;
    let model = models::version(&tx, owner, version).await?.model_id;
    models::choose(&tx, owner, model, Some(version), Some(file.id)).await?;
    let label = UpdateLabel {
        starred: Some(true),
        tags: Some(vec!["öther".to_owned()]),
        note: Some("for \\ the cover".to_owned()),
    };
    labels::update(&tx, owner, Labeled::Model, model.0, &label).await?;
    attempts::end(&tx, &attempt, Outcome::Completed, None).await?;
    generations::create(&tx, owner, &generation()).await?;
    let deleted = generations::create(&tx, owner, &generation()).await?;
    generations::abandon(&tx, deleted, "not that one").await?;
    trash::hide(&tx, owner, TrashKind::Generation, deleted.0).await?;
    let session = CreateDrawingSession {
        name: "Zora's covers".to_owned(),
        provider: "somebody".to_owned(),
        limit_micro_usd: MicroUsd(5_000_000),
        idle_minutes: 10,
        rental: RentalWish::default(),
    };
    let session = drawing::create(&tx, owner, &session).await?;
    let mut drawn_there = generation();
    drawn_there.drawing_session_id = Some(session);
    generations::create(&tx, owner, &drawn_there).await?;
    let (request, plan) = edit();
    edits::create(&tx, owner, &request, &plan).await?;
    let demo = tokens::create_user(&tx, owner, "demo", None).await?;
    let end = store::now() + chrono::TimeDelta::days(1);
    let browser = tokens::Browser {
        address: Some("192.0.2.7".to_owned()),
        user_agent: Some("Firefox on Linux".to_owned()),
    };
    let session = tokens::sign_in(&tx, &demo.secret, end, browser).await?;
    let actor = Actor {
        owner: Some(owner),
        token: session.ok().map(|session| session.id),
        address: Some("192.0.2.7".to_owned()),
        ..Actor::named("browser session (demo)")
    };
    let recording = audit::record(&tx, AuditAction::VersionApproved, "Zora", "with a word");
    audit::acting(actor, recording).await?;
    let machines = tokens::create_pool(&tx, owner, "workshop").await?;
    let machine = Machine {
        name: "attic".to_owned(),
        labels: vec!["quiet".to_owned()],
        gpu: Some("NVIDIA GeForce RTX 3090".to_owned()),
        memory_gb: Some(24),
        engines: vec![Engine::Native, Engine::Kohya],
        devices: vec![DeviceKind::Cpu, DeviceKind::Cuda],
        lora_kinds: vec![LoraKind::Lora],
        has_diffusers: None,
        protocol: Protocol::CURRENT,
    };
    let id = pool::note(&tx, owner, machines.token.id, &machine).await?;
    assert_eq!(pool::note(&tx, owner, machines.token.id, &machine).await?, id);
    let base = NewBase {
        name: format!("sdxl-{seed}"),
        source: "hf:stabilityai/stable-diffusion-xl-base-1.0".parse()?,
        said: Said {
            prediction: Some(Prediction::VZeroSnr),
            vae: Some("hf:owner/vae:sdxl_vae.safetensors".parse()?),
        },
        from_settings: false,
        looked: None,
        files: Vec::new(),
    };
    assert!(bases::insert(&tx, base.clone()).await?);
    assert!(!bases::insert(&tx, base.clone()).await?);
    let measured = Measured {
        method: Measured::METHOD,
        losses: Vec::new(),
        is: Some(Prediction::V),
    };
    let registered = bases::get(&tx, &base.name).await?;
    assert_eq!(registered.said, base.said);
    bases::measured(&tx, registered.id, &measured).await?;
    assert_eq!(bases::get(&tx, &base.name).await?.measured, Some(measured));
    let preset = own_presets::NewPreset {
        name: format!("Zora's own {seed}"),
        preset: Preset::Style,
        family: Family::Pony,
        parameters: ParameterOverrides {
            learning_rate: Some(0.1),
            ..ParameterOverrides::default()
        },
    };
    own_presets::create(&tx, owner, preset).await?;
    let told = outbox::webhook(&format!("told-{seed}"), &[NoticeKind::JobFailed]);
    let told = webhooks::create(&tx, owner, told).await?;
    store::outbox::test_webhook(&tx, owner, told).await?;
    let lost = BlobKey::from_sha256(&hex::encode([!seed; 32]))?;
    damage::mark(&tx, &lost, Damage::Missing).await?;
    let request = idempotency::Request {
        owner,
        key: format!("key-{seed}"),
        route: "POST /api/v1/datasets".to_owned(),
        body_sha256: hex::encode([seed; 32]),
        status: 201,
    };
    let answer = serde_json::json!({"b": "öther", "a": 0.1});
    idempotency::scope(request, tx.commit_with(answer)).await?;
    Ok(())
}
