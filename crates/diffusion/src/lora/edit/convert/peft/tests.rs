//! Shapes as PEFT makes them.

use super::*;

#[test]
fn layers_are_taken_apart_as_peft_does_it() {
    // Found by `peft.tuners.lokr.layer.factorization`, version 0.21.2.
    for (n, factor, expected) in [
        (256, None, (16, 16)),
        (128, None, (8, 16)),
        (127, None, (1, 127)),
        (2816, None, (44, 64)),
        (10_240, None, (80, 128)),
        (128, Some(4), (4, 32)),
        (320, Some(6), (5, 64)),
        (320, Some(40), (40, 8)),
        (4, Some(8), (2, 2)),
        (1, None, (1, 1)),
    ] {
        assert_eq!(taken_apart(n, factor), expected, "{n} by {factor:?}");
    }
}

#[test]
fn one_factor_is_found_for_all_layers() {
    let sides = |outer: [usize; 2], inner: [usize; 2]| Sides {
        outer,
        inner,
        ranks: [None, None],
        layout: Layout::Plain,
    };
    let roots = [sides([16, 16], [20, 20]), sides([20, 44], [32, 64])];
    assert_eq!(factor_of(&roots), Some(None));
    let eights = [sides([8, 8], [40, 40]), sides([8, 8], [80, 352])];
    assert_eq!(factor_of(&eights), Some(Some(8)));
    // 6 divides none of them but 768.
    let sixes = [sides([5, 5], [64, 256]), sides([6, 5], [128, 64])];
    assert_eq!(factor_of(&sixes), Some(Some(6)));
    assert_eq!(
        factor_of(&[sides([2, 2], [160, 160]), sides([8, 8], [40, 40])]),
        None
    );
    // No layer is so wide.
    assert_eq!(factor_of(&[sides([1 << 40, 1], [1 << 40, 1])]), None);
}

#[test]
fn the_rank_decides_what_is_a_product() {
    let rank = |ranks, alpha, decompose_both| {
        let sides = Sides {
            outer: [8, 16],
            inner: [40, 32],
            ranks,
            layout: Layout::Plain,
        };
        sides.rank(alpha, decompose_both)
    };
    assert_eq!(rank([None, Some(4)], None, false), Some(4));
    assert_eq!(rank([Some(4), Some(4)], None, true), Some(4));
    assert_eq!(rank([Some(4), Some(5)], None, true), None);
    // PEFT would make the first a product too, or the second none.
    assert_eq!(rank([None, Some(4)], None, true), None);
    assert_eq!(rank([None, Some(8)], None, true), Some(8));
    assert_eq!(rank([None, Some(20)], None, false), None);
    // Whole matrices from half their larger side on; alpha is what the rank was, if that is large enough.
    assert_eq!(rank([None, None], None, false), Some(20));
    assert_eq!(rank([None, None], Some(64.0), false), Some(64));
    assert_eq!(rank([None, None], Some(2.0), false), Some(20));
    assert_eq!(rank([None, None], Some(20.5), true), Some(20));
}
