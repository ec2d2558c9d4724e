//! Fresh databases, and a way to look into them behind the store's back.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use hmac_auth::credential::ClientId;
use hmac_propagation::management::{ChangeOperation, ChangeRequest};
use hmac_propagation::origin::Origin;
use hmac_propagation::peer_store::{CredentialKey, Track};
use hmac_propagation::queue::PeerName;
use hmac_propagation_sqlx::{SecretsKey, SqlManagement, SqlOptions};
use hmac_testkit::management::NOW;
use sqlx::{AssertSqlSafe, Connection, MySqlConnection, Row, SqliteConnection};

/// Makes a test of each function for each kind of database.
macro_rules! on_both {
    ($($test:ident => $mariadb:ident, $sqlite:ident;)*) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $mariadb() {
            $test($crate::databases::Databases::mariadb().await).await;
        }

        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $sqlite() {
            $test($crate::databases::Databases::sqlite()).await;
        }
    )*};
}
pub(crate) use on_both;

/// The servers of one test.
pub(crate) struct Databases {
    mariadb: Option<services::MariaDb>,
    folder: tempfile::TempDir,
}

impl Databases {
    pub(crate) async fn mariadb() -> Self {
        let server = services::mariadb().await.unwrap();
        Self {
            mariadb: Some(server),
            folder: tempfile::tempdir().unwrap(),
        }
    }

    pub(crate) fn sqlite() -> Self {
        Self {
            mariadb: None,
            folder: tempfile::tempdir().unwrap(),
        }
    }

    /// An empty schema or file.
    pub(crate) async fn fresh(&self) -> String {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        match &self.mariadb {
            Some(server) => server.database("management").await.unwrap(),
            None => {
                let number = COUNT.fetch_add(1, Ordering::Relaxed);
                format!(
                    "sqlite:{}",
                    self.folder.path().join(format!("{number}.db")).display()
                )
            }
        }
    }
}

pub(crate) async fn connect(url: &str) -> Arc<SqlManagement> {
    connect_with(url, SecretsKey::new([7; 32])).await
}

pub(crate) async fn connect_with(url: &str, key: SecretsKey) -> Arc<SqlManagement> {
    Arc::new(
        SqlManagement::connect(url, key, SqlOptions::default())
            .await
            .unwrap(),
    )
}

/// Runs a statement behind the store's back.
pub(crate) async fn execute(url: &str, sql: &str) {
    let sql = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()));
    if url.starts_with("sqlite:") {
        let mut connection = SqliteConnection::connect(url).await.unwrap();
        sql.execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    } else {
        let mut connection = MySqlConnection::connect(url).await.unwrap();
        sql.execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    }
}

/// Every value of a query's only column, as text.
pub(crate) async fn texts(url: &str, sql: &str) -> Vec<String> {
    if url.starts_with("sqlite:") {
        let mut connection = SqliteConnection::connect(url).await.unwrap();
        let rows = sqlx::query(AssertSqlSafe(sql))
            .fetch_all(&mut connection)
            .await
            .unwrap();
        connection.close().await.unwrap();
        rows.iter()
            .filter_map(|row| row.try_get_unchecked::<Option<String>, _>(0).unwrap())
            .collect()
    } else {
        let mut connection = MySqlConnection::connect(url).await.unwrap();
        let rows = sqlx::query(AssertSqlSafe(sql))
            .fetch_all(&mut connection)
            .await
            .unwrap();
        connection.close().await.unwrap();
        rows.iter()
            .filter_map(|row| row.try_get_unchecked::<Option<String>, _>(0).unwrap())
            .collect()
    }
}

pub(crate) fn key(client_id: &str) -> CredentialKey {
    CredentialKey {
        track: Track::Http,
        client_id: ClientId::parse(client_id).unwrap(),
    }
}

pub(crate) fn peer(name: &str) -> PeerName {
    PeerName::parse(name).unwrap()
}

/// Takes a client away from the target `a`.
pub(crate) fn revoke(client: &str) -> ChangeRequest {
    ChangeRequest {
        key: key(client),
        operation: ChangeOperation::Revoke,
        targets: vec![peer("a")],
        now_ms: NOW,
        floor_ts: None,
        origin: Origin::default(),
    }
}
