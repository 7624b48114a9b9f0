//! Presets of users' own, on both databases.

use protocol::{
    OwnerId, PresetId,
    parameters::ParameterOverrides,
    preset::{Family, Preset},
};
use store::{
    StoreError,
    own_presets::{self, NewPreset},
};

use crate::fixture::TestStore;

fn named(name: &str) -> NewPreset {
    NewPreset {
        name: name.to_owned(),
        preset: Preset::Style,
        family: Family::NoobaiV,
        parameters: ParameterOverrides {
            learning_rate: Some(3e-4),
            trained_blocks: Some(vec!["MID".to_owned()]),
            ..ParameterOverrides::default()
        },
    }
}

pub(crate) async fn are_kept_by_name(test: TestStore) -> anyhow::Result<()> {
    let (store, owner) = (&test.store, test.owner());
    let tx = store.begin().await?;
    let id = own_presets::create(&tx, owner, named("b")).await?;
    own_presets::create(&tx, owner, named("a")).await?;
    tx.commit().await?;
    let names = |presets: Vec<protocol::recipe::OwnPreset>| -> Vec<String> {
        presets.into_iter().map(|preset| preset.name).collect()
    };
    assert_eq!(names(own_presets::list(store, owner).await?), ["a", "b"]);
    let kept = own_presets::get(store, owner, id).await?;
    assert_eq!((kept.preset, kept.family), (Preset::Style, Family::NoobaiV));
    assert_eq!(kept.parameters, named("b").parameters);
    assert!(own_presets::has(store, owner, "a").await? && !own_presets::has(store, owner, "c").await?);

    // Nobody else sees or deletes it.
    let stranger = OwnerId::new();
    assert_eq!(
        names(own_presets::list(store, stranger).await?),
        Vec::<String>::new()
    );
    let hidden = own_presets::get(store, stranger, id).await;
    assert!(matches!(hidden, Err(StoreError::NotFound { .. })), "{hidden:?}");
    let tx = store.begin().await?;
    let kept = own_presets::delete(&tx, stranger, id).await;
    assert!(matches!(kept, Err(StoreError::NotFound { .. })), "{kept:?}");
    own_presets::delete(&tx, owner, id).await?;
    let gone = own_presets::delete(&tx, owner, PresetId::new()).await;
    assert!(matches!(gone, Err(StoreError::NotFound { .. })), "{gone:?}");
    tx.commit().await?;
    assert_eq!(own_presets::count(store, owner).await?, 1);
    Ok(())
}

pub(crate) async fn have_a_name_once(test: TestStore) -> anyhow::Result<()> {
    let tx = test.store.begin().await?;
    own_presets::create(&tx, test.owner(), named("a")).await?;
    let twice = own_presets::create(&tx, test.owner(), named("a")).await;
    assert!(twice.is_err(), "{twice:?}");
    Ok(())
}
