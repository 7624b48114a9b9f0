//! Splits a page into panels, where pictures are decoded.

use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
};

use image::{DynamicImage, GrayImage, RgbImage, imageops};
use protocol::{
    finding::Measures,
    page::{Balloons, PageFrame, ReadingOrder},
};
use serde::{Deserialize, Serialize};

use super::{DecodeError, guarded, refused};
use crate::{
    comic::{self, Layout, Panel},
    picture::{self, MIN_SIDE, NormalizedPicture, PictureError},
};

/// Panels of a page, at most.
pub const MAX_PANELS: usize = 64;

/// How a page is to be split.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageTask {
    /// In which direction the panels of a row are read.
    pub order: ReadingOrder,
    /// The panels, in reading order; absent: those that are found. More than [`MAX_PANELS`] are left out.
    pub frames: Option<Vec<PageFrame>>,
    /// What becomes of balloons.
    pub balloons: Balloons,
}

/// A page that was split.
#[derive(Debug, Clone, PartialEq)]
pub struct SplitPage {
    /// Whether the picture is a whole page, by what is found on it.
    pub is_page: bool,
    /// Its panels in reading order: those that were given, or found.
    pub layout: Layout,
    /// The panels as pictures; none if no frames were given and the picture is no whole page.
    pub panels: Vec<PanelPicture>,
    /// The page with its frames drawn and numbered; absent for one that is too narrow.
    pub sheet: Option<NormalizedPicture>,
}

/// A panel that was cut out of its page.
#[derive(Debug, Clone, PartialEq)]
pub struct PanelPicture {
    /// Its place in the reading order, from 1. A panel with a side of less than 64 pixels is left out.
    pub number: usize,
    /// Where it is on the page, in pixels.
    pub frame: PageFrame,
    /// Number of balloons that were found in it; 0 where they are kept and not looked for.
    pub n_balloons: usize,
    /// Its pixels, with a mask that leaves balloons out if that was asked for.
    pub picture: NormalizedPicture,
}

/// What a worker says at the end.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct PageOutline {
    is_page: bool,
    layout: Layout,
}

/// What a worker says of each picture that it sends.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct Part {
    of: Role,
    width: u32,
    height: u32,
    #[serde(default)]
    measures: Option<Measures>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Role {
    Panel {
        number: usize,
        n_balloons: usize,
    },
    /// The mask of the panel before it.
    Mask,
    Sheet,
}

/// Decodes a page and splits it; each picture goes to `send` as soon as it is cut out, as a PNG file.
pub(super) fn split(
    bytes: &[u8],
    task: &PageTask,
    mut send: impl FnMut(&[u8], Part) -> io::Result<()>,
) -> io::Result<Result<PageOutline, PictureError>> {
    let decoded = guarded(bytes).map(|upright| picture::opaque(upright.pixels));
    let page = match decoded {
        Ok(page) => page,
        Err(err) => return Ok(Err(err)),
    };
    let found = match seen(|| comic::find_panels(&page, task.order)) {
        Ok(found) => found,
        Err(err) => return Ok(Err(err)),
    };
    let is_page = comic::is_page(&found, page.dimensions());
    let given = task.frames.as_ref().map(|frames| {
        let on_page = frames.iter().filter_map(|frame| frame.on_page(page.dimensions()));
        on_page
            .map(|frame| Panel {
                frame,
                confidence: 1.0,
            })
            .collect()
    });
    let is_split = is_page || given.is_some();
    let mut layout = Layout {
        panels: given.unwrap_or(found.panels),
        ..found
    };
    layout.panels.truncate(MAX_PANELS);
    let frames: Vec<PageFrame> = layout.panels.iter().map(|panel| panel.frame).collect();
    for (index, frame) in frames.iter().enumerate().filter(|_| is_split) {
        if frame.width.min(frame.height) < MIN_SIDE {
            continue;
        }
        let cut = imageops::crop_imm(&page, frame.left, frame.top, frame.width, frame.height).to_image();
        let (panel, mask, n_balloons) = match seen(|| lettered(cut, task.balloons)) {
            Ok(seen) => seen,
            Err(err) => return Ok(Err(err)),
        };
        let number = index + 1;
        send_picture(panel, Role::Panel { number, n_balloons }, &mut send)?;
        if let Some(mask) = mask {
            send_picture(gray(&mask), Role::Mask, &mut send)?;
        }
    }
    let sheet = match seen(|| comic::contact_sheet(&page, &frames)) {
        Ok(sheet) => sheet,
        Err(err) => return Ok(Err(err)),
    };
    if sheet.width().min(sheet.height()) >= MIN_SIDE {
        send_picture(sheet, Role::Sheet, &mut send)?;
    }
    Ok(Ok(PageOutline { is_page, layout }))
}

