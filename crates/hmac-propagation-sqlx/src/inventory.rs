//! The inventory of targets: whom this peer may tell, and the secret each of them takes an event by.

use std::collections::HashMap;
use std::sync::LazyLock;

use auth_base::secret::Secret;
use hmac_propagation::management::{ManagementError, Operation};
use hmac_propagation::origin::Origin;
use hmac_propagation::queue::PeerName;
use serde_json::json;

use crate::database::{Bulks, Mode, Session, Value, Work};
use crate::error::SqlError;
use crate::secrets::{Place, Vault};
use crate::statements::{DELIVERIES, Statements, is_done};

const TARGET: &str = "hmac_propagation_target";
const INSERT: &str = "INSERT INTO hmac_propagation_target \
     (target_amqp_queue, propagation_secret, note, is_self, created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?)";
const UPDATE: &str = "UPDATE hmac_propagation_target \
     SET propagation_secret = ?, note = COALESCE(?, note), is_self = ?, updated_at = ? WHERE target_amqp_queue = ?";
static LIST: LazyLock<String> = LazyLock::new(|| {
    let holds = holds("p");
    format!(
        "SELECT t.target_amqp_queue, t.note, t.is_self, t.created_at, t.updated_at, \
           (SELECT COUNT(*) FROM {DELIVERIES} p WHERE p.target_amqp_queue = t.target_amqp_queue AND {holds}) \
         FROM hmac_propagation_target t ORDER BY t.target_amqp_queue"
    )
});
static HOLDERS: LazyLock<String> = LazyLock::new(|| {
    let holds = holds("t");
    format!("SELECT COUNT(*) FROM {DELIVERIES} t WHERE t.target_amqp_queue = ? AND {holds}")
});
static FIRST_HOLDERS: LazyLock<String> = LazyLock::new(|| {
    let holds = holds("t");
    format!(
        "SELECT t.track, t.client_id FROM {DELIVERIES} t WHERE t.target_amqp_queue = ? AND {holds} \
         ORDER BY t.track, t.client_id LIMIT 20"
    )
});
// A new target of the same name must not be told anything older than what this one was told.
const KEEP_TS: &str = "UPDATE hmac_credential SET change_ts = (SELECT MAX(p.last_ts) FROM hmac_credential_target p \
       WHERE p.target_amqp_queue = ? AND p.track = hmac_credential.track AND p.client_id = hmac_credential.client_id) \
     WHERE change_ts < (SELECT MAX(p.last_ts) FROM hmac_credential_target p \
       WHERE p.target_amqp_queue = ? AND p.track = hmac_credential.track AND p.client_id = hmac_credential.client_id)";
const FORGET_DELETED: &str = "DELETE FROM hmac_credential_target WHERE target_amqp_queue = ?";
// About no client: the names of one are empty, and no history of one has it.
const AUDIT: &str = "INSERT INTO hmac_credential_target_audit \
     (at_ms, track, client_id, target_amqp_queue, transition, generation, actor, request_id) VALUES (?, '', '', ?, ?, 0, ?, ?)";
const DELETE: &str = "DELETE FROM hmac_propagation_target WHERE target_amqp_queue = ?";

/// A deletion that arrived holds its target no longer.
fn holds(alias: &str) -> String {
    let (deletion, done) = (Operation::Delete.as_str(), is_done(alias));
    format!("NOT ({alias}.operation = '{deletion}' AND {done})")
}

/// The inventory could not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InventoryError {
    /// The peer's own row: it signs acknowledgements and is set by the configuration.
    #[error("target {target} is this peer itself")]
    SelfTarget {
        /// The target.
        target: String,
    },
    /// There is no such target.
    #[error("unknown target {target}")]
    UnknownTarget {
        /// The target.
        target: String,
    },
    /// Credentials are booked for the target; revoke them there first.
    #[error("target {target} has {count} booked clients")]
    TargetInUse {
        /// The target.
        target: String,
        /// How many credentials are booked for it.
        count: u64,
        /// The first 20 of them, as `track/client`.
        clients: Vec<String>,
    },
    /// The database.
    #[error(transparent)]
    Management(#[from] ManagementError),
}

