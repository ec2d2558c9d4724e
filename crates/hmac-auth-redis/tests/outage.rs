//! What callers see while Redis is away, and that nobody has to tell the stores when it is back.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::{Duration, Instant};

use auth_base::nonce_store::NonceStore;
use auth_base::store_error::StoreError;
use hmac_auth::credential::{ClientId, CredentialChange};
use hmac_auth::credential_store::{CredentialStore, CredentialWrite, WriteCondition, WriteOutcome};
use hmac_auth::secret_hash::SecretHash;
use hmac_auth_redis::credential_store::RedisCredentialStore;
use hmac_auth_redis::keys::Namespace;
use hmac_auth_redis::nonce_store::RedisNonceStore;
use hmac_testkit::wait::eventually;
use redis_link::link::{LinkOptions, RedisLink};

const CONNECT: Duration = Duration::from_millis(400);
const RESPONSE: Duration = Duration::from_millis(300);
/// Waiting for another's attempt, connecting, the answer; and some air for a busy machine.
const BOUND: Duration = Duration::from_millis(400 + 400 + 300 + 3_000);

struct Stores {
    link: RedisLink,
    credentials: RedisCredentialStore,
    nonces: RedisNonceStore,
}

fn stores(url: &str) -> Stores {
    let options = LinkOptions {
        connect_timeout: CONNECT,
        response_timeout: RESPONSE,
    };
    let link = RedisLink::with_options(url, options).unwrap();
    Stores {
        credentials: RedisCredentialStore::new(link.clone(), Namespace::default()),
        nonces: RedisNonceStore::new(link.clone(), Namespace::default()),
        link,
    }
}

fn client() -> ClientId {
    ClientId::parse("a").unwrap()
}

async fn write(stores: &Stores, digit: &str) -> Result<WriteOutcome, StoreError> {
    let change = CredentialChange {
        secret_hash: Some(SecretHash::parse(&digit.repeat(64)).unwrap()),
        ..CredentialChange::default()
    };
    let write = CredentialWrite {
        change,
        condition: WriteCondition::Always,
        now_ms: 1,
        backup_ttl: Duration::from_secs(600),
    };
    stores.credentials.write(&client(), write).await
}

async fn remember(stores: &Stores, nonce: &str) -> Result<bool, StoreError> {
    stores
        .nonces
        .remember(client().as_str(), nonce, 1, Duration::from_secs(60))
        .await
}

/// Every call of both stores, each within the bound; answers their errors.
async fn try_everything(stores: &Stores) -> Vec<StoreError> {
    let (credentials, id) = (&stores.credentials, client());
    let started = Instant::now();
    let mut errors = Vec::new();
    errors.extend(credentials.find(&id).await.err());
    errors.extend(write(stores, "1").await.err());
    errors.extend(credentials.delete(&id).await.err());
    errors.extend(credentials.forget_previous(&id).await.err());
    errors.extend(credentials.list(None, 10).await.err());
    errors.extend(remember(stores, "n").await.err());
    errors.extend(stores.link.ping().await.err());
    assert!(
        started.elapsed() < 7 * BOUND,
        "took {:?}",
        started.elapsed()
    );
    errors
}

