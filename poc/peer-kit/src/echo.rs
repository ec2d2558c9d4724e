//! The answer of the route that a signature protects, on every peer.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// The echo's answer.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Echo {
    /// Always true.
    pub ok: bool,
    /// Who signed.
    pub client_id: String,
    /// Who answers.
    pub peer: String,
    /// The body: as JSON where it is, else as text; absent when empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub received: Option<Value>,
}

impl Echo {
    /// Answers a request of `client_id` at `peer`.
    pub fn new(peer: &str, client_id: &str, body: &[u8]) -> Self {
        Self {
            ok: true,
            client_id: client_id.to_owned(),
            peer: peer.to_owned(),
            received: (!body.is_empty()).then(|| {
                serde_json::from_slice(body)
                    .unwrap_or_else(|_| String::from_utf8_lossy(body).into())
            }),
        }
    }
}