/// A row of the inventory, without its secret.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Target {
    /// Its name on the broker.
    pub target_amqp_queue: String,
    /// The operator's words.
    pub note: Option<String>,
    /// Whether it is this peer's own row.
    pub is_self: bool,
    /// How many credentials are booked for it (deletions that arrived do not count).
    pub booked_clients: u64,
    /// Epoch milliseconds.
    pub created_at: i64,
    /// Epoch milliseconds.
    pub updated_at: i64,
}

/// What an upsert of a target did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub enum TargetUpserted {
    /// It is new.
    #[serde(rename = "target.create")]
    Created,
    /// It was there; its secret was replaced, and its note when one was given.
    #[serde(rename = "target.update")]
    Updated,
}

impl TargetUpserted {
    /// The word for it in the audit.
    fn as_str(self) -> &'static str {
        match self {
            Self::Created => "target.create",
            Self::Updated => "target.update",
        }
    }
}

/// Who writes a row of the inventory.
#[derive(Clone, Copy)]
pub(crate) enum Writer<'a> {
    /// The configuration, at each start; the peer's own row too. The audit does not tell of it.
    Configuration {
        /// Whether it is the peer's own row.
        is_self: bool,
    },
    /// A caller, who may not write the peer's own row.
    Caller(&'a Origin),
}

/// Writes a row of the inventory.
pub(crate) struct UpsertTarget<'a> {
    pub(crate) name: &'a PeerName,
    pub(crate) secret: &'a Secret,
    pub(crate) note: Option<&'a str>,
    pub(crate) writer: Writer<'a>,
    pub(crate) now_ms: i64,
    pub(crate) vault: &'a Vault,
}

impl Work for UpsertTarget<'_> {
    type Output = Result<TargetUpserted, InventoryError>;
    type Error = SqlError;

    async fn run(&self, session: &mut Session) -> Result<Self::Output, SqlError> {
        let name = self.name.as_str();
        let lock = &Statements::of(session.dialect()).lock_target;
        let stored = session.fetch(lock, &[Value::Text(name)]).await?;
        let was_self = match stored.first() {
            Some(row) => row.int(1, TARGET)? != 0,
            None => false,
        };
        let is_self = match self.writer {
            Writer::Caller(_) if was_self => {
                return Ok(Err(InventoryError::SelfTarget {
                    target: name.to_owned(),
                }));
            }
            Writer::Caller(_) => 0,
            Writer::Configuration { is_self } => i64::from(is_self),
        };
        let sealed = self
            .vault
            .seal(&Place::propagation_secret(name), self.secret.expose())?;
        let (sealed, note) = (Value::Text(&sealed), Value::OptionalText(self.note));
        let (is_self, now) = (Value::Int(is_self), Value::Int(self.now_ms));
        let upserted = if stored.is_empty() {
            let values = [Value::Text(name), sealed, note, is_self, now, now];
            session.execute(INSERT, &values).await?;
            TargetUpserted::Created
        } else {
            let values = [sealed, note, is_self, now, Value::Text(name)];
            session.execute(UPDATE, &values).await?;
            TargetUpserted::Updated
        };
        if let Writer::Caller(origin) = self.writer {
            audit(session, name, upserted.as_str(), self.now_ms, origin).await?;
        }
        Ok(Ok(upserted))
    }
}

/// Writes down that the inventory was changed, and who asked.
async fn audit(
    session: &mut Session,
    target: &str,
    transition: &str,
    now_ms: i64,
    origin: &Origin,
) -> Result<(), SqlError> {
    let values = [
        Value::Int(now_ms),
        Value::Text(target),
        Value::Text(transition),
        Value::OptionalText(origin.actor()),
        Value::OptionalText(origin.request_id()),
    ];
    session.execute(AUDIT, &values).await?;
    Ok(())
}

