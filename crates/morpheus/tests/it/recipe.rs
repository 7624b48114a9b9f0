//! Settings of other trainers, in and out.

use std::fs;

use serde_json::Value;

use crate::support::{fail, path, run, succeed};

const SD_SCRIPTS: &str = "accelerate launch sdxl_train_network.py --pretrained_model_name_or_path /m/noobai.safetensors \
    --output_name zora --network_dim 8 --network_alpha 4 --learning_rate 3e-4 --network_train_unet_only \
    --max_train_steps 500 --resolution 1024 --optimizer_type Prodigy --frobnicate 7\n";

#[test]
fn settings_of_sd_scripts_become_a_recipe_and_go_out_again() {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("train.sh");
    fs::write(&script, SD_SCRIPTS).unwrap();
    let recipe = folder.path().join("recipe.toml");
    let output = run(["recipe", "import", path(&script), "--output", path(&recipe)]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(
        said.contains("left out: `frobnicate` = 7 has no counterpart"),
        "{said}"
    );
    let written: toml::Table = fs::read_to_string(&recipe).unwrap().parse().unwrap();
    assert_eq!(written["family"].as_str(), Some("noobai"));
    let parameters = &written["parameters"];
    assert_eq!(parameters["optimizer"].as_str(), Some("prodigy"));
    assert_eq!(parameters["rank"].as_integer(), Some(8));
    // The preset's text encoders are trained, these are not.
    assert_eq!(parameters["text_encoder_1_learning_rate"].as_float(), Some(0.0));

    for format in [
        "sd-scripts",
        "sd-scripts-arguments",
        "kohya-ss",
        "onetrainer",
        "ai-toolkit",
    ] {
        let text = succeed(["recipe", "export", path(&recipe), "--as", format]);
        let file = folder.path().join(format);
        fs::write(&file, text).unwrap();
        let back: Value =
            serde_json::from_str(&succeed(["recipe", "import", path(&file), "--json"])).unwrap();
        assert_eq!(back["format"], format);
        assert_eq!(back["parameters"]["rank"], 8, "{format}");
        assert_eq!(back["parameters"]["optimizer"], "prodigy", "{format}");
    }
    let wrong = fail(["recipe", "export", path(&recipe), "--as", "word"]);
    assert!(wrong.contains("must be one of sd-scripts"), "{wrong}");
}

#[test]
fn what_is_no_settings_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("notes.txt");
    fs::write(&file, "hello there").unwrap();
    let err = fail(["recipe", "import", path(&file)]);
    assert!(
        err.contains("notes.txt` is neither TOML nor arguments of sd-scripts"),
        "{err}"
    );
}
