//! Each kind on small numbers that can be computed by hand.

use super::*;
use crate::device::tensor;

fn t(shape: &[usize], numbers: &[f32]) -> Tensor {
    tensor(numbers.to_vec(), shape).unwrap()
}

#[track_caller]
fn check(module: &LoraModule, rows: usize, expected: &[f32]) {
    let delta = module.delta().unwrap().unwrap();
    assert_eq!(delta.dims(), [rows, expected.len() / rows]);
    assert_eq!(
        module.change.as_ref().unwrap().size(),
        (rows, expected.len() / rows)
    );
    let numbers: Vec<f32> = delta.flatten_all().unwrap().to_vec1().unwrap();
    for (found, expected) in numbers.iter().zip(expected) {
        assert!((found - expected).abs() < 1e-6, "{numbers:?}");
    }
}

fn of(change: Change) -> LoraModule {
    LoraModule {
        change: Some(change),
        magnitude: None,
        bias: None,
    }
}

#[test]
fn low_rank_is_scaled_by_alpha_over_rank() {
    let down = t(&[2, 2], &[1., 2., 3., 4.]);
    let up = t(&[1, 2], &[10., 100.]);
    let module = |alpha| LoraModule::low_rank(LowRank::new(down.clone(), None, up.clone(), alpha).unwrap());
    check(&module(None), 1, &[310., 420.]);
    check(&module(Some(1.0)), 1, &[155., 210.]);
    let mut stabilized = LowRank::new(down.clone(), None, up.clone(), Some(2f64.sqrt())).unwrap();
    stabilized.is_rank_stabilized = true;
    assert!((stabilized.effective_alpha().unwrap() - 2.0).abs() < 1e-12);
    check(&LoraModule::low_rank(stabilized), 1, &[310., 420.]);
    assert_eq!(module(None).kind(), LoraKind::Lora);
    let words = LowRank::new(down, None, t(&[1, 3], &[1.; 3]), None).unwrap_err();
    assert!(words.contains("[2, 2] and lora_up [1, 3]"), "{words}");
}

#[test]
fn convolutions_are_low_rank_too() {
    // One channel in, one out, a kernel of two by one.
    let down = t(&[1, 1, 2, 1], &[3., 5.]);
    let up = t(&[1, 1, 1, 1], &[2.]);
    let module = LoraModule::low_rank(LowRank::new(down, None, up, None).unwrap());
    assert_eq!(module.kind(), LoraKind::Locon);
    assert!(module.plain().is_none());
    check(&module, 1, &[6., 10.]);
    // Σ up[o, m] mid[m, n, k] down[n, i] with rank 2, two channels in and a kernel of 2.
    let mid = t(&[2, 2, 2, 1], &[1., 2., 3., 4., 5., 6., 7., 8.]);
    let down = t(&[2, 2, 1, 1], &[1., 0., 0., 10.]);
    let up = t(&[1, 2, 1, 1], &[1., 100.]);
    let module = LoraModule::low_rank(LowRank::new(down, Some(mid), up, None).unwrap());
    assert_eq!(module.kind(), LoraKind::Locon);
    // i = 0 takes n = 0: mid[0, 0] + 100 mid[1, 0]; i = 1 takes 10 times n = 1.
    check(&module, 1, &[501., 602., 7030., 8040.]);
}

#[test]
fn loha_multiplies_two_products() {
    let factor = |a: f32, b: [f32; 2]| Factor::new(t(&[1, 1], &[a]), t(&[1, 2], &b), None).unwrap();
    let hadamard = Hadamard::new([factor(2., [1., 3.]), factor(5., [1., -1.])], Some(0.5)).unwrap();
    let module = of(Change::Hadamard(hadamard));
    assert_eq!((module.kind(), module.rank()), (LoraKind::Loha, Some(1)));
    check(&module, 1, &[5., -15.]);
    Hadamard::new(
        [
            factor(2., [1., 3.]),
            Factor::new(t(&[1, 1], &[1.]), t(&[1, 1], &[1.]), None).unwrap(),
        ],
        None,
    )
    .unwrap_err();
    Factor::new(t(&[1, 2], &[1., 1.]), t(&[1, 2], &[1., 1.]), None).unwrap_err();
}

