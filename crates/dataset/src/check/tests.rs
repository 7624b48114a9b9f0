use std::fs;

use image::{Rgb, RgbImage};

use super::*;
use crate::picture::encode_png;

fn options() -> CheckOptions {
    CheckOptions {
        decoder: crate::decoder::Decoder::in_process(),
        resolution: 128,
        bucket_step: 32,
        batch_size: 8,
        trigger_word: Some("zora".into()),
    }
}

#[test]
fn reports_errors_first_then_warnings_then_infos() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| fs::write(folder.path().join(name), bytes).unwrap();
    write("bad.png", b"text");
    write(
        "good.png",
        &encode_png(&RgbImage::from_pixel(128, 128, Rgb([9; 3]))),
    );
    write("good.txt", b"a portrait");
    fs::create_dir(folder.path().join("more")).unwrap();
    write(
        "more/small.png",
        &encode_png(&RgbImage::from_pixel(64, 80, Rgb([8; 3]))),
    );
    let report = check(folder.path(), &options()).unwrap();
    assert!(!report.passed);
    assert_eq!(
        (report.n_pictures, report.n_captioned, report.n_held_out),
        (2, 1, 0)
    );
    expect_test::expect![[r#"
        error bad.png: is not a picture but text: pictures are PNG, JPEG, WebP, BMP, GIF or TIFF files
        warning more/small.png: has no caption: add a .txt file of the same name
        warning more/small.png: is 64×80 and will be enlarged 2.0 times to 128×160: use a larger picture for a sharper result
        warning -: has 2 pictures: 15 to 30 are usual for a character
        info good.png: its caption lacks `zora`, which will be prepended
    "#]]
    .assert_eq(&shown(&report));
}

#[test]
fn an_empty_folder_is_an_error_and_a_missing_one_fails() {
    let folder = tempfile::tempdir().unwrap();
    let report = check(folder.path(), &options()).unwrap();
    assert!(!report.passed);
    assert_eq!(
        shown(&report),
        "error -: the dataset has no pictures: upload some first\n"
    );
    let missing = folder.path().join("missing");
    let err = check(&missing, &options()).unwrap_err();
    assert_eq!(err.to_string(), format!("failed to read `{}`", missing.display()));
}

#[test]
fn a_pipe_is_named_and_not_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let made = std::process::Command::new("mkfifo")
        .arg(folder.path().join("a.png"))
        .status()
        .unwrap();
    assert!(made.success(), "{made}");
    let (done, ended) = std::sync::mpsc::channel();
    let path = folder.path().to_owned();
    std::thread::spawn(move || done.send(check(&path, &options()).unwrap()));
    let report = ended
        .recv_timeout(std::time::Duration::from_secs(20))
        .expect("it does not wait");
    assert!(!report.passed);
    let told = shown(&report);
    assert!(
        told.starts_with("error a.png: is neither a file nor a folder"),
        "{told}"
    );
}

fn shown(report: &CheckReport) -> String {
    report
        .findings
        .iter()
        .map(
            |Finding {
                 severity,
                 file_name,
                 message,
             }| {
                let severity = serde_json::to_value(severity).unwrap();
                format!(
                    "{} {}: {message}\n",
                    severity.as_str().unwrap(),
                    file_name.as_deref().unwrap_or("-")
                )
            },
        )
        .collect()
}
