//! The life cycle of a delivery, the row of the transactional outbox, as pure rules: what it may become, and when.
//!
//! A *delivery* is what one target should hold of one credential, and how far that has come. It is written in the
//! transaction that accepts the change, sent later and at least once, and done when its target acknowledges it. A store
//! loads deliveries, calls a transition here, and writes what comes back; it decides nothing by itself, so every store
//! decides alike, and the simulation runs what production runs. Which deliveries a change books is said in [`plan`].
//!
//! ```text
//!                        accepted, rebooked
//!                                |
//!                                v      claim, not sent
//!  +---------+  reopened   +-----------+ --+
//!  |         | ----------> |           | <-+   refused, cannot be sent   +-------+
//!  |         |             |  PENDING  | ------------------------------> |       |
//!  |         |  applied    |           | <------------------------------ |       |
//!  |         | <---------- +-----------+       claim, once overdue       |       | --+ cannot
//!  | SUCCESS |               |      ^                                    | ERROR | <-+ be sent
//!  |         |          sent |      | claim, once overdue                |       |
//!  |         |               v      |                                    |       |
//!  |         |  applied    +-----------+    refused, cannot be sent      |       |
//!  |         | <---------- |   SENT    | ------------------------------> |       |
//!  +---------+             +-----------+                                 +-------+
//!       ^                            applied                                 |
//!       +--------------------------------------------------------------------+
//! ```
//!
//! | arrow | who | what it does |
//! |---|---|---|
//! | accepted, rebooked | a caller's ensure, rotate or revoke; a resync | a new generation and `change_ts`, from any status |
//! | claim | a sync | an event id, the next `ts` and a lease by the store's clock; free again when the lease ends. From SENT and ERROR once it is overdue |
//! | cannot be sent | a sync that claims it in vain | ERROR with a reason; no event, so no event id, no `ts`, no lease |
//! | sent | the sync, when the broker confirmed | SENT |
//! | not sent | the sync, when the broker did not | PENDING, free at once, with a reason |
//! | applied, refused | the target's acknowledgement, also one that overtook the sent mark | SUCCESS, or ERROR with the target's reason; SUCCESS is left by neither |
//! | reopened | a check for drift | PENDING in the same generation: its target lost what it had acknowledged |
//!
//! A mark counts for its own generation only, and a sent mark for its own claim only (the event id). A revoked client's
//! delivery stays as a tombstone: the operation is a delete, and a resync sends it again.

pub mod plan;

mod status;
mod transition;

use crate::event_id::event_id;
use crate::management::{
    AckMark, DesiredRecord, Operation, PendingMessage, PendingPropagation, PendingQuery, Reopening,
    SentMark, SettledRow,
};
use crate::peer_store::CredentialKey;
use crate::queue::PeerName;

pub use status::{DeliveryStatus, Turn};
pub use transition::{Step, Transition};

/// A delivery after a transition.
#[derive(Clone, Debug)]
#[must_use]
pub struct Moved {
    /// What it is now.
    pub delivery: Delivery,
    /// What happened, in order. Nothing happened: the delivery is as it was, and nothing is to be written.
    pub steps: Vec<Step>,
}

/// A claimed delivery.
#[derive(Clone, Debug)]
#[must_use]
pub struct Claimed {
    /// What is to be written.
    pub delivery: Delivery,
    /// A first try leaves its trace when it is sent, so it has no step here.
    pub step: Option<Step>,
    /// What the claimer gets.
    pub row: PendingPropagation,
}

/// Number and moment of a change.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// What kind of change it is.
    pub transition: Transition,
    /// Its number.
    pub generation: u64,
    /// When it was accepted: strictly rising for each credential, epoch milliseconds.
    pub change_ts: i64,
    /// The clock, epoch milliseconds; `change_ts` may be ahead of it.
    pub now_ms: i64,
}

impl Moment {
    fn step(self) -> Step {
        Step {
            transition: self.transition,
            at_ms: self.now_ms,
            reason: None,
        }
    }
}

