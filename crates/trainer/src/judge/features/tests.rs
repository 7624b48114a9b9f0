use diffusion::{cpu::Cpu, random::Random};

use super::*;
use crate::fixture::{BASE, Fixture};

/// Features of three places with four channels in two heads, by a formula that the reference has, too.
fn made(seed: usize) -> Features {
    let part = |part: usize| {
        let value = |index: usize| ((index * 7 + seed * 5 + part * 3) % 11) as f32 / 5.0 - 1.0;
        tensor((0..12).map(value).collect(), [1, 3, 4]).unwrap()
    };
    let qkv = [part(0), part(1), part(2)];
    let [q, k, v] = &qkv;
    let own = Cpu.attention([q, k, v], 2, Mask::None).unwrap().0;
    Features { qkv, own, n_heads: 2 }
}

/// numpy 2.4.6, with softmax(q kᵀ / √2) v for each head and the mean cosine of the rows, both ways.
#[test]
fn likeness_is_that_of_the_reference() {
    let found = likeness(&Cpu, &made(1), &made(2)).unwrap();
    assert!((found - 0.5123129766600317).abs() < 1e-6, "{found}");
}

#[test]
fn likeness_is_the_same_both_ways_and_1_for_the_same_picture() {
    for seed in 0..4 {
        let (a, b) = (made(seed), made(seed + 1));
        let (there, back) = (likeness(&Cpu, &a, &b).unwrap(), likeness(&Cpu, &b, &a).unwrap());
        assert!((there - back).abs() < 1e-12);
        assert!((likeness(&Cpu, &a, &a).unwrap() - 1.0).abs() < 1e-6);
        assert!(there < 1.0);
    }
}

#[test]
fn a_picture_is_more_like_itself_moved_than_like_noise() {
    let fixture = Fixture::new(|_| {});
    let data = TrainingData::prepare(
        &BASE,
        &fixture.recipe,
        &fixture.drawn.manifest,
        &|item| fixture.file(item),
        &mut |_| std::ops::ControlFlow::Continue(()),
    )
    .unwrap();
    let eye = Eye::new(&*BASE, &data).unwrap();
    assert_eq!(eye.side, 16);
    let disc = |x: u32| {
        RgbImage::from_fn(128, 128, |at_x, at_y| {
            let far = at_x.abs_diff(x).pow(2) + at_y.abs_diff(64).pow(2);
            image::Rgb(if far < 900 { [200, 40, 40] } else { [240, 240, 230] })
        })
    };
    let look = |latents: &Tensor| eye.look(&resized(latents, 16).unwrap()).unwrap();
    let (left, right) = (
        look(&encoded(&BASE, &disc(50)).unwrap()),
        look(&encoded(&BASE, &disc(74)).unwrap()),
    );
    let noise = look(&Random::from_seed(5).normal_tensor((1, 4, 16, 16)).unwrap());
    let rows = eye.alike(&[&left], &[&left, &right, &noise]).unwrap();
    let [own, moved, other] = rows[0][..] else {
        panic!("three")
    };
    assert!((own - 1.0).abs() < 1e-6, "{own}");
    assert!(own > moved && moved > other, "{own} {moved} {other}");
}

#[test]
fn latents_are_resized_by_area() {
    let latents = tensor((0..16).map(|x| x as f32).collect(), [1, 1, 4, 4]).unwrap();
    let half: Vec<f32> = resized(&latents, 2)
        .unwrap()
        .flatten_all()
        .unwrap()
        .to_vec1()
        .unwrap();
    assert_eq!(half, [2.5, 4.5, 10.5, 12.5]);
    // What is not a multiple keeps its mean.
    let third: Vec<f32> = resized(&latents, 3)
        .unwrap()
        .flatten_all()
        .unwrap()
        .to_vec1()
        .unwrap();
    let mean = third.iter().sum::<f32>() / 9.0;
    assert!((mean - 7.5).abs() < 1e-4, "{mean}");
    let same: Vec<f32> = resized(&latents, 4)
        .unwrap()
        .flatten_all()
        .unwrap()
        .to_vec1()
        .unwrap();
    assert_eq!(same[5], 5.0);
    let twice: Vec<f32> = resized(&latents, 8)
        .unwrap()
        .flatten_all()
        .unwrap()
        .to_vec1()
        .unwrap();
    assert_eq!(twice[..4], [0.0, 0.0, 1.0, 1.0]);
}
