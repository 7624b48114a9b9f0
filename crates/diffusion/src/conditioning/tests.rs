//! Stitching of long texts and the embedded sizes.

use super::*;
use crate::device::HOST;

#[test]
fn long_texts_have_one_begin_and_one_end() {
    // Two texts of two chunks; each position holds its own number.
    let numbers: Vec<f32> = (0..4 * CHUNK).map(|i| i as f32).collect();
    let hidden = Tensor::from_vec(numbers, (4, CHUNK, 1), &HOST).unwrap();
    let stitched = stitch(&mut Eager::new(&Cpu), hidden, 2).unwrap();
    assert_eq!(stitched.dims(), [2, 152, 1]);
    let second = stitched
        .get(1)
        .unwrap()
        .flatten_all()
        .unwrap()
        .to_vec1::<f32>()
        .unwrap();
    let start = (2 * CHUNK) as f32;
    assert_eq!(second[0], start);
    assert_eq!(second[75], start + 75.0);
    assert_eq!(second[76], start + 78.0, "the first token of the second chunk");
    assert_eq!(second[151], start + 153.0);
}

#[test]
fn sizes_are_embedded_cosines_first() {
    let pooled = Tensor::zeros((1, 2), candle_core::DType::F32, &HOST).unwrap();
    let sizes = PictureSizes {
        original: (100, 200),
        crop: (0, 3),
        target: (64, 96),
    };
    let y = vector(&pooled, &[sizes]).unwrap();
    assert_eq!(y.dims(), [1, 2 + 1536]);
    let y = y.get(0).unwrap().to_vec1::<f32>().unwrap();
    for (i, size) in [100.0_f32, 200.0, 0.0, 3.0, 64.0, 96.0].into_iter().enumerate() {
        let start = 2 + i * 256;
        assert!((y[start] - size.cos()).abs() < 1e-5);
        assert!((y[start + 128] - size.sin()).abs() < 1e-5);
        // The lowest frequency is 10000^(-127/128).
        let slow = size * 10_000_f32.powf(-127.0 / 128.0);
        assert!((y[start + 127] - slow.cos()).abs() < 1e-5);
    }
}
