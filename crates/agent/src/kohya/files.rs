//! Input and output files in the folder of sd-scripts.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    io::{self, Read as _, Seek as _, SeekFrom},
    path::{Path, PathBuf},
};

use dataset::picture;
use protocol::{agent::ArtifactKind, sample::Sample};

use super::{
    checkpoint::STATE_FILES,
    header::is_complete,
    plan::{Picture, Plan},
};

/// In a picture folder whose caches are whole.
const CACHED: &str = "cached";
/// The end of every PNG: an empty `IEND` chunk with its checksum.
const PNG_END: [u8; 8] = [b'I', b'E', b'N', b'D', 0xae, 0x42, 0x60, 0x82];

/// Puts pictures and captions where the plan says. `file_of` finds a picture by its SHA-256.
pub(super) fn lay_out_pictures(plan: &Plan, file_of: &dyn Fn(&str) -> PathBuf) -> io::Result<()> {
    let are_whole = plan.picture_folder.join(CACHED).exists();
    let folders: BTreeSet<PathBuf> = plan
        .pictures
        .iter()
        .map(|picture| folder_of(plan, picture))
        .collect();
    for folder in folders {
        fs::create_dir_all(&folder)?;
        if !are_whole {
            remove_caches(&folder)?;
        }
    }
    for picture in &plan.pictures {
        let folder = folder_of(plan, picture);
        let file = folder.join(format!("{}.png", picture.stem));
        if !file.exists() {
            put(&file_of(&picture.sha256), &file, plan.least_alpha)?;
        }
        if let Some(caption) = &picture.caption {
            fs::write(folder.join(format!("{}.txt", picture.stem)), caption)?;
        }
    }
    Ok(())
}

/// Puts a picture where sd-scripts finds it, which drops the alpha of one that is transparent, or takes it for a mask. A mask
/// picture becomes the alpha, which saves a `conditioning_data_dir`: the colors stay, and the loss is the same.
fn put(source: &Path, file: &Path, least_alpha: u8) -> io::Result<()> {
    let mut header = Vec::new();
    let mut beginning = File::open(source)?.take(picture::HEADER_BYTES as u64);
    beginning.read_to_end(&mut header)?;
    if !picture::is_masked(&header) {
        return fs::hard_link(source, file).or_else(|_| fs::copy(source, file).map(drop));
    }
    let laid = picture::laid_on_white(&fs::read(source)?, least_alpha).map_err(io::Error::other)?;
    let part = file.with_extension("part");
    fs::write(&part, laid)?;
    fs::rename(part, file)
}

fn folder_of(plan: &Plan, picture: &Picture) -> PathBuf {
    match picture.folder().as_str() {
        "" => plan.picture_folder.clone(),
        folder => plan.picture_folder.join(folder),
    }
}

