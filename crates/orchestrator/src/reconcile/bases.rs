//! Checks registered base models: whether they are SDXL, and the hashes of their files. Copies those that other
//! machines need.
//!
//! At first only the header of each file is read; the loader accepts a folder of files with the right headers and
//! sizes, but without weights, as the model.

use std::{
    error::Error,
    io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use futures::{Stream, stream};
use protocol::{
    base::{BaseFacts, BaseSource, BaseState, Measured},
    limits::{
        BASE_DISK_SILENCE, MAX_BASE_TEXT_BYTES, MAX_BASE_WORK, MAX_BASES_AT_ONCE, MAX_TENSOR_HEADER_BYTES,
    },
    problem::chain,
};
use sha2::{Digest as _, Sha256};
use store::{
    BlobKey,
    bases::{self, Base, File, Learned, Located},
    damage,
};
use tokio::{io::AsyncReadExt as _, task::JoinSet, time::timeout};

use crate::{
    Orchestrator, ServiceError, ServiceResult,
    bases::{
        Beside, Inspect, Unmeasured,
        disk::{self, Disk},
        files, hub,
        places::By,
        skeleton::{self, NamedVae, Skeleton, Subject, file_name},
        stored::Made,
        web::{Reader, Web},
    },
};

/// Interval at which progress is recorded.
const NOTE_EVERY: Duration = Duration::from_secs(1);
/// Bytes that are read from disk at a time.
const PIECE: usize = 1 << 20;

/// The result of a piece of work.
enum Done {
    /// It was done, or has failed for this reason.
    With(Result<(), String>),
    /// Somebody removed the base meanwhile.
    InVain,
}

impl Orchestrator {
    /// Checks registered base models until none is waiting; several at once, so that a slow one does not hold up the
    /// others.
    pub(crate) async fn reconcile_bases(&self) -> ServiceResult<()> {
        // Separate tasks: each may hold the only transaction while we wait for another.
        let mut at_work = JoinSet::new();
        let mut outcome = Ok(());
        loop {
            while at_work.len() < MAX_BASES_AT_ONCE
                && let Some(base) = self.next_base().await?
            {
                let orchestrator = self.clone();
                at_work.spawn(async move { orchestrator.look_after(base).await });
            }
            // Others may be registered meanwhile.
            match timeout(self.options.tick, at_work.join_next()).await {
                Ok(Some(Ok(done))) => outcome = outcome.and(done),
                Ok(Some(Err(broken))) => {
                    tracing::error!(
                        error = &broken as &dyn Error,
                        "the work on a base model broke off"
                    );
                }
                Ok(None) => return outcome,
                Err(_) => {}
            }
        }
    }

    async fn next_base(&self) -> ServiceResult<Option<Base>> {
        // Usually there is nothing to do, and then no transaction is opened for others to wait for.
        if !bases::list(&self.store).await?.iter().any(Base::is_waiting) {
            return Ok(None);
        }
        let tx = self.store.begin().await?;
        let taken = bases::claim(&tx).await?;
        tx.commit().await?;
        Ok(taken)
    }

    async fn look_after(&self, base: Base) -> ServiceResult<()> {
        let n_bytes = Arc::new(AtomicU64::new(0));
        let is_check = base.state == BaseState::Checking;
        let done = if is_check {
            self.noting(&base, &n_bytes, self.check(&base, &n_bytes)).await?
        } else {
            self.noting(&base, &n_bytes, self.copy(&base, &n_bytes)).await?
        };
        let Done::With(outcome) = done else {
            return Ok(());
        };
        let problem = outcome.err();
        match &problem {
            None => tracing::info!(base = base.name, is_check, "base model looked after"),
            Some(problem) => tracing::warn!(base = base.name, is_check, problem, "a base model is not fit"),
        }
        let tx = self.store.begin().await?;
        if is_check {
            bases::checked(&tx, base.id, problem).await?;
        } else {
            bases::copied(&tx, base.id, problem).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// Does a piece of work, and meanwhile records its progress and renews its lease.
    async fn noting(
        &self,
        base: &Base,
        n_bytes: &AtomicU64,
        work: impl Future<Output = Result<(), String>>,
    ) -> ServiceResult<Done> {
        // Both go on side by side: the work may hold a transaction that the note has to wait for.
        tokio::select! {
            outcome = timeout(MAX_BASE_WORK, work) => Ok(Done::With(outcome.unwrap_or_else(|_| {
                Err(format!("it was not finished after {} hours", MAX_BASE_WORK.as_secs() / 3600))
            }))),
            noted = self.note_until_removed(base, n_bytes) => noted.map(|()| Done::InVain),
        }
    }

    async fn note_until_removed(&self, base: &Base, n_bytes: &AtomicU64) -> ServiceResult<()> {
        let mut timer = tokio::time::interval(NOTE_EVERY);
        loop {
            timer.tick().await;
            let tx = self.store.begin().await?;
            let is_there = bases::progress(&tx, base.id, n_bytes.load(Ordering::Relaxed)).await?;
            tx.commit().await?;
            if !is_there {
                return Ok(());
            }
        }
    }

    /// Finds out whether it is an SDXL model, and the hash of each file.
    async fn check(&self, base: &Base, n_bytes: &AtomicU64) -> Result<(), String> {
        let web = self.web()?;
        let inspect = self
            .options
            .inspect_base
            .ok_or("this server looks at no base models")?;
        let disk = self.on_disk(base);
        let vae = self.named_vae(base, &web, &disk).await?;
        let vae_place = vae.as_ref().and_then(|(_, place)| place.clone());
        let vae = vae.map(|(vae, _)| vae);
        let (mut found, facts, place) = match &base.source {
            BaseSource::Path(path) => {
                let (disk, path, prediction) = (Arc::clone(&disk), PathBuf::from(path), base.said.prediction);
                let looking = path.clone();
                let looked = disk::patiently(&path, move || {
                    disk.look_beside(&looking, prediction, vae.as_ref(), inspect)
                })
                .await?;
                (looked.files, looked.facts, looked.located.place)
            }
            BaseSource::Url { url, sha256 } => {
                let mut found = vec![on_the_web(url, sha256.clone())];
                let skeleton = fetched(&web, &mut found).await?;
                let only = Some(found[0].path.clone());
                found.extend(vae.as_ref().map(|vae| vae.file.clone()));
                (found, look(skeleton, only, base, vae, inspect).await?, None)
            }
            BaseSource::Hub {
                repository,
                revision,
                file,
            } => {
                let wanted = hub::Wanted {
                    file: file.as_deref(),
                    named: if vae.is_some() { &["vae"] } else { &[] },
                };
                let mut found = hub::files(&web, repository, revision.as_deref(), wanted).await?;
                let skeleton = fetched(&web, &mut found).await?;
                let only = match found.as_mut_slice() {
                    // Its folder in the repository says nothing.
                    [only] => {
                        let path = only.path.clone();
                        only.path = file_name(&only.path);
                        Some(path)
                    }
                    _ => None,
                };
                found.extend(vae.as_ref().map(|vae| vae.file.clone()));
                (found, look(skeleton, only, base, vae, inspect).await?, None)
            }
            BaseSource::Edit(_) => {
                let own = base.files.iter().filter(|file| file.is_object);
                let own: Vec<File> = own.cloned().collect();
                let made = Made::open(self.store.objects(), &own).await?;
                let skeleton = Skeleton::new()?;
                made.describe(&skeleton).await?;
                let beside = vae.as_ref().map(|vae| vae.file.clone());
                let facts = look(skeleton, made.only(), base, vae, inspect).await?;
                let n_new_bytes = made.n_new_bytes();
                if n_new_bytes > 0 {
                    self.check_room(n_new_bytes).map_err(|err| chain(&err))?;
                }
                let mut found = made.keep(n_bytes).await?;
                found.extend(beside);
                (found, facts, None)
            }
        };
        let located = Located { place, vae_place };
        if !base.is_hashed() {
            // Jobs on this machine may begin before the hash is known.
            self.learn(base, facts.clone(), located.clone(), &found).await?;
        }
        let base = &Base {
            place: located.place.clone(),
            vae_place: located.vae_place.clone(),
            ..base.clone()
        };
        for file in &mut found {
            if file.sha256.is_none() {
                file.sha256 = Some(hash(open(base, file, &web, &disk).await?, file, n_bytes).await?);
            }
        }
        self.learn(base, facts, located, &found).await?;
        self.measure(base).await
    }

    /// The first bytes of a VAE that is named beside a base, and where it is if on this machine.
    async fn named_vae(
        &self,
        base: &Base,
        web: &Web,
        disk: &Arc<Disk>,
    ) -> Result<Option<(NamedVae, Option<String>)>, String> {
        let Some(source) = &base.said.vae else {
            return Ok(None);
        };
        let mut found = match source {
            BaseSource::Path(path) => {
                let (disk, path) = (Arc::clone(disk), PathBuf::from(path));
                let looking = path.clone();
                let looked = disk::patiently(&path, move || disk.look_at_vae(&looking)).await?;
                return Ok(Some((looked.vae, Some(looked.place))));
            }
            BaseSource::Url { url, sha256 } => on_the_web(url, sha256.clone()),
            BaseSource::Hub {
                repository,
                revision,
                file,
            } => {
                let wanted = hub::Wanted {
                    file: file.as_deref(),
                    ..hub::Wanted::default()
                };
                let found = hub::files(web, repository, revision.as_deref(), wanted).await?;
                let [found] = <[File; 1]>::try_from(found)
                    .map_err(|_| "the VAE is a folder: name the file, hf:OWNER/REPOSITORY:FILE".to_owned())?;
                found
            }
            BaseSource::Edit(_) => return Err("an edit makes no VAE: name the file of one".to_owned()),
        };
        let start = head(web, &mut found).await?;
        found.path = file_name(&found.path);
        found.is_vae = true;
        let vae = NamedVae {
            file: found,
            start,
            shown: source.shown(),
        };
        Ok(Some((vae, None)))
    }

    /// Measures what the U-Net of a base on this machine does, once for the same weights. It is an error if its numbers
    /// cannot be used.
    async fn measure(&self, base: &Base) -> Result<(), String> {
        let Some(measure) = self.options.measure_base else {
            return Ok(());
        };
        let known = bases::get(&self.store, &base.name)
            .await
            .map_err(|err| chain(&err))?;
        let is_known = known
            .measured
            .is_some_and(|measured| measured.method == Measured::METHOD);
        let (false, Some(place)) = (is_known, base.place.clone()) else {
            return Ok(());
        };
        // The picture that is shown to it can be encoded by the model's own VAE if the other is elsewhere.
        let (vae, prediction) = (base.vae_place.clone(), base.said.prediction);
        let measuring = tokio::task::spawn_blocking(move || {
            let beside = Beside {
                prediction,
                vae: vae.as_deref().map(Path::new),
            };
            measure(Path::new(&place), beside)
        });
        match measuring
            .await
            .map_err(|panic| format!("the file broke the reader: {panic}"))?
        {
            Ok(measured) => {
                let keep = async {
                    let tx = self.store.begin().await?;
                    bases::measured(&tx, base.id, &measured).await?;
                    tx.commit().await?;
                    Ok(())
                };
                keep.await.map_err(|err: ServiceError| chain(&err))
            }
            Err(Unmeasured::Broken(problem)) => Err(problem),
            Err(Unmeasured::NotHere(reason)) => {
                tracing::info!(
                    base = base.name,
                    reason,
                    "what the base model predicts was not measured"
                );
                Ok(())
            }
        }
    }

    async fn learn(
        &self,
        base: &Base,
        facts: BaseFacts,
        located: Located,
        files: &[File],
    ) -> Result<(), String> {
        let keep = async {
            let tx = self.store.begin().await?;
            let learned = Learned {
                facts,
                located,
                files,
            };
            bases::learn(&tx, base, learned).await?;
            tx.commit().await?;
            Ok(())
        };
        keep.await.map_err(|err: ServiceError| chain(&err))
    }

    /// Copies its files into the object store, under their hashes.
    async fn copy(&self, base: &Base, n_bytes: &AtomicU64) -> Result<(), String> {
        let (web, disk) = (self.web()?, self.on_disk(base));
        while let Err(err) = self.check_room(base.size_bytes()) {
            if !self.disk.is_short() {
                return Err(chain(&err));
            }
            // It goes on when there is room again.
            tokio::time::sleep(self.options.tick).await;
        }
        for file in base.files.iter().filter(|file| !file.is_object) {
            let hash = file.sha256.as_deref().unwrap_or_default();
            let key = BlobKey::from_sha256(hash).map_err(|err| chain(&err))?;
            let objects = self.store.objects();
            let is_damaged = damage::of(&self.store, &key).await.map_err(|err| chain(&err))?;
            if is_damaged.is_none()
                && objects
                    .has_fresh(&key, file.size_bytes)
                    .await
                    .map_err(|err| chain(&err))?
            {
                n_bytes.fetch_add(file.size_bytes, Ordering::Relaxed);
                continue;
            }
            let pieces = pieces(open(base, file, &web, &disk).await?, n_bytes);
            objects
                .put_stream(&key, file.size_bytes, pieces)
                .await
                .map_err(|err| {
                    format!(
                        "`{}` was not copied: {} (if the file has changed, check the base model again)",
                        file.path,
                        chain(&err)
                    )
                })?;
        }
        Ok(())
    }

    fn on_disk(&self, base: &Base) -> Arc<Disk> {
        let by = if base.from_settings {
            By::Settings
        } else {
            By::Request
        };
        Arc::new(Disk::new(&self.places, by))
    }

    fn web(&self) -> Result<Web, String> {
        let (hub, allowed) = (self.options.hub.clone(), self.options.fetch_from.clone());
        Web::new(hub, allowed).map_err(|err| chain(&err))
    }
}

/// A file at an address.
fn on_the_web(url: &str, sha256: Option<String>) -> File {
    File {
        path: file_name(url),
        url: Some(url.to_owned()),
        size_bytes: 0,
        sha256,
        is_vae: false,
        is_object: false,
    }
}

/// A folder with what describes the files; sizes are filled in, and the hashes of short ones.
async fn fetched(web: &Web, found: &mut [File]) -> Result<Skeleton, String> {
    skeleton::check_number(found.len())?;
    let skeleton = Skeleton::new()?;
    for file in found {
        let start = head(web, file).await?;
        skeleton.put(&file.path, &start, file.size_bytes)?;
    }
    Ok(skeleton)
}

/// What describes a file: its header, or all of a text. Its size is filled in, and the hash of a text.
async fn head(web: &Web, file: &mut File) -> Result<Vec<u8>, String> {
    let url = file.url.clone().unwrap_or_default();
    let cannot =
        |err: &dyn std::error::Error| format!("`{}` cannot be downloaded: {}", file.path, chain(err));
    let (bytes, size_bytes) = if file.path.ends_with(files::TENSORS) {
        let (start, _) = web.head(&url, 8).await.map_err(|err| cannot(&err))?;
        let length = start.try_into().map(u64::from_le_bytes);
        let length = length
            .ok()
            .filter(|length| *length <= MAX_TENSOR_HEADER_BYTES)
            .ok_or_else(|| {
                format!(
                    "`{}` is not a safetensors file: it may be a web page (does the download require signing in?) or \
                     a .ckpt file with another name",
                    file.path
                )
            })?;
        web.head(&url, 8 + length).await.map_err(|err| cannot(&err))?
    } else {
        let (bytes, size) = web
            .head(&url, MAX_BASE_TEXT_BYTES)
            .await
            .map_err(|err| cannot(&err))?;
        if size > MAX_BASE_TEXT_BYTES {
            return Err(format!(
                "`{}` has {size} bytes, too many for a text file",
                file.path
            ));
        }
        file.sha256 = Some(hex::encode(Sha256::digest(&bytes)));
        (bytes, size)
    };
    file.size_bytes = size_bytes;
    Ok(bytes)
}

async fn look(
    skeleton: Skeleton,
    only: Option<String>,
    base: &Base,
    vae: Option<NamedVae>,
    inspect: Inspect,
) -> Result<BaseFacts, String> {
    let (shown, prediction) = (base.source.shown(), base.said.prediction);
    let looked = tokio::task::spawn_blocking(move || {
        let subject = Subject {
            file: only.as_deref(),
            shown: &shown,
            prediction,
            vae: vae.as_ref(),
        };
        skeleton.inspect(&subject, inspect)
    })
    .await;
    looked.map_err(|panic| format!("the file broke the reader: {panic}"))?
}

/// A file being read, wherever it is.
enum Source {
    Disk { file: tokio::fs::File, path: PathBuf },
    Web { reader: Box<Reader>, path: String },
}

/// Opens a file of a base, wherever it is.
async fn open(base: &Base, file: &File, web: &Web, disk: &Arc<Disk>) -> Result<Source, String> {
    if let Some(url) = &file.url {
        return Ok(Source::Web {
            reader: Box::new(web.read(url)),
            path: file.path.clone(),
        });
    }
    let place = if file.is_vae { &base.vae_place } else { &base.place };
    let Some(place) = place.as_ref().map(PathBuf::from) else {
        return Err(format!(
            "`{}` was not found yet: check the base model again",
            file.path
        ));
    };
    let (disk, wanted, path) = (Arc::clone(disk), file.clone(), place.clone());
    let opened = disk::patiently(&path, move || disk.open(&place, &wanted)).await?;
    Ok(Source::Disk {
        file: opened.file.into(),
        path,
    })
}

impl Source {
    async fn next(&mut self) -> Result<Option<Bytes>, String> {
        match self {
            Self::Disk { file, path } => {
                let mut piece = Vec::with_capacity(PIECE);
                let n_read = timeout(BASE_DISK_SILENCE, file.read_buf(&mut piece)).await;
                let n_read = n_read.map_err(|_| disk::silent(path, BASE_DISK_SILENCE))?;
                let n_read = n_read.map_err(|err| format!("`{}` cannot be used: {err}", path.display()))?;
                Ok((n_read > 0).then(|| piece.into()))
            }
            Self::Web { reader, path } => {
                let piece = reader.next().await;
                piece.map_err(|err| format!("`{path}` cannot be downloaded: {}", chain(&err)))
            }
        }
    }
}

/// SHA-256 of a file, which must still have the size that was stated before.
async fn hash(mut source: Source, file: &File, n_bytes: &AtomicU64) -> Result<String, String> {
    let (mut hasher, mut size_bytes) = (Sha256::new(), 0);
    while let Some(piece) = source.next().await? {
        hasher.update(&piece);
        size_bytes += piece.len() as u64;
        // It may have no end.
        if size_bytes > file.size_bytes {
            return Err(changing(file, "more"));
        }
        n_bytes.fetch_add(piece.len() as u64, Ordering::Relaxed);
        // Both ends may be so fast that other tasks would never run.
        tokio::task::consume_budget().await;
    }
    if size_bytes < file.size_bytes {
        return Err(changing(file, "fewer"));
    }
    Ok(hex::encode(hasher.finalize()))
}

fn changing(file: &File, than: &str) -> String {
    format!(
        "`{}` has {than} than its original {} bytes: it changed while it was read",
        file.path, file.size_bytes
    )
}

fn pieces(source: Source, n_bytes: &AtomicU64) -> impl Stream<Item = Result<Bytes, io::Error>> + Send {
    stream::try_unfold(source, move |mut source| async move {
        let piece = source.next().await.map_err(io::Error::other)?;
        Ok(piece.map(|piece| {
            n_bytes.fetch_add(piece.len() as u64, Ordering::Relaxed);
            (piece, source)
        }))
    })
}
