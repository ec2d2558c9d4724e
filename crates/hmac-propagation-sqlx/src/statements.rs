//! The SQL of both databases, written once.

pub(crate) mod bulk;

use std::sync::LazyLock;

use hmac_propagation::delivery::{DeliveryStatus, Turn};

use crate::statements::bulk::{Bulk, Columns, Kind, insert, names, select, set, update};
use sql_link::Dialect;

const CREDENTIAL_KEY: Columns = &[("track", Kind::Name), ("client_id", Kind::Name)];
const DELIVERY_KEY: Columns = &[
    ("track", Kind::Name),
    ("client_id", Kind::Name),
    ("target_amqp_queue", Kind::Name),
];
const TARGET_KEY: Columns = &[("target_amqp_queue", Kind::Name)];

const CREDENTIAL_CONTENT: Columns = &[
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
const DELIVERY_CONTENT: Columns = &[
    ("operation", Kind::Text),
    ("secret_hash", Kind::Text),
    ("allowed_ips", Kind::Text),
    ("expires_at", Kind::Int),
    ("generation", Kind::Int),
    ("change_ts", Kind::Int),
    ("created_at", Kind::Int),
];
const DELIVERY_PROGRESS: Columns = &[
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
    ("actor", Kind::Text),
    ("request_id", Kind::Text),
];

/// Where a status stands in a condition, it stands for what [`DeliveryStatus`] says of it: an index finds the rows that may
/// be meant, and what happens to each is decided by [`hmac_propagation::delivery`].
pub(crate) struct Statements {
    /// Credential keys.
    pub(crate) lock_credentials: Bulk,
    pub(crate) lock_credential_deliveries: Bulk,
    pub(crate) credentials: Bulk,
    pub(crate) credential_deliveries: Bulk,
    /// Delivery keys.
    pub(crate) lock_deliveries: Bulk,
    /// Names.
    pub(crate) targets: Bulk,
    pub(crate) settled_deliveries: Bulk,
    /// Rows.
    pub(crate) insert_credentials: Bulk,
    pub(crate) update_credentials: Bulk,
    pub(crate) insert_deliveries: Bulk,
    pub(crate) update_deliveries: Bulk,
    pub(crate) update_delivery_progress: Bulk,
    pub(crate) insert_audit: Bulk,
    /// Credential keys with a generation.
    pub(crate) applied_locally: Bulk,
    /// One for each status; parameters: the longest lease, limit.
    pub(crate) claim_at_once: Vec<String>,
    /// One for each status; parameters: latest, resend bound, limit.
    pub(crate) claim_overdue: Vec<String>,
    pub(crate) lock_target: String,
}

static MARIADB: LazyLock<Statements> = LazyLock::new(|| Statements::write(Dialect::MariaDb));
static SQLITE: LazyLock<Statements> = LazyLock::new(|| Statements::write(Dialect::Sqlite));

/// The columns of a credential, in the order [`crate::rows::CredentialRow`] reads them.
pub(crate) fn credential_columns(alias: &str) -> String {
    names(alias, &[CREDENTIAL_KEY, CREDENTIAL_CONTENT])
}

/// The columns of a delivery, in the order [`crate::rows::DeliveryRow`] reads them.
pub(crate) fn delivery_columns(alias: &str) -> String {
    names(alias, &[DELIVERY_KEY, DELIVERY_CONTENT, DELIVERY_PROGRESS])
}

pub(crate) const CREDENTIALS: &str = "hmac_credential";
pub(crate) const DELIVERIES: &str = "hmac_credential_target";
const TARGET_COLUMNS: &str = "t.target_amqp_queue, t.propagation_secret";
/// A subquery, not a join: the inventory is not locked, and a target that is not in it hides no row.
const TARGET_SECRET: &str = "(SELECT g.propagation_secret FROM hmac_propagation_target g WHERE g.target_amqp_queue = t.target_amqp_queue)";
/// The largest `ts` that is used for the credential of a delivery `t`, for any target.
pub(crate) const LARGEST_USED: &str = "(SELECT MAX(CASE WHEN o.last_ts > o.change_ts THEN o.last_ts ELSE o.change_ts END) \
     FROM hmac_credential_target o WHERE o.track = t.track AND o.client_id = t.client_id)";
/// When a delivery's credential was accepted. With [`LARGEST_USED`] it is what [`crate::settled`] reads beside a delivery.
pub(crate) const ACCEPTED: &str = "(SELECT c.change_ts FROM hmac_credential c WHERE c.track = t.track AND c.client_id = t.client_id)";
/// Parameters: track, track, client id of the row before.
const AFTER: &str = "(t.track > ? OR (t.track = ? AND t.client_id > ?))";
const OVERDUE: &str = "t.waiting_since <= ? OR t.waiting_since > ?";

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
        let delivery = delivery_columns("t");
        let settled = format!("{delivery}, {ACCEPTED}, {LARGEST_USED}");
        let by_key = |what: &str, table: &str, key: Columns, rest: &str| {
            select(dialect, what, table, key, rest)
        };
        let claims = |turn, moments: &str| claims(dialect, turn, moments, skip);
        let now = now(dialect);
        let no_lease =
            format!("t.lease_until IS NULL OR t.lease_until <= {now} OR t.lease_until > {now} + ?");
        Self {
            lock_credentials: by_key(&credential, CREDENTIALS, CREDENTIAL_KEY, lock),
            lock_credential_deliveries: by_key(&delivery, DELIVERIES, CREDENTIAL_KEY, lock),
            credentials: by_key(&credential, CREDENTIALS, CREDENTIAL_KEY, ""),
            credential_deliveries: by_key(&delivery, DELIVERIES, CREDENTIAL_KEY, ""),
            lock_deliveries: by_key(&delivery, DELIVERIES, DELIVERY_KEY, lock),
            settled_deliveries: by_key(
                &settled,
                DELIVERIES,
                DELIVERY_KEY,
                &format!(" AND {}", is_done("t")),
            ),
            targets: by_key(TARGET_COLUMNS, "hmac_propagation_target", TARGET_KEY, ""),
            insert_credentials: insert(dialect, CREDENTIALS, &[CREDENTIAL_KEY, CREDENTIAL_CONTENT]),
            update_credentials: update(dialect, CREDENTIALS, CREDENTIAL_KEY, &[CREDENTIAL_CONTENT]),
            insert_deliveries: insert(
                dialect,
                DELIVERIES,
                &[DELIVERY_KEY, DELIVERY_CONTENT, DELIVERY_PROGRESS],
            ),
            update_deliveries: update(
                dialect,
                DELIVERIES,
                DELIVERY_KEY,
                &[DELIVERY_CONTENT, DELIVERY_PROGRESS],
            ),
            update_delivery_progress: update(
                dialect,
                DELIVERIES,
                DELIVERY_KEY,
                &[DELIVERY_PROGRESS],
            ),
            insert_audit: insert(dialect, "hmac_credential_target_audit", &[AUDIT]),
            applied_locally: applied_locally(dialect),
            claim_at_once: claims(Turn::AtOnce, &no_lease),
            claim_overdue: claims(Turn::WhenOverdue, OVERDUE),
            lock_target: format!(
                "SELECT target_amqp_queue, is_self, propagation_secret FROM hmac_propagation_target \
                 WHERE target_amqp_queue = ?{lock}"
            ),
        }
    }
}

