//! The checks, each of one thing.

use std::{
    collections::HashSet,
    fs,
    net::{SocketAddr, TcpListener},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use agent::Measurements;
use anyhow::Context as _;
use dataset::decoder::Confinement;
use orchestrator::{disk::Gauge, look_at_base};
use procfs::{Current as _, Meminfo};
use store::OpenError;

use super::Finding;
use protocol::{
    base::{BaseFacts, BaseSource},
    system::default_min_free,
};

use crate::{
    bases::{self, Behavior},
    decoding, paths,
    settings::Settings,
};

const GIB: u64 = 1 << 30;
/// The demo stays below this (server and agent together).
const MEMORY_WANTED: u64 = 2 * GIB;
/// Pictures, checkpoints and results of a few jobs on a full SDXL.
const DISK_WANTED: u64 = 5 * GIB;
/// Below this not even a job on the built-in base is safe.
const DISK_NEEDED: u64 = GIB / 2;

pub(super) fn processor() -> Finding {
    let n_threads = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = if n_threads == 1 {
        "1 thread".to_owned()
    } else {
        format!("{n_threads} threads")
    };
    match instructions() {
        Ok(names) => Finding::ok("processor", format!("{threads}, {names}")),
        Err(missing) => Finding::warning(
            "processor",
            format!("{threads}, without {missing}"),
            "training and rendering work, several times slower; use a CPU from 2013 or newer",
        ),
    }
}

#[cfg(target_arch = "x86_64")]
fn instructions() -> Result<String, &'static str> {
    if !(is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma")) {
        return Err("AVX2 and FMA");
    }
    Ok(if is_x86_feature_detected!("avx512f") {
        "AVX2, FMA, AVX-512"
    } else {
        "AVX2, FMA"
    }
    .into())
}

#[cfg(not(target_arch = "x86_64"))]
fn instructions() -> Result<String, &'static str> {
    Ok(std::env::consts::ARCH.into())
}

pub(super) fn memory() -> Finding {
    let memory = Meminfo::current().ok();
    match memory.and_then(|memory| memory.mem_available) {
        None => Finding::warning(
            "memory",
            "the system does not report free memory",
            format!("make {} available", bytes(MEMORY_WANTED)),
        ),
        Some(available) if available < MEMORY_WANTED => Finding::warning(
            "memory",
            format!("{} free", bytes(available)),
            format!(
                "training on the built-in base model needs up to {}: close other programs",
                bytes(MEMORY_WANTED)
            ),
        ),
        Some(available) => Finding::ok("memory", format!("{} free", bytes(available))),
    }
}

/// Uploaded pictures are decoded in a process that gives up what it does not need, as far as the kernel lets it.
pub(super) fn decoding() -> Finding {
    const NAME: &str = "picture decoding";
    let confinement = decoding::decoder().map(|decoder| decoder.confinement());
    match confinement {
        Ok(Some(Ok(Confinement { holds, missing }))) if missing.is_empty() => {
            Finding::ok(NAME, format!("in a process with limits of {}", holds.join(", ")))
        }
        Ok(Some(Ok(Confinement { missing, .. }))) => Finding::warning(
            NAME,
            format!("in a process without limits of {}", missing.join("; ")),
            "use a kernel with seccomp and mount /proc: without them, a malicious picture could do more harm",
        ),
        Ok(Some(Err(error))) => Finding::problem(
            NAME,
            format!("{:#}", anyhow::Error::from(error)),
            "allow this program to start itself",
        ),
        Err(error) => Finding::problem(NAME, format!("{error:#}"), "allow this program to start itself"),
        Ok(None) => Finding::problem(NAME, "pictures cannot be decoded", "reinstall Morpheus"),
    }
}

pub(super) fn data_folder(data: &Path) -> Finding {
    let shown = data.display();
    let probe = data.join(format!(".doctor-{}", std::process::id()));
    let existing = nearest_existing(data);
    let outcome = if data.is_dir() {
        fs::write(&probe, b"probe").and_then(|()| fs::remove_file(&probe))
    } else if data.exists() {
        return Finding::problem(
            "data folder",
            format!("`{shown}` is a file"),
            "choose a folder with --data or MORPHEUS_DATA",
        );
    } else {
        // A check does not create the folder.
        rustix::fs::access(&existing, rustix::fs::Access::WRITE_OK).map_err(Into::into)
    };
    match outcome {
        Ok(()) if data.is_dir() => Finding::ok("data folder", format!("`{shown}` is writable")),
        Ok(()) => Finding::ok("data folder", format!("`{shown}` will be created")),
        Err(err) => Finding::problem(
            "data folder",
            format!("`{shown}` is not writable: {err}"),
            format!(
                "make `{}` writable, or choose another with --data or MORPHEUS_DATA",
                existing.display()
            ),
        ),
    }
}

