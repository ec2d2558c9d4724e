//! What a change does to a credential and to its deliveries: numbered, dated and planned as a whole, without I/O.
//!
//! Every delivery that one change books has the same generation and `change_ts`: what is one change at its source is one at
//! each target, and the last writer is the same everywhere.

use std::collections::{BTreeMap, BTreeSet};

use hmac_auth::allowed_ips::AllowedIps;
use hmac_auth::credential::Change;
use hmac_auth::secret_hash::SecretHash;

use crate::delivery::{Delivery, Moment, Step, Transition};
use crate::management::{
    Accepted, ChangeOperation, ChangeRequest, DesiredRecord, LocalChange, ManagementError,
    Operation, ResyncRow, Rotation, SettledRow,
};
use crate::peer_store::CredentialKey;

/// What is stored of a credential, but for its secrets. All times are epoch milliseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    /// Counts its changes.
    pub generation: u64,
    /// When the last one was accepted.
    pub change_ts: i64,
    /// The newest change that this peer's own store is known to hold.
    pub local_generation: u64,
    /// Since when that is behind.
    pub unapplied_since: Option<i64>,
    /// A tombstone.
    pub revoked: bool,
    /// Where requests to this peer may come from.
    pub allowed_ips: AllowedIps,
    /// When it ends at this peer.
    pub expires_at: Option<i64>,
    /// When it was first heard of.
    pub created_at: i64,
    /// When it was last changed by a caller.
    pub updated_at: i64,
}

impl Credential {
    /// Books that this peer's own store holds a change; older ones are covered too.
    pub fn applied_locally(&mut self, generation: u64) {
        let held = generation.min(self.generation);
        self.local_generation = self.local_generation.max(held);
        if held == self.generation {
            self.unapplied_since = None;
        }
    }

    /// A change that this peer's own store should hold.
    pub fn local_change(&self, key: CredentialKey, record: Option<DesiredRecord>) -> LocalChange {
        LocalChange {
            key,
            generation: self.generation,
            change_ts: self.change_ts,
            record,
        }
    }

    /// What there is to compare with this peer's own store: no event brought it, so there is no event id.
    pub fn settled(
        &self,
        key: CredentialKey,
        wanted: Result<Option<DesiredRecord>, String>,
    ) -> SettledRow {
        SettledRow {
            key,
            generation: self.generation,
            wanted,
            change_ts: self.change_ts,
            sent_ts: self.change_ts,
            event_id: None,
            last_ts: self.change_ts,
        }
    }
}

/// What is stored of a credential before a change.
#[derive(Clone, Debug)]
pub struct Before<'a> {
    /// Whose.
    pub key: &'a CredentialKey,
    /// `None`: nobody has heard of it.
    pub credential: Option<&'a Credential>,
    /// By target.
    pub deliveries: BTreeMap<&'a str, &'a Delivery>,
}

/// What is to be stored once a change is accepted.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The answer, with what this peer's own store must hold.
    pub accepted: Accepted,
    /// The credential.
    pub credential: Credential,
    /// What is booked. Nothing: the change stays at this peer, and leaves its trace on the credential itself.
    pub deliveries: Vec<Booking>,
    /// What happens to each of the deliveries.
    pub step: Step,
}

/// One delivery that a change books.
#[derive(Clone, Debug)]
pub struct Booking {
    /// The target.
    pub target: String,
    /// Pending, in the generation of the change.
    pub delivery: Delivery,
    /// What the target should hold.
    pub content: Content,
}

/// What a target should hold from now on.
#[derive(Clone, Debug)]
pub enum Content {
    /// All of this.
    Record(DesiredRecord),
    /// This secret, under the rules and the expiry that are booked for the target: a rotation changes nothing else.
    Secret(SecretHash),
    /// Nothing.
    Nothing,
}

/// What is to be stored once deliveries are rebooked; their content stays.
#[derive(Clone, Debug)]
pub struct Rebooking {
    /// The credential.
    pub credential: Credential,
    /// By target.
    pub deliveries: Vec<(String, Delivery)>,
    /// What happens to each of them.
    pub step: Step,
}

