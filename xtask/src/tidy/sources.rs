//! Source files: what a file begins with, how long it is, and what must not stand in it.

use super::{Finding, tree::TextFile};

const WARN_N_LINES: usize = 500;
const MAX_N_LINES: usize = 600;

/// Text that must not stand in any file, in two parts so that this file passes its own check, and why.
const FORBIDDEN: [(&str, &str, &str); 12] = [
    ("todo", "!(", "finish it, or say in an issue what is missing"),
    (
        "unimple",
        "mented!(",
        "finish it, or say in an issue what is missing",
    ),
    ("TO", "DO", "finish it, or say in an issue what is missing"),
    ("FIX", "ME", "fix it, or say in an issue what is wrong"),
    (
        "#[all",
        "ow(",
        "write `#[expect(lint, reason = \"…\")]`, which tells when it is no longer needed",
    ),
    ("#[ign", "ore", "a test that does not run tests nothing"),
    ("/wo", "rk/", "a path of one machine"),
    ("/ro", "ot/", "a path of one machine"),
    (
        "registry.npm",
        "js",
        "packages come from where each machine's clients are set up to look",
    ),
    (
        "static.crates",
        ".io",
        "packages come from where each machine's clients are set up to look",
    ),
    (
        "pypi",
        ".org",
        "packages come from where each machine's clients are set up to look",
    ),
    (
        "deb.debian",
        ".org",
        "packages come from where each machine's clients are set up to look",
    ),
];

/// What a test must not wait with, except between two looks at a condition, in a function called `wait…`.
const SLEEPS: [(&str, &str); 3] = [
    ("thread::sl", "eep("),
    ("time::sl", "eep("),
    ("waitFor", "Timeout("),
];

/// What decodes a picture. `dataset::picture` owns all of it, with limits around; `dataset::decoder` is what others call.
const DECODERS: [&str; 14] = [
    "ImageReader",
    "image::open",
    "load_from_memory",
    "image::load(",
    "image_dimensions",
    "from_decoder",
    "PngDecoder",
    "JpegDecoder",
    "GifDecoder",
    "WebPDecoder",
    "TiffDecoder",
    "BmpDecoder",
    "tiff::decoder",
    "png::Decoder",
];

/// The one file that names decoders.
const HOME_OF_DECODERS: &str = "crates/dataset/src/picture/decode.rs";

/// What only some files of the crates name, those files or folders, and what others do instead.
const HOMES: [(&str, &[&str], &str); 2] = [
    (
        "kernels::",
        &["crates/diffusion/src/cpu", "crates/diffusion/src/kernels"],
        "only the CPU's implementation of a device names kernels; call a `diffusion::device::Device`",
    ),
    (
        "Device::Cpu",
        &["crates/diffusion/src/device/host.rs"],
        "only one file names a device of candle's; host tensors are on `diffusion::device::HOST`",
    ),
];

/// Files that a program writes, which may be as long as they get.
const GENERATED: [&str; 3] = [
    "dashboard/src/api/schema.ts",
    "dashboard/src/api/fields.ts",
    "dashboard/src/routeTree.gen.ts",
];

/// Every rule that a file breaks.
pub(super) fn check(file: &TextFile) -> Vec<Finding> {
    let mut findings = Vec::new();
    let extension = file.path.extension().and_then(|e| e.to_str()).unwrap_or_default();
    // A `tests.rs` stands beside what it tests and needs no introduction.
    if extension == "rs" && !file.name().ends_with("/tests.rs") && !file.text.starts_with("//! ") {
        findings.push(Finding::error(
            &file.path,
            Some(1),
            "begin with a line `//! …` that says what the file is for",
        ));
    }
    if matches!(extension, "rs" | "ts" | "tsx" | "py" | "mjs" | "sh" | "css")
        && !GENERATED.contains(&file.name())
    {
        findings.extend(check_length(file));
    }
    if !is_lock_file(file) {
        findings.extend(check_lines(file));
    }
    findings
}

fn check_length(file: &TextFile) -> Option<Finding> {
    let n_lines = file.text.lines().count();
    if n_lines > MAX_N_LINES {
        let message = format!("has {n_lines} lines; more than {MAX_N_LINES} is too long: split it by noun");
        return Some(Finding::error(&file.path, None, message));
    }
    let message = format!("has {n_lines} lines; one that passes {WARN_N_LINES} asks to be two");
    (n_lines > WARN_N_LINES).then(|| Finding::warning(&file.path, None, message))
}

fn check_lines(file: &TextFile) -> Vec<Finding> {
    let mut findings = Vec::new();
    let in_test = is_test(file);
    let calls_server = is_dashboard_source(file) && !file.name().contains("/src/api/");
    let mut in_wait = false;
    for (line, text) in (1..).zip(file.text.lines()) {
        if text.contains("fn ") || text.contains("function ") {
            in_wait = text.contains("fn wait") || text.contains("function wait");
        }
        for (start, end, why) in FORBIDDEN {
            let word = format!("{start}{end}");
            if text.contains(&word) {
                findings.push(Finding::error(&file.path, Some(line), format!("`{word}`: {why}")));
            }
        }
        for (start, end) in SLEEPS {
            if in_test && !in_wait && text.contains(&format!("{start}{end}")) {
                findings.push(Finding::error(
                    &file.path,
                    Some(line),
                    "a test waits on a condition with a deadline, it does not sleep",
                ));
            }
        }
        if is_rust_product(file)
            && let Some(decoder) = DECODERS.iter().find(|decoder| text.contains(*decoder))
        {
            findings.push(Finding::error(
                &file.path,
                Some(line),
                format!("`{decoder}`: only {HOME_OF_DECODERS} decodes pictures, within limits; call dataset::decoder"),
            ));
        }
        for (word, homes, why) in HOMES {
            if is_rust_of_crates(file) && text.contains(word) && !homes.iter().any(|home| is_in(file, home)) {
                findings.push(Finding::error(&file.path, Some(line), format!("`{word}`: {why}")));
            }
        }
        if calls_server && (text.contains(" fetch(") || text.contains("(fetch(")) {
            findings.push(Finding::error(
                &file.path,
                Some(line),
                "only dashboard/src/api talks to the server",
            ));
        }
    }
    findings
}

/// Rust tests and browser tests; not this folder, which has to name what it forbids.
fn is_test(file: &TextFile) -> bool {
    let name = file.name();
    (name.ends_with("/tests.rs") || name.contains("/tests/") || name.contains("/e2e/"))
        && !name.starts_with("xtask/")
}

/// Rust that ships, but for the file that decodes. Tests look at pictures that they made themselves.
fn is_rust_product(file: &TextFile) -> bool {
    is_rust_of_crates(file) && !is_test(file) && file.name() != HOME_OF_DECODERS
}

fn is_rust_of_crates(file: &TextFile) -> bool {
    file.name().starts_with("crates/") && file.name().ends_with(".rs")
}

/// Whether a file is `home`, its module, or in its folder.
fn is_in(file: &TextFile, home: &str) -> bool {
    let rest = file.name().strip_prefix(home);
    rest.is_some_and(|rest| rest.is_empty() || rest == ".rs" || rest.starts_with('/'))
}

fn is_dashboard_source(file: &TextFile) -> bool {
    file.name().starts_with("dashboard/src/")
}

/// Lock files name the registry that a package comes from, in Cargo's own form.
fn is_lock_file(file: &TextFile) -> bool {
    file.name().ends_with(".lock")
}

#[cfg(test)]
mod tests;