/// Whether other accounts of the machine can read what is secret.
pub(super) fn privacy(settings: &Settings) -> Finding {
    let mut open = settings.places().open_to_others();
    let is_open = |path: &Path| fs::metadata(path).is_ok_and(|found| found.mode() & 0o077 != 0);
    open.extend(
        settings
            .config
            .clone()
            .filter(|path| is_open(path) && holds_secrets(path)),
    );
    let Some(first) = open.first() else {
        return Finding::ok("privacy", "other accounts on this machine cannot read any file");
    };
    let named: Vec<String> = open
        .iter()
        .take(3)
        .map(|path| format!("`{}`", path.display()))
        .collect();
    let more = if open.len() > named.len() { " and more" } else { "" };
    Finding::problem(
        "privacy",
        format!(
            "other accounts on this machine can read {}{more}",
            named.join(", ")
        ),
        format!(
            "run chmod -R go-rwx `{}`; `morpheus serve` does it for its data folder when it starts",
            first.display()
        ),
    )
}

/// Whether a settings file has a key, or an address with a password.
fn holds_secrets(path: &Path) -> bool {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines().any(|line| {
        let name = line.split('=').next().unwrap_or_default();
        name.contains("key") || name.contains("secret") || (line.contains("://") && line.contains('@'))
    })
}

pub(super) fn disk(data: &Path, min_free_bytes: Option<u64>) -> Finding {
    let folder = nearest_existing(data);
    let fix = "free space, or choose a folder on another disk with --data or MORPHEUS_DATA";
    match Gauge::default().measure(&folder) {
        Err(err) => Finding::warning(
            "disk",
            format!("failed to get the free space of `{}`: {err}", folder.display()),
            fix,
        ),
        Ok(space) => {
            let min_free = min_free_bytes.unwrap_or_else(|| default_min_free(space.total_bytes));
            let detail = format!(
                "{} free; below {}, uploads are rejected and jobs pause",
                bytes(space.free_bytes),
                bytes(min_free)
            );
            match space.free_bytes {
                free if free < min_free || free < DISK_NEEDED => Finding::problem("disk", detail, fix),
                free if free < DISK_WANTED => Finding::warning("disk", detail, fix),
                _ => Finding::ok("disk", detail),
            }
        }
    }
}

pub(super) fn port(listen: SocketAddr) -> Finding {
    match TcpListener::bind(listen) {
        Ok(_) => Finding::ok("port", format!("{listen} is free")),
        Err(err) => Finding::problem(
            "port",
            format!("cannot listen on {listen}: {err}"),
            "stop the program that uses it (it may be Morpheus), or choose another address with --listen, for \
                 example 127.0.0.1:7861",
        ),
    }
}

/// The database: whether it can be used, and has a schema that this version can work with.
pub(super) fn database(settings: &Settings) -> anyhow::Result<Finding> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let builder = settings.store();
    let status = match runtime.block_on(builder.database_status()) {
        Ok(status) => status,
        Err(OpenError::Postgres {
            url,
            problem,
            fix,
            source,
        }) => {
            let said = source.map(|source| format!(" ({source})")).unwrap_or_default();
            return Ok(Finding::problem(
                "database",
                format!("{url}: {problem}{said}"),
                fix,
            ));
        }
        Err(err) => {
            let fix = "correct --database or MORPHEUS_DATABASE, or omit it to use SQLite in the data folder";
            return Ok(Finding::problem(
                "database",
                format!("{:#}", anyhow::Error::from(err)),
                fix,
            ));
        }
    };
    let (server, url) = (&status.server, &status.url);
    Ok(
        match (status.unknown.last(), &status.schema, status.pending.last()) {
            (Some(newer), _, _) => Finding::problem(
                "database",
                format!("{server} at {url} has the schema `{newer}` of a newer Morpheus"),
                "use the newer Morpheus, or set another database with --database or MORPHEUS_DATABASE",
            ),
            (None, None, _) => Finding::ok("database", format!("{server} at {url}, empty")),
            (None, Some(schema), Some(newest)) => Finding::ok(
                "database",
                format!("{server} at {url} has the schema {schema}; the next start migrates it to {newest}"),
            ),
            (None, Some(schema), None) => match runtime.block_on(builder.prove_database()) {
                Ok(()) => Finding::ok(
                    "database",
                    format!("{server} at {url}, schema {schema}, is writable"),
                ),
                Err(err) => Finding::problem(
                    "database",
                    format!(
                        "{server} at {url} is not writable: {:#}",
                        anyhow::Error::from(err)
                    ),
                    "free space on its disk, make it writable, or stop the program that locks it",
                ),
            },
        },
    )
}

