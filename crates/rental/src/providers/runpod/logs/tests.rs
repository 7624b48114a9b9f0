use super::{parse, take_event};

#[test]
fn events_are_cut_where_they_end_and_not_before() {
    let mut buffer = b"id: 1\ndata: {\"line\":\"a\"}\n\nid: 2\r\ndata: {\"line\":\"b\",\"source\":\"system\"}\r\n\r\nid: 3\n".to_vec();
    let first = parse(&take_event(&mut buffer).unwrap()).unwrap();
    assert_eq!((first.id.as_str(), first.text.as_str()), ("1", "a"));
    let second = parse(&take_event(&mut buffer).unwrap()).unwrap();
    assert_eq!((second.id.as_str(), second.source.as_str()), ("2", "system"));
    assert_eq!(take_event(&mut buffer), None);
    assert_eq!(buffer, b"id: 3\n");
}

#[test]
fn a_sign_of_life_is_no_line() {
    assert_eq!(parse(": keep-alive"), None);
    assert_eq!(parse("data: nonsense"), None);
}
