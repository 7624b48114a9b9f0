//! tiny-xl in other files: its tensors under every name that is in use.

use std::{
    collections::{BTreeMap, HashMap},
    fs,
    path::{Path, PathBuf},
};

use diffusion::weights::names;
use safetensors::{Dtype, SafeTensors, tensor::TensorView};

/// A tensor: numbers, shape, bytes.
pub(crate) type Stored = (Dtype, Vec<usize>, Vec<u8>);

/// The tensors of a file, and its header.
#[derive(Clone, Default)]
pub(crate) struct File {
    pub(crate) tensors: BTreeMap<String, Stored>,
    pub(crate) metadata: HashMap<String, String>,
}

/// The folder of tiny-xl.
pub(crate) fn tiny_xl() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../assets/tiny-xl")
}

/// What a part's file is called in a diffusers folder.
pub(crate) fn file_of(part: &str) -> String {
    let stem = if part.starts_with("text") {
        "model"
    } else {
        "diffusion_pytorch_model"
    };
    format!("{part}/{stem}.safetensors")
}

impl File {
    pub(crate) fn read(path: &Path) -> Self {
        let bytes = fs::read(path).unwrap();
        let file = SafeTensors::deserialize(&bytes).unwrap();
        let tensors = file.iter().map(|(name, view)| {
            let stored = (view.dtype(), view.shape().to_vec(), view.data().to_vec());
            (name.to_owned(), stored)
        });
        Self {
            tensors: tensors.collect(),
            metadata: HashMap::new(),
        }
    }

    /// A part of tiny-xl as diffusers and transformers name it.
    pub(crate) fn part(part: &str) -> Self {
        Self::read(&tiny_xl().join(file_of(part)))
    }

    /// The single file as Stability AI's code has it.
    pub(crate) fn single() -> Self {
        let mut file = Self::default();
        file.add(
            "model.diffusion_model.",
            Self::part("unet").renamed(|name| names::unet_from_diffusers(name, 2).unwrap()),
        );
        file.add("conditioner.embedders.0.transformer.", Self::part("text_encoder"));
        file.add(
            "conditioner.embedders.1.model.",
            open_clip(Self::part("text_encoder_2")),
        );
        file.add("first_stage_model.", vae_of_single_files(Self::part("vae")));
        file
    }

    pub(crate) fn add(&mut self, prefix: &str, other: Self) {
        let tensors = other
            .tensors
            .into_iter()
            .map(|(name, stored)| (format!("{prefix}{name}"), stored));
        self.tensors.extend(tensors);
    }

    pub(crate) fn renamed(self, rename: impl Fn(&str) -> String) -> Self {
        let tensors = self
            .tensors
            .into_iter()
            .map(|(name, stored)| (rename(&name), stored));
        Self {
            tensors: tensors.collect(),
            metadata: self.metadata,
        }
    }

    /// Renames what begins so.
    pub(crate) fn moved(self, from: &str, to: &str) -> Self {
        self.renamed(|name| match name.strip_prefix(from) {
            Some(rest) => format!("{to}{rest}"),
            None => name.to_owned(),
        })
    }

    pub(crate) fn without(mut self, is_gone: impl Fn(&str) -> bool) -> Self {
        let before = self.tensors.len();
        self.tensors.retain(|name, _| !is_gone(name));
        assert!(self.tensors.len() < before, "nothing was left out");
        self
    }

    /// Adds a tensor of zeros in F16.
    pub(crate) fn with(mut self, name: &str, shape: &[usize]) -> Self {
        let n = shape.iter().product::<usize>();
        self.tensors
            .insert(name.to_owned(), (Dtype::F16, shape.to_vec(), vec![0; 2 * n]));
        self
    }

    pub(crate) fn said(mut self, key: &str, text: &str) -> Self {
        self.metadata.insert(key.to_owned(), text.to_owned());
        self
    }

