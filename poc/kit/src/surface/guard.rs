//! What is refused before a route is asked: requests of other sites' pages, and bodies that are no JSON.

use url::Url;

use crate::problem::Problem;

/// Reads a header of the request as text; `None` when absent or no text.
pub trait HeaderText {
    /// Looks up `name` (lower case).
    fn text(&self, name: &str) -> Option<&str>;
}

/// Checks an unsafe request (anything but GET, HEAD and OPTIONS); a safe one passes.
///
/// A browser says where a request comes from (`Sec-Fetch-Site`, else `Origin`); a request that says nothing comes from no
/// page. A declared content type must be JSON: an older browser could send anything else without asking first.
///
/// # Errors
/// 403 `CROSS_SITE_REQUEST` or 415 `UNSUPPORTED_MEDIA_TYPE`.
pub fn check(method: &str, headers: &impl HeaderText) -> Result<(), Problem> {
    if matches!(method, "GET" | "HEAD" | "OPTIONS") {
        return Ok(());
    }
    let from_here = match (headers.text("sec-fetch-site"), headers.text("origin")) {
        (Some(site), _) => matches!(site, "same-origin" | "none"),
        (None, Some(origin)) => is_origin_of(origin, headers.text("host")),
        (None, None) => true,
    };
    if !from_here {
        return Err(Problem::new(403, "CROSS_SITE_REQUEST", "requests of another site's pages are refused"));
    }
    match headers.text("content-type") {
        Some(declared) if !is_json(declared) => Err(Problem::not_json()),
        _ => Ok(()),
    }
}

fn is_origin_of(origin: &str, host: Option<&str>) -> bool {
    let (Ok(origin), Some(host)) = (Url::parse(origin), host) else {
        return false;
    };
    let own = Url::parse(&format!("{}://{host}", origin.scheme()));
    own.is_ok_and(|own| own.origin().is_tuple() && own.origin() == origin.origin())
}

fn is_json(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/json")
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Pairs<'a>(&'a [(&'a str, &'a str)]);

    impl HeaderText for Pairs<'_> {
        fn text(&self, name: &str) -> Option<&str> {
            let found = self.0.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| *value)
        }
    }

    fn code(method: &str, headers: &[(&str, &str)]) -> &'static str {
        check(method, &Pairs(headers)).map_or_else(|problem| problem.error, |()| "OK")
    }

    #[test]
    fn other_sites_are_refused_and_programs_are_not() {
        assert_eq!(code("POST", &[]), "OK");
        assert_eq!(code("POST", &[("sec-fetch-site", "same-origin")]), "OK");
        assert_eq!(code("POST", &[("sec-fetch-site", "cross-site")]), "CROSS_SITE_REQUEST");
        assert_eq!(code("DELETE", &[("sec-fetch-site", "same-site")]), "CROSS_SITE_REQUEST");
        let host = ("host", "127.0.0.1:3001");
        assert_eq!(code("POST", &[host, ("origin", "http://127.0.0.1:3001")]), "OK");
        assert_eq!(code("POST", &[host, ("origin", "http://127.0.0.1:3002")]), "CROSS_SITE_REQUEST");
        assert_eq!(code("POST", &[host, ("origin", "null")]), "CROSS_SITE_REQUEST");
        assert_eq!(code("GET", &[("sec-fetch-site", "cross-site")]), "OK");
    }

    #[test]
    fn a_declared_body_is_json() {
        assert_eq!(code("POST", &[("content-type", "application/json; charset=utf-8")]), "OK");
        assert_eq!(code("POST", &[("content-type", "text/plain")]), "UNSUPPORTED_MEDIA_TYPE");
    }
}
