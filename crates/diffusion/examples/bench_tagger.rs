//! Times a vision transformer of a tagger's true size with random weights: the median of several pictures, as one line of
//! JSON. `bench_tagger [side] [pictures]`; the size is ViT-B/16 with 10,861 tags.

use std::{
    collections::HashMap,
    io::{Write, stdout},
    sync::Arc,
    time::Instant,
};

use anyhow::Context;
use candle_core::{DType, Tensor};
use diffusion::{
    cpu::Cpu,
    device::HOST,
    graph::Activation,
    vit::{self, Vit, VitConfig},
    weights::TensorFile,
};

/// The allocator of the `morpheus` binary.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const WIDTH: usize = 768;
const PATCH: usize = 16;
const N_BLOCKS: usize = 12;
const N_TAGS: usize = 10_861;

fn main() -> anyhow::Result<()> {
    let mut words = std::env::args().skip(1);
    let side: usize = words
        .next()
        .map_or(Ok(448), |side| side.parse())
        .context("side")?;
    let n: usize = words.next().map_or(Ok(20), |n| n.parse()).context("pictures")?;
    anyhow::ensure!(
        n > 0 && side > 0 && side.is_multiple_of(PATCH),
        "a side of whole patches"
    );
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("model.safetensors");
    candle_core::safetensors::save(&weights(side)?, &path)?;
    let file = Arc::new(TensorFile::open(&path)?);
    let part = vit::component(path, &file);
    let config = VitConfig::from_shapes(&part, Activation::TanhGelu).map_err(anyhow::Error::msg)?;
    let vit = Vit::load(&Cpu, &part, config)?;
    let picture = Tensor::randn(0.0_f32, 0.5, (1, side, side, 3), &HOST)?;
    vit.logits(&picture)?; // the first one fills caches
    let mut times = Vec::with_capacity(n);
    let started = Instant::now();
    for _ in 0..n {
        let started = Instant::now();
        vit.logits(&picture)?;
        times.push(started.elapsed().as_secs_f64() * 1000.0);
    }
    let whole = started.elapsed().as_secs_f64();
    times.sort_by(f64::total_cmp);
    let result = serde_json::json!({
        "side": side,
        "pictures": n,
        "seconds": whole,
        "median_ms": times[n / 2],
    });
    writeln!(stdout(), "{result}")?;
    Ok(())
}

fn weights(side: usize) -> candle_core::Result<HashMap<String, Tensor>> {
    let mut weights = HashMap::new();
    let mut add = |name: String, shape: &[usize]| -> candle_core::Result<()> {
        let tensor = Tensor::randn(0.0_f32, 0.02, shape, &HOST)?;
        weights.insert(name, tensor.to_dtype(DType::F32)?);
        Ok(())
    };
    let n_tokens = (side / PATCH).pow(2);
    add("pos_embed".to_owned(), &[1, n_tokens, WIDTH])?;
    add("patch_embed.proj.weight".to_owned(), &[WIDTH, 3, PATCH, PATCH])?;
    add("patch_embed.proj.bias".to_owned(), &[WIDTH])?;
    add("head.weight".to_owned(), &[N_TAGS, WIDTH])?;
    add("head.bias".to_owned(), &[N_TAGS])?;
    let mut norms = vec!["norm".to_owned()];
    for block in 0..N_BLOCKS {
        for (name, n_in, n_out) in [
            ("attn.qkv", WIDTH, 3 * WIDTH),
            ("attn.proj", WIDTH, WIDTH),
            ("mlp.fc1", WIDTH, 4 * WIDTH),
            ("mlp.fc2", 4 * WIDTH, WIDTH),
        ] {
            add(format!("blocks.{block}.{name}.weight"), &[n_out, n_in])?;
            add(format!("blocks.{block}.{name}.bias"), &[n_out])?;
        }
        norms.extend(["norm1", "norm2"].map(|name| format!("blocks.{block}.{name}")));
    }
    for norm in norms {
        weights.insert(format!("{norm}.weight"), Tensor::ones(WIDTH, DType::F32, &HOST)?);
        weights.insert(format!("{norm}.bias"), Tensor::zeros(WIDTH, DType::F32, &HOST)?);
    }
    Ok(weights)
}
