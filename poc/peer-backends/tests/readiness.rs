//! A peer is ready when what it does works, on private servers that answer and refuse it.
#![expect(
    clippy::unwrap_used,
    reason = "a test stops where an expectation fails"
)]

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use hmac_auth_redis::keys::Namespace;
use hmac_auth_redis::nonce_store::RedisNonceStore;
use hmac_propagation_redis::peer_store::{PeerStoreOptions, RedisPeerStore};
use peer_backends::redis::RedisCheck;
use peer_kit::health::Check;
use redis_link::key_watch::KeyWatch;
use redis_link::link::RedisLink;
use services::Redis;
use services::log::Log;
use tokio::time::sleep;

async fn ready(url: &str, is_source: bool) -> Result<(), String> {
    let link = RedisLink::open(url).unwrap();
    let nonces = RedisNonceStore::new(link.clone(), Namespace::new("hmac:http"));
    let store = RedisPeerStore::new(link, PeerStoreOptions::default());
    let check = RedisCheck {
        nonces,
        store,
        is_source,
    };
    check.check().await
}

/// Says a command as an operator would; what the server answers.
fn command(redis: &Redis, line: &str) -> String {
    let address = redis.url().trim_start_matches("redis://");
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "{line}\r\nQUIT\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// The address of a user who may do everything but this.
fn user(redis: &Redis, without: &str) -> String {
    let said = command(
        redis,
        &format!("ACL SETUSER few on >few ~* &* +@all {without}"),
    );
    assert!(said.starts_with("+OK"), "{said}");
    redis.url().replace("redis://", "redis://few:few@")
}

#[tokio::test]
async fn a_redis_that_refuses_scripts_is_not_ready() {
    let redis = services::redis().await.unwrap();
    for is_source in [true, false] {
        assert_eq!(ready(redis.url(), is_source).await, Ok(()));
    }
    assert!(
        command(&redis, "KEYS *").contains("hmac:http:nonce:"),
        "a nonce is kept"
    );
    assert!(
        !command(&redis, "KEYS propagation:*").contains("propagation"),
        "nothing is left"
    );
    for without in ["-@scripting", "-eval", "-evalsha", "-hset"] {
        for is_source in [true, false] {
            let reason = ready(&user(&redis, without), is_source).await.unwrap_err();
            assert!(
                reason.contains("scripts over several keys"),
                "{without}: {reason}"
            );
        }
    }
    // What only a source does is asked of no other.
    let url = user(&redis, "-sadd");
    assert!(ready(&url, true).await.is_err());
    assert_eq!(ready(&url, false).await, Ok(()));
}

#[tokio::test]
async fn a_redis_in_cluster_mode_is_not_ready() {
    let redis = services::redis_with(&["--cluster-enabled", "yes"])
        .await
        .unwrap();
    assert!(command(&redis, "CLUSTER ADDSLOTSRANGE 0 16383").starts_with("+OK"));
    while !command(&redis, "CLUSTER INFO").contains("cluster_state:ok") {
        sleep(Duration::from_millis(50)).await;
    }
    let reason = ready(redis.url(), false).await.unwrap_err();
    assert!(reason.contains("no cluster mode"), "{reason}");
}

/// One that would throw nonces away is not ready; who may not ask is not told.
#[tokio::test]
async fn a_redis_that_evicts_is_not_ready() {
    let redis = services::redis().await.unwrap();
    command(&redis, "CONFIG SET maxmemory 100mb");
    for policy in ["volatile-lru", "allkeys-lfu", "volatile-ttl"] {
        command(&redis, &format!("CONFIG SET maxmemory-policy {policy}"));
        let reason = ready(redis.url(), false).await.unwrap_err();
        assert!(reason.contains(policy), "{reason}");
    }
    assert_eq!(ready(&user(&redis, "-info"), false).await, Ok(()));
    command(&redis, "CONFIG SET maxmemory-policy noeviction");
    assert_eq!(ready(redis.url(), false).await, Ok(()));
}

#[tokio::test]
async fn a_refused_nicety_is_told_once() {
    let redis = services::redis().await.unwrap();
    let url = user(&redis, "-client|tracking");
    let log = Log::default();
    let logs = tracing_subscriber::fmt().with_writer(log.writer()).finish();
    let _guard = tracing::subscriber::set_default(logs);
    let link = RedisLink::open(&url).unwrap();
    let watch = KeyWatch::spawn(link, vec!["propagation:".to_owned()]);
    sleep(Duration::from_secs(3)).await;
    drop(watch);
    let text = log.text();
    assert_eq!(text.matches("redis does not track").count(), 1, "{text}");
}
