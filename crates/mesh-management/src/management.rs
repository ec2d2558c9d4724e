//! What the surface does: each operation as a method, from its request to its answer.

use std::collections::BTreeMap;
use std::slice;
use std::sync::Arc;
use std::time::Duration;

use auth_base::clock::{Clock, SystemClock};
use auth_base::secret::Secret;
use futures_util::StreamExt;
use hmac_auth::credential::{self, ClientId, Credential};
use hmac_auth::credential_store::CredentialStore;
use hmac_auth::secret_hash::{SecretHash, hash_client_secret};
use hmac_propagation::event::PROPAGATION_SECRET_BYTES;
use hmac_propagation::options::{self, SyncSummary};
use hmac_propagation::origin::Origin;
use hmac_propagation::peer_store::{CredentialKey, Track};
use hmac_propagation::propagator::Propagator;
use hmac_propagation::queue::PeerName;
use mesh_api::call::{Call, CallAnswer};
use mesh_api::change::Change;
use mesh_api::credential::{Client, Ensure, EnsureAnswer, Revoke, Rotate};
use mesh_api::hash::{Hash, HashAnswer};
use mesh_api::health::{MeshHealth, PeerControlled};
use mesh_api::local::{LocalClient, LocalQuery};
use mesh_api::mesh::{MeshPage, MeshQuery};
use mesh_api::problem::Problem;
use mesh_api::secret;
use mesh_api::state::{StatePage, StateQuery};
use mesh_api::sync::{Newer, Resync, Summary};
use mesh_api::target::{Target, TargetAnswer};
use mesh_api::timeline::{Timeline, TimelineQuery};
use url::Url;

use crate::administration::{Administration, AdministrationError, NewTarget};
use crate::call::{SignedCall, SignedGet, resolve};
use crate::error::RequestError;
use crate::track::{named, shown};
use crate::view::{Events, MeshView};

/// How many credentials `state` answers unless told.
const STATE_DEFAULT: usize = 100;

/// How many credentials `local-clients` answers unless told.
const LOCAL_CLIENTS_DEFAULT: usize = 1_000;

/// How many streams of changes may be open: each is a connection that lasts.
const STREAMS: usize = 256;

/// How many entries a timeline answers unless told.
const HISTORY_DEFAULT: usize = 50;

/// The use cases of the surface over a peer's propagator and stores. A change comes with its [`Origin`], which the peer's own
/// audit keeps.
pub struct Management {
    peer: PeerName,
    propagator: Propagator,
    administration: Arc<dyn Administration>,
    credentials: BTreeMap<Track, Arc<dyn CredentialStore>>,
    signed_get: Option<Arc<dyn SignedGet>>,
    peer_urls: Vec<(PeerName, Url)>,
    secret_token: Option<Secret>,
    rotation_grace: Option<Duration>,
    mesh: Option<Arc<dyn MeshView>>,
    /// Each open stream holds a clone.
    streams: Arc<()>,
}

impl Management {
    /// Manages the peer named `peer`: what is accepted goes to `propagator`, what is shown comes from `administration`.
    pub fn new(
        peer: PeerName,
        propagator: Propagator,
        administration: Arc<dyn Administration>,
    ) -> Self {
        Self {
            peer,
            propagator,
            administration,
            credentials: BTreeMap::new(),
            signed_get: None,
            peer_urls: Vec::new(),
            secret_token: None,
            rotation_grace: None,
            mesh: None,
            streams: Arc::default(),
        }
    }

    /// Lists the peer's own credentials of a track, and signs calls with those of the http track.
    pub fn credentials(mut self, track: Track, store: Arc<dyn CredentialStore>) -> Self {
        self.credentials.insert(track, store);
        self
    }

    /// Sends signed calls to these peers: names and origins.
    pub fn calls(mut self, signed_get: Arc<dyn SignedGet>, peers: Vec<(PeerName, Url)>) -> Self {
        self.signed_get = Some(signed_get);
        self.peer_urls = peers;
        self
    }

    /// Hashes secrets with the peer's pepper.
    pub fn secret_token(mut self, token: Option<Secret>) -> Self {
        self.secret_token = token;
        self
    }

    /// Lets a signed call fall back to the previous secret for this long after a rotation.
    pub fn rotation_grace(mut self, grace: Option<Duration>) -> Self {
        self.rotation_grace = grace;
        self
    }

    /// Shows the whole mesh, where the stores of other peers can be read.
    pub fn mesh(mut self, view: Option<Arc<dyn MeshView>>) -> Self {
        self.mesh = view;
        self
    }

