//! The process that decodes, alone: what it answers, and what it cannot do.

use std::{
    fs,
    process::{Command, Stdio},
    thread,
};

use dataset::{
    decoder::{DecodeError, Decoder, WorkerCommand},
    picture,
};
use image::ImageFormat;

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
