use super::*;

/// Pictures of 4 × 4 with a white square.
fn picture(left: usize, brightness: f32) -> Vec<f32> {
    (0..16)
        .map(|at| {
            if (left..left + 2).contains(&(at % 4)) {
                brightness
            } else {
                0.0
            }
        })
        .collect()
}

fn distances(of: &[f32], training: &[Vec<f32>]) -> Vec<f64> {
    training.iter().map(|picture| apart(picture, of)).collect()
}

fn found(of: &[f32], training: &[Vec<f32>]) -> Nearest {
    let between: Vec<Vec<f64>> = training.iter().map(|a| distances(a, training)).collect();
    nearest(&distances(of, training), line(&between).unwrap()).unwrap()
}

#[test]
fn a_copy_is_nearer_than_training_pictures_are_to_each_other() {
    let training = [picture(0, 1.0), picture(1, 1.0), picture(2, 1.0)];
    let copy = found(&picture(1, 0.95), &training);
    assert_eq!(copy.index, 1);
    assert!(copy.distance < 0.1, "{}", copy.distance);
}

#[test]
fn a_new_picture_is_no_copy() {
    let training = [picture(0, 1.0), picture(1, 1.0), picture(2, 1.0)];
    let checkered: Vec<f32> = (0..16).map(|at| ((at + at / 4) % 2) as f32).collect();
    assert!(found(&checkered, &training).distance >= 1.0);
}

fn line_of(training: &[Vec<f32>]) -> f64 {
    let between: Vec<Vec<f64>> = training.iter().map(|a| distances(a, training)).collect();
    line(&between).unwrap()
}

/// Squares at three places, two to each. The distances to neighbors are 0.4, 0.4, √0.21, √0.21, 0.5 and 0.6 over half of the
/// picture.
#[test]
fn near_duplicates_do_not_make_the_line_useless() {
    let unlike = [
        picture(0, 1.0),
        picture(0, 0.6),
        picture(1, 1.0),
        picture(1, 0.5),
        picture(2, 1.0),
        picture(2, 0.4),
    ];
    let half = 0.5_f64.sqrt();
    assert!((line_of(&unlike) - 0.4 * half).abs() < 1e-6);
    // One more is 0.001 from the last one: the median of the seven is 0.4.
    let mut with_duplicate = unlike.to_vec();
    with_duplicate.push(picture(2, 0.399));
    assert!((line_of(&with_duplicate) - 0.2 * half).abs() < 1e-6);
    // The same picture twice is no neighbor of itself.
    let mut with_twin = unlike.to_vec();
    with_twin.push(picture(0, 1.0));
    assert!((line_of(&with_twin) - 0.4 * half).abs() < 1e-6);
}

/// A pair of near-duplicates, and two others 0.5 apart.
#[test]
fn half_of_four_pictures_may_be_near_duplicates() {
    let four = [
        picture(0, 1.0),
        picture(0, 0.99),
        picture(2, 1.0),
        picture(2, 0.5),
    ];
    assert!((line_of(&four) - 0.25 * 0.5_f64.sqrt()).abs() < 1e-6);
}

#[test]
fn of_two_or_three_unlike_pictures_it_is_the_least_distance() {
    let three = [picture(0, 1.0), picture(2, 1.0), picture(0, 0.2)];
    // The last one differs from the first by 0.8 over half of the picture, and from the second by more.
    let expected = 0.8 * 0.5_f64.sqrt();
    assert!((line_of(&three) - expected).abs() < 1e-6);
    assert!((line_of(&three[..2]) - 1.0).abs() < 1e-6);
}

#[test]
fn what_the_base_draws_as_near_is_no_copy() {
    let at = |distance| Nearest { index: 0, distance };
    assert!(is_copy(&at(0.3), &at(1.4)));
    assert!(!is_copy(&at(0.3), &at(0.9)));
    assert!(!is_copy(&at(1.0), &at(1.4)));
}

#[test]
fn one_picture_has_nothing_to_compare_with() {
    assert_eq!(line(&[vec![0.0]]), None);
    assert_eq!(nearest(&[], 1.0), None);
}
