use std::{collections::BTreeMap, thread};

use image::{GrayImage, Luma, Rgb, imageops};

use super::*;
use pages::{Drawn, KINDS, Kind, draw, in_order, matched};

pub(crate) mod pages;

/// Seeds of each kind, where nobody asks for more.
const N_SEEDS: u64 = 4;

fn found(page: &RgbImage) -> Vec<PageFrame> {
    let layout = find_panels(page, ReadingOrder::LeftToRight);
    layout.panels.iter().map(|panel| panel.frame).collect()
}

/// Matched, drawn and found panels, pages that were taken for pages, matched, drawn and found balloons.
type Counts = [usize; 7];

fn counts(kind: Kind, n_seeds: u64) -> Counts {
    let mut counts = [0; 7];
    for seed in 0..n_seeds {
        let Drawn {
            page,
            frames,
            balloons,
            ..
        } = draw(seed, kind);
        let layout = find_panels(&page, ReadingOrder::LeftToRight);
        let found: Vec<PageFrame> = layout.panels.iter().map(|panel| panel.frame).collect();
        let (n_matched, n_drawn, n_found) = matched(&frames, &found);
        let (lettered, _) = find_balloons(&page);
        let is_found =
            |drawn: &&PageFrame| lettered.iter().any(|balloon| balloon.frame.overlap(drawn) > 0.75);
        let of_page = [
            n_matched,
            n_drawn,
            n_found,
            usize::from(is_page(&layout, page.dimensions())),
            balloons.iter().filter(is_found).count(),
            balloons.len(),
            lettered.len(),
        ];
        for (sum, n) in counts.iter_mut().zip(of_page) {
            *sum += n;
        }
    }
    counts
}

/// `docs/comic-pages.md` has the figures of 40 pages of each kind, which `make comic-pages` measures.
#[test]
fn the_panels_of_drawn_pages_are_found() {
    let n_seeds = std::env::var("MORPHEUS_COMIC_PAGES")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(N_SEEDS);
    let of_kinds: BTreeMap<Kind, Counts> = thread::scope(|scope| {
        let threads = KINDS.map(|kind| scope.spawn(move || (kind, counts(kind, n_seeds))));
        threads.map(|thread| thread.join().unwrap()).into_iter().collect()
    });
    let mut all = [0; 7];
    let mut table = String::new();
    for (kind, counts) in &of_kinds {
        let [n_matched, n_drawn, n_found, n_pages, ..] = counts;
        let share = |of: &usize| 100.0 * *n_matched as f64 / *of as f64;
        table += &format!(
            "| {kind:?} | {n_drawn} | {:.1} % | {:.1} % | {n_pages} of {n_seeds} |\n",
            share(n_drawn),
            share(n_found)
        );
        for (sum, n) in all.iter_mut().zip(counts) {
            *sum += n;
        }
    }
    let [n_matched, n_drawn, n_found, n_pages, lettered @ ..] = all;
    let (recall, precision) = (
        n_matched as f64 / n_drawn as f64,
        n_matched as f64 / n_found as f64,
    );
    table += &format!(
        "all: {n_drawn} panels, recall {recall:.4}, precision {precision:.4}; {n_pages} pages; balloons {lettered:?}"
    );
    assert!(recall >= 0.95 && precision >= 0.95, "{table}");
    assert!(n_pages * 100 >= 90 * n_seeds as usize * KINDS.len(), "{table}");
    let [n_lettered, n_balloons, n_taken] = lettered;
    assert!(
        n_lettered * 100 >= 95 * n_balloons && n_lettered * 100 >= 95 * n_taken,
        "{table}"
    );
    if std::env::var_os("MORPHEUS_COMIC_PAGES").is_some() {
        use std::io::Write as _;
        writeln!(std::io::stderr(), "{table}").unwrap();
    }
}

#[test]
fn panels_are_read_in_rows_from_either_side() {
    for order in [ReadingOrder::LeftToRight, ReadingOrder::RightToLeft] {
        for seed in 0..2 {
            let Drawn { page, frames, .. } = draw(seed, Kind::Grid);
            let layout = find_panels(&page, order);
            let expected = in_order(&frames, order);
            for (panel, frame) in layout.panels.iter().zip(&expected) {
                assert!(
                    panel.frame.overlap(frame) > 0.9,
                    "{order:?} {seed}: {panel:?} for {frame:?}"
                );
            }
        }
    }
}

#[test]
fn panels_that_stand_above_each_other_in_a_row_are_read_down() {
    let frame = |left, top, width, height| PageFrame {
        left,
        top,
        width,
        height,
    };
    // One high panel beside two low ones, an inset in it, and a row below.
    let (high, inset) = (frame(10, 10, 200, 400), frame(20, 20, 60, 60));
    let (upper, lower) = (frame(220, 10, 170, 190), frame(220, 210, 170, 200));
    let below = frame(10, 420, 380, 100);
    let read = |order| {
        let shuffled = [lower, below, inset, upper, high];
        let mut panels = shuffled
            .map(|frame| Panel {
                frame,
                confidence: 1.0,
            })
            .to_vec();
        order::sort(&mut panels, order);
        panels.into_iter().map(|panel| panel.frame).collect::<Vec<_>>()
    };
    assert_eq!(
        read(ReadingOrder::LeftToRight),
        [high, inset, upper, lower, below]
    );
    assert_eq!(
        read(ReadingOrder::RightToLeft),
        [upper, lower, high, inset, below]
    );
}

