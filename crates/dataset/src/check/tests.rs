use std::fs;

use image::{Rgb, RgbImage};

use super::*;
use crate::picture::encode_png;

fn options() -> CheckOptions {
    CheckOptions {
        decoder: crate::decoder::Decoder::in_process(),
        purpose: Purpose {
            preset: protocol::preset::Preset::Character,
            resolution: 128,
            bucket_step: 32,
            batch_size: 8,
            max_tokens: 75,
            trigger_word: "zora".into(),
            rules: None,
        },
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
    assert!(report.passed, "a training can start, as `train` does: {report:?}");
    assert_eq!(
        (report.n_pictures, report.n_captioned, report.n_held_out),
        (2, 1, 0)
    );
    expect_test::expect![[r#"
        warning file_refused: 1 file was not accepted.
          bad.png: is not a picture but text: pictures are PNG, JPEG, WebP, BMP, GIF or TIFF files
        warning few_pictures: The dataset has 2 pictures.
        warning enlarged: 1 picture is smaller than its training size.
          more/small.png: is 64×80 and will be enlarged 2.0 times to 128×160
        warning blank: 2 pictures are blank.
          good.png: has one color all over
          more/small.png: has one color all over
        warning no_caption: 1 picture has no caption.
          more/small.png: has no caption
        note small_bucket: The bucket 128×128 (2) has fewer pictures than a batch of 8.
        note trigger_missing: 1 caption lacks the trigger word.
          good.png: its caption lacks `zora`, which will be prepended
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
        "error cannot_train: The dataset has no pictures: upload some first.\n"
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
    assert!(told.contains("  a.png: is neither a file nor a folder"), "{told}");
}

fn shown(report: &CheckReport) -> String {
    let word = |value: serde_json::Value| value.as_str().unwrap().to_owned();
    let mut shown = String::new();
    for finding in &report.findings {
        let severity = word(serde_json::to_value(finding.severity).unwrap());
        let code = word(serde_json::to_value(finding.code).unwrap());
        shown.push_str(&format!("{severity} {code}: {}\n", finding.message));
        for picture in &finding.pictures {
            shown.push_str(&format!("  {}: {}\n", picture.file_name, picture.detail));
        }
    }
    shown
}

#[test]
fn a_folder_says_that_its_pictures_are_held_out() {
    let folder = tempfile::tempdir().unwrap();
    let kept = folder.path().join("held_out/1_");
    fs::create_dir_all(&kept).unwrap();
    for n in 0..14_u8 {
        let file = encode_png(&RgbImage::from_pixel(128, 128, Rgb([n; 3])));
        fs::write(folder.path().join(format!("{n}.png")), file).unwrap();
    }
    assert_eq!(check(folder.path(), &options()).unwrap().n_held_out, 2, "of 14");
    let file = encode_png(&RgbImage::from_pixel(128, 128, Rgb([99; 3])));
    fs::write(kept.join("apart.png"), file).unwrap();
    let report = check(folder.path(), &options()).unwrap();
    assert_eq!((report.n_pictures, report.n_held_out), (15, 1));
}
