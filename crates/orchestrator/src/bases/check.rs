//! Looks at registered base models: is it SDXL, what do its files hash to? Copies those that are wanted elsewhere.
//!
//! Of files on the web only the headers are fetched at first; a folder of files with the right headers and sizes, but
//! nothing in between, looks to the loader like the model itself.

use std::{
    io::{self, Seek as _, SeekFrom, Write as _},
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
    base::{BaseSource, BaseState},
    problem::chain,
};
use sha2::{Digest as _, Sha256};
use store::{
    BlobKey,
    bases::{self, Base, File},
    damage,
};
use tempfile::TempDir;
use tokio::io::AsyncReadExt as _;

use super::{
    files::{self, Prefer},
    hub,
    web::{Reader, Web},
};
use crate::{Orchestrator, ServiceError, ServiceResult};

/// How far the work is is written down this often.
const NOTE_EVERY: Duration = Duration::from_secs(1);
/// Bytes that are read from disk at a time.
const PIECE: usize = 1 << 20;
/// A header of tensors is shorter; SDXL's has some 300 kB.
const MOST_HEADER: u64 = 32 << 20;
/// A configuration or a tokenizer's vocabulary is shorter.
const MOST_TEXT: u64 = 16 << 20;

/// What became of a piece of work.
enum Done {
    /// It was done, or has failed for this reason.
    With(Result<(), String>),
    /// Somebody removed the base meanwhile.
    InVain,
}