/// A cache that was cut off when its writer was killed would be taken for a whole one.
fn remove_caches(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)?.flatten() {
        if entry
            .path()
            .extension()
            .is_some_and(|extension| extension == "npz")
        {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// Writes the plan's files, and clears what an earlier run left.
pub(super) fn prepare(plan: &Plan) -> io::Result<()> {
    for folder in [&plan.output, &plan.logs] {
        if folder.exists() {
            fs::remove_dir_all(folder)?;
        }
        fs::create_dir_all(folder)?;
    }
    fs::write(&plan.dataset_file, &plan.dataset_toml)?;
    if let Some((path, prompts)) = &plan.prompts {
        fs::write(path, prompts)?;
    }
    Ok(())
}

/// Has the prompts lie there, or not, for the next time that sd-scripts looks for them.
pub(super) fn offer_prompts(plan: &Plan, is_wanted: bool) -> io::Result<()> {
    let Some((path, prompts)) = &plan.prompts else {
        return Ok(());
    };
    match (is_wanted, path.exists()) {
        (true, false) => {
            let whole = path.with_extension("part");
            fs::write(&whole, prompts)?;
            fs::rename(whole, path)
        }
        (false, true) => fs::remove_file(path),
        _ => Ok(()),
    }
}

/// Notes that sd-scripts has got past its caching.
pub(super) fn caches_are_whole(plan: &Plan) {
    // Without the note they are only made again.
    let _ = fs::write(plan.picture_folder.join(CACHED), "");
}

/// Something that is complete.
#[derive(Debug, PartialEq)]
pub(super) enum Found {
    /// A sample picture.
    Sample { kind: ArtifactKind, path: PathBuf },
    /// A LoRA, and the folder that a run can go on from.
    State {
        step: u32,
        lora: PathBuf,
        state: PathBuf,
    },
}

/// Looks for files in sd-scripts' output folder, and names each once.
#[derive(Debug)]
pub(super) struct Outputs {
    folder: PathBuf,
    name: String,
    n_steps: u32,
    /// Steps before this run; sd-scripts names its files by the steps of this run.
    n_before: u32,
    prompts: Vec<Sample>,
    handed: BTreeSet<PathBuf>,
    steps: BTreeSet<u32>,
    sizes: BTreeMap<PathBuf, u64>,
}

impl Outputs {
    pub(super) fn new(plan: &Plan, name: &str, n_steps: u32) -> Self {
        Self {
            folder: plan.output.clone(),
            name: name.to_owned(),
            n_steps,
            n_before: plan.n_before,
            prompts: plan.sample_prompts.clone(),
            handed: BTreeSet::new(),
            steps: BTreeSet::new(),
            sizes: BTreeMap::new(),
        }
    }

    /// What has become complete since the last look. While sd-scripts runs, a state has to keep its size from one
    /// look to the next.
    pub(super) fn look(&mut self, is_over: bool) -> Vec<Found> {
        let mut found = Vec::new();
        for path in entries(&self.folder.join("sample")) {
            if !self.handed.contains(&path)
                && let Some(kind) = self.sample(&path)
                && is_whole_png(&path)
            {
                self.handed.insert(path.clone());
                found.push(Found::Sample { kind, path });
            }
        }
        for state in entries(&self.folder) {
            if self.handed.contains(&state) {
                continue;
            }
            let Some((step, lora)) = self.state(&state) else {
                continue;
            };
            let size = folder_size(&state);
            let is_still = self.sizes.insert(state.clone(), size) == Some(size);
            // The random states are written last.
            let is_whole = STATE_FILES.iter().all(|file| state.join(file).exists());
            if is_whole && (is_still || is_over) && is_complete(&lora) {
                self.handed.insert(state.clone());
                if self.steps.insert(step) {
                    found.push(Found::State { step, lora, state });
                }
            }
        }
        found
    }

    /// `NAME_000200_01_20261122124739_43.png`: step, prompt, time, seed. Before the first step it says `e000000`, an epoch.
    fn sample(&self, path: &Path) -> Option<ArtifactKind> {
        let stem = path.file_name()?.to_str()?.strip_suffix(".png")?;
        let mut parts = stem.strip_prefix(&self.name)?.strip_prefix('_')?.split('_');
        let step: u32 = match parts.next()? {
            "e000000" => 0,
            step => step.parse().ok()?,
        };
        let index: u32 = parts.next()?.parse().ok()?;
        let prompt = self.prompts.get(index as usize)?;
        Some(ArtifactKind::Sample {
            step: self.n_before.checked_add(step)?,
            prompt_index: index,
            prompt: prompt.prompt.clone(),
            seed: prompt.seed,
        })
    }

    /// `NAME-step00000200-state`, or `NAME-state` for the last; the LoRA is called the same without `-state`.
    fn state(&self, path: &Path) -> Option<(u32, PathBuf)> {
        let name = path.file_name()?.to_str()?.strip_suffix("-state")?;
        let step = match name.strip_prefix(&self.name)? {
            "" => self.n_steps,
            rest => self
                .n_before
                .checked_add(rest.strip_prefix("-step")?.parse().ok()?)?,
        };
        Some((step, self.folder.join(format!("{name}.safetensors"))))
    }
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<_> = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .collect();
    paths.sort();
    paths
}

fn folder_size(folder: &Path) -> u64 {
    entries(folder)
        .iter()
        .filter_map(|path| path.metadata().ok())
        .map(|metadata| metadata.len())
        .sum()
}

fn is_whole_png(path: &Path) -> bool {
    let end = || -> io::Result<[u8; 8]> {
        let mut file = File::open(path)?;
        file.seek(SeekFrom::End(-8))?;
        let mut end = [0; 8];
        file.read_exact(&mut end)?;
        Ok(end)
    };
    end().is_ok_and(|end| end == PNG_END)
}

#[cfg(test)]
mod tests;
