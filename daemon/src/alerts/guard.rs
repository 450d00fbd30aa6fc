//! Where alerts may be sent: over TLS and to public addresses, unless the channel says otherwise. A webhook's address
//! must not become a way into the network that the daemon is in.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use reqwest::Url;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// Why nothing is sent there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Forbidden {
    /// Not a web address.
    #[error("it must begin with https://")]
    NotWeb,
    /// Anybody on the way could read it.
    #[error("http:// can be read on the way: use https://, or say allow_private = true")]
    InTheClear,
    /// In a network of one's own.
    #[error("{0} is not a public address: say allow_private = true if it is meant")]
    Private(IpAddr),
}

/// Whether `url` may be used at all; what a name leads to is seen only when it is used, by `Guarded`.
pub fn check(url: &Url, allow_private: bool) -> Result<(), Forbidden> {
    match url.scheme() {
        "https" => {}
        "http" if allow_private => {}
        "http" => return Err(Forbidden::InTheClear),
        _ => return Err(Forbidden::NotWeb),
    }
    let host = url.host_str().ok_or(Forbidden::NotWeb)?;
    match host.trim_matches(['[', ']']).parse() {
        Ok(address) if !allow_private && !is_public(address) => Err(Forbidden::Private(address)),
        _ => Ok(()),
    }
}

/// The system's resolver, whose answers are used only if all of them are public. What was looked at is what is
/// connected to: a name that leads elsewhere a moment later changes nothing.
#[derive(Debug, Clone, Copy)]
pub(super) struct Guarded;

impl Resolve for Guarded {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let addresses: Vec<SocketAddr> = found.collect();
            public(&addresses)?;
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

impl Guarded {
    pub(super) fn shared() -> Arc<Self> {
        Arc::new(Self)
    }
}

fn public(addresses: &[SocketAddr]) -> Result<(), Forbidden> {
    match addresses.iter().find(|address| !is_public(address.ip())) {
        Some(private) => Err(Forbidden::Private(private.ip())),
        None => Ok(()),
    }
}

/// Whether an address is one of the internet's, and not of a machine, a link, a private network, a provider's inside,
/// a translation to one of those, or reserved (IANA's special-purpose registries).
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => v6
            .to_ipv4_mapped()
            .map_or_else(|| is_public_v6(v6), is_public_v4),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    !matches!(
        (a, b, c),
        (0 | 10 | 127 | 224.., ..)
            | (100, 64..=127, _)
            | (169, 254, _)
            | (172, 16..=31, _)
            | (192, 0, 0 | 2)
            | (192, 88, 99)
            | (192, 168, _)
            | (198, 18 | 19, _)
            | (198, 51, 100)
            | (203, 0, 113)
    )
}

/// Only `2000::/3` is given out; in it `Teredo`, benchmarks, ORCHID, documentation and 6to4 are not the internet.
fn is_public_v6(address: Ipv6Addr) -> bool {
    let [a, b, ..] = address.segments();
    a & 0xe000 == 0x2000
        && !(a == 0x2001 && b < 0x0200)
        && !(a == 0x2001 && b == 0x0db8)
        && a != 0x2002
        && !(a == 0x3fff && b < 0x1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_addresses_are_known_in_every_disguise() {
        for private in [
            "127.0.0.1",
            "10.1.2.3",
            "172.31.255.255",
            "192.168.0.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "255.255.255.255",
            "224.0.0.1",
            "198.19.0.1",
            "::1",
            "::",
            "::ffff:10.0.0.1",
            "::10.0.0.1",
            "fe80::1",
            "fd00::1",
            "64:ff9b::a00:1",
            "2002:a00:1::1",
            "2001:0:a00:1::1",
            "2001:db8::1",
            "ff02::1",
        ] {
            assert!(!is_public(private.parse().unwrap()), "{private}");
        }
        for public in [
            "1.1.1.1",
            "172.32.0.1",
            "100.128.0.1",
            "198.20.0.1",
            "::ffff:1.1.1.1",
            "2606:4700::1111",
            "2a00:1450::1",
        ] {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
    }

    #[test]
    fn a_url_leads_over_tls_to_the_internet_unless_it_may_lead_elsewhere() {
        let check = |url: &str, allowed| super::check(&Url::parse(url).unwrap(), allowed);
        assert_eq!(check("https://hooks.example.com/x", false), Ok(()));
        assert_eq!(
            check("http://hooks.example.com/", false),
            Err(Forbidden::InTheClear)
        );
        assert_eq!(check("ftp://example.com/", true), Err(Forbidden::NotWeb));
        for private in [
            "https://127.0.0.1/",
            "https://[::1]:8443/",
            "https://2130706433/",
            "https://0x7f.1/",
            "https://[::ffff:169.254.169.254]/",
        ] {
            let refused = check(private, false);
            assert!(matches!(refused, Err(Forbidden::Private(_))), "{private}");
            assert_eq!(check(private, true), Ok(()));
        }
        assert_eq!(check("http://127.0.0.1:8080/", true), Ok(()));
    }

    #[test]
    fn one_private_address_among_the_answers_is_enough() {
        let at = |text: &str| SocketAddr::new(text.parse().unwrap(), 0);
        assert_eq!(public(&[at("1.1.1.1"), at("2606:4700::1111")]), Ok(()));
        let refused = public(&[at("1.1.1.1"), at("10.0.0.1")]);
        assert_eq!(
            refused,
            Err(Forbidden::Private("10.0.0.1".parse().unwrap()))
        );
    }

    #[tokio::test]
    async fn a_name_that_leads_home_is_not_followed() {
        let refused = Guarded.resolve("localhost".parse().unwrap()).await;
        let error = refused.err().expect("localhost is not public").to_string();
        assert!(error.contains("not a public address"), "{error}");
    }
}
