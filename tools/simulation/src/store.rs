//! A peer's own store with faults, watched by the oracle.

use async_trait::async_trait;
use auth_base::store_error::StoreError;
use hmac_propagation::peer_store::{
    AckResult, Applied, Apply, CredentialKey, FinalStatus, InFlight, PeerStore, Stamp, Track,
};

use crate::content::{applied, in_words};
use crate::host::Host;
use crate::invariants::Invariant;
use crate::seam::{Away, Seam};
use crate::strike::Kind;

/// One process's store.
pub struct SimStore {
    seam: Seam,
}

impl SimStore {
    /// Connects a process to its peer's store.
    pub fn new(seam: Seam) -> Self {
        Self { seam }
    }

    fn host(&self) -> &Host {
        &self.seam.host
    }

    fn away(&self) -> StoreError {
        match self.seam.world.dice.one_in(3) {
            true => StoreError::Refused(Box::new(Away)),
            false => StoreError::Unavailable(Box::new(Away)),
        }
    }

    async fn apply_one(&self, apply: &Apply) -> Result<Applied, StoreError> {
        let (host, history) = (self.host(), &self.seam.world.history);
        let world = &self.seam.world;
        if world.strikes(Kind::Store) && world.dice.one_in(world.plan.rate) {
            self.seam.note("corrupt");
            let (owner, reason) = (apply.key.client_id.to_string(), "simulated");
            return Err(StoreError::Corrupt { owner, reason });
        }
        let (before, record) = (host.cursor(&apply.key), host.record(&apply.key));
        let was_revoked = before.is_some() && record.is_none();
        let expected = applied(&apply.operation, record.as_ref());
        let mut results = host.stores().peer.apply(std::slice::from_ref(apply)).await;
        let result = results.pop().unwrap_or_else(|| Err(self.away()));
        let place = || format!("{} at {}", in_words(&apply.key), host.name);
        history.note(&self.seam.process.label, "applied", || {
            let (key, stamp) = (in_words(&apply.key), &apply.stamp);
            let what = if expected.is_some() {
                "write"
            } else {
                "delete"
            };
            format!(
                "{what} {key} under {}, {}: {result:?}",
                stamp.ts, stamp.event_id
            )
        });
        let after = host.cursor(&apply.key);
        let is_newer = before.as_ref().is_none_or(|before| apply.stamp > *before);
        if matches!(result, Ok(Applied::Written)) && !is_newer {
            let invariant = match was_revoked && expected.is_some() {
                true => Invariant::RevokedCameBack,
                false => Invariant::OlderOverwroteNewer,
            };
            history.violate(invariant, place());
        }
        history.expect(after >= before, Invariant::CursorWentBack, place);
        if is_newer && result.is_ok() {
            let in_step =
                after.as_ref() == Some(&apply.stamp) && host.record(&apply.key) == expected;
            history.expect(in_step, Invariant::CursorApartFromCredential, place);
        }
        let now_ms = history.now_ms();
        world
            .damage
            .applied(&host.name, apply, after.as_ref(), result.is_ok());
        world.oracle.applied(
            &host.name,
            &apply.key,
            after,
            host.record(&apply.key),
            now_ms,
        );
        result
    }
}

#[async_trait]
impl PeerStore for SimStore {
    fn tracks(&self) -> &[Track] {
        &[Track::Http, Track::Message]
    }

    async fn apply(&self, batch: &[Apply]) -> Vec<Result<Applied, StoreError>> {
        let call = async {
            let part = self.seam.part(Kind::Store, batch.len());
            let mut results = Vec::with_capacity(batch.len());
            for (place, apply) in batch.iter().enumerate() {
                // Which item fails says nothing about those behind it.
                let fails = part < batch.len() && place == part;
                results.push(if fails {
                    Err(self.away())
                } else {
                    self.apply_one(apply).await
                });
            }
            results
        };
        let answer = self.seam.around(Kind::Store, "store.apply", call).await;
        answer.unwrap_or_else(|Away| batch.iter().map(|_| Err(self.away())).collect())
    }

