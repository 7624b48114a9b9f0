//! Damaged and hostile backups: refused by name, before anything is written.

use std::{
    io::Write as _,
    path::{Path, PathBuf},
};

use store::backup::{Backup, BackupError};
use tar::{EntryType, Header};

use super::{Place, back_up, quiet, small};

/// An entry of an archive.
struct Entry {
    name: String,
    starts_at: usize,
    size_bytes: usize,
}

fn entries(archive: &[u8]) -> anyhow::Result<Vec<Entry>> {
    let mut archive = tar::Archive::new(archive);
    let entries = archive.entries()?.map(|entry| {
        let entry = entry?;
        Ok(Entry {
            name: String::from_utf8_lossy(&entry.path_bytes()).into_owned(),
            starts_at: usize::try_from(entry.raw_file_position())?,
            size_bytes: usize::try_from(entry.size())?,
        })
    });
    entries.collect()
}

/// Opens and checks a file as `restore` does; what is wrong with it.
async fn refused(there: &Place, path: &Path) -> String {
    let tried = match Backup::open(path, None) {
        Ok(backup) => there.builder().restore(&backup, &mut quiet).await.map(drop),
        Err(err) => Err(err),
    };
    let message = tried.expect_err("it was restored").to_string();
    assert!(message.contains(&*path.to_string_lossy()), "{message}");
    assert_eq!(
        std::fs::read_dir(there.data())
            .expect("the folder is there")
            .count(),
        0,
        "something was written: {message}"
    );
    message
}

#[tokio::test]
async fn every_part_of_a_file_is_checked() -> anyhow::Result<()> {
    let (place, there, shelf) = (Place::embedded()?, Place::embedded()?, tempfile::tempdir()?);
    small(&place).await?;
    let file = shelf.path().join("studio.tar");
    back_up(&place, &file).await?;
    let whole = std::fs::read(&file)?;
    let entries = entries(&whole)?;
    let names: Vec<&str> = entries.iter().map(|entry| entry.name.as_str()).collect();
    assert_eq!(
        names[3..],
        ["database.jsonl", "manifest.json", "manifest.json.sha256"]
    );
    assert!(
        names[..3].iter().all(|name| name.starts_with("objects/sha256/")),
        "{names:?}"
    );

    let changed = shelf.path().join("changed.tar");
    let with = |bytes: &[u8]| std::fs::write(&changed, bytes);
    for entry in &entries {
        let name = entry
            .name
            .trim_start_matches("objects/")
            .trim_end_matches(".sha256");
        let data = entry.starts_at..entry.starts_at + entry.size_bytes;
        // Its first, its last and a middle byte, another one in each way that a bit can be wrong.
        for at in [data.start, data.start + data.len() / 2, data.end - 1] {
            let mut bytes = whole.clone();
            bytes[at] ^= 1 << (at % 8);
            with(&bytes)?;
            let message = refused(&there, &changed).await;
            assert!(
                message.contains("is damaged") && message.contains(name),
                "{name} at {at}: {message}"
            );
        }
        // Its header: name, size, kind.
        for at in [0, 130, 156] {
            let mut bytes = whole.clone();
            bytes[entry.starts_at - 512 + at] ^= 1;
            with(&bytes)?;
            refused(&there, &changed).await;
        }
        // Cut off before it, within its header, within it.
        for n in [
            entry.starts_at - 512,
            entry.starts_at - 100,
            data.start + data.len() / 2,
        ] {
            with(&whole[..n])?;
            refused(&there, &changed).await;
        }
        // Left out.
        let padded = entry.size_bytes.next_multiple_of(512);
        with(
            &[
                &whole[..entry.starts_at - 512],
                &whole[entry.starts_at + padded..],
            ]
            .concat(),
        )?;
        let message = refused(&there, &changed).await;
        assert!(message.contains(name), "{name} is missing: {message}");
    }
    with(&whole)?;
    there
        .builder()
        .restore(&Backup::open(&changed, None)?, &mut quiet)
        .await?;
    Ok(())
}

