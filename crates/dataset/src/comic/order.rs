//! The order in which the panels of a page are read.

use protocol::page::{PageFrame, ReadingOrder};

use super::Panel;

/// How far two panels may overlap and still be one after the other, as a share of the smaller one.
const OVERLAP: f64 = 0.3;

/// Sorts panels into reading order: rows from top to bottom, in each row as the order says, and panels of a row that
/// stand one above the other as rows again. An inset comes after the panel that it lies in.
pub(super) fn sort(panels: &mut Vec<Panel>, order: ReadingOrder) {
    let mut all = std::mem::take(panels);
    all.sort_by_key(|panel| std::cmp::Reverse(panel.frame.area()));
    // Insets go with what they lie in, which is larger.
    let mut groups: Vec<Vec<Panel>> = Vec::new();
    for panel in all {
        match groups.iter_mut().find(|group| group[0].frame.holds(&panel.frame)) {
            Some(group) => group.push(panel),
            None => groups.push(vec![panel]),
        }
    }
    let mut sorted = Vec::new();
    rows(groups, order, &mut sorted);
    for mut group in sorted {
        let insets = group.split_off(1);
        panels.extend(group);
        let mut within = Vec::new();
        rows(
            insets.into_iter().map(|inset| vec![inset]).collect(),
            order,
            &mut within,
        );
        panels.extend(within.into_iter().flatten());
    }
}

fn rows(groups: Vec<Vec<Panel>>, order: ReadingOrder, sorted: &mut Vec<Vec<Panel>>) {
    let down = |frame: &PageFrame| (f64::from(frame.top), f64::from(frame.top + frame.height));
    match divided(groups, down) {
        Ok(rows) => {
            for row in rows {
                columns(row, order, sorted);
            }
        }
        Err(groups) => columns(groups, order, sorted),
    }
}

fn columns(groups: Vec<Vec<Panel>>, order: ReadingOrder, sorted: &mut Vec<Vec<Panel>>) {
    if groups.len() < 2 {
        sorted.extend(groups);
        return;
    }
    let across = |frame: &PageFrame| {
        let (left, right) = (f64::from(frame.left), f64::from(frame.left + frame.width));
        match order {
            ReadingOrder::LeftToRight => (left, right),
            ReadingOrder::RightToLeft => (-right, -left),
        }
    };
    match divided(groups, across) {
        Ok(columns) => {
            for column in columns {
                rows(column, order, sorted);
            }
        }
        // Nothing divides them: by their corners.
        Err(mut groups) => {
            groups.sort_by_key(|group| {
                let frame = group[0].frame;
                let start = across(&frame).0 as i64;
                (frame.top + frame.height / 2, start)
            });
            sorted.extend(groups);
        }
    }
}

/// Divides panels into those that come one after the other in a direction; gives them back if they do not.
fn divided(
    mut groups: Vec<Vec<Panel>>,
    extent: impl Fn(&PageFrame) -> (f64, f64),
) -> Result<Vec<Vec<Vec<Panel>>>, Vec<Vec<Panel>>> {
    if groups.len() < 2 {
        return Err(groups);
    }
    let of = |group: &Vec<Panel>| extent(&group[0].frame);
    groups.sort_by(|one, other| {
        let middle = |(from, to): (f64, f64)| f64::midpoint(from, to);
        middle(of(one)).total_cmp(&middle(of(other)))
    });
    let is_after = |before: &Vec<Panel>, after: &Vec<Panel>| {
        let ((from, to), (next_from, next_to)) = (of(before), of(after));
        to - next_from <= OVERLAP * (to - from).min(next_to - next_from)
    };
    let mut parts: Vec<Vec<Vec<Panel>>> = Vec::new();
    let n = groups.len();
    let ends: Vec<usize> = (1..n)
        .filter(|&at| {
            groups[..at]
                .iter()
                .all(|one| groups[at..].iter().all(|other| is_after(one, other)))
        })
        .collect();
    if ends.is_empty() {
        return Err(groups);
    }
    let mut rest = groups;
    for at in ends.into_iter().rev() {
        parts.push(rest.split_off(at));
    }
    parts.push(rest);
    parts.reverse();
    Ok(parts)
}
