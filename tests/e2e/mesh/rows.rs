//! What a full-mode peer's schema holds, read directly.

use sqlx::mysql::MySqlConnection;
use sqlx::{Connection, Executor, Row as _};

use super::environment::Peer;
use super::{Mesh, until};

/// One row of the pivot: a client on a target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    /// Whose credential.
    pub(crate) client: String,
    /// The target.
    pub(crate) target: String,
    /// `pending`, `sent`, `success` or `error`.
    pub(crate) status: String,
    /// Why, for an error.
    pub(crate) reason: Option<String>,
    /// How often it was sent.
    pub(crate) attempts: i64,
}

impl Mesh {
    /// Connects to a full-mode peer's schema.
    pub(crate) async fn sql(&self, peer: Peer) -> Result<MySqlConnection, String> {
        let url = self
            .node(peer)
            .database
            .as_deref()
            .expect("a full-mode peer");
        MySqlConnection::connect(url)
            .await
            .map_err(|error| error.to_string())
    }

    /// All rows of a full-mode peer.
    pub(crate) async fn rows(&self, peer: Peer) -> Result<Vec<Row>, String> {
        const ROWS: &str = "SELECT client_id, target_amqp_queue, status, reason, attempt_count \
                            FROM hmac_credential_target ORDER BY client_id, target_amqp_queue";
        let mut connection = self.sql(peer).await?;
        let rows = sqlx::query(ROWS)
            .fetch_all(&mut connection)
            .await
            .map_err(|error| error.to_string())?;
        connection
            .close()
            .await
            .map_err(|error| error.to_string())?;
        let rows = rows.iter().map(|row| Row {
            client: row.get(0),
            target: row.get(1),
            status: row.get(2),
            reason: row.get(3),
            attempts: row.get(4),
        });
        Ok(rows.collect())
    }

    /// Waits until a full-mode peer has `count` rows, all of them `success`.
    pub(crate) async fn until_success(&self, peer: Peer, count: usize) {
        until(
            &format!("all {count} rows of {} are success", peer.name()),
            async || {
                let rows = self.rows(peer).await?;
                let open: Vec<&Row> = rows.iter().filter(|row| row.status != "success").collect();
                match (rows.len() == count, open.first()) {
                    (true, None) => Ok(()),
                    (_, first) => Err(format!(
                        "{} rows, {} not success, such as {first:?}",
                        rows.len(),
                        open.len()
                    )),
                }
            },
        )
        .await;
    }

    /// Waits until the only row of a client at a full-mode peer is as it is wanted.
    pub(crate) async fn until_row(&self, peer: Peer, client: &str, wanted: impl Fn(&Row) -> bool) {
        until(&format!("the row of {client} is as wanted"), async || {
            let rows = self.rows(peer).await?;
            let row = rows.iter().find(|row| row.client == client);
            if row.is_some_and(&wanted) {
                Ok(())
            } else {
                Err(format!("{row:?}"))
            }
        })
        .await;
    }

    /// Waits until so many rows of a full-mode peer, or more, wait for something.
    pub(crate) async fn until_open(&self, peer: Peer, count: usize) {
        until(
            &format!("{count} rows of {} wait", peer.name()),
            async || {
                let open = self
                    .rows(peer)
                    .await?
                    .iter()
                    .filter(|row| row.status != "success")
                    .count();
                if open >= count {
                    Ok(())
                } else {
                    Err(format!("{open} do"))
                }
            },
        )
        .await;
    }

    /// Waits until a peer has booked that its own store holds all its changes: one that is stopped before writes them again.
    pub(crate) async fn until_booked_as_applied(&self, peer: Peer) {
        const COUNT: &str =
            "SELECT COUNT(*) FROM hmac_credential WHERE unapplied_since IS NOT NULL";
        let what = format!("{} has booked what its own store holds", peer.name());
        until(&what, async || {
            let mut connection = self.sql(peer).await?;
            let count = sqlx::query_scalar(COUNT).fetch_one(&mut connection).await;
            match count.map_err(|error| error.to_string())? {
                0_i64 => Ok(()),
                left => Err(format!("{left} are left")),
            }
        })
        .await;
    }

    /// Everything in a peer's schema, as one text.
    pub(crate) async fn sql_dump(&self, peer: Peer) -> String {
        let mut connection = self.sql(peer).await.expect("SQL");
        let mut dump = String::new();
        for (table, columns) in [
            (
                "hmac_credential",
                "client_id, IFNULL(plain_secret,'none'), secret_hash, allowed_ips",
            ),
            (
                "hmac_propagation_target",
                "target_amqp_queue, propagation_secret, note",
            ),
            (
                "hmac_credential_target",
                "client_id, secret_hash, allowed_ips, reason",
            ),
            (
                "hmac_credential_target_audit",
                "client_id, transition, event_id, reason",
            ),
        ] {
            // As bytes: the columns have collations of their own.
            let columns = columns.replace(", ", " AS BINARY), CAST(");
            let query = format!("SELECT CONCAT_WS('|', CAST({columns} AS BINARY)) FROM {table}");
            let rows = sqlx::query_scalar::<_, Vec<u8>>(sqlx::AssertSqlSafe(query))
                .fetch_all(&mut connection);
            for row in rows.await.expect("a table") {
                dump.push_str(&String::from_utf8_lossy(&row));
                dump.push('\n');
            }
        }
        dump
    }
}

/// Drops the schema of a URL; what cannot be dropped stays with its server.
pub(super) async fn drop_schema(url: &str) {
    let Ok(mut connection) = MySqlConnection::connect(url).await else {
        return;
    };
    let Some(name) = url.rsplit('/').next() else {
        return;
    };
    let _ = connection
        .execute(sqlx::AssertSqlSafe(format!(
            "DROP DATABASE IF EXISTS `{name}`"
        )))
        .await;
}
