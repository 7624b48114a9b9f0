//! Files that are made out of LoRAs and base models, for a server.

mod make;

#[cfg(test)]
mod tests;

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use diffusion::lora::edit::Source;
use protocol::{
    agent::{ArtifactKind, Assignment, EditResult, EditWork, Finish, NamedBase, Report},
    edit::Edit,
    phase::Outcome,
    problem::chain,
};

use self::make::{Inputs, Output, make};
use crate::{
    bases::Located,
    break_off::{BreakOff, end_ordered},
    client::{Client, ClientError, Patience},
    instead::{self, Fetched, Holder},
    lease::{Lease, Reporter},
    transfer::{self, Upload},
    work_dir::WorkDir,
};

/// Makes and uploads one file. Errors are those of requests to the server; an edit that fails is reported to it.
pub(crate) async fn run(
    client: &Client,
    work_dir: &WorkDir,
    assignment: &Assignment,
    work: &EditWork,
) -> Result<(), ClientError> {
    let (lease, mut orders) = Lease::hold(client.clone(), assignment);
    let lost = lease.lost();
    // Dropping the work tells the thread that computes to break off.
    let mut left = None;
    let made = tokio::select! {
        made = hand_in(client, work_dir, &lease, work) => made.map(Some),
        () = end_ordered(&mut orders) => Ok(None),
        leave = client.link().leave() => {
            left = Some(leave.reason);
            Ok(None)
        }
        () = lost.cancelled() => {
            lease.close().await?;
            return Err(ClientError::LeaseLost);
        }
    };
    lease.close().await?;
    let (outcome, detail, edited) = match made {
        Ok(Some(edited)) => (Outcome::Completed, None, Some(edited)),
        Ok(None) if left.is_some() => (Outcome::Lost, left, None),
        Ok(None) => (Outcome::Cancelled, None, None),
        Err(detail) => (Outcome::Failed, Some(detail), None),
    };
    let finish = Finish {
        fence: assignment.fence,
        outcome,
        detail,
        result: None,
        picture: None,
        edited,
        disk_fault: false,
    };
    client
        .finish(assignment.attempt_id, &finish, Patience::WORKING)
        .await
}

/// Fetches what is needed, computes, and uploads. The error is text for people.
async fn hand_in(
    client: &Client,
    work_dir: &WorkDir,
    lease: &Lease,
    work: &EditWork,
) -> Result<EditResult, String> {
    let folder = work_dir.attempt(lease.attempt).map_err(|err| chain(&err))?;
    let holder = Holder {
        attempt: lease.attempt,
        fence: lease.fence,
    };
    stage(lease.reporter(), "fetching the files", 0, 0);
    let mut loras = Vec::with_capacity(work.loras.len());
    for (index, named) in work.loras.iter().enumerate() {
        let cached = work_dir.lora(&named.file.sha256);
        if !cached.exists() {
            work_dir.make_room();
        }
        match instead::fetch(client, holder, &named.file, &cached).await {
            Ok(Fetched::Here) => {}
            Ok(Fetched::Instead(_)) => {
                return Err("the server sent a checkpoint in place of a LoRA".into());
            }
            Err(err) => return Err(err.into_detail()),
        }
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
    let needs_base = tokio::task::spawn_blocking(move || {
        // What cannot be opened is said when it is computed with.
        let opened = |path: &PathBuf| Source::open(path).is_ok_and(|source| source.needs_base());
        is_asked_for || paths.iter().any(opened)
    });
    let needs_base = needs_base
        .await
        .map_err(|panic| format!("the engine panicked: {panic}"))?;
    let base = match &work.base {
        Some(base) if needs_base => Some(locate(client, work_dir, lease, base).await?),
        _ => None,
    };
    let tuned = match &work.tuned {
        Some(tuned) => Some(locate(client, work_dir, lease, tuned).await?),
        None => None,
    };
    let break_off = BreakOff::default();
    let task = {
        let inputs = Inputs {
            edit: work.edit.clone(),
            loras,
            base: base.as_ref().map(|located| located.base.clone()),
            base_name: work.base.as_ref().map(|base| base.name.clone()),
            tuned: tuned.as_ref().map(|located| located.base.clone()),
            name: work.name.clone(),
            folder: folder.path().to_owned(),
        };
        let told = Told::new(lease.reporter().clone(), break_off.flag());
        tokio::task::spawn_blocking(move || make(&inputs, &|done, total| told.tell(done, total)))
    };
    let output = task
        .await
        .unwrap_or_else(|panic| Err(format!("the engine panicked: {panic}")))?;
    stage(lease.reporter(), "storing the result", 0, 0);
    let Output {
        path,
        file_name,
        summary,
        done,
        kept,
        notes,
    } = output;
    let upload = Upload {
        attempt: lease.attempt,
        fence: lease.fence,
        kind: ArtifactKind::Edited,
        path: &path,
        file_name,
    };
    let artifact_id = transfer::upload(client, upload, Patience::WORKING)
        .await
        .map_err(|err| chain(&err))?;
    Ok(EditResult {
        artifact_id,
        summary,
        done,
        kept,
        notes,
    })
}

async fn locate(
    client: &Client,
    work_dir: &WorkDir,
    lease: &Lease,
    base: &NamedBase,
) -> Result<Located, String> {
    stage(
        lease.reporter(),
        &format!("fetching the base model {}", base.name),
        0,
        0,
    );
    work_dir
        .bases()
        .locate(client, &base.location, Patience::WORKING, &|_, _| {})
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
    is_dropped: Arc<AtomicBool>,
    percent: AtomicUsize,
}

impl Told {
    fn new(reporter: Reporter, is_dropped: Arc<AtomicBool>) -> Self {
        Self {
            reporter,
            is_dropped,
            percent: AtomicUsize::new(0),
        }
    }

    /// Whether to go on.
    fn tell(&self, done: usize, total: usize) -> bool {
        let percent = 100 * done / total.max(1);
        if self.percent.fetch_max(percent, Ordering::Relaxed) < percent {
            stage(&self.reporter, "computing", done, total);
        }
        !self.is_dropped.load(Ordering::Relaxed)
    }
}
