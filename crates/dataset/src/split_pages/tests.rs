use std::{fs, io::Cursor};

use image::{Rgb, RgbImage};
use protocol::page::{Balloons, ReadingOrder};
use zip::{ZipWriter, write::SimpleFileOptions};

use super::*;
use crate::{
    comic::tests::pages::{Kind, draw},
    ingest::Batch,
    picture::{encode_png, read_normalized},
};

/// A folder with a page, its caption, and a picture that is no page.
fn folder() -> (tempfile::TempDir, usize) {
    let folder = tempfile::tempdir().unwrap();
    let drawn = draw(1, Kind::Grid);
    fs::create_dir(folder.path().join("3_zora")).unwrap();
    fs::write(folder.path().join("3_zora/page-03.png"), encode_png(&drawn.page)).unwrap();
    fs::write(folder.path().join("3_zora/page-03.txt"), "zora, flying").unwrap();
    let single = RgbImage::from_fn(200, 160, |x, y| Rgb([x as u8, y as u8, 90]));
    fs::write(folder.path().join("single.png"), encode_png(&single)).unwrap();
    fs::write(folder.path().join("notes.md"), "# Notes").unwrap();
    (folder, drawn.frames.len())
}

fn split(folder: &Path, output: &Path, balloons: Balloons) -> Result<SplitReport, SplitPagesError> {
    let task = PageTask {
        order: ReadingOrder::RightToLeft,
        frames: None,
        balloons,
    };
    split_pages(folder, output, &task, &Decoder::in_process())
}

#[test]
fn pages_become_panels_with_their_captions() {
    let (folder, n_panels) = folder();
    let output = tempfile::tempdir().unwrap();
    let report = split(folder.path(), output.path(), Balloons::Keep).unwrap();
    assert_eq!((report.n_pages, report.n_panels), (1, n_panels));
    assert_eq!(report.refused[0].file_name, "notes.md");
    let page = &report.pictures[0];
    assert_eq!(
        page.panels[1].path,
        Path::new("panels/3_zora/page-03-panel-2.png")
    );
    // The second from the right stands left of the first.
    assert!(page.panels[0].frame.left > page.panels[1].frame.left);
    for panel in &page.panels {
        let file = fs::read(output.path().join(&panel.path)).unwrap();
        let picture = read_normalized(&file).unwrap();
        assert_eq!(picture.dimensions(), (panel.frame.width, panel.frame.height));
        let caption = output.path().join(&panel.path).with_extension("txt");
        assert_eq!(fs::read_to_string(caption).unwrap(), "zora, flying\n");
    }
    let sheet = output.path().join(page.contact_sheet.as_ref().unwrap());
    assert!(read_normalized(&fs::read(sheet).unwrap()).is_ok());
    // A picture that is no page is there as it was.
    let single = &report.pictures[1];
    assert!(!single.is_page && single.contact_sheet.is_none());
    let copied = fs::read(output.path().join("panels/single.png")).unwrap();
    assert_eq!(copied, fs::read(folder.path().join("single.png")).unwrap());
    // Nothing else is left.
    let mut left: Vec<_> = fs::read_dir(output.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    left.sort();
    assert_eq!(left, [CONTACT_SHEETS, PANELS]);
}

#[test]
fn balloons_are_masked_or_painted_over() {
    let (folder, n_panels) = folder();
    let kept = tempfile::tempdir().unwrap();
    split(folder.path(), kept.path(), Balloons::Keep).unwrap();
    let panel = |output: &Path, path: &Path| fs::read(output.join(path)).unwrap();

    let masked = tempfile::tempdir().unwrap();
    let report = split(folder.path(), masked.path(), Balloons::Mask).unwrap();
    let lettered = report.pictures[0]
        .panels
        .iter()
        .find(|panel| panel.n_balloons > 0)
        .unwrap();
    // The picture stays, and an upload takes the mask for its mask.
    assert_eq!(
        panel(masked.path(), &lettered.path),
        panel(kept.path(), &lettered.path)
    );
    let mut batch = Batch::default();
    let discard = |_: &NormalizedPicture| Ok::<(), io::Error>(());
    let files = Folder::list(&masked.path().join(PANELS)).unwrap();
    for (name, path) in &files.files {
        batch.add(name, File::open(path).unwrap(), discard).unwrap();
    }
    let again = batch.finish();
    assert_eq!((again.items.len(), again.refused.len()), (n_panels + 1, 0));
    let n_lettered = report.pictures[0]
        .panels
        .iter()
        .filter(|panel| panel.n_balloons > 0)
        .count();
    assert_eq!(
        again.items.iter().filter(|item| item.mask.is_some()).count(),
        n_lettered
    );

    let painted = tempfile::tempdir().unwrap();
    let report = split(folder.path(), painted.path(), Balloons::Paint).unwrap();
    for made in &report.pictures[0].panels {
        let same = panel(painted.path(), &made.path) == panel(kept.path(), &made.path);
        assert_eq!(same, made.n_balloons == 0, "{}", made.path.display());
    }
}

#[test]
fn a_folder_that_is_in_use_is_left_alone() {
    let (folder, _) = folder();
    let output = tempfile::tempdir().unwrap();
    fs::write(output.path().join("mine.txt"), "mine").unwrap();
    let err = split(folder.path(), output.path(), Balloons::Keep).unwrap_err();
    assert!(matches!(err, SplitPagesError::NotEmpty(_)), "{err}");
    assert_eq!(fs::read_dir(output.path()).unwrap().count(), 1);
}

/// A zip archive with one file.
fn archive(name: &str, bytes: &[u8]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    writer.start_file(name, SimpleFileOptions::default()).unwrap();
    writer.write_all(bytes).unwrap();
    writer.finish().unwrap().into_inner()
}

fn single(blue: u8) -> Vec<u8> {
    let pixels = RgbImage::from_fn(200, 160, |x, y| Rgb([x as u8, y as u8, blue]));
    encode_png(&pixels)
}

#[test]
fn pictures_of_one_name_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let page = |seed| encode_png(&draw(seed, Kind::Grid).page);
    fs::write(at("001-panel-1.png"), single(10)).unwrap();
    fs::write(at("vol1.zip"), archive("001.png", &page(1))).unwrap();
    fs::write(at("vol2.zip"), archive("001.png", &single(20))).unwrap();
    fs::write(at("vol3.zip"), archive("001.png", &page(2))).unwrap();
    let output = tempfile::tempdir().unwrap();
    let report = split(folder.path(), output.path(), Balloons::Keep).unwrap();
    assert_eq!((report.n_pages, report.refused.len()), (2, 0), "{report:?}");
    let first: Vec<&Path> = report
        .pictures
        .iter()
        .map(|picture| picture.panels[0].path.as_path())
        .collect();
    let expected = [
        "panels/001-panel-1.png",
        "panels/vol1-001-panel-1.png",
        "panels/001.png",
        "panels/vol3-001-panel-1.png",
    ];
    assert_eq!(first, expected.map(Path::new));
    for picture in &report.pictures {
        let sheet = picture.contact_sheet.iter();
        let mut written = picture.panels.iter().map(|panel| &panel.path).chain(sheet);
        assert!(written.all(|path| output.path().join(path).is_file()));
    }
}

