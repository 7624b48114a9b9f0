//! A picture as the U-Net takes it: decoded, cropped and encoded, with its mask, and mirrored if views are to be.

use candle_core::Tensor;
use dataset::{
    buckets::{Buckets, Placement, Size},
    crop::{TimeIds, crop, crop_mask},
    picture,
};
use diffusion::{
    base::BaseModel,
    conditioning::PictureSizes,
    device::{Device, floats, tensor},
};
use protocol::{
    dataset::{ManifestItem, Split},
    recipe::Parameters,
};
use sha2::{Digest as _, Sha256};

use super::{DataError, Pictures, Place, View};
use crate::seeds;

/// A picture as the U-Net takes it.
pub(super) struct Encoded {
    pub(super) latents: Tensor,
    pub(super) placement: Placement,
    pub(super) mask: Option<Vec<f32>>,
    pub(super) mirrored: Option<Mirrored>,
}

/// What differs in a picture whose left and right are swapped.
#[derive(Debug)]
pub(super) struct Mirrored {
    pub(super) latents: Tensor,
    pub(super) mask: Option<Vec<f32>>,
    pub(super) sizes: PictureSizes,
}

/// Decodes a picture, brings it to its bucket, and encodes it.
pub(super) fn encode_picture<D: Device>(
    base: &BaseModel<D>,
    buckets: &Buckets,
    p: &Parameters,
    item: &ManifestItem,
    pictures: Pictures<'_>,
) -> Result<Encoded, DataError> {
    let id = item.id;
    let png = pictures(item).map_err(|err| DataError::Read { id, err })?;
    let found = hex::encode(Sha256::digest(&png));
    if found != item.sha256 {
        return Err(DataError::Changed {
            id,
            found,
            expected: item.sha256.clone(),
        });
    }
    let (picture, alpha) = picture::read_masked(&png).map_err(|err| DataError::Decode { id, err })?;
    let placement = buckets.place(Size::new(picture.width(), picture.height()));
    let pixels = crop(&picture, &placement, p.resize_interpolation).pixels;
    let Size { width, height } = placement.bucket;
    let side = base.vae.config().downscale() as u32;
    let mask = alpha.filter(|_| p.masked_loss);
    let cropped = |alpha| crop_mask(&alpha, &placement, side, p.resize_interpolation);
    let mask = mask.map(|alpha| counted(cropped(alpha), p));
    let encoded = |pixels: Vec<f32>, purpose: &str| -> Result<Tensor, DataError> {
        let mut random = seeds::random(format_args!("{purpose} {} {}", p.seed, item.sha256));
        let latents = || -> candle_core::Result<Tensor> {
            let pixels = tensor(pixels, [1, 3, height as usize, width as usize])?;
            let posterior = base.vae.encode(&pixels)?;
            let noise = random.normal_tensor(posterior.mean()?.shape())?;
            posterior.sample(&noise)?.contiguous()
        };
        let latents = latents().map_err(|err| DataError::Compute {
            what: format!("picture {id}"),
            err,
        })?;
        let is_finite = floats(&latents).is_ok_and(|values| values.iter().all(|value| value.is_finite()));
        if is_finite {
            Ok(latents)
        } else {
            Err(DataError::NotFinite { id })
        }
    };
    let mirrored = if p.random_flip && item.split == Split::Train {
        let ids = TimeIds::of(&placement);
        Some(Mirrored {
            latents: encoded(swapped(pixels.clone(), width), "posterior mirrored")?,
            mask: mask.clone().map(|mask| swapped(mask, width / side)),
            sizes: picture_sizes(TimeIds {
                crop_left: placement.resized.width - width - ids.crop_left,
                ..ids
            }),
        })
    } else {
        None
    };
    Ok(Encoded {
        latents: encoded(pixels, "posterior")?,
        mask,
        mirrored,
        placement,
    })
}

pub(super) fn picture_sizes(ids: TimeIds) -> PictureSizes {
    PictureSizes {
        original: (ids.original.height, ids.original.width),
        crop: (ids.crop_top, ids.crop_left),
        target: (ids.target.height, ids.target.width),
    }
}

/// Whether a view shows a picture mirrored: half of them do.
pub(super) fn is_mirrored(seed: u32, at: Place, sha256: &str, view: View) -> bool {
    let (epoch, turn) = (at.epoch, view.turn);
    let mut random = seeds::random(format_args!("mirrored {seed} {epoch} {sha256} {turn}"));
    random.uniform() < 0.5
}

/// How much each place counts: as OneTrainer does it, at least the weight of what is masked out
/// (`masked_losses` in `modules/util/loss/masked_loss.py`).
fn counted(mask: Vec<f32>, p: &Parameters) -> Vec<f32> {
    let least = p.unmasked_weight as f32;
    mask.into_iter().map(|value| value.max(least)).collect()
}

/// Rows of a plane, or of several, with left and right swapped.
fn swapped(mut values: Vec<f32>, width: u32) -> Vec<f32> {
    values.chunks_exact_mut(width as usize).for_each(<[f32]>::reverse);
    values
}
