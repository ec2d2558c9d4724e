//! A watcher of a peer's Redis hears of every change.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use hmac_auth::credential::{ClientId, CredentialChange};
use hmac_auth::secret_hash::SecretHash;
use hmac_propagation::peer_store::{Apply, ApplyOperation, CredentialKey, PeerStore, Stamp, Track};
use hmac_propagation_redis::peer_store::{PeerStoreOptions, RedisPeerStore};
use hmac_propagation_redis::watch::{StoreChange, StoreWatch};
use redis_link::link::RedisLink;
use tokio::time::timeout;

fn key(track: Track, client: &str) -> CredentialKey {
    CredentialKey {
        track,
        client_id: ClientId::parse(client).unwrap(),
    }
}

fn apply(key: &CredentialKey, ts: i64, operation: ApplyOperation) -> Apply {
    Apply {
        key: key.clone(),
        stamp: Stamp {
            ts,
            event_id: "e".to_owned(),
        },
        operation,
        now_ms: ts,
    }
}

fn ensure() -> ApplyOperation {
    let secret_hash = Some(SecretHash::parse(&"a".repeat(64)).unwrap());
    ApplyOperation::Write(CredentialChange {
        secret_hash,
        ..CredentialChange::default()
    })
}

async fn next(watch: &mut StoreWatch) -> StoreChange {
    timeout(Duration::from_secs(10), watch.next())
        .await
        .unwrap()
}

async fn command(url: &str, words: &[&str]) {
    let mut connection = redis::Client::open(url)
        .unwrap()
        .get_multiplexed_async_connection()
        .await
        .unwrap();
    let mut command = redis::cmd(words[0]);
    words[1..].iter().for_each(|word| {
        command.arg(word);
    });
    command.exec_async(&mut connection).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watcher_hears_of_every_change() {
    let redis = services::redis().await.unwrap();
    let store = RedisPeerStore::new(
        RedisLink::open(redis.url()).unwrap(),
        PeerStoreOptions::default(),
    );
    let mut watch = StoreWatch::spawn(
        RedisLink::open(redis.url()).unwrap(),
        &PeerStoreOptions::default(),
    );
    assert_eq!(next(&mut watch).await, StoreChange::Everything, "it begins");

    let (http, message) = (key(Track::Http, "a:b"), key(Track::Message, "m"));
    store
        .apply(&[apply(&http, 1, ensure())])
        .await
        .remove(0)
        .unwrap();
    assert_eq!(
        next(&mut watch).await,
        StoreChange::Credentials(vec![http.clone()])
    );
    store
        .apply(&[apply(&message, 1, ensure())])
        .await
        .remove(0)
        .unwrap();
    assert_eq!(
        next(&mut watch).await,
        StoreChange::Credentials(vec![message])
    );
    store
        .apply(&[apply(&http, 2, ApplyOperation::Delete)])
        .await
        .remove(0)
        .unwrap();
    assert_eq!(
        next(&mut watch).await,
        StoreChange::Credentials(vec![http.clone()])
    );

    command(redis.url(), &["HSET", "hmac:http:clients", "by-hand", "x"]).await;
    assert_eq!(
        next(&mut watch).await,
        StoreChange::Everything,
        "no cursor names it"
    );
    command(redis.url(), &["FLUSHALL"]).await;
    assert_eq!(next(&mut watch).await, StoreChange::Everything);
    command(redis.url(), &["SET", "something:else", "x"]).await;
    assert!(
        timeout(Duration::from_millis(200), watch.next())
            .await
            .is_err(),
        "it is nobody's credential"
    );

    command(redis.url(), &["CLIENT", "KILL", "TYPE", "normal"]).await;
    assert_eq!(
        next(&mut watch).await,
        StoreChange::Everything,
        "what was written meanwhile is unknown"
    );
    // It may have been told of the end alone; it goes on by itself.
    let told = async {
        for ts in 3.. {
            store
                .apply(&[apply(&http, ts, ensure())])
                .await
                .remove(0)
                .ok();
            if let Ok(StoreChange::Credentials(named)) =
                timeout(Duration::from_millis(200), watch.next()).await
            {
                assert_eq!(named, vec![http.clone()]);
                return;
            }
        }
    };
    timeout(Duration::from_secs(20), told).await.unwrap();
}