/// Deletes a row of the inventory, with the deliveries of deletions that arrived.
pub(crate) struct DeleteTarget<'a> {
    pub(crate) name: &'a str,
    pub(crate) now_ms: i64,
    pub(crate) origin: &'a Origin,
}

impl Work for DeleteTarget<'_> {
    type Output = Result<(), InventoryError>;
    type Error = SqlError;

    async fn run(&self, session: &mut Session) -> Result<Self::Output, SqlError> {
        let target = || self.name.to_owned();
        let name = Value::Text(self.name);
        let lock = &Statements::of(session.dialect()).lock_target;
        let stored = session.fetch(lock, &[name]).await?;
        let Some(row) = stored.first() else {
            return Ok(Err(InventoryError::UnknownTarget { target: target() }));
        };
        if row.int(1, TARGET)? != 0 {
            return Ok(Err(InventoryError::SelfTarget { target: target() }));
        }
        let counted = session.fetch(&HOLDERS, &[name]).await?;
        let count = match counted.first() {
            Some(row) => row.count(0, TARGET)?,
            None => 0,
        };
        if count > 0 {
            let mut clients = Vec::new();
            for row in session.fetch(&FIRST_HOLDERS, &[name]).await? {
                let (track, client) = (row.text(0, TARGET)?, row.text(1, TARGET)?);
                clients.push(format!("{track}/{client}"));
            }
            return Ok(Err(InventoryError::TargetInUse {
                target: target(),
                count,
                clients,
            }));
        }
        session.execute(KEEP_TS, &[name, name]).await?;
        session.execute(FORGET_DELETED, &[name]).await?;
        session.execute(DELETE, &[name]).await?;
        audit(
            session,
            self.name,
            "target.delete",
            self.now_ms,
            self.origin,
        )
        .await?;
        Ok(Ok(()))
    }
}

/// Reads the inventory.
pub(crate) struct ListTargets;

impl Work for ListTargets {
    type Output = Vec<Target>;
    type Error = SqlError;
    const MODE: Mode = Mode::Read;

    async fn run(&self, session: &mut Session) -> Result<Self::Output, SqlError> {
        let mut targets = Vec::new();
        for row in session.fetch(&LIST, &[]).await? {
            targets.push(Target {
                target_amqp_queue: row.text(0, TARGET)?,
                note: row.optional_text(1)?,
                is_self: row.int(2, TARGET)? != 0,
                created_at: row.int(3, TARGET)?,
                updated_at: row.int(4, TARGET)?,
                booked_clients: row.count(5, TARGET)?,
            });
        }
        Ok(targets)
    }
}

/// Opens the propagation secrets of peers; `None` where one is not in the inventory.
pub(crate) struct PeerSecrets<'a> {
    pub(crate) names: &'a [PeerName],
    pub(crate) vault: &'a Vault,
}

impl Work for PeerSecrets<'_> {
    type Output = Vec<Option<Secret>>;
    type Error = SqlError;
    const MODE: Mode = Mode::Read;

    async fn run(&self, session: &mut Session) -> Result<Self::Output, SqlError> {
        let names = self.names.iter().map(|name| vec![json!(name.as_str())]);
        let sql = &Statements::of(session.dialect()).targets;
        let rows = session.fetch_bulk(sql, &names.collect::<Vec<_>>()).await?;
        let mut secrets = HashMap::with_capacity(rows.len());
        for row in &rows {
            let (name, sealed) = (row.text(0, TARGET)?, row.text(1, TARGET)?);
            let plain = self
                .vault
                .open(&Place::propagation_secret(&name), &sealed)
                .map_err(|source| SqlError::Open {
                    what: "propagation secret",
                    source,
                })?;
            secrets.insert(name, Secret::new(plain.as_str()));
        }
        let secret = |name: &PeerName| secrets.get(name.as_str()).cloned();
        Ok(self.names.iter().map(secret).collect())
    }
}
