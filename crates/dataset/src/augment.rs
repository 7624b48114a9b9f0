//! Changes of a picture's colors that a training shows beside the picture itself, on the pixels of a crop.
//!
//! What is drawn at random is up to the trainer; here everything is a function of its arguments.

/// Lays a cut-out on a color. The pixels are `[3, height, width]` from -1 to 1, laid on white; `alpha` is
/// `[height, width]` from 0 (transparent) to 1.
///
/// # Panics
///
/// If there are not three values for each of `alpha`.
pub fn lay_on(pixels: &mut [f32], alpha: &[f32], color: [f32; 3]) {
    assert_eq!(pixels.len(), 3 * alpha.len(), "a pixel has three values");
    for (plane, color) in pixels.chunks_exact_mut(alpha.len()).zip(color) {
        for (value, alpha) in plane.iter_mut().zip(alpha) {
            // The white that shines through is taken away, and the color put there.
            *value -= (1.0 - alpha) * (1.0 - color);
        }
    }
}

/// Turns the hue of all pixels by this many degrees; saturation and value stay, as in HSV (Smith 1978).
///
/// # Panics
///
/// If the pixels are not `[3, height, width]`.
pub fn shift_hue(pixels: &mut [f32], degrees: f32) {
    assert!(pixels.len().is_multiple_of(3), "a pixel has three values");
    let n_pixels = pixels.len() / 3;
    let (red, rest) = pixels.split_at_mut(n_pixels);
    let (green, blue) = rest.split_at_mut(n_pixels);
    for ((red, green), blue) in red.iter_mut().zip(green).zip(blue) {
        [*red, *green, *blue] = turned([*red, *green, *blue], degrees);
    }
}

/// A color with its hue turned. The scale of the values does not matter.
fn turned([red, green, blue]: [f32; 3], degrees: f32) -> [f32; 3] {
    let most = red.max(green).max(blue);
    let least = red.min(green).min(blue);
    let chroma = most - least;
    if chroma <= 0.0 {
        return [red, green, blue];
    }
    let sixth = if most == red {
        (green - blue) / chroma
    } else if most == green {
        (blue - red) / chroma + 2.0
    } else {
        (red - green) / chroma + 4.0
    };
    let sixth = sixth + degrees / 60.0;
    // How far a channel is below the greatest one, by its distance on the color wheel.
    let channel = |n: f32| {
        let k = (n + sixth).rem_euclid(6.0);
        most - chroma * k.min(4.0 - k).clamp(0.0, 1.0)
    };
    [channel(5.0), channel(3.0), channel(1.0)]
}

/// Raises brightness to a power: below 1 it grows. The pixels are from -1 (black) to 1 (white), which stay.
pub fn apply_gamma(pixels: &mut [f32], gamma: f32) {
    for value in pixels {
        let brightness = value.midpoint(1.0).clamp(0.0, 1.0);
        *value = brightness.powf(gamma) * 2.0 - 1.0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hues_are_turned_and_grays_stay() {
        // Red, green, blue, and a gray, as planes.
        let mut pixels = vec![1.0, -1.0, -1.0, 0.2, -1.0, 1.0, -1.0, 0.2, -1.0, -1.0, 1.0, 0.2];
        shift_hue(&mut pixels, 120.0);
        let expected = [-1.0, -1.0, 1.0, 0.2, 1.0, -1.0, -1.0, 0.2, -1.0, 1.0, -1.0, 0.2];
        for (value, expected) in pixels.iter().zip(expected) {
            assert!((value - expected).abs() < 1e-6, "{pixels:?}");
        }
    }

    #[test]
    fn a_turn_and_its_opposite_cancel() {
        let before: Vec<f32> = (0..300).map(|n| ((n * 37 % 101) as f32 / 50.0) - 1.0).collect();
        let mut pixels = before.clone();
        shift_hue(&mut pixels, 16.0);
        assert!(
            before.iter().zip(&pixels).any(|(a, b)| (a - b).abs() > 0.1),
            "nothing changed"
        );
        shift_hue(&mut pixels, -16.0);
        for (before, after) in before.iter().zip(&pixels) {
            assert!((before - after).abs() < 1e-5);
        }
    }

    #[test]
    fn gamma_keeps_black_and_white() {
        let mut pixels = [-1.0, 0.0, 1.0];
        apply_gamma(&mut pixels, 2.0);
        assert_eq!(pixels, [-1.0, -0.5, 1.0]);
    }

    #[test]
    fn a_cut_out_is_laid_on_a_color() {
        // Opaque gray, half a black, and nothing, each laid on white.
        let mut pixels = vec![0.0, 0.0, 1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 1.0];
        lay_on(&mut pixels, &[1.0, 0.5, 0.0], [1.0, 0.0, -1.0]);
        assert_eq!(pixels, [0.0, 0.0, 1.0, 0.0, -0.5, 0.0, 0.0, -1.0, -1.0]);
    }
}
