use super::*;

#[test]
fn a_case_can_be_made_again_from_its_number() {
    let good = [b"the quick brown fox".to_vec(), b"jumps over".to_vec()];
    for case in 0..200 {
        assert_eq!(input(&good, 7, case), input(&good, 7, case));
    }
    let cases: std::collections::HashSet<_> = (0..200).map(|case| input(&good, 7, case)).collect();
    assert!(cases.len() > 150, "only {} different inputs", cases.len());
    assert!(cases.contains(&good[0]) && cases.contains(&good[1]));
}

/// A parser that trusts the length that stands in front.
fn careless(input: &[u8]) {
    if let Some((&n_bytes, rest)) = input.split_first() {
        assert!(rest.len() >= usize::from(n_bytes), "reads beyond the end");
    }
}

#[test]
fn finds_a_length_that_is_trusted() {
    let good = [b"\x05hello".to_vec()];
    let found = (0..200).any(|case| catch_unwind(|| careless(&input(&good, 1, case))).is_err());
    assert!(found, "200 mutations of a length and its text must hit it");
}