/// The database's own clock, which all replicas share, in epoch milliseconds.
fn now(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::MariaDb => "TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(3)) DIV 1000",
        Dialect::Sqlite => "CAST(ROUND(unixepoch('subsec') * 1000) AS INTEGER)",
    }
}

/// One query for each status whose turn it is, the longest waiting first: an index has both. Beside a delivery it reads the
/// target's secret and the database's clock.
fn claims(dialect: Dialect, turn: Turn, moments: &str, skip: &str) -> Vec<String> {
    let (delivery, now) = (delivery_columns("t"), now(dialect));
    let claim = |meant: DeliveryStatus| {
        let status = has_status("t", |status| status == meant);
        format!(
            "SELECT {delivery}, {TARGET_SECRET}, {now} FROM {DELIVERIES} t WHERE {status} AND ({moments}) \
             ORDER BY t.waiting_since LIMIT ?{skip}"
        )
    };
    let statuses = DeliveryStatus::ALL.into_iter();
    let statuses = statuses.filter(|status| status.turn() == turn);
    statuses.map(claim).collect()
}

/// The condition that a row has one of these statuses.
pub(crate) fn has_status(alias: &str, is_meant: impl Fn(DeliveryStatus) -> bool) -> String {
    let statuses = DeliveryStatus::ALL.into_iter();
    let parts: Vec<String> = statuses
        .filter(|status| is_meant(*status))
        .map(|status| format!("{alias}.status = '{}'", status.as_str()))
        .collect();
    format!("({})", parts.join(" OR "))
}

/// The condition that a row is done.
pub(crate) fn is_done(alias: &str) -> String {
    has_status(alias, DeliveryStatus::is_done)
}

/// Rows of a table in the order of their credentials, after a given one. Parameters: the condition's, then [`AFTER`]'s, then
/// the limit.
pub(crate) fn page(what: &str, table: &str, condition: &str) -> String {
    format!(
        "SELECT {what} FROM {table} t WHERE {condition}{AFTER} ORDER BY t.track, t.client_id LIMIT ?"
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
