//! What is really in Redis, and what becomes of what another program wrote there.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use auth_base::store_error::StoreError;
use hmac_auth::credential::{Change, ClientId, CredentialChange};
use hmac_auth::secret_hash::SecretHash;
use hmac_propagation::peer_store::{
    AckResult, Applied, Apply, ApplyOperation, CredentialKey, FinalStatus, InFlight, PeerStore,
    Stamp, Track,
};
use hmac_propagation::queue::PeerName;
use hmac_propagation_redis::peer_store::{PeerStoreOptions, RedisPeerStore};
use redis::AsyncCommands;
use redis::aio::MultiplexedConnection;
use redis_link::link::RedisLink;

const OLD: &str = "53573f7d3f8a7f7bcada80253685d2b1e058d74729cde4370f7998ee7fb11a16";
const NEW: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const SEVEN_DAYS_MS: i64 = 7 * 24 * 60 * 60 * 1000;

struct Setup {
    redis: services::Redis,
    raw: MultiplexedConnection,
    store: RedisPeerStore,
}

async fn setup(options: PeerStoreOptions) -> Setup {
    let redis = services::redis().await.unwrap();
    let raw = redis::Client::open(redis.url()).unwrap();
    Setup {
        raw: raw.get_multiplexed_async_connection().await.unwrap(),
        store: RedisPeerStore::new(RedisLink::open(redis.url()).unwrap(), options),
        redis,
    }
}

fn key(track: Track, name: &str) -> CredentialKey {
    CredentialKey {
        track,
        client_id: ClientId::parse(name).unwrap(),
    }
}

fn set_hash(hash: &str) -> CredentialChange {
    CredentialChange {
        secret_hash: Some(SecretHash::parse(hash).unwrap()),
        ..CredentialChange::default()
    }
}

fn apply(key: &CredentialKey, ts: i64, operation: ApplyOperation) -> Apply {
    Apply {
        key: key.clone(),
        stamp: Stamp {
            ts,
            event_id: "e1".to_owned(),
        },
        operation,
        now_ms: 1_700_000_000_000,
    }
}

fn in_flight(event_id: &str, key: &CredentialKey, target: &str) -> InFlight {
    InFlight {
        event_id: event_id.to_owned(),
        key: key.clone(),
        target: PeerName::parse(target).unwrap(),
        generation: 4,
        attempt: 2,
        sent_at: 1_700_000_000_000,
    }
}

async fn all_keys(raw: &mut MultiplexedConnection) -> Vec<String> {
    let mut keys: Vec<String> = raw.keys("*").await.unwrap();
    keys.sort();
    keys
}

