//! What the head of a request must be, and what of it counts.

use std::net::IpAddr;
use std::str::FromStr;

use axum::http::request::Parts;
use axum::http::uri::{Authority, PathAndQuery};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Version, header};
use hmac_auth::client_address::TrustedProxies;
use mesh_api::problem::Problem;
use mesh_management::edge::Hosts;
use mesh_management::guard;
use mesh_management_axum::answer::Headers;
use url::Url;

use crate::proxy::refusal::Refusal;
use crate::proxy::{hop_by_hop, request_line};

const FORWARDED_FOR: &str = "x-forwarded-for";
const FETCH_SITE: &str = "sec-fetch-site";

/// What proxies add, besides `X-Forwarded-…`.
const PROXIED: [&str; 3] = ["forwarded", "via", "x-real-ip"];

/// What only we say, besides `X-Forwarded-…`.
const CLAIMS: [HeaderName; 4] = [
    HeaderName::from_static("x-internal-auth"),
    HeaderName::from_static("x-request-id"),
    HeaderName::from_static("forwarded"),
    HeaderName::from_static("x-real-ip"),
];

/// What of a head is needed later, and is gone from its headers by then.
pub(super) struct Head {
    /// Path and query, as they came.
    pub(super) target: PathAndQuery,
    /// Where it came from, proxies considered.
    pub(super) address: IpAddr,
    /// Whether it asks for a WebSocket.
    pub(super) is_websocket: bool,
    /// Whether a page may have sent it that is none of this site's.
    pub(super) site: Result<(), Problem>,
    /// Whether a page has sent it: a browser says so.
    pub(super) is_page: bool,
    /// Whether another proxy has handed it on.
    pub(super) is_forwarded: bool,
}

/// Whether a page, of whatever site, asks for this while it is shown: everything that a browser sends but what opens a page.
fn is_part_of_a_page(method: &Method, headers: &HeaderMap) -> bool {
    let is = |name: &str, value: &str| headers.get(name).is_some_and(|it| it == value);
    let opens = *method == Method::GET
        && is("sec-fetch-mode", "navigate")
        && is("sec-fetch-dest", "document");
    headers.contains_key(FETCH_SITE) && !opens
}

/// Whether a script, or another part of a page, has made the request, and not whoever types an address.
fn is_made_by_a_page(headers: &HeaderMap) -> bool {
    let site = headers.get(FETCH_SITE);
    site.is_some_and(|site| site != "none") || headers.contains_key(header::ORIGIN)
}

/// The origin of a page: scheme, host and port, as a browser writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin(String);

/// The text is no origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is no origin, such as https://app.example")]
pub struct InvalidOrigin;

impl Origin {
    /// As it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Origin {
    type Err = InvalidOrigin;

    fn from_str(text: &str) -> Result<Self, InvalidOrigin> {
        let url = Url::parse(text).map_err(|_| InvalidOrigin)?;
        let origin = url.origin().ascii_serialization();
        match matches!(url.scheme(), "http" | "https") && origin == text {
            true => Ok(Self(origin)),
            false => Err(InvalidOrigin),
        }
    }
}

/// Who we are, and whom we believe.
pub(super) struct Edge {
    /// The names that we answer to.
    pub(super) hosts: Hosts,
    /// The proxies before us.
    pub(super) proxies: TrustedProxies,
    /// The origins whose pages may ask, besides our own.
    pub(super) origins: Vec<Origin>,
}

impl Edge {
    /// Whether a page of a listed origin asks.
    fn is_listed(&self, headers: &HeaderMap) -> bool {
        let mut sent = headers.get_all(header::ORIGIN).iter();
        let origin = sent.next().map(HeaderValue::as_bytes);
        let is = |listed: &Origin| Some(listed.0.as_bytes()) == origin;
        sent.next().is_none() && self.origins.iter().any(is)
    }

