//! Signed calls to other peers. This is no open proxy: only configured peers are called, and only their echo.

use async_trait::async_trait;
use hmac_auth::credential::ClientId;
use hmac_auth::secret_hash::SecretHash;
use hmac_propagation::queue::PeerName;
use mesh_api::call::{CallAnswer, SentRequest};
use mesh_api::problem::Problem;
use url::Url;

/// The route that is called.
const ECHO: &str = "/api/echo";

/// One call.
#[derive(Clone, Debug)]
pub struct SignedCall {
    /// The echo of a configured peer.
    pub url: Url,
    /// Who signs.
    pub client_id: ClientId,
    /// With what.
    pub secret_hash: SecretHash,
    /// And with what once more, when the peer refuses that because it has not heard of a rotation yet.
    pub previous: Option<SecretHash>,
}

/// A signed GET as an operator may see it: of the signature only the first 8 characters.
pub fn sent_request(url: &Url, headers: impl IntoIterator<Item = (String, String)>) -> SentRequest {
    let shown = headers.into_iter().map(|(name, mut value)| {
        if name == hmac_auth::header::SIGNATURE {
            value = value.chars().take(8).chain(['…']).collect();
        }
        (name, value)
    });
    SentRequest {
        method: "GET".to_owned(),
        url: url.to_string(),
        headers: shown.collect(),
    }
}

/// Sends signed GETs.
#[async_trait]
pub trait SignedGet: Send + Sync + 'static {
    /// Sends one, within a bound. Every status is an answer; `Err` means that there was none.
    async fn get(&self, call: SignedCall) -> Result<CallAnswer, Problem>;
}

/// Finds the URL to call for a peer's name, or for a URL at a peer.
///
/// # Errors
/// A 400 [`Problem`] for anything else.
pub(crate) fn resolve(target: &str, peers: &[(PeerName, Url)]) -> Result<Url, Problem> {
    if let Some((_, base)) = peers.iter().find(|(name, _)| name.as_str() == target) {
        return base
            .join(ECHO)
            .map_err(|_| refused("is a peer without a usable URL"));
    }
    let url = Url::parse(target)
        .map_err(|_| refused("is neither the name nor the URL of a configured peer"))?;
    if !peers.iter().any(|(_, base)| base.origin() == url.origin()) || !url.origin().is_tuple() {
        return Err(refused("is not a URL of a configured peer"));
    }
    if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
        return Err(refused("holds a user name, password or fragment"));
    }
    match url.path() {
        "/" if url.query().is_none() => url.join(ECHO).map_err(|_| refused("is not usable")),
        ECHO => Ok(url),
        _ => Err(refused("is another route than /api/echo")),
    }
}

fn refused(message: &str) -> Problem {
    Problem::invalid("target", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_shown_shortened() {
        let url = Url::parse("http://127.0.0.1:3002/api/echo").unwrap();
        let headers = [("x-client-id", "a"), ("x-signature", "0123456789abcdef")];
        let sent = sent_request(
            &url,
            headers.map(|(name, value)| (name.to_owned(), value.to_owned())),
        );
        assert_eq!(sent.headers[0].1, "a");
        assert_eq!(sent.headers[1].1, "01234567…");
    }

    #[test]
    fn only_the_echo_of_configured_peers_is_called() {
        let peers = [(
            PeerName::parse("consumer").unwrap(),
            Url::parse("http://127.0.0.1:3002").unwrap(),
        )];
        for good in [
            "consumer",
            "http://127.0.0.1:3002",
            "http://127.0.0.1:3002/api/echo",
        ] {
            assert_eq!(
                resolve(good, &peers).unwrap().as_str(),
                "http://127.0.0.1:3002/api/echo"
            );
        }
        for bad in [
            "other",
            "",
            "http://127.0.0.1:3003/api/echo",
            "https://127.0.0.1:3002/api/echo",
            "http://127.0.0.1:3002@evil/api/echo",
            "http://u@127.0.0.1:3002/api/echo",
            "http://127.0.0.1:3002/readyz",
            "http://127.0.0.1:3002/api/../metrics",
            "file:///etc/passwd",
        ] {
            assert_eq!(
                resolve(bad, &peers).unwrap_err().field.unwrap(),
                "target",
                "{bad}"
            );
        }
    }
}