#[tokio::test]
async fn every_part_of_a_folder_is_checked_and_the_next_backup_mends_it() -> anyhow::Result<()> {
    let (place, there, shelf) = (Place::embedded()?, Place::embedded()?, tempfile::tempdir()?);
    let (_, keys) = small(&place).await?;
    let folder = shelf.path().join("studio");
    let made = back_up(&place, &folder).await?;
    let snapshot = folder.join("snapshots").join(made.snapshot.unwrap_or_default());
    let object = folder.join("objects").join(keys[0].as_str());
    let files: [(PathBuf, String); 4] = [
        (snapshot.join("database.jsonl"), "database.jsonl".to_owned()),
        (snapshot.join("manifest.json"), "manifest.json".to_owned()),
        (snapshot.join("manifest.json.sha256"), "manifest.json".to_owned()),
        (object.clone(), keys[0].to_string()),
    ];
    for (path, name) in &files {
        let whole = std::fs::read(path)?;
        let mut flipped = whole.clone();
        flipped[whole.len() / 2] ^= 4;
        for bytes in [&flipped[..], &whole[..whole.len() - 1], &[]] {
            std::fs::write(path, bytes)?;
            let message = refused(&there, &folder).await;
            assert!(message.contains(name.as_str()), "{name}: {message}");
        }
        std::fs::remove_file(path)?;
        let message = refused(&there, &folder).await;
        assert!(message.contains(name.as_str()), "{name}: {message}");
        std::fs::write(path, &whole)?;
    }
    Backup::open(&folder, None)?.check(&mut quiet)?;

    std::fs::write(&object, vec![7; 1000])?;
    std::fs::create_dir(folder.join("snapshots/new.partial"))?;
    let again = back_up(&place, &folder).await?;
    assert_eq!(
        (again.n_copied, again.lost.len()),
        (1, 0),
        "the damaged one was copied again"
    );
    there
        .builder()
        .restore(&Backup::open(&folder, None)?, &mut quiet)
        .await?;
    Ok(())
}

#[tokio::test]
async fn secrets_are_for_their_owner_alone() -> anyhow::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let (place, shelf) = (Place::embedded()?, tempfile::tempdir()?);
    small(&place).await?;
    let (file, folder) = (shelf.path().join("studio.tar"), shelf.path().join("studio"));
    back_up(&place, &file).await?;
    let made = back_up(&place, &folder).await?;
    let snapshot = folder.join("snapshots").join(made.snapshot.unwrap_or_default());
    let mode = |path: &Path| Ok::<_, std::io::Error>(std::fs::metadata(path)?.permissions().mode() & 0o777);
    assert_eq!(mode(&file)?, 0o600);
    for path in [
        &folder,
        &folder.join("objects"),
        &folder.join("snapshots"),
        &snapshot,
    ] {
        assert_eq!(mode(path)?, 0o700, "{}", path.display());
    }
    for name in ["database.jsonl", "manifest.json"] {
        assert_eq!(mode(&snapshot.join(name))?, 0o600, "{name}");
    }
    Ok(())
}

/// An archive with these entries.
fn archive(path: &Path, entries: &[(&str, EntryType, &str)]) -> anyhow::Result<()> {
    let mut bytes = Vec::new();
    for (name, kind, data) in entries {
        let mut header = Header::new_gnu();
        // The crate's own function refuses what leads out of a folder.
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_entry_type(*kind);
        header.set_size(data.len() as u64);
        header.set_cksum();
        bytes.write_all(header.as_bytes())?;
        bytes.write_all(data.as_bytes())?;
        bytes.resize(bytes.len().next_multiple_of(512), 0);
    }
    bytes.resize(bytes.len() + 1024, 0);
    Ok(std::fs::write(path, bytes)?)
}

