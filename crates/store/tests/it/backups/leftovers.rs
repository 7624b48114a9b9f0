//! What a backup leaves behind that was killed.

use std::fs::{self, File};

use super::{Place, back_up, small};

#[tokio::test]
async fn a_killed_backups_file_is_removed_by_the_next_one() -> anyhow::Result<()> {
    let place = Place::embedded()?;
    small(&place).await?;
    let shelf = tempfile::tempdir()?;
    let at = |name: &str| shelf.path().join(name);
    let (left, held) = (at(".unfinished-backup-AbCdEf"), at(".unfinished-backup-GhIjKl"));
    let others = [at(".unfinished-backup-folder"), at("unfinished-backup-x")];
    fs::write(&left, "half")?;
    fs::create_dir(&others[0])?;
    fs::write(&others[1], "somebody's")?;
    let writing = File::create(&held)?;
    writing.lock()?;
    back_up(&place, &at("studio.tar")).await?;
    assert!(!left.exists(), "no process holds it");
    assert!(held.exists(), "another backup is being written");
    assert!(others.iter().all(|path| path.exists()), "they are none of ours");
    drop(writing);
    back_up(&place, &at("later.tar")).await?;
    assert!(!held.exists());
    Ok(())
}
