//! Whether other machines can reach this server: otherwise it would pay for machines that cannot connect.

use std::net::IpAddr;

use anyhow::bail;
use protocol::address::masked;
use rental::Kind;
use reqwest::Url;

/// Refuses an address at which machines of this provider do not find this server.
pub(super) fn check(provider: &dyn Kind, public_url: Option<&str>) -> anyhow::Result<()> {
    let (name, title) = (provider.name(), provider.title());
    let works = format!(
        "machines at {title} must be able to reach this server: set its public URL with --public-url, or let them \
         communicate through a bucket with --mailbox and --objects s3://BUCKET"
    );
    let Some(url) = public_url else {
        bail!("{name}: no public URL is set; {works}");
    };
    if is_near(url) {
        bail!(
            "{name}: `{}` is only reachable on this machine or in its own network; {works}",
            masked(url)
        );
    }
    Ok(())
}

/// Whether a URL is only valid locally. An invalid URL is rejected later.
fn is_near(url: &str) -> bool {
    let Ok(url) = url.parse::<Url>() else { return false };
    let host = url.host_str().unwrap_or_default();
    let name = host.trim_end_matches('.').to_ascii_lowercase();
    if name == "localhost"
        || [".localhost", ".local", ".internal"]
            .iter()
            .any(|end| name.ends_with(end))
    {
        return true;
    }
    match host
        .trim_matches(['[', ']'])
        .parse::<IpAddr>()
        .map(|ip| ip.to_canonical())
    {
        Ok(IpAddr::V4(ip)) => {
            ip.is_loopback() || ip.is_private() || ip.is_link_local() || ip.is_unspecified()
        }
        Ok(IpAddr::V6(ip)) => {
            ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local() || ip.is_unspecified()
        }
        Err(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use rental::providers::REGISTERED;

    use super::is_near;

    fn check(url: Option<&str>) -> anyhow::Result<()> {
        super::check(REGISTERED[0], url)
    }

    #[test]
    fn addresses_that_mean_nothing_elsewhere_are_near() {
        for url in [
            "http://localhost:7860",
            "http://LOCALHOST.",
            "http://a.localhost",
            "http://studio.local",
            "http://127.0.0.1:7860",
            "http://127.9.9.9",
            "http://0.0.0.0:7860",
            "http://10.0.0.4",
            "http://192.168.1.20:7860",
            "http://172.16.0.1",
            "http://169.254.1.1",
            "http://[::1]:7860",
            "http://[::ffff:127.0.0.1]",
            "http://[fd00::1]",
            "http://[fe80::1]",
        ] {
            assert!(is_near(url), "{url}");
            let err = check(Some(url)).unwrap_err().to_string();
            assert!(err.contains("--mailbox") && err.contains("--public-url"), "{err}");
        }
        for url in [
            "https://morpheus.example",
            "http://203.0.113.7:7860",
            "http://172.32.0.1",
            "http://[2001:db8::1]",
        ] {
            check(Some(url)).unwrap();
        }
        assert!(check(None).unwrap_err().to_string().contains("--public-url"));
    }
}
