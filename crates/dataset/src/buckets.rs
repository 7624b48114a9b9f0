//! Aspect-ratio buckets: the few sizes to which pictures are scaled and cropped, so that batches can be formed.
//!
//! The algorithms are those of kohya-ss/sd-scripts with `enable_bucket`, with and without `bucket_no_upscale`, so that both
//! engines train on the same crops.

use protocol::{parameters, recipe::Parameters};
use serde::{Deserialize, Serialize};

/// Width and height in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Size {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
}

impl Size {
    /// A size.
    pub const fn new(width: u32, height: u32) -> Self {
        Self { width, height }
    }

    /// Width by height.
    pub fn aspect_ratio(self) -> f64 {
        f64::from(self.width) / f64::from(self.height)
    }
}

impl std::fmt::Display for Size {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}×{}", self.width, self.height)
    }
}

/// The bucket of a picture, and how the picture is scaled and cropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Placement {
    /// Size of the picture as uploaded.
    pub original: Size,
    /// Size that it is scaled to, keeping its aspect ratio; covers the bucket.
    pub resized: Size,
    /// Size that it is then cropped to, around its center.
    pub bucket: Size,
}

impl Placement {
    /// Pixels cut off at the left and at the top of the resized picture.
    pub fn crop_left_top(&self) -> (u32, u32) {
        let left = (self.resized.width - self.bucket.width) / 2;
        let top = (self.resized.height - self.bucket.height) / 2;
        (left, top)
    }

    /// Share of the resized picture that is cut off.
    pub fn crop_loss(&self) -> f64 {
        let area = |size: Size| f64::from(size.width) * f64::from(size.height);
        1.0 - area(self.bucket) / area(self.resized)
    }

    /// How much each side is stretched; above 1 the picture is enlarged.
    pub fn scale(&self) -> f64 {
        let by_width = f64::from(self.resized.width) / f64::from(self.original.width);
        by_width.max(f64::from(self.resized.height) / f64::from(self.original.height))
    }
}

/// All buckets of a training.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Buckets {
    sizes: Vec<Size>,
    limits: BucketLimits,
}

/// What buckets are made from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BucketLimits {
    /// The area that buckets aim for is that of a square with this side, in pixels.
    pub resolution: u32,
    /// Bucket sides are multiples of this, in pixels.
    pub step: u32,
    /// Shortest side.
    pub min_side: u32,
    /// Longest side.
    pub max_side: u32,
    /// Whether pictures that are smaller than the area are enlarged. Else each has a bucket of its own size, and the two
    /// sides above do not count.
    pub enlarges: bool,
}

impl BucketLimits {
    /// The usual limits for a resolution ([`parameters::bucket_sides`]).
    pub fn new(resolution: u32, step: u32) -> Self {
        let (min_side, max_side) = parameters::bucket_sides(resolution, step);
        Self {
            resolution,
            step: step.max(1),
            min_side,
            max_side,
            enlarges: true,
        }
    }

    /// The limits that a recipe asks for.
    pub fn of(p: &Parameters) -> Self {
        let (min_side, max_side) = p.bucket_sides();
        Self {
            min_side,
            max_side,
            enlarges: !p.bucket_no_upscale,
            ..Self::new(p.resolution, p.bucket_step)
        }
    }

    /// The size of a square picture.
    fn square(&self) -> Size {
        let side = self.rounded_down(self.resolution);
        Size::new(side, side)
    }

    /// A side of a bucket, which has at least one step.
    fn rounded_down(&self, side: u32) -> u32 {
        (side / self.step * self.step).max(self.step)
    }

