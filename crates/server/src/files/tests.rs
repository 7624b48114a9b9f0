use super::{
    WantedRange::{self, Outside, Part, Whole},
    parse_range,
};

#[track_caller]
fn check(value: &str, expected: WantedRange) {
    assert_eq!(parse_range(value, 100), expected, "{value}");
}

#[test]
fn ranges() {
    check("bytes=0-9", Part(0..10));
    check("bytes=90-", Part(90..100));
    check("bytes=-10", Part(90..100));
    check("bytes=-1000", Part(0..100));
    check("bytes=90-1000", Part(90..100));
    check("bytes=0-18446744073709551615", Part(0..100));
    check("bytes=100-", Outside);
    check("bytes=-0", Outside);
    check("bytes=9-0", Whole);
    check("bytes=0-1,5-6", Whole);
    check("bytes=x-y", Whole);
    check("lines=0-1", Whole);
}
