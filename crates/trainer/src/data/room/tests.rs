use dataset::buckets::{Buckets, Size};

use super::{MAX_LOOKS_BYTES, Room};
use crate::fixture::Fixture;

/// Pixels of a latent's side.
const SIDE: u32 = 8;

#[test]
fn looks_that_do_not_fit_are_refused_before_they_are_drawn() {
    let fixture = Fixture::new(|o| {
        o.color_jitter = Some(true);
        o.n_looks = Some(64);
    });
    let p = fixture.recipe.parameters();
    let buckets = Buckets::of(p);
    let item = &fixture.drawn.manifest.items[0];
    let Size { width, height } = buckets.place(Size::new(item.width, item.height)).bucket;
    let of_look = u64::from(width / SIDE) * u64::from(height / SIDE) * 4 * 4;
    // More by one than fit.
    let n_pictures = MAX_LOOKS_BYTES / (64 * of_look) + 1;
    let items = vec![(item, 1); n_pictures as usize];
    let err = Room::of(p, &buckets, SIDE, &items).unwrap_err().to_string();
    assert!(
        err.contains("n_looks 64") && err.contains("use at most 63"),
        "{err}"
    );
    assert!(Room::of(p, &buckets, SIDE, &items[1..]).is_ok());
    // Pictures that are not shown have no looks.
    let unseen = vec![(item, 0); items.len()];
    assert!(Room::of(p, &buckets, SIDE, &unseen).is_ok());
}

/// Which pictures have a background is known when they are decoded.
#[test]
fn looks_of_cut_outs_take_room_one_by_one() {
    let fixture = Fixture::new(|o| {
        o.random_background = Some(true);
        o.n_looks = Some(64);
    });
    let p = fixture.recipe.parameters();
    let buckets = Buckets::of(p);
    let item = &fixture.drawn.manifest.items[0];
    let bucket = buckets.place(Size::new(item.width, item.height)).bucket;
    let of_look = u64::from(bucket.width / SIDE) * u64::from(bucket.height / SIDE) * 4 * 4;
    let n_fit = MAX_LOOKS_BYTES / (64 * of_look);
    let items = vec![(item, 1); 2 * n_fit as usize];
    let mut room = Room::of(p, &buckets, SIDE, &items).unwrap();
    assert!((0..n_fit).all(|_| room.take(bucket).is_ok()));
    let err = room.take(bucket).unwrap_err().to_string();
    assert!(err.contains("use at most 32"), "{err}");
}
