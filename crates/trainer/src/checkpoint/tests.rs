use diffusion::{random::Random, unet::LoraTarget};
use protocol::{
    DatasetVersionId, ItemId,
    dataset::{ManifestItem, Split},
    preset::BaseClass,
    recipe::RecipeRequest,
};

use super::*;
use crate::network::Gradients;

fn recipe(name: &str) -> Recipe {
    let request = RecipeRequest {
        name: name.into(),
        base_model: "tiny-xl".into(),
        ..RecipeRequest::default()
    };
    Recipe::resolve(request, BaseClass::Tiny).unwrap()
}

fn manifest(caption: &str) -> Manifest {
    let item = ManifestItem {
        id: ItemId::new(),
        sha256: "ab".repeat(32),
        width: 128,
        height: 128,
        caption: caption.into(),
        split: Split::Train,
    };
    Manifest {
        id: DatasetVersionId::new(),
        items: vec![item],
    }
}

fn origin(name: &str, caption: &str, base: &str) -> Origin {
    Origin::of(&recipe(name), &manifest(caption), base.to_owned())
}

fn network() -> LoraNetwork {
    let target = LoraTarget {
        key: "lora_unet_a".into(),
        n_in: 3,
        n_out: 5,
    };
    LoraNetwork::new(
        vec![target],
        2.try_into().unwrap(),
        2.0,
        &mut Random::from_seed(1),
    )
}

/// A network after a few steps along arbitrary gradients.
fn trained(optimizer: &mut AdamW, network: &mut LoraNetwork, n_steps: u32) {
    for _ in 0..n_steps {
        let mut gradients = Gradients::zeros(network);
        for (index, value) in gradients.values_mut().iter_mut().enumerate() {
            *value = (index as f32).sin();
        }
        optimizer.step(network, &gradients, 1e-3);
    }
}

fn checkpoint() -> Checkpoint {
    let mut network = network();
    let mut optimizer = AdamW::new(&network, AdamWConfig::default());
    trained(&mut optimizer, &mut network, 3);
    let progress = Progress {
        step: 17,
        recent_losses: vec![0.1, 1.0 / 3.0],
    };
    Checkpoint::new(origin("zora", "zora", "tiny-xl"), progress, &network, &optimizer).unwrap()
}

#[test]
fn comes_back_bit_for_bit() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("checkpoint.safetensors");
    let saved = checkpoint();
    saved.save(&path).unwrap();
    let loaded = Checkpoint::load(&path, &saved.origin).unwrap();
    assert_eq!(
        (&loaded.origin, &loaded.progress),
        (&saved.origin, &saved.progress)
    );

    let mut resumed = network();
    resumed.values_mut().fill(0.0);
    let mut resumed_optimizer = loaded.restore(&mut resumed, AdamWConfig::default()).unwrap();
    trained(&mut resumed_optimizer, &mut resumed, 2);
    let mut whole = network();
    let mut optimizer = AdamW::new(&whole, AdamWConfig::default());
    trained(&mut optimizer, &mut whole, 5);
    assert_eq!(resumed.values(), whole.values());
}

#[test]
fn another_training_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("checkpoint.safetensors");
    checkpoint().save(&path).unwrap();
    for (origin, what) in [
        (origin("other", "zora", "tiny-xl"), "another recipe"),
        (origin("zora", "other", "tiny-xl"), "another dataset"),
        (origin("zora", "zora", "other"), "another base model"),
    ] {
        let err = Checkpoint::load(&path, &origin).unwrap_err().to_string();
        assert!(err.contains(what), "{err}");
    }
    // Ids differ from freeze to freeze; what counts is the content.
    Checkpoint::load(&path, &origin("zora", "zora", "tiny-xl")).unwrap();
}

#[test]
fn what_is_no_checkpoint_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.safetensors");
    let origin = checkpoint().origin;
    std::fs::write(&path, b"not a file of tensors").unwrap();
    let err = Checkpoint::load(&path, &origin).unwrap_err();
    assert!(matches!(err, CheckpointError::NotACheckpoint { .. }), "{err}");
    write_atomically(&path, |out| {
        TensorFile::new(&[], Precision::F32).write(&BTreeMap::new(), out)
    })
    .unwrap();
    let err = Checkpoint::load(&path, &origin).unwrap_err().to_string();
    assert!(
        err.contains("it has no `morpheus.checkpoint` in its metadata"),
        "{err}"
    );
    let whole = {
        checkpoint().save(&path).unwrap();
        std::fs::read(&path).unwrap()
    };
    std::fs::write(&path, &whole[..whole.len() - 9]).unwrap();
    let err = Checkpoint::load(&path, &origin).unwrap_err();
    assert!(matches!(err, CheckpointError::NotACheckpoint { .. }), "{err}");
}