    /// Changes one tensor.
    pub(crate) fn changed(mut self, name: &str, change: impl FnOnce(&mut Stored)) -> Self {
        change(
            self.tensors
                .get_mut(name)
                .unwrap_or_else(|| panic!("no `{name}`")),
        );
        self
    }

    pub(crate) fn write(&self, path: &Path) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let views = self.tensors.iter().map(|(name, (dtype, shape, bytes))| {
            (name, TensorView::new(*dtype, shape.clone(), bytes).unwrap())
        });
        let metadata = (!self.metadata.is_empty()).then(|| self.metadata.clone());
        fs::write(path, safetensors::serialize(views, metadata).unwrap()).unwrap();
    }
}

/// The second text encoder as open_clip has it: query, key and value in one, the projection transposed.
pub(crate) fn open_clip(file: File) -> File {
    let mut joined: BTreeMap<String, Stored> = BTreeMap::new();
    for part in ["q_proj", "k_proj", "v_proj"] {
        for (name, (dtype, shape, bytes)) in &file.tensors {
            if name.contains(part) {
                let name = names::text_to_open_clip(name).unwrap();
                let stored = joined
                    .entry(name)
                    .or_insert_with(|| (*dtype, Vec::new(), Vec::new()));
                stored.2.extend(bytes);
                let rows = stored.1.first().copied().unwrap_or(0) + shape[0];
                stored.1 = [&[rows], &shape[1..]].concat();
            }
        }
    }
    let mut tensors = joined;
    for (name, (dtype, shape, bytes)) in file.tensors {
        if ["q_proj", "k_proj", "v_proj"]
            .iter()
            .any(|part| name.contains(part))
        {
            continue;
        }
        let bytes = if name == "text_projection.weight" {
            transposed(&bytes, &shape)
        } else {
            bytes
        };
        tensors.insert(names::text_to_open_clip(&name).unwrap(), (dtype, shape, bytes));
    }
    File {
        tensors,
        metadata: HashMap::new(),
    }
}

/// A square matrix of numbers in two bytes.
fn transposed(bytes: &[u8], shape: &[usize]) -> Vec<u8> {
    let (rows, columns) = (shape[0], shape[1]);
    (0..columns)
        .flat_map(|column| {
            (0..rows).flat_map(move |row| {
                let at = 2 * (row * columns + column);
                [bytes[at], bytes[at + 1]]
            })
        })
        .collect()
}

/// The VAE as single files have it: the matrices of its attention are convolutions.
pub(crate) fn vae_of_single_files(file: File) -> File {
    let tensors = file.tensors.into_iter().map(|(name, (dtype, mut shape, bytes))| {
        if name.contains("attentions") && shape.len() == 2 {
            shape.extend([1, 1]);
        }
        (
            names::vae_to_single_file(&name, 4).unwrap(),
            (dtype, shape, bytes),
        )
    });
    File {
        tensors: tensors.collect(),
        metadata: HashMap::new(),
    }
}

/// Copies tiny-xl's folder, without the weights of the parts that the caller writes.
pub(crate) fn folder(to: &Path, without: &[&str]) {
    for part in ["unet", "text_encoder", "text_encoder_2", "vae"] {
        fs::create_dir_all(to.join(part)).unwrap();
        fs::copy(
            tiny_xl().join(part).join("config.json"),
            to.join(part).join("config.json"),
        )
        .unwrap();
        if !without.contains(&part) {
            fs::copy(tiny_xl().join(file_of(part)), to.join(file_of(part))).unwrap();
        }
    }
    for file in [
        "model_index.json",
        "scheduler/scheduler_config.json",
        "tokenizer/tokenizer_config.json",
    ] {
        let file_to = to.join(file.replace("tokenizer/", "tokenizer_2/"));
        fs::create_dir_all(file_to.parent().unwrap()).unwrap();
        fs::copy(tiny_xl().join(file), file_to).unwrap();
    }
}
