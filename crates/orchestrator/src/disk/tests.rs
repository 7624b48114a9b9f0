use std::sync::atomic::AtomicU64;

use super::*;

fn disk(free: &Arc<AtomicU64>, min_free_bytes: Option<u64>) -> Disk {
    let free = Arc::clone(free);
    Disk::new(DiskOptions {
        folders: vec![("data", "/".into())],
        min_free_bytes,
        gauge: Gauge::new(move |_| {
            Ok(Space {
                free_bytes: free.load(Ordering::Relaxed),
                total_bytes: 100 * GIB,
                ..Space::default()
            })
        }),
    })
}

#[test]
fn what_does_not_fit_is_refused_with_figures() {
    let free = Arc::new(AtomicU64::new(3 * GIB));
    let disk = disk(&free, None);
    assert!(disk.check_room(GIB / 2).is_ok());
    let refused = disk.check_room(2 * GIB).unwrap_err().to_string();
    assert!(
        refused.contains("has 3.0 GiB free, and 4.0 GiB are needed"),
        "{refused}"
    );
    assert!(!disk.is_short(), "too much at once does not stop the rest");

    free.store(GIB, Ordering::Relaxed);
    let refused = disk.check_room(0).unwrap_err().to_string();
    assert!(
        refused.contains("has 1.0 GiB free, and 2.5 GiB are needed"),
        "{refused}"
    );
    assert!(disk.is_short());
    free.store(5 * GIB / 2, Ordering::Relaxed);
    assert!(disk.check_room(0).is_ok());
    assert!(!disk.is_short());
}

#[test]
fn checkpoints_to_come_are_counted() {
    let free = Arc::new(AtomicU64::new(3 * GIB));
    let disk = disk(&free, Some(GIB));
    assert!(!disk.look().is_short);
    disk.reserve(5 * GIB / 2);
    let status = disk.look();
    assert!(status.is_short);
    assert_eq!(status.folders[0].min_free_bytes, 7 * GIB / 2);
}

#[test]
fn without_a_limit_nothing_is_short() {
    let free = Arc::new(AtomicU64::new(0));
    let disk = disk(&free, Some(0));
    disk.reserve(GIB);
    assert!(disk.check_room(GIB).is_ok());
    let unmeasured = Disk::new(DiskOptions {
        folders: vec![("data", "/nowhere".into())],
        gauge: Gauge::new(|_| Err(io::ErrorKind::NotFound.into())),
        ..DiskOptions::default()
    });
    assert!(unmeasured.check_room(GIB).is_ok());
}

#[test]
fn a_disk_can_run_out_of_files() {
    let free = Arc::new(AtomicU64::new(50_000));
    let (seen, total_files) = (Arc::clone(&free), Arc::new(AtomicU64::new(100_000)));
    let total = Arc::clone(&total_files);
    let disk = Disk::new(DiskOptions {
        folders: vec![("data", "/".into())],
        min_free_bytes: None,
        gauge: Gauge::new(move |_| {
            Ok(Space {
                free_bytes: 50 * GIB,
                total_bytes: 100 * GIB,
                free_files: seen.load(Ordering::Relaxed),
                total_files: total.load(Ordering::Relaxed),
            })
        }),
    });
    assert!(disk.check_room(GIB).is_ok());
    free.store(1999, Ordering::Relaxed);
    let refused = disk.check_room(0).unwrap_err().to_string();
    assert!(
        refused.contains("hardly any more files") && refused.contains("50.0 GiB free"),
        "{refused}"
    );
    assert!(disk.is_short());
    free.store(2100, Ordering::Relaxed);
    assert!(
        disk.look().folders[0].is_out_of_files,
        "a few more are not enough"
    );
    free.store(2500, Ordering::Relaxed);
    assert!(disk.check_room(0).is_ok());

    // A file system that counts no files has no limit.
    free.store(0, Ordering::Relaxed);
    total_files.store(0, Ordering::Relaxed);
    assert!(disk.check_room(GIB).is_ok());
}
