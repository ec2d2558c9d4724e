//! A source's database with faults, watched by the oracle.

use std::time::Duration;

use async_trait::async_trait;
use auth_base::secret::Secret;
use hmac_propagation::delivery::DeliveryStatus;
use hmac_propagation::management::{
    Accepted, AckMark, ChangeRequest, FullyPropagated, LocalChange, Management, ManagementError,
    PendingPropagation, PendingQuery, Reopening, ResyncQuery, ResyncRow, Rotation, SentMark,
    SettledQuery, SettledRow,
};
use hmac_propagation::memory::MemoryManagement;
use hmac_propagation::memory::management::DeliveryView;
use hmac_propagation::origin::Origin;
use hmac_propagation::peer_store::CredentialKey;
use hmac_propagation::queue::PeerName;
use tokio::time::sleep;

use crate::content::{desired, in_words};
use crate::damage::LOOKED_WITHIN_MS;
use crate::driver;
use crate::host::Host;
use crate::invariants::Invariant;
use crate::oracle::RowName;
use crate::resyncs::Resyncs;
use crate::seam::{Away, Seam};
use crate::strike::Kind;

/// One process's database.
pub struct SimManagement {
    seam: Seam,
    resyncs: Resyncs,
}

impl SimManagement {
    /// Connects a process to its peer's database.
    pub fn new(seam: Seam) -> Self {
        Self {
            seam,
            resyncs: Resyncs::default(),
        }
    }

    fn host(&self) -> &Host {
        &self.seam.host
    }

    fn inner(&self) -> Result<&MemoryManagement, ManagementError> {
        self.host().management.as_ref().ok_or_else(|| self.away())
    }

    fn away(&self) -> ManagementError {
        match self.seam.world.dice.one_in(3) {
            true => ManagementError::Failed(Box::new(Away)),
            false => ManagementError::Unavailable(Box::new(Away)),
        }
    }

    async fn call<T>(
        &self,
        what: &'static str,
        call: impl Future<Output = Result<T, ManagementError>>,
    ) -> Result<T, ManagementError> {
        self.seam
            .around(Kind::Management, what, call)
            .await
            .map_err(|Away| self.away())?
    }

    fn name(&self, key: &CredentialKey, target: &PeerName) -> RowName {
        (self.host().name.clone(), key.clone(), target.clone())
    }

    async fn accept_one(&self, request: &ChangeRequest) -> Result<Accepted, ManagementError> {
        let accepted = self
            .inner()?
            .upsert_credential_with_targets(request)
            .await?;
        let content = desired(accepted.record.as_ref());
        let rows = request
            .targets
            .iter()
            .map(|target| (target.clone(), content.clone()));
        let (world, source) = (&self.seam.world, &self.host().name);
        world.oracle.accepted(
            &world.history,
            source,
            &request.key,
            &accepted,
            request.floor_ts,
            rows,
        );
        Ok(accepted)
    }

    /// The row as it is.
    fn delivery(&self, name: &RowName) -> Result<Option<DeliveryView>, ManagementError> {
        Ok(self.inner()?.delivery(&name.1, &name.2))
    }

    async fn sent_one(&self, mark: &SentMark) -> Result<(), ManagementError> {
        let Ok(target) = PeerName::parse(&mark.target) else {
            return self.inner()?.mark_target_sent(mark).await;
        };
        let (world, name) = (&self.seam.world, self.name(&mark.key, &target));
        let before = self.delivery(&name)?;
        self.inner()?.mark_target_sent(mark).await?;
        if mark.outcome.is_ok() {
            let confirmed = world.oracle.is_confirmed(&mark.event_id);
            let place = || describe(&name);
            world
                .history
                .expect(confirmed, Invariant::SentWithoutConfirm, place);
        }
        let sent_at = mark.outcome.is_ok().then_some(mark.at_ms);
        world.oracle.marked(&name, &mark.event_id, sent_at);
        self.compare(before, &name)
    }

