//! How much memory the looks of pictures may take.

use dataset::buckets::{Buckets, Placement, Size};
use protocol::{
    dataset::{ManifestItem, Split},
    recipe::Parameters,
};

use super::DataError;

/// The most memory that drawn looks take, in bytes: 8192 of 1024 × 1024 pixels.
pub(super) const MAX_LOOKS_BYTES: u64 = 2 << 30;

/// Memory for looks, which are drawn before the training and kept.
#[derive(Debug)]
pub(super) struct Room {
    /// Looks of each picture.
    n_looks: u16,
    /// Bytes of latents, and of a mask, of a place of a look.
    place_bytes: u64,
    /// Pixels of a place's side.
    side: u32,
    /// Bytes that one look of every picture takes.
    of_all: u64,
    /// Bytes that are taken.
    n_taken: u64,
}

impl Room {
    /// For pictures that are shown so many times, with so many pixels of a place's side.
    ///
    /// # Errors
    /// If looks that are surely drawn do not fit.
    pub(super) fn of(
        p: &Parameters,
        buckets: &Buckets,
        side: u32,
        items: &[(&ManifestItem, u32)],
    ) -> Result<Self, DataError> {
        // Four channels of latents, and a mask where there may be one, in 32 bits.
        let n_channels = 4 + u64::from(p.masked_loss);
        let mut room = Self {
            n_looks: p.n_looks,
            place_bytes: 4 * n_channels,
            side,
            of_all: 0,
            n_taken: 0,
        };
        let mut of_drawn = 0;
        for (item, repeats) in items {
            if *repeats == 0 || item.split == Split::HeldOut {
                continue;
            }
            let placement = buckets.place(Size::new(item.width, item.height));
            let n_bytes = room.bytes(placement.bucket);
            room.of_all += n_bytes;
            if differs(p, placement) {
                of_drawn += n_bytes;
            }
        }
        match of_drawn * u64::from(room.n_looks) > MAX_LOOKS_BYTES {
            true => Err(room.too_many(of_drawn)),
            false => Ok(room),
        }
    }

    /// Takes the room of a picture's looks.
    ///
    /// # Errors
    /// If they do not fit.
    pub(super) fn take(&mut self, bucket: Size) -> Result<(), DataError> {
        self.n_taken += self.bytes(bucket) * u64::from(self.n_looks);
        match self.n_taken > MAX_LOOKS_BYTES {
            true => Err(self.too_many(self.of_all)),
            false => Ok(()),
        }
    }

    /// Bytes of a look.
    fn bytes(&self, bucket: Size) -> u64 {
        let places = |pixels: u32| u64::from(pixels / self.side);
        places(bucket.width) * places(bucket.height) * self.place_bytes
    }

    /// So many bytes for each look do not fit.
    fn too_many(&self, of_each: u64) -> DataError {
        let advice = match MAX_LOOKS_BYTES / of_each.max(1) {
            0 => "use fewer pictures or a lower resolution".to_owned(),
            most => format!("use at most {most}"),
        };
        DataError::Looks {
            n_looks: self.n_looks,
            advice,
        }
    }
}

/// Whether looks of a picture differ, whatever it shows.
pub(super) fn differs(p: &Parameters, placement: Placement) -> bool {
    let moves = p.crop_zoom > 1.0 || placement.resized != placement.bucket;
    p.color_jitter || (p.random_crop && moves)
}

#[cfg(test)]
mod tests;
