//! Colors of latents, known and fitted.

use std::sync::LazyLock;

use candle_core::DType;

use super::*;

static BASE: LazyLock<BaseModel> = LazyLock::new(|| BaseModel::open("tiny-xl").unwrap());

/// Rows of colored bars, `[1, 3, side, side]` in [−1, 1].
fn bars(side: usize) -> Tensor {
    let values = (0..3 * side * side).map(|index| {
        let (channel, x, y) = (index / (side * side), index % side, index / side % side);
        let is_lit = match channel {
            0 => (x * 4 / side).is_multiple_of(2),
            1 => (y * 4 / side).is_multiple_of(2),
            _ => ((x + y) * 2 / side).is_multiple_of(2),
        };
        if is_lit { 0.7_f32 } else { -0.6 }
    });
    tensor(values.collect(), [1, 3, side, side]).unwrap()
}

#[test]
fn a_fitted_map_shows_what_the_latents_of_a_picture_show() {
    let side = 64;
    let picture = bars(side);
    let latents = BASE.vae.encode(&picture).unwrap().mean().unwrap();
    let preview = Colors::of_base(&BASE).unwrap().paint(&latents).unwrap();
    let (width, height) = preview.dimensions();
    assert_eq!((width as usize, height as usize), (side / 8, side / 8));
    // The picture at an eighth of its size, in steps of 1/255.
    let small = picture
        .to_dtype(DType::F32)
        .and_then(|picture| picture.avg_pool2d(8))
        .and_then(|small| small.flatten_all()?.to_vec1::<f32>())
        .unwrap();
    let n = side / 8 * (side / 8);
    let wanted = |color: usize, index: usize| (f64::from(small[color * n + index]) / 2.0 + 0.5) * 255.0;
    let mut errors = (0.0, 0.0);
    for color in 0..3 {
        let mean = (0..n).map(|index| wanted(color, index)).sum::<f64>() / n as f64;
        for (index, pixel) in preview.pixels().enumerate() {
            errors.0 += (f64::from(pixel[color]) - wanted(color, index)).abs();
            errors.1 += (mean - wanted(color, index)).abs();
        }
    }
    assert!(
        errors.0 < errors.1,
        "{} is no better than one color for all, {}",
        errors.0,
        errors.1
    );
}

#[test]
fn sdxl_has_known_colors_and_large_pictures_small_previews() {
    let mut info = BASE.info.clone();
    info.model_channels = SDXL_CHANNELS;
    let adapters = &AdapterSet::new();
    let mut networks = Native {
        base: &*BASE,
        adapters,
    };
    let colors = Colors::of(&mut networks, &info).unwrap();
    let black = Tensor::zeros((1, 4, 256, 192), DType::F32, &crate::device::HOST).unwrap();
    let preview = colors.paint(&black).unwrap();
    assert_eq!(preview.dimensions(), (96, 128));
    assert_eq!(preview.get_pixel(0, 0).0, [150, 140, 130]);
    let values: Vec<f32> = [[1.0_f32; 64], [0.5; 64], [-1.0; 64], [0.0; 64]].concat();
    let preview = colors.paint(&tensor(values, [1, 4, 8, 8]).unwrap()).unwrap();
    assert_eq!(preview.get_pixel(3, 3).0, [155, 183, 200]);
    let other = Tensor::zeros((1, 16, 8, 8), DType::F32, &crate::device::HOST).unwrap();
    assert!(colors.paint(&other).is_err());
}

#[test]
fn what_is_linear_is_found() {
    let inputs: Vec<Vec<f64>> = (0..9)
        .map(|i| vec![f64::from(i % 3), f64::from(i / 3), 1.0])
        .collect();
    let targets: Vec<f64> = inputs
        .iter()
        .map(|input| 2.0 * input[0] - 3.0 * input[1] + 7.0)
        .collect();
    for (found, wanted) in least_squares(&inputs, &targets).iter().zip([2.0, -3.0, 7.0]) {
        assert!((found - wanted).abs() < 1e-9, "{found} {wanted}");
    }
}