    /// Checks a head, and takes out of its headers what is for one connection and what nobody may claim.
    ///
    /// # Errors
    /// 421 when it was sent to another name; those of [`request_line::target`]; 400 when its address is not known.
    pub(super) fn admit(&self, parts: &mut Parts, connection: IpAddr) -> Result<Head, Refusal> {
        let authority = parts.uri.authority().map(Authority::as_str);
        let headers = Headers(&parts.headers);
        let checked = self.hosts.check(authority, parts.uri.path(), &headers);
        checked.map_err(|problem| match problem.status {
            421 => Refusal::misdirected(),
            _ => problem.into(),
        })?;
        let target = request_line::target(&parts.method, &parts.uri, &parts.headers)?;
        // Before anybody's `Connection` takes away what tells of the page.
        // Pages are for people, and show links to nobody else's scripts.
        let is_api = parts.uri.path().starts_with("/api/v1/");
        let site = match is_api && self.is_listed(&parts.headers) {
            true => Ok(()),
            false => guard::from_this_site(None, &headers),
        };
        if is_part_of_a_page(&parts.method, &parts.headers) {
            // No page of another site needs our answers, nor may it use up what the operator may ask.
            site.clone()?;
        }
        let is_safe = matches!(parts.method, Method::GET | Method::HEAD);
        if is_safe && parts.headers.contains_key(header::TRANSFER_ENCODING) {
            // Whoever sends on would lose its body.
            return Err(Refusal::malformed("a GET or HEAD has no body"));
        }
        let is_page = is_made_by_a_page(&parts.headers);
        // As well before anybody's `Connection`.
        let claims = |name: &&HeaderName| name.as_str().starts_with("x-forwarded-");
        let claimed: Vec<_> = parts.headers.keys().filter(claims).cloned().collect();
        let is_proxied = |name: &&str| parts.headers.contains_key(*name);
        let is_forwarded = !claimed.is_empty() || PROXIED.iter().any(is_proxied);
        let forwarded = parts.headers.get_all(FORWARDED_FOR).iter();
        let forwarded = forwarded.map(|value| value.as_bytes());
        let address = self.proxies.client_address(Some(connection), forwarded);
        let address = address.ok_or_else(|| Refusal::malformed("the address is not known"))?;
        let asks = hop_by_hop::strip(&mut parts.headers);
        for name in CLAIMS.iter().chain(&claimed) {
            parts.headers.remove(name);
        }
        Ok(Head {
            is_websocket: asks && parts.method == Method::GET && parts.version >= Version::HTTP_11,
            target,
            address,
            site,
            is_page,
            is_forwarded,
        })
    }
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    fn admit(proxies: &[&str], headers: &[(&str, &str)]) -> (Result<Head, Refusal>, Vec<String>) {
        let edge = Edge {
            hosts: Hosts::only([]),
            proxies: TrustedProxies::new(proxies.iter().map(|it| it.parse().unwrap()).collect()),
            origins: vec!["https://app.example".parse().unwrap()],
        };
        let request = Request::get("/api/v1/a?b").header("host", "localhost:3100");
        let request = headers.iter().fold(request, |request, (name, value)| {
            request.header(*name, *value)
        });
        let (mut parts, ()) = request.body(()).unwrap().into_parts();
        let head = edge.admit(&mut parts, [127, 0, 0, 1].into());
        let left = parts.headers.keys().map(|name| name.to_string());
        (head, left.collect())
    }

    #[test]
    fn what_only_we_say_goes() {
        let (head, left) = admit(
            &[],
            &[
                ("x-internal-auth", "forged"),
                ("X-Request-Id", "forged"),
                ("forwarded", "for=192.0.2.1"),
                ("x-forwarded-for", "192.0.2.1"),
                ("x-forwarded-anything", "1"),
                ("x-real-ip", "192.0.2.1"),
                ("accept", "*/*"),
            ],
        );
        let head = head.unwrap_or_else(|_| unreachable!());
        assert_eq!(left, ["host", "accept"]);
        assert_eq!(
            (head.target.as_str(), head.address.to_string()),
            ("/api/v1/a?b", "127.0.0.1".into())
        );
    }

    #[test]
    fn whatever_a_proxy_adds_tells_of_it() {
        for header in [
            ("x-forwarded-anything", "1"),
            ("via", "1.1 a"),
            ("forwarded", "x"),
        ] {
            let (head, _) = admit(&[], &[header]);
            assert!(head.unwrap_or_else(|_| unreachable!()).is_forwarded);
        }
        let (head, _) = admit(&[], &[("accept", "*/*")]);
        assert!(!head.unwrap_or_else(|_| unreachable!()).is_forwarded);
    }

    #[test]
    fn a_page_of_a_listed_origin_may_ask() {
        let headers = [
            ("origin", "https://app.example"),
            ("sec-fetch-site", "cross-site"),
        ];
        let (head, _) = admit(&[], &headers);
        assert!(head.unwrap_or_else(|_| unreachable!()).site.is_ok());
        assert!("https://app.example/".parse::<Origin>().is_err());
    }

    #[test]
    fn a_proxy_before_us_is_believed_where_it_is_known() {
        let (head, _) = admit(
            &["127.0.0.0/8"],
            &[("x-forwarded-for", "6.6.6.6, 192.0.2.1")],
        );
        assert_eq!(
            head.unwrap_or_else(|_| unreachable!()).address.to_string(),
            "192.0.2.1"
        );
        let (head, _) = admit(&["127.0.0.0/8"], &[("x-forwarded-for", "192.0.2.1, x")]);
        assert_eq!(head.err().unwrap().problem.status, 400);
    }

    #[test]
    fn connection_takes_nothing_away_that_tells_of_a_page() {
        let evil = ("origin", "http://evil.example");
        let named = ("connection", "origin, sec-fetch-site");
        let (head, left) = admit(&[], &[evil, named]);
        assert_eq!(left, ["host"]);
        assert!(head.unwrap_or_else(|_| unreachable!()).site.is_err());
        let (head, _) = admit(&[], &[evil, named, ("sec-fetch-site", "cross-site")]);
        assert_eq!(head.err().unwrap().problem.error, "CROSS_SITE_REQUEST");
    }
}