    async fn answered_one(&self, mark: &AckMark) -> Result<(), ManagementError> {
        let name = self.name(&mark.key, &mark.target);
        let before = self.delivery(&name)?;
        match mark.outcome {
            Ok(()) => self.inner()?.mark_target_success(mark).await?,
            Err(_) => self.inner()?.mark_target_error(mark).await?,
        }
        let oracle = &self.seam.world.oracle;
        oracle.answered(&name, mark.generation, mark.at_ms);
        self.compare(before, &name)
    }

    /// Looks at what a mark did to a row.
    fn compare(&self, before: Option<DeliveryView>, name: &RowName) -> Result<(), ManagementError> {
        let world = &self.seam.world;
        let change = |row: DeliveryView| (row.generation, row.status);
        let (was, is) = (before.map(change), self.delivery(name)?.map(change));
        let succeeded =
            |row: &Option<(u64, DeliveryStatus)>| row.is_some_and(|(_, status)| status.is_done());
        if succeeded(&was) && was != is {
            world
                .history
                .violate(Invariant::SuccessWithdrawn, describe(name));
        }
        if succeeded(&is) && was != is {
            let change_ts = world.oracle.row(name).and_then(|row| row.change_ts);
            let slot = (name.2.clone(), name.1.clone());
            let has_it = change_ts.is_some_and(|ts| world.damage.has_reached(&slot, ts));
            world
                .history
                .expect(has_it, Invariant::SuccessWithoutTheChange, || {
                    describe(name)
                });
        }
        Ok(())
    }

    /// What is opened again may change at that very moment, and come to success before it is.
    async fn meet_a_change(&self, rows: &[Reopening]) {
        let world = &self.seam.world;
        if let Some(row) = rows
            .first()
            .filter(|_| world.strikes(Kind::View) && world.dice.one_in(4))
        {
            driver::rotate(world, &self.host().name, &row.key);
            sleep(Duration::from_millis(world.dice.between(20, 250))).await;
        } else {
            world.dawdle().await;
        }
    }

    /// Only what has drifted is sent again, and only the change that was looked at.
    fn watch_reopened(
        &self,
        before: Option<DeliveryView>,
        row: &Reopening,
    ) -> Result<(), ManagementError> {
        let (world, name) = (&self.seam.world, self.name(&row.key, &row.target));
        let settled = |row: &DeliveryView| row.status.is_done();
        let still = self.delivery(&name)?.is_some_and(|row| settled(&row));
        let Some(was) = before.filter(settled).filter(|_| !still) else {
            return Ok(());
        };
        let now_ms = world.history.now_ms();
        world
            .history
            .note(&self.seam.process.label, "reopened", || describe(&name));
        let slot = (row.target.clone(), row.key.clone());
        let caused = world.oracle.row(&name).is_some_and(|known| {
            let id = self.seam.process.id;
            world.damage.has_cause(id, &slot, &known, now_ms)
        });
        let overtaken =
            world
                .oracle
                .is_overtaken(&name.0, &row.key, now_ms.saturating_sub(LOOKED_WITHIN_MS));
        let caused = caused && was.generation == row.generation && !overtaken;
        world
            .history
            .expect(caused, Invariant::DriftWithoutCause, || describe(&name));
        world.oracle.reopened(&name);
        Ok(())
    }

    async fn propagated_one(&self, mark: &FullyPropagated) -> Result<(), ManagementError> {
        self.inner()?.mark_credential_fully_propagated(mark).await?;
        let oracle = &self.seam.world.oracle;
        oracle.propagated(self.seam.process.id, &mark.key);
        Ok(())
    }

    fn part(&self, items: usize) -> usize {
        self.seam.part(Kind::Management, items)
    }

    fn rest(&self, part: usize, items: usize) -> Result<(), ManagementError> {
        (part >= items).then_some(()).ok_or_else(|| self.away())
    }
}

/// A row in words.
pub fn describe((source, key, target): &RowName) -> String {
    format!("{} of {source} for {target}", key.client_id)
}

