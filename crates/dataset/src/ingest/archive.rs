//! Reads zip archives without trusting them: names, sizes and counts are checked while reading.

use std::{
    collections::HashSet,
    io::{self, Read, Seek, SeekFrom},
};

use protocol::limits;
use zip::{
    CompressionMethod, ZipArchive,
    read::{Config, ZipFile},
    unstable::read::ZipIterable,
};

use super::{Batch, File, IngestError, encoding, name};
use crate::{
    picture::NormalizedPicture,
    sniff::{self, Kind},
};

/// Limits for one archive, enforced while it is unpacked.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Maximum number of entries.
    pub n_entries: usize,
    /// Maximum size of the list of entries: names, comments, extra fields.
    pub directory_bytes: u64,
    /// Maximum unpacked size of all entries together.
    pub total_bytes: u64,
    /// Maximum unpacked size of one entry.
    pub entry_bytes: u64,
    /// Maximum compression ratio of entries and archives above [`Limits::ratio_from_bytes`].
    pub ratio: u64,
    /// Below this unpacked size the ratio is not checked: a white page compresses very well and is harmless.
    pub ratio_from_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            n_entries: limits::MAX_ARCHIVE_ENTRIES,
            directory_bytes: limits::MAX_ARCHIVE_DIRECTORY_BYTES,
            total_bytes: limits::MAX_UNPACKED_BYTES,
            entry_bytes: super::MAX_FILE_BYTES,
            ratio: 200,
            ratio_from_bytes: 16 << 20,
        }
    }
}

/// Why one entry or the whole archive is refused.
enum Refusal {
    Entry(String),
    Archive(String),
}

impl Batch {
    /// Takes the files of an archive. An archive that breaks a limit is refused as a whole.
    pub(super) fn add_archive<R: Read + Seek, E>(
        &mut self,
        archive_name: &str,
        mut file: R,
        store: &mut impl FnMut(&NormalizedPicture) -> Result<(), E>,
    ) -> Result<(), IngestError<E>> {
        let n_packed_bytes = file
            .seek(std::io::SeekFrom::End(0))
            .map_err(|err| IngestError::Read {
                file_name: archive_name.to_owned(),
                err,
            })?;
        let (n_pictures, n_refused) = (self.pictures.len(), self.refused.len());
        let mut archive = match open(file, &self.limits) {
            Ok(archive) => archive,
            Err(reason) => {
                self.refuse(archive_name.to_owned(), reason.to_string());
                return Ok(());
            }
        };
        if self.n_files + archive.len() > limits::MAX_UPLOAD_FILES {
            let reason = format!(
                "contains {} files, which exceeds the limit of {} for one upload: send it in another upload",
                archive.len(),
                limits::MAX_UPLOAD_FILES
            );
            self.refuse(archive_name.to_owned(), reason);
            return Ok(());
        }
        let own_names = entry_names(&archive);
        if let Some(what) = own_names.iter().find_map(|name| is_document_with(name)) {
            self.n_files += 1;
            self.refuse(
                archive_name.to_owned(),
                format!("is {what}: {}", sniff::AS_PICTURE),
            );
            return Ok(());
        }
        self.n_files += archive.len();
        let mut counted = Counted {
            limits: self.limits,
            n_packed_bytes,
            n_unpacked_bytes: 0,
            names: HashSet::new(),
        };
        let mut holds_nothing = true;
        for (index, own_name) in own_names.into_iter().enumerate() {
            let entry_name = name::displayable(&own_name);
            if name::is_side_file(&entry_name) {
                self.side_files.push(format!("{archive_name}/{entry_name}"));
                holds_nothing = false;
                continue;
            }
            let read = match unread_method(&mut archive, index) {
                Some(method) => Err(Refusal::Entry(format!(
                    "is packed with {method}: pack the archive with Deflate, the usual method of zip"
                ))),
                None => match archive.by_index(index) {
                    Ok(entry) => counted.read(entry, &own_name),
                    Err(err) => Err(Refusal::Entry(format!("cannot be unpacked: {err}"))),
                },
            };
            holds_nothing &= matches!(read, Ok(None));
            match read {
                Ok(None) => {}
                Ok(Some(bytes)) => {
                    self.add_file(
                        File {
                            archive: Some(archive_name),
                            name: entry_name,
                            bytes,
                            document: None,
                        },
                        store,
                    )?;
                }
                Err(Refusal::Entry(reason)) => self.refuse(format!("{archive_name}/{entry_name}"), reason),
                Err(Refusal::Archive(reason)) => {
                    self.roll_back(n_pictures, n_refused, archive_name);
                    self.refuse(archive_name.to_owned(), reason);
                    return Ok(());
                }
            }
        }
        if holds_nothing {
            self.refuse(
                archive_name.to_owned(),
                "holds no pictures and no captions".to_owned(),
            );
        }
        Ok(())
    }
}

