//! Accepting changes: credentials, deliveries and audit rows in one transaction, whatever the number of changes.

use std::collections::{BTreeMap, BTreeSet};

use hmac_auth::secret_hash::SecretHash;
use hmac_propagation::delivery::plan::{Before, Booking, Content, Plan, by_credential};
use hmac_propagation::management::{Accepted, ChangeRequest, ManagementError, ResyncRow, Rotation};
use hmac_propagation::origin::Origin;
use hmac_propagation::peer_store::CredentialKey;
use serde_json::json;

use crate::database::{Bulks, JsonRow, Session, Work};
use crate::error::SqlError;
use crate::rows::{CredentialRow, DeliveryRow, names, write_credential_key, write_rules};
use crate::secrets::{Place, Vault};
use crate::statements::Statements;

/// Ensures and revokes; each is accepted or refused by itself, in order.
pub(crate) struct AcceptChanges<'a> {
    pub(crate) requests: &'a [ChangeRequest],
    pub(crate) vault: &'a Vault,
}

impl Work for AcceptChanges<'_> {
    type Output = Vec<Result<Accepted, ManagementError>>;
    type Error = SqlError;

    async fn run(&self, session: &mut Session) -> Result<Self::Output, SqlError> {
        let keys = self.requests.iter().map(|request| &request.key);
        let mut states = States::load(session, keys).await?;
        let known = self.known_targets(session, &states).await?;
        let mut results = Vec::with_capacity(self.requests.len());
        for request in self.requests {
            let state = states.of(&request.key);
            // A target that has a delivery is in the inventory, for a foreign key holds it.
            let plan = state.before(&request.key).change(request, |target| {
                known.contains(target) || state.deliveries.contains_key(target)
            });
            results.push(match plan {
                Ok(plan) => Ok(state.keep(&request.key, plan, &request.origin, self.vault)?),
                Err(refused) => Err(refused),
            });
        }
        states.store(session).await?;
        Ok(results)
    }
}

impl AcceptChanges<'_> {
    /// The named targets that are in the inventory, but for those that have a delivery.
    async fn known_targets(
        &self,
        session: &mut Session,
        states: &States,
    ) -> Result<BTreeSet<String>, SqlError> {
        let mut asked = BTreeSet::new();
        for request in self.requests {
            let booked = states.0.get(&request.key).map(|state| &state.deliveries);
            for target in &request.targets {
                if !booked.is_some_and(|booked| booked.contains_key(target.as_str())) {
                    asked.insert(target.as_str());
                }
            }
        }
        let names: Vec<JsonRow> = asked.into_iter().map(|name| vec![json!(name)]).collect();
        let sql = &Statements::of(session.dialect()).targets;
        let mut known = BTreeSet::new();
        for row in session.fetch_bulk(sql, &names).await? {
            known.insert(row.text(0, "hmac_propagation_target")?);
        }
        Ok(known)
    }
}

/// One rotation.
pub(crate) struct Rotate<'a> {
    pub(crate) rotation: &'a Rotation,
    pub(crate) vault: &'a Vault,
}

impl Work for Rotate<'_> {
    type Output = Accepted;
    type Error = SqlError;

    async fn run(&self, session: &mut Session) -> Result<Accepted, SqlError> {
        let key = &self.rotation.key;
        let mut states = States::load(session, std::iter::once(key)).await?;
        let state = states.of(key);
        let plan = state.before(key).rotate(self.rotation)?;
        let accepted = state.keep(key, plan, &self.rotation.origin, self.vault)?;
        states.store(session).await?;
        Ok(accepted)
    }
}

/// Makes deliveries pending again.
pub(crate) struct Rebook<'a> {
    pub(crate) rows: &'a [ResyncRow],
    pub(crate) now_ms: i64,
    pub(crate) floor_ts: Option<i64>,
    pub(crate) origin: &'a Origin,
}

