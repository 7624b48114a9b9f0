//! What a picture takes of this machine before it is drawn: memory reckoned from sizes, time from a measured block.

use std::{fmt, time::Duration};

use candle_core::Result as TensorResult;

use crate::{
    base::BaseModel,
    device::Device,
    pipeline::PictureSize,
    tokenizer::CHUNK,
    unet::{Cost, Sample},
};

/// The program itself, its threads' buffers, and what the allocator holds back.
pub const PROGRAM_BYTES: u64 = 400_000_000;

const F32: u64 = size_of::<f32>() as u64;

/// Sizes of what is drawn at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drawn {
    /// Of each picture.
    pub size: PictureSize,
    /// Pictures.
    pub n_pictures: usize,
    /// Denoising steps.
    pub n_steps: usize,
    /// Whether the U-Net is asked twice at each step, for the prompt and the negative one.
    pub is_guided: bool,
    /// Bytes of the LoRAs' files.
    pub lora_bytes: u64,
}

/// What something takes of this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Need {
    /// Most memory at once, the weights as their files hold them among it.
    pub bytes: u64,
    /// Time of a step.
    pub step: Duration,
    /// Time of everything.
    pub whole: Duration,
}

/// "about 5.2 GB of memory, 12 s a step: 4 min".
impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (step, whole) = (in_words(self.step), in_words(self.whole));
        write!(
            f,
            "about {} of memory, {step} a step: {whole}",
            gigabytes(self.bytes)
        )
    }
}

/// A number of bytes in the words that people use of memory.
pub fn gigabytes(bytes: u64) -> String {
    format!("{:.1} GB", bytes as f64 / 1e9)
}

fn in_words(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    let minutes = (seconds / 60.0).round() as u64;
    match seconds {
        ..9.95 => format!("{seconds:.1} s"),
        ..99.5 => format!("{seconds:.0} s"),
        ..5970.0 => format!("{minutes} min"),
        _ => format!("{} h {} min", minutes / 60, minutes % 60),
    }
}

impl<D: Device> BaseModel<D> {
    /// Most bytes that drawing takes: while the U-Net computes, or else while texts are encoded or pictures decoded.
    pub fn picture_bytes(&self, drawn: &Drawn) -> u64 {
        let weights = self.weight_bytes();
        let n_passes = if drawn.is_guided { 2 } else { 1 };
        let working = n_passes * drawn.n_pictures as u64 * F32 * self.cost_of(drawn.size).working;
        let size = (drawn.size.height() as usize, drawn.size.width() as usize);
        let in_steps = weights.unet + working;
        let around = weights.others + self.vae.config().decoding_bytes(size);
        // A LoRA is in memory as it is stored and in `f32`.
        PROGRAM_BYTES + 3 * drawn.lora_bytes + weights.laid_out + in_steps.max(around)
    }

    /// A pass of the U-Net over one picture.
    fn cost_of(&self, size: PictureSize) -> Cost {
        self.unet.config().cost(sample(size), false)
    }
}

/// Only what was measured on the processor is known here.
impl BaseModel {
    /// What drawing takes. Measures how fast the U-Net is, which takes about as long as a fiftieth of a step.
    ///
    /// # Errors
    /// If a computation fails.
    pub fn picture_need(&self, drawn: &Drawn) -> TensorResult<Need> {
        let speed = self.unet.measure_speed(sample(drawn.size))?;
        let n_passes = if drawn.is_guided { 2.0 } else { 1.0 };
        let n_pictures = drawn.n_pictures as f64;
        let step = n_passes * n_pictures * self.cost_of(drawn.size).flops as f64 / speed;
        let size = (drawn.size.height() as usize, drawn.size.width() as usize);
        let decoding = n_pictures * self.vae.config().decoding_flops(size) as f64 / speed;
        Ok(Need {
            bytes: self.picture_bytes(drawn),
            step: Duration::from_secs_f64(step),
            whole: Duration::from_secs_f64(drawn.n_steps as f64 * step + decoding),
        })
    }
}

fn sample(size: PictureSize) -> Sample {
    Sample {
        latents: (size.height() as usize / 8, size.width() as usize / 8),
        n_tokens: CHUNK,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{BaseModel, Drawn, Need, PictureSize};

    fn drawn(side: u32) -> Drawn {
        Drawn {
            size: PictureSize::new(side, side).unwrap(),
            n_pictures: 1,
            n_steps: 20,
            is_guided: true,
            lora_bytes: 0,
        }
    }

    #[test]
    fn words() {
        let said = |step, whole| {
            let need = Need {
                bytes: 5_240_000_000,
                step: Duration::from_secs_f64(step),
                whole: Duration::from_secs_f64(whole),
            };
            need.to_string()
        };
        assert_eq!(said(12.2, 244.0), "about 5.2 GB of memory, 12 s a step: 4 min");
        assert_eq!(
            said(0.44, 12_000.0),
            "about 5.2 GB of memory, 0.4 s a step: 3 h 20 min"
        );
    }

    #[test]
    fn larger_pictures_take_more() {
        let base = BaseModel::built_in("tiny-xl").unwrap();
        let bytes = |side| base.picture_bytes(&drawn(side));
        assert!(bytes(128) < bytes(1024) && bytes(1024) < bytes(2048));
        let need = base.picture_need(&drawn(128)).unwrap();
        assert!(need.bytes == bytes(128) && need.step > Duration::ZERO);
        assert!(need.whole >= 20 * need.step, "{need:?}");
    }
}