/// What one target should hold of one credential, but for the content itself, and how far that has come.
///
/// All times are epoch milliseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// What is sent. `None`: a store holds a word that this code does not know; it cannot be sent until a change replaces it.
    pub operation: Option<Operation>,
    /// The change that it carries.
    pub generation: u64,
    /// When that was accepted.
    pub change_ts: i64,
    /// The largest `ts` ever sent to the target, also for an earlier change.
    pub last_ts: Option<i64>,
    /// How far it has come.
    pub status: DeliveryStatus,
    /// How often this change was claimed.
    pub attempts: u32,
    /// The event of the last claim.
    pub event_id: Option<String>,
    /// Nobody else claims it before.
    pub lease_until: Option<i64>,
    /// Its place in the line, and since when its answer is waited for. Always a reading of the clock.
    pub waiting_since: i64,
    /// Why it is not further.
    pub reason: Option<String>,
    /// When the broker confirmed it.
    pub sent_at: Option<i64>,
    /// When the target said that it has it.
    pub applied_at: Option<i64>,
    /// When it was last refused or could not be sent.
    pub failed_at: Option<i64>,
    /// When the target was first booked for the credential.
    pub created_at: i64,
}

impl Delivery {
    /// Books a change: pending, with nothing of the change before but the largest `ts` ever sent.
    pub fn booked(before: Option<Self>, operation: Option<Operation>, moment: Moment) -> Self {
        let (last_ts, created_at) = before.map_or((None, moment.now_ms), |before| {
            (before.last_ts, before.created_at)
        });
        Self {
            operation,
            generation: moment.generation,
            change_ts: moment.change_ts,
            last_ts,
            status: DeliveryStatus::Pending,
            attempts: 0,
            event_id: None,
            lease_until: None,
            waiting_since: moment.now_ms,
            reason: None,
            sent_at: None,
            applied_at: None,
            failed_at: None,
            created_at,
        }
    }

    /// Books what it says once more, in a new generation.
    pub fn rebooked(self, moment: Moment) -> Self {
        let operation = self.operation;
        Self::booked(Some(self), operation, moment)
    }

    /// Tells whether a claim takes it. `store_now_ms` is the store's own clock, which all replicas share.
    pub fn is_due(&self, window: &ClaimWindow, store_now_ms: i64) -> bool {
        let in_turn = match self.status.turn() {
            Turn::AtOnce => true,
            Turn::WhenOverdue => window.is_overdue(self.waiting_since),
            Turn::Never => false,
        };
        let is_over = |until| window.is_over(until, store_now_ms);
        in_turn && self.lease_until.is_none_or(is_over)
    }

    /// Claims it for sending; `message` is what [`Self::message`] says. In either case it goes to the back of the line. The
    /// lease is by the store's own clock, as in [`Self::is_due`].
    pub fn claim(
        self,
        (key, target): (&CredentialKey, &str),
        query: &PendingQuery,
        store_now_ms: i64,
        random: [u8; 16],
        message: Result<PendingMessage, String>,
    ) -> Claimed {
        let before = self.status;
        let ts = self.next_ts();
        let event_id = event_id(&query.source, ts, random);
        let lease_until = store_now_ms.saturating_add(query.lease_ms);
        let (delivery, transition) = match &message {
            Ok(_) => (
                self.leased(query.now_ms, lease_until, ts, &event_id),
                Transition::Claimed,
            ),
            Err(reason) => (
                self.unsendable(query.now_ms, reason),
                Transition::Unsendable,
            ),
        };
        let step = (delivery.status != before).then(|| Step {
            transition,
            at_ms: query.now_ms,
            reason: message.as_ref().err().cloned(),
        });
        let row = PendingPropagation {
            key: key.clone(),
            target: target.to_owned(),
            generation: delivery.generation,
            attempt: delivery.attempts,
            event_id,
            ts: delivery.sent_ts(),
            message,
        };
        Claimed {
            delivery,
            step,
            row,
        }
    }

    /// The `ts` of the next try. A retry repeats that of the try before it, however often: it says nothing newer, so it
    /// overtakes nobody's later change. What was opened again is one millisecond newer, once.
    fn next_ts(&self) -> i64 {
        let is_reopened = self.applied_at.is_some() && self.event_id.is_none();
        let last = self.last_ts.map_or(self.change_ts, |last| {
            last.saturating_add(i64::from(is_reopened))
        });
        self.change_ts.max(last)
    }

    fn leased(self, now_ms: i64, lease_until: i64, ts: i64, event_id: &str) -> Self {
        Self {
            status: DeliveryStatus::Pending,
            last_ts: Some(ts),
            attempts: self.attempts.saturating_add(1),
            event_id: Some(event_id.to_owned()),
            lease_until: Some(lease_until),
            waiting_since: now_ms,
            ..self
        }
    }

