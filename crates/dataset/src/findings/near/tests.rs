use super::*;

/// Knuth's MMIX generator, for hashes that are the same in every run.
struct Random(u64);

impl Random {
    fn draw(&mut self) -> u64 {
        let mut halves = [0; 2];
        for half in &mut halves {
            self.0 = self
                .0
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            *half = self.0 >> 32;
        }
        halves[0] << 32 | halves[1]
    }

    /// So many bits, at most, but never the mean's.
    fn bits(&mut self, n: u64) -> u64 {
        (0..n).fold(0, |bits, _| bits | 1 << (1 + self.draw() % 63))
    }

    /// A hash with so many coefficients that are too small, at most.
    fn hash(&mut self, n_faint: u64) -> Hash {
        let strong = !1 & !self.bits(n_faint);
        (self.draw() & strong, strong)
    }
}

fn measures((signs, strong): Hash) -> Measures {
    Measures {
        sharpness: None,
        darkest: 0,
        brightest: 255,
        frame: [0; 4],
        signs,
        strong,
        page: Some(false),
    }
}

/// Hashes, a third of which were made of one before them: seen from another side, with signs turned, and with coefficients
/// that became too small; as many as may be, and a few more.
fn hashes(n: usize, n_faint: u64, seed: u64) -> Vec<Measures> {
    let mut random = Random(seed);
    let mut hashes: Vec<Measures> = Vec::new();
    for at in 0..n {
        let hash = match (random.draw() % 3, at) {
            (0, 1..) => {
                let of = &hashes[random.draw() as usize % at];
                let (signs, strong) = picture::views(of)[random.draw() as usize % 8];
                let n_turned = random.draw() % 8;
                let n_fainter = random.draw() % 12;
                let strong = strong & !random.bits(n_fainter);
                ((signs ^ random.bits(n_turned)) & strong, strong)
            }
            _ => {
                let n_faint = random.draw() % (n_faint + 1);
                random.hash(n_faint)
            }
        };
        hashes.push(measures(hash));
    }
    hashes
}

#[test]
fn finds_exactly_what_a_comparison_of_all_finds() {
    let mut n_found = 0;
    for (n_faint, seed) in [(0, 1), (4, 2), (12, 3), (30, 4), (60, 5)] {
        let hashes = hashes(600, n_faint, seed);
        let mut near = Near::default();
        for (index, one) in hashes.iter().enumerate() {
            let expected = hashes[..index]
                .iter()
                .position(|other| picture::is_near(one, other));
            assert_eq!(near.first(one), expected, "{index} of {n_faint}");
            n_found += usize::from(expected.is_some());
            near.add(index, one);
        }
    }
    assert!(n_found > 300, "{n_found} pairs are too few to tell");
}

#[test]
fn a_slice_has_each_coefficient_once() {
    let of_each: Vec<u32> = (0..N_SLICES)
        .map(|slice| gathered(!1, slice).count_ones())
        .collect();
    assert_eq!(of_each.iter().sum::<u32>(), 63);
    for bit in 1..64 {
        let slices = (0..N_SLICES).filter(|slice| gathered(1 << bit, *slice) != 0);
        assert_eq!(slices.count(), 1, "bit {bit}");
    }
    assert!((0..N_SLICES).all(|slice| gathered(!1, slice) < 1 << SLICE_BITS));
}

/// All pairs in all views are 400 million. One is compared in some nanoseconds.
#[test]
fn ten_thousand_pictures_take_few_comparisons() {
    let n_compared = |hashes: &[Measures]| {
        let mut near = Near::default();
        for (index, one) in hashes.iter().enumerate() {
            near.first(one);
            near.add(index, one);
        }
        near.n_compared
    };
    let mut random = Random(6);
    let different: Vec<Measures> = (0..10_000).map(|_| measures(random.hash(3))).collect();
    let n = n_compared(&different);
    assert!(n < 10_000_000, "{n} of different pictures");
    let same = vec![different[0]; 10_000];
    let n = n_compared(&same);
    assert!(n < 100_000, "{n} of the same picture");
}
