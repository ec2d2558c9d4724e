//! What a peer answered over HTTP, and the calls themselves.

use std::fmt;

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use super::environment::Peer;
use super::{Mesh, until};

/// Status and body.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    /// The HTTP status.
    pub(crate) status: u16,
    /// The body: as JSON where it is, else as text.
    pub(crate) body: Value,
}

impl Answer {
    fn of(status: u16, text: String) -> Self {
        Self {
            status,
            body: serde_json::from_str(&text).unwrap_or(Value::String(text)),
        }
    }

    /// The error's code, empty when there is none.
    pub(crate) fn code(&self) -> &str {
        self.body["error"].as_str().unwrap_or_default()
    }

    /// `Err` with the answer when it has another status.
    pub(crate) fn is(self, status: u16) -> Result<Self, String> {
        if self.status == status {
            Ok(self)
        } else {
            Err(self.to_string())
        }
    }

    /// `Err` with the answer when it is another refusal.
    pub(crate) fn refused(self, status: u16, code: &str) -> Result<Self, String> {
        if self.status == status && self.code() == code {
            Ok(self)
        } else {
            Err(self.to_string())
        }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.status, self.body)
    }
}

impl Mesh {
    /// GETs a path of a peer.
    pub(crate) async fn get(&self, peer: Peer, path: &str) -> Result<Answer, String> {
        self.send(self.request(Method::GET, peer, path)).await
    }

    /// POSTs JSON to a route of a peer's management surface, such as `/ensure`.
    pub(crate) async fn post(
        &self,
        peer: Peer,
        route: &str,
        body: &Value,
    ) -> Result<Answer, String> {
        self.keep_secrets_of(body);
        let path = format!("{}{route}", peer.surface().0);
        self.send(self.request(Method::POST, peer, &path).json(body))
            .await
    }

    /// POSTs and insists on the surface's good answer.
    pub(crate) async fn accept(&self, peer: Peer, route: &str, body: &Value) -> Value {
        let answer = self
            .post(peer, route, body)
            .await
            .and_then(|answer| answer.is(peer.surface().1));
        answer
            .unwrap_or_else(|refused| panic!("{} {route}: {refused}", peer.name()))
            .body
    }

    /// DELETEs a target of a peer's inventory.
    pub(crate) async fn delete_target(&self, peer: Peer, target: &str) -> Answer {
        let path = format!("{}/targets/{target}", peer.surface().0);
        self.send(self.request(Method::DELETE, peer, &path))
            .await
            .expect("an answer")
    }

    /// A request that is not sent yet.
    pub(crate) fn request(&self, method: Method, peer: Peer, path: &str) -> RequestBuilder {
        self.http
            .request(method, format!("{}{path}", self.url(peer)))
    }

    /// Sends it.
    pub(crate) async fn send(&self, request: RequestBuilder) -> Result<Answer, String> {
        let response = self
            .http
            .send(request)
            .await
            .map_err(|error| format!("no answer: {error}"))?;
        let (status, path) = (response.status().as_u16(), response.url().path().to_owned());
        let text = response.text().await.map_err(|error| error.to_string())?;
        // The one answer that is a hash.
        if !path.ends_with("/hash") {
            self.leaks.look_at(&format!("the answer of {path}"), &text);
        }
        Ok(Answer::of(status, text))
    }

    /// Ensures a client at a peer, for others.
    pub(crate) async fn ensure(
        &self,
        peer: Peer,
        client: &str,
        secret: &str,
        targets: &[Peer],
    ) -> Value {
        self.accept(peer, "/ensure", &ensure_body(client, secret, targets))
            .await
    }

    /// Rotates a client's secret.
    pub(crate) async fn rotate(&self, peer: Peer, client: &str, secret: &str) -> Value {
        self.accept(
            peer,
            "/rotate",
            &json!({ "clientId": client, "secret": secret }),
        )
        .await
    }

    /// Revokes a client.
    pub(crate) async fn revoke(&self, peer: Peer, client: &str, targets: &[Peer]) -> Value {
        self.accept(
            peer,
            "/revoke",
            &json!({ "clientId": client, "targets": names(targets) }),
        )
        .await
    }

    /// A counter or gauge of a peer's `/metrics`, summed over its labels.
    pub(crate) async fn metric(&self, peer: Peer, name: &str) -> f64 {
        let answer = self
            .get(peer, "/metrics")
            .await
            .and_then(|answer| answer.is(200))
            .expect("metrics");
        let text = answer.body.as_str().unwrap_or_default().to_owned();
        let values = text.lines().filter_map(|line| {
            let rest = line.strip_prefix(name)?;
            let value = match rest.strip_prefix('{') {
                Some(labelled) => labelled.rsplit_once("} ")?.1,
                None => rest.strip_prefix(' ')?,
            };
            value.trim().parse::<f64>().ok()
        });
        values.sum()
    }

    /// Waits until a peer's counter is as large as `at_least`.
    pub(crate) async fn until_metric(&self, peer: Peer, name: &str, at_least: f64) {
        until(
            &format!("{name} of {} is {at_least} or more", peer.name()),
            async || {
                let value = self.metric(peer, name).await;
                if value >= at_least {
                    Ok(())
                } else {
                    Err(value)
                }
            },
        )
        .await;
    }
}

/// The body of an ensure.
pub(crate) fn ensure_body(client: &str, secret: &str, targets: &[Peer]) -> Value {
    json!({ "clientId": client, "secret": secret, "targets": names(targets) })
}

/// As the surface names targets.
pub(super) fn names(peers: &[Peer]) -> Vec<&'static str> {
    peers.iter().map(|peer| peer.name()).collect()
}
