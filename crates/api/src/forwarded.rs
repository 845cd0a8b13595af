//! The address of the client, told by the proxies that are trusted (RFC 7239, and its forerunner `X-Forwarded-For`).

use std::net::{IpAddr, SocketAddr};

use axum::http::{HeaderMap, header};
use ipnet::IpNet;

const X_FORWARDED_FOR: &str = "x-forwarded-for";

/// Who the client is: the other end of the connection, unless that is a proxy that is trusted.
///
/// Each proxy writes behind what it was sent, and a client may send whatever it likes: the last address that is not
/// a trusted proxy's is the client's. Where both headers are there and do not agree, one of them is made up and
/// neither is believed.
pub(crate) fn client(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let peer = peer.to_canonical();
    if !is_trusted(peer, trusted) {
        return peer;
    }
    let by_x = nearest(peer, trusted, elements(headers, X_FORWARDED_FOR).map(address));
    let by_standard = nearest(peer, trusted, elements(headers, header::FORWARDED.as_str()).map(for_whom));
    match (by_x, by_standard) {
        (Some(one), Some(other)) if one != other => peer,
        (Some(client), _) | (None, Some(client)) => client,
        (None, None) => peer,
    }
}

fn is_trusted(address: IpAddr, trusted: &[IpNet]) -> bool {
    trusted.iter().any(|net| net.contains(&address))
}

/// The last stop that is no trusted proxy; nothing if there are no stops. What can not be read hides what is before.
fn nearest(
    peer: IpAddr,
    trusted: &[IpNet],
    from_last: impl Iterator<Item = Option<IpAddr>>,
) -> Option<IpAddr> {
    let mut nearest = None;
    for stop in from_last {
        let Some(stop) = stop else { return nearest.or(Some(peer)) };
        nearest = Some(stop);
        if !is_trusted(stop, trusted) {
            break;
        }
    }
    nearest
}

/// What a list says, the last first. A comma inside quotes is taken for one between elements: no address has one, and
/// so a client's open quote can not swallow what a proxy wrote behind it.
fn elements<'a>(headers: &'a HeaderMap, name: &str) -> impl Iterator<Item = &'a str> {
    let lines: Vec<_> = headers.get_all(name).iter().collect();
    lines.into_iter().rev().flat_map(|line| line.to_str().unwrap_or("?").rsplit(',').map(str::trim))
}

/// What stands behind `for=` (RFC 7239, 4).
fn for_whom(element: &str) -> Option<IpAddr> {
    let mut pairs = element.split(';').filter_map(|pair| pair.split_once('='));
    let (_, value) = pairs.find(|(name, _)| name.trim().eq_ignore_ascii_case("for"))?;
    address(value.trim().trim_matches('"'))
}

/// An address, with or without a port.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let address = bare.parse().or_else(|_| text.parse().map(|with_port: SocketAddr| with_port.ip()));
    address.ok().map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn seen(peer: &str, lines: &[(&'static str, &'static str)]) -> String {
        let trusted = ["10.0.0.0/8", "2001:db8:ff::/48"].map(|net| net.parse().unwrap());
        let mut headers = HeaderMap::new();
        for (name, line) in lines {
            headers.append(*name, HeaderValue::from_static(line));
        }
        client(peer.parse().unwrap(), &headers, &trusted).to_string()
    }

    #[test]
    fn believes_trusted_proxies_alone() {
        let x = "x-forwarded-for";
        assert_eq!(seen("203.0.113.9", &[(x, "198.51.100.1")]), "203.0.113.9", "it is no proxy of ours");
        for (line, client) in [
            ("198.51.100.1", "198.51.100.1"),
            ("1.1.1.1, 198.51.100.1", "198.51.100.1"),
            ("1.1.1.1, 198.51.100.1, 10.2.0.1 ,10.3.0.1", "198.51.100.1"),
            ("10.9.9.9, 10.3.0.1", "10.9.9.9"),
            ("198.51.100.1:4711", "198.51.100.1"),
            ("[2001:db8::7]:4711", "2001:db8::7"),
            ("2001:db8::7", "2001:db8::7"),
            ("::ffff:198.51.100.1", "198.51.100.1"),
            ("1.1.1.1, nonsense", "10.0.0.1"),
            ("1.1.1.1, nonsense, 10.3.0.1", "10.3.0.1"),
            ("", "10.0.0.1"),
        ] {
            assert_eq!(seen("10.0.0.1", &[(x, line)]), client, "{line}");
        }
        assert_eq!(seen("::ffff:10.0.0.1", &[(x, "1.1.1.1"), (x, "198.51.100.1")]), "198.51.100.1");
        assert_eq!(seen("10.0.0.1", &[]), "10.0.0.1");
    }

    #[test]
    fn reads_the_standard_header() {
        for (line, client) in [
            ("for=198.51.100.1", "198.51.100.1"),
            ("For=\"[2001:db8::7]:4711\"; proto=https;by=10.0.0.1", "2001:db8::7"),
            ("for=1.1.1.1, for=198.51.100.1;host=\"a\", for=\"[2001:db8:ff::1]\"", "198.51.100.1"),
            ("for=1.1.1.1, for=_hidden", "10.0.0.1"),
            ("for=1.1.1.1, host=\"open, for=198.51.100.1", "198.51.100.1"),
            ("for=unknown", "10.0.0.1"),
        ] {
            assert_eq!(seen("10.0.0.1", &[("forwarded", line)]), client, "{line}");
        }
    }

    #[test]
    fn believes_neither_of_two_that_differ() {
        let (x, standard) = (("x-forwarded-for", "198.51.100.1"), "forwarded");
        assert_eq!(seen("10.0.0.1", &[x, (standard, "for=198.51.100.1")]), "198.51.100.1");
        assert_eq!(seen("10.0.0.1", &[x, (standard, "for=1.1.1.1")]), "10.0.0.1");
    }
}
