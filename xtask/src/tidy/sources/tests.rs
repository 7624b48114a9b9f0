//! Broken files are found, and look-alikes are not.

use super::{FORBIDDEN, MAX_N_LINES, SLEEPS, TextFile, WARN_N_LINES, check};

fn findings(path: &str, text: &str) -> Vec<String> {
    let file = TextFile {
        path: path.into(),
        text: text.into(),
    };
    check(&file).iter().map(ToString::to_string).collect()
}

#[test]
fn a_rust_file_says_what_it_is_for() {
    assert_eq!(findings("crates/a/src/lib.rs", "//! For a purpose.\n"), [""; 0]);
    assert_eq!(
        findings("crates/a/src/rank/tests.rs", "use super::Rank;\n"),
        [""; 0]
    );
    assert_eq!(
        findings("crates/a/src/lib.rs", "use std::fs;\n"),
        ["error: crates/a/src/lib.rs:1: begin with a line `//! …` that says what the file is for"]
    );
}

#[test]
fn a_long_file_is_warned_about_and_a_longer_one_refused() {
    let of_length = |n: usize| findings("dashboard/src/page.tsx", &"\n".repeat(n));
    assert_eq!(of_length(WARN_N_LINES), [""; 0]);
    assert_eq!(
        of_length(WARN_N_LINES + 1),
        ["warning: dashboard/src/page.tsx: has 501 lines; one that passes 500 asks to be two"]
    );
    assert_eq!(
        of_length(MAX_N_LINES + 1),
        ["error: dashboard/src/page.tsx: has 601 lines; more than 600 is too long: split it by noun"]
    );
    assert_eq!(
        findings("dashboard/src/api/schema.ts", &"\n".repeat(MAX_N_LINES + 1)),
        [""; 0]
    );
}

#[test]
fn every_forbidden_word_is_found_in_any_file() {
    for (start, end, why) in FORBIDDEN {
        assert_eq!(
            findings("docs/page.md", &format!("first line\nhere: {start}{end} there\n")),
            [format!("error: docs/page.md:2: `{start}{end}`: {why}")]
        );
    }
}

#[test]
fn a_decoder_is_found_outside_its_home() {
    let text = "//! Decodes.\nuse image::ImageReader;\n";
    assert_eq!(
        findings("crates/server/src/upload.rs", text),
        [
            "error: crates/server/src/upload.rs:2: `ImageReader`: only crates/dataset/src/picture/decode.rs decodes \
             pictures, within limits; call dataset::decoder"
        ]
    );
    for home in [
        "crates/dataset/src/picture/decode.rs",
        "crates/server/tests/it/pictures.rs",
    ] {
        assert_eq!(findings(home, text), [""; 0]);
    }
}

#[test]
fn a_sleep_is_found_in_tests_alone() {
    for (start, end) in SLEEPS {
        let text = format!("//! Waits.\n{start}{end}ms);\n");
        assert_eq!(
            findings("crates/a/tests/it/jobs.rs", &text),
            [
                "error: crates/a/tests/it/jobs.rs:2: a test waits on a condition with a deadline, it does not sleep"
            ]
        );
        assert_eq!(findings("crates/a/src/jobs.rs", &text), [""; 0]);
        let polls =
            format!("//! Waits.\nfn wait_for(condition: impl Fn() -> bool) {{\n{start}{end}ms);\n}}\n");
        assert_eq!(findings("crates/a/tests/it/jobs.rs", &polls), [""; 0]);
    }
}

#[test]
fn only_the_api_folder_talks_to_the_server() {
    let text = "const answer = await fetch(\"/api/v1/jobs\");\n";
    assert_eq!(
        findings("dashboard/src/jobs/page.tsx", text),
        ["error: dashboard/src/jobs/page.tsx:1: only dashboard/src/api talks to the server"]
    );
    assert_eq!(findings("dashboard/src/api/client.ts", text), [""; 0]);
    assert_eq!(
        findings("dashboard/src/jobs/page.tsx", "await prefetch(query);\n"),
        [""; 0]
    );
}

#[test]
fn kernels_and_devices_of_candle_are_named_at_home_only() {
    let text = "//! Computes.\nuse diffusion::kernels::gemm;\nlet at = Device::Cpu;\n";
    let why_kernels = "`kernels::`: only the CPU's implementation of a device names kernels; call a \
                       `diffusion::device::Device`";
    let why_cpu = "`Device::Cpu`: only one file names a device of candle's; host tensors are on \
                   `diffusion::device::HOST`";
    // Tests, too: what they share with the rest is the seam.
    for path in ["crates/trainer/src/train.rs", "crates/trainer/src/tape/tests.rs"] {
        assert_eq!(
            findings(path, text),
            [
                format!("error: {path}:2: {why_kernels}"),
                format!("error: {path}:3: {why_cpu}")
            ]
        );
    }
    for path in [
        "crates/diffusion/src/cpu.rs",
        "crates/diffusion/src/cpu/forward.rs",
    ] {
        assert_eq!(findings(path, text), [format!("error: {path}:3: {why_cpu}")]);
    }
    let host = "crates/diffusion/src/device/host.rs";
    assert_eq!(findings(host, text), [format!("error: {host}:2: {why_kernels}")]);
}
