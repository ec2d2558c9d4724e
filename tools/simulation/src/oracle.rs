//! What ought to be: a model of every row, claim and event, kept beside the real ones.

use std::collections::BTreeMap;
use std::sync::Mutex;

use hmac_propagation::management::{Accepted, PendingPropagation, PendingQuery, ResyncRow};
use hmac_propagation::memory::management::DeliveryView;
use hmac_propagation::peer_store::{CredentialKey, Stamp};
use hmac_propagation::queue::PeerName;

use crate::content::{Content, desired, in_words};
use crate::dice::lock;
use crate::history::History;
use crate::host::Host;
use crate::invariants::Invariant;

/// A change is accepted at most this long after its source has read the cursor, in milliseconds.
const LOOKED_WITHIN_MS: u64 = 1_000;

/// A row: source, credential, target.
pub type RowName = (PeerName, CredentialKey, PeerName);

/// A credential in the store of a peer.
pub type Slot = (PeerName, CredentialKey);

/// What a slot held, and the cursor beside it.
pub type Held = (Option<Stamp>, Content);

/// The model.
#[derive(Default)]
pub struct Oracle {
    pub(crate) model: Mutex<Model>,
}

#[derive(Default)]
pub(crate) struct Model {
    pub(crate) rows: BTreeMap<RowName, Row>,
    pub(crate) credentials: BTreeMap<(PeerName, CredentialKey), Credential>,
    pub(crate) events: BTreeMap<String, Event>,
    pub(crate) held: BTreeMap<Slot, Held>,
    /// Which cursors each credential has had, and when, in the story's milliseconds.
    pub(crate) cursors: BTreeMap<(PeerName, CredentialKey), Vec<(u64, Stamp)>>,
    /// Completed events, by process, and whether their credential was marked after that.
    pub(crate) marked: BTreeMap<(u64, String), bool>,
    /// Answers that the broker confirmed: who answered which event, and whether it refused.
    answers: BTreeMap<(PeerName, String), bool>,
}

/// What a source wants a target to hold.
#[derive(Clone)]
pub struct Row {
    /// Which change.
    pub generation: u64,
    /// When it was accepted; unknown for a rebooked one until it is claimed.
    pub change_ts: Option<i64>,
    /// What the target should hold.
    pub content: Content,
    claim: Option<Claim>,
    /// When it was claimed in vain: it cannot be sent.
    set_aside: Option<i64>,
    /// What its first `ts` must be larger than, once it was rebooked.
    above: i64,
}

#[derive(Clone)]
struct Claim {
    event_id: String,
    ts: i64,
    state: State,
    /// It was opened again: what the target has lost must win.
    reopened: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Leased { until: i64 },
    Sent { at: i64 },
    Answered { at: i64 },
    Free,
}

/// What a source has accepted last.
#[derive(Clone)]
pub struct Credential {
    /// The number of that change.
    pub generation: u64,
    /// Its moment.
    pub change_ts: i64,
    /// What the source itself should hold.
    pub content: Content,
    pub(crate) used: i64,
}

/// An event that a claim has made.
#[derive(Clone)]
pub struct Event {
    /// Its row.
    pub row: RowName,
    /// Its stamp.
    pub stamp: Stamp,
    pub(crate) live: bool,
    pub(crate) brought_back: bool,
    pub(crate) booked: bool,
    pub(crate) generation: u64,
    pub(crate) attempt: u32,
    confirmed: bool,
    published: u32,
}

impl Event {
    /// Nobody has seen it yet.
    fn of(row: RowName, claim: &PendingPropagation) -> Self {
        Self {
            row,
            stamp: Stamp {
                ts: claim.ts,
                event_id: claim.event_id.clone(),
            },
            live: false,
            brought_back: false,
            booked: false,
            generation: 0,
            attempt: 0,
            confirmed: false,
            published: 0,
        }
    }
}

impl Oracle {
    /// A source accepted a change for itself and for these targets.
    pub fn accepted(
        &self,
        history: &History,
        source: &PeerName,
        key: &CredentialKey,
        accepted: &Accepted,
        floor_ts: Option<i64>,
        rows: impl Iterator<Item = (PeerName, Content)>,
    ) {
        let mut model = lock(&self.model);
        let slot = (source.clone(), key.clone());
        let used = model
            .credentials
            .get(&slot)
            .map(|credential| credential.used);
        let rises = used
            .max(floor_ts)
            .is_none_or(|used| accepted.change_ts > used);
        let long_ago = history.now_ms().saturating_sub(LOOKED_WITHIN_MS);
        let cursors = model.cursors.get(&slot).into_iter().flatten();
        let looked = cursors
            .filter(|(at, _)| *at < long_ago)
            .all(|(_, cursor)| accepted.change_ts > cursor.ts);
        history.expect(rises && looked, Invariant::TsDoesNotRise, || {
            format!("{} at {source}", in_words(key))
        });
        let (generation, change_ts) = (accepted.generation, accepted.change_ts);
        history.note(source.as_str(), "accepted", || {
            format!("{}, change {generation} under {change_ts}", in_words(key))
        });
        let content = desired(accepted.record.as_ref());
        model.credentials.insert(
            slot,
            Credential {
                generation,
                change_ts,
                content,
                used: change_ts,
            },
        );
        for (target, content) in rows {
            let row = Row {
                generation,
                change_ts: Some(change_ts),
                content,
                claim: None,
                set_aside: None,
                above: i64::MIN,
            };
            model
                .rows
                .insert((source.clone(), key.clone(), target), row);
        }
    }