#[test]
fn a_single_drawing_is_no_page() {
    for seed in 0..6 {
        let Drawn { page, frames, .. } = draw(seed, Kind::Borderless);
        let PageFrame {
            left,
            top,
            width,
            height,
        } = frames[0];
        let panel = imageops::crop_imm(&page, left, top, width, height).to_image();
        let layout = find_panels(&panel, ReadingOrder::LeftToRight);
        assert!(!is_page(&layout, panel.dimensions()), "{seed}: {layout:?}");
    }
}

#[test]
fn pages_without_anything_to_see_are_one_panel_or_none() {
    for (width, height) in [(64, 64), (64, 3000), (1500, 70), (1000, 1000)] {
        for color in [0, 128, 255] {
            let blank = RgbImage::from_pixel(width, height, Rgb([color; 3]));
            let panels = found(&blank);
            assert!(panels.len() <= 1, "{width}×{height} {color}: {panels:?}");
        }
    }
}

#[test]
fn frames_lie_on_the_page_whatever_it_shows() {
    let mut state = 1_u32;
    for (width, height) in [(65, 64), (333, 97), (90, 1201)] {
        let noise = RgbImage::from_fn(width, height, |_, _| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            Rgb([state >> 24, state >> 16, state >> 8].map(|channel| channel as u8))
        });
        for frame in found(&noise) {
            assert_eq!(frame.on_page((width, height)), Some(frame));
        }
    }
}

#[test]
fn how_far_a_scan_was_turned_is_measured() {
    let mut n_near = 0;
    for seed in 0..4 {
        let level = find_panels(&draw(seed, Kind::Rows).page, ReadingOrder::LeftToRight);
        assert_eq!(level.skew_degrees, 0.0, "{seed}");
        let scan = find_panels(&draw(seed, Kind::Scanned).page, ReadingOrder::LeftToRight);
        n_near += usize::from(scan.skew_degrees != 0.0 && scan.skew_degrees.abs() <= 1.05);
    }
    assert!(n_near >= 3, "{n_near}");
}

#[test]
fn holes_are_painted_over_with_what_surrounds_them() {
    // A ramp solves Laplace's equation: it comes back.
    let ramp = RgbImage::from_fn(96, 80, |x, y| Rgb([(x * 2) as u8, (y * 3) as u8, 77]));
    let frame = PageFrame {
        left: 30,
        top: 20,
        width: 25,
        height: 31,
    };
    let is_in = |x: u32, y: u32| (30..55).contains(&x) && (20..51).contains(&y);
    let mask = GrayImage::from_fn(96, 80, |x, y| Luma([if is_in(x, y) { 255 } else { 0 }]));
    let mut painted = RgbImage::from_fn(96, 80, |x, y| {
        if is_in(x, y) {
            Rgb([255; 3])
        } else {
            *ramp.get_pixel(x, y)
        }
    });
    paint_over(&mut painted, &mask, frame);
    for (x, y, pixel) in painted.enumerate_pixels() {
        let away = (0..3)
            .map(|channel| pixel[channel].abs_diff(ramp.get_pixel(x, y)[channel]))
            .max();
        let most = if is_in(x, y) { 6 } else { 0 };
        assert!(away <= Some(most), "{x} {y}: {pixel:?}");
    }
}

#[test]
fn a_hole_without_surroundings_stays() {
    let mut picture = RgbImage::from_pixel(64, 64, Rgb([9, 8, 7]));
    let before = picture.clone();
    let frame = PageFrame {
        left: 0,
        top: 0,
        width: 64,
        height: 64,
    };
    paint_over(&mut picture, &GrayImage::from_pixel(64, 64, Luma([255])), frame);
    assert_eq!(picture, before);
}

#[test]
fn a_sheet_shows_every_frame_and_its_number() {
    let page = RgbImage::from_pixel(2400, 1200, Rgb([255; 3]));
    let frame = |left| PageFrame {
        left,
        top: 100,
        width: 700,
        height: 900,
    };
    let sheet = contact_sheet(&page, &[frame(100), frame(1000)]);
    assert_eq!(sheet.dimensions(), (1200, 600));
    // The upper left corners of both, at half the size, in different colors.
    let (first, second) = (*sheet.get_pixel(51, 51), *sheet.get_pixel(501, 51));
    assert_ne!(first, second);
    assert!(first != Rgb([255; 3]) && second != Rgb([255; 3]));
    assert_eq!(*sheet.get_pixel(300, 300), Rgb([255; 3]));
    // The dots of a 1 and of a 2 differ.
    let box_of = |x| imageops::crop_imm(&sheet, x, 54, 30, 42).to_image();
    let dots = |of: RgbImage| of.pixels().map(|pixel| pixel.0 == [255; 3]).collect::<Vec<_>>();
    assert_ne!(dots(box_of(54)), dots(box_of(504)));
}
