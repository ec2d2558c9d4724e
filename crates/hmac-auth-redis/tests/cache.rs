//! The cache is never wrong for longer than it says. Most tests give it an hour's time to live, so that nothing but the
//! server's announcements and the end of the connection can have made it forget.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use hmac_auth::credential::{ClientId, CredentialChange};
use hmac_auth::credential_store::{CredentialStore, CredentialWrite, WriteCondition};
use hmac_auth::secret_hash::SecretHash;
use hmac_auth_redis::cached_credentials::{CacheOptions, CachedCredentials};
use hmac_auth_redis::credential_store::RedisCredentialStore;
use hmac_auth_redis::keys::Namespace;
use hmac_testkit::wait::eventually;
use redis_link::link::{LinkOptions, RedisLink};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

const HOUR: Duration = Duration::from_secs(3600);

fn plain(url: &str) -> RedisCredentialStore {
    plain_within(url, Duration::from_millis(500))
}

fn plain_within(url: &str, timeout: Duration) -> RedisCredentialStore {
    let options = LinkOptions {
        connect_timeout: timeout,
        response_timeout: timeout,
    };
    RedisCredentialStore::new(
        RedisLink::with_options(url, options).unwrap(),
        Namespace::new("hmac:http"),
    )
}

async fn cached(url: &str, options: CacheOptions) -> CachedCredentials {
    let cached = CachedCredentials::spawn(plain(url), options);
    eventually("the cache tracks", async || cached.is_tracking()).await;
    cached
}

fn for_an_hour() -> CacheOptions {
    CacheOptions {
        ttl: HOUR,
        heartbeat: Duration::from_millis(200),
        ..CacheOptions::default()
    }
}

fn client(name: &str) -> ClientId {
    ClientId::parse(name).unwrap()
}

async fn write(store: &impl CredentialStore, id: &ClientId, now_ms: i64) {
    let hash = SecretHash::parse(&format!("{now_ms:064x}")).unwrap();
    let write = CredentialWrite {
        change: CredentialChange {
            secret_hash: Some(hash),
            ..CredentialChange::default()
        },
        condition: WriteCondition::Always,
        now_ms,
        backup_ttl: HOUR,
    };
    store.write(id, write).await.unwrap();
}

