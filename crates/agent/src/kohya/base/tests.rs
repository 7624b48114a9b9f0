//! Whatever way a folder holds its weights, sd-scripts finds them.

use serde_json::Value;

use super::*;

/// A safetensors file with one number of this name.
fn shard(name: &str) -> Vec<u8> {
    let header = format!(r#"{{"{name}":{{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}}}"#);
    [
        &(header.len() as u64).to_le_bytes()[..],
        header.as_bytes(),
        &[0; 4],
    ]
    .concat()
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn half_precision_and_shards_get_the_names_that_are_looked_for() {
    let folder = tempfile::tempdir().unwrap();
    let (from, to) = (folder.path().join("from"), folder.path().join("to"));
    export_built_in("tiny-xl", &from).unwrap();
    let whole = "diffusion_pytorch_model.safetensors";
    let half = from.join("unet/diffusion_pytorch_model.fp16.safetensors");
    fs::rename(from.join("unet").join(whole), &half).unwrap();
    let text = fs::read(from.join("text_encoder/model.safetensors")).unwrap();
    // In full precision as well: that one is taken, as our engine does.
    fs::write(from.join("text_encoder/model.fp16.safetensors"), "of no use").unwrap();
    fs::remove_file(from.join("vae").join(whole)).unwrap();
    for (at, name) in ["encoder.a", "decoder.b"].into_iter().enumerate() {
        let file = format!("vae/diffusion_pytorch_model-0000{}-of-00002.safetensors", at + 1);
        fs::write(from.join(file), shard(name)).unwrap();
    }

    // What an earlier attempt left is made anew.
    fs::create_dir_all(to.join("unet")).unwrap();
    fs::write(to.join("unet/left.safetensors"), "").unwrap();
    lay_out(&from, &to).unwrap();

    let asked_for = "diffusion_pytorch_model.fp16.safetensors";
    assert_eq!(names(&to.join("unet")), ["config.json", asked_for, whole]);
    let weights = fs::read(half).unwrap();
    for name in [asked_for, whole] {
        assert_eq!(fs::read(to.join("unet").join(name)).unwrap(), weights);
    }
    for name in ["model.safetensors", "model.fp16.safetensors"] {
        assert_eq!(fs::read(to.join("text_encoder").join(name)).unwrap(), text);
    }
    for variant in ["", ".fp16"] {
        let list = format!("vae/diffusion_pytorch_model.safetensors.index{variant}.json");
        let list: Value = serde_json::from_slice(&fs::read(to.join(list)).unwrap()).unwrap();
        for (tensor, number) in [("encoder.a", 1), ("decoder.b", 2)] {
            let file = format!("diffusion_pytorch_model{variant}-0000{number}-of-00002.safetensors");
            assert_eq!(list["weight_map"][tensor], file);
            assert_eq!(fs::read(to.join("vae").join(file)).unwrap(), shard(tensor));
        }
    }
    assert_eq!(names(&to.join("vae")).len(), 7);
    for file in [
        "model_index.json",
        "scheduler/scheduler_config.json",
        "tokenizer_2/tokenizer.json",
    ] {
        assert_eq!(
            fs::read(to.join(file)).unwrap(),
            fs::read(from.join(file)).unwrap()
        );
    }
    // It is the same model.
    let none = BaseOptions::default();
    assert_eq!(
        BaseInfo::hashes(&to, &none).unwrap(),
        BaseInfo::hashes(&from, &none).unwrap()
    );
}
