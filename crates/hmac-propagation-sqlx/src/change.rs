//! What an ensure, a revoke, a rotation and a rebooking do to the rows of one credential: decided here, without I/O.

use std::collections::{BTreeMap, BTreeSet};

use auth_base::secret::Secret;
use hmac_auth::allowed_ips::AllowedIps;
use hmac_auth::credential::Change;
use hmac_auth::secret_hash::SecretHash;
use hmac_propagation::management::{
    Accepted, DesiredRecord, ManagementError, Operation, Rotation, Upsert, UpsertOperation,
};
use hmac_propagation::peer_store::CredentialKey;

use crate::database::JsonRow;
use crate::error::SqlError;
use crate::rows::{CredentialRow, PivotRow, PivotStatus, Progress, audit_credential, write_rules};
use crate::secrets::{Place, Vault};

/// The rows of one credential while changes are decided, and what has to be written of them.
pub(crate) struct CredentialState {
    key: CredentialKey,
    pub(crate) credential: Option<CredentialRow>,
    pub(crate) stored: bool,
    pub(crate) changed: bool,
    pub(crate) pivots: BTreeMap<String, PivotState>,
    pub(crate) audit: Vec<JsonRow>,
}

pub(crate) struct PivotState {
    pub(crate) row: PivotRow,
    pub(crate) stored: bool,
    pub(crate) changed: bool,
}

/// What a pivot is to hold from now on.
struct Desired<'a> {
    operation: Operation,
    secret_hash: Option<&'a SecretHash>,
    allowed_ips: String,
    expires_at: Option<i64>,
}

/// Number and moment of a change.
#[derive(Clone, Copy)]
struct Moment {
    transition: &'static str,
    generation: i64,
    change_ts: i64,
    now_ms: i64,
}

impl CredentialState {
    pub(crate) fn new(key: CredentialKey) -> Self {
        Self {
            key,
            credential: None,
            stored: false,
            changed: false,
            pivots: BTreeMap::new(),
            audit: Vec::new(),
        }
    }

    pub(crate) fn key(&self) -> &CredentialKey {
        &self.key
    }

    pub(crate) fn load_credential(&mut self, row: CredentialRow) {
        self.credential = Some(row);
        self.stored = true;
    }

    pub(crate) fn load_pivot(&mut self, row: PivotRow) {
        let state = PivotState {
            stored: true,
            changed: false,
            row,
        };
        self.pivots.insert(state.row.target.clone(), state);
    }

    fn live(&self) -> Option<&CredentialRow> {
        self.credential.as_ref().filter(|row| !row.revoked)
    }

    /// Numbers the next change: its `change_ts` is larger than everything used before.
    fn next_moment(&self, transition: &'static str, now_ms: i64, floor_ts: Option<i64>) -> Moment {
        let used = self.credential.iter().map(|row| row.change_ts);
        let sent = self
            .pivots
            .values()
            .flat_map(|pivot| {
                [
                    Some(pivot.row.progress.change_ts),
                    pivot.row.progress.last_ts,
                ]
            })
            .flatten();
        let above = used.chain(sent).chain(floor_ts).max();
        Moment {
            transition,
            generation: self
                .credential
                .as_ref()
                .map_or(0, |row| row.generation)
                .saturating_add(1),
            change_ts: above.map_or(now_ms, |above| now_ms.max(above.saturating_add(1))),
            now_ms,
        }
    }

    /// Accepts an ensure or a revoke.
    pub(crate) fn upsert(
        &mut self,
        upsert: &Upsert,
        known_targets: &BTreeSet<String>,
        vault: &Vault,
    ) -> Result<Accepted, SqlError> {
        self.refuse_unknown(upsert, known_targets)?;
        let created = self.live().is_none();
        let transition = match upsert.operation {
            UpsertOperation::Ensure { .. } => "ensured",
            UpsertOperation::Revoke => "revoked",
        };
        let moment = self.next_moment(transition, upsert.now_ms, upsert.floor_ts);
        let record = match &upsert.operation {
            UpsertOperation::Ensure {
                secret,
                secret_hash,
                allowed_ips,
                expires_at,
            } => {
                let record = self.merged(secret_hash, allowed_ips, *expires_at);
                let plain = (!upsert.targets.is_empty()).then_some(secret);
                self.write_credential(Some(&record), plain, moment, vault)?;
                Some(record)
            }
            UpsertOperation::Revoke => {
                self.write_credential(None, None, moment, vault)?;
                None
            }
        };
        let targets: BTreeSet<&str> = upsert
            .targets
            .iter()
            .map(|target| target.as_str())
            .collect();
        for target in targets {
            let desired = match &record {
                Some(record) => Desired {
                    operation: self.write_operation(target),
                    secret_hash: Some(&record.secret_hash),
                    allowed_ips: write_rules(&record.allowed_ips),
                    expires_at: record.expires_at,
                },
                None => Desired {
                    operation: Operation::Delete,
                    secret_hash: None,
                    allowed_ips: write_rules(&AllowedIps::default()),
                    expires_at: None,
                },
            };
            self.book(target, &desired, moment, vault)?;
        }
        if upsert.targets.is_empty() {
            self.audit_local(moment);
        }
        Ok(accepted(created, moment, record))
    }

