//! Recognizes disk errors that may pass, such as a full disk: the attempt ends, and the job is paused instead of failed.

use std::{
    error::Error,
    io::{self, ErrorKind},
};

use rustix::io::Errno;

/// What the operating system calls these errors, in the output of other programs.
const WORDS: [&str; 4] = [
    "No space left on device",
    "Disk quota exceeded",
    "Read-only file system",
    "Input/output error",
];

/// Whether such an error led to this one.
pub(crate) fn is_cause(err: &(dyn Error + 'static)) -> bool {
    let mut next = Some(err);
    while let Some(err) = next {
        if err.downcast_ref::<io::Error>().is_some_and(is_of_disk) {
            return true;
        }
        next = err.source();
    }
    false
}

/// Whether a text tells of such an error.
pub(crate) fn is_told(text: &str) -> bool {
    WORDS.iter().any(|words| text.contains(words))
}

fn is_of_disk(err: &io::Error) -> bool {
    let kinds = [
        ErrorKind::StorageFull,
        ErrorKind::QuotaExceeded,
        ErrorKind::ReadOnlyFilesystem,
    ];
    // An error of the device has no kind of its own.
    kinds.contains(&err.kind()) || Errno::from_io_error(err) == Some(Errno::IO)
}

#[cfg(test)]
mod tests {
    use std::io;

    use rustix::io::Errno;
    use trainer::{tensor_file::WriteError, train::TrainError};

    use super::{is_cause, is_told};

    fn written(errno: Errno) -> TrainError {
        TrainError::Write(WriteError {
            path: "attempt/checkpoint-000010.safetensors".into(),
            err: errno.into(),
        })
    }

    #[test]
    fn what_a_disk_cannot_take_is_found_behind_other_errors() {
        for errno in [Errno::NOSPC, Errno::DQUOT, Errno::ROFS, Errno::IO] {
            assert!(is_cause(&written(errno)), "{errno}");
            let told = protocol::problem::chain(&written(errno));
            assert!(is_told(&told), "{told}");
        }
        for errno in [Errno::NOENT, Errno::ACCESS, Errno::NOMEM] {
            assert!(!is_cause(&written(errno)), "{errno}");
        }
        assert!(!is_cause(&io::Error::other("no disk is to blame")));
        assert!(is_told("OSError: [Errno 28] No space left on device"));
        assert!(!is_told("RuntimeError: no space for the tensor"));
    }
}