    /// Claimed in vain: there is no event, so no mark can count for it, and it is looked at again when it is overdue.
    pub fn unsendable(self, now_ms: i64, reason: &str) -> Self {
        Self {
            status: DeliveryStatus::Error,
            attempts: self.attempts.saturating_add(1),
            event_id: None,
            lease_until: None,
            waiting_since: now_ms,
            reason: Some(reason.to_owned()),
            failed_at: Some(now_ms),
            ..self
        }
    }

    /// Books how sending ended: only of the claim that the mark belongs to, and only while no answer overtook it.
    pub fn sent(self, mark: &SentMark) -> Moved {
        let belongs = self.generation == mark.generation
            && self.event_id.as_deref() == Some(mark.event_id.as_str());
        if !belongs || self.status != DeliveryStatus::Pending {
            return Moved::not(self);
        }
        let free = Self {
            lease_until: None,
            waiting_since: mark.at_ms,
            ..self
        };
        match &mark.outcome {
            Ok(()) => Self {
                status: DeliveryStatus::Sent,
                sent_at: Some(mark.at_ms),
                reason: None,
                ..free
            }
            .moved(Transition::Sent, mark.at_ms, None),
            Err(reason) => Self {
                failed_at: Some(mark.at_ms),
                reason: Some(reason.clone()),
                ..free
            }
            .moved(Transition::NotSent, mark.at_ms, Some(reason)),
        }
    }

    /// Books what the target answered: only of the generation that it answers, and success stays. An answer that overtook
    /// its sent mark stands for it.
    pub fn acknowledged(self, mark: &AckMark) -> Moved {
        if self.generation != mark.generation || self.status.is_done() {
            return Moved::not(self);
        }
        let overtook = self.status == DeliveryStatus::Pending
            && self.event_id.as_deref() == Some(mark.event_id.as_str());
        let free = Self {
            lease_until: None,
            waiting_since: mark.at_ms,
            sent_at: if overtook {
                Some(mark.sent_at)
            } else {
                self.sent_at
            },
            ..self
        };
        let mut moved = match &mark.outcome {
            Ok(()) => Self {
                status: DeliveryStatus::Success,
                applied_at: Some(mark.at_ms),
                reason: None,
                ..free
            }
            .moved(Transition::Success, mark.at_ms, None),
            Err(reason) => Self {
                status: DeliveryStatus::Error,
                failed_at: Some(mark.at_ms),
                reason: Some(reason.clone()),
                ..free
            }
            .moved(Transition::Error, mark.at_ms, Some(reason)),
        };
        if overtook {
            let sent = Step {
                transition: Transition::Sent,
                at_ms: mark.sent_at,
                reason: None,
            };
            moved.steps.insert(0, sent);
        }
        moved
    }

    /// Opens what is done again: only of the generation that was looked at. The next claim is a further try of the same
    /// change, one millisecond newer than what the target has lost: it must win where the cursor was kept.
    pub fn reopened(self, reopening: &Reopening, now_ms: i64) -> Moved {
        if self.generation != reopening.generation || !self.status.is_done() {
            return Moved::not(self);
        }
        Self {
            status: DeliveryStatus::Pending,
            reason: Some(reopening.reason.clone()),
            event_id: None,
            lease_until: None,
            waiting_since: now_ms,
            ..self
        }
        .moved(Transition::Reopened, now_ms, Some(&reopening.reason))
    }

    fn moved(self, transition: Transition, at_ms: i64, reason: Option<&String>) -> Moved {
        let step = Step {
            transition,
            at_ms,
            reason: reason.cloned(),
        };
        Moved {
            delivery: self,
            steps: vec![step],
        }
    }

    /// The largest `ts` sent to the target, or the one that the first try will have.
    pub fn sent_ts(&self) -> i64 {
        self.last_ts.unwrap_or(self.change_ts)
    }

    /// What the target should hold, or in words why nobody knows. `record` is what the store holds, read when it is needed.
    ///
    /// # Errors
    /// A reason that may stand in a row: it says nothing of a secret.
    pub fn wanted(
        &self,
        record: impl FnOnce() -> Result<Option<DesiredRecord>, String>,
    ) -> Result<Option<DesiredRecord>, String> {
        match self.operation.ok_or("the row's operation is unknown")? {
            Operation::Delete => Ok(None),
            Operation::Create | Operation::Update => {
                let record = record()?.ok_or("the row has no secret hash")?;
                // The wire has rules only: without what cannot be read the target would let in others.
                if record.allowed_ips.has_unreadable() {
                    return Err("the row's allow-list holds what is no rule".to_owned());
                }
                Ok(Some(record))
            }
        }
    }

