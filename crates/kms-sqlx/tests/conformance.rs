//! The suites of `auth-testkit` over SQLite and MariaDB, and what a database shows of a key.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use async_trait::async_trait;
use auth_base::StoreError;
use jwt_auth::{Algorithm, PrivateKey, PublicJwk};
use kms::{
    Capabilities, Health, KeyId, KeyManagement, KeyRing, KeyRingStore, KmsError, Revision, RingName,
};
use kms_sqlx::{KmsDatabase, SecretsKey, SqlKeyManagement, SqlKeyRingStore, SqlOptions};
use zeroize::Zeroizing;

/// A store, and the server or the folder that goes with it.
struct Kept<S> {
    store: S,
    #[expect(dead_code, reason = "held, so that it lives as long as the store")]
    server: Server,
}

/// A server with many schemas, or a folder with one file.
enum Server {
    MariaDb(services::MariaDb),
    Folder(tempfile::TempDir),
}

impl Server {
    async fn url(&self) -> String {
        match self {
            Self::MariaDb(server) => server.database("kms").await.unwrap(),
            Self::Folder(folder) => format!("sqlite:{}", folder.path().join("keys.db").display()),
        }
    }
}

async fn mariadb() -> Server {
    Server::MariaDb(services::mariadb().await.unwrap())
}

fn sqlite() -> Server {
    Server::Folder(tempfile::tempdir().unwrap())
}

async fn connect(url: &str) -> KmsDatabase {
    KmsDatabase::connect(url, SqlOptions::default())
        .await
        .unwrap()
}

async fn keys(server: Server) -> Kept<SqlKeyManagement> {
    let database = connect(&server.url().await).await;
    Kept {
        store: SqlKeyManagement::new(database, &SecretsKey::new([7; 32])),
        server,
    }
}

async fn rings(server: Server) -> Kept<SqlKeyRingStore> {
    let database = connect(&server.url().await).await;
    Kept {
        store: SqlKeyRingStore::new(database),
        server,
    }
}

#[async_trait]
impl KeyManagement for Kept<SqlKeyManagement> {
    fn capabilities(&self) -> Capabilities {
        self.store.capabilities()
    }

    async fn generate(&self, kid: &KeyId, algorithm: Algorithm) -> Result<PublicJwk, KmsError> {
        self.store.generate(kid, algorithm).await
    }

    async fn import(&self, kid: &KeyId, key: &PrivateKey) -> Result<PublicJwk, KmsError> {
        self.store.import(kid, key).await
    }

    async fn sign(
        &self,
        kid: &KeyId,
        algorithm: Algorithm,
        input: &[u8],
    ) -> Result<[u8; 64], KmsError> {
        self.store.sign(kid, algorithm, input).await
    }

    async fn public_key(&self, kid: &KeyId) -> Result<Option<PublicJwk>, KmsError> {
        self.store.public_key(kid).await
    }

    async fn delete(&self, kid: &KeyId) -> Result<(), KmsError> {
        self.store.delete(kid).await
    }

    async fn generate_wrapping(&self, kid: &KeyId) -> Result<(), KmsError> {
        self.store.generate_wrapping(kid).await
    }

    async fn wrap(&self, kid: &KeyId, plain: &[u8]) -> Result<String, KmsError> {
        self.store.wrap(kid, plain).await
    }

    async fn unwrap(&self, kid: &KeyId, wrapped: &str) -> Result<Zeroizing<Vec<u8>>, KmsError> {
        self.store.unwrap(kid, wrapped).await
    }

    async fn health(&self) -> Result<Health, KmsError> {
        self.store.health().await
    }
}

#[async_trait]
impl KeyRingStore for Kept<SqlKeyRingStore> {
    async fn read(&self, ring: &RingName) -> Result<Option<KeyRing>, StoreError> {
        self.store.read(ring).await
    }

    async fn advance(&self, expect: Revision, next: &KeyRing) -> Result<bool, StoreError> {
        self.store.advance(expect, next).await
    }
}

