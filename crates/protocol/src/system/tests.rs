use super::*;

const MIB: u64 = 1 << 20;

#[test]
fn the_default_is_a_share_of_the_disk() {
    let table = [
        // A tmpfs of a test.
        (64 * MIB, 64 * MIB / 5),
        (2 * GIB, 2 * GIB / 5),
        (20 * GIB, GIB),
        (200 * GIB, 4 * GIB),
        (4000 * GIB, 20 * GIB),
        (0, 0),
    ];
    for (total, wanted) in table {
        assert_eq!(default_min_free(total), wanted, "{total}");
    }
}

#[test]
fn a_short_disk_is_short_until_there_is_some_more() {
    let table = [
        // was short, free, is short
        (false, 101, false),
        (false, 100, false),
        (false, 99, true),
        (true, 99, true),
        (true, 100, true),
        (true, 124, true),
        (true, 125, false),
    ];
    for (was_short, free, expected) in table {
        assert_eq!(is_short(was_short, free, 100), expected, "{was_short}, {free}");
    }
    assert!(!is_short(true, 0, 0), "0 switches it off");
}
