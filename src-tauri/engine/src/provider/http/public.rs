//! Which addresses are out in the world (D3): a public service leads to no other.

use std::net::IpAddr;

use url::Url;

pub(super) const PRIVATE: &str = "it leads to this machine or its network";

/// Resolves names to public addresses only (D3). What is connected to is what was looked at: there is no
/// second look-up in between.
pub(super) struct PublicNames {
    /// The corporate proxy, which the person named and which may well be near.
    pub(super) proxy: Option<String>,
}

impl reqwest::dns::Resolve for PublicNames {
    fn resolve(&self, name: reqwest::dns::Name) -> reqwest::dns::Resolving {
        let is_proxy = self.proxy.as_deref().is_some_and(|proxy| proxy.eq_ignore_ascii_case(name.as_str()));
        Box::pin(async move {
            let all: Vec<_> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            let public: Vec<_> = all.iter().copied().filter(|address| is_proxy || is_public(address.ip())).collect();
            if public.is_empty() && !all.is_empty() {
                return Err(PRIVATE.into());
            }
            Ok(Box::new(public.into_iter()) as reqwest::dns::Addrs)
        })
    }
}

/// Whether `host` of a URL is out in the world: what it leads to must be, too. One that can't be resolved
/// counts as such.
pub async fn is_in_public(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Ipv4(ip)) => is_public(ip.into()),
        Some(url::Host::Ipv6(ip)) => is_public(ip.into()),
        Some(url::Host::Domain(name)) => match tokio::net::lookup_host((name, 0)).await {
            // One that has an address in the world is of the world, whatever else it lists.
            Ok(addresses) => addresses.map(|address| address.ip()).any(is_public),
            Err(_) => true,
        },
        None => true,
    }
}

/// Whether an address is reachable from everywhere (the special-purpose registries of RFC 6890).
pub(super) fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => {
            let [a, b, ..] = ip.octets();
            !(ip.is_loopback()
                || ip.is_private()
                || ip.is_link_local()
                || ip.is_unspecified()
                || ip.is_broadcast()
                || ip.is_multicast()
                || a == 0
                || (a == 100 && (64..128).contains(&b))
                || (a == 192 && b == 0 && ip.octets()[2] == 0)
                || (a == 198 && (18..20).contains(&b))
                || a >= 240)
        }
        IpAddr::V6(ip) => match ip.to_ipv4_mapped().or_else(|| embedded_v4(ip)) {
            Some(v4) => is_public(v4.into()),
            None => {
                let first = ip.segments()[0];
                !(ip.is_loopback()
                    || ip.is_unspecified()
                    || ip.is_multicast()
                    || first & 0xfe00 == 0xfc00
                    || first & 0xffc0 == 0xfe80
                    || first & 0xffc0 == 0xfec0)
            }
        },
    }
}

/// The IPv4 address inside a NAT64 (RFC 6052) or 6to4 (RFC 3056) address, or a compatible one.
fn embedded_v4(ip: std::net::Ipv6Addr) -> Option<std::net::Ipv4Addr> {
    let s = ip.segments();
    let v4 = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        std::net::Ipv4Addr::new(a, b, c, d)
    };
    match s {
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => Some(v4(high, low)),
        [0x2002, high, low, ..] => Some(v4(high, low)),
        [0, 0, 0, 0, 0, 0, high, low] if (high, low) > (0, 1) => Some(v4(high, low)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::{FetchError, Http, NetworkSettings};
    use super::*;

    #[test]
    fn d3_what_is_public() {
        for ip in ["1.1.1.1", "93.184.216.34", "2606:4700::1111", "172.32.0.1", "100.128.0.1", "::ffff:8.8.8.8"] {
            assert!(is_public(ip.parse().unwrap()), "{ip}");
        }
        for ip in [
            "127.0.0.1",
            "127.8.8.8",
            "10.0.0.1",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "0.0.0.0",
            "0.1.2.3",
            "100.64.0.1",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "240.0.0.1",
            "::1",
            "::",
            "fe80::1",
            "fc00::1",
            "fd12::1",
            "ff02::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
            "::7f00:1",
            "::a9fe:a9fe",
        ] {
            assert!(!is_public(ip.parse().unwrap()), "{ip}");
        }
    }

    #[tokio::test]
    async fn d3_a_public_service_leads_nowhere_private_in_any_spelling() {
        let http = Http::new(&NetworkSettings::default()).unwrap().only_public();
        for url in [
            "https://127.0.0.1/x",
            "https://2130706433/x",
            "https://0x7f.1/x",
            "https://0177.0.0.1/x",
            "https://[::1]/x",
            "https://[::ffff:7f00:1]/x",
            "https://169.254.169.254/x",
            "https://10.1/x",
            "https://localhost/x",
            "http://127.0.0.1:1/x",
            "https://a.localhost/x",
            "https://ip6-localhost/x",
        ] {
            let error = http.get_json(&url.parse().unwrap(), None).await.unwrap_err();
            assert!(matches!(&error, FetchError::NotSent { .. }), "{url}: {error}");
        }
        assert!(!is_in_public(&"https://127.0.0.1".parse().unwrap()).await);
        assert!(is_in_public(&"https://1.1.1.1".parse().unwrap()).await);
    }
}
