//! The HTTP surface of a full-mode peer, without a framework: bytes in, JSON or a [`Problem`] out. Every full-mode peer,
//! whatever serves it, answers with this; so none can differ from another.

pub mod administration;
pub mod guard;
pub mod mesh;
pub mod query;
pub mod routes;
pub mod signed_call;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use auth_base::clock::{Clock, SystemClock};
use auth_base::secret::Secret;
use hmac_auth::credential::ClientId;
use hmac_auth::credential_store::CredentialStore;
use hmac_auth::secret_hash::hash_client_secret;
use hmac_propagation::options::{Ensure, Resync, Revoke, Rotate, SyncSummary};
use hmac_propagation::peer_store::Track;
use hmac_propagation::propagator::Propagator;
use hmac_propagation::queue::PeerName;
use serde_json::{Value, json};
use url::Url;

use crate::fields::Fields;
use crate::mesh::MeshView;
use crate::problem::Problem;
use crate::surface::administration::{Administration, AdministrationError, NewTarget, StatePage};
use crate::surface::query::Query;
use crate::surface::routes::Operation;
use crate::surface::signed_call::{SignedCall, SignedGet};

/// `/state` answers at most this many credentials at once.
pub const STATE_LIMIT: usize = 500;

/// How many credentials `/state` answers unless told.
const STATE_DEFAULT: usize = 100;

/// `/local-clients` answers at most this many credentials of a track.
const LOCAL_CLIENTS_LIMIT: usize = 100_000;

/// What a request brings.
#[derive(Clone, Copy, Debug, Default)]
pub struct Input<'a> {
    /// The part of the path that names something, percent-decoded.
    pub name: Option<&'a str>,
    /// The query, without the question mark.
    pub query: Option<&'a str>,
    /// The whole body.
    pub body: &'a [u8],
}

/// What the surface stands on.
pub struct Surface {
    /// The peer's name.
    pub peer: PeerName,
    /// Accepts changes.
    pub propagator: Propagator,
    /// The management store's inventory and state.
    pub administration: Arc<dyn Administration>,
    /// The peer's own credentials, by track.
    pub credentials: BTreeMap<Track, Arc<dyn CredentialStore>>,
    /// Sends signed calls.
    pub signed_get: Arc<dyn SignedGet>,
    /// The peers a signed call may go to: origins.
    pub peer_urls: Vec<(PeerName, Url)>,
    /// The peer's pepper.
    pub secret_token: Option<Secret>,
    /// How long after a rotation a signed call may fall back to the previous secret.
    pub rotation_grace: Option<Duration>,
    /// The view of the mesh, where the stores of other peers can be read.
    pub mesh: Option<Arc<MeshView>>,
}

impl Surface {
    /// Answers one request.
    ///
    /// # Errors
    /// A [`Problem`], which is an answer too.
    pub async fn answer(&self, operation: Operation, input: Input<'_>) -> Result<Value, Problem> {
        if !matches!(
            operation,
            Operation::State | Operation::Mesh | Operation::Timeline
        ) {
            Query::parse(input.query, &[])?;
        }
        match operation {
            Operation::Ensure => self.ensure(input.body).await,
            Operation::Rotate => self.rotate(input.body).await,
            Operation::Revoke => self.revoke(input.body).await,
            Operation::Sync => self.sync(input.body).await,
            Operation::Resync => self.resync(input.body).await,
            Operation::State => self.state(input.query).await,
            Operation::PutTarget => self.put_target(input.body).await,
            Operation::DeleteTarget => self.delete_target(input).await,
            Operation::CallTarget => self.call_target(input.body).await,
            Operation::Hash => self.hash(input.body),
            Operation::LocalClients => self.local_clients().await,
            Operation::Mesh => self.mesh_page(input.query).await,
            Operation::MeshHealth => self.mesh_health().await,
            Operation::Timeline => self.timeline(input.query).await,
            Operation::StopPeer => self.control(input, false).await,
            Operation::StartPeer => self.control(input, true).await,
        }
    }