impl Work for Rebook<'_> {
    type Output = ();
    type Error = SqlError;

    async fn run(&self, session: &mut Session) -> Result<(), SqlError> {
        let mut states = States::load(session, self.rows.iter().map(|row| &row.key)).await?;
        for (key, named) in by_credential(self.rows) {
            let moment = (self.now_ms, self.floor_ts);
            states.of(key).rebook(key, &named, moment, self.origin);
        }
        states.store(session).await
    }
}

/// The rows of some credentials while changes are planned, and what has to be written of them.
struct States(BTreeMap<CredentialKey, CredentialState>);

#[derive(Default)]
struct CredentialState {
    credential: Option<Kept<CredentialRow>>,
    deliveries: BTreeMap<String, Kept<DeliveryRow>>,
    audit: Vec<JsonRow>,
}

/// A row, and what the database knows of it.
struct Kept<R> {
    row: R,
    stored: bool,
    changed: bool,
}

impl<R> Kept<R> {
    fn loaded(row: R) -> Self {
        Self {
            row,
            stored: true,
            changed: false,
        }
    }

    fn changed(row: R, before: Option<&Self>) -> Self {
        Self {
            row,
            stored: before.is_some_and(|before| before.stored),
            changed: true,
        }
    }
}

impl States {
    /// Reads and locks credentials, then their deliveries, in the order of their keys.
    async fn load(
        session: &mut Session,
        keys: impl Iterator<Item = &CredentialKey>,
    ) -> Result<Self, SqlError> {
        let statements = Statements::of(session.dialect());
        let keys: BTreeSet<&CredentialKey> = keys.collect();
        let asked: Vec<JsonRow> = keys.into_iter().map(write_credential_key).collect();
        let sql = &statements.lock_credentials;
        let mut states = BTreeMap::<_, CredentialState>::new();
        for row in session.fetch_bulk(sql, &asked).await? {
            let row = CredentialRow::read(&row)?;
            let state = states.entry(row.key.clone()).or_default();
            state.credential = Some(Kept::loaded(row));
        }
        let stored: Vec<JsonRow> = states.keys().map(write_credential_key).collect();
        let sql = &statements.lock_credential_deliveries;
        for row in session.fetch_bulk(sql, &stored).await? {
            let row = DeliveryRow::read(&row)?;
            if let Some(state) = states.get_mut(&row.key) {
                let target = row.target.clone();
                state.deliveries.insert(target, Kept::loaded(row));
            }
        }
        Ok(Self(states))
    }

    fn of(&mut self, key: &CredentialKey) -> &mut CredentialState {
        self.0.entry(key.clone()).or_default()
    }

    /// Writes what changed: parents before children.
    async fn store(&self, session: &mut Session) -> Result<(), SqlError> {
        let statements = Statements::of(session.dialect());
        let credentials = self
            .0
            .values()
            .filter_map(|state| state.credential.as_ref());
        let (new, changed) = written(credentials, CredentialRow::write);
        let deliveries = self.0.values().flat_map(|state| state.deliveries.values());
        let (new_deliveries, changed_deliveries) = written(deliveries, DeliveryRow::write);
        let audit = self
            .0
            .values()
            .flat_map(|state| state.audit.iter().cloned());
        let audit: Vec<JsonRow> = audit.collect();
        for (sql, rows) in [
            (&statements.insert_credentials, new),
            (&statements.update_credentials, changed),
            (&statements.insert_deliveries, new_deliveries),
            (&statements.update_deliveries, changed_deliveries),
            (&statements.insert_audit, audit),
        ] {
            session.execute_bulk(sql, &rows).await?;
        }
        Ok(())
    }
}