impl Before<'_> {
    /// Accepts an ensure or a revoke.
    ///
    /// # Errors
    /// [`ManagementError::UnknownTargets`] with all that are not in the inventory.
    pub fn change(
        &self,
        request: &ChangeRequest,
        is_in_inventory: impl Fn(&str) -> bool,
    ) -> Result<Plan, ManagementError> {
        let targets: BTreeSet<&str> = request
            .targets
            .iter()
            .map(|target| target.as_str())
            .collect();
        let unknown = targets.iter().filter(|target| !is_in_inventory(target));
        let unknown: Vec<String> = unknown.map(|target| (*target).to_owned()).collect();
        if !unknown.is_empty() {
            return Err(ManagementError::UnknownTargets { targets: unknown });
        }
        let (transition, record) = match &request.operation {
            ChangeOperation::Revoke => (Transition::Revoked, None),
            ChangeOperation::Ensure {
                secret_hash,
                allowed_ips,
                expires_at,
            } => {
                let record = self.merged(secret_hash, allowed_ips, *expires_at);
                (Transition::Ensured, Some(record))
            }
        };
        let moment = self.next_moment(transition, request.now_ms, request.floor_ts);
        let content = record.clone().map_or(Content::Nothing, Content::Record);
        let book = |target: &str| {
            let operation = match record {
                Some(_) => self.write_operation(target),
                None => Operation::Delete,
            };
            self.book(target, operation, content.clone(), moment)
        };
        let deliveries = targets.into_iter().map(book).collect();
        Ok(self.plan(moment, record, deliveries))
    }

    /// Accepts a rotation: for every target that is booked for anything but a deletion.
    ///
    /// # Errors
    /// [`ManagementError::UnknownClient`] when there is no live credential.
    pub fn rotate(&self, rotation: &Rotation) -> Result<Plan, ManagementError> {
        if self.live().is_none() {
            let client_id = self.key.client_id.clone();
            return Err(ManagementError::UnknownClient { client_id });
        }
        let hash = &rotation.secret_hash;
        let record = self.merged(hash, &Change::Keep, Change::Keep);
        let moment = self.next_moment(Transition::Rotated, rotation.now_ms, rotation.floor_ts);
        let holders = self
            .deliveries
            .iter()
            .filter(|(_, delivery)| delivery.operation != Some(Operation::Delete));
        let book = |(target, _): (&&str, &&Delivery)| {
            let content = Content::Secret(hash.clone());
            self.book(target, Operation::Update, content, moment)
        };
        let deliveries = holders.map(book).collect();
        Ok(self.plan(moment, Some(record), deliveries))
    }

    /// Makes the named deliveries pending again, in one new generation. One of another generation than the one named is
    /// left; `None` when all are. Only the targets are told again: the credential keeps the moment under which this peer's
    /// own store holds it.
    pub fn rebook(
        &self,
        named: &[(&str, u64)],
        now_ms: i64,
        floor_ts: Option<i64>,
    ) -> Option<Rebooking> {
        let moment = self.next_moment(Transition::Rebooked, now_ms, floor_ts);
        let rebook = |(target, generation): &(&str, u64)| {
            let delivery = *self.deliveries.get(target)?;
            let is_it = delivery.generation == *generation;
            is_it.then(|| ((*target).to_owned(), delivery.clone().rebooked(moment)))
        };
        let deliveries: Vec<_> = named.iter().filter_map(rebook).collect();
        let mut credential = self.credential.filter(|_| !deliveries.is_empty())?.clone();
        // What is said again is what this peer itself holds already.
        if credential.local_generation == credential.generation {
            credential.local_generation = moment.generation;
        }
        credential.generation = moment.generation;
        Some(Rebooking {
            credential,
            deliveries,
            step: moment.step(),
        })
    }

    /// The largest `ts` ever used for the credential.
    pub fn largest_ts(&self) -> Option<i64> {
        let sent = self.deliveries.values().map(|delivery| {
            let sent = delivery.last_ts.unwrap_or(delivery.change_ts);
            sent.max(delivery.change_ts)
        });
        let accepted = self.credential.map(|credential| credential.change_ts);
        sent.chain(accepted).max()
    }

    /// Numbers and dates the next change: the clock, or one more than all that was used before. What is only said again is
    /// no later than it must be: another source's change, accepted since, is newer.
    fn next_moment(&self, transition: Transition, now_ms: i64, floor_ts: Option<i64>) -> Moment {
        let above = self.largest_ts().max(floor_ts);
        let before = self
            .credential
            .map_or(0, |credential| credential.generation);
        Moment {
            transition,
            generation: before.saturating_add(1),
            change_ts: match (transition, above) {
                (Transition::Rebooked, Some(above)) => above.saturating_add(1),
                (_, above) => above.map_or(now_ms, |above| now_ms.max(above.saturating_add(1))),
            },
            now_ms,
        }
    }

    fn live(&self) -> Option<&Credential> {
        self.credential.filter(|credential| !credential.revoked)
    }

    /// What is not given stays; nothing outlives a revocation.
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
                Change::Keep => live
                    .map(|live| live.allowed_ips.clone())
                    .unwrap_or_default(),
            },
            expires_at: match expires_at {
                Change::Set(expires_at) => expires_at,
                Change::Keep => live.and_then(|live| live.expires_at),
            },
        }
    }

    /// Create where the target was never booked or is told to delete, else update.
    fn write_operation(&self, target: &str) -> Operation {
        match self
            .deliveries
            .get(target)
            .map(|delivery| delivery.operation)
        {
            None | Some(Some(Operation::Delete)) => Operation::Create,
            Some(_) => Operation::Update,
        }
    }

    fn book(
        &self,
        target: &str,
        operation: Operation,
        content: Content,
        moment: Moment,
    ) -> Booking {
        let before = self.deliveries.get(target).map(|before| (*before).clone());
        Booking {
            target: target.to_owned(),
            delivery: Delivery::booked(before, Some(operation), moment),
            content,
        }
    }

    fn plan(
        &self,
        moment: Moment,
        record: Option<DesiredRecord>,
        deliveries: Vec<Booking>,
    ) -> Plan {
        let (before, now_ms) = (self.credential, moment.now_ms);
        let record_of = record.as_ref();
        let credential = Credential {
            generation: moment.generation,
            change_ts: moment.change_ts,
            local_generation: before.map_or(0, |before| before.local_generation),
            unapplied_since: before
                .and_then(|before| before.unapplied_since)
                .or(Some(now_ms)),
            revoked: record.is_none(),
            allowed_ips: record_of
                .map(|record| record.allowed_ips.clone())
                .unwrap_or_default(),
            expires_at: record_of.and_then(|record| record.expires_at),
            created_at: before.map_or(now_ms, |before| before.created_at),
            updated_at: now_ms,
        };
        Plan {
            accepted: Accepted {
                created: self.live().is_none(),
                generation: moment.generation,
                change_ts: moment.change_ts,
                record,
            },
            credential,
            deliveries,
            step: moment.step(),
        }
    }
}

/// Rows to rebook, by credential: target and generation.
pub fn by_credential(rows: &[ResyncRow]) -> BTreeMap<&CredentialKey, Vec<(&str, u64)>> {
    let mut named: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for row in rows {
        let targets = named.entry(&row.key).or_default();
        targets.push((row.target.as_str(), row.generation));
    }
    named
}
