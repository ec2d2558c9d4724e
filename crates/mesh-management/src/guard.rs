//! What is refused before a route is asked: requests of other sites' pages, and bodies in no known encoding.

use mesh_api::problem::Problem;
use url::Url;

use crate::edge::Hosts;
use crate::headers::HeaderText;

/// How a request's body is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// As JSON, or not declared, or there is none.
    Json,
    /// As the fields of a form, url-encoded.
    Form,
}

/// Tells whether a request with this method changes nothing: GET, HEAD and OPTIONS.
pub fn is_safe(method: &str) -> bool {
    matches!(method, "GET" | "HEAD" | "OPTIONS")
}

/// Checks an unsafe request and tells how its body is written; a safe one ([`is_safe`]) passes.
///
/// It comes from this site ([`from_this_site`]). A declared content type must be JSON or a form. A form is what any page may
/// send without asking first: that it comes from a page of this site is what its headers say.
///
/// # Errors
/// 403 `CROSS_SITE_REQUEST` or 415 `UNSUPPORTED_MEDIA_TYPE`.
pub fn check(hosts: &Hosts, method: &str, headers: &impl HeaderText) -> Result<Encoding, Problem> {
    if is_safe(method) {
        return Ok(Encoding::Json);
    }
    from_this_site(Some(hosts), headers)?;
    match headers.text("content-type") {
        None => Ok(Encoding::Json),
        Some(declared) if is(declared, "application/json") => Ok(Encoding::Json),
        Some(declared) if is(declared, "application/x-www-form-urlencoded") => Ok(Encoding::Form),
        Some(_) => Err(Problem::not_json()),
    }
}

/// Checks that a request comes from a page of this site, or from no page.
///
/// A browser says where a request comes from (`Sec-Fetch-Site`, else `Origin`); a request that says nothing comes from no
/// page. Where a proxy in front may have rewritten the `Host`, a page of one of the names of `hosts` is a page of this site,
/// whatever its port; where there is none, `Host` and `Origin` must be the same, the port too.
///
/// # Errors
/// 403 `CROSS_SITE_REQUEST`.
pub fn from_this_site(hosts: Option<&Hosts>, headers: &impl HeaderText) -> Result<(), Problem> {
    let from_here = match (headers.text("sec-fetch-site"), headers.text("origin")) {
        (Some(site), _) => matches!(site, "same-origin" | "none"),
        (None, Some(origin)) => is_origin_of(hosts, origin, headers.text("host")),
        (None, None) => true,
    };
    match from_here {
        true => Ok(()),
        false => Err(Problem::new(
            403,
            "CROSS_SITE_REQUEST",
            "requests of another site's pages are refused",
        )),
    }
}

fn is_origin_of(hosts: Option<&Hosts>, origin: &str, host: Option<&str>) -> bool {
    let Ok(origin) = Url::parse(origin) else {
        return false;
    };
    let is_sent_to = |host| {
        let own = Url::parse(&format!("{}://{host}", origin.scheme()));
        own.is_ok_and(|own| own.origin() == origin.origin())
    };
    origin.origin().is_tuple()
        && (hosts.is_some_and(|it| it.names(origin.host().as_ref()))
            || host.is_some_and(is_sent_to))
}

