use diffusion::{cpu::Cpu, layers::LoraTarget, random::Random};
use protocol::{
    DatasetVersionId, ItemId,
    dataset::{Manifest, ManifestItem, Split},
    preset::BaseClass,
    recipe::{Recipe, RecipeRequest},
};

use super::*;
use crate::{
    network::Gradients,
    optimizers::{AdamWConfig, Rates},
};

const ADAMW: OptimizerConfig = OptimizerConfig::AdamW(AdamWConfig::DEFAULT);

fn recipe(change: impl FnOnce(&mut RecipeRequest)) -> Recipe {
    let mut request = RecipeRequest {
        name: "zora".into(),
        base_model: "tiny-xl".into(),
        ..RecipeRequest::default()
    };
    change(&mut request);
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
        showing: protocol::dataset::Showing::default(),
    };
    Manifest {
        id: DatasetVersionId::new(),
        items: vec![item],
    }
}

fn training_of(recipe: &Recipe) -> Training {
    Training::of(recipe, &manifest("zora"), "tiny-xl".to_owned())
}

fn training() -> Training {
    training_of(&recipe(|_| ()))
}

fn network() -> LoraNetwork {
    let target = LoraTarget::linear("lora_unet_a", 3, 5);
    LoraNetwork::new(
        vec![target],
        2.try_into().unwrap(),
        2.0,
        &mut Random::from_seed(1),
    )
}

/// A network after a few steps along arbitrary gradients.
fn trained(optimizer: &mut dyn Optimizer<Cpu>, network: &mut LoraNetwork, n_steps: u32) {
    for _ in 0..n_steps {
        let mut gradients = Gradients::zeros(network).unwrap();
        for (index, value) in gradients.values_mut().iter_mut().enumerate() {
            *value = (index as f32).sin();
        }
        optimizer.step(network, &gradients, Rates::same(1e-3)).unwrap();
    }
}

fn checkpoint() -> Checkpoint {
    let mut network = network();
    let mut optimizer = ADAMW.start(&network).unwrap();
    trained(optimizer.as_mut(), &mut network, 3);
    let progress = Progress {
        step: 17,
        recent_losses: vec![0.1, 1.0 / 3.0],
    };
    Checkpoint::new(
        training().origin().clone(),
        progress,
        &network,
        None,
        optimizer.as_ref(),
    )
    .unwrap()
}

#[test]
fn comes_back_bit_for_bit() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("checkpoint.safetensors");
    let saved = checkpoint();
    saved.save(&path).unwrap();
    let loaded = Checkpoint::load(&path, &training()).unwrap();
    assert_eq!(
        (&loaded.origin, &loaded.progress),
        (&saved.origin, &saved.progress)
    );

    goes_on(&loaded);
}

/// Two more steps from a checkpoint of three are bit for bit five steps.
#[track_caller]
fn goes_on(checkpoint: &Checkpoint) {
    let mut resumed = network();
    resumed.values_mut().fill(0.0);
    let mut resumed_optimizer = checkpoint.restore(&mut resumed, ADAMW).unwrap();
    trained(resumed_optimizer.as_mut(), &mut resumed, 2);
    let mut whole = network();
    let mut optimizer = ADAMW.start(&whole).unwrap();
    trained(optimizer.as_mut(), &mut whole, 5);
    assert_eq!(resumed.values(), whole.values());
}

#[track_caller]
fn refused(path: &Path, training: &Training, words: &str) {
    let err = Checkpoint::load(path, training).unwrap_err().to_string();
    assert!(err.contains(words), "{err}");
}

