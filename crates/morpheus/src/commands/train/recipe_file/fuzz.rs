//! Damaged recipes of `morpheus train`.

use protocol::{preset::BaseClass, recipe::Recipe};

use super::RecipeFile;

const FULL: &str = r#"
base_model = "tiny-xl"
name = "zora"
trigger_word = "zora"
preset = "character"
engine = "native"
dataset = "pictures"
held_out = "pictures"
sample_prompts = ["zora, smiling", { prompt = "zora,\nat noon", negative_prompt = "blurry", seed = 7, width = 64, n_steps = 5 }]

[parameters]
rank = 8
alpha = 4.5
n_steps = 100
learning_rate = 0.0001
lr_schedule = "cosine"
resolution = 128
min_snr_gamma = 5
caption_dropout = 0.1
seed = 7
"#;

#[test]
fn fuzz_recipes() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("pictures")).unwrap();
    let path = folder.path().join("recipe.toml");
    let read = |input: &[u8]| {
        std::fs::write(&path, input).unwrap();
        RecipeFile::read(&path)
    };
    let captions = || vec!["zora".to_owned()];
    read(FULL.as_bytes())
        .unwrap()
        .resolve(BaseClass::Tiny, captions(), &[])
        .unwrap();
    let short = b"base_model = 'models/sdxl.safetensors'\nname = 'x'\ndataset = 'pictures'\n";
    sim::fuzz::run("recipes", &[FULL.as_bytes().to_vec(), short.to_vec()], |input| {
        let file = match read(input) {
            Ok(file) => file,
            Err(err) => {
                let said = format!("{err:#}");
                assert!(said.contains("recipe.toml"), "it names the file: {said}");
                return;
            }
        };
        assert!(file.dataset.exists());
        for class in [BaseClass::Tiny, BaseClass::Sdxl] {
            match file.clone().resolve(class, captions(), &[]) {
                Ok(recipe) => {
                    let written = serde_json::to_vec(&recipe).unwrap();
                    let again = serde_json::from_slice::<Recipe>(&written);
                    assert!(again.is_ok(), "a valid recipe stays valid: {again:?}");
                }
                Err(err) => assert!(!format!("{err:#}").is_empty()),
            }
        }
    });
}
