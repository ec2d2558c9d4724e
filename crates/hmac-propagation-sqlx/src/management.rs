//! [`SqlManagement`]: the seam of [`hmac_propagation::management`] over SQL, and the operator's side of it.

use std::sync::Arc;

use async_trait::async_trait;
use auth_base::secret::Secret;
use hmac_auth::secret_hash::SecretHash;
use hmac_propagation::management::{
    Accepted, AckMark, ChangeRequest, FullyPropagated, LocalChange, Management, ManagementError,
    PendingPropagation, PendingQuery, Reopening, ResyncQuery, ResyncRow, Rotation, SentMark,
    SettledQuery, SettledRow,
};
use hmac_propagation::origin::Origin;
use hmac_propagation::peer_store::CredentialKey;
use hmac_propagation::queue::PeerName;
use secrets_at_rest::reseal::Progress;

use crate::backlog::{Backlog, CountBacklog};
use crate::change::{AcceptChanges, Rebook, Rotate};
use crate::claim::Claim;
use crate::database::{Database, Work};
use crate::error::SqlError;
use crate::inventory::{
    DeleteTarget, InventoryError, ListTargets, PeerSecrets, Target, TargetUpserted, UpsertTarget,
    Writer,
};
use crate::marks::{MarkAcknowledged, MarkPropagated, MarkSent, Reopen};
use crate::options::SqlOptions;
use crate::probe::Probe;
use crate::reseal::{COLUMNS, ResealPage, Resealed};
use crate::resync::{AppliedLocally, ResyncPage, Unapplied};
use crate::schema;
use crate::secrets::{SecretsKey, Vault};
use crate::settled::{SettledCredentials, SettledDeliveries};
use crate::state::{
    AuditEntry, CountDeliveries, CredentialView, DeliveryCounts, DeliveryView, PruneAudit,
    ReadCredentials, ReadHash, ReadHistory, ReadState, StateError, StatePage, parse_cursor,
};

/// At most this many items a transaction, so that each has a bound in time.
const ITEMS_A_TRANSACTION: usize = 1_000;
/// At most this many credentials a page of the state.
const STATE_PAGE: usize = 500;

/// The reference management store, on MariaDB (10.11 and newer) or SQLite. A clone uses the same connections.
#[derive(Clone)]
pub struct SqlManagement {
    database: Database,
    vault: Arc<Vault>,
}

impl SqlManagement {
    /// Connects and brings the schema to the newest version. `url` is `mysql://user:password@host/schema` or
    /// `sqlite:path` (the file is made when missing; `sqlite::memory:` for tests).
    ///
    /// # Errors
    /// [`ManagementError::Unavailable`] when nobody answers in time; [`ManagementError::Failed`] for a URL, a login or a
    /// schema that the database refuses, and for a schema whose tables are another program's: it is left as it is.
    pub async fn connect(
        url: &str,
        key: SecretsKey,
        options: SqlOptions,
    ) -> Result<Self, ManagementError> {
        let vault = Arc::new(Vault::new(&key, Arc::clone(&options.random)));
        let database = schema::open(url, &options).await?;
        Ok(Self { database, vault })
    }

    /// Closes the connections, waiting for what is under way within the timeout.
    pub async fn close(&self) {
        self.database.close().await;
    }

    /// Tells whether a change could be written now, without one: for a readiness probe.
    ///
    /// # Errors
    /// [`ManagementError`] of the database, one that answers and takes no writes included.
    pub async fn probe(&self) -> Result<(), ManagementError> {
        self.run(&Probe).await
    }

    /// How many statements were sent to the database so far; each is one round trip.
    pub fn statements(&self) -> u64 {
        self.database.statements()
    }

    /// Lists the inventory by name.
    ///
    /// # Errors
    /// [`ManagementError`] of the database.
    pub async fn targets(&self) -> Result<Vec<Target>, ManagementError> {
        self.run(&ListTargets).await
    }

