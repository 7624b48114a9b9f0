//! Whether machines elsewhere can reach this server: one that cannot be reached would pay for machines that find nobody.

use std::net::IpAddr;

use anyhow::bail;
use orchestrator::providers::runpod;
use protocol::address::masked;
use reqwest::Url;

/// Whether machines are rented for real; a simulator has another address, and is near.
pub(super) fn is_real(provider: &Url) -> bool {
    runpod::DEFAULT_URL
        .parse::<Url>()
        .is_ok_and(|usual| usual.origin() == provider.origin())
}

/// Refuses an address at which nobody elsewhere finds this server.
pub(super) fn check(public_url: Option<&str>) -> anyhow::Result<()> {
    const WORKS: &str = "machines at RunPod must reach this server: give its address in the internet with --public-url, \
        or let them talk to it through a bucket, with --mailbox and --objects s3://BUCKET";
    let Some(url) = public_url else {
        bail!("runpod: no public URL is set; {WORKS}");
    };
    if is_near(url) {
        bail!(
            "runpod: `{}` is known on this machine or in its own network only; {WORKS}",
            masked(url)
        );
    }
    Ok(())
}

/// Whether an address means something else, or nothing, to everybody elsewhere. One that is none is refused later.
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
    use super::{check, is_near, is_real};

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

    #[test]
    fn a_simulator_is_not_the_real_one() {
        assert!(is_real(&"https://api.runpod.io".parse().unwrap()));
        assert!(is_real(&"https://api.runpod.io/".parse().unwrap()));
        assert!(!is_real(&"http://127.0.0.1:7861".parse().unwrap()));
    }
}