impl Batch {
    /// Takes the picture that a document of a painting program has of all its layers; one that has none is refused.
    pub(super) fn add_document<R: Read + Seek, E>(
        &mut self,
        name: String,
        what: &'static str,
        file: R,
        store: &mut impl FnMut(&NormalizedPicture) -> Result<(), E>,
    ) -> Result<(), IngestError<E>> {
        self.n_files += 1;
        let Some(bytes) = merged_picture(file, self.limits) else {
            self.refuse(name, format!("is {what}: {}", sniff::AS_PICTURE));
            return Ok(());
        };
        let n_pictures = self.pictures.len();
        let file = File {
            archive: None,
            name,
            bytes,
            document: Some(what),
        };
        self.add_file(file, store)?;
        if let Some(taken) = self.pictures.get_mut(n_pictures) {
            taken
                .item
                .notes
                .push(format!("taken from {what}, with all its layers merged"));
        }
        Ok(())
    }
}

/// What Krita and OpenRaster keep of all layers together (OpenRaster specification, "File Layout").
fn merged_picture<R: Read + Seek>(mut file: R, limits: Limits) -> Option<Vec<u8>> {
    let n_packed_bytes = file.seek(SeekFrom::End(0)).ok()?;
    let mut archive = open(file, &limits).ok()?;
    let mut entry = archive.by_name("mergedimage.png").ok()?;
    let mut counted = Counted {
        limits,
        n_packed_bytes,
        n_unpacked_bytes: 0,
        names: HashSet::new(),
    };
    let n_packed_bytes = entry.compressed_size().min(n_packed_bytes);
    let bytes = counted.unpack(&mut entry, n_packed_bytes).ok()?;
    let kind = sniff::sniff(&bytes[..bytes.len().min(sniff::HEAD_BYTES)]);
    matches!(kind, Kind::Picture(_)).then_some(bytes)
}

/// What a zip archive is by one of its entries, if its pictures are parts of something else.
fn is_document_with(entry: &str) -> Option<&'static str> {
    match entry {
        "Document.archive" => Some("a Procreate document"),
        "[Content_Types].xml" => Some("an Office document"),
        _ => None,
    }
}

/// The name of the method that an entry is packed with, if it is one that is not read.
fn unread_method<R: Read + Seek>(archive: &mut ZipArchive<R>, index: usize) -> Option<&'static str> {
    const METHODS: [(CompressionMethod, &str); 6] = [
        (CompressionMethod::DEFLATE64, "Deflate64"),
        (CompressionMethod::BZIP2, "bzip2"),
        (CompressionMethod::LZMA, "LZMA"),
        (CompressionMethod::ZSTD, "Zstandard"),
        (CompressionMethod::XZ, "XZ"),
        (CompressionMethod::PPMD, "PPMd"),
    ];
    let method = archive.by_index_raw(index).ok()?.compression();
    let is_read = zip::SUPPORTED_COMPRESSION_METHODS.contains(&method);
    let (_, name) = METHODS.iter().find(|(known, _)| *known == method)?;
    (!is_read).then_some(*name)
}

/// Why an archive is not opened.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// It is not a whole zip archive.
    #[error("is a damaged zip archive: {0}; pack it again")]
    Damaged(String),
    /// It exceeds a limit, or nobody packs such an archive by accident.
    #[error("{0}")]
    Refused(String),
}

/// Opens an archive that somebody sent. Its list of entries is read within limits; its entries are not.
pub fn open_archive<R: Read + Seek>(file: R) -> Result<ZipArchive<R>, ArchiveError> {
    open(file, &Limits::default())
}

fn open<R: Read + Seek>(mut file: R, limits: &Limits) -> Result<ZipArchive<R>, ArchiveError> {
    let damaged = |err: zip::result::ZipError| ArchiveError::Damaged(err.to_string());
    let refused = |reason: &str| Err(ArchiveError::Refused(reason.to_owned()));
    check_directory(&mut file, limits)?;
    let mut archive = ZipArchive::new(file).map_err(damaged)?;
    if archive.is_empty() {
        return refused("is an empty archive");
    }
    if archive.has_duplicate_names() {
        return refused("contains two files with the same name: pack it again");
    }
    if archive.has_overlapping_files().map_err(damaged)? {
        return refused("is a zip bomb: its files overlap");
    }
    Ok(archive)
}

/// Goes through the list of entries one by one, which takes room for one, before [`ZipArchive`] keeps all of them.
fn check_directory(file: impl Read + Seek, limits: &Limits) -> Result<(), ArchiveError> {
    let file = Counting {
        file,
        n_left: limits.directory_bytes,
    };
    let objection = |err: zip::result::ZipError| match err {
        zip::result::ZipError::Io(err) if err.kind() == io::ErrorKind::FileTooLarge => {
            ArchiveError::Refused(format!(
                "has a file list larger than {} MiB: pack it again, without comments",
                limits.directory_bytes >> 20
            ))
        }
        err => ArchiveError::Damaged(err.to_string()),
    };
    let mut directory = ZipIterable::try_new(file, Config::default()).map_err(objection)?;
    if directory.len() > limits.n_entries {
        return Err(ArchiveError::Refused(format!(
            "contains {} files: an archive can have at most {}",
            directory.len(),
            limits.n_entries
        )));
    }
    directory
        .files()
        .map_err(objection)?
        .try_for_each(|entry| entry.map(drop).map_err(objection))
}