    /// Adds a target or replaces its secret (and its note when one is given), as `origin` asked: the audit has it.
    ///
    /// # Errors
    /// [`InventoryError::SelfTarget`] for this peer's own row; [`InventoryError::Management`] of the database.
    pub async fn upsert_target(
        &self,
        name: &PeerName,
        secret: &Secret,
        note: Option<&str>,
        now_ms: i64,
        origin: &Origin,
    ) -> Result<TargetUpserted, InventoryError> {
        self.write_target(name, secret, note, Writer::Caller(origin), now_ms)
            .await
    }

    /// Writes a target from the configuration at start: the peer's own row too (`is_self`), which an operator cannot touch.
    ///
    /// # Errors
    /// [`InventoryError::Management`] of the database.
    pub async fn seed_target(
        &self,
        name: &PeerName,
        secret: &Secret,
        is_self: bool,
        note: Option<&str>,
        now_ms: i64,
    ) -> Result<TargetUpserted, InventoryError> {
        self.write_target(
            name,
            secret,
            note,
            Writer::Configuration { is_self },
            now_ms,
        )
        .await
    }

    /// Deletes a target that nothing is booked for (deletions that arrived do not count, and go with it). The name may
    /// be one that is no valid peer name. The audit has it, and who asked.
    ///
    /// # Errors
    /// [`InventoryError::SelfTarget`], [`InventoryError::UnknownTarget`], [`InventoryError::TargetInUse`] with how many
    /// clients are booked; [`InventoryError::Management`] of the database.
    pub async fn delete_target(
        &self,
        name: &str,
        now_ms: i64,
        origin: &Origin,
    ) -> Result<(), InventoryError> {
        let work = DeleteTarget {
            name,
            now_ms,
            origin,
        };
        self.run(&work).await?
    }

    /// Reads a page of at most `limit` credentials (500 at most) with their deliveries and the inventory. No secret is in
    /// it: of a hash there are its first 8 characters.
    ///
    /// # Errors
    /// [`StateError::InvalidCursor`] for a cursor that is none; [`StateError::Management`] of the database.
    pub async fn state(&self, cursor: Option<&str>, limit: usize) -> Result<StatePage, StateError> {
        let work = ReadState {
            after: cursor.map(parse_cursor).transpose()?,
            limit: limit.clamp(1, STATE_PAGE),
            vault: &self.vault,
        };
        Ok(self.run(&work).await?)
    }

    /// Reads those of the named credentials that there are, and their deliveries, without secrets as [`Self::state`] does.
    ///
    /// # Errors
    /// [`ManagementError`] of the database.
    pub async fn credentials(
        &self,
        keys: &[CredentialKey],
    ) -> Result<(Vec<CredentialView>, Vec<DeliveryView>), ManagementError> {
        let (mut credentials, mut deliveries) = (Vec::new(), Vec::new());
        for keys in keys.chunks(ITEMS_A_TRANSACTION) {
            let vault = &self.vault;
            let read = self.run(&ReadCredentials { keys, vault }).await?;
            credentials.extend(read.0);
            deliveries.extend(read.1);
        }
        Ok((credentials, deliveries))
    }

    /// Counts the deliveries of each status.
    ///
    /// # Errors
    /// [`ManagementError`] of the database.
    pub async fn counts(&self) -> Result<DeliveryCounts, ManagementError> {
        self.run(&CountDeliveries).await
    }

    /// Counts the deliveries that have not come to `success`, without reading the others.
    ///
    /// # Errors
    /// [`ManagementError`] of the database.
    pub async fn backlog(&self) -> Result<Backlog, ManagementError> {
        self.run(&CountBacklog).await
    }

    /// Reads the hash of a live credential; `None` when it is unknown or revoked.
    ///
    /// # Errors
    /// [`ManagementError`] of the database; [`ManagementError::Failed`] when the hash does not open.
    pub async fn secret_hash(
        &self,
        key: &CredentialKey,
    ) -> Result<Option<SecretHash>, ManagementError> {
        let vault = &self.vault;
        self.run(&ReadHash { key, vault }).await
    }

