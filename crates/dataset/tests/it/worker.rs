//! The process that decodes, alone: what it answers, and what it cannot do.

use std::{
    fs,
    process::{Command, Stdio},
    thread,
};

use dataset::{
    decoder::{DecodeError, Decoder, PageTask, WorkerCommand},
    picture,
};
use image::{ImageFormat, Rgb, RgbImage};
use protocol::page::{Balloons, PageFrame};

use crate::good::{self, FORMATS};

/// How the tests start a worker.
pub(crate) fn command() -> WorkerCommand {
    WorkerCommand {
        program: env!("CARGO_BIN_EXE_decode-worker").into(),
        args: Vec::new(),
    }
}

#[test]
fn a_worker_gives_the_same_pictures_as_this_process() {
    let decoder = Decoder::workers(command());
    for format in FORMATS {
        let file = good::file(format);
        assert_eq!(
            decoder.normalize(&file).unwrap(),
            picture::normalize(&file).unwrap(),
            "{format:?}"
        );
    }
    let refused = decoder.normalize(b"text").unwrap_err();
    assert!(matches!(refused, DecodeError::Refused(_)));
    assert_eq!(
        refused.to_string(),
        picture::normalize(b"text").unwrap_err().to_string()
    );
}

/// A white page with two rows of two panels.
fn page() -> Vec<u8> {
    let is_gutter = |at: u32, length: u32| !(40..length - 40).contains(&at) || at.abs_diff(length / 2) < 12;
    let page = RgbImage::from_fn(700, 900, |x, y| match is_gutter(x, 700) || is_gutter(y, 900) {
        true => Rgb([255; 3]),
        false => Rgb([40, (x / 4) as u8, (y / 5) as u8]),
    });
    picture::encode_png(&page)
}

#[test]
fn a_worker_splits_a_page_as_this_process_does() {
    let decoder = Decoder::workers(command());
    for balloons in [Balloons::Keep, Balloons::Mask, Balloons::Paint] {
        let task = PageTask {
            balloons,
            ..PageTask::default()
        };
        let split = decoder.page(&page(), &task).unwrap();
        assert_eq!(split, Decoder::in_process().page(&page(), &task).unwrap());
        assert!(split.is_page);
        assert_eq!(split.panels.len(), 4);
    }
    // Frames that are given are cut as they are, what lies outside the page left out.
    let frame = |left, width| PageFrame {
        left,
        top: 10,
        width,
        height: 90,
    };
    let task = PageTask {
        frames: Some(vec![frame(600, 300), frame(700, 80), frame(5, 64)]),
        ..PageTask::default()
    };
    let split = decoder.page(&page(), &task).unwrap();
    let sizes: Vec<_> = split
        .panels
        .iter()
        .map(|panel| (panel.picture.width, panel.picture.height))
        .collect();
    assert_eq!(sizes, [(100, 90), (64, 90)]);
    // A worker that split a page decodes pictures as before.
    let file = good::file(ImageFormat::Png);
    assert_eq!(
        decoder.normalize(&file).unwrap(),
        picture::normalize(&file).unwrap()
    );
    let refused = decoder.page(b"text", &task).unwrap_err();
    assert!(matches!(refused, DecodeError::Refused(_)));
}

#[test]
fn many_use_few_workers() {
    let decoder = Decoder::workers(command());
    let expected = picture::normalize(&good::file(ImageFormat::Png)).unwrap();
    thread::scope(|scope| {
        for _ in 0..12 {
            scope.spawn(|| {
                for _ in 0..20 {
                    assert_eq!(
                        decoder.normalize(&good::file(ImageFormat::Png)).unwrap(),
                        expected
                    );
                }
            });
        }
    });
}

#[test]
fn a_worker_is_confined() {
    let confinement = Decoder::workers(command()).confinement().unwrap().unwrap();
    assert_eq!(confinement.missing, [""; 0]);
    assert_eq!(confinement.holds, ["memory", "time", "files", "system calls"]);
    let mut worker = Command::new(command().program)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    // Its greeting comes when it is confined.
    let mut output = worker.stdout.take().unwrap();
    std::io::Read::read_exact(&mut output, &mut [0; 5]).unwrap();
    let about = |file: &str| fs::read_to_string(format!("/proc/{}/{file}", worker.id())).unwrap();
    let limits = about("limits");
    let limit = |name: &str| {
        let line = limits.lines().find(|line| line.starts_with(name)).unwrap();
        line[name.len()..].split_whitespace().next().unwrap().to_owned()
    };
    for (name, value) in [
        ("Max open files", "3"),
        ("Max file size", "0"),
        ("Max core file size", "0"),
        ("Max cpu time", "90"),
    ] {
        assert_eq!(limit(name), value, "{name}");
    }
    for name in ["Max address space", "Max data size"] {
        let n_bytes: u64 = limit(name).parse().unwrap();
        assert!(n_bytes < 4 << 30, "{name}: {n_bytes}");
    }
    let status = about("status");
    assert!(status.contains("Seccomp:\t2"), "{status}");
    drop(worker.stdin.take());
    assert!(
        worker.wait().unwrap().success(),
        "it ends when nobody is left to decode for"
    );
}
