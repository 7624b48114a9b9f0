//! IP addresses that downloads may use.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket},
    str::FromStr,
    sync::Arc,
};

use ipnet::IpNet;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A range of non-public addresses that downloads may use: `10.0.0.0/8`, `192.168.1.20`, `any`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Range {
    /// Every address.
    Any,
    /// The addresses of a network.
    Net(IpNet),
}

/// A text that is not a valid range.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an address range: use one such as 10.0.0.0/8, 192.168.1.20 or fd00::/8, or `any`")]
pub struct InvalidRange(String);

impl FromStr for Range {
    type Err = InvalidRange;

    fn from_str(text: &str) -> Result<Self, InvalidRange> {
        let text = text.trim();
        if text == "any" {
            return Ok(Self::Any);
        }
        let net = text.parse::<IpNet>();
        let net = net.or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
        net.map(Self::Net).map_err(|_| InvalidRange(text.to_owned()))
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("any"),
            Self::Net(net) => net.fmt(f),
        }
    }
}

impl Serialize for Range {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Range {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Allowed ranges in addition to public addresses.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ranges(Arc<[Range]>);

impl FromIterator<Range> for Ranges {
    fn from_iter<I: IntoIterator<Item = Range>>(ranges: I) -> Self {
        Self(ranges.into_iter().collect())
    }
}

impl Ranges {
    /// The ranges.
    pub fn iter(&self) -> impl Iterator<Item = Range> {
        self.0.iter().copied()
    }

    /// Whether every address is allowed.
    pub fn is_any(&self) -> bool {
        self.0.contains(&Range::Any)
    }

    /// Whether this address is allowed.
    pub fn permit(&self, ip: IpAddr) -> bool {
        let is_in = |ip: IpAddr| {
            self.0.iter().any(|range| match range {
                Range::Any => true,
                Range::Net(net) => net.contains(&ip),
            })
        };
        let real = ip.to_canonical();
        is_in(ip) || is_in(real) || (is_public(real) && !is_own(real))
    }
}

/// Whether an address is globally reachable, without special use
/// (IANA's registries of special addresses, <https://www.iana.org/assignments/iana-ipv4-special-registry>).
fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => is_public_v4(ip),
        IpAddr::V6(ip) => is_public_v6(ip),
    }
}

fn is_public_v4(ip: Ipv4Addr) -> bool {
    let [a, b, c, _] = ip.octets();
    let is_special = ip.is_private()
        || ip.is_loopback()
        || ip.is_link_local()
        || ip.is_documentation()
        || ip.is_multicast()
        // This network: on Linux, 0.0.0.0 is this machine.
        || a == 0
        // Carriers' own networks, and some clouds' metadata.
        || (a == 100 && (64..128).contains(&b))
        // Protocol assignments.
        || (a, b, c) == (192, 0, 0)
        // Relays of 6to4.
        || (a, b, c) == (192, 88, 99)
        // Measurements.
        || (a == 198 && (18..20).contains(&b))
        // Reserved, and the broadcast address.
        || a >= 240;
    !is_special
}

fn is_public_v6(ip: Ipv6Addr) -> bool {
    let parts = ip.segments();
    let tail = |at: usize| {
        let [a, b] = parts[at].to_be_bytes();
        let [c, d] = parts[at + 1].to_be_bytes();
        Ipv4Addr::new(a, b, c, d)
    };
    match parts {
        // NAT64: what machines without IPv4 reach others by.
        [0x64, 0xff9b, 0, 0, 0, 0, _, _] => is_public_v4(tail(6)),
        // 6to4 has the IPv4 address that it leads to.
        [0x2002, ..] => is_public_v4(tail(1)),
        // Teredo, benchmarks, overlay ids and other protocol assignments; documentation.
        [0x2001, 0..=0x1ff, ..] | [0x2001, 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => false,
        // ISATAP ends in the IPv4 address that it leads to.
        [_, _, _, _, 0 | 0x200, 0x5efe, _, _] => false,
        // Only 2000::/3 is given out; all else is loopback, mapped, compatible, local, multicast or reserved.
        [first, ..] => first & 0xe000 == 0x2000,
    }
}

/// Whether it is an address of this machine: services there may not be accessible to others.
fn is_own(ip: IpAddr) -> bool {
    let any: IpAddr = match ip {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    // Nothing is sent: connecting only asks the kernel for the way, which begins where it ends if it is our own.
    let way = UdpSocket::bind((any, 0)).and_then(|socket| {
        socket.connect((ip, 9))?;
        socket.local_addr()
    });
    way.is_ok_and(|way| way.ip() == ip)
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::{Range, Ranges, is_own};

    fn permits(ranges: &[&str], ip: &str) -> bool {
        let ranges: Ranges = ranges
            .iter()
            .map(|range| range.parse::<Range>().unwrap())
            .collect();
        ranges.permit(ip.parse().unwrap())
    }

    #[test]
    fn only_public_addresses_are_fetched_from() {
        for ip in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "100.100.100.200",
            "127.0.0.1",
            "127.255.255.254",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.192",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::127.0.0.1",
            "::8.8.8.8",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::ffff:0:10.0.0.1",
            "64:ff9b::127.0.0.1",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::8.8.8.8",
            "100::1",
            "2001::1",
            "2001:2::1",
            "2001:20::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "2002:a00:1::1",
            "2606:4700::5efe:10.0.0.1",
            "3fff::1",
            "5f00::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(!permits(&[], ip), "{ip}");
            assert!(permits(&["any"], ip), "{ip}");
        }
        for ip in [
            "1.1.1.1",
            "100.63.0.1",
            "100.128.0.1",
            "172.15.0.1",
            "172.32.0.1",
            "192.0.1.1",
            "198.17.0.1",
            "223.255.255.255",
            "::ffff:1.1.1.1",
            "64:ff9b::1.1.1.1",
            "2002:101:101::1",
            "2001:4860:4860::8888",
            "2606:4700:4700::1111",
        ] {
            assert!(permits(&[], ip), "{ip}");
        }
    }

    #[test]
    fn a_range_opens_what_it_names_and_nothing_else() {
        let ranges = ["10.1.0.0/16", "192.168.1.20", "fd00::/8"];
        for ip in ["10.1.2.3", "::ffff:10.1.2.3", "192.168.1.20", "fd12::1"] {
            assert!(permits(&ranges, ip), "{ip}");
        }
        for ip in ["10.2.0.1", "192.168.1.21", "127.0.0.1", "fe80::1", "::1"] {
            assert!(!permits(&ranges, ip), "{ip}");
        }
        for text in ["", "10.0.0.0/33", "localhost", "10", "0x7f.1"] {
            let err = text.parse::<Range>().unwrap_err().to_string();
            assert!(err.contains("10.0.0.0/8"), "{err}");
        }
        assert_eq!("10.0.0.0/8".parse::<Range>().unwrap().to_string(), "10.0.0.0/8");
    }

    #[test]
    fn this_machines_own_addresses_are_known_as_such() {
        let own = |ip: &str| is_own(ip.parse::<IpAddr>().unwrap());
        assert!(own("127.0.0.1"));
        assert!(!own("192.0.2.1"));
    }
}