    /// Reads the last transitions of a credential and its deliveries, the newest first, older than the entry `before`.
    ///
    /// # Errors
    /// [`ManagementError`] of the database.
    pub async fn history(
        &self,
        key: &CredentialKey,
        before: Option<i64>,
        limit: usize,
    ) -> Result<Vec<AuditEntry>, ManagementError> {
        self.run(&ReadHistory { key, before, limit }).await
    }

    /// Deletes those of the oldest `limit` transitions that are older than `before_ms`; tells how many there were.
    ///
    /// # Errors
    /// [`ManagementError`] of the database.
    pub async fn prune_audit(&self, before_ms: i64, limit: usize) -> Result<u64, ManagementError> {
        self.run(&PruneAudit { before_ms, limit }).await
    }

    /// Seals every value with the first key of the [`SecretsKey`], whichever of its keys it is sealed with now.
    ///
    /// Peers may run on the schema meanwhile, with the same first key (one that writes with another undoes what is done here).
    /// At most 100 rows are held and locked at a time. It may be broken off and called again at any moment.
    ///
    /// # Errors
    /// [`ManagementError`] of the database; what was done until then stays done.
    pub async fn reseal(&self) -> Result<Resealed, ManagementError> {
        let mut resealed = Resealed::default();
        for column in &*COLUMNS {
            let mut progress = Progress::of(column.name);
            let done = loop {
                let work = ResealPage {
                    column,
                    after: progress.after(),
                    vault: &self.vault,
                };
                let page = self.run(&work).await?;
                if let Some(done) = progress.add(page) {
                    break done;
                }
            };
            resealed.columns.push(done);
        }
        Ok(resealed)
    }

    async fn write_target(
        &self,
        name: &PeerName,
        secret: &Secret,
        note: Option<&str>,
        writer: Writer<'_>,
        now_ms: i64,
    ) -> Result<TargetUpserted, InventoryError> {
        let vault = &self.vault;
        let work = UpsertTarget {
            name,
            secret,
            note,
            writer,
            now_ms,
            vault,
        };
        self.run(&work).await?
    }

    async fn run<W: Work<Error = SqlError>>(&self, work: &W) -> Result<W::Output, ManagementError> {
        Ok(self.database.run(work).await?)
    }
}

#[async_trait]
impl Management for SqlManagement {
    async fn upsert_credential_with_targets(
        &self,
        request: &ChangeRequest,
    ) -> Result<Accepted, ManagementError> {
        let work = AcceptChanges {
            requests: std::slice::from_ref(request),
            vault: &self.vault,
        };
        let result = self.run(&work).await?.pop();
        result.unwrap_or_else(|| Err(ManagementError::Failed("no result of the change".into())))
    }

    async fn rotate_credential_secret(
        &self,
        rotation: &Rotation,
    ) -> Result<Accepted, ManagementError> {
        let vault = &self.vault;
        self.run(&Rotate { rotation, vault }).await
    }

    async fn fetch_pending_propagations(
        &self,
        query: &PendingQuery,
    ) -> Result<Vec<PendingPropagation>, ManagementError> {
        let vault = &self.vault;
        self.run(&Claim { query, vault }).await
    }

    async fn fetch_source_propagation_secret(
        &self,
        source: &PeerName,
    ) -> Result<Option<Secret>, ManagementError> {
        let secrets = self.fetch_source_propagation_secrets(std::slice::from_ref(source));
        Ok(secrets.await?.pop().flatten())
    }

    async fn fetch_source_propagation_secrets(
        &self,
        sources: &[PeerName],
    ) -> Result<Vec<Option<Secret>>, ManagementError> {
        let (names, vault) = (sources, &self.vault);
        self.run(&PeerSecrets { names, vault }).await
    }

    async fn mark_target_sent(&self, mark: &SentMark) -> Result<(), ManagementError> {
        self.mark_targets_sent(std::slice::from_ref(mark)).await
    }

    async fn mark_target_success(&self, mark: &AckMark) -> Result<(), ManagementError> {
        let marks = std::slice::from_ref(mark);
        self.mark_targets_acknowledged(marks).await
    }

    async fn mark_target_error(&self, mark: &AckMark) -> Result<(), ManagementError> {
        self.mark_target_success(mark).await
    }