auth_testkit::key_management_cases!(sqlite_keys, keys(sqlite()).await);
auth_testkit::key_management_cases!(mariadb_keys, keys(mariadb().await).await);
auth_testkit::key_ring_store_cases!(sqlite_rings, rings(sqlite()).await);
auth_testkit::key_ring_store_cases!(mariadb_rings, rings(mariadb().await).await);

/// Two replicas, each with connections of its own, on one database that neither has seen.
async fn two_replicas(server: Server) {
    let url = server.url().await;
    let (one, other) = tokio::join!(connect(&url), connect(&url));
    let key = SecretsKey::new([7; 32]);
    let (one, other) = (
        SqlKeyManagement::new(one, &key),
        SqlKeyManagement::new(other, &key),
    );
    let kid = KeyId::parse("first").unwrap();
    let public = one.generate(&kid, Algorithm::Es256).await.unwrap();
    let signature = other.sign(&kid, Algorithm::Es256, b"input").await.unwrap();
    assert_eq!(public.verify(b"input", &signature), Ok(()));
    // Without the key that sealed it, it signs for nobody.
    let stranger = SqlKeyManagement::new(connect(&url).await, &SecretsKey::new([8; 32]));
    let refused = stranger
        .sign(&kid, Algorithm::Es256, b"input")
        .await
        .unwrap_err();
    assert!(matches!(refused, KmsError::Corrupt { .. }), "{refused:?}");
    assert!(!format!("{stranger:?} {refused:?}").contains("sqlite:"));
    one.delete(&kid).await.unwrap();
    let refused = other
        .sign(&kid, Algorithm::Es256, b"input")
        .await
        .unwrap_err();
    assert!(matches!(refused, KmsError::KeyNotFound(_)), "{refused:?}");
    drop(server);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_share_keys_on_sqlite() {
    two_replicas(sqlite()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_share_keys_on_mariadb() {
    two_replicas(mariadb().await).await;
}

#[tokio::test]
async fn a_database_that_is_gone_is_unavailable() {
    let server = services::private_mariadb().await.unwrap();
    let database = connect(&server.database("kms").await.unwrap()).await;
    let kms = SqlKeyManagement::new(database.clone(), &SecretsKey::new([7; 32]));
    let kid = KeyId::parse("first").unwrap();
    kms.generate(&kid, Algorithm::EdDsa).await.unwrap();
    drop(server);
    let failed = kms
        .sign(&kid, Algorithm::EdDsa, b"input")
        .await
        .unwrap_err();
    assert!(failed.is_temporary(), "{failed:?}");
    let rings: Arc<dyn KeyRingStore> = Arc::new(SqlKeyRingStore::new(database));
    let failed = rings
        .read(&RingName::parse("access").unwrap())
        .await
        .unwrap_err();
    assert!(matches!(failed, StoreError::Unavailable(_)), "{failed:?}");
}

#[tokio::test]
async fn what_lies_in_a_file_is_no_key() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys.db");
    let database = connect(&format!("sqlite:{}", file.display())).await;
    let kms = SqlKeyManagement::new(database.clone(), &SecretsKey::new([7; 32]));
    let key = PrivateKey::generate(Algorithm::EdDsa).unwrap();
    kms.import(&KeyId::parse("first").unwrap(), &key)
        .await
        .unwrap();
    database.close().await;
    let mut found = 0;
    for entry in folder.path().read_dir().unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        let seed = &key.expose_pkcs8()[16..48];
        assert!(!bytes.windows(32).any(|window| window == seed));
        found += usize::from(bytes.windows(5).any(|window| window == b"first"));
    }
    assert!(found > 0, "the row was written");
}

#[tokio::test]
async fn a_schema_of_a_newer_program_is_refused() {
    use sqlx::Connection as _;
    let server = sqlite();
    let url = server.url().await;
    connect(&url).await.close().await;
    connect(&url).await.close().await;
    let mut connection = sqlx::SqliteConnection::connect(&url).await.unwrap();
    let newer = sqlx::query("INSERT INTO kms_schema (version) VALUES (2)");
    newer.execute(&mut connection).await.unwrap();
    // A table that the newer program has no more is not made again.
    let dropped = sqlx::query("DROP TABLE signing_keys");
    dropped.execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    let refused = KmsDatabase::connect(&url, SqlOptions::default())
        .await
        .unwrap_err();
    assert_eq!(
        refused.to_string(),
        "the schema has version 2, which a newer program made"
    );
    let mut connection = sqlx::SqliteConnection::connect(&url).await.unwrap();
    let made = sqlx::query("SELECT name FROM sqlite_master WHERE name = 'signing_keys'");
    assert!(made.fetch_all(&mut connection).await.unwrap().is_empty());
}

#[tokio::test]
async fn who_reads_waits_for_no_writer_on_sqlite() {
    use sqlx::Connection as _;
    let server = sqlite();
    let url = server.url().await;
    let database = connect(&url).await;
    let kms = SqlKeyManagement::new(database.clone(), &SecretsKey::new([7; 32]));
    let rings = SqlKeyRingStore::new(database);
    let kid = KeyId::parse("first").unwrap();
    kms.generate(&kid, Algorithm::EdDsa).await.unwrap();
    let mut writer = sqlx::SqliteConnection::connect(&url).await.unwrap();
    sqlx::query("BEGIN IMMEDIATE")
        .execute(&mut writer)
        .await
        .unwrap();
    let began = std::time::Instant::now();
    kms.sign(&kid, Algorithm::EdDsa, b"input").await.unwrap();
    kms.health().await.unwrap();
    rings
        .read(&RingName::parse("access").unwrap())
        .await
        .unwrap();
    assert!(began.elapsed() < std::time::Duration::from_secs(2));
    writer.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_replicas_open_a_new_file_at_once() {
    let server = sqlite();
    let url = server.url().await;
    let opening: Vec<_> = (0..8)
        .map(|_| {
            let url = url.clone();
            tokio::spawn(async move { KmsDatabase::connect(&url, SqlOptions::default()).await })
        })
        .collect();
    for opened in opening {
        opened.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_key_that_opens_nothing_is_not_well() {
    let server = sqlite();
    let url = server.url().await;
    let right = SqlKeyManagement::new(connect(&url).await, &SecretsKey::new([7; 32]));
    let wrong = SqlKeyManagement::new(connect(&url).await, &SecretsKey::new([8; 32]));
    wrong.health().await.unwrap();
    let kid = KeyId::parse("first").unwrap();
    right.generate(&kid, Algorithm::EdDsa).await.unwrap();
    assert_eq!(right.health().await.unwrap().key_count, Some(1));
    let failed = wrong.health().await.unwrap_err();
    assert!(matches!(failed, KmsError::Corrupt { .. }), "{failed:?}");
}

/// It is named in words, and nothing is made beside another program's table.
#[tokio::test]
async fn a_schema_of_another_program_is_refused() {
    use sqlx::Connection as _;
    let made = "CREATE TABLE private_keys (id BIGINT NOT NULL PRIMARY KEY)";
    let folder = sqlite();
    let url = folder.url().await;
    let new = format!("{url}?mode=rwc");
    let mut connection = sqlx::SqliteConnection::connect(&new).await.unwrap();
    sqlx::query(made).execute(&mut connection).await.unwrap();
    let server = mariadb().await;
    let other = server.url().await;
    let mut connection = sqlx::MySqlConnection::connect(&other).await.unwrap();
    sqlx::query(made).execute(&mut connection).await.unwrap();
    for url in [url, other] {
        let refused = KmsDatabase::connect(&url, SqlOptions::default()).await;
        let words = refused.err().unwrap().to_string();
        assert!(words.contains("private_keys"), "{words}");
    }
}