/// What a page shows is as strange as its file may be: a search that panics refuses it.
fn seen<T>(look: impl FnOnce() -> T) -> Result<T, PictureError> {
    catch_unwind(AssertUnwindSafe(look)).map_err(|_| PictureError::Puzzling)
}

/// A panel, a mask that is 0 in its balloons if it has one, and how many balloons were found.
fn lettered(mut panel: RgbImage, balloons: Balloons) -> (RgbImage, Option<GrayImage>, usize) {
    if balloons == Balloons::Keep {
        return (panel, None, 0);
    }
    let (found, mut covered) = comic::find_balloons(&panel);
    if found.is_empty() {
        return (panel, None, 0);
    }
    if balloons == Balloons::Mask {
        imageops::invert(&mut covered);
        return (panel, Some(covered), found.len());
    }
    for balloon in &found {
        comic::paint_over(&mut panel, &covered, balloon.frame);
    }
    (panel, None, found.len())
}

/// A mask as a picture: every picture of ours has colors.
fn gray(mask: &GrayImage) -> RgbImage {
    DynamicImage::ImageLuma8(mask.clone()).into_rgb8()
}

fn send_picture(
    pixels: RgbImage,
    of: Role,
    send: &mut impl FnMut(&[u8], Part) -> io::Result<()>,
) -> io::Result<()> {
    let pixels = DynamicImage::ImageRgb8(pixels);
    let measures = matches!(of, Role::Panel { .. }).then(|| picture::measure(&pixels));
    let mut png = Vec::new();
    picture::write_png(&pixels, &mut png)?;
    let (width, height) = (pixels.width(), pixels.height());
    send(
        &png,
        Part {
            of,
            width,
            height,
            measures,
        },
    )
}

/// Puts together what [`split`] sends.
#[derive(Debug, Default)]
pub(super) struct Collected {
    panels: Vec<PanelPicture>,
    sheet: Option<NormalizedPicture>,
}

impl Collected {
    /// Takes a picture; `None` if it is not what it is said to be.
    pub(super) fn add(&mut self, png: Vec<u8>, part: Part) -> Option<()> {
        let size = (part.width, part.height);
        if !picture::is_plain_png(&png, size) || self.panels.len() > MAX_PANELS {
            return None;
        }
        match part.of {
            Role::Panel { number, n_balloons } => self.panels.push(PanelPicture {
                number,
                // Known at the end.
                frame: PageFrame {
                    left: 0,
                    top: 0,
                    width: part.width,
                    height: part.height,
                },
                n_balloons,
                picture: NormalizedPicture::new(png, size, Vec::new()).with_views(part.measures, None),
            }),
            Role::Mask => {
                let panel = self.panels.last_mut()?;
                let joined = picture::joined(&panel.picture.png, &png)?;
                panel.picture = joined.with_views(panel.picture.measures, None);
            }
            Role::Sheet => self.sheet = Some(NormalizedPicture::new(png, size, Vec::new())),
        }
        Some(())
    }

    /// The page, by its outline; `None` if they do not fit each other.
    pub(super) fn page(mut self, outline: PageOutline) -> Option<SplitPage> {
        for panel in &mut self.panels {
            let frame = outline.layout.panels.get(panel.number.checked_sub(1)?)?.frame;
            if (frame.width, frame.height) != (panel.frame.width, panel.frame.height) {
                return None;
            }
            panel.frame = frame;
        }
        Some(SplitPage {
            is_page: outline.is_page,
            layout: outline.layout,
            panels: self.panels,
            sheet: self.sheet,
        })
    }
}

/// Splits a page in this process.
pub(super) fn here(bytes: &[u8], task: &PageTask) -> Result<SplitPage, DecodeError> {
    let mut collected = Collected::default();
    let outline = split(bytes, task, |png, part| {
        collected
            .add(png.to_vec(), part)
            .ok_or_else(|| io::Error::other("a panel is invalid"))
    });
    let outline = outline.map_err(DecodeError::Unavailable)?.map_err(refused)?;
    collected
        .page(outline)
        .ok_or_else(|| refused(PictureError::Puzzling))
}

#[cfg(test)]
mod tests;
