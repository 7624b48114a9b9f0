//! Which files of a folder make up a base model.

use protocol::base::weights::{self, NoWeights, PARTS};
pub(crate) use protocol::base::weights::{Prefer, TENSORS};

/// Folders whose texts are needed: configurations and tokenizers.
pub(crate) const FOLDERS: [&str; 7] = [
    "unet",
    "text_encoder",
    "text_encoder_2",
    "vae",
    "scheduler",
    "tokenizer",
    "tokenizer_2",
];
/// What marks a folder as one of diffusers'.
pub(crate) const INDEX: &str = "model_index.json";

/// The files of a diffusers folder that a base model needs, or what is missing. Of the parts in `named`, which come from
/// elsewhere, it may have none.
pub(crate) fn diffusers<'a>(
    paths: impl Iterator<Item = &'a str> + Clone,
    prefer: Prefer,
    named: &[&str],
) -> Result<Vec<&'a str>, NoWeights> {
    let mut wanted = texts(paths.clone());
    for part in PARTS {
        match weights_of(part, paths.clone(), prefer) {
            Ok(weights) => wanted.extend(weights),
            Err(NoWeights::Absent { .. }) if named.contains(&part) => {}
            Err(missing) => return Err(missing),
        }
    }
    wanted.sort_unstable();
    Ok(wanted)
}

/// As many of these files as there are: the loader says what is missing.
pub(crate) fn present<'a>(paths: impl Iterator<Item = &'a str> + Clone, prefer: Prefer) -> Vec<&'a str> {
    let weights = PARTS
        .into_iter()
        .filter_map(|part| weights_of(part, paths.clone(), prefer).ok());
    let mut present: Vec<&str> = texts(paths.clone())
        .into_iter()
        .chain(weights.flatten())
        .collect();
    present.sort_unstable();
    present
}

/// Configurations and tokenizers.
fn texts<'a>(paths: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let is_text = |path: &&str| {
        *path == INDEX
            || path.split_once('/').is_some_and(|(folder, file)| {
                FOLDERS.contains(&folder) && (file.ends_with(".json") || file.ends_with(".txt"))
                    // The list of shards: they are found by their names.
                    && !file.contains(".index.") && !file.contains('/')
            })
    };
    paths.filter(is_text).collect()
}

fn weights_of<'a>(
    part: &'static str,
    paths: impl Iterator<Item = &'a str>,
    prefer: Prefer,
) -> Result<Vec<&'a str>, NoWeights> {
    let inside = |path: &'a str| Some((path, path.strip_prefix(part)?.strip_prefix('/')?));
    let files: Vec<(&str, &str)> = paths.filter_map(inside).collect();
    let chosen = weights::choose(part, files.iter().map(|(_, name)| *name), prefer)?;
    let chosen = files.iter().filter(|(_, name)| chosen.contains(name));
    Ok(chosen.map(|(path, _)| *path).collect())
}

#[cfg(test)]
mod tests {
    use super::{Prefer, diffusers, present};

    const REPOSITORY: [&str; 14] = [
        "README.md",
        "model_index.json",
        "scheduler/scheduler_config.json",
        "sd_xl_base_1.0.safetensors",
        "text_encoder/config.json",
        "text_encoder/model.fp16.safetensors",
        "text_encoder/model.safetensors",
        "text_encoder/openvino_model.xml",
        "text_encoder_2/model.safetensors",
        "tokenizer/merges.txt",
        "unet/config.json",
        "unet/diffusion_pytorch_model-00001-of-00002.safetensors",
        "unet/diffusion_pytorch_model-00002-of-00002.safetensors",
        "vae/diffusion_pytorch_model.fp16.safetensors",
    ];

    #[test]
    fn one_file_for_each_part_or_all_its_shards() {
        let wanted = diffusers(REPOSITORY.into_iter(), Prefer::Half, &[]).unwrap();
        assert_eq!(
            wanted,
            [
                "model_index.json",
                "scheduler/scheduler_config.json",
                "text_encoder/config.json",
                "text_encoder/model.fp16.safetensors",
                "text_encoder_2/model.safetensors",
                "tokenizer/merges.txt",
                "unet/config.json",
                "unet/diffusion_pytorch_model-00001-of-00002.safetensors",
                "unet/diffusion_pytorch_model-00002-of-00002.safetensors",
                "vae/diffusion_pytorch_model.fp16.safetensors",
            ]
        );
        let full = diffusers(REPOSITORY.into_iter(), Prefer::Full, &[]).unwrap();
        assert!(full.contains(&"text_encoder/model.safetensors"));
        let without = REPOSITORY.into_iter().filter(|path| !path.starts_with("vae/"));
        let n_others = diffusers(without.clone(), Prefer::Full, &["vae"]).unwrap().len();
        assert_eq!(present(without.clone(), Prefer::Full).len(), n_others);
        let missing = diffusers(without, Prefer::Full, &[]).unwrap_err().to_string();
        assert!(
            missing.contains("vae/diffusion_pytorch_model.safetensors"),
            "{missing}"
        );
    }
}
