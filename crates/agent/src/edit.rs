//! Files that are made out of LoRAs and base models, for a server.

mod make;

#[cfg(test)]
mod tests;

use std::{
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicUsize, Ordering},
};

use diffusion::lora::edit::Source;
use protocol::{
    agent::{ArtifactKind, Assignment, EditResult, EditWork, NamedBase, Report},
    edit::Edit,
    problem::chain,
};

use self::make::{Inputs, Output, make};
use crate::{
    attempt::{Attempt, Made, compute},
    bases::Located,
    client::{Client, ClientError, Patience},
    lease::Reporter,
    work_dir::WorkDir,
};

/// Makes and uploads one file. Errors are those of requests to the server; an edit that fails is reported to it.
pub(crate) async fn run(
    client: &Client,
    work_dir: &WorkDir,
    assignment: &Assignment,
    work: &EditWork,
) -> Result<(), ClientError> {
    let (attempt, interruptions) = Attempt::hold(client, work_dir, assignment);
    let end = interruptions.limit(hand_in(&attempt, work)).await;
    attempt.finish(end).await
}

/// Fetches what is needed, computes, and uploads. The error is text for people.
async fn hand_in(attempt: &Attempt<'_>, work: &EditWork) -> Result<Made, String> {
    let folder = attempt.folder()?;
    let reporter = attempt.reporter();
    stage(reporter, "fetching the files", 0, 0);
    let mut loras = Vec::with_capacity(work.loras.len());
    for (index, named) in work.loras.iter().enumerate() {
        let cached = attempt.lora(&named.file).await?;
        let within = folder.path().join(index.to_string());
        loras.push(named_copy(&cached, &within, &named.name).map_err(|err| {
            format!(
                "failed to copy `{}` into the folder of the edit: {err}",
                cached.display()
            )
        })?);
    }
    let is_asked_for = matches!(work.edit, Edit::MergeInto { .. } | Edit::Extract { .. });
    let paths = loras.clone();
    let needs_base = compute(move |_| {
        // What cannot be opened is said when it is computed with.
        let opened = |path: &PathBuf| Source::open(path).is_ok_and(|source| source.needs_base());
        Ok(is_asked_for || paths.iter().any(opened))
    })
    .await?;
    let base = match &work.base {
        Some(base) if needs_base => Some(locate(attempt, base).await?),
        _ => None,
    };
    let tuned = match &work.tuned {
        Some(tuned) => Some(locate(attempt, tuned).await?),
        None => None,
    };
    let inputs = Inputs {
        edit: work.edit.clone(),
        loras,
        base: base.as_ref().map(|located| located.base.clone()),
        base_name: work.base.as_ref().map(|base| base.name.clone()),
        tuned: tuned.as_ref().map(|located| located.base.clone()),
        name: work.name.clone(),
        folder: folder.path().to_owned(),
    };
    let told = Told::new(reporter.clone());
    let Output {
        path,
        file_name,
        summary,
        done,
        kept,
        notes,
    } = compute(move |is_dropped| {
        make(&inputs, &|done, total| {
            told.tell(done, total);
            !is_dropped.load(Ordering::Relaxed)
        })
    })
    .await?;
    stage(reporter, "storing the result", 0, 0);
    let artifact_id = attempt.upload(ArtifactKind::Edited, &path, file_name).await?;
    Ok(Made::Edited(Box::new(EditResult {
        artifact_id,
        summary,
        done,
        kept,
        notes,
    })))
}

async fn locate(attempt: &Attempt<'_>, base: &NamedBase) -> Result<Located, String> {
    let name = format!("fetching the base model {}", base.name);
    stage(attempt.reporter(), &name, 0, 0);
    attempt
        .work_dir
        .bases()
        .locate(attempt.client, &base.location, Patience::WORKING, &|_, _| {})
        .await
        .map_err(|err| chain(&err))
}

/// A file under the name that people know: what is made of it is called after it.
fn named_copy(file: &Path, folder: &Path, name: &str) -> std::io::Result<PathBuf> {
    fs::create_dir_all(folder)?;
    let path = folder.join(format!("{}.safetensors", make::plain(name)));
    // On another disk, or where links are not allowed, a copy does the same.
    fs::hard_link(file, &path).or_else(|_| fs::copy(file, &path).map(drop))?;
    Ok(path)
}

fn stage(reporter: &Reporter, name: &str, done: usize, total: usize) {
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    reporter.report(Report::Stage {
        name: name.to_owned(),
        done: count(done),
        total: count(total),
    });
}

/// Tells the server how far the thread is, a hundred times at most.
struct Told {
    reporter: Reporter,
    percent: AtomicUsize,
}

impl Told {
    fn new(reporter: Reporter) -> Self {
        Self {
            reporter,
            percent: AtomicUsize::new(0),
        }
    }

    fn tell(&self, done: usize, total: usize) {
        let percent = 100 * done / total.max(1);
        if self.percent.fetch_max(percent, Ordering::Relaxed) < percent {
            stage(&self.reporter, "computing", done, total);
        }
    }
}
