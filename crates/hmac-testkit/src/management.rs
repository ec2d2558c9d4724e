//! What every [`Management`] must do; [`crate::management_cases`] makes a test of each case.
#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a conformance suite fails by panicking"
)]

pub mod changes;
pub mod claims;
pub mod marks;
pub mod order;
pub mod origins;
pub mod resync;
pub mod settled;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use auth_base::secret::Secret;
use hmac_auth::allowed_ips::AllowedIps;
use hmac_auth::credential::{Change, ClientId};
use hmac_auth::secret_hash::{SecretHash, hash_client_secret};
use hmac_propagation::delivery::DeliveryStatus;
use hmac_propagation::management::{
    Accepted, AckMark, ChangeOperation, ChangeRequest, FullyPropagated, LocalChange, Management,
    ManagementError, PendingPropagation, PendingQuery, ResyncRow, Rotation, SentMark, SettledRow,
};
use hmac_propagation::origin::Origin;
use hmac_propagation::peer_store::{CredentialKey, FinalStatus, Track};
use hmac_propagation::queue::PeerName;

/// The clock of the suite's claimers, epoch milliseconds. It is not the store's.
pub const NOW: i64 = 1_700_000_000_000;
/// [`PendingQuery::resend_after_ms`] of the suite.
pub const RESEND_AFTER: i64 = 60_000;
/// [`PendingQuery::lease_ms`] of the suite.
pub const LEASE: i64 = 30_000;

/// One source, empty but for what [`Inspect`] puts there.
pub struct Source {
    /// Two handles to its database: two replicas, where there is a server.
    pub managements: [Arc<dyn Management>; 2],
    /// What the trait does not show.
    pub inspect: Arc<dyn Inspect>,
}

/// One row as an operator would see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObservedRow {
    /// How far it has come.
    pub status: DeliveryStatus,
    /// Why it is not further.
    pub reason: Option<String>,
    /// How often it was claimed since its last change.
    pub attempts: u32,
}

/// One row of the audit as an operator would see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObservedStep {
    /// On which target; `None` is the credential itself.
    pub target: Option<String>,
    /// What happened.
    pub transition: String,
    /// Who asked for it.
    pub actor: Option<String>,
    /// In which request.
    pub request_id: Option<String>,
}

/// Reads and sets up what the trait does not show.
#[async_trait]
pub trait Inspect: Send + Sync {
    /// Adds a target to the inventory.
    async fn put_target(&self, target: &PeerName, propagation_secret: &Secret);
    /// Breaks a target with booked rows, so that they cannot be sent: its secret does not open, or it is gone.
    async fn break_target(&self, target: &PeerName);
    /// Lets so many milliseconds pass on the store's own clock, which leases are by; sets it back when negative.
    async fn pass(&self, ms: i64);
    /// One row; `None` when the credential is not booked for the target.
    async fn row(&self, key: &CredentialKey, target: &PeerName) -> Option<ObservedRow>;
    /// What the audit says of a credential and its deliveries, the oldest first.
    async fn steps(&self, key: &CredentialKey) -> Vec<ObservedStep>;
}

/// Makes a test of each case for one implementation, in a module of its name; `$make` is an expression for an empty
/// [`Source`]: `management_cases!(sqlite, source().await);`.
#[macro_export]
macro_rules! management_cases {
    ($implementation:ident, $make:expr) => {
        $crate::cases! {
            $implementation, $make, management {
                changes {
                    an_ensure_books_every_target,
                    an_ensure_without_targets_stays_local,
                    kept_parts_stay_and_cleared_ones_go,
                    unknown_targets_are_all_named_and_nothing_is_written,
                    a_subset_leaves_the_other_targets_alone,
                    a_rotation_reaches_the_booked_targets,
                    a_rotation_of_nobody_is_refused,
                    a_revoke_tells_its_targets,
                    a_revoke_of_nobody_tells_all_the_same,
                    create_or_update_is_decided_for_each_target,
                    peers_are_found_with_their_secrets,
                    a_target_named_twice_is_told_once,
                }
                order {
                    change_ts_rises_strictly,
                    client_ids_are_compared_byte_by_byte,
                    a_batch_is_accepted_in_its_order,
                    parallel_changes_are_all_counted,
                }
                origins {
                    a_change_says_who_asked,
                    each_of_a_batch_says_who_asked,
                    what_is_said_again_says_who_asked,
                    a_claim_says_who_asked_for_the_sync,
                }
                claims {
                    a_row_from_before_the_clock_was_set_back_is_claimed,
                    the_longest_waiting_comes_first,
                    a_claimed_row_is_leased,
                    replicas_whose_clocks_differ_share_the_leases,
                    a_sent_row_is_left_until_it_is_overdue,
                    a_failed_row_is_free_at_once,
                    two_claimers_never_get_the_same_row,
                    a_bad_row_blocks_nobody_and_does_not_spin,
                    a_change_frees_a_claimed_row,
                    a_claim_is_bounded,
                    a_clock_that_steps_back_stops_nothing,
                    a_row_that_cannot_be_sent_is_an_error_and_uses_no_ts,
                    a_list_that_cannot_be_read_is_not_sent,
                    a_mark_of_a_row_that_cannot_be_sent_changes_nothing,
                    a_change_waits_since_the_clock_said_so,
                    a_claimed_row_goes_to_the_back_of_the_line,
                }
                marks {
                    a_row_goes_from_pending_to_sent_to_success,
                    an_ack_may_overtake_the_sent_mark,
                    an_ack_of_another_generation_changes_nothing,
                    a_refusal_is_tried_again_and_success_stays,
                    marks_of_unknown_rows_are_no_error,
                    batches_are_the_same_as_single_marks,
                }
                resync {
                    a_resync_pages_through_everything,
                    a_resync_of_a_credential_names_its_targets,
                    a_rebooked_row_is_newer_and_means_the_same,
                    a_rebooking_of_a_replaced_row_changes_nothing,
                    unapplied_changes_are_told_until_they_are_marked,
                    an_older_local_mark_covers_nothing_newer,
                    a_rebooking_is_no_local_change,
                    rows_of_one_credential_are_rebooked_as_one_change,
                    a_rebooked_credential_keeps_its_own_moment,
                    the_longest_unapplied_change_comes_first,
                }
                settled {
                    only_what_the_target_acknowledged_is_settled,
                    settled_rows_come_in_pages_and_by_name,
                    a_settled_row_says_what_was_sent,
                    a_reopened_row_is_a_further_try,
                    a_reopening_of_another_row_changes_nothing,
                    a_reopened_row_waits_for_its_own_marks,
                    a_row_is_reopened_once,
                    a_settled_change_is_one_that_was_applied_here,
                }
            }
        }
    };
}