    /// Accepts a rotation.
    pub(crate) fn rotate(
        &mut self,
        rotation: &Rotation,
        vault: &Vault,
    ) -> Result<Accepted, SqlError> {
        let Some(live) = self.live() else {
            return Err(ManagementError::UnknownClient {
                client_id: self.key.client_id.clone(),
            }
            .into());
        };
        let record = DesiredRecord {
            secret_hash: rotation.secret_hash.clone(),
            allowed_ips: live.allowed_ips.clone(),
            expires_at: live.expires_at,
        };
        let moment = self.next_moment("rotated", rotation.now_ms, rotation.floor_ts);
        let told: Vec<_> = self
            .pivots
            .values()
            .filter(|pivot| pivot.row.operation != Some(Operation::Delete))
            .map(|pivot| {
                let row = &pivot.row;
                (row.target.clone(), row.allowed_ips.clone(), row.expires_at)
            })
            .collect();
        let plain = (!told.is_empty()).then_some(&rotation.secret);
        self.write_credential(Some(&record), plain, moment, vault)?;
        if told.is_empty() {
            self.audit_local(moment);
        }
        for (target, allowed_ips, expires_at) in told {
            let desired = Desired {
                operation: Operation::Update,
                secret_hash: Some(&record.secret_hash),
                allowed_ips,
                expires_at,
            };
            self.book(&target, &desired, moment, vault)?;
        }
        Ok(accepted(false, moment, Some(record)))
    }

    /// Makes the named pivots pending again, their content unchanged, in a new generation. A pivot of another generation
    /// than the one named is left.
    pub(crate) fn rebook(&mut self, named: &[(&str, u64)], now_ms: i64) {
        let chosen: Vec<&str> = named
            .iter()
            .filter(|(target, generation)| {
                let pivot = self.pivots.get(*target);
                pivot.is_some_and(|pivot| {
                    u64::try_from(pivot.row.progress.generation) == Ok(*generation)
                })
            })
            .map(|(target, _)| *target)
            .collect();
        let moment = self.next_moment("rebooked", now_ms, None);
        let Some(credential) = self.credential.as_mut().filter(|_| !chosen.is_empty()) else {
            return;
        };
        if credential.local_generation == credential.generation {
            credential.local_generation = moment.generation;
        }
        credential.generation = moment.generation;
        credential.change_ts = moment.change_ts;
        self.changed = true;
        for target in chosen {
            if let Some(pivot) = self.pivots.get_mut(target) {
                pivot.row.progress.become_pending(moment);
                pivot.changed = true;
                self.audit
                    .push(pivot.row.audit(moment.transition, now_ms, None));
            }
        }
    }

    fn refuse_unknown(
        &self,
        upsert: &Upsert,
        known_targets: &BTreeSet<String>,
    ) -> Result<(), SqlError> {
        let unknown: Vec<String> = upsert
            .targets
            .iter()
            .map(|target| target.as_str())
            .filter(|target| !known_targets.contains(*target) && !self.pivots.contains_key(*target))
            .map(str::to_owned)
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect();
        if unknown.is_empty() {
            Ok(())
        } else {
            Err(ManagementError::UnknownTargets { targets: unknown }.into())
        }
    }

    fn merged(
        &self,
        secret_hash: &SecretHash,
        allowed_ips: &Change<AllowedIps>,
        expires_at: Change<Option<i64>>,
    ) -> DesiredRecord {
        let live = self.live();
        DesiredRecord {
            secret_hash: secret_hash.clone(),
            allowed_ips: match allowed_ips {
                Change::Set(rules) => rules.clone(),
                Change::Keep => live.map(|row| row.allowed_ips.clone()).unwrap_or_default(),
            },
            expires_at: match expires_at {
                Change::Set(expires_at) => expires_at,
                Change::Keep => live.and_then(|row| row.expires_at),
            },
        }
    }