async fn version(store: &impl CredentialStore, id: &ClientId) -> Option<i64> {
    store
        .find(id)
        .await
        .unwrap()
        .map(|stored| stored.credential.updated_at)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_read_is_not_asked_again() {
    let redis = services::redis().await.unwrap();
    // Written before the cache tracks, so that no announcement of it is under way.
    write(&plain(redis.url()), &client("a"), 1).await;
    let store = cached(redis.url(), for_an_hour()).await;
    assert_eq!(version(&store, &client("a")).await, Some(1));
    let before = store.statistics();
    for _ in 0..100 {
        assert_eq!(version(&store, &client("a")).await, Some(1));
        assert_eq!(version(&store, &client("nobody")).await, None);
    }
    let after = store.statistics();
    assert_eq!(
        (
            after.hits - before.hits,
            after.misses - before.misses,
            after.entries
        ),
        (100, 100, 1)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revoke_elsewhere_is_seen_at_once() {
    let redis = services::redis().await.unwrap();
    let (other, store) = (plain(redis.url()), cached(redis.url(), for_an_hour()).await);
    let id = client("revoked");
    for round in 1..=200 {
        write(&other, &id, round).await;
        eventually("the change is seen", async || {
            version(&store, &id).await == Some(round)
        })
        .await;
        version(&store, &id).await;
        assert!(other.delete(&id).await.unwrap());
        let deleted = Instant::now();
        eventually("the revoke is seen", async || {
            version(&store, &id).await.is_none()
        })
        .await;
        assert!(
            deleted.elapsed() < Duration::from_secs(2),
            "round {round} took {:?}",
            deleted.elapsed()
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn own_writes_are_read_back() {
    let redis = services::redis().await.unwrap();
    let store = cached(redis.url(), for_an_hour()).await;
    let id = client("own");
    for round in 1..=200 {
        write(&store, &id, 2 * round).await;
        assert_eq!(version(&store, &id).await, Some(2 * round));
        assert_eq!(version(&store, &id).await, Some(2 * round));
        assert!(store.forget_previous(&id).await.unwrap() == (round > 1));
        assert!(store.find(&id).await.unwrap().unwrap().previous.is_none());
        write(&store, &id, 2 * round + 1).await;
        assert!(store.find(&id).await.unwrap().unwrap().previous.is_some());
        store.forget_previous(&id).await.unwrap();
    }
    assert!(store.delete(&id).await.unwrap());
    assert_eq!(version(&store, &id).await, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flush_and_any_program_s_write_are_announced() {
    let redis = services::redis().await.unwrap();
    let (other, store) = (plain(redis.url()), cached(redis.url(), for_an_hour()).await);
    let client_ = redis::Client::open(redis.url()).unwrap();
    let mut raw = client_.get_multiplexed_async_connection().await.unwrap();
    let id = client("a");
    for command in [
        &["HDEL", "hmac:http:clients", "a"][..],
        &["DEL", "hmac:http:clients"],
        &["UNLINK", "hmac:http:clients"],
        &["RENAME", "hmac:http:clients", "elsewhere"],
        &["PEXPIRE", "hmac:http:clients", "20"],
        &["FLUSHDB"],
        &["FLUSHALL", "ASYNC"],
    ] {
        write(&other, &id, 1).await;
        eventually("the record is kept", async || {
            let hits = store.statistics().hits;
            version(&store, &id).await == Some(1) && store.statistics().hits > hits
        })
        .await;
        let mut cmd = redis::cmd(command[0]);
        cmd.arg(&command[1..]).exec_async(&mut raw).await.unwrap();
        eventually(command[0], async || version(&store, &id).await.is_none()).await;
    }
}

/// Readers fill the cache as fast as they can while another connection writes: had one of them ever kept what a write
/// had already replaced, it would serve it for an hour.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_stale_is_kept_while_others_write() {
    let redis = services::redis().await.unwrap();
    let patient = plain_within(redis.url(), Duration::from_secs(30));
    let (other, store) = (
        patient.clone(),
        CachedCredentials::spawn(patient, for_an_hour()),
    );
    let id = client("busy");
    write(&other, &id, 1).await;
    let done = Arc::new(AtomicBool::new(false));
    let readers: Vec<_> = (0..3)
        .map(|_| {
            let (store, id, done) = (store.clone(), id.clone(), Arc::clone(&done));
            tokio::spawn(async move {
                while !done.load(Ordering::SeqCst) {
                    store.find(&id).await.unwrap();
                    tokio::task::yield_now().await;
                }
            })
        })
        .collect();
    for round in 2..=500 {
        write(&other, &id, round).await;
        eventually("the write is seen", async || {
            version(&store, &id).await == Some(round)
        })
        .await;
    }
    done.store(true, Ordering::SeqCst);
    for reader in readers {
        reader.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cut_connection_empties_the_cache() {
    let redis = services::redis().await.unwrap();
    let client_ = redis::Client::open(redis.url()).unwrap();
    let mut raw = client_.get_multiplexed_async_connection().await.unwrap();
    let store = cached(redis.url(), for_an_hour()).await;
    let id = client("a");
    for round in 1..=10 {
        eventually("the cache tracks", async || store.is_tracking()).await;
        write(&store, &id, round).await;
        assert_eq!(version(&store, &id).await, Some(round));
        // Cut and deleted in one go: the announcement has nobody to go to.
        let mut pipeline = redis::pipe();
        pipeline
            .cmd("CLIENT")
            .arg(&["KILL", "TYPE", "normal", "SKIPME", "yes"]);
        pipeline.cmd("HDEL").arg("hmac:http:clients").arg("a");
        pipeline.exec_async(&mut raw).await.unwrap();
        eventually("the deletion is seen", async || {
            matches!(store.find(&id).await, Ok(None))
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopped_redis_serves_nobody_from_the_cache() {
    let mut redis = services::redis().await.unwrap();
    let store = cached(redis.url(), for_an_hour()).await;
    let id = client("a");
    write(&store, &id, 1).await;
    assert_eq!(version(&store, &id).await, Some(1));
    redis.stop();
    eventually("the store is away", async || store.find(&id).await.is_err()).await;
    // Two connections end here, the one asked and the one that tracks: once either is known to have, nothing is served.
    let hits = store.statistics().hits;
    eventually("the tracking has ended", async || {
        assert!(store.find(&id).await.is_err());
        !store.is_tracking()
    })
    .await;
    assert!(store.find(&id).await.is_err());
    assert_eq!(store.statistics().hits, hits);
    redis.start().await.unwrap();
    eventually("the cache tracks again", async || store.is_tracking()).await;
    // The other connection may be between two attempts.
    eventually("the store is back", async || {
        matches!(store.find(&id).await, Ok(Some(_)))
    })
    .await;
    assert_eq!(version(&store, &id).await, Some(1));
}

/// A link that swallows everything without closing: the heartbeat finds out, and the time to live bounds it in any case.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_link_serves_nothing_beyond_the_stated_bound() {
    let redis = services::redis().await.unwrap();
    let heartbeat_only = CacheOptions {
        heartbeat: Duration::from_millis(250),
        ..for_an_hour()
    };
    let ttl_only = CacheOptions {
        ttl: Duration::from_millis(400),
        heartbeat: HOUR,
        ..CacheOptions::default()
    };
    for (options, bound) in [
        (heartbeat_only, Duration::from_millis(2 * 250)),
        (ttl_only, Duration::from_millis(400)),
    ] {
        let proxy = Proxy::start(redis.url()).await;
        let (other, id) = (plain(redis.url()), client("swallowed"));
        // Written before the cache tracks, so that no announcement of it is under way.
        write(&other, &id, 1).await;
        let store = cached(&proxy.url, options).await;
        eventually("the record is kept", async || {
            let hits = store.statistics().hits;
            version(&store, &id).await == Some(1) && store.statistics().hits > hits
        })
        .await;
        proxy.frozen.send_replace(true);
        assert!(other.delete(&id).await.unwrap());
        let (deleted, mut last_served) = (Instant::now(), Duration::ZERO);
        while deleted.elapsed() < bound + Duration::from_millis(1_500) {
            if let Ok(Some(_)) = store.find(&id).await {
                last_served = deleted.elapsed();
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert!(
            last_served > Duration::ZERO,
            "the link was silent, so it was served for a while"
        );
        assert!(
            last_served < bound + Duration::from_secs(1),
            "served for {last_served:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_cache_is_bounded() {
    let redis = services::redis().await.unwrap();
    let store = cached(
        redis.url(),
        CacheOptions {
            capacity: 10,
            ..for_an_hour()
        },
    )
    .await;
    for i in 0..100 {
        write(&store, &client(&format!("client {i}")), 1).await;
    }
    for i in 0..1_000 {
        assert_eq!(
            version(&store, &client(&format!("client {}", i % 100))).await,
            Some(1)
        );
        assert!(store.statistics().entries <= 10);
    }
    assert!(store.statistics().entries > 0);
}

/// Passes bytes on until it is frozen; then it keeps the connections and swallows what comes.
struct Proxy {
    url: String,
    frozen: watch::Sender<bool>,
}

impl Proxy {
    async fn start(redis_url: &str) -> Self {
        let server = redis_url
            .trim_start_matches("redis://")
            .trim_end_matches('/')
            .to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("redis://{}", listener.local_addr().unwrap());
        let frozen = watch::Sender::new(false);
        let flag = frozen.subscribe();
        tokio::spawn(async move {
            while let Ok((from_client, _)) = listener.accept().await {
                let (client_read, client_write) = from_client.into_split();
                let (server_read, server_write) =
                    TcpStream::connect(&server).await.unwrap().into_split();
                tokio::spawn(pump(client_read, server_write, flag.clone()));
                tokio::spawn(pump(server_read, client_write, flag.clone()));
            }
        });
        Self { url, frozen }
    }
}

async fn pump(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut frozen: watch::Receiver<bool>) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        if *frozen.borrow() {
            continue;
        }
        if to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
    // Frozen, the end of one side is swallowed too, until the proxy is gone.
    let _ = frozen.wait_for(|frozen| !frozen).await;
}