impl Source {
    fn management(&self) -> &dyn Management {
        &*self.managements[0]
    }

    /// Puts targets whose secret is their name with `-secret` behind it.
    async fn with_targets(self, names: &[&str]) -> Self {
        for name in names {
            let secret = Secret::new(format!("{name}-secret"));
            self.inspect.put_target(&peer(name), &secret).await;
        }
        self
    }

    async fn change(&self, request: &ChangeRequest) -> Accepted {
        let result = self
            .management()
            .upsert_credential_with_targets(request)
            .await;
        result.expect("the change is accepted")
    }

    async fn rotate(&self, key: &CredentialKey, plain: &str, now_ms: i64) -> Accepted {
        let result = self
            .management()
            .rotate_credential_secret(&rotation(key, plain, now_ms))
            .await;
        result.expect("the rotation is accepted")
    }

    async fn claim(&self, now_ms: i64) -> Vec<PendingPropagation> {
        self.claim_some(now_ms, 100).await
    }

    async fn claim_some(&self, now_ms: i64, limit: usize) -> Vec<PendingPropagation> {
        let claimed = self
            .management()
            .fetch_pending_propagations(&query(now_ms, limit))
            .await;
        claimed.expect("the claim")
    }

    /// Claims the one row there is.
    async fn claim_one(&self, now_ms: i64) -> PendingPropagation {
        let mut claimed = self.claim(now_ms).await;
        assert_eq!(claimed.len(), 1, "{claimed:?}");
        claimed.remove(0)
    }

    async fn sent(&self, row: &PendingPropagation, at_ms: i64) {
        self.management()
            .mark_target_sent(&sent(row, at_ms, Ok(())))
            .await
            .expect("the mark");
    }

    async fn acknowledge(&self, row: &PendingPropagation, at_ms: i64) {
        let mark = acknowledged(row, at_ms, Ok(()));
        self.management()
            .mark_target_success(&mark)
            .await
            .expect("the mark");
    }

    /// Sends rows and books their answers, all at one moment.
    async fn settle(&self, rows: &[PendingPropagation], at_ms: i64) {
        for row in rows {
            self.sent(row, at_ms).await;
            self.acknowledge(row, at_ms).await;
        }
    }

    /// A credential on `a` and `b`, and a revocation on `a`, of which every row is acknowledged; answers the rows as they were claimed.
    async fn settled_pair(
        &self,
        key: &CredentialKey,
        gone: &CredentialKey,
    ) -> Vec<PendingPropagation> {
        self.change(&ensure(key, "plain", &["a", "b"], NOW)).await;
        self.change(&revoke(gone, &["a"], NOW)).await;
        let rows = self.claim(NOW).await;
        self.settle(&rows, NOW).await;
        rows
    }

    async fn unapplied(&self, most: usize) -> Vec<LocalChange> {
        let changes = self.management().unapplied_changes(most).await;
        changes.expect("changes")
    }

    async fn applied_locally(&self, changes: &[(CredentialKey, u64)]) {
        let marked = self.management().mark_locally_applied(changes).await;
        marked.expect("marked");
    }

    /// With a `ts` of now, or what must be.
    async fn rebook(&self, rows: &[ResyncRow], now_ms: i64) {
        let rebooked = self
            .management()
            .rebook(rows, now_ms, Some(now_ms - 1), &Origin::default())
            .await;
        rebooked.expect("rebooked");
    }

