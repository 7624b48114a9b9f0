//! Checks of pictures: sizes, pixels, duplicates, numbers.
//!
//! Each threshold says what it means. What those on pixels find of known damage, and what they find wrongly, is measured in
//! `tests/labelled.rs`.

use std::collections::BTreeMap;

use protocol::{
    dataset::Split,
    finding::{FindingCode, Measures},
    preset::Preset,
};

use super::{Found, Purpose, Subject, near::Near};
use crate::buckets::{Buckets, Size};

/// Fewer pictures than this are hardly enough for anything.
pub(super) const TINY: usize = 4;
/// A picture that is enlarged more than this is visibly soft.
const MOST_ENLARGED: f64 = 4.0 / 3.0;
/// A larger share that is cut off loses limbs.
const MOST_CROPPED: f64 = 0.35;
/// Thousandths of a step between two pixels: an edge that a Gaussian of about 1.4 pixels has blurred, at 1024 pixels.
const LEAST_SHARP: u16 = 120;
/// Luma of the brightest pixels of a picture that is too dark, and the rest to 255 of the darkest of one too bright.
const FAINT: u8 = 56;
/// Contrast of a picture that shows nothing, in steps of luma.
const BLANK: u8 = 12;
/// Thousandths of a side that a bar has at least.
const LEAST_BAR: u16 = 20;
/// How much more often one group may be shown than another.
const MOST_UNEVEN: u32 = 3;

