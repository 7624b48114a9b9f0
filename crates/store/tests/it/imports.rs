//! Model versions that no job trained.

use std::collections::{BTreeMap, BTreeSet};

use protocol::{
    imported::{Imported, LeftOut},
    lora::{KindCount, LoraFormat, LoraKind},
    model::Stage,
    preset::BaseClass,
};
use store::{
    BlobKey, Store, dependents,
    models::{self, NewImport, VersionFile},
    references,
};

use crate::fixture::{TestStore, metadata};

pub(crate) fn imported() -> Imported {
    Imported {
        made: None,
        format: LoraFormat::Diffusers,
        kinds: vec![KindCount {
            kind: LoraKind::Lora,
            n_modules: 68,
        }],
        n_modules: 68,
        rank_min: Some(4),
        rank_max: Some(16),
        left_out: vec![LeftOut {
            reason: "not known".to_owned(),
            n: 124,
            examples: vec!["unet.weird.0".to_owned()],
            needs_consent: true,
        }],
        allow_partial: true,
        base_class: BaseClass::Tiny,
        trained_on: None,
        trigger_words: vec!["zora".to_owned(), "ink".to_owned()],
        source: Some("https://example.com/zora".to_owned()),
        license: Some("CC0".to_owned()),
    }
}

pub(crate) fn file(seed: u8) -> VersionFile {
    let sha256 = hex::encode([seed; 32]);
    VersionFile {
        file_name: "zora.safetensors".to_owned(),
        key: BlobKey::from_sha256(&sha256).unwrap(),
        sha256,
        size_bytes: 5,
        allow_partial: true,
    }
}

/// Imports a file into the model `zora`.
pub(crate) async fn import(store: &Store, seed: u8) -> anyhow::Result<(protocol::ModelVersionId, bool)> {
    let (metadata, imported, file): (BTreeMap<_, _>, _, _) = (metadata(), imported(), file(seed));
    let new = NewImport {
        owner: store.default_owner(),
        name: "zora",
        base_model: "tiny-xl",
        file: &file,
        metadata: &metadata,
        imported: &imported,
    };
    let tx = store.begin().await?;
    let made = models::create_imported(&tx, new).await?;
    tx.commit().await?;
    Ok(made)
}

pub(crate) async fn are_versions_without_a_job(test: TestStore) -> anyhow::Result<()> {
    let (store, owner) = (&test.store, test.owner());
    let (id, is_new) = import(store, 7).await?;
    assert!(is_new);
    let version = models::version(store, owner, id).await?;
    assert_eq!((version.version, version.stage), (1, Stage::Draft));
    assert_eq!(version.imported, Some(imported()));
    assert_eq!(version.trigger_word.as_deref(), Some("zora"));
    assert_eq!((version.job_id, version.n_steps), (None, None));
    assert_eq!((version.dataset_version_id, version.verdict), (None, None));
    assert_eq!(models::file(store, owner, id).await?, file(7));

    assert_eq!(
        import(store, 7).await?,
        (id, false),
        "a model has one version of a file"
    );
    let (second, _) = import(store, 8).await?;
    assert_eq!(models::version(store, owner, second).await?.version, 2);
    let tx = store.begin().await?;
    models::set_stage(&tx, owner, id, Stage::Retired).await?;
    models::set_stage(&tx, owner, second, Stage::Approved).await?;
    tx.commit().await?;
    let (third, is_new) = import(store, 7).await?;
    assert!(is_new, "the other one is retired");
    assert_eq!(models::version(store, owner, third).await?.version, 3);

    let rows = test
        .sql("SELECT coalesce(rank || '', 'none'), coalesce(lr_schedule, 'none') FROM model_versions WHERE version = 1")
        .await?;
    assert_eq!(rows, [["none", "none"]], "nobody knows how it was trained");
    for broken in ["imported = NULL", "verdict_passed = NOT verdict_passed"] {
        let sql = format!("UPDATE model_versions SET {broken} WHERE version = 1");
        assert!(test.execute(&sql).await.is_err(), "{broken}");
    }
    Ok(())
}

/// The collector keeps the file, and whoever asks what hangs on it hears of the version.
pub(crate) async fn keep_their_files(test: TestStore) -> anyhow::Result<()> {
    let store = &test.store;
    import(store, 7).await?;
    let key = file(7).key;
    let referred = references::referred(store, std::slice::from_ref(&key), &BTreeSet::new()).await?;
    assert!(referred.contains(&key));
    let keys = dependents::all_keys(store).await?;
    assert!(keys.contains(&key));
    let explained = dependents::of(store, &keys).await?;
    let said: Vec<String> = explained[&key].iter().map(ToString::to_string).collect();
    assert_eq!(said, ["the LoRA file of version 1 of the model `zora`"]);
    Ok(())
}
