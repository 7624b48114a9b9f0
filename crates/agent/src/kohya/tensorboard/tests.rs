//! Event files, whole, growing and damaged.

use std::io::Write as _;

use super::*;

fn event(step: u8, tag: &str, value: f32) -> Vec<u8> {
    let mut inner = vec![0x0a, tag.len() as u8];
    inner.extend(tag.bytes());
    inner.push(0x15);
    inner.extend(value.to_le_bytes());
    let mut summary = vec![0x0a, inner.len() as u8];
    summary.extend(inner);
    // wall_time = 1 as a double, step = 2, summary = 5.
    let mut event = vec![
        0x09,
        0,
        0,
        0,
        0,
        0,
        0,
        0xf0,
        0x3f,
        0x10,
        step,
        0x2a,
        summary.len() as u8,
    ];
    event.extend(summary);
    frame(&event)
}

fn frame(data: &[u8]) -> Vec<u8> {
    let length = (data.len() as u64).to_le_bytes();
    let parts = [
        &length[..],
        &masked_crc(&length).to_le_bytes(),
        data,
        &masked_crc(data).to_le_bytes(),
    ];
    parts.concat()
}

fn scalar(step: i64, tag: &str, value: f32) -> Scalar {
    Scalar {
        tag: tag.into(),
        step,
        value,
        wall_time: 1.0,
    }
}

/// A log folder as sd-scripts makes it, with an event file of these bytes.
fn logs(bytes: &[u8]) -> (tempfile::TempDir, File) {
    let folder = tempfile::tempdir().unwrap();
    let inner = folder.path().join("20261122124731/network_train");
    fs::create_dir_all(&inner).unwrap();
    let mut file = File::create(inner.join("events.out.tfevents.1.host.2.0")).unwrap();
    file.write_all(bytes).unwrap();
    (folder, file)
}

#[test]
fn the_checksum_is_tensorflows() {
    // CRC-32C of "123456789" is 0xe3069283 (RFC 3720, B.4 lists others); masked as crc32c.h says.
    assert_eq!(
        masked_crc(b"123456789"),
        0xe306_9283_u32.rotate_right(15).wrapping_add(0xa282_ead8)
    );
}

#[test]
fn scalars_are_read_as_they_are_written() {
    let version = frame(b"\x09\0\0\0\0\0\0\xf0\x3f\x1a\x0dbrain.Event:2");
    let (folder, mut file) = logs(&version);
    let mut follower = Follower::find(folder.path()).unwrap();
    assert_eq!(follower.read().unwrap(), []);
    let first = event(1, "loss/current", 0.5);
    file.write_all(&first).unwrap();
    let second = event(2, "lr/unet", 1e-4);
    file.write_all(&second[..20]).unwrap();
    assert_eq!(follower.read().unwrap(), [scalar(1, "loss/current", 0.5)]);
    file.write_all(&second[20..]).unwrap();
    assert_eq!(follower.read().unwrap(), [scalar(2, "lr/unet", 1e-4)]);
    assert_eq!(follower.read().unwrap(), []);
}

#[test]
fn a_damaged_file_is_an_error() {
    let mut bytes = event(1, "loss/current", 0.5);
    *bytes.last_mut().unwrap() ^= 1;
    let (folder, _file) = logs(&bytes);
    let err = Follower::find(folder.path()).unwrap().read().unwrap_err();
    assert!(err.to_string().contains("damaged at byte 0"), "{err}");
}

#[test]
fn an_absurd_length_is_an_error() {
    let length = u64::MAX.to_le_bytes();
    let (folder, _file) = logs(&[&length[..], &masked_crc(&length).to_le_bytes()].concat());
    assert!(Follower::find(folder.path()).unwrap().read().is_err());
}

#[test]
fn nonsense_within_a_record_is_passed_over() {
    let (folder, _file) = logs(
        &[
            frame(&[0xff; 40]),
            frame(&[0x2a, 0xff]),
            event(3, "loss/current", 2.0),
        ]
        .concat(),
    );
    assert_eq!(
        Follower::find(folder.path()).unwrap().read().unwrap(),
        [scalar(3, "loss/current", 2.0)]
    );
}

#[test]
fn no_file_yet() {
    assert!(Follower::find(Path::new("/nowhere")).is_none());
}
