//! Shapes of requests and answers, for the documentation. The requests themselves are read by [`crate::fields`].

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::surface::signed_call::SentRequest;

/// `POST ensure`
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Ensure {
    /// 1 to 128 bytes.
    pub client_id: String,
    /// 16 to 128 bytes.
    pub secret: String,
    /// Who is told; may be empty.
    pub targets: Vec<String>,
    /// `http` (unless given) or `message`.
    pub track: Option<String>,
    /// IP addresses and CIDR blocks; absent keeps, null or an empty list clears.
    pub allowed_ips: Option<Vec<String>>,
    /// Epoch milliseconds; absent keeps, null clears.
    pub expires_at: Option<i64>,
}

/// What an ensure did.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct EnsureAnswer {
    /// The client.
    pub client_id: String,
    /// `credential.create` or `credential.update`.
    pub op: String,
}

/// `POST rotate`
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Rotate {
    /// A known client.
    pub client_id: String,
    /// 16 to 128 bytes.
    pub secret: String,
    /// `http` (unless given) or `message`.
    pub track: Option<String>,
}

/// `POST revoke`
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Revoke {
    /// The client.
    pub client_id: String,
    /// Who is told; may be empty.
    pub targets: Vec<String>,
    /// `http` (unless given) or `message`.
    pub track: Option<String>,
}

/// The client that was changed.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Client {
    /// The client.
    pub client_id: String,
}

/// `POST resync`: a target or a client.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Resync {
    /// The target whose whole state is sent again.
    pub target: Option<String>,
    /// The client whose state is sent again to all its targets.
    pub client_id: Option<String>,
    /// The client's track, `http` unless given.
    pub track: Option<String>,
}

/// What a sync did.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// How many credentials had something to send.
    pub propagations_read: u64,
    /// How many rows the broker confirmed.
    pub targets_published: u64,
    /// How many rows stay for the next sync.
    pub targets_retrying: u64,
    /// How long it took.
    pub duration_ms: u64,
}

/// `POST targets`
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Target {
    /// `[A-Za-z0-9-]+`, at most 128.
    pub target_amqp_queue: String,
    /// What events to it must bear.
    pub propagation_secret: String,
    /// At most 255 characters.
    pub note: Option<String>,
}

/// What was done to a target.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TargetAnswer {
    /// `target.create`, `target.update` or `target.delete`.
    pub op: String,
    /// The target.
    pub target_amqp_queue: String,
}

/// `POST call-target`
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Call {
    /// A configured peer's name, or a URL at one.
    pub target: String,
    /// Who signs.
    pub client_id: String,
    /// With what; the locally stored hash unless given.
    pub secret: Option<String>,
}

/// What the called peer answered.
#[derive(Serialize, ToSchema)]
pub struct CallAnswer {
    /// Its status.
    pub status: u16,
    /// Its body.
    pub body: Value,
    /// What was sent to it.
    pub request: SentRequest,
}

/// `POST hash`
#[derive(Serialize, ToSchema)]
pub struct Hash {
    /// The plain secret.
    pub secret: String,
}

/// A secret's hash.
#[derive(Serialize, ToSchema)]
pub struct HashAnswer {
    /// 64 hex characters.
    pub hash: String,
}

/// The process serves.
#[derive(Serialize, ToSchema)]
pub struct Alive {
    /// Always `alive`.
    pub status: String,
}

/// A credential in the peer's own store. Times are epoch milliseconds. Of a record that cannot be read there are `clientId`,
/// `track` and `corrupt` only.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LocalClient {
    /// The client.
    pub client_id: String,
    /// `http` or `message`.
    pub track: String,
    /// When it was last changed.
    #[schema(nullable = false)]
    pub updated_at: Option<i64>,
    /// When it ends; null for never.
    pub expires_at: Option<i64>,
    /// Where requests may come from; empty is from anywhere.
    #[schema(nullable = false)]
    pub allowed_ips: Option<Vec<String>>,
    /// Why the record cannot be read.
    #[schema(nullable = false)]
    pub corrupt: Option<String>,
}

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
