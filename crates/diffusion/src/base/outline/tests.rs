//! An outline says the same as the model that is loaded, in the names of diffusers.

use super::*;

#[test]
fn the_built_in_model_is_outlined_as_it_is_loaded() {
    let folder = tempfile::tempdir().unwrap();
    let options = BaseOptions::default();
    let outline = Outline::open_with("tiny-xl", &options, folder.path()).unwrap();
    let loaded = BaseModel::built_in("tiny-xl").unwrap();
    assert_eq!(outline.info.name, loaded.info.name);
    assert_eq!(outline.info.path, None);
    assert_eq!(outline.hashes(), loaded.hashes());
    assert_eq!(outline.facts().scheduler, loaded.scheduler);
    assert_eq!(outline.layers().by_key(), loaded.layers());
}

#[test]
fn parts_have_the_sizes_and_names_of_their_own_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let outline = Outline::open_with("tiny-xl", &BaseOptions::default(), folder.path()).unwrap();
    for part in outline.parts() {
        let file = folder.path().join("tiny-xl").join(part.name).join("config.json");
        let written: serde_json::Map<String, Value> =
            serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
        for (name, value) in part.config.as_object().unwrap() {
            // One depth is meant for a level without attention; a tile is no part of the model; only the second text
            // encoder has a projection.
            let is_our_own = matches!(
                name.as_str(),
                "transformer_layers_per_block" | "sample_size" | "projection_dim"
            );
            assert!(
                is_our_own || written.get(name) == Some(value),
                "{}: {name} is {value}",
                part.name
            );
        }
        // The files are diffusers' own, so that each tensor has the name that it has there.
        for (name, _, key, _) in &part.weights {
            assert_eq!(name, key, "{}", part.name);
        }
        assert!(!part.weights.is_empty(), "{}", part.name);
    }
}

#[test]
fn layers_have_the_names_of_diffusers() {
    let folder = tempfile::tempdir().unwrap();
    let outline = Outline::open_with("tiny-xl", &BaseOptions::default(), folder.path()).unwrap();
    let place = |key: &str| outline.place(key, "weight");
    assert_eq!(
        place("lora_unet_input_blocks_4_1_proj_in"),
        Some(("unet", "down_blocks.1.attentions.0.proj_in.weight".to_owned()))
    );
    assert_eq!(
        place("lora_te2_text_model_encoder_layers_0_mlp_fc1"),
        Some((
            "text_encoder_2",
            "text_model.encoder.layers.0.mlp.fc1.weight".to_owned()
        ))
    );
    assert_eq!(place("lora_unet_nothing"), None);
}