/// Checks everything that is not about captions.
pub(super) fn judge(subjects: &[Subject<'_>], splits: &[Split], purpose: &Purpose, found: &mut Found) {
    sizes(subjects, splits, purpose, found);
    for (index, subject) in subjects.iter().enumerate() {
        if let Some(measures) = &subject.measures {
            pixels(index, measures, found);
        }
    }
    duplicates(subjects, splits, found);
    numbers(subjects, splits, purpose, found);
}

fn sizes(subjects: &[Subject<'_>], splits: &[Split], purpose: &Purpose, found: &mut Found) {
    let grid = Buckets::new(purpose.resolution, purpose.bucket_step);
    let mut buckets: BTreeMap<Size, u32> = BTreeMap::new();
    for (index, subject) in subjects.iter().enumerate() {
        let placement = grid.place(Size::new(subject.width, subject.height));
        if placement.scale() > MOST_ENLARGED {
            let detail = format!(
                "is {} and will be enlarged {:.1} times to {}",
                placement.original,
                placement.scale(),
                placement.resized
            );
            found.of(FindingCode::Enlarged, index, detail);
        }
        if placement.crop_loss() > MOST_CROPPED {
            let loss = 100.0 * placement.crop_loss();
            let detail = format!("loses {loss:.0} % to the crop to {}", placement.bucket);
            found.of(FindingCode::CroppedAway, index, detail);
        }
        if splits[index] == Split::Train {
            *buckets.entry(placement.bucket).or_default() += subject.showing.repeats;
        }
    }
    let batch_size = u32::from(purpose.batch_size);
    let small: Vec<String> = buckets
        .iter()
        .filter(|(_, n_views)| **n_views < batch_size)
        .map(|(size, n_views)| format!("{size} ({n_views})"))
        .collect();
    let what = match small.as_slice() {
        [] => return,
        [one] => format!("the bucket {one} has fewer pictures than a batch of {batch_size}"),
        _ => format!(
            "{} buckets have fewer pictures than a batch of {batch_size}: {}",
            small.len(),
            few(&small)
        ),
    };
    found.of_all(FindingCode::SmallBucket, what);
}

fn pixels(index: usize, measures: &Measures, found: &mut Found) {
    let Measures {
        sharpness,
        darkest,
        brightest,
        frame: [left, top, right, bottom],
        page,
        ..
    } = *measures;
    if brightest.saturating_sub(darkest) < BLANK {
        found.of(FindingCode::Blank, index, "has one color all over");
        return;
    }
    if brightest < FAINT {
        let share = 100 * u32::from(brightest) / 255;
        let detail = format!("is nowhere brighter than {share} % of white");
        found.of(FindingCode::TooDark, index, detail);
    }
    if darkest > 255 - FAINT {
        let share = 100 * u32::from(darkest) / 255;
        let detail = format!("is nowhere darker than {share} % of white");
        found.of(FindingCode::TooBright, index, detail);
    }
    if sharpness.is_some_and(|sharpness| sharpness < LEAST_SHARP) {
        found.of(FindingCode::Blurred, index, "has no sharp edge");
    }
    if page == Some(true) {
        // Its margin goes with the gutters.
        found.of(FindingCode::WholePage, index, "has several panels");
        return;
    }
    let pair = |one: u16, other: u16| one.min(other) >= LEAST_BAR;
    let percent = |one: u16, other: u16| f64::from(one + other) / 10.0;
    let detail = match (pair(left, right), pair(top, bottom)) {
        (true, true) => format!(
            "has a frame that takes {:.0} % of its width and {:.0} % of its height",
            percent(left, right),
            percent(top, bottom)
        ),
        (true, false) => format!(
            "has bars at left and right that take {:.0} % of its width",
            percent(left, right)
        ),
        (false, true) => format!(
            "has bars at top and bottom that take {:.0} % of its height",
            percent(top, bottom)
        ),
        (false, false) => return,
    };
    found.of(FindingCode::Framed, index, detail);
}

/// Names for each picture the first before it that shows nearly the same, and for each that is trained on a held-out one.
fn duplicates(subjects: &[Subject<'_>], splits: &[Split], found: &mut Found) {
    let mut of_splits: Vec<(Split, Near)> = Vec::new();
    for (index, subject) in subjects.iter().enumerate() {
        let Some(measures) = &subject.measures else {
            continue;
        };
        let split = splits[index];
        let mut first = [None; 2];
        for (of_split, near) in &mut of_splits {
            let first = &mut first[usize::from(*of_split != split)];
            *first = near.first(measures).or(*first);
        }
        let codes = [FindingCode::NearDuplicate, FindingCode::HeldOutDuplicate];
        for (code, first) in codes.into_iter().zip(first) {
            if let Some(other) = first {
                let detail = format!("looks like `{}`", subjects[other].file_name);
                found.of(code, index, detail);
            }
        }
        match of_splits.iter_mut().find(|(of_split, _)| *of_split == split) {
            Some((_, near)) => near.add(index, measures),
            None => {
                let mut near = Near::default();
                near.add(index, measures);
                of_splits.push((split, near));
            }
        }
    }
}

fn numbers(subjects: &[Subject<'_>], splits: &[Split], purpose: &Purpose, found: &mut Found) {
    let is_taught =
        |index: &usize| splits[*index] == Split::Train && !subjects[*index].showing.regularization;
    let n_pictures = subjects.len();
    let usual = match purpose.preset {
        Preset::Character => 15,
        Preset::Style => 30,
        Preset::Concept => 10,
    };
    if (1..usual).contains(&n_pictures) {
        let what = match n_pictures {
            1 => "the dataset has 1 picture".to_owned(),
            n => format!("the dataset has {n} pictures"),
        };
        found.of_all(FindingCode::FewPictures, what);
    }
    let mut groups: BTreeMap<&str, u32> = BTreeMap::new();
    for index in (0..n_pictures).filter(is_taught) {
        let showing = &subjects[index].showing;
        *groups.entry(&showing.group).or_default() += showing.repeats;
    }
    let most = groups.iter().max_by_key(|(_, n_views)| **n_views);
    let least = groups.iter().min_by_key(|(_, n_views)| **n_views);
    if let (Some((most, n_most)), Some((least, n_least))) = (most, least)
        && *n_most > MOST_UNEVEN * n_least
    {
        let named = |group: &str| match group {
            "" => "the pictures in no group".to_owned(),
            group => format!("the group `{group}`"),
        };
        let what = format!(
            "an epoch shows {} {n_most} times and {} {n_least} times",
            named(most),
            named(least)
        );
        found.of_all(FindingCode::UnbalancedGroups, what);
    }
}

/// The first few, and how many more there are.
fn few(all: &[String]) -> String {
    const N_SHOWN: usize = 3;
    let shown = all[..all.len().min(N_SHOWN)].join(", ");
    match all.len().saturating_sub(N_SHOWN) {
        0 => shown,
        n_more => format!("{shown} and {n_more} more"),
    }
}
