//! Which files of a folder make up a base model.

/// Parts of SDXL whose weights are needed.
const PARTS: [&str; 4] = ["unet", "text_encoder", "text_encoder_2", "vae"];
/// Folders whose texts are needed: configurations and tokenizers.
pub(super) const FOLDERS: [&str; 7] = [
    "unet",
    "text_encoder",
    "text_encoder_2",
    "vae",
    "scheduler",
    "tokenizer",
    "tokenizer_2",
];
/// What marks a folder as one of diffusers'.
pub(super) const INDEX: &str = "model_index.json";
/// Ending of files with tensors.
pub(super) const TENSORS: &str = ".safetensors";

/// Weights to take where a part has them more than once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Prefer {
    /// As the loader does: full precision.
    Full,
    /// Half the bytes to fetch; training rounds to half precision anyway.
    Half,
}

/// The files of a diffusers folder that a base model needs, or the part that is missing.
pub(super) fn diffusers<'a>(
    paths: impl Iterator<Item = &'a str> + Clone,
    prefer: Prefer,
) -> Result<Vec<&'a str>, &'static str> {
    let is_text = |path: &&str| {
        *path == INDEX
            || path.split_once('/').is_some_and(|(folder, file)| {
                FOLDERS.contains(&folder) && (file.ends_with(".json") || file.ends_with(".txt"))
                    // The list of shards: they are found by their names.
                    && !file.ends_with(".index.json") && !file.contains('/')
            })
    };
    let mut wanted: Vec<&str> = paths.clone().filter(is_text).collect();
    for part in PARTS {
        let found = weights(paths.clone(), part, prefer);
        if found.is_empty() {
            return Err(part);
        }
        wanted.extend(found);
    }
    wanted.sort_unstable();
    Ok(wanted)
}

fn weights<'a>(paths: impl Iterator<Item = &'a str>, part: &str, prefer: Prefer) -> Vec<&'a str> {
    let stem = if part.starts_with("text") {
        "model"
    } else {
        "diffusion_pytorch_model"
    };
    let files: Vec<(&str, &str)> = paths
        .filter_map(|path| {
            let middle = path
                .strip_prefix(part)?
                .strip_prefix('/')?
                .strip_prefix(stem)?
                .strip_suffix(TENSORS)?;
            Some((path, middle))
        })
        .collect();
    let mut endings = ["", ".fp16"];
    if prefer == Prefer::Half {
        endings.reverse();
    }
    let whole = endings
        .iter()
        .find_map(|ending| files.iter().find(|(_, middle)| middle == ending));
    match whole {
        Some((path, _)) => vec![path],
        None => files
            .iter()
            .filter(|(_, middle)| middle.starts_with('-') && middle.contains("-of-"))
            .map(|(path, _)| *path)
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::{Prefer, diffusers};

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
        let wanted = diffusers(REPOSITORY.into_iter(), Prefer::Half).unwrap();
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
        let full = diffusers(REPOSITORY.into_iter(), Prefer::Full).unwrap();
        assert!(full.contains(&"text_encoder/model.safetensors"));
        let without = REPOSITORY.into_iter().filter(|path| !path.starts_with("vae/"));
        assert_eq!(diffusers(without, Prefer::Full), Err("vae"));
    }
}