    /// What is said to the target, or in words why it cannot be sent. `secret` is the target's own from the inventory.
    ///
    /// # Errors
    /// A reason that may stand in a row: it says nothing of a secret.
    pub fn message(
        &self,
        target: &str,
        secret: Option<Result<auth_base::secret::Secret, String>>,
        record: impl FnOnce() -> Result<Option<DesiredRecord>, String>,
    ) -> Result<PendingMessage, String> {
        PeerName::parse(target).map_err(|error| error.to_string())?;
        let propagation_secret = secret.ok_or("the target is not in the inventory")??;
        let record = self.wanted(record)?;
        Ok(PendingMessage {
            operation: self.operation.ok_or("the row's operation is unknown")?,
            record,
            propagation_secret,
        })
    }

    /// What there is to compare with the target's store. `largest_ts` is of the whole credential.
    pub fn settled(
        &self,
        key: CredentialKey,
        largest_ts: i64,
        record: impl FnOnce() -> Result<Option<DesiredRecord>, String>,
    ) -> SettledRow {
        SettledRow {
            key,
            generation: self.generation,
            wanted: self.wanted(record),
            change_ts: self.change_ts,
            sent_ts: self.sent_ts(),
            event_id: self.event_id.clone(),
            last_ts: largest_ts.max(self.sent_ts()),
        }
    }
}

impl Moved {
    fn not(delivery: Delivery) -> Self {
        Self {
            delivery,
            steps: Vec::new(),
        }
    }
}

/// Which moments a claim looks for. A moment that lies further ahead than any honest one was written before the clock was
/// set back, and counts as long past.
#[derive(Clone, Copy, Debug)]
pub struct ClaimWindow {
    /// Whether deliveries are taken that wait for an answer too long.
    pub overdue: bool,
    /// The claimer's clock.
    pub now_ms: i64,
    /// A lease that ends later than this from now is over too. (The others are over when they end.)
    pub longest_lease_ms: i64,
    /// What waits since then or earlier is overdue.
    pub latest: i64,
    /// What waits since later is overdue too.
    pub resend_bound: i64,
}

impl ClaimWindow {
    /// What a query looks for.
    pub fn of(query: &PendingQuery) -> Self {
        let (now_ms, resend_after) = (query.now_ms, query.resend_after_ms);
        Self {
            overdue: query.overdue,
            now_ms,
            longest_lease_ms: query.lease_ms.saturating_mul(2),
            latest: now_ms.saturating_sub(resend_after),
            resend_bound: now_ms.saturating_add(resend_after.max(query.lease_ms)),
        }
    }

    fn is_overdue(&self, waiting_since: i64) -> bool {
        self.overdue && (waiting_since <= self.latest || waiting_since > self.resend_bound)
    }

    fn is_over(&self, lease_until: i64, store_now_ms: i64) -> bool {
        let bound = store_now_ms.saturating_add(self.longest_lease_ms);
        lease_until <= store_now_ms || lease_until > bound
    }
}

#[cfg(test)]
mod tests {
    use hmac_auth::allowed_ips::AllowedIps;
    use hmac_auth::credential::ClientId;
    use hmac_auth::secret_hash::SecretHash;

    use super::*;
    use crate::origin::Origin;
    use crate::peer_store::Track;

    const NOW: i64 = 1_700_000_000_000;
    const STORE: i64 = NOW - 3_600_000;

    fn key() -> CredentialKey {
        CredentialKey {
            track: Track::Http,
            client_id: ClientId::parse("client").unwrap(),
        }
    }

    fn query() -> PendingQuery {
        PendingQuery {
            now_ms: NOW,
            resend_after_ms: 60_000,
            overdue: true,
            lease_ms: 30_000,
            limit: 1,
            source: PeerName::parse("source").unwrap(),
            randoms: vec![[0; 16]],
            origin: Origin::default(),
        }
    }

    /// Claimed under the id `event`, then brought to a status by hand.
    fn delivery(status: DeliveryStatus) -> Delivery {
        let moment = Moment {
            transition: Transition::Ensured,
            generation: 7,
            change_ts: NOW,
            now_ms: NOW,
        };
        let booked = Delivery::booked(None, Some(Operation::Delete), moment);
        Delivery {
            status,
            ..booked.leased(NOW, NOW + 30_000, NOW, "event")
        }
    }

