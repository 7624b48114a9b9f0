use proptest::prelude::*;

use super::*;

/// Golden values seen in sd-scripts (resolution 1024², sides 256 to 2048, step 64).
#[test]
fn places_as_sd_scripts_does() {
    let buckets = Buckets::new(1024, 64);
    assert_eq!(buckets.sizes().len(), 41);
    assert_eq!(
        buckets.limits(),
        BucketLimits {
            resolution: 1024,
            step: 64,
            min_side: 256,
            max_side: 2048,
            enlarges: true,
        }
    );
    for (original, bucket, resized) in [
        ((1920, 1080), (1344, 768), (1365, 768)),
        ((800, 600), (1152, 896), (1195, 896)),
        ((6000, 4000), (1216, 832), (1248, 832)),
    ] {
        let placement = buckets.place(Size::new(original.0, original.1));
        assert_eq!(placement.bucket, Size::new(bucket.0, bucket.1));
        assert_eq!(placement.resized, Size::new(resized.0, resized.1));
    }
    assert_eq!(buckets.place(Size::new(4000, 500)).bucket, Size::new(2048, 256));
}

/// Golden values seen in sd-scripts with `bucket_no_upscale` (resolution 1024², step 64).
#[test]
fn pictures_that_are_not_enlarged_are_placed_as_sd_scripts_does() {
    let buckets = Buckets::within(BucketLimits {
        enlarges: false,
        ..BucketLimits::new(1024, 64)
    });
    for (original, bucket, resized) in [
        ((800, 600), (768, 576), (800, 600)),
        ((1000, 1001), (960, 960), (1000, 1001)),
        ((4000, 500), (2560, 320), (2560, 320)),
    ] {
        let placement = buckets.place(Size::new(original.0, original.1));
        assert_eq!(placement.bucket, Size::new(bucket.0, bucket.1));
        assert_eq!(placement.resized, Size::new(resized.0, resized.1));
    }
    let tiny = buckets.place(Size::new(40, 100));
    assert_eq!(
        (tiny.bucket, tiny.resized),
        (Size::new(64, 64), Size::new(64, 160))
    );
}

#[test]
fn limits_of_a_recipe_leave_out_sizes() {
    let sizes = |min_side, max_side| {
        let limits = BucketLimits {
            min_side,
            max_side,
            ..BucketLimits::new(1024, 64)
        };
        Buckets::within(limits).sizes().to_vec()
    };
    assert_eq!(sizes(1024, 1024), [Size::new(1024, 1024)]);
    // 25 buckets, none wider than high by more than what 1024 pixels allow.
    let of_sd_scripts = sizes(256, 1024);
    assert_eq!(of_sd_scripts.len(), 25);
    assert!(
        of_sd_scripts
            .iter()
            .all(|size| size.width.max(size.height) == 1024)
    );
    let narrow = sizes(768, 2048);
    assert!(narrow.contains(&Size::new(1344, 768)) && !narrow.contains(&Size::new(1408, 704)));
}

#[test]
fn records_the_real_crop() {
    let placement = Buckets::new(1024, 64).place(Size::new(1920, 1080));
    assert_eq!(placement.crop_left_top(), (10, 0));
    assert!((placement.crop_loss() - 21.0 / 1365.0).abs() < 1e-9);
}

#[test]
fn a_picture_that_is_a_bucket_stays_as_it_is() {
    let size = Size::new(128, 128);
    let placement = Buckets::new(128, 32).place(size);
    assert_eq!((placement.resized, placement.bucket), (size, size));
    assert_eq!(placement.crop_left_top(), (0, 0));
}

#[test]
fn small_resolutions_get_sensible_limits() {
    let limits = BucketLimits::new(128, 32);
    assert_eq!((limits.min_side, limits.max_side), (32, 256));
    assert!(Buckets::new(128, 32).sizes().contains(&Size::new(160, 96)));
}

proptest! {
    #[test]
    fn buckets_are_whole_and_placements_cover_them(
        resolution in 8_u32..=256, step in prop::sample::select(vec![8_u32, 16, 32, 64, 128, 256]),
        width in 64_u32..=16_384, height in 64_u32..=16_384,
    ) {
        let resolution = resolution * 8;
        let buckets = Buckets::new(resolution, step);
        let limits = buckets.limits();
        for size in buckets.sizes() {
            prop_assert!(size.width % step == 0 && size.height % step == 0);
            let area = u64::from(size.width) * u64::from(size.height);
            let square = u64::from(resolution.max(step));
            prop_assert!(area <= square * square, "{size} at {resolution}");
            prop_assert!(size.width <= limits.max_side && size.height <= limits.max_side);
            prop_assert!(buckets.sizes().contains(&Size::new(size.height, size.width)));
        }
        let placement = buckets.place(Size::new(width, height));
        prop_assert!(buckets.sizes().contains(&placement.bucket));
        prop_assert!(placement.resized.width >= placement.bucket.width);
        prop_assert!(placement.resized.height >= placement.bucket.height);
        prop_assert!(
            placement.resized.width == placement.bucket.width
                || placement.resized.height == placement.bucket.height,
            "only one axis is cropped: {placement:?}"
        );
        let unenlarged = Buckets::within(BucketLimits { enlarges: false, ..limits }).place(Size::new(width, height));
        prop_assert!(unenlarged.bucket.width.is_multiple_of(step) && unenlarged.bucket.height.is_multiple_of(step));
        prop_assert!(unenlarged.resized.width >= unenlarged.bucket.width, "{unenlarged:?}");
        prop_assert!(unenlarged.resized.height >= unenlarged.bucket.height, "{unenlarged:?}");
        // Rounding to whole pixels aside.
        prop_assert!(unenlarged.scale() <= 1.01 || width.min(height) < step, "{unenlarged:?}");
        // Placing a picture that was brought to its bucket changes nothing.
        prop_assert_eq!(buckets.place(placement.bucket).bucket, placement.bucket);
    }
}