#[tokio::test]
async fn keys_and_fields_are_those_of_the_original() {
    let Setup {
        mut raw,
        store,
        redis: _redis,
    } = setup(PeerStoreOptions::default()).await;
    let http = key(Track::Http, "a:b");
    let batch: Vec<_> = [Track::Http, Track::Message]
        .map(|track| apply(&key(track, "a:b"), 5, ApplyOperation::Write(set_hash(OLD))))
        .into();
    assert!(
        store
            .apply(&batch)
            .await
            .into_iter()
            .all(|result| result.is_ok())
    );
    store
        .book(&[
            in_flight("ev", &http, "target-1"),
            in_flight("ev2", &http, "target-2"),
        ])
        .await
        .unwrap();
    store
        .book(&[in_flight("mv", &key(Track::Message, "a:b"), "target-1")])
        .await
        .unwrap();
    assert_eq!(
        store
            .complete(&[(in_flight("ev2", &http, "target-2"), AckResult::Applied)])
            .await
            .unwrap(),
        [None]
    );
    assert_eq!(
        all_keys(&mut raw).await,
        [
            "hmac:http:clients",
            "hmac:message:clients",
            "propagation:ack:ev",
            "propagation:ack:mv",
            "propagation:client-pending:a:b",
            "propagation:client-results:a:b",
            "propagation:last-seen:http:a:b",
            "propagation:last-seen:message:a:b",
            "propagation:message:client-pending:a:b",
        ]
    );
    let cursor: Vec<(String, String)> =
        raw.hgetall("propagation:last-seen:http:a:b").await.unwrap();
    assert_eq!(
        cursor,
        [("ts".into(), "5".into()), ("eventId".into(), "e1".into())]
    );
    let ttl: i64 = raw.pttl("propagation:last-seen:http:a:b").await.unwrap();
    assert_eq!(ttl, -1, "a cursor never expires");
    let event: Vec<(String, String)> = raw.hgetall("propagation:ack:ev").await.unwrap();
    let event: Vec<(&str, &str)> = event
        .iter()
        .map(|(name, value)| (&name[..], &value[..]))
        .collect();
    assert_eq!(
        event,
        [
            ("clientId", "a:b"),
            ("targetAmqpQueue", "target-1"),
            ("attemptCount", "2"),
            ("sentAt", "1700000000000"),
            ("track", "http"),
            ("generation", "4"),
        ]
    );
    let results: Vec<(String, String)> =
        raw.hgetall("propagation:client-results:a:b").await.unwrap();
    assert_eq!(results, [("target-2".into(), "success".into())]);
    for name in [
        "propagation:ack:ev",
        "propagation:client-pending:a:b",
        "propagation:client-results:a:b",
    ] {
        let ttl: i64 = raw.pttl(name).await.unwrap();
        assert!(
            (SEVEN_DAYS_MS - 60_000..=SEVEN_DAYS_MS).contains(&ttl),
            "{name}: {ttl}"
        );
    }
    let done = [in_flight("ev", &http, "target-1")];
    store
        .complete(&[(done[0].clone(), AckResult::Applied)])
        .await
        .unwrap();
    store.discard(&done).await.unwrap();
    let left = all_keys(&mut raw).await;
    assert!(
        !left
            .iter()
            .any(|name| name.starts_with("propagation:client-")),
        "{left:?}"
    );
}

#[tokio::test]
async fn peers_with_prefixes_share_a_redis() {
    let options = |prefix: &str| PeerStoreOptions {
        prefix: prefix.to_owned(),
        ..PeerStoreOptions::default()
    };
    let Setup {
        store: one,
        redis,
        mut raw,
    } = setup(options("one")).await;
    let two = RedisPeerStore::new(RedisLink::open(redis.url()).unwrap(), options("two"));
    let http = key(Track::Http, "a");
    let event = in_flight("ev", &http, "target-1");
    one.book(std::slice::from_ref(&event)).await.unwrap();
    one.apply(&[apply(&http, 9, ApplyOperation::Delete)])
        .await
        .pop()
        .unwrap()
        .unwrap();
    assert_eq!(two.find(&["ev".to_owned()]).await.unwrap(), [None]);
    assert_eq!(two.cursors(&[http]).await.unwrap(), [None]);
    two.book(&[event]).await.unwrap();
    assert_eq!(
        all_keys(&mut raw).await,
        [
            "one:propagation:ack:ev",
            "one:propagation:client-pending:a",
            "one:propagation:last-seen:http:a",
            "two:propagation:ack:ev",
            "two:propagation:client-pending:a",
        ]
    );
}

