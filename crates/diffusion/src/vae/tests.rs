//! Strips give the picture that the whole gives, in less memory.

use candle_core::Tensor;

use super::{STRIP, VaeConfig};
use crate::{base::BaseModel, random::Random};

/// What another order of sums may change, where pictures are about in [−1, 1] and moments within a few units.
const TOLERANCE: f32 = 1e-4;

fn difference(a: &Tensor, b: &Tensor) -> f32 {
    assert_eq!(a.dims(), b.dims());
    let values = |x: &Tensor| -> Vec<f32> {
        let flat = x.flatten_all().and_then(|x| x.to_vec1());
        flat.expect("numbers")
    };
    let pairs = values(a).into_iter().zip(values(b));
    pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

#[test]
fn strips_decode_what_the_whole_decodes() {
    let vae = BaseModel::built_in("tiny-xl").unwrap().vae;
    let latents = Random::from_seed(7).normal_tensor((1, 4, 11, 9)).unwrap();
    let whole = vae.picture(&latents, None).unwrap();
    // One row of latents to a strip and less, strips that divide no height, and one strip that is all.
    for n_rows in [1, 5, 8, STRIP, 88] {
        let strips = vae.picture(&latents, Some(n_rows)).unwrap();
        let difference = difference(&whole, &strips);
        assert!(difference < TOLERANCE, "strips of {n_rows}: {difference}");
    }
}

#[test]
fn strips_encode_what_the_whole_encodes() {
    let vae = BaseModel::built_in("tiny-xl").unwrap().vae;
    let noise = Random::from_seed(8).normal_tensor((1, 3, 88, 72)).unwrap();
    let picture = noise.clamp(-1.0, 1.0).unwrap();
    let whole = vae.moments(&picture, None).unwrap();
    for n_rows in [1, 5, 8, STRIP, 88] {
        let strips = vae.moments(&picture, Some(n_rows)).unwrap();
        let difference = difference(&whole, &strips);
        assert!(difference < TOLERANCE, "strips of {n_rows}: {difference}");
    }
}

#[test]
fn the_size_chooses() {
    let sdxl = VaeConfig::sdxl();
    assert_eq!(sdxl.strip((512, 512)), None);
    assert_eq!(sdxl.strip((1024, 1024)), Some(STRIP));
    let gb = |side| sdxl.decoding_bytes((side, side)) as f64 / 1e9;
    assert!((0.6..0.7).contains(&gb(512)), "{}", gb(512));
    assert!((1.7..1.9).contains(&gb(1024)), "{}", gb(1024));
    assert!(gb(2048) < 7.0, "{}", gb(2048));
}

/// The largest memory that this process ever had. Each test has a process of its own.
#[cfg(target_os = "linux")]
fn peak_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux says it");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB"));
    kilobytes.and_then(|n| n.parse::<u64>().ok()).expect("a number") * 1024
}

#[cfg(target_os = "linux")]
#[test]
fn strips_take_the_memory_that_is_said() {
    let vae = BaseModel::built_in("tiny-xl").unwrap().vae;
    let mut random = Random::from_seed(9);
    let mut noise = |h, w| random.normal_tensor((1, 4, h, w)).unwrap();
    let (small, large) = (noise(8, 8), noise(96, 64));
    let size = (8 * 96, 8 * 64);
    // What is laid out once.
    vae.picture(&small, None).unwrap();
    let before = peak_bytes();
    vae.picture(&large, Some(STRIP)).unwrap();
    let strips = peak_bytes() - before;
    vae.picture(&large, None).unwrap();
    let whole = peak_bytes() - before;
    assert!(strips < whole - whole / 10, "{strips} of {whole}");
    for (measured, strip) in [(strips, Some(STRIP)), (whole, None)] {
        let said = vae.config().bytes_in(size, strip);
        // The whole picture is there as the VAE gives it and as it is asked for.
        assert!(measured < said + said / 4 + (8 << 20), "{measured} of {said}");
    }
}
