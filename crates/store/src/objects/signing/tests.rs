//! Expiry, with the time as an argument.

use chrono::{DateTime, TimeDelta};

use super::*;

#[test]
fn addresses_expire_and_stay_the_same_meanwhile() {
    let (secret, key) = (SigningKey::random(), key());
    let start = DateTime::from_timestamp(1_800_000_123, 0).unwrap();
    let options = UrlOptions::picture();
    let url = secret.sign_at(Method::Get, &key, &options, start);
    let query = parse(&url);
    let check = |after: TimeDelta| secret.verify(Method::Get, &key, &query, start + after);
    assert_eq!(check(TimeDelta::zero()), Ok(()));
    assert_eq!(check(TimeDelta::hours(1)), Ok(()));
    assert_eq!(check(TimeDelta::hours(2)), Err(InvalidSignature::Expired));

    let soon = start + TimeDelta::seconds(5);
    assert_eq!(url, secret.sign_at(Method::Get, &key, &options, soon));
    let later = start + TimeDelta::hours(1);
    assert_ne!(url, secret.sign_at(Method::Get, &key, &options, later));
}

#[test]
fn secrets_survive_the_database() {
    let (secret, key) = (SigningKey::random(), key());
    let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
    let again = SigningKey::from_hex(&secret.to_hex()).unwrap();
    let query = parse(&secret.sign_at(Method::Get, &key, &UrlOptions::picture(), now));
    assert_eq!(again.verify(Method::Get, &key, &query, now), Ok(()));
    assert!(SigningKey::from_hex("beef").is_none());
}

#[test]
fn a_file_name_cannot_leave_its_quotes() {
    assert_eq!(
        attachment("zo\"ra\r\n.é"),
        "attachment; filename=\"zo_ra__._\"; filename*=UTF-8''zo%22ra%0D%0A.%C3%A9"
    );
}

fn key() -> BlobKey {
    BlobKey::from_sha256(&"ab".repeat(32)).unwrap()
}

fn parse(url: &str) -> SignedQuery {
    let mut query = SignedQuery::default();
    for pair in url.split_once('?').unwrap().1.split('&') {
        match pair.split_once('=').unwrap() {
            ("exp", value) => query.exp = value.parse().unwrap(),
            ("sig", value) => query.sig = value.to_owned(),
            ("type", value) => query.content_type = Some(value.replace("%2F", "/")),
            (name, _) => panic!("unknown parameter {name}"),
        }
    }
    query
}