#[tokio::test]
async fn one_bad_item_does_not_stop_the_others() {
    let Setup {
        mut raw,
        store,
        redis: _redis,
    } = setup(PeerStoreOptions::default()).await;
    let names = [
        "good",
        "wrong cursor",
        "unreadable cursor",
        "corrupt",
        "corrupt kept",
        "last",
    ];
    let keys = names.map(|name| key(Track::Http, name));
    let _: () = raw
        .set("propagation:last-seen:http:wrong cursor", "x")
        .await
        .unwrap();
    let _: () = raw
        .hset("propagation:last-seen:http:unreadable cursor", "ts", "1e3")
        .await
        .unwrap();
    for name in ["corrupt", "corrupt kept"] {
        let _: () = raw
            .hset("hmac:http:clients", name, "nonsense")
            .await
            .unwrap();
    }
    let mut batch: Vec<_> = keys
        .iter()
        .map(|key| apply(key, 7, ApplyOperation::Write(set_hash(NEW))))
        .collect();
    let clear = CredentialChange {
        expires_at: Change::Set(None),
        ..CredentialChange::default()
    };
    batch[4].operation = ApplyOperation::Write(clear);
    let results = store.apply(&batch).await;
    assert!(matches!(results[0], Ok(Applied::Written)), "{results:?}");
    assert!(
        matches!(results[1], Err(StoreError::Refused(_))),
        "{results:?}"
    );
    assert!(
        matches!(results[2], Err(StoreError::Corrupt { .. })),
        "{results:?}"
    );
    assert!(
        matches!(results[3], Ok(Applied::Written)),
        "a hash replaces a corrupt record: {results:?}"
    );
    assert!(
        matches!(results[4], Err(StoreError::Corrupt { .. })),
        "{results:?}"
    );
    assert!(matches!(results[5], Ok(Applied::Written)), "{results:?}");
    let cursor = Some(Stamp {
        ts: 7,
        event_id: "e1".to_owned(),
    });
    let cursors = store.cursors(&keys).await.unwrap();
    assert_eq!(
        cursors,
        [cursor.clone(), None, None, cursor.clone(), None, cursor]
    );
    for name in ["wrong cursor", "unreadable cursor"] {
        let record: Option<String> = raw.hget("hmac:http:clients", name).await.unwrap();
        assert_eq!(
            record, None,
            "nothing is written where the cursor cannot move"
        );
    }
    // A whole track whose hash is of another type: the other track goes on.
    let _: () = raw.set("hmac:message:clients", "x").await.unwrap();
    let message = key(Track::Message, "good");
    for operation in [ApplyOperation::Delete, ApplyOperation::Write(set_hash(NEW))] {
        let results = store
            .apply(&[
                apply(&message, 8, operation),
                apply(&keys[0], 8, ApplyOperation::Delete),
            ])
            .await;
        assert!(
            matches!(results[0], Err(StoreError::Refused(_))),
            "{results:?}"
        );
        assert!(results[1].is_ok(), "{results:?}");
    }
    assert_eq!(
        store.cursors(&[message]).await.unwrap(),
        [None],
        "refused by halves"
    );
}

#[tokio::test]
async fn cursors_of_the_original_are_understood() {
    let Setup {
        mut raw,
        store,
        redis: _redis,
    } = setup(PeerStoreOptions::default()).await;
    let http = key(Track::Http, "a");
    for (stored, newer) in [
        ("9", true),
        ("10", false),
        ("0009", true),
        ("0010", false),
        ("11", false),
        ("-5", true),
    ] {
        let _: () = raw
            .hset_multiple(
                "propagation:last-seen:http:a",
                &[("ts", stored), ("eventId", "f")],
            )
            .await
            .unwrap();
        let result = store
            .apply(&[apply(&http, 10, ApplyOperation::Delete)])
            .await
            .pop()
            .unwrap()
            .unwrap();
        assert_eq!(result == Applied::Written, newer, "{stored}");
    }
    let _: () = raw.del("propagation:last-seen:http:a").await.unwrap();
    let _: () = raw
        .hset("propagation:last-seen:http:a", "ts", "10")
        .await
        .unwrap();
    let result = store
        .apply(&[apply(&http, 10, ApplyOperation::Delete)])
        .await
        .pop()
        .unwrap()
        .unwrap();
    assert_eq!(result, Applied::Written, "no event id is before any");
}

#[tokio::test]
async fn events_of_the_original_are_understood_and_broken_ones_unknown() {
    let Setup {
        mut raw,
        store,
        redis: _redis,
    } = setup(PeerStoreOptions::default()).await;
    let fields = [
        ("clientId", "a"),
        ("targetAmqpQueue", "t"),
        ("attemptCount", "1"),
        ("sentAt", "17"),
    ];
    let _: () = raw
        .hset_multiple("propagation:ack:original", &fields)
        .await
        .unwrap();
    let _: () = raw
        .sadd("propagation:client-pending:a", "original")
        .await
        .unwrap();
    let _: () = raw.set("propagation:ack:string", "x").await.unwrap();
    let _: () = raw
        .hset("propagation:ack:half", "clientId", "a")
        .await
        .unwrap();
    let ids = ["string", "original", "half"].map(str::to_owned);
    let found = store.find(&ids).await.unwrap();
    let event = InFlight {
        generation: 0,
        attempt: 1,
        sent_at: 17,
        ..in_flight("original", &key(Track::Http, "a"), "t")
    };
    assert_eq!(found, [None, Some(event.clone()), None]);
    let statuses = store
        .complete(&[(event, AckResult::Applied)])
        .await
        .unwrap();
    assert_eq!(statuses, [Some(FinalStatus::Success)]);
}

