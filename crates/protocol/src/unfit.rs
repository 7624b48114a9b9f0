//! What is wrong with a picture's setting, and what would be right.

/// Denoising steps.
pub fn n_steps(n: u32) -> Option<String> {
    (!(1..=150).contains(&n)).then(|| format!("must be from 1 to 150, not {n}"))
}

/// Classifier-free guidance.
pub fn guidance(scale: f64) -> Option<String> {
    (!(1.0..=30.0).contains(&scale)).then(|| format!("must be from 1 to 30, not {scale}"))
}

/// Width or height in pixels.
pub fn side(side: u32) -> Option<String> {
    (!(64..=2048).contains(&side) || !side.is_multiple_of(8))
        .then(|| format!("must be a multiple of 8 from 64 to 2048, not {side}"))
}

/// Weight of a LoRA.
pub fn weight(weight: f64) -> Option<String> {
    (!(-4.0..=4.0).contains(&weight)).then(|| format!("must be from -4 to 4, not {weight}"))
}