    async fn settled_changes(&self, after: Option<&CredentialKey>, most: usize) -> Vec<SettledRow> {
        let changes = self.management().settled_changes(after, most).await;
        changes.expect("changes")
    }

    async fn refuse(&self, row: &PendingPropagation, at_ms: i64, reason: &str) {
        let mark = acknowledged(row, at_ms, Err(reason.to_owned()));
        self.management()
            .mark_target_error(&mark)
            .await
            .expect("the mark");
    }

    async fn fully(&self, key: &CredentialKey, status: FinalStatus) {
        let mark = FullyPropagated {
            key: key.clone(),
            status,
            at_ms: NOW,
        };
        self.management()
            .mark_credential_fully_propagated(&mark)
            .await
            .expect("the mark");
    }

    async fn status(&self, key: &CredentialKey, target: &str) -> DeliveryStatus {
        self.row(key, target).await.status
    }

    async fn row(&self, key: &CredentialKey, target: &str) -> ObservedRow {
        let row = self.inspect.row(key, &peer(target)).await;
        row.unwrap_or_else(|| panic!("no row of {key:?} for {target}"))
    }
}

fn http(client_id: &str) -> CredentialKey {
    CredentialKey {
        track: Track::Http,
        client_id: ClientId::parse(client_id).expect("a client id"),
    }
}

fn peer(name: &str) -> PeerName {
    PeerName::parse(name).expect("a peer name")
}

fn peers(names: &[&str]) -> Vec<PeerName> {
    names.iter().map(|name| peer(name)).collect()
}

fn hash(plain: &str) -> SecretHash {
    hash_client_secret(&Secret::new(plain), None)
}

fn ensure(key: &CredentialKey, plain: &str, targets: &[&str], now_ms: i64) -> ChangeRequest {
    ensure_with(key, plain, targets, now_ms, Change::Keep, Change::Keep)
}

fn ensure_with(
    key: &CredentialKey,
    plain: &str,
    targets: &[&str],
    now_ms: i64,
    rules: Change<&[&str]>,
    expires_at: Change<Option<i64>>,
) -> ChangeRequest {
    let allowed_ips = match rules {
        Change::Keep => Change::Keep,
        Change::Set(rules) => Change::Set(AllowedIps::parse(rules).expect("rules")),
    };
    let operation = ChangeOperation::Ensure {
        secret_hash: hash(plain),
        allowed_ips,
        expires_at,
    };
    ChangeRequest {
        key: key.clone(),
        operation,
        targets: peers(targets),
        now_ms,
        floor_ts: None,
        origin: Origin::default(),
    }
}

fn revoke(key: &CredentialKey, targets: &[&str], now_ms: i64) -> ChangeRequest {
    ChangeRequest {
        key: key.clone(),
        operation: ChangeOperation::Revoke,
        targets: peers(targets),
        now_ms,
        floor_ts: None,
        origin: Origin::default(),
    }
}

fn rotation(key: &CredentialKey, plain: &str, now_ms: i64) -> Rotation {
    Rotation {
        key: key.clone(),
        secret_hash: hash(plain),
        now_ms,
        floor_ts: None,
        origin: Origin::default(),
    }
}

fn query(now_ms: i64, limit: usize) -> PendingQuery {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let random = |_| u128::from(NEXT.fetch_add(1, Ordering::Relaxed)).to_be_bytes();
    PendingQuery {
        now_ms,
        resend_after_ms: RESEND_AFTER,
        overdue: true,
        lease_ms: LEASE,
        limit,
        source: peer("source"),
        randoms: (0..limit).map(random).collect(),
        origin: Origin::default(),
    }
}

fn sent(row: &PendingPropagation, at_ms: i64, outcome: Result<(), String>) -> SentMark {
    SentMark {
        key: row.key.clone(),
        target: row.target.clone(),
        generation: row.generation,
        event_id: row.event_id.clone(),
        at_ms,
        outcome,
    }
}

fn acknowledged(row: &PendingPropagation, at_ms: i64, outcome: Result<(), String>) -> AckMark {
    AckMark {
        key: row.key.clone(),
        target: peer(&row.target),
        generation: row.generation,
        event_id: row.event_id.clone(),
        sent_at: at_ms,
        at_ms,
        outcome,
    }
}

/// What a claimed row carries: the operation's name, and for a write the hash, rules and expiry.
type Content = (&'static str, Option<(String, Vec<String>, Option<i64>)>);

fn content(row: &PendingPropagation) -> Content {
    let message = row.message.as_ref().expect("a row that can be sent");
    let record = message.record.as_ref().map(|record| {
        let rules = record.allowed_ips.rules().to_vec();
        (
            record.secret_hash.expose().to_owned(),
            rules,
            record.expires_at,
        )
    });
    (message.operation.as_str(), record)
}

fn is_unknown_client<T>(result: &Result<T, ManagementError>) -> bool {
    matches!(result, Err(ManagementError::UnknownClient { .. }))
}
