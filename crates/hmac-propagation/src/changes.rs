//! Accepting changes: ensure, rotate, revoke.
//!
//! The management store accepts a change together with its deliveries as one transaction (a
//! transactional outbox): from there on it must converge. Then this peer's own store takes it, under
//! the stamp it was accepted with; a crash in between is repaired by [`OwnStore::repair`].

use std::collections::HashSet;
use std::slice;
use std::sync::Arc;

use auth_base::secret::Secret;
use auth_base::store_error::StoreError;
use hmac_auth::allowed_ips::AllowedIps;
use hmac_auth::credential::{Change, ClientId};
use hmac_auth::credentials::SECRET_BYTES;
use hmac_auth::secret_hash::hash_client_secret;

use crate::bounded::NoAnswer;
use crate::context::Context;
use crate::counters::add;
use crate::error::PropagationError;
use crate::management::{
    Accepted, ChangeOperation, ChangeRequest, LocalChange, ManagementError, Operation, Rotation,
};
use crate::options::{Ensure, Ensured, Revoke, Rotate};
use crate::own_store::OwnStore;
use crate::peer_store::CredentialKey;
use crate::progress::Progress;
use crate::queue::PeerName;

/// The first moment that JavaScript does not tell from the next.
const MAX_MOMENT: i64 = 1 << 53;

/// Accepts changes of this peer's own.
pub(crate) struct Changes {
    pub(crate) context: Arc<Context>,
    pub(crate) own_store: Arc<OwnStore>,
    /// The peer's pepper, for hashing plain secrets.
    pub(crate) secret_token: Option<Secret>,
}

type ChangeOutcome = Result<(CredentialKey, Accepted), PropagationError>;

impl Changes {
    /// Accepts a batch of ensures, each by itself.
    pub(crate) async fn ensure(
        &self,
        batch: Vec<Ensure>,
    ) -> Vec<Result<Ensured, PropagationError>> {
        let mut seen = HashSet::new();
        let checked = batch.into_iter().map(|ensure| {
            let request = self.check_ensure(ensure)?;
            if !seen.insert(request.key.clone()) {
                let message = "is named twice in one batch";
                return Err(PropagationError::invalid("clientId", message));
            }
            Ok(request)
        });
        let accepted = self.change(checked.collect()).await;
        accepted
            .into_iter()
            .map(|result| result.map(|(key, accepted)| ensured(key, &accepted)))
            .collect()
    }

    /// Accepts a revoke.
    pub(crate) async fn revoke(&self, revoke: Revoke) -> Result<ClientId, PropagationError> {
        self.context.management()?;
        let request = ChangeRequest {
            key: self.context.key(&revoke.client_id, revoke.track)?,
            operation: ChangeOperation::Revoke,
            targets: self.check_targets(&revoke.targets)?,
            now_ms: self.context.now_ms(),
            floor_ts: None,
            origin: revoke.origin,
        };
        let revoked = self.change(vec![Ok(request)]).await.pop();
        let (key, _) = revoked.unwrap_or(Err(PropagationError::Closed))?;
        Ok(key.client_id)
    }

    /// Accepts a rotation.
    pub(crate) async fn rotate(&self, rotate: Rotate) -> Result<ClientId, PropagationError> {
        let management = self.context.management()?;
        let key = self.context.key(&rotate.client_id, rotate.track)?;
        check_secret(&rotate.secret, *SECRET_BYTES.start())?;
        let cursors = self.context.store.cursors(slice::from_ref(&key)).await?;
        let rotation = Rotation {
            key: key.clone(),
            secret_hash: hash_client_secret(&rotate.secret, self.secret_token.as_ref()),
            now_ms: self.context.now_ms(),
            floor_ts: cursors.into_iter().flatten().next().map(|stamp| stamp.ts),
            origin: rotate.origin,
        };
        let accepted = management.rotate_credential_secret(&rotation).await?;
        let client_id = key.client_id.clone();
        let applied = self.apply(vec![(key, accepted)]).await.pop();
        applied.unwrap_or(Ok(()))?;
        Ok(client_id)
    }

