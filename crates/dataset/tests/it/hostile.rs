//! A corpus of hostile files, made here: each is answered as expected, and none makes a worker large.

use std::{collections::BTreeSet, convert::Infallible, io::Cursor};

use dataset::{
    decoder::{DecodeError, Decoder},
    ingest::Batch,
};

use crate::worker;

pub(crate) mod archives;
mod bombs;
mod cuts;
mod lies;

/// A file that somebody made to do harm.
pub(crate) struct Hostile {
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
    pub(crate) expect: Expect,
}

/// How it is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expect {
    /// Its pixels are good, and what is hostile about it was left behind.
    Taken,
    /// Refused, with words that hold these.
    Refused(&'static str),
}

pub(crate) use Expect::{Refused, Taken};

/// One file of the corpus.
pub(crate) fn hostile(name: impl Into<String>, bytes: Vec<u8>, expect: Expect) -> Hostile {
    Hostile {
        name: name.into(),
        bytes,
        expect,
    }
}

const COSTLY: Expect = Refused("needs too much memory or time");
const DAMAGED: Expect = Refused("is a damaged ");
const TOO_LARGE: Expect = Refused("is too large");

/// The program itself is in it.
const MAX_PEAK_BYTES: u64 = 512 << 20;

#[test]
fn every_hostile_picture_is_answered_within_bounded_memory() {
    let corpus = [cuts::corpus(), bombs::corpus(), lies::corpus()]
        .into_iter()
        .flatten();
    let decoder = Decoder::workers(worker::command());
    let (mut names, mut wrong) = (BTreeSet::new(), Vec::new());
    for Hostile { name, bytes, expect } in corpus {
        let answer = match decoder.normalize(&bytes) {
            Ok(_) => "taken".to_owned(),
            Err(DecodeError::Refused(reason)) => reason,
            Err(DecodeError::Unavailable(err)) => panic!("{name}: there is no worker: {err}"),
        };
        let is_right = match expect {
            Taken => answer == "taken",
            Refused(words) => answer != "taken" && answer.contains(words),
        };
        if !is_right {
            wrong.push(format!("{name}: {answer}; expected {expect:?}"));
        }
        assert!(names.insert(name.clone()), "{name} is there twice");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(names.len() >= 200, "the corpus has {} files", names.len());
    let peak = decoder.peak_bytes();
    assert!(
        (1..MAX_PEAK_BYTES).contains(&peak),
        "a worker had {} MiB",
        peak >> 20
    );
}

#[test]
fn every_hostile_archive_is_answered() {
    let decoder = Decoder::workers(worker::command());
    let mut wrong = Vec::new();
    for Hostile { name, bytes, expect } in archives::corpus() {
        let mut batch = Batch::default().with_decoder(decoder.clone());
        batch
            .add("a.zip", Cursor::new(bytes), |_| Ok::<_, Infallible>(()))
            .expect("an archive in memory can be read");
        let report = batch.finish();
        let answer = match report.refused.first() {
            None => "taken".to_owned(),
            Some(file) => format!("{} {}", file.file_name, file.reason),
        };
        let is_right = match expect {
            Taken => report.refused.is_empty() && !report.items.is_empty(),
            Refused(words) => answer != "taken" && answer.contains(words),
        };
        if !is_right {
            wrong.push(format!("{name}: {answer}; expected {expect:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
