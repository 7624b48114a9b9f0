//! Comic pages that are split into panels.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::dataset::{Item, RefusedFile};

/// A rectangle on a page, in its pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PageFrame {
    /// Left edge, in pixels from the left edge of the page.
    pub left: u32,
    /// Upper edge, in pixels from the upper edge of the page.
    pub top: u32,
    /// Width in pixels.
    #[schema(minimum = 1)]
    pub width: u32,
    /// Height in pixels.
    #[schema(minimum = 1)]
    pub height: u32,
}

/// In which direction the panels of a row are read.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReadingOrder {
    /// As in most comics.
    #[default]
    LeftToRight,
    /// As in manga.
    RightToLeft,
}

/// What becomes of the balloons in a panel.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Balloons {
    /// They stay, and are trained on.
    #[default]
    Keep,
    /// They stay in the picture; its mask leaves them out of the loss.
    Mask,
    /// They are painted over with what surrounds them.
    Paint,
}

/// What is found on a picture that may be a page.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct FoundPanels {
    /// Whether the picture is a whole page.
    pub is_page: bool,
    /// Its panels in reading order. A picture without gutters is one panel.
    pub panels: Vec<FoundPanel>,
}

/// A panel that was found on a page.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct FoundPanel {
    /// Where it is.
    pub frame: PageFrame,
    /// How certainly this is a panel, from 0 to 1.
    pub confidence: f32,
}

/// Splits a page into panels.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SplitIntoPanels {
    /// The panels in reading order, from 1 to 64. They lie on the page, and each side has at least 64 pixels.
    #[schema(min_items = 1, max_items = 64)]
    pub frames: Vec<PageFrame>,
    /// What becomes of balloons.
    #[serde(default)]
    pub balloons: Balloons,
}

/// What a page was split into.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct MadePanels {
    /// The page. It is set aside: its panels are trained on instead of it.
    pub page: Item,
    /// Its panels in reading order.
    pub panels: Vec<Item>,
    /// Panels of an earlier split whose captions were edited since: they are kept.
    pub kept: Vec<Item>,
    /// Number of panels of an earlier split that were replaced.
    pub n_replaced: u32,
    /// Panels that were not made, with the reason.
    pub refused: Vec<RefusedFile>,
}

impl PageFrame {
    /// Number of pixels.
    pub fn area(&self) -> u64 {
        u64::from(self.width) * u64::from(self.height)
    }

    /// Pixels that two frames share, as a share of those that either has, from 0 to 1.
    pub fn overlap(&self, other: &Self) -> f64 {
        let both = self.shared(other);
        let either = (self.area() + other.area()).saturating_sub(both);
        both as f64 / either.max(1) as f64
    }

    /// Whether nearly all of another frame lies in this one.
    pub fn holds(&self, other: &Self) -> bool {
        self.shared(other) * 10 >= other.area() * 9
    }

    /// The part of it that lies on a page of this size; `None` if nothing does.
    pub fn on_page(&self, (width, height): (u32, u32)) -> Option<Self> {
        let right = self.left.saturating_add(self.width).min(width);
        let bottom = self.top.saturating_add(self.height).min(height);
        let within = Self {
            width: right.saturating_sub(self.left),
            height: bottom.saturating_sub(self.top),
            ..*self
        };
        (within.width > 0 && within.height > 0).then_some(within)
    }

    fn shared(&self, other: &Self) -> u64 {
        let side = |from: u32, length: u32, other_from: u32, other_length: u32| {
            let end = from
                .saturating_add(length)
                .min(other_from.saturating_add(other_length));
            u64::from(end.saturating_sub(from.max(other_from)))
        };
        side(self.left, self.width, other.left, other.width)
            * side(self.top, self.height, other.top, other.height)
    }
}
