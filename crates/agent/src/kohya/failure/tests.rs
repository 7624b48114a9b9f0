//! Every way to fail gets its name and the lines that matter.

use std::os::unix::process::ExitStatusExt as _;

use expect_test::{Expect, expect};

use super::*;
use crate::tail::Stream;

#[track_caller]
fn check(wait_status: i32, output: &str, expect: Expect) {
    let mut seen = Seen::default();
    for line in output.lines() {
        seen.no_data |= line.starts_with("No data found");
        seen.model_saved |= line == "model saved.";
        seen.tail.push(Stream::Err, line.to_owned());
    }
    let failure = diagnose(ExitStatus::from_raw(wait_status), &seen, Path::new("/tokenizers"));
    expect.assert_eq(&failure.map_or_else(|| "no failure".to_owned(), |failure| failure.to_string()));
}

const EXIT_0: i32 = 0;
const EXIT_1: i32 = 1 << 8;
const EXIT_2: i32 = 2 << 8;
const KILLED: i32 = 9;

#[test]
fn out_of_memory() {
    for error in [
        "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 20.00 MiB.",
        "torch.cuda.OutOfMemoryError: CUDA out of memory.",
        "RuntimeError: CUDA out of memory. Tried to allocate 2.00 GiB",
    ] {
        let mut seen = Seen::default();
        seen.tail
            .push(Stream::Err, "Traceback (most recent call last):".into());
        seen.tail.push(Stream::Err, error.into());
        let failure = diagnose(ExitStatus::from_raw(EXIT_1), &seen, Path::new("/tokenizers"));
        assert!(matches!(failure, Some(Failure::OutOfMemory(_))), "{failure:?}");
    }
}

#[test]
fn no_pictures_although_the_exit_code_is_0() {
    check(
        EXIT_0,
        "ignore subset with image_dir='/pictures': no images found\n0 train images with repeats.\nNo data found. Please verify",
        expect![[r#"
            sd-scripts found no pictures in its folder; its output:
            ignore subset with image_dir='/pictures': no images found"#]],
    );
}

#[test]
fn exit_code_0_without_a_word_on_the_model() {
    check(
        EXIT_0,
        "create LoRA network.",
        expect![[r#"
            sd-scripts ended without an error, but it did not report that the model was saved; its output:
            create LoRA network."#]],
    );
    check(EXIT_0, "model saved.", expect!["no failure"]);
}

#[test]
fn losses_that_are_no_numbers() {
    let seen = Seen {
        model_saved: true,
        broken_since: Some(2),
        ..Seen::default()
    };
    let failure = diagnose(ExitStatus::from_raw(EXIT_0), &seen, Path::new("/tokenizers")).unwrap();
    assert!(failure.to_string().contains("since step 2"), "{failure}");
}

#[test]
fn missing_modules() {
    check(
        EXIT_1,
        "loading\nTraceback (most recent call last):\n  File \"train.py\", line 1\nModuleNotFoundError: No module named 'diffusers.utils'",
        expect![[r#"
            the Python of sd-scripts lacks the module `diffusers.utils`: install its requirements; its output:
            Traceback (most recent call last):
              File "train.py", line 1
            ModuleNotFoundError: No module named 'diffusers.utils'"#]],
    );
    check(
        EXIT_1,
        "ImportError: No bitsandbytes / bitsandbytesがインストールされていないようです",
        expect![[r#"
            the Python of sd-scripts lacks the module `bitsandbytes`: install its requirements; its output:
            ImportError: No bitsandbytes / bitsandbytesがインストールされていないようです"#]],
    );
}

#[test]
fn a_base_of_another_architecture() {
    check(
        EXIT_1,
        "RuntimeError: Error(s) in loading state_dict for SdxlUNet2DConditionModel:",
        expect![[r#"
            sd-scripts cannot load the base model: it supports full SDXL models only; its output:
            RuntimeError: Error(s) in loading state_dict for SdxlUNet2DConditionModel:"#]],
    );
}

#[test]
fn missing_tokenizers() {
    check(
        EXIT_1,
        "Traceback (most recent call last):\n  File \"train.py\", line 1\n    load()\n    ~~~~^^\nrequests.exceptions.ConnectionError: (MaxRetryError('HTTPSConnectionPool(host='huggingface.co', port=443)'",
        expect![[r#"
            the two CLIP tokenizers are not in `/tokenizers`, and could not be downloaded: deploy/worker/setup.sh creates them, and --kohya-tokenizers sets their folder; its output:
            Traceback (most recent call last):
              File "train.py", line 1
                load()
            requests.exceptions.ConnectionError: (MaxRetryError('HTTPSConnectionPool(host='huggingface.co', port=443)'"#]],
    );
    for words in [
        "OSError: We couldn't connect to 'https://huggingface.co' to load the files",
        "OSError: Can't load tokenizer for 'openai/clip-vit-large-patch14'.",
    ] {
        let mut seen = Seen::default();
        seen.tail.push(Stream::Err, words.into());
        let failure = diagnose(ExitStatus::from_raw(EXIT_1), &seen, Path::new("/tokenizers"));
        assert!(matches!(failure, Some(Failure::Tokenizers { .. })), "{failure:?}");
    }
}

#[test]
fn arguments_that_it_does_not_know() {
    check(
        EXIT_2,
        "sdxl_train_network.py: error: unrecognized arguments: --sdpa",
        expect![[r#"
            this version of sd-scripts does not accept the arguments; its output:
            sdxl_train_network.py: error: unrecognized arguments: --sdpa"#]],
    );
}

#[test]
fn crashes_and_signals() {
    check(EXIT_1, "", expect!["sd-scripts ended with exit code 1"]);
    check(
        KILLED,
        "",
        expect!["sd-scripts ended with signal 9, which something else sent: was the machine's memory full?"],
    );
}

#[test]
fn a_full_disk_is_told_from_a_fault_of_the_training() {
    let ended = |error: &str| {
        let mut seen = Seen::default();
        seen.tail
            .push(Stream::Err, "Traceback (most recent call last):".into());
        seen.tail.push(Stream::Err, error.into());
        diagnose(ExitStatus::from_raw(EXIT_1), &seen, Path::new("/tokenizers")).unwrap()
    };
    assert!(ended("OSError: [Errno 28] No space left on device").is_of_disk());
    assert!(!ended("ValueError: the rank is odd").is_of_disk());
    assert!(!Failure::NoGpu.is_of_disk());
}
