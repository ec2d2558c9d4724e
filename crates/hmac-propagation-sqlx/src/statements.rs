//! The SQL of both databases, written once.

mod bulk;

use std::sync::LazyLock;

use crate::database::Dialect;
use crate::statements::bulk::{Columns, Kind, insert, names, select, set, update};

pub(crate) use crate::statements::bulk::{Bulk, Few};

const CREDENTIAL_KEY: Columns = &[("track", Kind::Name), ("client_id", Kind::Name)];
const PIVOT_KEY: Columns = &[
    ("track", Kind::Name),
    ("client_id", Kind::Name),
    ("target_amqp_queue", Kind::Name),
];
const TARGET_KEY: Columns = &[("target_amqp_queue", Kind::Name)];

const CREDENTIAL_CONTENT: Columns = &[
    ("plain_secret", Kind::Text),
    ("secret_hash", Kind::Text),
    ("allowed_ips", Kind::Text),
    ("expires_at", Kind::Int),
    ("revoked", Kind::Int),
    ("generation", Kind::Int),
    ("change_ts", Kind::Int),
    ("local_generation", Kind::Int),
    ("unapplied_since", Kind::Int),
    ("created_at", Kind::Int),
    ("updated_at", Kind::Int),
];
const PIVOT_CONTENT: Columns = &[
    ("operation", Kind::Text),
    ("secret_hash", Kind::Text),
    ("allowed_ips", Kind::Text),
    ("expires_at", Kind::Int),
    ("generation", Kind::Int),
    ("change_ts", Kind::Int),
    ("created_at", Kind::Int),
];
const PIVOT_PROGRESS: Columns = &[
    ("last_ts", Kind::Int),
    ("status", Kind::Text),
    ("attempt_count", Kind::Int),
    ("event_id", Kind::Text),
    ("lease_until", Kind::Int),
    ("waiting_since", Kind::Int),
    ("reason", Kind::Text),
    ("sent_at", Kind::Int),
    ("applied_at", Kind::Int),
    ("failed_at", Kind::Int),
];
const AUDIT: Columns = &[
    ("at_ms", Kind::Int),
    ("track", Kind::Name),
    ("client_id", Kind::Name),
    ("target_amqp_queue", Kind::Name),
    ("transition", Kind::Text),
    ("generation", Kind::Int),
    ("attempt_count", Kind::Int),
    ("event_id", Kind::Text),
    ("ts", Kind::Int),
    ("reason", Kind::Text),
];

/// Which rows a claim looks for, each in the order of waiting: `(now, lease bound, limit)` for pending rows and
/// `(waiting since at most, now + resend_after, limit)` for the others.
pub(crate) struct Statements {
    /// Credential keys.
    pub(crate) lock_credentials: Bulk,
    pub(crate) lock_credential_pivots: Bulk,
    pub(crate) unfinished_credentials: Bulk,
    pub(crate) credentials: Bulk,
    pub(crate) credential_pivots: Bulk,
    /// Pivot keys.
    pub(crate) lock_pivots: Bulk,
    /// Names.
    pub(crate) targets: Bulk,
    pub(crate) settled_pivots: Bulk,
    /// Rows.
    pub(crate) insert_credentials: Bulk,
    pub(crate) update_credentials: Bulk,
    pub(crate) insert_pivots: Bulk,
    pub(crate) update_pivots: Bulk,
    pub(crate) update_pivot_progress: Bulk,
    pub(crate) insert_audit: Bulk,
    /// Credential keys with a generation.
    pub(crate) applied_locally: Bulk,
    /// Credential keys.
    pub(crate) clear_plain: Bulk,
    /// Parameters: now, now plus twice the lease, limit.
    pub(crate) claim_pending: String,
    /// Parameters: latest, now plus `resend_after`, limit.
    pub(crate) claim_sent: String,
    pub(crate) claim_failed: String,
    pub(crate) resync_target: String,
    pub(crate) resync_credential: String,
    pub(crate) settled_page: String,
    pub(crate) unapplied: String,
    /// Parameter: limit.
    pub(crate) uncleared: String,
    pub(crate) settled_credentials: String,
    pub(crate) credential_page: String,
    pub(crate) credential: String,
    pub(crate) lock_target: String,
}