/// Reads no more than so many bytes.
struct Counting<R> {
    file: R,
    n_left: u64,
}

impl<R: Read> Read for Counting<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n_bytes = self.file.read(buffer)?;
        self.n_left = self
            .n_left
            .checked_sub(n_bytes as u64)
            .ok_or(io::ErrorKind::FileTooLarge)?;
        Ok(n_bytes)
    }
}

impl<R: Seek> Seek for Counting<R> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file.seek(to)
    }
}

/// The names of all entries, as text.
fn entry_names<R: Read + Seek>(archive: &ZipArchive<R>) -> Vec<String> {
    let encoding = encoding::of_names(archive.file_names_raw());
    let names = archive.file_names_raw().zip(archive.file_names());
    names
        .enumerate()
        .map(|(index, (raw, name))| {
            let decoded = encoding
                .filter(|_| str::from_utf8(raw).is_err())
                .and_then(|encoding| encoding::decoded(raw, encoding));
            match (decoded, name) {
                (Some(name), _) | (None, Ok(name)) => name.into_owned(),
                (None, Err(_)) => format!("entry {}", index + 1),
            }
        })
        .collect()
}

/// What has been unpacked so far.
struct Counted {
    limits: Limits,
    n_packed_bytes: u64,
    n_unpacked_bytes: u64,
    names: HashSet<String>,
}

impl Counted {
    /// Unpacks an entry; `None` for folders and clutter.
    fn read<R: Read>(&mut self, mut entry: ZipFile<'_, R>, name: &str) -> Result<Option<Vec<u8>>, Refusal> {
        let entry_refused = |reason: &str| Err(Refusal::Entry(reason.to_owned()));
        if let Some(reason) = name::objection(name) {
            return entry_refused(reason);
        }
        if entry.is_symlink() {
            return entry_refused("is a symbolic link: pack the file itself");
        }
        // The second byte of a Japanese letter may be a backslash, which ends a folder's name only as a letter of its own.
        if name.ends_with(['/', '\\']) || name::is_clutter(&name.replace('\\', "/")) {
            return Ok(None);
        }
        if entry.encrypted() {
            return entry_refused("is encrypted: pack the archive without a password");
        }
        if !self.names.insert(name.to_lowercase()) {
            return entry_refused(
                "has the same name as another file in the archive apart from upper and lower case",
            );
        }
        let n_packed_bytes = entry.compressed_size().min(self.n_packed_bytes);
        let bytes = self.unpack(&mut entry, n_packed_bytes)?;
        if sniff::sniff(&bytes[..bytes.len().min(sniff::HEAD_BYTES)]) == Kind::Zip {
            return entry_refused("is an archive inside an archive: unpack it first");
        }
        Ok(Some(bytes))
    }

    /// Unpacks as much as the limits allow; the sizes that the archive declares are not asked.
    fn unpack(&mut self, entry: &mut impl Read, n_packed_bytes: u64) -> Result<Vec<u8>, Refusal> {
        let Limits {
            total_bytes,
            entry_bytes,
            ratio,
            ratio_from_bytes,
            ..
        } = self.limits;
        let allowed = entry_bytes
            .min(total_bytes - self.n_unpacked_bytes)
            .min(n_packed_bytes.saturating_mul(ratio).max(ratio_from_bytes));
        let mut bytes = Vec::new();
        entry
            .take(allowed + 1)
            .read_to_end(&mut bytes)
            .map_err(|err| Refusal::Entry(format!("is damaged in the archive: {err}; pack it again")))?;
        let n_bytes = bytes.len() as u64;
        if n_bytes > total_bytes - self.n_unpacked_bytes {
            let reason = format!("is a zip bomb: it unpacks to more than {} MiB", total_bytes >> 20);
            return Err(Refusal::Archive(reason));
        }
        if n_bytes > entry_bytes {
            let reason = format!(
                "is a zip bomb: a file in it unpacks to more than {} MiB",
                entry_bytes >> 20
            );
            return Err(Refusal::Archive(reason));
        }
        self.n_unpacked_bytes += n_bytes;
        let is_bomb =
            |unpacked: u64, packed: u64| unpacked > ratio_from_bytes && unpacked / packed.max(1) > ratio;
        if n_bytes > allowed || is_bomb(self.n_unpacked_bytes, self.n_packed_bytes) {
            let reason = format!("is a zip bomb: it unpacks to more than {ratio} times its size");
            return Err(Refusal::Archive(reason));
        }
        Ok(bytes)
    }
}