    /// The management store's inventory and state.
    pub fn administration(&self) -> &dyn Administration {
        &*self.administration
    }

    /// The peers that a signed call may go to.
    pub fn callable_peers(&self) -> impl Iterator<Item = &PeerName> {
        self.peer_urls.iter().map(|(name, _)| name)
    }

    /// Gives a client a secret, here and on the targets.
    ///
    /// # Errors
    /// [`RequestError`], here and below.
    pub async fn ensure(
        &self,
        ensure: Ensure,
        origin: Origin,
    ) -> Result<EnsureAnswer, RequestError> {
        let allowed_ips = match ensure.allowed_ips {
            Change::Keep => credential::Change::Keep,
            Change::Clear => credential::Change::Set(Vec::new()),
            Change::Set(rules) => credential::Change::Set(rules),
        };
        let expires_at = match ensure.expires_at {
            Change::Keep => credential::Change::Keep,
            Change::Clear => credential::Change::Set(None),
            Change::Set(moment) => credential::Change::Set(Some(moment)),
        };
        let ensured = self
            .propagator
            .ensure(options::Ensure {
                client_id: ensure.client_id,
                secret: plain(ensure.secret),
                targets: ensure.targets,
                track: named(ensure.track),
                allowed_ips,
                expires_at,
                origin,
            })
            .await?;
        Ok(EnsureAnswer {
            client_id: ensured.client_id.to_string(),
            op: ensured.operation.as_str().to_owned(),
        })
    }

    /// Gives a known client a new secret, here and on its targets.
    pub async fn rotate(&self, rotate: Rotate, origin: Origin) -> Result<Client, RequestError> {
        let rotate = options::Rotate {
            client_id: rotate.client_id,
            secret: plain(rotate.secret),
            track: named(rotate.track),
            origin,
        };
        let client_id = self.propagator.rotate(rotate).await?.to_string();
        Ok(Client { client_id })
    }

    /// Takes a credential away, here and on the targets.
    pub async fn revoke(&self, revoke: Revoke, origin: Origin) -> Result<Client, RequestError> {
        let revoke = options::Revoke {
            client_id: revoke.client_id,
            targets: revoke.targets,
            track: named(revoke.track),
            origin,
        };
        let client_id = self.propagator.revoke(revoke).await?.to_string();
        Ok(Client { client_id })
    }

    /// Sends what waits.
    pub async fn sync(&self, origin: &Origin) -> Result<Summary, RequestError> {
        Ok(summary(self.propagator.sync(origin).await?))
    }

    /// Sends the current state of a target or a client again.
    pub async fn resync(&self, resync: Resync, origin: Origin) -> Result<Summary, RequestError> {
        let again = match (resync.target, resync.client_id) {
            (Some(_), Some(_)) => {
                return Err(invalid("clientId", "is given together with target"));
            }
            (None, None) => return Err(invalid("target", "is missing, and so is clientId")),
            (Some(_), None) if !resync.track.is_keep() => {
                let message = "goes with clientId only; a target is resynced whole";
                return Err(invalid("track", message));
            }
            (Some(target), None) => options::Resync::target(target),
            (None, Some(client_id)) => {
                options::Resync::client(client_id, named(resync.track.value()))
            }
        };
        let again = again.newer(match resync.newer.value() {
            Some(Newer::Overwrite) => options::Newer::Overwrite,
            Some(Newer::Keep) | None => options::Newer::Keep,
        });
        Ok(summary(self.propagator.resync(again.origin(origin)).await?))
    }

    /// Shows credentials, targets and how far each change has come.
    pub async fn state(&self, query: StateQuery) -> Result<StatePage, RequestError> {
        let limit = query.limit.map_or(STATE_DEFAULT, |limit| limit.count());
        let cursor = query.cursor.as_deref();
        Ok(self.administration.state(cursor, limit).await?)
    }

    /// Adds a target to the inventory, or changes it.
    pub async fn put_target(
        &self,
        target: Target,
        origin: &Origin,
    ) -> Result<TargetAnswer, RequestError> {
        let target = NewTarget {
            name: self.other_peer(&target.target_amqp_queue)?,
            propagation_secret: propagation_secret(plain(target.propagation_secret))?,
            note: target.note,
        };
        let length = target.note.as_ref().map_or(0, |note| note.chars().count());
        if length > 255 {
            return Err(invalid("note", "has more than 255 characters"));
        }
        let operation = self.administration.put_target(&target, origin).await?;
        self.inventory_changed();
        Ok(TargetAnswer {
            op: operation.as_str().to_owned(),
            target_amqp_queue: target.name.to_string(),
        })
    }