fn assert_unavailable(errors: &[StoreError]) {
    assert_eq!(errors.len(), 7, "{errors:?}");
    for error in errors {
        assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopped_redis_is_unavailable_and_comes_back_by_itself() {
    let mut redis = services::redis().await.unwrap();
    let stores = stores(redis.url());
    write(&stores, "1").await.unwrap();
    for _ in 0..2 {
        redis.stop();
        assert_unavailable(&try_everything(&stores).await);
        let started = Instant::now();
        let refused =
            futures_util::future::join_all((0..200).map(|_| remember(&stores, "crowd"))).await;
        assert!(
            refused
                .iter()
                .all(|r| matches!(r, Err(StoreError::Unavailable(_))))
        );
        assert!(
            started.elapsed() < BOUND,
            "two hundred callers took {:?}",
            started.elapsed()
        );
        redis.start().await.unwrap();
        eventually("redis is used again", async || {
            stores.link.ping().await.is_ok()
        })
        .await;
        assert!(stores.credentials.find(&client()).await.unwrap().is_some());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_was_never_there_is_found_when_it_starts() {
    let mut redis = services::redis().await.unwrap();
    redis.stop();
    let stores = stores(redis.url());
    assert_unavailable(&try_everything(&stores).await);
    redis.start().await.unwrap();
    eventually("redis is used", async || write(&stores, "1").await.is_ok()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_between_two_calls_is_not_noticed() {
    let mut redis = services::redis().await.unwrap();
    let stores = stores(redis.url());
    for round in 0..5 {
        write(&stores, "1").await.unwrap();
        redis.stop();
        redis.start().await.unwrap();
        // The driver sees the end of the stream before it is asked; the scripts are gone from the new server.
        let nonce = format!("n{round}");
        eventually("the end of the stream is seen", async || {
            remember(&stores, &nonce).await.is_ok()
        })
        .await;
        write(&stores, "2").await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_start_has_a_name_of_its_own() {
    let mut redis = services::redis().await.unwrap();
    let link = stores(redis.url()).link;
    let first = link.run_id().await.unwrap().unwrap();
    assert_eq!(link.run_id().await.unwrap().as_ref(), Some(&first));
    redis.stop();
    assert!(matches!(
        link.run_id().await,
        Err(StoreError::Unavailable(_))
    ));
    redis.start().await.unwrap();
    eventually("the new run tells its name", async || {
        link.run_id()
            .await
            .is_ok_and(|it| it.is_some_and(|it| it != first))
    })
    .await;
    // A user of few rights is not told, and nothing breaks.
    let client = redis::Client::open(redis.url()).unwrap();
    let mut raw = client.get_multiplexed_async_connection().await.unwrap();
    let few = ["SETUSER", "reader", "on", ">few", "~*", "+hmget"];
    redis::cmd("ACL")
        .arg(&few)
        .exec_async(&mut raw)
        .await
        .unwrap();
    let url = redis.url().replace("redis://", "redis://reader:few@");
    assert_eq!(RedisLink::open(&url).unwrap().run_id().await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_does_not_answer_holds_nobody_up() {
    let redis = services::redis().await.unwrap();
    let stores = stores(redis.url());
    write(&stores, "1").await.unwrap();
    redis.pause();
    let started = Instant::now();
    let refused =
        futures_util::future::join_all((0..100).map(|_| remember(&stores, "frozen"))).await;
    assert!(
        refused
            .iter()
            .all(|r| matches!(r, Err(StoreError::Unavailable(_)))),
        "{refused:?}"
    );
    assert!(started.elapsed() < BOUND, "took {:?}", started.elapsed());
    assert_unavailable(&try_everything(&stores).await);
    redis.resume();
    eventually("redis is used again", async || {
        stores.link.ping().await.is_ok()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cut_connection_costs_at_most_the_calls_on_it() {
    let redis = services::redis().await.unwrap();
    let stores = stores(redis.url());
    write(&stores, "1").await.unwrap();
    let mut admin = admin(redis.url()).await;
    for round in 0..20 {
        redis::cmd("CLIENT")
            .arg(&["KILL", "TYPE", "normal", "SKIPME", "yes"])
            .exec_async(&mut admin)
            .await
            .unwrap();
        let nonce = format!("n{round}");
        eventually("another connection is made", async || {
            remember(&stores, &nonce).await.is_ok()
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_s_mistakes_are_refused() {
    let redis = services::redis().await.unwrap();
    let stores = stores(redis.url());
    let mut admin = admin(redis.url()).await;

    redis::cmd("SET")
        .arg("hmacauth:clients")
        .arg("x")
        .exec_async(&mut admin)
        .await
        .unwrap();
    let refused = write(&stores, "1").await.unwrap_err();
    assert!(
        matches!(refused, StoreError::Refused(_)),
        "WRONGTYPE: {refused:?}"
    );
    let refused = stores.credentials.find(&client()).await.unwrap_err();
    assert!(
        matches!(refused, StoreError::Refused(_)),
        "WRONGTYPE: {refused:?}"
    );
    redis::cmd("FLUSHALL").exec_async(&mut admin).await.unwrap();
    write(&stores, "1").await.unwrap();

    config(&mut admin, "maxmemory", "1").await;
    let refused = write(&stores, "2").await.unwrap_err();
    assert!(
        matches!(refused, StoreError::Refused(_)),
        "OOM: {refused:?}"
    );
    let refused = remember(&stores, "n").await.unwrap_err();
    assert!(
        matches!(refused, StoreError::Refused(_)),
        "OOM: {refused:?}"
    );
    assert!(
        stores
            .credentials
            .find(&client())
            .await
            .unwrap()
            .unwrap()
            .previous
            .is_none(),
        "nothing by halves"
    );
    assert!(
        stores.credentials.delete(&client()).await.unwrap(),
        "a revoke frees memory"
    );
    config(&mut admin, "maxmemory", "0").await;

    redis::cmd("REPLICAOF")
        .arg("127.0.0.1")
        .arg(1)
        .exec_async(&mut admin)
        .await
        .unwrap();
    let refused = write(&stores, "1").await.unwrap_err();
    assert!(
        matches!(refused, StoreError::Refused(_)),
        "READONLY: {refused:?}"
    );
    let refused = remember(&stores, "n").await.unwrap_err();
    assert!(
        matches!(refused, StoreError::Refused(_)),
        "READONLY: {refused:?}"
    );
    redis::cmd("REPLICAOF")
        .arg("NO")
        .arg("ONE")
        .exec_async(&mut admin)
        .await
        .unwrap();
    eventually("a primary again", async || {
        write(&stores, "1").await.is_ok()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_connection_is_tried_again() {
    let redis = services::redis().await.unwrap();
    let mut admin = admin(redis.url()).await;
    config(&mut admin, "requirepass", "s3cret").await;
    let stores = stores(redis.url());
    let refused = write(&stores, "1").await.unwrap_err();
    assert!(
        matches!(refused, StoreError::Refused(_)),
        "no password: {refused:?}"
    );
    config(&mut admin, "requirepass", "").await;
    eventually("let in without a password", async || {
        write(&stores, "1").await.is_ok()
    })
    .await;
}

#[test]
fn a_url_is_checked_without_being_shown() {
    for url in ["", "nonsense", "http://127.0.0.1", "redis://:s3cret@"] {
        let error = RedisLink::open(url).err();
        assert!(
            error.is_some_and(|error| !error.to_string().contains("s3cret")),
            "{url}"
        );
    }
}

async fn admin(url: &str) -> redis::aio::MultiplexedConnection {
    redis::Client::open(url)
        .unwrap()
        .get_multiplexed_async_connection()
        .await
        .unwrap()
}

async fn config(admin: &mut redis::aio::MultiplexedConnection, name: &str, value: &str) {
    redis::cmd("CONFIG")
        .arg("SET")
        .arg(name)
        .arg(value)
        .exec_async(admin)
        .await
        .unwrap();
}
