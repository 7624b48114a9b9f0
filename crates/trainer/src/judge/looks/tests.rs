use image::Rgb;

use super::*;

fn flat(color: [u8; 3]) -> Looks {
    Looks::of(&RgbImage::from_pixel(8, 8, Rgb(color)))
}

#[test]
fn a_flat_picture_has_neither_contrast_nor_edges() {
    let looks = flat([128, 128, 128]);
    assert!(looks.contrast < 1e-9 && looks.sharpness < 1e-9);
    assert_eq!((looks.saturation, looks.clipping), (0.0, 0.0));
    assert_eq!(flat([255, 0, 0]).saturation, 1.0);
    assert_eq!(flat([255, 255, 255]).clipping, 1.0);
}

/// Half of the pixels are black and half white: the standard deviation is ½, and each Laplacian 4.
#[test]
fn a_chessboard_has_all_of_them() {
    let board = RgbImage::from_fn(10, 10, |x, y| Rgb([if (x + y) % 2 == 0 { 0 } else { 255 }; 3]));
    let looks = Looks::of(&board);
    assert!((looks.contrast - 0.5).abs() < 1e-9);
    assert!(
        (looks.sharpness - 4.0 * 64.0 / 100.0).abs() < 1e-9,
        "{}",
        looks.sharpness
    );
    assert_eq!(looks.clipping, 1.0);
}

#[test]
fn damage_is_what_lies_outside_of_dataset_and_base() {
    let looks = |contrast| Looks {
        saturation: 0.3,
        contrast,
        clipping: 0.1,
        sharpness: 0.2,
    };
    let (dataset, base) = (looks(0.3), looks(0.2));
    assert_eq!(looks(0.25).damage(dataset, base), 0.0);
    assert_eq!(looks(0.3).damage(dataset, base), 0.0);
    // (0.62 + 0.02) / (0.3 + 0.02) = 2
    assert!((looks(0.62).damage(dataset, base) - 1.0).abs() < 1e-9);
    // (0.2 + 0.02) / (0.09 + 0.02) = 2
    assert!((looks(0.09).damage(dataset, base) - 1.0).abs() < 1e-9);
}

#[test]
fn the_mean_is_of_each_number() {
    let mean = Looks::mean(&[flat([255, 0, 0]), flat([128, 128, 128])]);
    assert_eq!((mean.saturation, mean.clipping), (0.5, 0.5));
    assert_eq!(Looks::mean(&[]), Looks::default());
}