    async fn mark_credential_fully_propagated(
        &self,
        mark: &FullyPropagated,
    ) -> Result<(), ManagementError> {
        let marks = std::slice::from_ref(mark);
        self.mark_credentials_fully_propagated(marks).await
    }

    async fn resync_rows(&self, query: &ResyncQuery) -> Result<Vec<ResyncRow>, ManagementError> {
        self.run(&ResyncPage(query)).await
    }

    async fn rebook(
        &self,
        rows: &[ResyncRow],
        now_ms: i64,
        floor_ts: Option<i64>,
        origin: &Origin,
    ) -> Result<(), ManagementError> {
        for rows in rows.chunks(ITEMS_A_TRANSACTION) {
            let rebook = Rebook {
                rows,
                now_ms,
                floor_ts,
                origin,
            };
            self.run(&rebook).await?;
        }
        Ok(())
    }

    async fn settled_rows(&self, query: &SettledQuery) -> Result<Vec<SettledRow>, ManagementError> {
        let vault = &self.vault;
        self.run(&SettledDeliveries { query, vault }).await
    }

    async fn reopen(&self, rows: &[Reopening], now_ms: i64) -> Result<u64, ManagementError> {
        let mut reopened = 0;
        for rows in rows.chunks(ITEMS_A_TRANSACTION) {
            reopened += self.run(&Reopen { rows, now_ms }).await?;
        }
        Ok(reopened)
    }

    async fn settled_changes(
        &self,
        after: Option<&CredentialKey>,
        limit: usize,
    ) -> Result<Vec<SettledRow>, ManagementError> {
        let vault = &self.vault;
        self.run(&SettledCredentials {
            after,
            limit,
            vault,
        })
        .await
    }

    async fn unapplied_changes(&self, limit: usize) -> Result<Vec<LocalChange>, ManagementError> {
        let vault = &self.vault;
        self.run(&Unapplied { limit, vault }).await
    }

    async fn mark_locally_applied(
        &self,
        applied: &[(CredentialKey, u64)],
    ) -> Result<(), ManagementError> {
        for applied in applied.chunks(ITEMS_A_TRANSACTION) {
            self.run(&AppliedLocally(applied)).await?;
        }
        Ok(())
    }

    async fn upsert_credentials_with_targets(
        &self,
        requests: &[ChangeRequest],
    ) -> Vec<Result<Accepted, ManagementError>> {
        let mut results = Vec::with_capacity(requests.len());
        for requests in requests.chunks(ITEMS_A_TRANSACTION) {
            let vault = &self.vault;
            match self.run(&AcceptChanges { requests, vault }).await {
                Ok(part) => results.extend(part),
                Err(error) => {
                    let error = Arc::new(error);
                    results.extend(requests.iter().map(|_| Err(same_for_all(&error))));
                }
            }
        }
        results
    }

    async fn mark_targets_sent(&self, marks: &[SentMark]) -> Result<(), ManagementError> {
        for marks in marks.chunks(ITEMS_A_TRANSACTION) {
            self.run(&MarkSent(marks)).await?;
        }
        Ok(())
    }

    async fn mark_targets_acknowledged(&self, marks: &[AckMark]) -> Result<(), ManagementError> {
        for marks in marks.chunks(ITEMS_A_TRANSACTION) {
            self.run(&MarkAcknowledged(marks)).await?;
        }
        Ok(())
    }

    async fn mark_credentials_fully_propagated(
        &self,
        marks: &[FullyPropagated],
    ) -> Result<(), ManagementError> {
        for marks in marks.chunks(ITEMS_A_TRANSACTION) {
            self.run(&MarkPropagated(marks)).await?;
        }
        Ok(())
    }
}

/// One failure of a transaction is the failure of each of its items.
fn same_for_all(error: &Arc<ManagementError>) -> ManagementError {
    match **error {
        ManagementError::Unavailable(_) => {
            ManagementError::Unavailable(Box::new(Arc::clone(error)))
        }
        _ => ManagementError::Failed(Box::new(Arc::clone(error))),
    }
}