#[test]
fn lokr_is_a_kronecker_product() {
    let first = || Side::Whole(t(&[2, 1], &[1., 10.]));
    let second = Side::Whole(t(&[1, 2], &[2., 3.]));
    // Whole matrices leave alpha without meaning.
    let kronecker = Kronecker::new(first(), second, Some(7.0));
    check(&of(Change::Kronecker(kronecker)), 2, &[2., 3., 20., 30.]);
    let product = Factor::new(t(&[1, 2], &[1., 1.]), t(&[2, 2], &[1., 0., 1., 3.]), None).unwrap();
    let kronecker = Kronecker::new(first(), Side::Product(product), Some(1.0));
    assert_eq!((kronecker.rank(), kronecker.size()), (Some(2), (2, 2)));
    check(&of(Change::Kronecker(kronecker)), 2, &[1., 1.5, 10., 15.]);
    // A convolution: the kernel stays with its own factor.
    let conv = Side::Whole(t(&[1, 1, 2, 1], &[2., 3.]));
    let kronecker = Kronecker::new(Side::Whole(t(&[1, 2], &[1., 10.])), conv, None);
    check(&of(Change::Kronecker(kronecker)), 1, &[2., 3., 20., 30.]);
}

#[test]
fn dora_brings_the_sum_to_its_lengths() {
    let base = t(&[2, 2], &[2., 4., 0., 1.]);
    let change = || Some(Change::Full(t(&[2, 2], &[1., 0., 0., 0.])));
    let asked = |magnitude| {
        let module = LoraModule {
            change: change(),
            magnitude: Some(magnitude),
            bias: None,
        };
        assert_eq!(module.kind(), LoraKind::Dora);
        assert!(module.delta().unwrap().is_none());
        let delta = module.delta_for(&base).unwrap().unwrap();
        (delta + &base).unwrap().to_vec2::<f32>().unwrap()
    };
    // Rows of [3, 4] and [0, 1] to the lengths 10 and 2.
    let rows = asked(Magnitude::from_dora_scale(&[2, 1], vec![10., 2.]).unwrap());
    for (found, expected) in rows.iter().flatten().zip([6., 8., 0., 2.]) {
        assert!((found - expected).abs() < 1e-5, "{rows:?}");
    }
    // Columns of [3, 0] and [4, 1] to 6 and 0.
    let columns = asked(Magnitude::from_dora_scale(&[1, 2], vec![6., 0.]).unwrap());
    for (found, expected) in columns.iter().flatten().zip([6., 0., 0., 0.]) {
        assert!((found - expected).abs() < 1e-5, "{columns:?}");
    }
    Magnitude::from_dora_scale(&[2, 2], vec![1.; 4]).unwrap_err();
}

#[test]
fn a_replacement_leaves_nothing_of_the_base() {
    let module = of(Change::Replacement(t(&[1, 2], &[5., 6.])));
    let delta = module.delta_for(&t(&[1, 2], &[1., 1.])).unwrap().unwrap();
    assert_eq!(delta.to_vec2::<f32>().unwrap(), [[4., 5.]]);
    assert!(module.delta().unwrap().is_none());
}

#[test]
fn nothing_is_seen_where_nothing_is() {
    let zero = |x: f32| {
        LoraModule::low_rank(LowRank::new(t(&[1, 2], &[1., 1.]), None, t(&[2, 1], &[0., x]), None).unwrap())
    };
    assert!(zero(0.0).is_zero().unwrap());
    assert!(!zero(1.0).is_zero().unwrap());
    let bias = LoraModule {
        change: None,
        magnitude: None,
        bias: Some(t(&[2], &[0., 1.])),
    };
    assert!(!bias.is_zero().unwrap());
    assert_eq!(bias.kind(), LoraKind::Bias);
}