static MARIADB: LazyLock<Statements> = LazyLock::new(|| Statements::write(Dialect::MariaDb));
static SQLITE: LazyLock<Statements> = LazyLock::new(|| Statements::write(Dialect::Sqlite));

/// The columns of a credential, in the order [`crate::rows::CredentialRow`] reads them.
fn credential_columns(alias: &str) -> String {
    names(alias, &[CREDENTIAL_KEY, CREDENTIAL_CONTENT])
}

/// The columns of a pivot, in the order [`crate::rows::PivotRow`] reads them.
fn pivot_columns(alias: &str) -> String {
    names(alias, &[PIVOT_KEY, PIVOT_CONTENT, PIVOT_PROGRESS])
}

const CREDENTIALS: &str = "hmac_credential";
const PIVOTS: &str = "hmac_credential_target";
const TARGET_COLUMNS: &str = "t.target_amqp_queue, t.propagation_secret";
/// A subquery, not a join: the inventory is not locked, and a target that is not in it hides no row.
const TARGET_SECRET: &str = "(SELECT g.propagation_secret FROM hmac_propagation_target g WHERE g.target_amqp_queue = t.target_amqp_queue)";
/// What [`crate::settled`] reads beside a pivot.
const LARGEST_TS: &str = "(SELECT c.change_ts FROM hmac_credential c WHERE c.track = t.track AND c.client_id = t.client_id), \
     (SELECT MAX(o.last_ts) FROM hmac_credential_target o WHERE o.track = t.track AND o.client_id = t.client_id)";
/// Parameters: track, track, client id of the row before.
const AFTER: &str = "(t.track > ? OR (t.track = ? AND t.client_id > ?))";
const DONE: &str = " AND t.status = 'success'";
const NOT_DONE: &str = " AND t.status <> 'success'";
const CLAIMABLE: &str =
    "t.status = 'pending' AND (t.lease_until IS NULL OR t.lease_until <= ? OR t.lease_until > ?)";

impl Statements {
    pub(crate) fn of(dialect: Dialect) -> &'static Self {
        match dialect {
            Dialect::MariaDb => &MARIADB,
            Dialect::Sqlite => &SQLITE,
        }
    }

    fn write(dialect: Dialect) -> Self {
        let (lock, skip) = match dialect {
            Dialect::MariaDb => (" FOR UPDATE", " FOR UPDATE SKIP LOCKED"),
            Dialect::Sqlite => ("", ""),
        };
        let credential = credential_columns("t");
        let pivot = pivot_columns("t");
        let settled = format!("{pivot}, {LARGEST_TS}");
        let by_key = |what: &str, table: &str, key: Columns, rest: &str| {
            select(dialect, what, table, key, rest)
        };
        let claim = |condition: &str| {
            format!(
                "SELECT {pivot}, {TARGET_SECRET} FROM hmac_credential_target t WHERE {condition} ORDER BY t.waiting_since LIMIT ?{skip}"
            )
        };
        let overdue = |status: &str| {
            claim(&format!(
                "t.status = '{status}' AND (t.waiting_since <= ? OR t.waiting_since > ?)"
            ))
        };
        Self {
            lock_credentials: by_key(&credential, CREDENTIALS, CREDENTIAL_KEY, lock),
            lock_credential_pivots: by_key(&pivot, PIVOTS, CREDENTIAL_KEY, lock),
            unfinished_credentials: by_key("DISTINCT t.track, t.client_id", PIVOTS, CREDENTIAL_KEY, NOT_DONE),
            credentials: by_key(&credential, CREDENTIALS, CREDENTIAL_KEY, ""),
            credential_pivots: by_key(&pivot, PIVOTS, CREDENTIAL_KEY, ""),
            lock_pivots: by_key(&pivot, PIVOTS, PIVOT_KEY, lock),
            settled_pivots: by_key(&settled, PIVOTS, PIVOT_KEY, DONE),
            targets: by_key(TARGET_COLUMNS, "hmac_propagation_target", TARGET_KEY, ""),
            insert_credentials: insert(dialect, CREDENTIALS, &[CREDENTIAL_KEY, CREDENTIAL_CONTENT]),
            update_credentials: update(dialect, CREDENTIALS, CREDENTIAL_KEY, &[CREDENTIAL_CONTENT]),
            insert_pivots: insert(dialect, PIVOTS, &[PIVOT_KEY, PIVOT_CONTENT, PIVOT_PROGRESS]),
            update_pivots: update(dialect, PIVOTS, PIVOT_KEY, &[PIVOT_CONTENT, PIVOT_PROGRESS]),
            update_pivot_progress: update(dialect, PIVOTS, PIVOT_KEY, &[PIVOT_PROGRESS]),
            insert_audit: insert(dialect, "hmac_credential_target_audit", &[AUDIT]),
            applied_locally: applied_locally(dialect),
            clear_plain: clear_plain(dialect),
            claim_pending: claim(CLAIMABLE),
            claim_sent: overdue("sent"),
            claim_failed: overdue("error"),
            resync_target: resync("t.target_amqp_queue = ?"),
            resync_credential: resync("t.track = ? AND t.client_id = ?"),
            settled_page: page(&settled, PIVOTS, &format!("t.target_amqp_queue = ?{DONE} AND ")),
            settled_credentials: page(&credential, CREDENTIALS, "t.unapplied_since IS NULL AND "),
            unapplied: format!(
                "SELECT {credential} FROM hmac_credential t WHERE t.unapplied_since IS NOT NULL \
                 ORDER BY t.unapplied_since LIMIT ?"
            ),
            uncleared: "SELECT t.track, t.client_id FROM hmac_credential t WHERE t.plain_secret IS NOT NULL \
                 AND NOT EXISTS (SELECT 1 FROM hmac_credential_target p WHERE p.track = t.track \
                 AND p.client_id = t.client_id AND p.status <> 'success') LIMIT ?"
                .to_owned(),
            credential_page: page(&credential, CREDENTIALS, ""),
            credential: format!(
                "SELECT {credential} FROM hmac_credential t WHERE t.track = ? AND t.client_id = ?"
            ),
            lock_target: format!(
                "SELECT target_amqp_queue, is_self, propagation_secret FROM hmac_propagation_target \
                 WHERE target_amqp_queue = ?{lock}"
            ),
        }
    }
}

