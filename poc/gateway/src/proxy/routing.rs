//! Where a request goes.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::sync::Arc;

use axum::http::Uri;
use axum::http::uri::{Authority, PathAndQuery, Scheme};
use mesh_api::problem::Problem;

use crate::proxy::refusal::Refusal;

/// The management of any peer, whatever dashboard a listener has.
const PEERS: &str = "/api/v1/peers/";

/// Names of peers have no more characters.
const MAX_NAME: usize = 64;

/// A peer behind the gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upstream {
    /// Its name in the mesh: tokens are for it.
    pub name: String,
    /// Where it listens.
    authority: Authority,
}

/// The text names no peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidUpstream {
    /// It is not written so.
    #[error("is not written NAME=http://HOST:PORT")]
    Form,
    /// No peer is called so.
    #[error("has a name with something else than letters, digits, '-', '_' and '.'")]
    Name,
    /// There is none, or something after it.
    #[error("needs a URL with http://, a host, and no path")]
    Url,
    /// Two have one name.
    #[error("has the name of another")]
    Twice,
}

impl FromStr for Upstream {
    type Err = InvalidUpstream;

    /// Reads `NAME=http://HOST:PORT`.
    fn from_str(text: &str) -> Result<Self, InvalidUpstream> {
        let (name, url) = text.split_once('=').ok_or(InvalidUpstream::Form)?;
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        let is_name = (1..=MAX_NAME).contains(&name.len()) && name.bytes().all(is_plain);
        if !is_name || name.bytes().all(|byte| byte == b'.') {
            return Err(InvalidUpstream::Name);
        }
        let url: Uri = url.parse().map_err(|_| InvalidUpstream::Url)?;
        let is_bare = url.scheme() == Some(&Scheme::HTTP) && url.path() == "/";
        match url.authority() {
            Some(authority) if is_bare && url.query().is_none() && !has_user(authority) => {
                Ok(Self {
                    name: name.to_owned(),
                    authority: authority.clone(),
                })
            }
            _ => Err(InvalidUpstream::Url),
        }
    }
}

fn has_user(authority: &Authority) -> bool {
    authority.as_str().contains('@') || authority.host().is_empty()
}

impl Upstream {
    /// The URL of a request to it.
    pub(crate) fn url(&self, target: PathAndQuery) -> Option<Uri> {
        let url = Uri::builder().scheme(Scheme::HTTP);
        let url = url.authority(self.authority.clone());
        url.path_and_query(target).build().ok()
    }
}

/// All peers behind the gateway, by name. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Upstreams(Arc<BTreeMap<String, Arc<Upstream>>>);

impl Upstreams {
    /// Puts them together.
    ///
    /// # Errors
    /// [`InvalidUpstream::Twice`].
    pub fn new(all: impl IntoIterator<Item = Upstream>) -> Result<Self, InvalidUpstream> {
        let mut named = BTreeMap::new();
        for upstream in all {
            let name = upstream.name.clone();
            if named.insert(name, Arc::new(upstream)).is_some() {
                return Err(InvalidUpstream::Twice);
            }
        }
        Ok(Self(Arc::new(named)))
    }

    /// Finds one.
    pub(super) fn named(&self, name: &str) -> Option<Arc<Upstream>> {
        self.0.get(name).cloned()
    }

    /// Finds where a request goes: below `/api/v1/peers/NAME/` to the `/api/` of that peer, else to `dashboard` as it is.
    ///
    /// # Errors
    /// 404 for another name.
    pub(super) fn find(
        &self,
        dashboard: &Arc<Upstream>,
        target: &PathAndQuery,
    ) -> Result<(Arc<Upstream>, PathAndQuery), Refusal> {
        let Some(rest) = target.as_str().strip_prefix(PEERS) else {
            return Ok((Arc::clone(dashboard), target.clone()));
        };
        let found = rest.split_once('/').and_then(|(name, rest)| {
            let target = format!("/api/{rest}").parse().ok()?;
            Some((self.named(name)?, target))
        });
        found.ok_or_else(|| Problem::no_route().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upstream_is_a_name_and_a_url() {
        let read = |text: &str| text.parse::<Upstream>();
        assert_eq!(read("a-1=http://127.0.0.1:3003").unwrap().name, "a-1");
        assert!(read("a=http://[::1]:3003/").is_ok());
        for (text, wrong) in [
            ("a", InvalidUpstream::Form),
            ("=http://b", InvalidUpstream::Name),
            ("a/b=http://c", InvalidUpstream::Name),
            ("..=http://c", InvalidUpstream::Name),
            ("a=https://b", InvalidUpstream::Url),
            ("a=http://b/c", InvalidUpstream::Url),
            ("a=http://b?c", InvalidUpstream::Url),
            ("a=http://u:p@b", InvalidUpstream::Url),
            ("a=b:80", InvalidUpstream::Url),
            ("a=", InvalidUpstream::Url),
        ] {
            assert_eq!(read(text), Err(wrong), "{text}");
        }
    }

    #[test]
    fn any_peer_is_managed_by_its_name() {
        let read = |text: &str| text.parse::<Upstream>().unwrap();
        let all = [read("a=http://127.0.0.1:1"), read("b=http://127.0.0.1:2")];
        let all = Upstreams::new(all).unwrap();
        let dashboard = all.named("a").unwrap();
        let find = |target: &str| {
            let found = all.find(&dashboard, &target.parse().unwrap());
            found.map(|(upstream, target)| upstream.url(target).unwrap().to_string())
        };
        assert_eq!(
            find("/clients/x?y").unwrap(),
            "http://127.0.0.1:1/clients/x?y"
        );
        assert_eq!(
            find("/api/v1/peers/b/state?c").unwrap(),
            "http://127.0.0.1:2/api/state?c"
        );
        assert_eq!(find("/api/v1/peers/a/").unwrap(), "http://127.0.0.1:1/api/");
        for nowhere in [
            "/api/v1/peers/c/state",
            "/api/v1/peers/b",
            "/api/v1/peers/b?/",
        ] {
            assert_eq!(find(nowhere).unwrap_err().problem.status, 404, "{nowhere}");
        }
        let twice = [read("a=http://b"), read("a=http://c")];
        assert_eq!(Upstreams::new(twice).unwrap_err(), InvalidUpstream::Twice);
    }
}
