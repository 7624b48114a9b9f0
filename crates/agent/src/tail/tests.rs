//! Which lines are kept, and which of them are shown.

use super::*;

#[test]
fn what_the_other_stream_says_does_not_hide_a_traceback() {
    let mut tail = Tail::default();
    tail.push(Stream::Err, "Traceback (most recent call last):".into());
    tail.push(Stream::Err, "ValueError: no".into());
    for line in 0..50 {
        tail.push(Stream::Out, format!("line {line}"));
    }
    assert_eq!(
        tail.excerpt().0,
        ["Traceback (most recent call last):", "ValueError: no"]
    );
}

#[test]
fn the_tail_is_bounded() {
    let mut tail = Tail::default();
    for line in 0..1000 {
        tail.push(Stream::Err, format!("line {line}"));
    }
    assert_eq!(tail.0.len(), N_KEPT);
    assert_eq!(tail.excerpt().0.len(), N_SHOWN);
    assert_eq!(tail.excerpt().0.last().unwrap(), "line 999");
}