    /// Takes a target out of the inventory. The name may be one that no peer can have: such a row must be deletable too.
    pub async fn delete_target(
        &self,
        name: &str,
        origin: &Origin,
    ) -> Result<TargetAnswer, RequestError> {
        self.administration.delete_target(name, origin).await?;
        self.inventory_changed();
        Ok(TargetAnswer {
            op: "target.delete".to_owned(),
            target_amqp_queue: name.to_owned(),
        })
    }

    /// Calls a peer's echo, signed as a client.
    pub async fn call_target(&self, call: Call) -> Result<CallAnswer, RequestError> {
        let signed_get = self.signed_get.as_ref().ok_or_else(Problem::no_route)?;
        let url = resolve(&call.target, &self.peer_urls)?;
        let client_id = client_id(&call.client_id)?;
        let (secret_hash, previous) = match call.secret {
            Some(secret) => (self.hashed(secret), None),
            None => self.stored(&client_id).await?,
        };
        let call = SignedCall {
            url,
            client_id,
            secret_hash,
            previous,
        };
        Ok(signed_get.get(call).await?)
    }

    /// Hashes a secret with this peer's pepper.
    pub fn hash(&self, hash: Hash) -> Result<HashAnswer, RequestError> {
        let secret = plain(hash.secret);
        if secret.is_empty() {
            return Err(invalid("secret", "is empty"));
        }
        let hash = hash_client_secret(&secret, self.secret_token.as_ref());
        Ok(HashAnswer {
            hash: hash.expose().to_owned(),
        })
    }

    /// Lists the credentials in this peer's own store: a page, and the query of the next one.
    pub async fn local_clients(
        &self,
        query: LocalQuery,
    ) -> Result<(Vec<LocalClient>, Option<String>), RequestError> {
        let limit = query
            .limit
            .map_or(LOCAL_CLIENTS_DEFAULT, |limit| limit.count());
        let (first, mut cursor) = begin(query.cursor.as_deref())?;
        let mut clients = BTreeMap::new();
        for (track, store) in self.credentials.range(first..) {
            loop {
                let wanted = limit.saturating_sub(clients.len());
                if wanted == 0 {
                    let next = next_page(*track, cursor.as_deref(), limit);
                    return Ok((clients.into_values().collect(), Some(next)));
                }
                let page = store.list(cursor.as_deref(), wanted).await?;
                for (client_id, credential) in page.entries {
                    let client = local_client(&client_id, *track, credential);
                    clients.insert((*track, client_id), client);
                }
                cursor = page.next;
                if cursor.is_none() {
                    break;
                }
            }
        }
        Ok((clients.into_values().collect(), None))
    }

    /// Shows what every peer's store holds, beside what it should.
    pub async fn mesh_page(&self, query: MeshQuery) -> Result<MeshPage, RequestError> {
        Ok(self.view()?.page(query).await?)
    }

    /// Shows how every peer is, and what to do next.
    pub async fn mesh_health(&self) -> Result<MeshHealth, RequestError> {
        Ok(self.view()?.health().await)
    }

    /// Starts (`run`) or stops a peer of this process.
    pub async fn control(&self, peer: &str, run: bool) -> Result<PeerControlled, RequestError> {
        Ok(self.view()?.control(peer, run).await?)
    }

    /// Pushes changes of the mesh as they happen. 503 `TOO_MANY_STREAMS` when as many streams are open as may be.
    pub fn events(&self) -> Result<Events, RequestError> {
        let view = self.view()?;
        let place = Arc::clone(&self.streams);
        // This peer's own, and the one just taken.
        if Arc::strong_count(&place) > STREAMS + 1 {
            let message = format!("{STREAMS} streams of changes are open");
            return Err(Problem::new(503, "TOO_MANY_STREAMS", message).into());
        }
        let events = view.events();
        // A stream that is dropped gives its place back.
        Ok(Box::pin(events.inspect(move |_| _ = &place)))
    }

    /// Shows one client's way through the mesh.
    pub async fn timeline(&self, query: TimelineQuery) -> Result<Timeline, RequestError> {
        let limit = query.limit.map_or(HISTORY_DEFAULT, |limit| limit.count());
        let key = CredentialKey {
            track: named(query.track),
            client_id: client_id(&query.client_id)?,
        };
        let row = self
            .administration
            .credentials(slice::from_ref(&key))
            .await?;
        let entries = self
            .administration
            .history(&key, query.before, limit)
            .await?;
        let client = match &self.mesh {
            Some(mesh) => mesh.client(&key).await,
            None => None,
        };
        let oldest = entries.last().filter(|_| entries.len() == limit);
        Ok(Timeline {
            client_id: key.client_id.to_string(),
            track: query.track.unwrap_or_default(),
            known: client.is_some() || !row.credentials.is_empty() || !entries.is_empty(),
            client,
            pivots: row.pivots,
            next: oldest.map(|entry| entry.id),
            entries,
        })
    }

