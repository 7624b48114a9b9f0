use axum::http::{HeaderMap, HeaderName, Method};

use super::{bearer, check_origin, session_cookie};

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    pairs
        .iter()
        .map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()))
        .collect()
}

#[track_caller]
fn check(method: Method, pairs: &[(&'static str, &str)], is_allowed: bool) {
    assert_eq!(
        check_origin(&method, &headers(pairs)).is_ok(),
        is_allowed,
        "{method} {pairs:?}"
    );
}

#[test]
fn only_our_own_pages_may_use_the_cookie() {
    let host = ("host", "127.0.0.1:7860");
    check(Method::GET, &[host, ("sec-fetch-site", "cross-site")], true);
    check(Method::POST, &[host, ("sec-fetch-site", "same-origin")], true);
    check(Method::POST, &[host, ("sec-fetch-site", "none")], true);
    check(Method::POST, &[host, ("sec-fetch-site", "same-site")], false);
    check(Method::POST, &[host, ("sec-fetch-site", "cross-site")], false);
    check(Method::POST, &[host, ("origin", "http://127.0.0.1:7860")], true);
    check(Method::POST, &[host, ("origin", "http://127.0.0.1:9000")], false);
    check(Method::POST, &[host, ("origin", "null")], false);
    check(Method::POST, &[host], true);
}

#[test]
fn other_sites_may_not_open_a_socket() {
    let upgrade = ("upgrade", "websocket");
    check(
        Method::GET,
        &[upgrade, ("host", "a.test"), ("origin", "https://b.test")],
        false,
    );
    check(
        Method::GET,
        &[upgrade, ("host", "a.test"), ("origin", "https://a.test")],
        true,
    );
}

#[test]
fn tokens_are_found_in_headers() {
    assert_eq!(bearer(&headers(&[("authorization", "Bearer abc")])), Some("abc"));
    assert_eq!(bearer(&headers(&[("authorization", "bearer abc")])), Some("abc"));
    assert_eq!(bearer(&headers(&[("authorization", "Basic abc")])), None);
    let cookies = headers(&[("cookie", "theme=dark; morpheus_session=abc; x=y")]);
    assert_eq!(session_cookie(&cookies, false), Some("abc"));
    let other = headers(&[("cookie", "not_morpheus_session=abc")]);
    assert_eq!(session_cookie(&other, false), None);
    // Whoever can write plain cookies for the host cannot plant one where the server is reached by https.
    assert_eq!(session_cookie(&cookies, true), None);
    let secure = headers(&[("cookie", "morpheus_session=planted; __Host-morpheus_session=abc")]);
    assert_eq!(session_cookie(&secure, true), Some("abc"));
}