    /// The rows a rotation renews, with what they will hold.
    pub fn renewed(
        &self,
        source: &PeerName,
        key: &CredentialKey,
        hash: &str,
    ) -> Vec<(PeerName, Content)> {
        let model = lock(&self.model);
        let own = model
            .rows
            .iter()
            .filter(|(name, _)| name.0 == *source && name.1 == *key);
        own.filter_map(|(name, row)| {
            let mut record = row.content.clone()?;
            hash.clone_into(&mut record.hash);
            Some((name.2.clone(), Some(record)))
        })
        .collect()
    }

    /// Rows were made pending again.
    pub fn rebooked(&self, source: &PeerName, rows: &[ResyncRow], deliveries: &[DeliveryView]) {
        let mut model = lock(&self.model);
        for row in rows {
            let used = model
                .credentials
                .get(&(source.clone(), row.key.clone()))
                .map_or(i64::MIN, |c| c.used);
            let Some(delivery) = deliveries
                .iter()
                .find(|p| p.key == row.key && p.target.as_str() == row.target)
            else {
                continue;
            };
            let name = (source.clone(), row.key.clone(), delivery.target.clone());
            if let Some(known) = model.rows.get_mut(&name)
                && known.generation == row.generation
                && delivery.generation != row.generation
            {
                (known.generation, known.change_ts, known.claim) =
                    (delivery.generation, None, None);
                (known.set_aside, known.above) = (None, used);
            }
        }
    }

    /// Rows were claimed. `calm`: nothing can have gone wrong before.
    pub fn claimed(
        &self,
        history: &History,
        host: &Host,
        query: &PendingQuery,
        claims: &[PendingPropagation],
        calm: bool,
    ) {
        let (source, store_now_ms) = (&host.name, host.now_ms());
        let mut model = lock(&self.model);
        for claim in claims {
            let Ok(target) = PeerName::parse(&claim.target) else {
                continue;
            };
            let name = (source.clone(), claim.key.clone(), target);
            let place = || format!("{} of {source} for {}", in_words(&claim.key), claim.target);
            let Some(row) = model.rows.get_mut(&name) else {
                continue;
            };
            let is_due = row.is_due(query, store_now_ms);
            history.expect(is_due, Invariant::ClaimedTwice, place);
            history.expect(
                !calm || claim.attempt <= 1,
                Invariant::PublishedTwice,
                place,
            );
            // No event was made, so no `ts` is used.
            row.set_aside = claim.message.is_err().then_some(query.now_ms);
            if row.set_aside.is_some() {
                continue;
            }
            let (is_right, broken) = match (&row.claim, row.change_ts) {
                (Some(last), _) => {
                    let ts = last.ts + i64::from(last.reopened);
                    (claim.ts == ts, Invariant::RetryOvertakes)
                }
                (None, Some(change_ts)) => (claim.ts == change_ts, Invariant::RetryOvertakes),
                (None, None) => (claim.ts > row.above, Invariant::TsDoesNotRise),
            };
            history.expect(is_right, broken, place);
            row.change_ts.get_or_insert(claim.ts);
            let until = store_now_ms.saturating_add(query.lease_ms);
            row.claim = Some(Claim {
                event_id: claim.event_id.clone(),
                ts: claim.ts,
                state: State::Leased { until },
                reopened: false,
            });
            let event = Event::of(name, claim);
            model.events.insert(claim.event_id.clone(), event);
            if let Some(credential) = model
                .credentials
                .get_mut(&(source.clone(), claim.key.clone()))
            {
                credential.used = credential.used.max(claim.ts);
            }
        }
    }

    /// A claim was marked as sent at `at_ms`, or given back (`None`).
    pub fn marked(&self, name: &RowName, event_id: &str, sent_at: Option<i64>) {
        if let Some(claim) = lock(&self.model)
            .rows
            .get_mut(name)
            .and_then(|row| row.claim.as_mut())
            && claim.event_id == event_id
            && matches!(claim.state, State::Leased { .. })
        {
            claim.state = sent_at.map_or(State::Free, |at| State::Sent { at });
        }
    }