    fn sent(generation: u64, event_id: &str, outcome: Result<(), String>) -> SentMark {
        SentMark {
            key: key(),
            target: "target".to_owned(),
            generation,
            event_id: event_id.to_owned(),
            at_ms: NOW + 1,
            outcome,
        }
    }

    fn acknowledged(generation: u64, outcome: Result<(), String>) -> AckMark {
        AckMark {
            key: key(),
            target: PeerName::parse("target").unwrap(),
            generation,
            event_id: "event".to_owned(),
            sent_at: NOW,
            at_ms: NOW + 1,
            outcome,
        }
    }

    fn reopening(generation: u64) -> Reopening {
        Reopening {
            key: key(),
            target: PeerName::parse("target").unwrap(),
            generation,
            reason: "gone".to_owned(),
        }
    }

    /// Every arrow of the picture, and that there is no other.
    #[test]
    fn the_picture_has_every_arrow() {
        use DeliveryStatus::{Error, Pending, Sent, Success};
        let refused = || Err("no".to_owned());
        let after =
            |status, change: &dyn Fn(Delivery) -> Moved| change(delivery(status)).delivery.status;
        for (name, change, to) in [
            (
                "sent",
                &(|d: Delivery| d.sent(&sent(7, "event", Ok(())))) as &dyn Fn(Delivery) -> Moved,
                [Sent, Sent, Success, Error],
            ),
            (
                "not sent",
                &|d: Delivery| d.sent(&sent(7, "event", Err("no".to_owned()))),
                [Pending, Sent, Success, Error],
            ),
            (
                "applied",
                &|d: Delivery| d.acknowledged(&acknowledged(7, Ok(()))),
                [Success; 4],
            ),
            (
                "refused",
                &|d: Delivery| d.acknowledged(&acknowledged(7, Err("no".to_owned()))),
                [Error, Error, Success, Error],
            ),
            (
                "reopened",
                &|d: Delivery| d.reopened(&reopening(7), NOW),
                [Pending, Sent, Pending, Error],
            ),
        ] {
            let found = DeliveryStatus::ALL.map(|status| after(status, change));
            assert_eq!(found, to, "{name}");
        }
        for status in DeliveryStatus::ALL {
            for moved in [
                delivery(status).sent(&sent(6, "event", Ok(()))),
                delivery(status).sent(&sent(7, "another", refused())),
                delivery(status).acknowledged(&acknowledged(8, Ok(()))),
                delivery(status).reopened(&reopening(6), NOW),
            ] {
                assert_eq!(moved.delivery, delivery(status), "another's mark");
                assert!(moved.steps.is_empty());
            }
        }
    }

    /// Not even with the rules that are left: the target would hold another list than the row says.
    #[test]
    fn a_list_with_an_entry_that_is_no_rule_is_not_wanted() {
        let wanted = |rules: &[&str]| {
            let delivery = Delivery {
                operation: Some(Operation::Update),
                ..delivery(DeliveryStatus::Pending)
            };
            let record = DesiredRecord {
                secret_hash: SecretHash::parse(&"ab".repeat(32)).unwrap(),
                allowed_ips: AllowedIps::parse_lenient(rules),
                expires_at: None,
            };
            delivery.wanted(|| Ok(Some(record))).is_ok()
        };
        assert!(wanted(&[]) && wanted(&["10.0.0.0/8"]));
        assert!(!wanted(&["10/8"]) && !wanted(&["10.0.0.0/8", "10/8"]));
    }

    #[test]
    fn a_claim_is_of_what_waits_and_is_not_under_a_lease() {
        let window = ClaimWindow::of(&query());
        let due = |status, waiting_since, lease_until| {
            let delivery = Delivery {
                waiting_since,
                lease_until,
                ..delivery(status)
            };
            delivery.is_due(&window, STORE)
        };
        let (recent, overdue) = (NOW - 59_999, NOW - 60_000);
        let at = |since| DeliveryStatus::ALL.map(|status| due(status, since, None));
        assert_eq!(at(recent), [true, false, false, false]);
        assert_eq!(at(overdue), [true, true, false, true]);
        assert_eq!(at(NOW + 60_001), at(overdue), "the clock was set back");
        let leased = |until| due(DeliveryStatus::Pending, recent, Some(until));
        assert_eq!(
            [STORE, STORE + 1, STORE + 60_000, STORE + 60_001].map(leased),
            [true, false, false, true],
            "by the store's clock, whatever the claimer's says"
        );
    }
}
