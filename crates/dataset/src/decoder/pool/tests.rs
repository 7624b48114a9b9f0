use std::time::Instant;

use super::*;
use crate::picture::{NormalizedPicture, normalize};

/// A shell that plays a worker, which no worker of ours would do.
fn shell(script: &str) -> Pool {
    Pool::start(WorkerCommand {
        program: "/bin/sh".into(),
        args: vec!["-c".into(), script.into()],
    })
}

/// What a worker says when it is ready, for `printf`.
const HELLO: &str = r#"printf 'H\000\000\000\031{"holds":[],"missing":[]}'"#;

fn picture() -> NormalizedPicture {
    normalize(&crate::picture::encode_png(&image::RgbImage::new(64, 64))).unwrap()
}

#[track_caller]
fn refused_as_too_costly(outcome: Result<NormalizedPicture, DecodeError>) {
    match outcome {
        Err(DecodeError::Refused(reason)) => assert_eq!(reason, PictureError::TooCostly.to_string()),
        other => panic!("should be refused, not {other:?}"),
    }
}

#[test]
fn a_program_that_is_missing_or_silent_is_said_to_be_unavailable() {
    let missing = Pool::start(WorkerCommand {
        program: "/nowhere/morpheus".into(),
        args: Vec::new(),
    });
    let silent = shell("exit 3");
    for pool in [missing, silent] {
        for _ in 0..2 {
            let outcome = pool.normalize(&picture().png, 1);
            assert!(matches!(outcome, Err(DecodeError::Unavailable(_))), "{outcome:?}");
        }
        assert_eq!(pool.lock().n_out, 0);
    }
}

#[test]
fn a_worker_that_ends_costs_one_picture() {
    let pool = shell(&format!("{HELLO}; read -r line; kill -9 $$"));
    for _ in 0..3 {
        refused_as_too_costly(pool.normalize(&picture().png, 1));
        let state = pool.lock();
        assert_eq!((state.n_out, state.idle.len()), (0, 1));
    }
}

#[test]
fn a_time_out_is_not_called_a_lack_of_memory() {
    let late = std::io::Error::from(std::io::ErrorKind::TimedOut);
    assert!(matches!(Failure::from(late), Failure::Slow));
    assert_eq!(
        PictureError::TooSlow.to_string(),
        "took too long to decode: try again when the machine is less busy, or make the picture smaller"
    );
}

#[test]
fn a_worker_that_lies_is_not_believed() {
    // A picture that is not one; a size that the picture does not have; a frame of four gigabytes; another language.
    let lies = [
        r#"printf 'D\000\000\000\003abc'; printf 'O\000\000\000\047{"width":64,"height":64,"notes":["x!"]}'"#,
        r#"printf 'O\000\000\000\047{"width":64,"height":64,"notes":["x!"]}'"#,
        r"printf 'D\377\377\377\377'",
        r"printf 'HTTP/1.1 200 OK'",
    ];
    for lie in lies {
        let pool = shell(&format!("{HELLO}; {lie}; cat >/dev/null"));
        let started = Instant::now();
        refused_as_too_costly(pool.normalize(&picture().png, 1));
        assert!(started.elapsed() < Duration::from_secs(20), "{lie}");
    }
}

#[test]
fn a_reason_is_cut_and_cleaned() {
    let pool = shell(&format!(
        "{HELLO}; printf 'R\\000\\000\\001\\365'; head -c 500 /dev/zero | tr '\\0' x; printf '\\033'; cat >/dev/null"
    ));
    match pool.normalize(&picture().png, 1) {
        Err(DecodeError::Refused(reason)) => assert_eq!(reason, "x".repeat(400)),
        other => panic!("should be refused, not {other:?}"),
    }
}
