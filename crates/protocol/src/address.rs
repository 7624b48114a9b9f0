//! URLs as people may see them: without the parts that may be secret.

use std::fmt;

/// Shown in place of what is left out.
const LEFT_OUT: char = '…';

/// A URL to show or log: `https://…@host/path?…` in place of
/// `https://user:password@host/path?token=secret`.
///
/// User information, query and fragment are left out. A password may hold any character if somebody forgot to encode
/// it, so where an `@` stands further on, nothing is sure to be the host, and nothing is shown. A path is shown as it
/// is.
pub fn masked(address: &str) -> String {
    let parts = address.split_once("://");
    let Some((scheme, rest)) = parts.filter(|(scheme, _)| is_scheme(scheme)) else {
        return match address {
            path if path.starts_with(['/', '.']) => path.to_owned(),
            unclear if unclear.contains('@') => LEFT_OUT.to_string(),
            other => before_query(other),
        };
    };
    let (authority, further) = match rest.find(['/', '?', '#']) {
        Some(at) => rest.split_at(at),
        None => (rest, ""),
    };
    let (user, host) = match authority.rsplit_once('@') {
        Some((_, host)) => (format!("{LEFT_OUT}@"), host),
        None => (String::new(), authority),
    };
    if further.contains('@') || !has_plain_port(host) {
        return format!("{scheme}://{LEFT_OUT}");
    }
    format!("{scheme}://{user}{host}{}", before_query(further))
}

/// RFC 3986, section 3.1.
fn is_scheme(text: &str) -> bool {
    text.bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
}

/// The URL without its query and fragment.
fn before_query(rest: &str) -> String {
    match rest.find(['?', '#']) {
        Some(at) => format!("{}?{LEFT_OUT}", &rest[..at]),
        None => rest.to_owned(),
    }
}

/// Whether what follows the host is a port or nothing.
fn has_plain_port(authority: &str) -> bool {
    let after_host = match authority.rsplit_once(']') {
        Some((_, after)) => after,
        None => authority.find(':').map_or("", |at| &authority[at..]),
    };
    after_host
        .strip_prefix(':')
        .unwrap_or(after_host)
        .bytes()
        .all(|byte| byte.is_ascii_digit())
}

/// Prints a [masked] URL, for `Debug` implementations of types that hold one.
pub struct Masked<'a>(pub &'a str);

impl fmt::Debug for Masked<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&masked(self.0), f)
    }
}

impl fmt::Display for Masked<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&masked(self.0))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::masked;

    #[test]
    fn what_may_be_secret_is_left_out() {
        for (address, shown) in [
            (
                "https://example.org/a/b.safetensors",
                "https://example.org/a/b.safetensors",
            ),
            ("https://[2001:db8::1]:80/a", "https://[2001:db8::1]:80/a"),
            ("https://[2001:db8::1]/a", "https://[2001:db8::1]/a"),
            ("https://u:p@example.org/a", "https://…@example.org/a"),
            ("https://token@example.org/a?b=c#d", "https://…@example.org/a?…"),
            ("https://example.org?token=x", "https://example.org?…"),
            ("https://example.org/a#access_token=x", "https://example.org/a?…"),
            ("https://example.org/a?mail=me@there", "https://…"),
            ("redis://:secret@host:6379/0", "redis://…@host:6379/0"),
            (
                "postgres://me:p@ss@host:5432/db?password=x",
                "postgres://…@host:5432/db?…",
            ),
            ("postgres://me:p/ss@host/db", "postgres://…"),
            ("postgres://me:1/ss@host/db", "postgres://…"),
            ("postgres://me:p?ss@host/db", "postgres://…"),
            ("postgres://me:p#ss@host/db", "postgres://…"),
            ("postgres://me:pass", "postgres://…"),
            ("me:pass@host/db", "…"),
            ("https:host?token=x", "https:host?…"),
            ("sqlite:///data/a.db", "sqlite:///data/a.db"),
            ("/models/a@b.safetensors", "/models/a@b.safetensors"),
            ("s3://bucket/prefix", "s3://bucket/prefix"),
        ] {
            assert_eq!(masked(address), shown, "{address}");
        }
    }

    proptest! {
        #[test]
        fn no_password_and_no_query_is_ever_shown(
            user in "[a-z]{0,6}",
            before in "[ -~]{0,4}",
            after in "[ -~]{0,4}",
            host in "[a-z]{1,8}",
            query in "[ -~]{0,4}",
        ) {
            let address = format!("https://{user}:{before}SECRET{after}@{host}/path?{query}=SECRET");
            let shown = masked(&address);
            prop_assert!(!shown.contains("SECRET"), "{address} is shown as {shown}");
            prop_assert!(shown.starts_with("https://"), "{shown}");
        }
    }
}