/// The queue, when it is not the database.
pub(super) fn queue(settings: &Settings) -> anyhow::Result<Option<Finding>> {
    let Some(url) = &settings.queue else {
        return Ok(None);
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("failed to start the runtime")?;
    let checking = store::queue_url::check(url, settings.queue_ca.as_deref());
    Ok(Some(match runtime.block_on(checking) {
        Ok(what) => Finding::ok("queue", what),
        Err(err) => {
            let what = match &err {
                OpenError::Queue { source, .. } => source.fix(),
                _ => "correct --queue or MORPHEUS_QUEUE",
            };
            let fix = format!("{what}, or omit --queue; a running server continues without it");
            Finding::problem("queue", format!("{:#}", anyhow::Error::from(err)), fix)
        }
    }))
}

pub(super) fn bases(settings: &Settings) -> Vec<Finding> {
    let built_in = Finding::ok("base tiny-xl", "built in");
    let places = match bases::places(settings) {
        Ok(places) => places,
        // Database and objects have findings of their own.
        Err(_) => return vec![built_in],
    };
    let measurements: Vec<Measurements> = caches(settings)
        .iter()
        .map(|cache| Measurements::at(cache))
        .collect();
    let others = settings.bases.iter().map(|(name, base)| {
        let title = format!("base {name}");
        let (BaseSource::Path(path), None | Some(BaseSource::Path(_))) = (&base.source, &base.said.vae) else {
            return Finding::ok(
                title,
                format!("from {}; the server will check it", base.source.shown()),
            );
        };
        let looked = look_at_base(&places, Path::new(path), &base.said, bases::inspect);
        let (facts, located) = match looked {
            Ok(looked) => looked,
            Err(problem) => {
                return Finding::problem(title, problem, "correct the path, or remove this base model");
            }
        };
        let mut detail = described(path, &facts);
        let mut notes = facts.notes;
        match bases::behavior(&located, &base.said, &measurements) {
            Behavior::AsSaid => {}
            Behavior::Contradicts(sentence) => notes.push(sentence),
            Behavior::Unknown => {
                let folders: Vec<String> = measurements
                    .iter()
                    .map(|folder| format!("`{}`", folder.folder().display()))
                    .collect();
                detail.push_str(&format!(
                    "; whether it does what its files say is not known here (looked in {}): it is measured when it is \
                     registered or first used",
                    folders.join(", ")
                ));
            }
        }
        if notes.is_empty() {
            Finding::ok(title, detail)
        } else {
            Finding::warning(
                title,
                format!("{detail}; {}", notes.join("; ")),
                "check whether this is the file that you mean, or set what it predicts: NAME=SOURCE,prediction=…",
            )
        }
    });
    std::iter::once(built_in).chain(others).collect()
}

/// Where measurements of base models may be: that of commands and of the server's own measurements, that of an agent on this
/// machine, and that of the agents that the server starts.
fn caches(settings: &Settings) -> Vec<PathBuf> {
    let named = std::env::var_os("MORPHEUS_WORK").filter(|work| !work.is_empty());
    let mut caches = vec![paths::work_dir()];
    caches.extend(named.map(PathBuf::from));
    caches.push(settings.data.join("agent"));
    distinct(caches)
}

/// Each path once, in the order in which they came first.
fn distinct(paths: Vec<PathBuf>) -> Vec<PathBuf> {
    let mut seen = HashSet::new();
    paths
        .into_iter()
        .filter(|path| seen.insert(path.clone()))
        .collect()
}

fn described(path: &str, base: &BaseFacts) -> String {
    let prediction = base
        .prediction
        .map_or_else(String::new, |prediction| format!(", {}", prediction.describe()));
    format!(
        "`{path}` is an SDXL model for {} pixels{prediction}",
        base.native_resolution
    )
}

/// The folder itself, or the nearest one above it that exists.
fn nearest_existing(path: &Path) -> PathBuf {
    path.ancestors()
        .find(|path| path.exists())
        .unwrap_or(Path::new("."))
        .to_owned()
}

fn bytes(n_bytes: u64) -> String {
    format!("{:.1} GiB", n_bytes as f64 / GIB as f64)
}

#[cfg(test)]
mod tests;