    /// Create where the target was never booked or is told to delete, else update.
    fn write_operation(&self, target: &str) -> Operation {
        match self.pivots.get(target).map(|pivot| pivot.row.operation) {
            None | Some(Some(Operation::Delete)) => Operation::Create,
            Some(_) => Operation::Update,
        }
    }

    fn write_credential(
        &mut self,
        record: Option<&DesiredRecord>,
        plain: Option<&Secret>,
        moment: Moment,
        vault: &Vault,
    ) -> Result<(), SqlError> {
        let (track, client_id) = (self.key.track.as_str(), self.key.client_id.as_str());
        let plain_secret = plain
            .map(|plain| vault.seal(&Place::plain_secret(track, client_id), plain.expose()))
            .transpose()?;
        let secret_hash = record
            .map(|record| {
                let place = Place::credential_hash(track, client_id);
                vault.seal(&place, record.secret_hash.expose())
            })
            .transpose()?;
        let before = self.credential.take();
        self.credential = Some(CredentialRow {
            key: self.key.clone(),
            plain_secret,
            secret_hash,
            allowed_ips: record.map(|r| r.allowed_ips.clone()).unwrap_or_default(),
            expires_at: record.and_then(|r| r.expires_at),
            revoked: record.is_none(),
            generation: moment.generation,
            change_ts: moment.change_ts,
            local_generation: before.as_ref().map_or(0, |row| row.local_generation),
            unapplied_since: before
                .as_ref()
                .and_then(|row| row.unapplied_since)
                .or(Some(moment.now_ms)),
            created_at: before.as_ref().map_or(moment.now_ms, |row| row.created_at),
            updated_at: moment.now_ms,
        });
        self.changed = true;
        Ok(())
    }

    fn book(
        &mut self,
        target: &str,
        desired: &Desired<'_>,
        moment: Moment,
        vault: &Vault,
    ) -> Result<(), SqlError> {
        let (track, client_id) = (self.key.track.as_str(), self.key.client_id.as_str());
        let sealed = desired
            .secret_hash
            .map(|hash| vault.seal(&Place::pivot_hash(track, client_id, target), hash.expose()))
            .transpose()?;
        let before = self.pivots.remove(target);
        let stored = before.as_ref().is_some_and(|pivot| pivot.stored);
        let mut progress = before.map_or_else(|| Progress::new(moment), |pivot| pivot.row.progress);
        progress.become_pending(moment);
        let row = PivotRow {
            key: self.key.clone(),
            target: target.to_owned(),
            operation: Some(desired.operation),
            secret_hash: sealed,
            allowed_ips: desired.allowed_ips.clone(),
            expires_at: desired.expires_at,
            progress,
        };
        self.audit
            .push(row.audit(moment.transition, moment.now_ms, None));
        let state = PivotState {
            row,
            stored,
            changed: true,
        };
        self.pivots.insert(target.to_owned(), state);
        Ok(())
    }

    /// A change that no target is told of leaves its trace on the credential itself.
    fn audit_local(&mut self, moment: Moment) {
        if let Some(credential) = &self.credential {
            self.audit.push(audit_credential(
                credential,
                moment.transition,
                moment.now_ms,
                None,
            ));
        }
    }
}

fn accepted(created: bool, moment: Moment, record: Option<DesiredRecord>) -> Accepted {
    Accepted {
        created,
        generation: u64::try_from(moment.generation).unwrap_or_default(),
        change_ts: moment.change_ts,
        record,
    }
}

impl Progress {
    fn new(moment: Moment) -> Self {
        Self {
            generation: moment.generation,
            change_ts: moment.change_ts,
            last_ts: None,
            status: PivotStatus::Pending,
            attempt_count: 0,
            event_id: None,
            lease_until: None,
            waiting_since: moment.now_ms,
            reason: None,
            sent_at: None,
            applied_at: None,
            failed_at: None,
            created_at: moment.now_ms,
        }
    }

    /// A new change waits to be sent; only the largest `ts` ever sent outlives the old one.
    fn become_pending(&mut self, moment: Moment) {
        *self = Self {
            last_ts: self.last_ts,
            created_at: self.created_at,
            ..Self::new(moment)
        };
    }
}
