//! Tags that name files.

use super::*;

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("styles")).unwrap();
    for file in ["zora.safetensors", "styles/ink.safetensors", "notes.txt"] {
        fs::write(folder.path().join(file), "").unwrap();
    }
    folder
}

fn with(prompt: &str, folder: &tempfile::TempDir) -> anyhow::Result<Prompts> {
    read(prompt, None, Reading::Language, &[], &[folder.path().to_owned()])
}

#[test]
fn tags_name_files() {
    let folder = folder();
    let read = with("zora <lora:zora:0.8>, <lora:Ink>", &folder).unwrap();
    assert_eq!(read.prompt, "zora ,");
    let found: Vec<_> = read
        .loras
        .iter()
        .map(|lora| (lora.path.clone(), lora.weight))
        .collect();
    let path = |file: &str| folder.path().join(file);
    assert_eq!(
        found,
        [
            (path("zora.safetensors"), 0.8),
            (path("styles/ink.safetensors"), 1.0)
        ]
    );
    assert!(read.warnings.is_empty());
}

#[test]
fn a_given_file_can_be_named() {
    let given: LoraFile = "/loras/zora.safetensors:0.5".parse().unwrap();
    let found = read("<lora:zora>", None, Reading::Language, &[given], &[]).unwrap();
    assert_eq!(found.loras[0].path, Path::new("/loras/zora.safetensors"));
}

#[test]
fn what_cannot_be_resolved_says_why() {
    let folder = folder();
    for (prompt, why) in [
        (
            "<lora:zoro:1>",
            "--prompt: `<lora:zoro:1>` names a LoRA file `zoro.safetensors`, which is neither in the folders of \
             --lora-dir nor given with --lora; did you mean `zora`? With --literal, tags are letters",
        ),
        (
            "<lora:zora:9>",
            "--prompt: `<lora:zora:9>` has the weight 9; it must be from -4 to 4",
        ),
        (
            "<lora:zora:strong>",
            "--prompt: `<lora:zora:strong>` has the weight `strong`, which is not a number, or use --literal to read tags \
             as letters",
        ),
    ] {
        assert_eq!(with(prompt, &folder).unwrap_err().to_string(), why);
    }
    let error = read("a", Some("<lora:zora>"), Reading::Language, &[], &[]).unwrap_err();
    assert!(
        error.to_string().starts_with("--negative: `<lora:zora>`"),
        "{error}"
    );
    let error = with("<lo<lora:zora>ra:zora>", &folder).unwrap_err().to_string();
    assert!(error.contains("write each tag by itself"), "{error}");
    fs::write(folder.path().join("styles/zora.safetensors"), "").unwrap();
    let error = with("<lora:zora>", &folder).unwrap_err().to_string();
    assert!(error.contains("rename one"), "{error}");
}

#[test]
fn letters_stay_letters() {
    let read = read("<lora:nobody> (", None, Reading::Literal, &[], &[]).unwrap();
    assert_eq!(
        (read.prompt.as_str(), read.warnings.len()),
        ("<lora:nobody> (", 0)
    );
}

#[test]
fn long_prompts_are_told() {
    let read = read(&"cat ".repeat(200), Some("(hat"), Reading::Language, &[], &[]).unwrap();
    assert_eq!(read.n_chunks, 3);
    assert_eq!(
        read.warnings[0],
        "--prompt: 200 tokens are encoded in 3 chunks of at most 75"
    );
    assert!(
        read.warnings[1].starts_with("--negative: `(` at character 1"),
        "{:?}",
        read.warnings
    );
    let error = super::read(&"BREAK ".repeat(40), None, Reading::Language, &[], &[]).unwrap_err();
    assert!(error.to_string().contains("at most 32"), "{error}");
}
