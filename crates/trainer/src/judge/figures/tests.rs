use super::*;

#[test]
fn one_bad_share_is_not_made_up_for() {
    // 3 / (1/1 + 1/1 + 1/0.1)
    assert!((harmonic([1.0, 1.0, 0.1]) - 0.25).abs() < 1e-12);
    assert!((harmonic([0.5, 0.5, 0.5]) - 0.5).abs() < 1e-12);
    // More than all counts as all, and less than nothing as the least.
    assert!((harmonic([2.0, 1.0, 1.0]) - 1.0).abs() < 1e-12);
    assert!(harmonic([-1.0, 1.0, 1.0]) < 0.03);
}

#[test]
fn what_was_not_measured_does_not_count() {
    assert!((harmonic([f64::NAN, 0.5, 0.5]) - 0.5).abs() < 1e-12);
    assert!(harmonic([f64::NAN; 3]).is_nan());
}

#[test]
fn numbers_that_are_none_are_left_out() {
    let mut list = Measures::default();
    list.number("one", Some(1.0), None, PIXELS);
    list.number("two", None, None, PIXELS);
    list.number("three", Some(f64::NAN), None, PIXELS);
    list.add("four", None, None, PIXELS);
    let names: Vec<&str> = list.0.iter().map(|measure| measure.name.as_str()).collect();
    assert_eq!(names, ["one"]);
}
