use axum::http::{HeaderMap, HeaderValue};

use super::{origin, short};

#[track_caller]
fn check(connected: &str, forwarded: &[&str], expected: &str) {
    let trusted = ["10.0.0.0/8", "::1/128"].map(|network| network.parse().unwrap());
    let mut headers = HeaderMap::new();
    for value in forwarded {
        headers.append("x-forwarded-for", HeaderValue::from_str(value).unwrap());
    }
    let found = origin(connected.parse().unwrap(), &headers, &trusted);
    assert_eq!(found.to_string(), expected, "{connected} {forwarded:?}");
}

#[test]
fn only_trusted_proxies_say_who_comes() {
    check("192.0.2.1", &["198.51.100.1"], "192.0.2.1");
    check("10.0.0.1", &["198.51.100.1"], "198.51.100.1");
    check("::ffff:10.0.0.1", &["198.51.100.1"], "198.51.100.1");
    // What the client itself sent stands on the left.
    check("10.0.0.1", &["1.1.1.1, 198.51.100.1, 10.0.0.2"], "198.51.100.1");
    check("10.0.0.1", &["1.1.1.1", "198.51.100.1"], "198.51.100.1");
    check("10.0.0.1", &["nonsense"], "10.0.0.1");
    check("10.0.0.1", &[], "10.0.0.1");
}

#[test]
fn browsers_are_named_in_short() {
    let firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0";
    let edge = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 \
                Safari/537.36 Edg/131.0.0.0";
    let phone = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 Version/18.1 Mobile/15E148 \
                 Safari/604.1";
    assert_eq!(short(firefox), "Firefox on Linux");
    assert_eq!(short(edge), "Edge on Windows");
    assert_eq!(short(phone), "Safari on iPhone");
    assert_eq!(short("curl/8.11.0"), "curl/8.11.0");
    assert_eq!(short(&"x".repeat(5000)).len(), 40);
}
