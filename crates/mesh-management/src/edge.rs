//! What a request must be before any route is asked: sent to a name of this peer, and to a path that is text.
//!
//! A page of another site whose name was made to point at this machine (DNS rebinding) is of the same site to a browser: only
//! the `Host` that the browser sends tells.

use std::collections::BTreeSet;
use std::sync::Arc;

use mesh_api::problem::Problem;
use percent_encoding::percent_decode_str;
use url::{Host, Url};

use crate::headers::HeaderText;

/// The names by which a peer is called. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Hosts {
    names: Arc<BTreeSet<String>>,
    /// Whether it answers to no other name.
    is_strict: bool,
}

impl Hosts {
    /// Answers to every name: for a peer that other machines reach, by names that only they know.
    pub fn any() -> Self {
        Self::default()
    }

    /// Answers to `localhost`, to every IP address and to `names` (as [`host_name`] gives them).
    pub fn only(names: impl IntoIterator<Item = String>) -> Self {
        Self {
            names: Arc::new(names.into_iter().collect()),
            is_strict: true,
        }
    }

    /// Checks where a request was sent. `authority` is that of its target, where that names one; no browser leaves out the
    /// `Host`, and a program that does passes. Frameworks read a path that is not UTF-8 in different ways.
    ///
    /// # Errors
    /// 421 `MISDIRECTED_REQUEST` or 400 `INVALID_PATH`.
    pub fn check(
        &self,
        authority: Option<&str>,
        path: &str,
        headers: &impl HeaderText,
    ) -> Result<(), Problem> {
        let mut named = authority.into_iter().chain(headers.text("host"));
        if self.is_strict && !named.all(|authority| self.is_own(authority)) {
            let message = "this is no name of this peer";
            return Err(Problem::new(421, "MISDIRECTED_REQUEST", message));
        }
        match percent_decode_str(path).decode_utf8() {
            Ok(_) => Ok(()),
            Err(_) => Err(Problem::new(400, "INVALID_PATH", "the path is not UTF-8")),
        }
    }

    /// No other site has an address for its name.
    fn is_own(&self, authority: &str) -> bool {
        let url = Url::parse(&format!("http://{authority}"));
        let host = url.as_ref().ok().and_then(Url::host);
        match &host {
            Some(Host::Domain("localhost" | "localhost.")) => true,
            Some(Host::Ipv4(_) | Host::Ipv6(_)) => true,
            _ => self.names(host.as_ref()),
        }
    }

    /// Whether the peer was given this name.
    pub(crate) fn names(&self, host: Option<&Host<&str>>) -> bool {
        matches!(host, Some(Host::Domain(name)) if self.names.contains(&in_one_spelling(name)))
    }
}

/// Reads the name of a host, without a port, and gives it in its one spelling; `None` for what is no name.
pub fn host_name(text: &str) -> Option<String> {
    match Host::parse(text) {
        Ok(Host::Domain(name)) => Some(in_one_spelling(&name)),
        _ => None,
    }
}

fn in_one_spelling(name: &str) -> String {
    name.trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Given<'a>(Option<&'a str>);

    impl HeaderText for Given<'_> {
        fn all<'a>(&'a self, name: &str) -> Vec<&'a [u8]> {
            let host = self.0.filter(|_| name == "host");
            host.map(str::as_bytes).into_iter().collect()
        }
    }

    fn passes(hosts: &Hosts, authority: Option<&str>, host: Option<&str>) -> bool {
        match hosts.check(authority, "/", &Given(host)) {
            Ok(()) => true,
            Err(problem) => {
                assert_eq!(
                    (problem.status, &*problem.error),
                    (421, "MISDIRECTED_REQUEST")
                );
                false
            }
        }
    }

    #[test]
    fn a_peer_answers_to_localhost_to_addresses_and_to_its_names() {
        let hosts = Hosts::only(host_name("Peer.Example."));
        for host in [
            "localhost",
            "LocalHost:3001",
            "localhost.",
            "127.0.0.1:3001",
            "127.1",
            "[::1]:3001",
            "192.0.2.7",
            "peer.example",
            "PEER.example:80",
        ] {
            assert!(passes(&hosts, None, Some(host)), "{host}");
        }
        for host in [
            "",
            "evil.example",
            "evil.example:3001",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "evil.localhost",
            "localhost@evil.example",
            "a b",
        ] {
            assert!(!passes(&hosts, None, Some(host)), "{host}");
            assert!(passes(&Hosts::any(), None, Some(host)), "{host}");
        }
    }

    #[test]
    fn the_authority_of_a_target_counts_too() {
        let hosts = Hosts::only([]);
        assert!(passes(&hosts, None, None));
        assert!(passes(&hosts, Some("localhost:1"), Some("localhost")));
        assert!(!passes(&hosts, Some("evil.example"), Some("localhost")));
        assert!(!passes(&hosts, Some("localhost"), Some("evil.example")));
    }

    #[test]
    fn a_path_is_text() {
        let check = |path| Hosts::any().check(None, path, &Given(None));
        for path in ["/", "/a%20%C3%A4", "/%", "/%zz"] {
            assert_eq!(check(path), Ok(()), "{path}");
        }
        assert_eq!(check("/a/%ff").unwrap_err().error, "INVALID_PATH");
    }

    #[test]
    fn what_is_no_name_is_none() {
        assert_eq!(
            host_name("BÜCHER.example"),
            Some("xn--bcher-kva.example".to_owned())
        );
        for text in [
            "",
            "a:1",
            "http://a",
            "127.0.0.1",
            "[::1]",
            "a/b",
            "a b",
            "*.a.b c",
        ] {
            assert_eq!(host_name(text), None, "{text}");
        }
    }
}