#[async_trait]
impl Management for SimManagement {
    async fn upsert_credential_with_targets(
        &self,
        request: &ChangeRequest,
    ) -> Result<Accepted, ManagementError> {
        self.call("sql.request", self.accept_one(request)).await
    }

    async fn upsert_credentials_with_targets(
        &self,
        requests: &[ChangeRequest],
    ) -> Vec<Result<Accepted, ManagementError>> {
        let call = async {
            let part = self.part(requests.len());
            let mut results = Vec::with_capacity(requests.len());
            for (place, request) in requests.iter().enumerate() {
                let fails = part < requests.len() && place == part;
                results.push(if fails {
                    Err(self.away())
                } else {
                    self.accept_one(request).await
                });
            }
            results
        };
        let answer = self
            .seam
            .around(Kind::Management, "sql.requests", call)
            .await;
        answer.unwrap_or_else(|Away| requests.iter().map(|_| Err(self.away())).collect())
    }

    async fn rotate_credential_secret(
        &self,
        rotation: &Rotation,
    ) -> Result<Accepted, ManagementError> {
        let call = async {
            let accepted = self.inner()?.rotate_credential_secret(rotation).await?;
            let (world, source) = (&self.seam.world, &self.host().name);
            let rows = world
                .oracle
                .renewed(source, &rotation.key, rotation.secret_hash.expose());
            let (key, floor_ts) = (&rotation.key, rotation.floor_ts);
            world.oracle.accepted(
                &world.history,
                source,
                key,
                &accepted,
                floor_ts,
                rows.into_iter(),
            );
            Ok(accepted)
        };
        self.call("sql.rotate", call).await
    }

    async fn fetch_pending_propagations(
        &self,
        query: &PendingQuery,
    ) -> Result<Vec<PendingPropagation>, ManagementError> {
        let call = async {
            let claims = self.inner()?.fetch_pending_propagations(query).await?;
            let world = &self.seam.world;
            let calm = world.plan.is_calm() && !world.damage.is_any();
            world
                .oracle
                .claimed(&world.history, self.host(), query, &claims, calm);
            for claim in &claims {
                world.history.note(&self.seam.process.label, "claimed", || {
                    let (client, generation) = (in_words(&claim.key), claim.generation);
                    let (target, attempt) = (&claim.target, claim.attempt);
                    format!(
                        "{client} for {target}, change {generation}, try {attempt}, {}",
                        claim.event_id
                    )
                });
            }
            Ok(claims)
        };
        self.call("sql.claim", call).await
    }

    async fn fetch_source_propagation_secret(
        &self,
        source: &PeerName,
    ) -> Result<Option<Secret>, ManagementError> {
        let call = async { self.inner()?.fetch_source_propagation_secret(source).await };
        self.call("sql.secret", call).await
    }

    async fn fetch_source_propagation_secrets(
        &self,
        sources: &[PeerName],
    ) -> Result<Vec<Option<Secret>>, ManagementError> {
        let call = async {
            self.inner()?
                .fetch_source_propagation_secrets(sources)
                .await
        };
        self.call("sql.secrets", call).await
    }

    async fn mark_target_sent(&self, mark: &SentMark) -> Result<(), ManagementError> {
        self.call("sql.sent", self.sent_one(mark)).await
    }

    async fn mark_targets_sent(&self, marks: &[SentMark]) -> Result<(), ManagementError> {
        let call = async {
            let part = self.part(marks.len());
            for mark in &marks[..part] {
                self.sent_one(mark).await?;
            }
            self.rest(part, marks.len())
        };
        self.call("sql.sent", call).await
    }

    async fn mark_target_success(&self, mark: &AckMark) -> Result<(), ManagementError> {
        self.call("sql.success", self.answered_one(mark)).await
    }

    async fn mark_target_error(&self, mark: &AckMark) -> Result<(), ManagementError> {
        self.call("sql.error", self.answered_one(mark)).await
    }