    async fn ensure(&self, body: &[u8]) -> Result<Value, Problem> {
        let known = [
            "clientId",
            "secret",
            "targets",
            "track",
            "allowedIps",
            "expiresAt",
        ];
        let mut fields = Fields::parse(body, &known)?;
        let ensured = self
            .propagator
            .ensure(Ensure {
                client_id: fields.text("clientId")?,
                secret: fields.secret("secret")?,
                targets: fields.texts("targets")?,
                track: fields.track()?,
                allowed_ips: fields.change_of_texts("allowedIps")?,
                expires_at: fields.change_of_moment("expiresAt")?,
            })
            .await?;
        Ok(json!({ "clientId": ensured.client_id.as_str(), "op": ensured.operation.as_str() }))
    }

    async fn rotate(&self, body: &[u8]) -> Result<Value, Problem> {
        let mut fields = Fields::parse(body, &["clientId", "secret", "track"])?;
        let client_id = self
            .propagator
            .rotate(Rotate {
                client_id: fields.text("clientId")?,
                secret: fields.secret("secret")?,
                track: fields.track()?,
            })
            .await?;
        Ok(json!({ "clientId": client_id.as_str() }))
    }

    async fn revoke(&self, body: &[u8]) -> Result<Value, Problem> {
        let mut fields = Fields::parse(body, &["clientId", "targets", "track"])?;
        let client_id = self
            .propagator
            .revoke(Revoke {
                client_id: fields.text("clientId")?,
                targets: fields.texts("targets")?,
                track: fields.track()?,
            })
            .await?;
        Ok(json!({ "clientId": client_id.as_str() }))
    }

    async fn sync(&self, body: &[u8]) -> Result<Value, Problem> {
        Fields::parse(body, &[])?;
        Ok(summary(self.propagator.sync().await?))
    }

    async fn resync(&self, body: &[u8]) -> Result<Value, Problem> {
        let mut fields = Fields::parse(body, &["target", "clientId", "track"])?;
        let with_track = fields.has("track");
        let track = fields.track()?;
        let resync = match (
            fields.optional_text("target")?,
            fields.optional_text("clientId")?,
        ) {
            (Some(_), Some(_)) => {
                return Err(Problem::invalid(
                    "clientId",
                    "is given together with target",
                ));
            }
            (None, None) => {
                return Err(Problem::invalid("target", "is missing, and so is clientId"));
            }
            (Some(_), None) if with_track => {
                return Err(Problem::invalid(
                    "track",
                    "goes with clientId only; a target is resynced whole",
                ));
            }
            (Some(target), None) => Resync::Target(target),
            (None, Some(client_id)) => Resync::Client { client_id, track },
        };
        Ok(summary(self.propagator.resync(resync).await?))
    }

    async fn state(&self, query: Option<&str>) -> Result<Value, Problem> {
        let mut query = Query::parse(query, &["cursor", "limit"])?;
        let limit = query
            .number("limit", 1, STATE_LIMIT)?
            .unwrap_or(STATE_DEFAULT);
        let cursor = query.take("cursor");
        let page: StatePage = self.administration.state(cursor.as_deref(), limit).await?;
        Ok(json!(page))
    }

    async fn put_target(&self, body: &[u8]) -> Result<Value, Problem> {
        let mut fields = Fields::parse(body, &["targetAmqpQueue", "propagationSecret", "note"])?;
        let target = NewTarget {
            name: self.other_peer(&fields.text("targetAmqpQueue")?)?,
            propagation_secret: propagation_secret(fields.secret("propagationSecret")?)?,
            note: fields.optional_text("note")?,
        };
        if target
            .note
            .as_ref()
            .is_some_and(|note| note.chars().count() > 255)
        {
            return Err(Problem::invalid("note", "has more than 255 characters"));
        }
        let operation = self.administration.put_target(&target).await?;
        self.inventory_changed();
        Ok(json!({ "op": operation.as_str(), "targetAmqpQueue": target.name.as_str() }))
    }

    /// The name may be one that no peer can have: such a row must be deletable too.
    async fn delete_target(&self, input: Input<'_>) -> Result<Value, Problem> {
        Fields::parse(input.body, &[])?;
        let name = input.name.unwrap_or_default();
        self.administration.delete_target(name).await?;
        self.inventory_changed();
        Ok(json!({ "op": "target.delete", "targetAmqpQueue": name }))
    }

