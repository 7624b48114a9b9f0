use protocol::parameters::Words as _;

use super::*;
use crate::buckets::Buckets;

#[test]
fn maps_black_and_white_to_minus_one_and_one() {
    let mut picture = RgbImage::new(128, 128);
    picture.put_pixel(3, 2, image::Rgb([255, 0, 51]));
    let placement = Buckets::new(128, 32).place(Size::new(128, 128));
    let crop = crop(&picture, &placement, Interpolation::Auto);
    assert_eq!(crop.pixels.len(), 3 * 128 * 128);
    let at = |channel: usize| crop.pixels[channel * 128 * 128 + 2 * 128 + 3];
    assert_eq!((at(0), at(1)), (1.0, -1.0));
    assert!((at(2) + 0.6).abs() < 1e-6);
    assert_eq!(crop.time_ids.to_array(), [128.0, 128.0, 0.0, 0.0, 128.0, 128.0]);
}

#[test]
fn cuts_the_center_out_of_a_wide_picture() {
    // Three bands of color; the crop loses the outer parts of the first and the last alike.
    let picture = RgbImage::from_fn(1920, 1080, |x, _| image::Rgb([(x / 640 * 100) as u8; 3]));
    let placement = Buckets::new(1024, 64).place(Size::new(1920, 1080));
    let crop = crop(&picture, &placement, Interpolation::Auto);
    assert_eq!(crop.size, Size::new(1344, 768));
    assert_eq!(
        crop.time_ids.to_array(),
        [1080.0, 1920.0, 0.0, 10.0, 768.0, 1344.0]
    );
    let row = &crop.pixels[..1344];
    let n_black = row.iter().filter(|&&value| value < -0.99).count();
    // The first third is 455 of the resized 1365 pixels, and 10 of them are cut.
    assert!((444..=446).contains(&n_black), "{n_black}");
}

#[test]
fn shrinking_averages_over_the_area() {
    let picture = RgbImage::from_fn(128, 128, |x, _| image::Rgb([if x % 2 == 0 { 0 } else { 200 }; 3]));
    let small = resize(&picture, Size::new(64, 64), Interpolation::Auto);
    assert!(small.pixels().all(|pixel| pixel[0] == 100));
}

#[test]
fn a_part_is_cut_where_it_is_wanted() {
    // Each pixel says where it is.
    let picture = RgbImage::from_fn(128, 64, |x, y| image::Rgb([(2 * x) as u8, (2 * y) as u8, 0]));
    let placement = Placement {
        original: Size::new(128, 64),
        resized: Size::new(128, 64),
        bucket: Size::new(64, 64),
    };
    let corner = |place: Cut| {
        let Crop { pixels, time_ids, .. } = cut(&picture, &place, Interpolation::Nearest);
        let at = |plane: usize| ((pixels[plane * 64 * 64] + 1.0) * 127.5 / 2.0).round() as u32;
        ((at(0), at(1)), (time_ids.crop_left, time_ids.crop_top))
    };
    assert_eq!(corner(Cut::center(placement)), ((32, 0), (32, 0)));
    assert_eq!(corner(Cut::at(placement, 1.0, (1.0, 1.0))), ((64, 0), (64, 0)));
    // Twice as large, 192 pixels are left over beside the part and 64 below it.
    assert_eq!(corner(Cut::at(placement, 2.0, (0.5, 1.0))), ((48, 32), (96, 64)));
}

#[test]
fn a_mask_is_cropped_like_its_picture_and_averaged() {
    // Twice as wide as high: a quarter is cut off at each side.
    let placement = Placement {
        original: Size::new(128, 64),
        resized: Size::new(128, 64),
        bucket: Size::new(64, 64),
    };
    let alpha = image::GrayImage::from_fn(128, 64, |x, _| image::Luma([if x < 68 { 255 } else { 0 }]));
    let mask = cut_mask(&alpha, &Cut::center(placement), 8, Interpolation::Auto);
    assert_eq!(mask.len(), 64);
    // The edge is at 68 - 32 = 36: in the middle of the fifth square.
    for row in mask.chunks(8) {
        assert_eq!(row, [1.0, 1.0, 1.0, 1.0, 0.5, 0.0, 0.0, 0.0]);
    }
}

/// A row of four pixels, half as wide and twice as wide.
#[test]
fn every_interpolation_is_what_its_name_says() {
    let columns = [0, 40, 200, 240];
    let picture = RgbImage::from_fn(4, 4, |x, _| image::Rgb([columns[x as usize]; 3]));
    let row = |interpolation, side| -> Vec<u8> {
        let resized = resize(&picture, Size::new(side, side), interpolation);
        (0..side).map(|x| resized.get_pixel(x, 0)[0]).collect()
    };
    assert_eq!(row(Interpolation::Area, 2), [20, 220]);
    assert_eq!(row(Interpolation::Auto, 2), row(Interpolation::Area, 2));
    assert_eq!(row(Interpolation::Auto, 8), row(Interpolation::Lanczos, 8));
    assert_eq!(row(Interpolation::Area, 8), row(Interpolation::Bilinear, 8));
    // A quarter of the way between neighbors, and beyond the edge the edge.
    assert_eq!(
        row(Interpolation::Bilinear, 8),
        [0, 10, 30, 80, 160, 210, 230, 240]
    );
    let nearest = row(Interpolation::Nearest, 8);
    assert_eq!(nearest, [0, 0, 40, 40, 200, 200, 240, 240]);
    // Cubic curves and Lanczos swing over an edge, each in its own way.
    let cubic = row(Interpolation::Bicubic, 8);
    assert!(cubic[2] < 30 && cubic[5] > 210, "{cubic:?}");
    assert_ne!(cubic, row(Interpolation::Lanczos, 8));
    for &interpolation in Interpolation::ALL {
        assert_eq!(row(interpolation, 4), columns, "{interpolation:?}");
    }
}