/// The changed rows as they are written: those that are new, and those that are stored already.
fn written<'a, R: 'a>(
    rows: impl Iterator<Item = &'a Kept<R>>,
    write: impl Fn(&R) -> JsonRow,
) -> (Vec<JsonRow>, Vec<JsonRow>) {
    let (new, stored): (Vec<_>, Vec<_>) =
        rows.filter(|row| row.changed).partition(|row| !row.stored);
    let write = |rows: Vec<&Kept<R>>| rows.into_iter().map(|kept| write(&kept.row)).collect();
    (write(new), write(stored))
}

impl CredentialState {
    fn before<'a>(&'a self, key: &'a CredentialKey) -> Before<'a> {
        let deliveries = self.deliveries.iter();
        Before {
            key,
            credential: self.credential.as_ref().map(|kept| &kept.row.credential),
            deliveries: deliveries
                .map(|(target, kept)| (target.as_str(), &kept.row.delivery))
                .collect(),
        }
    }

    /// Takes over what was planned, with its secrets sealed.
    fn keep(
        &mut self,
        key: &CredentialKey,
        plan: Plan,
        origin: &Origin,
        vault: &Vault,
    ) -> Result<Accepted, SqlError> {
        let (track, client_id) = names(key);
        let hash = plan
            .accepted
            .record
            .as_ref()
            .map(|record| &record.secret_hash);
        let seal_hash = |hash: &SecretHash| {
            vault.seal(&Place::credential_hash(track, client_id), hash.expose())
        };
        let row = CredentialRow {
            key: key.clone(),
            secret_hash: hash.map(seal_hash).transpose()?,
            credential: plan.credential,
        };
        if plan.deliveries.is_empty() {
            self.audit.push(row.audit(&plan.step, origin));
        }
        self.credential = Some(Kept::changed(row, self.credential.as_ref()));
        for booking in plan.deliveries {
            let row = self.booked(key, booking, vault)?;
            self.audit.push(row.audit(&plan.step, origin));
            let target = row.target.clone();
            let kept = Kept::changed(row, self.deliveries.get(&target));
            self.deliveries.insert(target, kept);
        }
        Ok(plan.accepted)
    }

    fn booked(
        &self,
        key: &CredentialKey,
        booking: Booking,
        vault: &Vault,
    ) -> Result<DeliveryRow, SqlError> {
        let target = booking.target;
        let (hash, allowed_ips, expires_at) = match booking.content {
            Content::Nothing => (None, write_rules(&Default::default()), None),
            Content::Record(record) => (
                Some(record.secret_hash),
                write_rules(&record.allowed_ips),
                record.expires_at,
            ),
            Content::Secret(hash) => {
                let own = self.deliveries.get(&target).map(|kept| &kept.row);
                let rules = own.map(|row| row.allowed_ips.clone());
                let rules = rules.unwrap_or_else(|| write_rules(&Default::default()));
                (Some(hash), rules, own.and_then(|row| row.expires_at))
            }
        };
        let (track, client_id) = names(key);
        let place = Place::delivery_hash(track, client_id, &target);
        let seal = |hash: SecretHash| vault.seal(&place, hash.expose());
        let secret_hash = hash.map(seal).transpose()?;
        Ok(DeliveryRow {
            key: key.clone(),
            secret_hash,
            allowed_ips,
            expires_at,
            operation: String::new(),
            delivery: booking.delivery,
            target,
        })
    }

    fn rebook(
        &mut self,
        key: &CredentialKey,
        named: &[(&str, u64)],
        (now_ms, floor_ts): (i64, Option<i64>),
        origin: &Origin,
    ) {
        let Some(rebooking) = self.before(key).rebook(named, now_ms, floor_ts) else {
            return;
        };
        if let Some(kept) = &mut self.credential {
            (kept.row.credential, kept.changed) = (rebooking.credential, true);
        }
        for (target, delivery) in rebooking.deliveries {
            if let Some(kept) = self.deliveries.get_mut(&target) {
                (kept.row.delivery, kept.changed) = (delivery, true);
                self.audit.push(kept.row.audit(&rebooking.step, origin));
            }
        }
    }
}
