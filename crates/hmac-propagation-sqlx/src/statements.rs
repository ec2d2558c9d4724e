//! The SQL. Bulk statements take one parameter, a JSON array of rows, so that their text never changes: each is prepared
//! once a connection, whatever the number of rows.

use std::sync::LazyLock;

use crate::database::Dialect;

#[derive(Clone, Copy)]
enum Kind {
    /// Compared byte by byte: client ids, tracks, names of targets.
    Name,
    /// Any text.
    Text,
    Int,
}

type Columns = &'static [(&'static str, Kind)];

const CREDENTIAL_KEY: Columns = &[("track", Kind::Name), ("client_id", Kind::Name)];
const PIVOT_KEY: Columns =
    &[("track", Kind::Name), ("client_id", Kind::Name), ("target_amqp_queue", Kind::Name)];
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
    /// JSON of credential keys.
    pub(crate) lock_credentials: String,
    pub(crate) lock_credential_pivots: String,
    pub(crate) unfinished_credentials: String,
    pub(crate) credential_pivots: String,
    /// JSON of pivot keys.
    pub(crate) lock_pivots: String,
    /// JSON of names.
    pub(crate) targets: String,
    /// JSON of rows.
    pub(crate) insert_credentials: String,
    pub(crate) update_credentials: String,
    pub(crate) insert_pivots: String,
    pub(crate) update_pivots: String,
    pub(crate) update_pivot_progress: String,
    pub(crate) insert_audit: String,
    /// JSON of credential keys with a generation.
    pub(crate) applied_locally: String,
    /// JSON of credential keys.
    pub(crate) clear_plain: String,
    /// Parameters: now, now plus twice the lease, limit.
    pub(crate) claim_pending: String,
    /// Parameters: latest, now plus `resend_after`, limit.
    pub(crate) claim_sent: String,
    pub(crate) claim_failed: String,
    pub(crate) resync_target: String,
    pub(crate) resync_credential: String,
    pub(crate) unapplied: String,
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
        let by_key = |what: &str, table: &str, key: Columns, rest: &str| {
            let join = join(dialect, table, key);
            format!("SELECT {what} FROM {join}{rest}")
        };
        let claim = |condition: &str| {
            format!(
                "SELECT {pivot} FROM hmac_credential_target t WHERE {condition} ORDER BY t.waiting_since LIMIT ?{skip}"
            )
        };
        let overdue = |status: &str| {
            claim(&format!("t.status = '{status}' AND (t.waiting_since <= ? OR t.waiting_since > ?)"))
        };
        let not_done = " WHERE t.status <> 'success'";
        Self {
            lock_credentials: by_key(&credential, "hmac_credential", CREDENTIAL_KEY, lock),
            lock_credential_pivots: by_key(&pivot, "hmac_credential_target", CREDENTIAL_KEY, lock),
            unfinished_credentials: by_key(
                "DISTINCT t.track, t.client_id",
                "hmac_credential_target",
                CREDENTIAL_KEY,
                not_done,
            ),
            credential_pivots: by_key(&pivot, "hmac_credential_target", CREDENTIAL_KEY, ""),
            lock_pivots: by_key(&pivot, "hmac_credential_target", PIVOT_KEY, lock),
            targets: by_key(
                "t.target_amqp_queue, t.propagation_secret",
                "hmac_propagation_target",
                TARGET_KEY,
                "",
            ),
            insert_credentials: insert(dialect, "hmac_credential", &[CREDENTIAL_KEY, CREDENTIAL_CONTENT]),
            update_credentials: update(dialect, "hmac_credential", CREDENTIAL_KEY, &[CREDENTIAL_CONTENT]),
            insert_pivots: insert(
                dialect,
                "hmac_credential_target",
                &[PIVOT_KEY, PIVOT_CONTENT, PIVOT_PROGRESS],
            ),
            update_pivots: update(
                dialect,
                "hmac_credential_target",
                PIVOT_KEY,
                &[PIVOT_CONTENT, PIVOT_PROGRESS],
            ),
            update_pivot_progress: update(dialect, "hmac_credential_target", PIVOT_KEY, &[PIVOT_PROGRESS]),
            insert_audit: insert(dialect, "hmac_credential_target_audit", &[AUDIT]),
            applied_locally: applied_locally(dialect),
            clear_plain: clear_plain(dialect),
            claim_pending: claim(
                "t.status = 'pending' AND (t.lease_until IS NULL OR t.lease_until <= ? OR t.lease_until > ?)",
            ),
            claim_sent: overdue("sent"),
            claim_failed: overdue("error"),
            resync_target: resync("t.target_amqp_queue = ?"),
            resync_credential: resync("t.track = ? AND t.client_id = ?"),
            unapplied: format!(
                "SELECT {credential} FROM hmac_credential t WHERE t.unapplied_since IS NOT NULL \
                 ORDER BY t.unapplied_since LIMIT ?"
            ),
            credential_page: format!(
                "SELECT {credential} FROM hmac_credential t \
                 WHERE t.track > ? OR (t.track = ? AND t.client_id > ?) ORDER BY t.track, t.client_id LIMIT ?"
            ),
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
fn applied_locally(dialect: Dialect) -> String {
    let least = match dialect {
        Dialect::MariaDb => "LEAST",
        Dialect::Sqlite => "MIN",
    };
    let sets = format!(
        "unapplied_since = CASE WHEN j.c2 >= t.generation THEN NULL ELSE t.unapplied_since END, \
         local_generation = {least}(j.c2, t.generation)"
    );
    let columns = [CREDENTIAL_KEY, &[("generation", Kind::Int)]];
    set(dialect, "hmac_credential", CREDENTIAL_KEY, &columns, &sets) + " AND t.local_generation < j.c2"
}

fn clear_plain(dialect: Dialect) -> String {
    set(dialect, "hmac_credential", CREDENTIAL_KEY, &[CREDENTIAL_KEY], "plain_secret = NULL")
}

/// The JSON parameter as a table `j` with columns `c0`, `c1`, ...
fn source(dialect: Dialect, columns: &[Columns]) -> String {
    let columns = columns
        .iter()
        .copied()
        .flatten()
        .enumerate()
        .map(|(index, (_, kind))| match dialect {
            Dialect::MariaDb => {
                let kind = match kind {
                    Kind::Name => "VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin",
                    Kind::Text => "TEXT CHARACTER SET utf8mb4",
                    Kind::Int => "BIGINT",
                };
                format!("c{index} {kind} PATH '$[{index}]'")
            }
            Dialect::Sqlite => format!("json_extract(value, '$[{index}]') AS c{index}"),
        })
        .collect::<Vec<_>>()
        .join(", ");
    match dialect {
        Dialect::MariaDb => format!("JSON_TABLE(?, '$[*]' COLUMNS ({columns})) j"),
        Dialect::Sqlite => format!("(SELECT {columns} FROM json_each(?)) j"),
    }
}

fn on(key: Columns) -> String {
    let parts = key.iter().enumerate().map(|(index, (name, _))| format!("t.{name} = j.c{index}"));
    parts.collect::<Vec<_>>().join(" AND ")
}

fn join(dialect: Dialect, table: &str, key: Columns) -> String {
    let (source, on) = (source(dialect, &[key]), on(key));
    match dialect {
        Dialect::MariaDb => format!("{source} STRAIGHT_JOIN {table} t ON {on}"),
        Dialect::Sqlite => format!("{source} CROSS JOIN {table} t ON {on}"),
    }
}

fn insert(dialect: Dialect, table: &str, columns: &[Columns]) -> String {
    let source = source(dialect, columns);
    let count = columns.iter().copied().flatten().count();
    let values = (0..count).map(|index| format!("j.c{index}")).collect::<Vec<_>>().join(", ");
    let names = columns.iter().copied().flatten().map(|(name, _)| *name).collect::<Vec<_>>();
    format!("INSERT INTO {table} ({}) SELECT {values} FROM {source}", names.join(", "))
}

fn update(dialect: Dialect, table: &str, key: Columns, columns: &[Columns]) -> String {
    let all = [&[key], columns].concat();
    let sets = columns
        .iter()
        .copied()
        .flatten()
        .enumerate()
        .map(|(index, (name, _))| format!("{name} = j.c{}", index + key.len()))
        .collect::<Vec<_>>()
        .join(", ");
    set(dialect, table, key, &all, &sets)
}

fn set(dialect: Dialect, table: &str, key: Columns, columns: &[Columns], sets: &str) -> String {
    let (source, on) = (source(dialect, columns), on(key));
    match dialect {
        Dialect::MariaDb => format!("UPDATE {source} STRAIGHT_JOIN {table} t SET {sets} WHERE {on}"),
        Dialect::Sqlite => format!("UPDATE {table} AS t SET {sets} FROM {source} WHERE {on}"),
    }
}

fn names(alias: &str, columns: &[Columns]) -> String {
    let names = columns.iter().copied().flatten().map(|(name, _)| format!("{alias}.{name}"));
    names.collect::<Vec<_>>().join(", ")
}
