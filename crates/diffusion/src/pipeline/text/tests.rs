//! Stitching of long texts.

use super::*;

#[test]
fn a_long_text_has_one_begin_and_one_end() {
    // Each position holds its own number.
    let numbers: Vec<f32> = (0..2 * CHUNK).map(|i| i as f32).collect();
    let hidden = Tensor::from_vec(numbers, (2, CHUNK, 1), &HOST).unwrap();
    let stitched = stitch(&hidden).unwrap();
    assert_eq!(stitched.dims(), [1, 152, 1]);
    let stitched: Vec<f32> = stitched.flatten_all().unwrap().to_vec1().unwrap();
    assert_eq!(stitched[0], 0.0);
    assert_eq!(stitched[75], 75.0);
    assert_eq!(stitched[76], 78.0, "the first token of the second chunk");
    assert_eq!(stitched[151], 153.0);
}
