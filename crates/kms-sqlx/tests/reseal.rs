//! Every private key sealed under a new key, beside servers that go on.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use jwt_auth::{Algorithm, PublicJwk};
use kms::{KeyId, KeyManagement as _, KmsError};
use kms_sqlx::reseal::{Resealed, ResealedColumn};
use kms_sqlx::{KmsDatabase, SecretsKey, SqlKeyManagement, SqlOptions};
use sqlx::Connection as _;

/// More than two pages.
const KEYS: usize = 230;

fn old() -> SecretsKey {
    SecretsKey::new([1; 32])
}

fn new() -> SecretsKey {
    SecretsKey::new([2; 32])
}

fn both() -> SecretsKey {
    new().also_reading(old())
}

fn kid(number: usize) -> KeyId {
    KeyId::parse(&format!("key-{number}")).unwrap()
}

async fn keys(url: &str, key: &SecretsKey) -> SqlKeyManagement {
    let database = KmsDatabase::connect(url, SqlOptions::default()).await;
    SqlKeyManagement::new(database.unwrap(), key)
}

async fn fill(kms: &SqlKeyManagement, numbers: std::ops::Range<usize>) -> Vec<PublicJwk> {
    let mut made = Vec::new();
    for number in numbers {
        let algorithm = [Algorithm::EdDsa, Algorithm::Es256][number % 2];
        made.push(kms.generate(&kid(number), algorithm).await.unwrap());
    }
    made
}

async fn all_sign(kms: &SqlKeyManagement, made: &[PublicJwk]) {
    for key in made {
        let kid = KeyId::parse(key.kid()).unwrap();
        let signature = kms.sign(&kid, key.algorithm(), b"input").await.unwrap();
        assert_eq!(key.verify(b"input", &signature), Ok(()));
    }
}

fn only(resealed: &Resealed) -> &ResealedColumn {
    assert_eq!(resealed.columns.len(), 1);
    assert_eq!(resealed.columns[0].column, "private_keys.sealed_private");
    &resealed.columns[0]
}

fn counts(resealed: &Resealed) -> (u64, u64, u64) {
    let column = only(resealed);
    (column.resealed, column.fresh, column.unreadable)
}

async fn everything_is_sealed_anew(url: &str) {
    let before = keys(url, &old()).await;
    let made = fill(&before, 0..KEYS - 1).await;
    let wraps = kid(KEYS);
    before.generate_wrapping(&wraps).await.unwrap();
    let wrapped = before.wrap(&wraps, b"a key").await.unwrap();
    let kms = keys(url, &both()).await;
    let resealed = kms.reseal().await.unwrap();
    assert_eq!(counts(&resealed), (KEYS as u64, 0, 0));
    assert!(resealed.is_complete());
    assert_eq!(counts(&kms.reseal().await.unwrap()), (0, KEYS as u64, 0));
    // The old key is not needed any more, and no key became another.
    let after = keys(url, &new()).await;
    assert_eq!(**after.unwrap(&wraps, &wrapped).await.unwrap(), *b"a key");
    all_sign(&keys(url, &new()).await, &made).await;
    let stale = keys(url, &old()).await;
    let refused = stale.sign(&kid(0), Algorithm::EdDsa, b"input").await;
    assert!(
        matches!(refused, Err(KmsError::Corrupt { .. })),
        "{refused:?}"
    );
}

/// Two runs, keys that are made and deleted, and signatures, all at once.
async fn servers_go_on_meanwhile(url: &str) {
    let made = fill(&keys(url, &old()).await, 0..KEYS).await;
    let (one, other, server) = (
        keys(url, &both()).await,
        keys(url, &both()).await,
        keys(url, &both()).await,
    );
    let serving = async {
        let more = fill(&server, 1_000..1_020).await;
        for number in 0..20 {
            server.delete(&kid(number)).await.unwrap();
        }
        all_sign(&server, &made[20..60]).await;
        more
    };
    let (first, second, more) = tokio::join!(one.reseal(), other.reseal(), serving);
    for resealed in [first.unwrap(), second.unwrap()] {
        assert_eq!(only(&resealed).unreadable, 0, "{resealed}");
    }
    assert!(one.reseal().await.unwrap().is_complete());
    let kms = keys(url, &new()).await;
    all_sign(&kms, &made[20..]).await;
    all_sign(&kms, &more).await;
    let gone = kms.sign(&kid(0), Algorithm::EdDsa, b"input").await;
    assert!(
        matches!(gone, Err(KmsError::KeyNotFound(_))),
        "no deleted key comes back: {gone:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_is_sealed_anew_in_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    everything_is_sealed_anew(&sqlite(&folder)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_is_sealed_anew_in_mariadb() {
    let server = services::mariadb().await.unwrap();
    everything_is_sealed_anew(&server.database("kms").await.unwrap()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_go_on_beside_a_reseal_in_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    servers_go_on_meanwhile(&sqlite(&folder)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_go_on_beside_a_reseal_in_mariadb() {
    let server = services::mariadb().await.unwrap();
    servers_go_on_meanwhile(&server.database("kms").await.unwrap()).await;
}

#[tokio::test]
async fn what_cannot_be_resealed_is_named_and_left() {
    let folder = tempfile::tempdir().unwrap();
    let url = sqlite(&folder);
    let made = fill(&keys(&url, &old()).await, 0..4).await;
    let mut connection = sqlx::SqliteConnection::connect(&url).await.unwrap();
    for statement in [
        "UPDATE private_keys SET sealed_private = 'nothing' WHERE kid = 'key-0'",
        "UPDATE private_keys SET sealed_private = \
            (SELECT sealed_private FROM private_keys WHERE kid = 'key-3') WHERE kid = 'key-1'",
        "UPDATE private_keys SET alg = 'RS256' WHERE kid = 'key-2'",
    ] {
        let done = sqlx::query(statement).execute(&mut connection).await;
        assert_eq!(done.unwrap().rows_affected(), 1);
    }
    let resealed = keys(&url, &both()).await.reseal().await.unwrap();
    assert_eq!(counts(&resealed), (1, 0, 3));
    assert!(!resealed.is_complete());
    let named: Vec<(&str, &str)> = only(&resealed)
        .unreadable_rows
        .iter()
        .map(|row| (row.row.as_str(), row.reason.as_str()))
        .collect();
    assert_eq!(
        named,
        [
            ("key-0", "not a sealed value"),
            (
                "key-1",
                "does not open here: wrong key, wrong row or damaged"
            ),
            ("key-2", "a name or an algorithm that is none"),
        ]
    );
    all_sign(&keys(&url, &new()).await, &made[3..]).await;
}

fn sqlite(folder: &tempfile::TempDir) -> String {
    format!("sqlite:{}", folder.path().join("keys.db").display())
}