    /// Runs checked requests through the cursor, the management store and the peer's own store, three
    /// round trips for all.
    async fn change(
        &self,
        checked: Vec<Result<ChangeRequest, PropagationError>>,
    ) -> Vec<ChangeOutcome> {
        let checked = self.look_at_cursors(checked).await;
        let mut requests = Vec::with_capacity(checked.len());
        let places: Vec<_> = checked
            .into_iter()
            .map(|result| result.map(|request| requests.push(request)))
            .collect();
        let mut accepted = self.accept(requests).await.into_iter();
        let mut next = || accepted.next().unwrap_or(Err(PropagationError::Closed));
        places
            .into_iter()
            .map(|place| place.and_then(|()| next()))
            .collect()
    }

    /// Lets each change be later than what the own store holds. A name that may not be made is taken where it is known: it came
    /// from another peer, or was made before.
    async fn look_at_cursors(
        &self,
        mut checked: Vec<Result<ChangeRequest, PropagationError>>,
    ) -> Vec<Result<ChangeRequest, PropagationError>> {
        let requests = checked.iter().flatten();
        let keys: Vec<CredentialKey> = requests.map(|request| request.key.clone()).collect();
        if keys.is_empty() {
            return checked;
        }
        let mut cursors = match self.context.store.cursors(&keys).await {
            Ok(cursors) => cursors.into_iter(),
            Err(error) => {
                let error = Arc::new(error);
                let failed = || StoreError::Unavailable(Box::new(Arc::clone(&error))).into();
                let failed = |checked: Result<_, _>| checked.and_then(|_| Err(failed()));
                return checked.into_iter().map(failed).collect();
            }
        };
        for place in &mut checked {
            let Ok(request) = place else { continue };
            let cursor = cursors.next().flatten();
            let is_ensured = matches!(request.operation, ChangeOperation::Ensure { .. });
            if is_ensured && cursor.is_none() && !request.key.client_id.may_be_made() {
                let message = "is not known here, and a new one has visible ASCII characters only, and no blank";
                *place = Err(PropagationError::invalid("clientId", message));
            } else {
                request.floor_ts = cursor.map(|stamp| stamp.ts);
            }
        }
        checked
    }

    async fn accept(&self, requests: Vec<ChangeRequest>) -> Vec<ChangeOutcome> {
        if requests.is_empty() {
            return Vec::new();
        }
        let Ok(management) = self.context.management() else {
            let closed = |_| Err(PropagationError::Closed);
            return requests.iter().map(closed).collect();
        };
        let keys: Vec<CredentialKey> = requests.iter().map(|request| request.key.clone()).collect();
        let answers = management.upsert_credentials_with_targets(&requests).await;
        let accepted = keys
            .iter()
            .zip(&answers)
            .filter_map(|(key, answer)| Some((key.clone(), answer.as_ref().ok()?.clone())))
            .collect();
        let mut applied = self.apply(accepted).await.into_iter();
        keys.into_iter()
            .zip(answers)
            .map(|(key, answer)| {
                let accepted = answer.map_err(refusal)?;
                applied.next().unwrap_or(Ok(()))?;
                Ok((key, accepted))
            })
            .collect()
    }

    /// Applies accepted changes to the peer's own store, and has them sent.
    async fn apply(
        &self,
        accepted: Vec<(CredentialKey, Accepted)>,
    ) -> Vec<Result<(), PropagationError>> {
        add(&self.context.counters.changes_accepted, accepted.len());
        let changes: Vec<LocalChange> = accepted
            .into_iter()
            .map(|(key, accepted)| LocalChange {
                key,
                generation: accepted.generation,
                change_ts: accepted.change_ts,
                record: accepted.record,
            })
            .collect();
        let applied = self.own_store.apply(&changes).await;
        self.context.want_sync();
        let about = changes.iter().map(|change| (&change.key, None));
        self.context.progress.send(Progress::Accepted, about);
        applied
            .into_iter()
            .map(|result| result.map_err(PropagationError::NotYetApplied))
            .collect()
    }