#[test]
fn a_name_is_taken_once_in_any_case() {
    let folder = tempfile::tempdir().unwrap();
    let mut output = Output::new(folder.path()).unwrap();
    let mut take =
        |name: &str, archive: Option<&str>| output.free_stem((name, archive), |stem| vec![stem.to_owned()]);
    assert_eq!(take("a/001.png", None), Path::new("a/001"));
    assert_eq!(take("A/001.PNG", Some("x/vol1.zip")), Path::new("A/vol1-001"));
    assert_eq!(take("a/001.png", Some("y/vol1.zip")), Path::new("a/vol1-001-2"));
    assert_eq!(take("a/001.png", None), Path::new("a/001-2"));
}

#[test]
fn a_page_that_cannot_be_split_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut output = Output::new(folder.path()).unwrap();
    let item = IngestedItem {
        file_name: "a.png".to_owned(),
        caption: String::new(),
        width: 64,
        height: 64,
        size_bytes: 10,
        sha256: "feed".to_owned(),
        pixels_sha256: "feed".to_owned(),
        mask: None,
        notes: Vec::new(),
        measures: None,
    };
    fs::write(output.kept("feed"), "no picture").unwrap();
    let refused = output.split((&item, None), &PageTask::default(), &Decoder::in_process());
    assert!(refused.unwrap().is_err());
}

#[test]
fn nothing_is_left_of_what_fails() {
    let folder = tempfile::tempdir().unwrap();
    let output = Output::new(folder.path()).unwrap();
    let written = output.write_picture(Path::new("a"), (&single(1)[..], None), "words");
    assert!(folder.path().join(written.unwrap()).is_file());
    drop(output);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

/// Words of a folder are no caption that somebody gave; masks of pages are not cut.
#[test]
fn copies_keep_their_masks_and_nobody_gets_words() {
    let (folder, _) = folder();
    let at = |name: &str| folder.path().join(name);
    fs::remove_file(at("3_zora/page-03.txt")).unwrap();
    let page = draw(1, Kind::Grid).page;
    let page_mask = RgbImage::from_pixel(page.width(), page.height(), Rgb([255; 3]));
    fs::write(at("3_zora/page-03-masklabel.png"), encode_png(&page_mask)).unwrap();
    let mask = encode_png(&RgbImage::from_fn(200, 160, |x, _| Rgb([x as u8; 3])));
    fs::write(at("single-masklabel.png"), &mask).unwrap();
    fs::write(at("single.txt"), "a gradient").unwrap();
    let output = tempfile::tempdir().unwrap();
    let report = split(folder.path(), output.path(), Balloons::Keep).unwrap();
    let copied = |name: &str| fs::read(output.path().join(PANELS).join(name)).unwrap();
    assert_eq!(copied("single-masklabel.png"), mask);
    assert_eq!(copied("single.txt"), b"a gradient\n");
    let caption = output.path().join(&report.pictures[0].panels[0].path);
    assert!(caption.is_file() && !caption.with_extension("txt").exists());
    let dropped = report
        .refused
        .iter()
        .find(|file| file.file_name == "3_zora/page-03-masklabel.png")
        .unwrap();
    assert!(dropped.reason.contains("panels"), "{}", dropped.reason);
}

#[test]
fn no_name_leads_out_of_the_folder() {
    assert_eq!(stem("../a/./b.c.png"), Path::new("a/b.c"));
    assert_eq!(stem("/etc/passwd"), Path::new("etc/passwd"));
}