impl Orchestrator {
    /// Takes registered bases, one after the other, until none waits.
    pub(crate) async fn reconcile_bases(&self) -> ServiceResult<()> {
        loop {
            // Mostly there is nothing to do, and nobody has to wait for a transaction of ours.
            if !bases::list(&self.store).await?.iter().any(Base::is_waiting) {
                return Ok(());
            }
            let tx = self.store.begin().await?;
            let taken = bases::claim(&tx).await?;
            tx.commit().await?;
            let Some(base) = taken else { return Ok(()) };
            self.look_after(base).await?;
        }
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

    /// Does a piece of work, and says in between how far it is and that somebody is at it.
    async fn noting(
        &self,
        base: &Base,
        n_bytes: &AtomicU64,
        work: impl Future<Output = Result<(), String>>,
    ) -> ServiceResult<Done> {
        // Both go on side by side: the work may hold a transaction that the note has to wait for.
        tokio::select! {
            outcome = work => Ok(Done::With(outcome)),
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
        let (mut found, facts) = match &base.source {
            BaseSource::Path(path) => {
                let facts = self.inspect(PathBuf::from(path)).await?;
                (on_disk(Path::new(path)).map_err(unreadable(path))?, facts)
            }
            BaseSource::Url { url, sha256 } => {
                let file = File {
                    path: file_name(url),
                    url: Some(url.clone()),
                    size_bytes: 0,
                    sha256: sha256.clone(),
                };
                let mut found = vec![file];
                let skeleton = skeleton(&web, &mut found).await?;
                let facts = self.inspect(skeleton.path().join(&found[0].path)).await?;
                (found, facts)
            }
            BaseSource::Hub {
                repository,
                revision,
                file,
            } => {
                let mut found = hub::files(&web, repository, revision.as_deref(), file.as_deref()).await?;
                let skeleton = skeleton(&web, &mut found).await?;
                let path = match found.as_mut_slice() {
                    // Its folder in the repository says nothing.
                    [only] => {
                        let path = skeleton.path().join(&only.path);
                        only.path = file_name(&only.path);
                        path
                    }
                    _ => skeleton.path().to_owned(),
                };
                (found, self.inspect(path).await?)
            }
        };
        if !base.is_hashed() {
            // Jobs on this machine may begin before the hash is known.
            self.learn(base, facts, &found).await?;
        }
        for file in &mut found {
            if file.sha256.is_none() {
                let (hash, size_bytes) = hash(open(base, file, &web).await?, n_bytes).await?;
                if size_bytes != file.size_bytes {
                    return Err(format!(
                        "`{}` has {size_bytes} bytes, not {} as it said before: it changes while it is read",
                        file.path, file.size_bytes
                    ));
                }
                file.sha256 = Some(hash);
            }
        }
        self.learn(base, facts, &found).await
    }

    async fn learn(
        &self,
        base: &Base,
        facts: protocol::base::BaseFacts,
        files: &[File],
    ) -> Result<(), String> {
        let keep = async {
            let tx = self.store.begin().await?;
            bases::learn(&tx, base, facts, files).await?;
            tx.commit().await?;
            Ok(())
        };
        keep.await.map_err(|err: ServiceError| chain(&err))
    }

    /// Copies its files into the object store, under their hashes.
    async fn copy(&self, base: &Base, n_bytes: &AtomicU64) -> Result<(), String> {
        let web = self.web()?;
        self.disk
            .check_room(base.size_bytes())
            .map_err(|err| chain(&err))?;
        for file in &base.files {
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
            let pieces = pieces(open(base, file, &web).await?, n_bytes);
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

    async fn inspect(&self, path: PathBuf) -> Result<protocol::base::BaseFacts, String> {
        let inspect = self
            .options
            .inspect_base
            .ok_or("this server looks at no base models")?;
        let looked = tokio::task::spawn_blocking(move || inspect(&path)).await;
        looked.map_err(|panic| format!("the file broke the reader: {panic}"))?
    }

    fn web(&self) -> Result<Web, String> {
        Web::new(self.options.hub.clone()).map_err(|err| chain(&err))
    }
}

/// Last part of an address or path, without what follows `?`, as the name of a file that loaders know by its ending.
fn file_name(address: &str) -> String {
    let path = address.split(['?', '#']).next().unwrap_or_default();
    let name = path.rsplit('/').next().unwrap_or_default();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._- ()+".contains(c);
    let name: String = name.chars().filter(|c| is_plain(*c)).collect();
    let stem = name.strip_suffix(files::TENSORS).unwrap_or(&name);
    let stem = stem.trim_matches(['.', ' ']);
    let stem = if stem.is_empty() { "base" } else { stem };
    format!("{stem}{}", files::TENSORS)
}

/// The files of a base on this machine.
fn on_disk(path: &Path) -> io::Result<Vec<File>> {
    let sized = |name: String, path: &Path| {
        Ok(File {
            path: name,
            url: None,
            size_bytes: std::fs::metadata(path)?.len(),
            sha256: None,
        })
    };
    if !path.is_dir() {
        return Ok(vec![sized(file_name(&path.to_string_lossy()), path)?]);
    }
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(path)?.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.path().is_dir() {
            let inner = std::fs::read_dir(entry.path())?.flatten();
            paths.extend(inner.map(|file| format!("{name}/{}", file.file_name().to_string_lossy())));
        } else {
            paths.push(name);
        }
    }
    let wanted = files::diffusers(paths.iter().map(String::as_str), Prefer::Full);
    let wanted = wanted.map_err(|part| io::Error::other(format!("no weights of {part}")))?;
    wanted
        .into_iter()
        .map(|name| sized(name.to_owned(), &path.join(name)))
        .collect()
}

/// A folder with files like these, of which only what describes them is there; sizes are filled in, and the hashes of
/// short ones.
async fn skeleton(web: &Web, found: &mut [File]) -> Result<TempDir, String> {
    let folder = tempfile::tempdir().map_err(unreadable("the folder for temporary files"))?;
    for file in found {
        let url = file.url.clone().unwrap_or_default();
        let cannot =
            |err: &dyn std::error::Error| format!("`{}` cannot be fetched: {}", file.path, chain(err));
        let (bytes, size_bytes) = if file.path.ends_with(files::TENSORS) {
            let (start, _) = web.head(&url, 8).await.map_err(|err| cannot(&err))?;
            let length = start.try_into().map(u64::from_le_bytes);
            let length = length.ok().filter(|length| *length <= MOST_HEADER).ok_or_else(|| {
                format!(
                    "`{}` is no safetensors file: it may be a web page (a download that wants you to sign in?) or a \
                     .ckpt under another name",
                    file.path
                )
            })?;
            web.head(&url, 8 + length).await.map_err(|err| cannot(&err))?
        } else {
            let (bytes, size) = web.head(&url, MOST_TEXT).await.map_err(|err| cannot(&err))?;
            if size > MOST_TEXT {
                return Err(format!("`{}` has {size} bytes, too many for a text", file.path));
            }
            file.sha256 = Some(hex::encode(Sha256::digest(&bytes)));
            (bytes, size)
        };
        file.size_bytes = size_bytes;
        let path = folder.path().join(&file.path);
        write(&path, &bytes, size_bytes).map_err(unreadable(&path.display().to_string()))?;
    }
    Ok(folder)
}

fn write(path: &Path, bytes: &[u8], size_bytes: u64) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let mut file = std::fs::File::create(path)?;
    file.write_all(bytes)?;
    file.set_len(size_bytes)?;
    file.seek(SeekFrom::Start(0)).map(drop)
}

fn unreadable(path: &str) -> impl Fn(io::Error) -> String + use<> {
    let path = path.to_owned();
    move |err| format!("`{path}` cannot be used: {err}")
}

/// A file being read, wherever it is.
enum Source {
    Disk { file: tokio::fs::File, path: PathBuf },
    Web { reader: Box<Reader>, path: String },
}

async fn open(base: &Base, file: &File, web: &Web) -> Result<Source, String> {
    if let Some(url) = &file.url {
        return Ok(Source::Web {
            reader: Box::new(web.read(url)),
            path: file.path.clone(),
        });
    }
    let BaseSource::Path(path) = &base.source else {
        return Err(format!("`{}` has no address", file.path));
    };
    let path = Path::new(path);
    let path = if path.is_dir() {
        path.join(&file.path)
    } else {
        path.to_owned()
    };
    let file = tokio::fs::File::open(&path).await;
    let file = file.map_err(unreadable(&path.display().to_string()))?;
    Ok(Source::Disk { file, path })
}

impl Source {
    async fn next(&mut self) -> Result<Option<Bytes>, String> {
        match self {
            Self::Disk { file, path } => {
                let mut piece = Vec::with_capacity(PIECE);
                let n_read = file.read_buf(&mut piece).await;
                let n_read = n_read.map_err(unreadable(&path.display().to_string()))?;
                Ok((n_read > 0).then(|| piece.into()))
            }
            Self::Web { reader, path } => {
                let piece = reader.next().await;
                piece.map_err(|err| format!("`{path}` cannot be fetched: {}", chain(&err)))
            }
        }
    }
}

async fn hash(mut source: Source, n_bytes: &AtomicU64) -> Result<(String, u64), String> {
    let (mut hasher, mut size_bytes) = (Sha256::new(), 0);
    while let Some(piece) = source.next().await? {
        hasher.update(&piece);
        size_bytes += piece.len() as u64;
        n_bytes.fetch_add(piece.len() as u64, Ordering::Relaxed);
        // Both ends may be faster than anybody else's turn would come.
        tokio::task::consume_budget().await;
    }
    Ok((hex::encode(hasher.finalize()), size_bytes))
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

#[cfg(test)]
mod tests {
    use super::file_name;

    #[test]
    fn a_file_gets_a_name_that_loaders_know() {
        for (address, name) in [
            ("https://a.example/b/sd xl.safetensors", "sd xl.safetensors"),
            (
                "https://a.example/api/download/models/128078?type=Model",
                "128078.safetensors",
            ),
            ("https://a.example/", "base.safetensors"),
            ("/models/..", "base.safetensors"),
        ] {
            assert_eq!(file_name(address), name);
        }
    }
}
