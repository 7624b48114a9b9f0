//! How many pictures a second are decoded and normalized: in this process, and in workers, in turns.
//! `cargo run -p dataset --example ingest` prints it; docs/benchmarks.md has it.

use std::{
    io::Cursor,
    time::{Duration, Instant},
};

use dataset::decoder::{Decoder, WorkerCommand, worker};
use image::{ImageFormat, Rgb, RgbImage};

const N_PICTURES: u8 = 24;
const N_ROUNDS: usize = 7;

#[expect(clippy::print_stdout, reason = "prints its result")]
fn main() -> anyhow::Result<()> {
    if std::env::args().nth(1).is_some() {
        return Ok(worker::serve()?);
    }
    let command = WorkerCommand {
        program: std::env::current_exe()?,
        args: vec!["worker".into()],
    };
    let (here, workers) = (Decoder::in_process(), Decoder::workers(command));
    for (what, format, side) in [
        ("PNG of 512 × 512", ImageFormat::Png, 512),
        ("PNG of 1024 × 1024", ImageFormat::Png, 1024),
        ("JPEG of 1024 × 1024", ImageFormat::Jpeg, 1024),
    ] {
        let pictures = (0..N_PICTURES)
            .map(|seed| picture(seed, side, format))
            .collect::<Result<Vec<_>, _>>()?;
        let mut times = [Vec::new(), Vec::new()];
        for _ in 0..N_ROUNDS {
            for (decoder, times) in [&here, &workers].into_iter().zip(&mut times) {
                times.push(time(decoder, &pictures)?);
            }
        }
        let [before, after] = times.map(rate);
        println!("| {what} | {before:.1} | {after:.1} | {:.3} |", after / before);
    }
    Ok(())
}

/// Smooth, with some noise, as drawings are.
fn picture(seed: u8, side: u32, format: ImageFormat) -> image::ImageResult<Vec<u8>> {
    let pixels = RgbImage::from_fn(side, side, |x, y| {
        let noise = (x.wrapping_mul(2_654_435_761) ^ y.wrapping_mul(40_503)).to_le_bytes()[2] & 7;
        Rgb([
            (x / 8) as u8 ^ seed,
            ((y / 8) as u8).wrapping_add(noise / 2),
            ((x + y) / 16) as u8 ^ noise,
        ])
    });
    let mut bytes = Cursor::new(Vec::new());
    pixels.write_to(&mut bytes, format)?;
    Ok(bytes.into_inner())
}

fn time(decoder: &Decoder, pictures: &[Vec<u8>]) -> anyhow::Result<Duration> {
    let started = Instant::now();
    for picture in pictures {
        decoder.normalize(picture)?;
    }
    Ok(started.elapsed())
}

/// Pictures a second, by the median round.
fn rate(mut times: Vec<Duration>) -> f64 {
    times.sort_unstable();
    f64::from(N_PICTURES) / times[times.len() / 2].as_secs_f64()
}