fn is(content_type: &str, wanted: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Pairs<'a>(&'a [(&'a str, &'a str)]);

    impl HeaderText for Pairs<'_> {
        fn all<'a>(&'a self, name: &str) -> Vec<&'a [u8]> {
            let own = self.0.iter().filter(|(known, _)| *known == name);
            own.map(|(_, value)| value.as_bytes()).collect()
        }
    }

    fn code(method: &str, headers: &[(&str, &str)]) -> String {
        let checked = check(&Hosts::any(), method, &Pairs(headers));
        checked.map_or_else(|problem| problem.error.into_owned(), |_| "OK".to_owned())
    }

    #[test]
    fn other_sites_are_refused_and_programs_are_not() {
        assert_eq!(code("POST", &[]), "OK");
        assert_eq!(code("POST", &[("sec-fetch-site", "same-origin")]), "OK");
        assert_eq!(
            code("POST", &[("sec-fetch-site", "cross-site")]),
            "CROSS_SITE_REQUEST"
        );
        assert_eq!(
            code("DELETE", &[("sec-fetch-site", "same-site")]),
            "CROSS_SITE_REQUEST"
        );
        let host = ("host", "127.0.0.1:3001");
        assert_eq!(
            code("POST", &[host, ("origin", "http://127.0.0.1:3001")]),
            "OK"
        );
        assert_eq!(
            code("POST", &[host, ("origin", "http://127.0.0.1:3002")]),
            "CROSS_SITE_REQUEST"
        );
        assert_eq!(
            code("POST", &[host, ("origin", "null")]),
            "CROSS_SITE_REQUEST"
        );
        assert_eq!(code("GET", &[("sec-fetch-site", "cross-site")]), "OK");
    }

    /// `localhost` is a name of every peer, and of whatever else runs on this machine.
    #[test]
    fn a_page_of_a_given_name_is_of_this_site_whatever_host_a_proxy_writes() {
        let hosts = Hosts::only(["peer.example".to_owned()]);
        let code = |origin: &str, host: &str| {
            let headers = [("host", host), ("origin", origin)];
            let checked = check(&hosts, "POST", &Pairs(&headers));
            checked.map_or_else(|problem| problem.error.into_owned(), |_| "OK".to_owned())
        };
        for origin in [
            "https://peer.example",
            "http://peer.example:8080",
            "https://peer.example.",
        ] {
            assert_eq!(code(origin, "127.0.0.1:3003"), "OK", "{origin}");
        }
        for origin in [
            "https://other.example",
            "https://sub.peer.example",
            "http://localhost:3004",
            "http://127.0.0.1",
            "data://peer.example",
            "null",
        ] {
            let refused = code(origin, "127.0.0.1:3003");
            assert_eq!(refused, "CROSS_SITE_REQUEST", "{origin}");
        }
        let said = [
            ("origin", "https://peer.example"),
            ("sec-fetch-site", "same-site"),
        ];
        assert!(check(&hosts, "POST", &Pairs(&said)).is_err());
    }

    #[test]
    fn a_declared_body_is_json_or_a_form() {
        assert_eq!(
            code(
                "POST",
                &[("content-type", "application/json; charset=utf-8")]
            ),
            "OK"
        );
        assert_eq!(
            code("POST", &[("content-type", "text/plain")]),
            "UNSUPPORTED_MEDIA_TYPE"
        );
    }

    #[test]
    fn a_form_passes_only_from_this_site() {
        let either = |headers: &[(&str, &str)]| {
            check(&Hosts::any(), "POST", &Pairs(headers))
                .map_err(|problem| problem.error.into_owned())
        };
        let form = (
            "content-type",
            "application/x-www-form-urlencoded; charset=UTF-8",
        );
        let host = ("host", "127.0.0.1:3003");
        assert_eq!(either(&[form]), Ok(Encoding::Form));
        assert_eq!(
            either(&[form, ("sec-fetch-site", "same-origin")]),
            Ok(Encoding::Form)
        );
        assert_eq!(
            either(&[form, host, ("origin", "http://127.0.0.1:3003")]),
            Ok(Encoding::Form)
        );
        for other_site in [
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-site"),
            ("origin", "https://evil.example"),
            ("origin", "null"),
        ] {
            assert_eq!(
                either(&[form, host, other_site]),
                Err("CROSS_SITE_REQUEST".to_owned())
            );
        }
        let multipart = ("content-type", "multipart/form-data; boundary=x");
        assert_eq!(
            either(&[multipart]),
            Err("UNSUPPORTED_MEDIA_TYPE".to_owned())
        );
        assert_eq!(
            either(&[("content-type", "application/json")]),
            Ok(Encoding::Json)
        );
        assert_eq!(either(&[]), Ok(Encoding::Json));
    }
}
