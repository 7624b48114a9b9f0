//! Computes an edit on this machine: from open files to one file.

use std::{
    fs::{self, File},
    io,
    ops::ControlFlow,
    path::{Path, PathBuf},
};

use diffusion::{
    lora::{
        Lora,
        edit::{
            Context, EditError, Edited, Source, Storage,
            apply::Applied,
            blocks::BlockWeights,
            convert, extract,
            keep::{Energy, Keep},
            merge::{self, Method, Projection, Weighted},
            open_base, resize, weigh,
        },
    },
    weights::Checkpoint,
};
use protocol::{
    edit::{Edit, KeepBy, KeepRule, LoraNames, Merging},
    lora::LoraSummary,
    problem::chain,
};
use trainer::{merged_base::write_merged, metadata::write_stored_lora};
use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

use crate::job::Base;

/// Longest name that files get, in characters, without what is added to it.
const MAX_NAME_CHARS: usize = 120;
/// Folders within a diffusers folder.
const MAX_DEPTH: usize = 4;

/// What is needed, on this machine.
pub(super) struct Inputs {
    pub(super) edit: Edit,
    /// In the order of the weights.
    pub(super) loras: Vec<PathBuf>,
    pub(super) base: Option<Base>,
    pub(super) base_name: Option<String>,
    pub(super) tuned: Option<Base>,
    /// Name of the result.
    pub(super) name: String,
    /// Where it is written.
    pub(super) folder: PathBuf,
}

/// The file, and what is said about it.
#[derive(Debug)]
pub(super) struct Output {
    pub(super) path: PathBuf,
    /// Its name for people.
    pub(super) file_name: String,
    /// Of a LoRA.
    pub(super) summary: Option<LoraSummary>,
    pub(super) done: String,
    pub(super) kept: Option<f64>,
    pub(super) notes: Vec<String>,
}

/// Computes an edit; `progress` is told how many modules of how many are done, and whether to go on. The error is text
/// for people.
pub(super) fn make(
    inputs: &Inputs,
    progress: &(dyn Fn(usize, usize) -> bool + Sync),
) -> Result<Output, String> {
    let follow = |done, total| match progress(done, total) {
        true => ControlFlow::Continue(()),
        false => ControlFlow::Break(()),
    };
    let base = inputs.base.as_ref().map(open).transpose()?;
    let sources = inputs
        .loras
        .iter()
        .map(|path| Source::open(path).map_err(|err| told(&err)));
    let sources = sources.collect::<Result<Vec<_>, String>>()?;
    let mut context = Context::default().with_progress(&follow);
    if let Some(base) = &base {
        context = context.with_base(base);
    }
    let one = || sources.first().ok_or_else(|| "no LoRA was sent".to_owned());
    let computed = match &inputs.edit {
        Edit::Merge { merging, weights } => {
            let files = weighted(&sources, weights);
            merge::merge(&files, method(merging), Storage::Fitting, &context)
        }
        Edit::Resize { keep } => resize::resize(one()?, &of(keep), Storage::Fitting, &context),
        Edit::Weigh { blocks } => {
            let blocks: BlockWeights = blocks.parse().map_err(|err: EditError| told(&err))?;
            weigh::weigh(one()?, &blocks)
        }
        Edit::Extract { rank, conv_rank } => {
            let tuned = inputs.tuned.as_ref().map(open).transpose()?;
            let (Some(base), Some(tuned)) = (&base, &tuned) else {
                return Err("a base model is missing".to_owned());
            };
            let options = extract::Options {
                rank: *rank as usize,
                conv_rank: conv_rank.map(|rank| rank as usize),
                clamp: None,
                min_difference: 0.0,
            };
            extract::extract(base, tuned, &options, Storage::Fitting)
        }
        Edit::Convert { to } => return converted(inputs, one()?, *to),
        Edit::MergeInto { weights } => {
            let base = base.as_ref().ok_or("the base model is missing")?;
            return merged_into(inputs, base, &weighted(&sources, weights));
        }
    };
    lora(inputs, computed.map_err(|err| told(&err))?)
}

/// Writes a LoRA, and reads it again.
fn lora(inputs: &Inputs, edited: Edited) -> Result<Output, String> {
    let file_name = format!("{}.safetensors", plain(&inputs.name));
    let path = inputs.folder.join("result.safetensors");
    let done = done(&edited);
    write_stored_lora(&path, &edited.tensors, edited.metadata).map_err(|err| chain(&err))?;
    let written = Lora::open(&path).map_err(|err| chain(&err))?;
    Ok(Output {
        path,
        file_name,
        summary: Some(written.summary()),
        done,
        kept: edited.summary.kept.map(|kept| kept.whole),
        notes: edited.notes,
    })
}

fn converted(inputs: &Inputs, source: &Source, names: LoraNames) -> Result<Output, String> {
    let suffix = match names {
        LoraNames::Kohya => "kohya",
        LoraNames::Diffusers => "diffusers",
        LoraNames::Peft => "peft",
    };
    let stem = format!("{}-{suffix}", plain(&inputs.name));
    if names != LoraNames::Peft {
        let file = convert::convert(source, names).map_err(|err| told(&err))?.file;
        let path = inputs.folder.join("result.safetensors");
        let (done, notes) = (done(&file), file.notes);
        write_stored_lora(&path, &file.tensors, file.metadata).map_err(|err| chain(&err))?;
        return Ok(Output {
            path,
            file_name: format!("{stem}.safetensors"),
            summary: None,
            done,
            kept: None,
            notes,
        });
    }
    let written = inputs.folder.join("peft");
    let mut notes = Vec::new();
    for (part, converted) in convert::peft_folders(source).map_err(|err| told(&err))? {
        let folder = written.join(part);
        fs::create_dir_all(&folder).map_err(|err| failed(&folder, &err))?;
        let path = folder.join("adapter_model.safetensors");
        write_stored_lora(&path, &converted.file.tensors, converted.file.metadata)
            .map_err(|err| chain(&err))?;
        if let Some(config) = converted.config {
            let path = folder.join("adapter_config.json");
            let text = serde_json::to_string_pretty(&config).map_err(|err| err.to_string())?;
            fs::write(&path, text).map_err(|err| failed(&path, &err))?;
        }
        for note in converted.file.notes {
            if !notes.contains(&note) {
                notes.push(note);
            }
        }
    }
    let path = inputs.folder.join("result.zip");
    archive(&written, &path).map_err(|err| failed(&path, &err))?;
    Ok(Output {
        path,
        file_name: format!("{stem}.zip"),
        summary: None,
        done: format!("converted to {}", names.title()),
        kept: None,
        notes,
    })
}