    fn check_ensure(&self, ensure: Ensure) -> Result<ChangeRequest, PropagationError> {
        self.context.management()?;
        let key = self.context.key(&ensure.client_id, ensure.track)?;
        check_secret(&ensure.secret, self.context.settings.min_secret_bytes)?;
        let least = *SECRET_BYTES.start();
        if ensure.secret.expose().len() < least {
            tracing::warn!(client_id = %key.client_id, least, "the secret of this client is too short to be safe; rotate it");
        }
        let targets = self.check_targets(&ensure.targets)?;
        let allowed_ips = match ensure.allowed_ips {
            Change::Keep => Change::Keep,
            Change::Set(rules) => {
                let rules = AllowedIps::parse(rules);
                Change::Set(rules.map_err(|error| PropagationError::invalid("allowedIps", error))?)
            }
        };
        let now_ms = self.context.now_ms();
        check_expiry(ensure.expires_at, now_ms)?;
        let operation = ChangeOperation::Ensure {
            secret_hash: hash_client_secret(&ensure.secret, self.secret_token.as_ref()),
            allowed_ips,
            expires_at: ensure.expires_at,
        };
        Ok(ChangeRequest {
            key,
            operation,
            targets,
            now_ms,
            floor_ts: None,
            origin: ensure.origin,
        })
    }

    /// Checks the names of targets; whether the inventory has them is for the management store to say.
    fn check_targets(&self, names: &[String]) -> Result<Vec<PeerName>, PropagationError> {
        let invalid = |message: String| PropagationError::invalid("targets", message);
        let mut seen = HashSet::new();
        let mut targets = Vec::with_capacity(names.len());
        for name in names {
            let peer = PeerName::parse(name).map_err(|error| invalid(error.to_string()))?;
            if !seen.insert(peer.clone()) {
                return Err(invalid(format!("{name} is named twice")));
            }
            if peer == self.context.name {
                let message = "names this peer itself, which holds every change of its own anyway";
                return Err(invalid(message.to_owned()));
            }
            targets.push(peer);
        }
        Ok(targets)
    }
}

fn check_secret(secret: &Secret, least: usize) -> Result<(), PropagationError> {
    let checked = secret.check(least..=*SECRET_BYTES.end());
    checked.map_err(|error| PropagationError::invalid("secret", error))
}

/// A moment that lies behind, or that a peer in JavaScript would round, is a mistake.
fn check_expiry(expires_at: Change<Option<i64>>, now_ms: i64) -> Result<(), PropagationError> {
    let Change::Set(Some(moment)) = expires_at else {
        return Ok(());
    };
    let message = match moment {
        MAX_MOMENT.. => {
            "is later than 9007199254740991, the last that a peer in JavaScript can hold"
        }
        _ if moment > now_ms => return Ok(()),
        _ if moment.saturating_mul(1_000) > now_ms => {
            "is already past; epoch milliseconds are needed, and these may be seconds"
        }
        _ => "is already past; a revoke ends a credential at once",
    };
    Err(PropagationError::invalid("expiresAt", message))
}

/// Why the management store did not accept a change.
fn refusal(error: ManagementError) -> PropagationError {
    if NoAnswer::is_behind(&error) {
        PropagationError::Timeout("the management store")
    } else {
        error.into()
    }
}

fn ensured(key: CredentialKey, accepted: &Accepted) -> Ensured {
    let operation = if accepted.created {
        Operation::Create
    } else {
        Operation::Update
    };
    Ensured {
        client_id: key.client_id,
        operation,
    }
}
