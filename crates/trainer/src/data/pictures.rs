//! A picture as the U-Net takes it: decoded, cropped and encoded, with its mask, and in other looks if views show them.

use candle_core::Tensor;
use dataset::{
    augment,
    buckets::{Buckets, Placement, Size},
    crop::{Crop, Cut, TimeIds, cut, cut_mask},
    picture::{self, Parts},
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

use super::{
    DataError, Pictures, Place, Sample, View,
    room::{Room, differs},
};
use crate::seeds;

/// A picture as the U-Net takes it.
pub(super) struct Encoded {
    pub(super) latents: Tensor,
    pub(super) placement: Placement,
    pub(super) mask: Option<Vec<f32>>,
    pub(super) looks: Looks,
}

/// How a picture looks in the views of a training.
#[derive(Debug)]
pub(super) enum Looks {
    /// As it is.
    Plain,
    /// As it is in some views, and with left and right swapped in the others.
    Mirrored(Look),
    /// As drawn, in turns; only where something differs between them.
    Drawn(Vec<Look>),
}

/// What differs in another look of a picture.
#[derive(Debug)]
pub(super) struct Look {
    pub(super) latents: Tensor,
    pub(super) mask: Option<Vec<f32>>,
    pub(super) sizes: PictureSizes,
}

impl Looks {
    /// The look that a view of a picture shows, if it is not the picture as it is: a function of seed, epoch, picture and
    /// turn.
    pub(super) fn of(&self, seed: u32, at: Place, sample: &Sample, view: View) -> Option<&Look> {
        match self {
            Self::Plain => None,
            Self::Mirrored(mirrored) => is_mirrored(seed, at, &sample.sha256, view).then_some(mirrored),
            Self::Drawn(looks) => {
                let mut random = seeds::random(format_args!("looks {seed} {}", sample.sha256));
                let first = random.integer(0..looks.len() as u32);
                let turn = u64::from(at.epoch) * u64::from(sample.repeats) + u64::from(view.turn);
                let index = (u64::from(first) + turn) % looks.len() as u64;
                looks.get(index as usize)
            }
        }
    }
}

/// Decodes a picture, brings it to its bucket, and encodes it.
pub(super) fn encode_picture<D: Device>(
    base: &BaseModel<D>,
    buckets: &Buckets,
    p: &Parameters,
    (item, pictures): (&ManifestItem, Pictures<'_>),
    room: &mut Room,
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
    let parts = picture::read_parts(&png).map_err(|err| DataError::Decode { id, err })?;
    let original = Size::new(parts.picture.width(), parts.picture.height());
    let placement = buckets.place(original);
    let source = Source { base, p, item, parts };
    let center = Cut::center(placement);
    let pixels = source.cut(&center);
    let mask = source.mask(&center);
    let is_laid = p.random_background && source.parts.alpha.is_some();
    let looks = if item.split == Split::HeldOut {
        Looks::Plain
    } else if differs(p, placement) || is_laid {
        room.take(placement.bucket)?;
        let looks = (0..p.n_looks).map(|index| source.drawn(placement, index));
        Looks::Drawn(looks.collect::<Result<_, _>>()?)
    } else if p.random_flip {
        Looks::Mirrored(source.mirrored(&center, pixels.clone(), mask.clone(), "posterior mirrored")?)
    } else {
        Looks::Plain
    };
    Ok(Encoded {
        latents: source.encoded(pixels, placement.bucket, "posterior")?,
        mask,
        looks,
        placement,
    })
}

/// A decoded picture, and what makes latents of it.
struct Source<'a, D: Device> {
    base: &'a BaseModel<D>,
    p: &'a Parameters,
    item: &'a ManifestItem,
    parts: Parts,
}

/// Most degrees that a hue is turned by, and bounds of gamma: those of sd-scripts (`AugHelper` in
/// `library/train_util.py`), whose hue has 180 steps.
const MOST_DEGREES: f32 = 16.0;
const GAMMA: std::ops::Range<f32> = 0.95..1.05;
/// The share of looks whose colors are changed, as there.
const CHANGED_COLORS: f32 = 0.33;

impl<D: Device> Source<'_, D> {
    /// The pixels of a part of it, `[3, height, width]` from -1 to 1.
    fn cut(&self, place: &Cut) -> Vec<f32> {
        let Crop { pixels, .. } = cut(&self.parts.picture, place, self.p.resize_interpolation);
        pixels
    }

    /// How much each place of the latents counts, in a training that looks at masks.
    fn mask(&self, place: &Cut) -> Option<Vec<f32>> {
        let mask = self.parts.mask.as_ref().or(self.parts.alpha.as_ref());
        let mask = mask.filter(|_| self.p.masked_loss)?;
        let mask = cut_mask(mask, place, self.side(), self.p.resize_interpolation);
        Some(counted(mask, self.p))
    }

    /// Pixels of a latent's side.
    fn side(&self) -> u32 {
        self.base.vae.config().downscale() as u32
    }

    /// Draws one of its looks: what is cut out, what a cut-out is laid on, its colors, and whether it is mirrored.
    fn drawn(&self, placement: Placement, index: u16) -> Result<Look, DataError> {
        let p = self.p;
        let mut random = seeds::random(format_args!("look {} {} {index}", p.seed, self.item.sha256));
        let mut uniform = || random.uniform();
        let (zoom, left, top) = (uniform(), uniform(), uniform());
        let place = if p.random_crop {
            let zoom = 1.0 + f64::from(zoom) * (p.crop_zoom - 1.0);
            Cut::at(placement, zoom, (left.into(), top.into()))
        } else {
            Cut::center(placement)
        };
        let mut pixels = self.cut(&place);
        let color = [uniform(), uniform(), uniform()];
        if let Some(alpha) = self.parts.alpha.as_ref().filter(|_| p.random_background) {
            let alpha = cut_mask(alpha, &place, 1, p.resize_interpolation);
            augment::lay_on(&mut pixels, &alpha, color.map(|share| share * 2.0 - 1.0));
        }
        let (is_changed, is_hue, amount) = (uniform() < CHANGED_COLORS, uniform() < 0.5, uniform());
        match (p.color_jitter && is_changed, is_hue) {
            (true, true) => augment::shift_hue(&mut pixels, MOST_DEGREES * (2.0 * amount - 1.0)),
            (true, false) => {
                augment::apply_gamma(&mut pixels, GAMMA.start + amount * (GAMMA.end - GAMMA.start));
            }
            (false, _) => {}
        }
        let mask = self.mask(&place);
        let purpose = format!("posterior {index}");
        if p.random_flip && uniform() < 0.5 {
            return self.mirrored(&place, pixels, mask, &purpose);
        }
        Ok(Look {
            latents: self.encoded(pixels, placement.bucket, &purpose)?,
            mask,
            sizes: picture_sizes(place.time_ids()),
        })
    }

    /// A part of it with left and right swapped.
    fn mirrored(
        &self,
        place: &Cut,
        pixels: Vec<f32>,
        mask: Option<Vec<f32>>,
        purpose: &str,
    ) -> Result<Look, DataError> {
        let Placement { resized, bucket, .. } = place.placement;
        let pixels = swapped(pixels, bucket.width);
        Ok(Look {
            latents: self.encoded(pixels, bucket, purpose)?,
            mask: mask.map(|mask| swapped(mask, bucket.width / self.side())),
            sizes: picture_sizes(TimeIds {
                crop_left: resized.width - bucket.width - place.left,
                ..place.time_ids()
            }),
        })
    }

    /// Latents, drawn from the VAE's posterior.
    fn encoded(&self, pixels: Vec<f32>, size: Size, purpose: &str) -> Result<Tensor, DataError> {
        let (id, seed) = (self.item.id, self.p.seed);
        let mut random = seeds::random(format_args!("{purpose} {seed} {}", self.item.sha256));
        let latents = || -> candle_core::Result<Tensor> {
            let pixels = tensor(pixels, [1, 3, size.height as usize, size.width as usize])?;
            let posterior = self.base.vae.encode(&pixels)?;
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
    }
}

pub(super) fn picture_sizes(ids: TimeIds) -> PictureSizes {
    PictureSizes {
        original: (ids.original.height, ids.original.width),
        crop: (ids.crop_top, ids.crop_left),
        target: (ids.target.height, ids.target.width),
    }
}

/// Whether a view shows a picture mirrored: half of them do.
fn is_mirrored(seed: u32, at: Place, sha256: &str, view: View) -> bool {
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
