//! Accepting changes: ensure, rotate, revoke, and applying them to this peer's own store.
//!
//! A change is first accepted by the management store (from there on it must converge), then applied to the peer's own
//! store under the stamp it was accepted with. A crash in between is repaired by [`recover`].

use std::collections::HashSet;
use std::sync::atomic::Ordering;

use auth_base::error_chain::chain;
use auth_base::secret::Secret;
use auth_base::store_error::StoreError;
use hmac_auth::allowed_ips::AllowedIps;
use hmac_auth::credential::{Change, ClientId, CredentialChange};
use hmac_auth::secret_hash::hash_client_secret;

use crate::counters::add;
use crate::error::PropagationError;
use crate::management::{
    Accepted, DesiredRecord, FullyPropagated, LocalChange, Operation, Rotation, Upsert,
    UpsertOperation,
};
use crate::options::{Ensure, Ensured, Revoke, Rotate};
use crate::peer_store::{Apply, ApplyOperation, CredentialKey, FinalStatus, Stamp, Track};
use crate::progress::Progress;
use crate::queue::PeerName;
use crate::shared::Core;

/// Changes repaired in one call of the management store.
const RECOVERY_PAGE: usize = 500;

/// Pages repaired in one go; what is left waits for the next sync.
const MAX_RECOVERY_PAGES: usize = 1_000;

/// Accepts a batch of ensures, each by itself.
pub(crate) async fn ensure(
    core: &Core,
    batch: Vec<Ensure>,
) -> Vec<Result<Ensured, PropagationError>> {
    let mut seen = HashSet::new();
    let checked = batch.into_iter().map(|ensure| {
        let upsert = check_ensure(core, ensure)?;
        if !seen.insert(upsert.key.clone()) {
            return Err(invalid("clientId", "is named twice in one batch"));
        }
        Ok(upsert)
    });
    let accepted = upsert(core, checked.collect()).await;
    accepted
        .into_iter()
        .map(|result| result.map(|(key, accepted)| ensured(key, &accepted)))
        .collect()
}

/// Accepts a revoke.
pub(crate) async fn revoke(core: &Core, revoke: Revoke) -> Result<ClientId, PropagationError> {
    core.management()?;
    let upsert_one = Upsert {
        key: key(core, &revoke.client_id, revoke.track)?,
        operation: UpsertOperation::Revoke,
        targets: targets(core, &revoke.targets)?,
        now_ms: core.now_ms(),
        floor_ts: None,
    };
    let mut results = upsert(core, vec![Ok(upsert_one)]).await;
    results
        .pop()
        .unwrap_or(Err(PropagationError::Closed))
        .map(|(key, _)| key.client_id)
}

/// Accepts a rotation.
pub(crate) async fn rotate(core: &Core, rotate: Rotate) -> Result<ClientId, PropagationError> {
    let management = core.management()?;
    let key = key(core, &rotate.client_id, rotate.track)?;
    check_secret(&rotate.secret)?;
    let cursors = core
        .store(core.parts.store.cursors(std::slice::from_ref(&key)))
        .await;
    let cursor = cursors.map_err(PropagationError::Store)?.pop().flatten();
    let rotation = Rotation {
        key: key.clone(),
        secret_hash: hash_client_secret(&rotate.secret, core.parts.secret_token.as_ref()),
        secret: rotate.secret,
        now_ms: core.now_ms(),
        floor_ts: cursor.map(|stamp| stamp.ts),
    };
    let accepted = core
        .managed(management.rotate_credential_secret(&rotation))
        .await?;
    let client_id = key.client_id.clone();
    settle(core, vec![(key, accepted)])
        .await
        .pop()
        .unwrap_or(Ok(()))?;
    Ok(client_id)
}

/// Applies changes that the management store accepted and this peer's own store may not hold: after a crash, or after
/// the store was away. Does nothing unless the timer, the start or a failure asked for it: a change that was applied needs no
/// second look, and one more commit for each would double the price of a change.
pub(crate) async fn recover(core: &Core) -> Result<(), PropagationError> {
    if !core.recover.swap(false, Ordering::SeqCst) {
        return Ok(());
    }
    let result = recover_all(core).await;
    core.recover.fetch_or(result.is_err(), Ordering::SeqCst);
    result
}

async fn recover_all(core: &Core) -> Result<(), PropagationError> {
    let noted = core.take_applied();
    if !noted.is_empty() {
        core.managed(core.management()?.mark_locally_applied(&noted))
            .await?;
    }
    for _ in 0..MAX_RECOVERY_PAGES {
        if !recover_page(core).await? {
            break;
        }
    }
    clear_plains(core).await
}

