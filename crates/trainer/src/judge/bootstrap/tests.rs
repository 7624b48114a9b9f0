use super::*;

fn mean_of(groups: &[Vec<[f64; 1]>]) -> Interval {
    interval(groups, |[mean]| mean).unwrap()
}

#[test]
fn equal_numbers_leave_no_doubt() {
    let found = mean_of(&[vec![[0.5]; 3], vec![[0.5]; 2]]);
    assert_eq!((found.value, found.low, found.high), (0.5, 0.5, 0.5));
}

/// Of two groups with one number each, a quarter of all draws has only the first, and a quarter only the second.
#[test]
fn two_prompts_say_little() {
    let found = mean_of(&[vec![[0.0]], vec![[1.0]]]);
    assert_eq!((found.value, found.low, found.high), (0.5, 0.0, 1.0));
}

/// The mean of 200 numbers has a normal distribution: ± 1.96 σ / √n.
#[test]
fn the_interval_of_a_mean_is_that_of_the_normal_distribution() {
    let mut random = Random::from_seed(11);
    let values: Vec<f64> = random.normal(200).into_iter().map(f64::from).collect();
    let mean = values.iter().sum::<f64>() / 200.0;
    let deviation = (values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 200.0).sqrt();
    let expected = 1.96 * deviation / 200_f64.sqrt();
    let groups: Vec<Vec<[f64; 1]>> = values.iter().map(|x| vec![[*x]]).collect();
    let found = mean_of(&groups);
    assert!((found.value - mean).abs() < 1e-12);
    for half in [found.high - found.value, found.value - found.low] {
        assert!((half / expected - 1.0).abs() < 0.15, "{half} is not {expected}");
    }
}

#[test]
fn the_same_numbers_give_the_same_interval() {
    let groups = [vec![[0.1], [0.4]], vec![[0.9], [0.3]], vec![[0.2], [0.25]]];
    assert_eq!(mean_of(&groups), mean_of(&groups));
}

/// Numbers that were measured together are drawn together: a ratio of proportional numbers has no spread.
#[test]
fn pairs_stay_together() {
    let groups: Vec<Vec<[f64; 2]>> = (1..6).map(|x| vec![[f64::from(x), 2.0 * f64::from(x)]]).collect();
    let found = interval(&groups, |[a, b]| b / a).unwrap();
    assert!((found.low - 2.0).abs() < 1e-12 && (found.high - 2.0).abs() < 1e-12);
}

#[test]
fn what_cannot_be_computed_has_no_interval() {
    assert!(interval::<1>(&[], |[mean]| mean).is_none());
    assert!(interval(&[Vec::<[f64; 1]>::new()], |[mean]| mean).is_none());
    assert!(interval(&[vec![[1.0]]], |_| f64::NAN).is_none());
}

/// numpy.quantile([1, 2, 4, 8], [0, 0.025, 0.5, 0.975, 1])
#[test]
fn quantiles_are_those_of_numpy() {
    let sorted = [1.0, 2.0, 4.0, 8.0];
    for (share, expected) in [(0.0, 1.0), (0.025, 1.075), (0.5, 3.0), (0.975, 7.7), (1.0, 8.0)] {
        let found = quantile(&sorted, share).unwrap();
        assert!((found - expected).abs() < 1e-9, "{found} is not {expected}");
    }
    assert_eq!(quantile(&[], 0.5), None);
}

#[test]
fn what_was_not_measured_of_a_picture_does_not_count() {
    let all = interval(&[vec![[1.0, 0.5], [3.0, f64::NAN]]], |[a, b]| a * b).unwrap();
    assert!((all.value - 1.0).abs() < 1e-12);
    assert!(interval(&[vec![[f64::NAN]; 3]], |[mean]| mean).is_none());
}