    async fn mark_targets_acknowledged(&self, marks: &[AckMark]) -> Result<(), ManagementError> {
        let call = async {
            let part = self.part(marks.len());
            for mark in &marks[..part] {
                self.answered_one(mark).await?;
            }
            self.rest(part, marks.len())
        };
        self.call("sql.acknowledged", call).await
    }

    async fn mark_credential_fully_propagated(
        &self,
        mark: &FullyPropagated,
    ) -> Result<(), ManagementError> {
        self.call("sql.propagated", self.propagated_one(mark)).await
    }

    async fn mark_credentials_fully_propagated(
        &self,
        marks: &[FullyPropagated],
    ) -> Result<(), ManagementError> {
        let call = async {
            let part = self.part(marks.len());
            for mark in &marks[..part] {
                self.propagated_one(mark).await?;
            }
            self.rest(part, marks.len())
        };
        self.call("sql.propagated", call).await
    }

    async fn resync_rows(&self, query: &ResyncQuery) -> Result<Vec<ResyncRow>, ManagementError> {
        let call = async {
            let rows = self.inner()?.resync_rows(query).await?;
            self.resyncs
                .read(&self.seam.world, &self.host().name, &rows);
            Ok(rows)
        };
        self.call("sql.resync", call).await
    }

    async fn rebook(
        &self,
        rows: &[ResyncRow],
        now_ms: i64,
        floor_ts: Option<i64>,
        origin: &Origin,
    ) -> Result<(), ManagementError> {
        let call = async {
            let (world, source) = (&self.seam.world, &self.host().name);
            self.resyncs.rebooked(world, source, rows);
            self.inner()?.rebook(rows, now_ms, floor_ts, origin).await?;
            world
                .oracle
                .rebooked(source, rows, &self.inner()?.deliveries());
            Ok(())
        };
        self.call("sql.rebook", call).await
    }

    async fn settled_rows(&self, query: &SettledQuery) -> Result<Vec<SettledRow>, ManagementError> {
        let call = async { self.inner()?.settled_rows(query).await };
        self.call("sql.settled rows", call).await
    }

    async fn reopen(&self, rows: &[Reopening], now_ms: i64) -> Result<u64, ManagementError> {
        self.meet_a_change(rows).await;
        let call = async {
            let name = |row: &Reopening| self.name(&row.key, &row.target);
            let before = rows.iter().map(|row| self.delivery(&name(row)));
            let before = before.collect::<Result<Vec<_>, _>>()?;
            let reopened = self.inner()?.reopen(rows, now_ms).await?;
            for (row, before) in rows.iter().zip(before) {
                self.watch_reopened(before, row)?;
            }
            Ok(reopened)
        };
        self.call("sql.reopen", call).await
    }

    async fn settled_changes(
        &self,
        after: Option<&CredentialKey>,
        limit: usize,
    ) -> Result<Vec<SettledRow>, ManagementError> {
        let call = async { self.inner()?.settled_changes(after, limit).await };
        self.call("sql.settled changes", call).await
    }

    async fn unapplied_changes(&self, limit: usize) -> Result<Vec<LocalChange>, ManagementError> {
        let call = async { self.inner()?.unapplied_changes(limit).await };
        self.call("sql.unapplied", call).await
    }

    async fn mark_locally_applied(
        &self,
        applied: &[(CredentialKey, u64)],
    ) -> Result<(), ManagementError> {
        let call = async {
            let (world, host) = (&self.seam.world, self.host());
            for (key, generation) in applied {
                let accepted = world.oracle.credential(&host.name, key);
                let covered = accepted.filter(|accepted| *generation >= accepted.generation);
                let holds = covered.is_none_or(|accepted| {
                    let slot = (host.name.clone(), key.clone());
                    world.damage.has_reached(&slot, accepted.change_ts)
                });
                let place = || format!("{} at {}", in_words(key), host.name);
                world
                    .history
                    .expect(holds, Invariant::OwnStoreForgotten, place);
            }
            self.inner()?.mark_locally_applied(applied).await
        };
        self.call("sql.locally applied", call).await
    }
}