/// Marks credentials whose last answer was booked and whose mark was lost with a crash, or with an event that nobody answers
/// any more.
async fn clear_plains(core: &Core) -> Result<(), PropagationError> {
    if !core.looks_for_uncleared() {
        return Ok(());
    }
    let management = core.management()?;
    for _ in 0..MAX_RECOVERY_PAGES {
        let keys = core
            .managed(management.uncleared_credentials(RECOVERY_PAGE))
            .await?;
        let full = keys.len() == RECOVERY_PAGE;
        let (status, at_ms) = (FinalStatus::Success, core.now_ms());
        let marks: Vec<_> = keys
            .into_iter()
            .map(|key| FullyPropagated { key, status, at_ms })
            .collect();
        if !marks.is_empty() {
            core.managed(management.mark_credentials_fully_propagated(&marks))
                .await?;
        }
        if !full {
            break;
        }
    }
    Ok(())
}

/// Repairs one page; `true` when there may be more.
async fn recover_page(core: &Core) -> Result<bool, PropagationError> {
    let management = core.management()?;
    let changes = core
        .managed(management.unapplied_changes(RECOVERY_PAGE))
        .await?;
    if changes.is_empty() {
        return Ok(false);
    }
    let full = changes.len() == RECOVERY_PAGE;
    let applies: Vec<Apply> = changes
        .iter()
        .map(|change| local_apply(core, change))
        .collect();
    let results = core
        .store_batch(applies.len(), core.parts.store.apply(&applies))
        .await;
    let mut applied = Vec::new();
    let mut failed = None;
    for (change, result) in changes.into_iter().zip(results) {
        match result {
            Ok(_) => applied.push((change.key, change.generation)),
            Err(error) => failed = Some(error),
        }
    }
    core.managed(management.mark_locally_applied(&applied))
        .await?;
    failed.map_or(Ok(full), |error| Err(PropagationError::Store(error)))
}

type Upserted = Result<(CredentialKey, Accepted), PropagationError>;

/// Runs checked upserts through the cursor, the management store and the peer's own store, three round trips for all.
async fn upsert(core: &Core, checked: Vec<Result<Upsert, PropagationError>>) -> Vec<Upserted> {
    let mut outcomes: Vec<Option<Upserted>> = Vec::with_capacity(checked.len());
    let mut upserts = Vec::with_capacity(checked.len());
    for result in checked {
        match result {
            Ok(upsert) => {
                upserts.push(upsert);
                outcomes.push(None);
            }
            Err(error) => outcomes.push(Some(Err(error))),
        }
    }
    let mut accepted = accept(core, upserts).await.into_iter();
    outcomes
        .into_iter()
        .map(|outcome| {
            outcome
                .or_else(|| accepted.next())
                .unwrap_or(Err(PropagationError::Closed))
        })
        .collect()
}

async fn accept(core: &Core, mut upserts: Vec<Upsert>) -> Vec<Upserted> {
    if upserts.is_empty() {
        return Vec::new();
    }
    let fail = |n: usize, error: &dyn Fn() -> PropagationError| {
        (0..n).map(|_| Err(error())).collect::<Vec<_>>()
    };
    let Ok(management) = core.management() else {
        return fail(upserts.len(), &|| PropagationError::ManagementNotConfigured);
    };
    let keys: Vec<CredentialKey> = upserts.iter().map(|upsert| upsert.key.clone()).collect();
    match core.store(core.parts.store.cursors(&keys)).await {
        Ok(cursors) => {
            for (upsert, cursor) in upserts.iter_mut().zip(cursors) {
                upsert.floor_ts = cursor.map(|stamp| stamp.ts);
            }
        }
        Err(error) => {
            let text = chain(&error);
            return fail(keys.len(), &|| {
                PropagationError::Store(StoreError::Unavailable(text.clone().into()))
            });
        }
    }
    let answers = core
        .managed(async { Ok(management.upsert_credentials_with_targets(&upserts).await) })
        .await;
    let Ok(answers) = answers else {
        return fail(keys.len(), &|| {
            PropagationError::Timeout("the management store")
        });
    };
    let accepted: Vec<_> = keys
        .iter()
        .zip(&answers)
        .filter_map(|(k, a)| Some((k.clone(), a.as_ref().ok()?.clone())))
        .collect();
    let mut settled = settle(core, accepted).await.into_iter();
    keys.into_iter()
        .zip(answers)
        .map(|(key, answer)| {
            let accepted = answer?;
            settled.next().unwrap_or(Ok(()))?;
            Ok((key, accepted))
        })
        .collect()
}