#[tokio::test]
async fn a_ledger_key_of_another_type_is_replaced() {
    let Setup {
        mut raw,
        store,
        redis: _redis,
    } = setup(PeerStoreOptions::default()).await;
    let http = key(Track::Http, "a");
    let event = in_flight("ev", &http, "target-1");
    for _ in 0..2 {
        for name in [
            "propagation:ack:ev",
            "propagation:client-pending:a",
            "propagation:client-results:a",
        ] {
            let _: () = raw.set(name, "x").await.unwrap();
        }
        store.book(std::slice::from_ref(&event)).await.unwrap();
        assert_eq!(
            store.find(&["ev".to_owned()]).await.unwrap(),
            [Some(event.clone())]
        );
    }
    let _: () = raw.set("propagation:client-results:a", "x").await.unwrap();
    let statuses = store
        .complete(&[(event.clone(), AckResult::Error)])
        .await
        .unwrap();
    assert_eq!(statuses, [Some(FinalStatus::Error)]);
    let _: () = raw.set("propagation:client-pending:a", "x").await.unwrap();
    store.discard(&[event]).await.unwrap();
}

#[tokio::test]
async fn an_expired_event_keeps_nothing_pending() {
    let options = PeerStoreOptions {
        ledger_ttl: Duration::from_millis(150),
        ..PeerStoreOptions::default()
    };
    let Setup {
        mut raw,
        store,
        redis: _redis,
    } = setup(options).await;
    let http = key(Track::Http, "a");
    store
        .book(&[in_flight("lost", &http, "target-1")])
        .await
        .unwrap();
    hmac_testkit::wait::eventually("the event expires", async || {
        // What keeps a busy client's set alive while one of its events expires.
        let _: () = raw
            .clone()
            .persist("propagation:client-pending:a")
            .await
            .unwrap();
        store.find(&["lost".to_owned()]).await.unwrap() == [None]
    })
    .await;
    let event = in_flight("later", &http, "target-2");
    store.book(std::slice::from_ref(&event)).await.unwrap();
    let statuses = store
        .complete(&[(event, AckResult::Applied)])
        .await
        .unwrap();
    assert_eq!(statuses, [Some(FinalStatus::Success)]);
    let left: Vec<String> = raw.smembers("propagation:client-pending:a").await.unwrap();
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_memory_writes_nothing_by_halves() {
    let Setup {
        mut raw,
        store,
        redis: _redis,
    } = setup(PeerStoreOptions::default()).await;
    let http = key(Track::Http, "a");
    store
        .apply(&[apply(&http, 1, ApplyOperation::Write(set_hash(OLD)))])
        .await
        .pop()
        .unwrap()
        .unwrap();
    let _: () = redis::cmd("CONFIG")
        .arg(&["SET", "maxmemory", "1"])
        .query_async(&mut raw)
        .await
        .unwrap();
    for operation in [ApplyOperation::Write(set_hash(NEW)), ApplyOperation::Delete] {
        let result = store
            .apply(&[apply(&http, 2, operation)])
            .await
            .pop()
            .unwrap();
        assert!(matches!(result, Err(StoreError::Refused(_))), "{result:?}");
        let record: String = raw.hget("hmac:http:clients", "a").await.unwrap();
        assert!(record.contains(OLD));
        assert_eq!(
            store.cursors(std::slice::from_ref(&http)).await.unwrap()[0]
                .as_ref()
                .unwrap()
                .ts,
            1
        );
    }
    let booked = store.book(&[in_flight("ev", &http, "target-1")]).await;
    assert!(matches!(booked, Err(StoreError::Refused(_))), "{booked:?}");
    let keys = all_keys(&mut raw).await;
    assert_eq!(keys, ["hmac:http:clients", "propagation:last-seen:http:a"]);
}