#[test]
fn another_training_is_refused_with_every_field() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("checkpoint.safetensors");
    checkpoint().save(&path).unwrap();
    let other = recipe(|request| {
        request.overrides.learning_rate = Some(0.5);
        request.overrides.seed = Some(43);
    });
    let other = Training::of(&other, &manifest("angry"), "tiny-xl".into());
    refused(
        &path,
        &other,
        "was made by another training: `parameters.learning_rate` was 0.001 and is 0.5 now, `parameters.seed` was 42 \
         and is 43 now, `dataset` was ",
    );
    let other = Training::of(&recipe(|_| ()), &manifest("zora"), "sdxl".into());
    let err = Checkpoint::load(&path, &other).unwrap_err();
    assert!(!err.is_of_this_file(), "no older one has another base model");
    assert!(
        err.to_string()
            .contains("`base_model` was tiny-xl and is sdxl now"),
        "{err}"
    );
    let shorter = recipe(|request| request.overrides.n_steps = Some(16));
    refused(
        &path,
        &training_of(&shorter),
        "has 17 steps done, and `parameters.n_steps` is 16",
    );
}

#[test]
fn what_does_not_change_the_weights_is_free() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("checkpoint.safetensors");
    checkpoint().save(&path).unwrap();
    // Ids differ from freeze to freeze; what counts is the content.
    let free = recipe(|request| {
        request.overrides.checkpoint_every_n_steps = Some(3);
        request.overrides.sample_every_n_steps = Some(0);
        request.sample_prompts = vec!["zora waves".into()];
        request.name = "another name".into();
    });
    let loaded = Checkpoint::load(&path, &training_of(&free)).unwrap();
    assert_eq!(training_of(&free).new_schedule(&loaded.origin, 17), None);
    let longer = training_of(&recipe(|request| request.overrides.n_steps = Some(930)));
    Checkpoint::load(&path, &longer).unwrap();
    let said = longer.new_schedule(&loaded.origin, 17).unwrap();
    assert!(
        said.contains(
            "`parameters.n_steps` was 465 and is 930 now; the learning rate is 9.992e-4 at the next step"
        ),
        "{said}"
    );
}

/// Written by the version before hyperparameters had definitions, by the function `checkpoint` above as it was then:
/// it holds a hash of the whole recipe.
#[test]
fn a_checkpoint_of_version_1_is_gone_on_from() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("version-1.safetensors");
    std::fs::write(&path, include_bytes!("fixtures/version-1.safetensors")).unwrap();
    let loaded = Checkpoint::load(&path, &training()).unwrap();
    assert_eq!(loaded.progress, checkpoint().progress);
    goes_on(&loaded);
    let other = recipe(|request| request.overrides.seed = Some(43));
    refused(
        &path,
        &training_of(&other),
        "was made by another training: `recipe` was ",
    );
}

#[test]
fn what_is_no_checkpoint_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.safetensors");
    let training = training();
    std::fs::write(&path, b"not a file of tensors").unwrap();
    let err = Checkpoint::load(&path, &training).unwrap_err();
    assert!(matches!(err, CheckpointError::NotACheckpoint { .. }), "{err}");
    write_atomically(&path, |out| {
        TensorFile::new(&[], Precision::F32).write(&BTreeMap::new(), out)
    })
    .unwrap();
    let err = Checkpoint::load(&path, &training).unwrap_err().to_string();
    assert!(
        err.contains("it has no `morpheus.checkpoint` in its metadata"),
        "{err}"
    );
    let whole = {
        checkpoint().save(&path).unwrap();
        std::fs::read(&path).unwrap()
    };
    std::fs::write(&path, &whole[..whole.len() - 9]).unwrap();
    let err = Checkpoint::load(&path, &training).unwrap_err();
    assert!(matches!(err, CheckpointError::NotACheckpoint { .. }), "{err}");
}

#[test]
fn the_state_of_another_optimizer_is_refused() {
    let foreign = Checkpoint {
        optimizer: "lion".to_owned(),
        ..checkpoint()
    };
    let err = foreign.restore(&mut network(), ADAMW).err().unwrap();
    assert_eq!(
        err.to_string(),
        "the saved state is of the optimizer `lion`, this training uses `adamw`: choose `lion`"
    );
}