/// Applies accepted changes to the peer's own store and tells the sync loop.
async fn settle(
    core: &Core,
    accepted: Vec<(CredentialKey, Accepted)>,
) -> Vec<Result<(), PropagationError>> {
    add(&core.counters.changes_accepted, accepted.len());
    let changes: Vec<LocalChange> = accepted
        .into_iter()
        .map(|(key, a)| LocalChange {
            key,
            generation: a.generation,
            change_ts: a.change_ts,
            record: a.record,
        })
        .collect();
    let applies: Vec<Apply> = changes
        .iter()
        .map(|change| local_apply(core, change))
        .collect();
    let results = core
        .store_batch(applies.len(), core.parts.store.apply(&applies))
        .await;
    if core.parts.settings.sync_on_change {
        core.wake.notify_one();
    }
    core.progress.tell(
        Progress::Accepted,
        changes.iter().map(|change| (&change.key, None)),
    );
    let outcomes = changes.into_iter().zip(results).map(|(change, result)| match result {
        Ok(_) => {
            core.note_applied(change.key, change.generation);
            Ok(())
        }
        Err(error) => {
            tracing::warn!(client_id = %change.key.client_id, error = chain(&error), "own store could not take a change");
            core.recover.store(true, Ordering::SeqCst);
            Err(PropagationError::NotYetApplied(error))
        }
    });
    outcomes.collect()
}

fn local_apply(core: &Core, change: &LocalChange) -> Apply {
    Apply {
        key: change.key.clone(),
        stamp: Stamp {
            ts: change.change_ts,
            event_id: core.event_id(),
        },
        operation: write_of(change.record.as_ref()),
        now_ms: core.now_ms(),
    }
}

/// What makes a store hold exactly `record`.
pub(crate) fn write_of(record: Option<&DesiredRecord>) -> ApplyOperation {
    match record {
        None => ApplyOperation::Delete,
        Some(record) => ApplyOperation::Write(CredentialChange {
            secret_hash: Some(record.secret_hash.clone()),
            expires_at: Change::Set(record.expires_at),
            allowed_ips: Change::Set(record.allowed_ips.clone()),
        }),
    }
}

fn check_ensure(core: &Core, ensure: Ensure) -> Result<Upsert, PropagationError> {
    core.management()?;
    let key = key(core, &ensure.client_id, ensure.track)?;
    check_secret(&ensure.secret)?;
    let targets = targets(core, &ensure.targets)?;
    let allowed_ips = match ensure.allowed_ips {
        Change::Keep => Change::Keep,
        Change::Set(rules) => Change::Set(
            AllowedIps::parse(rules).map_err(|error| invalid("allowedIps", &error.to_string()))?,
        ),
    };
    if matches!(ensure.expires_at, Change::Set(Some(at)) if at < 0) {
        return Err(invalid("expiresAt", "is before 1970"));
    }
    let secret_hash = hash_client_secret(&ensure.secret, core.parts.secret_token.as_ref());
    let operation = UpsertOperation::Ensure {
        secret: ensure.secret,
        secret_hash,
        allowed_ips,
        expires_at: ensure.expires_at,
    };
    Ok(Upsert {
        key,
        operation,
        targets,
        now_ms: core.now_ms(),
        floor_ts: None,
    })
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

/// Checks a client id and a track.
pub(crate) fn key(
    core: &Core,
    client_id: &str,
    track: Track,
) -> Result<CredentialKey, PropagationError> {
    let client_id =
        ClientId::parse(client_id).map_err(|error| invalid("clientId", &error.to_string()))?;
    if !core.parts.store.tracks().contains(&track) {
        return Err(invalid("track", "is not held by this peer"));
    }
    Ok(CredentialKey { track, client_id })
}

fn check_secret(secret: &Secret) -> Result<(), PropagationError> {
    match secret.expose().len() {
        16..=128 => Ok(()),
        length => Err(invalid(
            "secret",
            &format!("has {length} bytes; 16 to 128 are needed"),
        )),
    }
}

/// Checks the names of targets; whether the inventory has them is for the management store to say.
fn targets(core: &Core, names: &[String]) -> Result<Vec<PeerName>, PropagationError> {
    let mut seen = HashSet::new();
    let mut targets = Vec::with_capacity(names.len());
    for name in names {
        let peer = PeerName::parse(name).map_err(|error| invalid("targets", &error.to_string()))?;
        if !seen.insert(peer.clone()) {
            return Err(invalid("targets", &format!("{name} is named twice")));
        }
        if peer == core.parts.name {
            return Err(invalid(
                "targets",
                "names this peer itself, which holds every change of its own anyway",
            ));
        }
        targets.push(peer);
    }
    Ok(targets)
}

/// An [`PropagationError::InvalidOptions`].
pub(crate) fn invalid(field: &'static str, message: &str) -> PropagationError {
    PropagationError::InvalidOptions {
        field,
        message: message.to_owned(),
    }
}