fn merged_into(inputs: &Inputs, base: &Checkpoint, files: &[Weighted<'_>]) -> Result<Output, String> {
    let applied = Applied::new(base, files).map_err(|err| told(&err))?;
    let written = inputs.folder.join("merged");
    let left_out = write_merged(base, &applied, &written).map_err(|err| chain(&err))?;
    let left_out = left_out
        .iter()
        .map(|path| format!("`{}` is not copied: it holds the base's weights", path.display()));
    let notes = applied.notes.iter().cloned().chain(left_out).collect();
    let name = inputs.base_name.as_deref().unwrap_or("base");
    let stem = format!("{}-{}", plain(name), plain(&inputs.name));
    let (path, file_name) = if written.is_dir() {
        let path = inputs.folder.join("result.zip");
        archive(&written, &path).map_err(|err| failed(&path, &err))?;
        (path, format!("{stem}.zip"))
    } else {
        (written, format!("{stem}.safetensors"))
    };
    Ok(Output {
        path,
        file_name,
        summary: None,
        done: applied.done,
        kept: None,
        notes,
    })
}

/// All files of a folder, without compression, since weights do not shrink.
fn archive(folder: &Path, to: &Path) -> io::Result<()> {
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Stored)
        .large_file(true);
    let mut archive = ZipWriter::new(File::create(to)?);
    let mut folders = vec![(folder.to_owned(), String::new(), 0)];
    while let Some((at, prefix, depth)) = folders.pop() {
        let mut entries = fs::read_dir(&at)?.collect::<io::Result<Vec<_>>>()?;
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
            if entry.file_type()?.is_dir() {
                if depth < MAX_DEPTH {
                    folders.push((entry.path(), format!("{name}/"), depth + 1));
                }
                continue;
            }
            archive.start_file(name, options)?;
            io::copy(&mut File::open(entry.path())?, &mut archive)?;
        }
    }
    archive.finish()?.sync_all()
}

fn open(base: &Base) -> Result<Checkpoint, String> {
    match base {
        Base::BuiltIn(name) => open_base(name),
        Base::Path(path) => Checkpoint::open(path),
    }
    .map_err(|err| chain(&err))
}

fn weighted<'a>(sources: &'a [Source], weights: &[f64]) -> Vec<Weighted<'a>> {
    let files = sources.iter().zip(weights);
    files
        .map(|(source, weight)| Weighted {
            source,
            weight: *weight,
        })
        .collect()
}

fn method(merging: &Merging) -> Method {
    match merging {
        Merging::Concatenate => Method::Concatenate,
        Merging::Svd { keep } => Method::Svd(of(keep)),
        Merging::NpLora { strength, protect } => Method::Project(Projection {
            strength: strength.unwrap_or(f64::INFINITY),
            share: *protect,
        }),
    }
}

fn of(keep: &KeepRule) -> Keep {
    let rank = keep.rank.map_or(usize::MAX, |rank| rank as usize);
    let energy = keep.by.zip(keep.value).map(|(by, value)| match by {
        KeepBy::Frobenius => Energy::Frobenius(value),
        KeepBy::Cumulative => Energy::Sum(value),
        KeepBy::Ratio => Energy::Ratio(value),
    });
    Keep {
        energy,
        rank,
        conv_rank: keep.conv_rank.map_or(rank, |rank| rank as usize),
    }
}

/// What the file says of how it was made, without what its source said before.
fn done(edited: &Edited) -> String {
    let comment = edited.metadata.get("ss_training_comment");
    let last = comment.and_then(|comment| comment.split("; ").next());
    last.unwrap_or_default().to_owned()
}

/// A name that a file can have everywhere.
pub(super) fn plain(name: &str) -> String {
    let plain = name.trim().trim_start_matches('.').chars();
    let plain = plain.map(|c| match c {
        '/' | '\\' | ':' | '*' | '?' | '"' | '<' | '>' | '|' => '_',
        c if c.is_control() => '_',
        c => c,
    });
    let plain: String = plain.take(MAX_NAME_CHARS).collect();
    if plain.is_empty() {
        "lora".to_owned()
    } else {
        plain
    }
}

/// Names files instead of their paths on this machine, which mean nothing to the person who asked for the edit.
fn told(err: &EditError) -> String {
    let text = chain(err);
    let mut said = String::with_capacity(text.len());
    for (index, part) in text.split('`').enumerate() {
        if index > 0 {
            said.push('`');
        }
        // Every second part stands between two marks.
        let is_path = index % 2 == 1 && part.starts_with('/');
        said.push_str(match Path::new(part).file_stem().and_then(|stem| stem.to_str()) {
            Some(stem) if is_path => stem,
            _ => part,
        });
    }
    said
}

fn failed(path: &Path, err: &io::Error) -> String {
    format!("failed to write `{}`: {err}", path.display())
}