    /// `BucketManager.select_bucket` with `no_upscale`: a picture within the area keeps its size; a larger one is brought to
    /// the area, with the width or the height a multiple of the step, whichever keeps the aspect ratio better.
    ///
    /// A picture that is smaller than one step is enlarged to it; sd-scripts fails on it.
    fn place_unenlarged(&self, original: Size) -> Placement {
        let ratio = original.aspect_ratio();
        let area = f64::from(self.resolution).powi(2);
        let nearest = |side: f64| (side + 0.5) as u32;
        let rounded = |side: f64| self.rounded_down(nearest(side));
        let resized = if f64::from(original.width) * f64::from(original.height) <= area {
            original
        } else {
            let width = (area * ratio).sqrt();
            let by_width = {
                let width = rounded(width);
                Size::new(width, rounded(f64::from(width) / ratio))
            };
            let by_height = {
                let height = rounded(area / width);
                Size::new(rounded(f64::from(height) * ratio), height)
            };
            let error = |size: Size| (size.aspect_ratio() - ratio).abs();
            if error(by_width) < error(by_height) {
                Size::new(by_width.width, nearest(f64::from(by_width.width) / ratio))
            } else {
                Size::new(nearest(f64::from(by_height.height) * ratio), by_height.height)
            }
        };
        let bucket = Size::new(
            self.rounded_down(resized.width),
            self.rounded_down(resized.height),
        );
        // Only where a side has less than one step.
        let by_width = f64::from(bucket.width) / f64::from(resized.width.max(1));
        let scale = by_width
            .max(f64::from(bucket.height) / f64::from(resized.height.max(1)))
            .max(1.0);
        let covering = |side: u32, least: u32| nearest(f64::from(side) * scale).max(least);
        Placement {
            original,
            resized: Size::new(
                covering(resized.width, bucket.width),
                covering(resized.height, bucket.height),
            ),
            bucket,
        }
    }
}

impl Buckets {
    /// The buckets for a resolution and step, with sides from a quarter to twice the resolution.
    pub fn new(resolution: u32, step: u32) -> Self {
        Self::within(BucketLimits::new(resolution, step))
    }

    /// The buckets that a recipe asks for.
    pub fn of(p: &Parameters) -> Self {
        Self::within(BucketLimits::of(p))
    }

    /// The buckets within explicit limits.
    pub fn within(limits: BucketLimits) -> Self {
        let BucketLimits {
            resolution,
            step,
            min_side,
            max_side,
            ..
        } = limits;
        let area = u64::from(resolution) * u64::from(resolution);
        let mut sizes = vec![limits.square()];
        for width in (min_side..=max_side).step_by(step as usize) {
            let fitting = area / u64::from(width) / u64::from(step) * u64::from(step);
            let height = fitting.min(u64::from(max_side)) as u32;
            if height >= min_side {
                sizes.extend([Size::new(width, height), Size::new(height, width)]);
            }
        }
        sizes.sort_unstable();
        sizes.dedup();
        Self { sizes, limits }
    }

    /// The size of a square picture.
    pub fn square(&self) -> Size {
        self.limits.square()
    }

    /// The sizes, ascending by width, then by height. Pictures that are not enlarged have others.
    pub fn sizes(&self) -> &[Size] {
        &self.sizes
    }

    /// What they were made from.
    pub fn limits(&self) -> BucketLimits {
        self.limits
    }

    /// The bucket for a picture: its own size if there is one, else the nearest aspect ratio. Where pictures are not
    /// enlarged, its own size rounded down.
    pub fn place(&self, original: Size) -> Placement {
        if !self.limits.enlarges {
            return self.limits.place_unenlarged(original);
        }
        let ratio = original.aspect_ratio();
        let bucket = if self.sizes.binary_search(&original).is_ok() {
            original
        } else {
            // The first of equals wins, as `argmin` has it.
            let error = |size: &Size| (size.aspect_ratio() - ratio).abs();
            let nearest = self.sizes.iter().min_by(|a, b| error(a).total_cmp(&error(b)));
            *nearest.expect("the square is always there")
        };
        let scale = if ratio > bucket.aspect_ratio() {
            f64::from(bucket.height) / f64::from(original.height)
        } else {
            f64::from(bucket.width) / f64::from(original.width)
        };
        let scaled = |side: u32| (f64::from(side) * scale + 0.5) as u32;
        // Rounding must not leave a side one pixel short of its bucket.
        let resized = Size::new(
            scaled(original.width).max(bucket.width),
            scaled(original.height).max(bucket.height),
        );
        Placement {
            original,
            resized,
            bucket,
        }
    }
}

#[cfg(test)]
mod tests;