    /// The view, 404 on a peer that was not wired to the stores of others.
    fn view(&self) -> Result<&dyn MeshView, Problem> {
        self.mesh.as_deref().ok_or_else(Problem::no_route)
    }

    fn inventory_changed(&self) {
        if let Some(mesh) = &self.mesh {
            mesh.inventory_changed();
        }
    }

    /// Takes the name of a peer other than this one, whose row is the configuration's.
    fn other_peer(&self, name: &str) -> Result<PeerName, RequestError> {
        let name =
            PeerName::parse(name).map_err(|error| invalid("targetAmqpQueue", error.to_string()))?;
        if name == self.peer {
            let name = name.to_string();
            return Err(AdministrationError::SelfTarget { name }.into());
        }
        Ok(name)
    }

    fn hashed(&self, secret: secret::Secret) -> SecretHash {
        hash_client_secret(&plain(secret), self.secret_token.as_ref())
    }

    /// The stored hash, and the one before it while both are taken.
    async fn stored(
        &self,
        client_id: &ClientId,
    ) -> Result<(SecretHash, Option<SecretHash>), RequestError> {
        let stored = match self.credentials.get(&Track::Http) {
            Some(store) => store.find(client_id).await?,
            None => None,
        };
        let stored = stored.ok_or_else(|| Problem::unknown_client(client_id.as_str()))?;
        let now_ms = SystemClock.now_ms();
        let previous = stored.previous_within(self.rotation_grace, now_ms);
        let previous = previous.cloned();
        Ok((stored.credential.secret_hash, previous))
    }
}

/// The track and the store's own cursor at which a page begins.
fn begin(cursor: Option<&str>) -> Result<(Track, Option<String>), RequestError> {
    let Some(cursor) = cursor else {
        return Ok((Track::Http, None));
    };
    let read = cursor
        .split_once(':')
        .and_then(|(track, rest)| Some((Track::parse(track)?, rest)));
    let (track, rest) =
        read.ok_or_else(|| invalid("cursor", AdministrationError::InvalidCursor.to_string()))?;
    Ok((track, Some(rest.to_owned()).filter(|rest| !rest.is_empty())))
}

fn next_page(track: Track, cursor: Option<&str>, limit: usize) -> String {
    let cursor = format!("{}:{}", track.as_str(), cursor.unwrap_or_default());
    form_urlencoded::Serializer::new(String::new())
        .append_pair("cursor", &cursor)
        .append_pair("limit", &limit.to_string())
        .finish()
}

fn local_client(
    client_id: &ClientId,
    track: Track,
    credential: Result<Credential, &'static str>,
) -> LocalClient {
    let named = LocalClient {
        client_id: client_id.to_string(),
        track: shown(track),
        ..LocalClient::default()
    };
    match credential {
        Ok(credential) => LocalClient {
            updated_at: Some(credential.updated_at),
            expires_at: credential.expires_at.map_or(Change::Clear, Change::Set),
            allowed_ips: Some(credential.allowed_ips.rules().to_vec()),
            ..named
        },
        Err(reason) => LocalClient {
            corrupt: Some(reason.to_owned()),
            ..named
        },
    }
}

fn client_id(text: &str) -> Result<ClientId, RequestError> {
    ClientId::parse(text).map_err(|error| invalid("clientId", error.to_string()))
}

fn propagation_secret(secret: Secret) -> Result<Secret, RequestError> {
    match secret.check(PROPAGATION_SECRET_BYTES) {
        Ok(()) => Ok(secret),
        Err(error) => Err(invalid("propagationSecret", error.to_string())),
    }
}

fn invalid(field: &str, message: impl Into<String>) -> RequestError {
    Problem::invalid(field, message).into()
}

fn plain(secret: secret::Secret) -> Secret {
    Secret::new(secret.into_plain())
}

fn summary(summary: SyncSummary) -> Summary {
    Summary {
        propagations_read: summary.propagations_read,
        targets_published: summary.targets_published,
        targets_retrying: summary.targets_retrying,
        duration_ms: summary.duration_ms,
    }
}
