//! A thousand different pictures of a megabyte each.

use std::time::{Duration, Instant};

use image::{ImageEncoder as _, codecs::png};

use super::{Figure, cluster::Cluster};

const N_PICTURES: usize = 1000;
/// Noise does not get smaller: this side gives a megabyte.
const SIDE: u32 = 592;
/// Pictures of one request, and requests at the same time, as the dashboard has them.
const PER_REQUEST: usize = 20;
const N_CONNECTIONS: usize = 2;
const TARGET: Duration = Duration::from_secs(60);

pub(crate) async fn measure(cluster: &Cluster) -> anyhow::Result<Figure> {
    let dataset = cluster.dataset("noise").await?;
    let noise = noise();
    let start = Instant::now();
    let requests = (0..N_PICTURES / PER_REQUEST).map(|request| {
        let (dataset, noise) = (&dataset, &noise);
        async move {
            let files: anyhow::Result<Vec<_>> = (0..PER_REQUEST)
                .map(|n| {
                    let n = request * PER_REQUEST + n;
                    Ok((format!("{n:04}.png"), picture(noise, n)?))
                })
                .collect();
            cluster.upload(dataset, files?).await
        }
    });
    let accepted: Vec<anyhow::Result<usize>> = futures::StreamExt::collect(
        futures::StreamExt::buffer_unordered(futures::stream::iter(requests), N_CONNECTIONS),
    )
    .await;
    let mut n_accepted = 0;
    for accepted in accepted {
        n_accepted += accepted?;
    }
    let took = start.elapsed();
    let size = picture(&noise, 0)?.len();
    Ok(Figure {
        what: "upload of 1,000 different pictures of 1 MB, each checked and normalized",
        target: format!("below {} s", TARGET.as_secs()),
        found: format!(
            "{:.1} s for {n_accepted} pictures of {} kB",
            took.as_secs_f64(),
            size / 1000
        ),
        is_met: n_accepted == N_PICTURES && took < TARGET,
    })
}

/// Bytes without a pattern: splitmix64.
fn noise() -> Vec<u8> {
    let mut state = 1_u64;
    let mut next = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    };
    let n_bytes = SIDE * SIDE * 3;
    (0..n_bytes / 8).flat_map(|_| next().to_le_bytes()).collect()
}

/// The noise with a number in it. Stored without compressing, since that would only cost time here.
fn picture(noise: &[u8], n: usize) -> anyhow::Result<Vec<u8>> {
    let mut pixels = noise.to_vec();
    pixels[..8].copy_from_slice(&(n as u64).to_le_bytes());
    let mut file = Vec::with_capacity(pixels.len() + 10_000);
    let encoder =
        png::PngEncoder::new_with_quality(&mut file, png::CompressionType::Fast, png::FilterType::NoFilter);
    encoder.write_image(&pixels, SIDE, SIDE, image::ExtendedColorType::Rgb8)?;
    Ok(file)
}
