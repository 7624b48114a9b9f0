use super::*;

fn step(step: u32, views: &[(u32, u32, f64)]) -> SeenPictures {
    SeenPictures {
        step,
        pictures: views.iter().map(|(place, ..)| *place).collect(),
        timesteps: views.iter().map(|(_, timestep, _)| *timestep).collect(),
        losses: views.iter().map(|(.., loss)| *loss).collect(),
    }
}

/// The first picture was shown with little noise, where every loss is high.
#[test]
fn pictures_are_compared_at_the_same_noise_level() {
    let seen = in_effect([
        step(1, &[(0, 10, 0.9), (1, 950, 0.1)]),
        step(2, &[(2, 20, 0.9), (3, 960, 0.3)]),
    ]);
    let ranked = ranked(&seen);
    let places: Vec<u32> = ranked.iter().map(|fares| fares.place).collect();
    assert_eq!(places, [3, 0, 2, 1]);
    assert!((ranked[0].relative_loss - 1.5).abs() < 1e-12, "{ranked:?}");
    assert!((ranked[1].relative_loss - 1.0).abs() < 1e-12, "{ranked:?}");
    assert!((ranked[3].relative_loss - 0.5).abs() < 1e-12, "{ranked:?}");
}

#[test]
fn a_picture_that_is_always_hard_comes_before_one_that_was_hard_once() {
    let seen = in_effect([
        step(1, &[(0, 500, 0.3), (1, 500, 0.5)]),
        step(2, &[(0, 500, 0.3), (1, 500, 0.05)]),
        step(3, &[(0, 500, 0.3), (1, 500, 0.05)]),
    ]);
    let ranked = ranked(&seen);
    let first = ranked[0];
    assert_eq!((first.place, first.n_seen), (0, 3));
    assert_eq!((first.last_loss, first.last_step), (0.3, 3));
    // 0.3 of a mean of 0.25.
    assert!((first.relative_loss - 1.2).abs() < 1e-12, "{first:?}");
    assert!((ranked[1].relative_loss - 0.8).abs() < 1e-12, "{ranked:?}");
}

#[test]
fn steps_that_are_done_again_count_once() {
    let seen = in_effect([
        step(1, &[(0, 500, 0.1)]),
        step(2, &[(1, 500, 0.2)]),
        step(3, &[(2, 500, 0.3)]),
        // From the checkpoint of step 1.
        step(2, &[(1, 500, 0.4)]),
    ]);
    assert_eq!(seen.keys().copied().collect::<Vec<_>>(), [1, 2]);
    assert_eq!(seen[&2].losses, [0.4]);
}

#[test]
fn losses_of_zero_are_as_usual() {
    let fares = ranked(&in_effect([step(1, &[(0, 0, 0.0)])]));
    assert_eq!(fares[0].relative_loss, 1.0);
}