    /// A row of this generation was answered.
    pub fn answered(&self, name: &RowName, generation: u64, at: i64) {
        if let Some(row) = lock(&self.model)
            .rows
            .get_mut(name)
            .filter(|row| row.generation == generation)
            && let Some(claim) = row.claim.as_mut()
        {
            claim.state = State::Answered { at };
            row.set_aside = None;
        }
    }

    /// The row as it ought to be.
    pub fn row(&self, name: &RowName) -> Option<Row> {
        lock(&self.model).rows.get(name).cloned()
    }

    /// All rows.
    pub fn rows(&self) -> Vec<(RowName, Row)> {
        lock(&self.model)
            .rows
            .iter()
            .map(|(name, row)| (name.clone(), row.clone()))
            .collect()
    }

    /// What each source accepted last.
    pub fn credentials(&self) -> Vec<((PeerName, CredentialKey), Credential)> {
        lock(&self.model)
            .credentials
            .iter()
            .map(|(name, c)| (name.clone(), c.clone()))
            .collect()
    }

    /// What a source accepted last for a credential.
    pub fn credential(&self, source: &PeerName, key: &CredentialKey) -> Option<Credential> {
        lock(&self.model)
            .credentials
            .get(&(source.clone(), key.clone()))
            .cloned()
    }

    /// A store was written, or found up to date, at this moment of the story.
    pub fn applied(
        &self,
        peer: &PeerName,
        key: &CredentialKey,
        cursor: Option<Stamp>,
        content: Content,
        at_ms: u64,
    ) {
        let mut model = lock(&self.model);
        let slot = (peer.clone(), key.clone());
        let came = cursor.clone().map(|cursor| (at_ms, cursor));
        model.cursors.entry(slot.clone()).or_default().extend(came);
        model.held.insert(slot, (cursor, content));
    }

    /// A row that said success was opened again.
    pub fn reopened(&self, name: &RowName) {
        if let Some(claim) = lock(&self.model)
            .rows
            .get_mut(name)
            .and_then(|row| row.claim.as_mut())
        {
            (claim.state, claim.reopened) = (State::Free, true);
        }
    }

    /// What each store held after it was last written.
    pub fn held(&self) -> Vec<(Slot, Held)> {
        lock(&self.model)
            .held
            .iter()
            .map(|(name, held)| (name.clone(), held.clone()))
            .collect()
    }

    /// The event a claim has made.
    pub fn event(&self, event_id: &str) -> Option<Event> {
        lock(&self.model).events.get(event_id).cloned()
    }

    /// An event was put into its queue; answers whether it was booked, and how often it was published by now.
    pub fn published(&self, event_id: &str) -> Option<(bool, u32)> {
        let mut model = lock(&self.model);
        let event = model.events.get_mut(event_id)?;
        event.published += 1;
        Some((event.booked, event.published))
    }

    /// The broker confirmed an event to its source.
    pub fn confirm(&self, event_id: &str) {
        if let Some(event) = lock(&self.model).events.get_mut(event_id) {
            event.confirmed = true;
        }
    }

    /// Tells whether the broker has confirmed an event to its source.
    pub fn is_confirmed(&self, event_id: &str) -> bool {
        lock(&self.model)
            .events
            .get(event_id)
            .is_some_and(|event| event.confirmed)
    }

    /// The broker confirmed an answer to the peer that gave it.
    pub fn answer(&self, peer: &PeerName, event_id: &str, refused: bool) {
        let mut model = lock(&self.model);
        *model
            .answers
            .entry((peer.clone(), event_id.to_owned()))
            .or_default() |= refused;
    }

    /// The answer of a peer to an event, if the broker has confirmed one: whether it was a refusal.
    pub fn answer_of(&self, peer: &PeerName, event_id: &str) -> Option<bool> {
        lock(&self.model)
            .answers
            .get(&(peer.clone(), event_id.to_owned()))
            .copied()
    }
}

impl Row {
    /// The largest `ts` sent to the target.
    pub fn sent_ts(&self) -> Option<i64> {
        self.claim.as_ref().map(|claim| claim.ts).or(self.change_ts)
    }

    /// As the contract of `hmac_propagation::management::Management` says it.
    fn is_due(&self, query: &PendingQuery, store_now_ms: i64) -> bool {
        // A moment that lies further ahead than any honest one was written before the clock was set back.
        let overdue = |at: i64| {
            let waited = query.now_ms.saturating_sub(at);
            query.overdue && (waited >= query.resend_after_ms || waited < 0)
        };
        if let Some(at) = self.set_aside {
            return overdue(at);
        }
        match self.claim.as_ref().map(|claim| claim.state) {
            None | Some(State::Free) => true,
            Some(State::Leased { until }) => {
                until <= store_now_ms || until > store_now_ms + query.lease_ms
            }
            Some(State::Sent { at } | State::Answered { at }) => overdue(at),
        }
    }
}