    async fn call_target(&self, body: &[u8]) -> Result<Value, Problem> {
        let mut fields = Fields::parse(body, &["target", "clientId", "secret"])?;
        let url = signed_call::resolve(&fields.text("target")?, &self.peer_urls)?;
        let client_id = client_id(&fields.text("clientId")?)?;
        let (secret_hash, previous) = match fields.optional_secret("secret")? {
            Some(secret) => (
                hash_client_secret(&secret, self.secret_token.as_ref()),
                None,
            ),
            None => {
                let stored = match self.credentials.get(&Track::Http) {
                    Some(store) => store.find(&client_id).await?,
                    None => None,
                };
                let stored = stored.ok_or_else(|| Problem::unknown_client(client_id.as_str()))?;
                let now_ms = SystemClock.now_ms();
                let overlaps = stored
                    .credential
                    .in_rotation_grace(self.rotation_grace, now_ms);
                (
                    stored.credential.secret_hash,
                    stored.previous.filter(|_| overlaps),
                )
            }
        };
        let call = SignedCall {
            url,
            client_id,
            secret_hash,
            previous,
        };
        let answer = self.signed_get.get(call).await?;
        Ok(json!({ "status": answer.status, "body": answer.body, "request": answer.request }))
    }

    fn hash(&self, body: &[u8]) -> Result<Value, Problem> {
        let secret = Fields::parse(body, &["secret"])?.secret("secret")?;
        if secret.is_empty() {
            return Err(Problem::invalid("secret", "is empty"));
        }
        let hash = hash_client_secret(&secret, self.secret_token.as_ref());
        Ok(json!({ "hash": hash.expose() }))
    }

    async fn local_clients(&self) -> Result<Value, Problem> {
        let mut clients = BTreeMap::new();
        for (track, store) in &self.credentials {
            let mut cursor: Option<String> = None;
            let mut listed = 0;
            loop {
                let page = store.list(cursor.as_deref(), 1_000).await?;
                listed += page.entries.len();
                for (client_id, credential) in page.entries {
                    let client = match credential {
                        Ok(credential) => json!({
                            "clientId": client_id.as_str(),
                            "track": track.as_str(),
                            "updatedAt": credential.updated_at,
                            "expiresAt": credential.expires_at,
                            "allowedIps": credential.allowed_ips.rules(),
                        }),
                        Err(reason) => json!({
                            "clientId": client_id.as_str(),
                            "track": track.as_str(),
                            "corrupt": reason,
                        }),
                    };
                    clients.insert((*track, client_id), client);
                }
                cursor = page.next;
                if cursor.is_none() || listed >= LOCAL_CLIENTS_LIMIT {
                    break;
                }
            }
        }
        Ok(Value::Array(clients.into_values().collect()))
    }

    fn inventory_changed(&self) {
        if let Some(mesh) = &self.mesh {
            mesh.inventory_changed();
        }
    }

    /// Takes the name of a peer other than this one, whose row is the configuration's.
    fn other_peer(&self, name: &str) -> Result<PeerName, Problem> {
        let name = PeerName::parse(name)
            .map_err(|error| Problem::invalid("targetAmqpQueue", error.to_string()))?;
        if name == self.peer {
            let name = name.to_string();
            return Err(AdministrationError::SelfTarget { name }.into());
        }
        Ok(name)
    }
}

fn client_id(text: &str) -> Result<ClientId, Problem> {
    ClientId::parse(text).map_err(|error| Problem::invalid("clientId", error.to_string()))
}

fn propagation_secret(secret: Secret) -> Result<Secret, Problem> {
    let text = secret.expose();
    if text.is_empty() || text.len() > 1_024 || text.chars().any(char::is_control) {
        let message = "must have 1 to 1024 bytes and no control character";
        return Err(Problem::invalid("propagationSecret", message));
    }
    Ok(secret)
}

fn summary(summary: SyncSummary) -> Value {
    json!({
        "propagationsRead": summary.propagations_read,
        "targetsPublished": summary.targets_published,
        "targetsRetrying": summary.targets_retrying,
        "durationMs": summary.duration_ms,
    })
}
