//! Numbers printed by PyTorch 2.15.0 on the CPU with `torch.Generator("cpu").manual_seed(seed)`.

use super::Random;

/// PyTorch's vectorized log, sine and cosine differ from Rust's in the last bits.
const TOLERANCE: f32 = 2e-6;

#[track_caller]
fn check_normal(random: &mut Random, count: usize, expected: &[f32]) {
    let found = random.normal(count);
    assert_eq!(found.len(), count);
    for (i, (a, b)) in found.iter().zip(expected).enumerate() {
        assert!((a - b).abs() < TOLERANCE, "number {i}: {a} instead of {b}");
    }
}

#[test]
fn few_normals_come_in_double_precision() {
    let expected = [
        0.336_690_37,
        0.128_809_4,
        0.234_462_37,
        0.230_333_03,
        -1.122_856_4,
    ];
    check_normal(&mut Random::from_seed(42), 5, &expected);
}

#[test]
fn a_block_of_normals() {
    let expected = [
        1.926_915_3,
        1.487_284_1,
        0.900_717_2,
        -2.105_521,
        0.678_418_46,
        -1.234_544_9,
        -0.043_067_478,
        -1.604_667,
        -0.752_135_3,
        1.648_723,
        -0.392_478_64,
        -1.403_607_1,
        -0.727_881_3,
        -0.559_430_2,
        -0.768_838_9,
        0.762_445_4,
    ];
    check_normal(&mut Random::from_seed(42), 16, &expected);
}

#[test]
fn the_tail_of_an_uneven_draw_overlaps() {
    let expected = [
        1.926_915_3,
        1.487_284_1,
        0.900_717_2,
        -2.105_521,
        -0.758_131_15,
        1.078_317_6,
        0.800_800_56,
        1.680_620_6,
        0.355_859_9,
        -0.686_623,
        -0.493_356_35,
        0.241_487_79,
        -0.231_624_32,
        0.041_759_49,
        -0.251_575_3,
        0.859_858_5,
        -0.309_726_77,
        -0.395_710_5,
        0.803_409_34,
        -0.621_595_4,
    ];
    check_normal(&mut Random::from_seed(42), 20, &expected);
}

#[test]
fn latents_of_a_picture() {
    let noise = Random::from_seed(0).normal_tensor((1, 4, 16, 16)).unwrap();
    let noise = noise.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    for (i, expected) in [
        (0, -1.125_839_8),
        (1, -1.152_360_2),
        (100, -2.613_322_5),
        (1023, -1.710_468_4),
    ] {
        assert!(
            (noise[i] - expected).abs() < TOLERANCE,
            "number {i}: {}",
            noise[i]
        );
    }
    let sum: f64 = noise.iter().map(|x| f64::from(*x)).sum();
    assert!((sum - 32.938_395).abs() < 1e-4, "{sum}");
}

#[test]
fn draws_of_all_kinds_share_one_sequence() {
    let mut random = Random::from_seed(5);
    check_normal(&mut random, 3, &[-0.486_780_76, -0.603_821_6, -0.558_096_23]);
    check_normal(&mut random, 17, &[0.258_251_64, -0.434_022_96, 0.352_335_45]);
    check_normal(&mut random, 2, &[0.667_524_3, 1.379_046_6]);
    assert_eq!([(); 3].map(|()| random.integer(0..7)), [4, 6, 5]);
}

#[test]
fn uniforms_and_integers() {
    let mut random = Random::from_seed(42);
    assert_eq!(
        [(); 3].map(|()| random.uniform()),
        [0.882_269_26, 0.915_003_95, 0.382_863_76]
    );
    let mut random = Random::from_seed(42);
    assert_eq!(
        [(); 6].map(|()| random.integer(0..1000)),
        [542, 67, 876, 414, 26, 335]
    );
}

#[test]
fn only_the_lower_half_of_a_seed_counts() {
    assert_eq!(
        Random::from_seed((1 << 32) + 7).normal(3),
        Random::from_seed(7).normal(3)
    );
}

#[test]
fn a_stored_state_goes_on_where_it_was() {
    let mut random = Random::from_seed(11);
    random.normal(3);
    let stored = serde_json::to_string(&random).unwrap();
    let mut restored: Random = serde_json::from_str(&stored).unwrap();
    assert!(restored == random);
    assert_eq!(restored.normal(700), random.normal(700));
}

#[test]
fn a_broken_state_is_refused() {
    let error = serde_json::from_str::<Random>(r#"{"words":[1],"position":0,"spare_normal":null}"#);
    assert!(error.unwrap_err().to_string().contains("has 1 words"));
}

#[test]
fn a_shuffle_keeps_every_item() {
    let mut items: Vec<u32> = (0..50).collect();
    Random::from_seed(3).shuffle(&mut items);
    assert_ne!(items, (0..50).collect::<Vec<_>>());
    items.sort_unstable();
    assert_eq!(items, (0..50).collect::<Vec<_>>());
}