/// Rows of a table in the order of their credentials, after a given one. Parameters: the condition's, then [`AFTER`]'s, then
/// the limit.
fn page(what: &str, table: &str, condition: &str) -> String {
    format!(
        "SELECT {what} FROM {table} t WHERE {condition}{AFTER} ORDER BY t.track, t.client_id LIMIT ?"
    )
}

/// `(track, client_id, target, generation, largest ts)` after a given row. Parameters: the scope, then the row before as
/// track, track, client, track, client, target, then the limit.
fn resync(scope: &str) -> String {
    format!(
        "SELECT t.track, t.client_id, t.target_amqp_queue, t.generation, c.change_ts, \
           (SELECT MAX(o.last_ts) FROM hmac_credential_target o \
             WHERE o.track = t.track AND o.client_id = t.client_id) \
         FROM hmac_credential_target t \
         JOIN hmac_credential c ON c.track = t.track AND c.client_id = t.client_id \
         WHERE {scope} AND (t.track > ? OR (t.track = ? AND (t.client_id > ? \
           OR (t.client_id = ? AND t.target_amqp_queue > ?)))) \
         ORDER BY t.track, t.client_id, t.target_amqp_queue LIMIT ?"
    )
}

/// Raises `local_generation`, never lowers it; the mark goes when the newest change is there.
fn applied_locally(dialect: Dialect) -> Bulk {
    let least = match dialect {
        Dialect::MariaDb => "LEAST",
        Dialect::Sqlite => "MIN",
    };
    let sets = format!(
        "unapplied_since = CASE WHEN j.c2 >= t.generation THEN NULL ELSE t.unapplied_since END, \
         local_generation = {least}(j.c2, t.generation)"
    );
    let columns = [CREDENTIAL_KEY, &[("generation", Kind::Int)]];
    let set = set(dialect, "hmac_credential", CREDENTIAL_KEY, &columns, &sets);
    Bulk::json_only(set + " AND t.local_generation < j.c2")
}

fn clear_plain(dialect: Dialect) -> Bulk {
    Bulk::json_only(set(
        dialect,
        "hmac_credential",
        CREDENTIAL_KEY,
        &[CREDENTIAL_KEY],
        "plain_secret = NULL",
    ))
}