    async fn cursors(&self, keys: &[CredentialKey]) -> Result<Vec<Option<Stamp>>, StoreError> {
        let call = async { self.host().stores().peer.cursors(keys).await };
        self.seam
            .around(Kind::Store, "store.cursors", call)
            .await
            .map_err(|Away| self.away())?
    }

    async fn book(&self, events: &[InFlight]) -> Result<(), StoreError> {
        let call = async {
            let (world, part) = (&self.seam.world, self.seam.part(Kind::Store, events.len()));
            for event in &events[..part] {
                self.host()
                    .stores()
                    .peer
                    .book(std::slice::from_ref(event))
                    .await?;
                for replaced in world.oracle.booked(&self.host().name, event) {
                    let gone = self.host().in_flight(&replaced).is_none();
                    world
                        .history
                        .expect(gone, Invariant::ReplacedStays, || replaced);
                }
            }
            if part < events.len() {
                Err(self.away())
            } else {
                Ok(())
            }
        };
        self.seam
            .around(Kind::Store, "store.book", call)
            .await
            .map_err(|Away| self.away())?
    }

    async fn find(&self, event_ids: &[String]) -> Result<Vec<Option<InFlight>>, StoreError> {
        let call = async {
            let found = self.host().stores().peer.find(event_ids).await?;
            for (event_id, found) in event_ids.iter().zip(&found) {
                let world = &self.seam.world;
                let forgotten = found.is_none() && world.oracle.is_live(event_id);
                world
                    .history
                    .expect(!forgotten, Invariant::LedgerForgets, || event_id.clone());
            }
            Ok(found)
        };
        self.seam
            .around(Kind::Store, "store.find", call)
            .await
            .map_err(|Away| self.away())?
    }

    async fn complete(
        &self,
        events: &[(InFlight, AckResult)],
    ) -> Result<Vec<Option<FinalStatus>>, StoreError> {
        let call = async {
            let (world, part) = (&self.seam.world, self.seam.part(Kind::Store, events.len()));
            let mut answers = Vec::with_capacity(events.len());
            for answered in &events[..part] {
                let (host, event) = (self.host(), &answered.0);
                let known = host.in_flight(&event.event_id).is_some();
                let answer = host
                    .stores()
                    .peer
                    .complete(std::slice::from_ref(answered))
                    .await?;
                let answer = answer.into_iter().next().flatten();
                answers.push(answer);
                if !known {
                    continue;
                }
                let (meaningless, pending) =
                    world
                        .oracle
                        .completed(&host.name, answered, self.seam.process.id, answer);
                for other in meaningless {
                    let gone = host.in_flight(&other).is_none();
                    world
                        .history
                        .expect(gone, Invariant::ReplacedStays, || other);
                }
                let early = answer.is_some() && pending;
                world
                    .history
                    .expect(!early, Invariant::CompletedEarly, || event.event_id.clone());
                let kept = answer.is_none() || host.in_flight(&event.event_id).is_some();
                world
                    .history
                    .expect(kept, Invariant::LedgerForgets, || event.event_id.clone());
            }
            if part < events.len() {
                Err(self.away())
            } else {
                Ok(answers)
            }
        };
        self.seam
            .around(Kind::Store, "store.complete", call)
            .await
            .map_err(|Away| self.away())?
    }

    async fn discard(&self, events: &[InFlight]) -> Result<(), StoreError> {
        let call = async {
            let (world, part) = (&self.seam.world, self.seam.part(Kind::Store, events.len()));
            for event in &events[..part] {
                let early = world
                    .oracle
                    .awaits_mark(self.seam.process.id, &event.event_id);
                world
                    .history
                    .expect(!early, Invariant::DiscardedEarly, || event.event_id.clone());
                self.host()
                    .stores()
                    .peer
                    .discard(std::slice::from_ref(event))
                    .await?;
                world.oracle.discarded(&event.event_id);
            }
            if part < events.len() {
                Err(self.away())
            } else {
                Ok(())
            }
        };
        self.seam
            .around(Kind::Store, "store.discard", call)
            .await
            .map_err(|Away| self.away())?
    }
}