#[tokio::test]
async fn names_in_a_backup_lead_nowhere() -> anyhow::Result<()> {
    let (there, shelf) = (Place::embedded()?, tempfile::tempdir()?);
    let file = shelf.path().join("hostile.tar");
    let key = format!("objects/sha256/aa/{}", "a".repeat(62));
    let plain = EntryType::Regular;
    let key = key.as_str();
    let cases: [(&[(&str, EntryType, &str)], &str); 9] = [
        (
            &[("../../etc/cron.d/x", plain, "x")],
            "it contains `../../etc/cron.d/x`",
        ),
        (&[("/etc/passwd", plain, "x")], "it contains `/etc/passwd`"),
        (
            &[("objects/../database.jsonl", plain, "x")],
            "which does not belong in a backup",
        ),
        (
            &[("objects/sha256/aa/../../../x", plain, "x")],
            "which does not belong in a backup",
        ),
        (&[(key, EntryType::Symlink, "")], "is not a plain file"),
        (&[("database.jsonl", EntryType::Fifo, "")], "is not a plain file"),
        (
            &[("x", EntryType::GNULongName, "a very long name")],
            "is not a plain file",
        ),
        (&[(key, plain, "1"), (key, plain, "2")], "twice"),
        (&[("database.jsonl", plain, "{}\n")], "not all in it"),
    ];
    for (entries, expected) in cases {
        archive(&file, entries)?;
        let message = refused(&there, &file).await;
        assert!(message.contains(expected), "{expected}: {message}");
    }
    for (bytes, expected) in [
        (&b"this is text"[..], "is not a backup"),
        (&[][..], "not all in it"),
        (&[0; 4096][..], "not all in it"),
        (&[0xff; 4096][..], "is not a backup"),
    ] {
        std::fs::write(&file, bytes)?;
        let message = refused(&there, &file).await;
        assert!(message.contains(expected), "{expected}: {message}");
    }
    let empty = tempfile::tempdir()?;
    let message = refused(&there, empty.path()).await;
    assert!(message.contains("without a folder `snapshots`"), "{message}");
    let missing = Backup::open(&shelf.path().join("missing.tar"), None).unwrap_err();
    assert!(matches!(missing, BackupError::Disk { .. }), "{missing}");
    Ok(())
}

/// A manifest that was written by somebody who knows the format, or by a version to come.
#[tokio::test]
async fn a_manifest_is_not_believed() -> anyhow::Result<()> {
    use sha2::{Digest as _, Sha256};
    let (place, there, shelf) = (Place::embedded()?, Place::embedded()?, tempfile::tempdir()?);
    small(&place).await?;
    let folder = shelf.path().join("studio");
    let made = back_up(&place, &folder).await?;
    let name = made.snapshot.unwrap_or_default();
    let snapshot = folder.join("snapshots").join(&name);
    let manifest = std::fs::read_to_string(snapshot.join("manifest.json"))?;
    let objects = manifest.find(r#""objects":["#).unwrap_or_default() + r#""objects":["#.len();
    let (before, after) = manifest.split_at(objects);
    let without_one = format!("{before}{}", after.split_once("},").unwrap_or_default().1);
    let with_a_path = format!(
        "{before}{}",
        after.replacen(r#"{"sha256":""#, r#"{"sha256":"../"#, 1)
    );
    let cases = [
        (
            manifest.replacen("morpheus-backup-1", "morpheus-backup-2", 1),
            "written by a newer Morpheus: its format is `morpheus-backup-2`",
        ),
        (
            manifest.replacen("m0001_initial", "m9999_future", 1),
            "written by a newer Morpheus: its schema is `m9999_future`",
        ),
        (without_one, "does not list the objects that the rows need"),
        (
            manifest.replacen(r#""n_rows":3"#, r#""n_rows":4"#, 1),
            "does not match `manifest.json`",
        ),
        (
            manifest.replacen(r#""deployment":"#, r#""deploiement":"#, 1),
            "unknown field",
        ),
        (with_a_path, "is not a SHA-256"),
    ];
    for (changed, expected) in cases {
        assert_ne!(changed, manifest, "{expected}");
        let sum = format!(
            "{}  manifest.json\n",
            hex::encode(Sha256::digest(changed.as_bytes()))
        );
        std::fs::write(snapshot.join("manifest.json"), changed)?;
        std::fs::write(snapshot.join("manifest.json.sha256"), sum)?;
        let tried = match Backup::open(&folder, None) {
            Ok(backup) => there.builder().restore(&backup, &mut quiet).await.map(drop),
            Err(err) => Err(err),
        };
        let message = tried.expect_err(expected).to_string();
        assert!(message.contains(expected), "{expected}: {message}");
    }
    let named = Backup::open(&folder, Some("../../elsewhere")).unwrap_err();
    assert!(named.to_string().contains("has no snapshot"), "{named}");
    Ok(())
}
