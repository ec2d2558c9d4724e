//! What is really in Redis, byte by byte where another program reads it, and what becomes of what another program wrote.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use auth_base::nonce_store::NonceStore;
use auth_base::store_error::StoreError;
use hmac_auth::allowed_ips::AllowedIps;
use hmac_auth::credential::{Change, ClientId, CredentialChange};
use hmac_auth::credential_store::{CredentialStore, CredentialWrite, WriteCondition, WriteOutcome};
use hmac_auth::record;
use hmac_auth::secret_hash::SecretHash;
use hmac_auth_redis::credential_store::RedisCredentialStore;
use hmac_auth_redis::keys::Namespace;
use hmac_auth_redis::nonce_store::RedisNonceStore;
use redis::AsyncCommands;
use redis::aio::MultiplexedConnection;
use redis_link::link::RedisLink;

const OLD: &str = "53573f7d3f8a7f7bcada80253685d2b1e058d74729cde4370f7998ee7fb11a16";
const NEW: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

struct Setup {
    _redis: services::Redis,
    raw: MultiplexedConnection,
    store: RedisCredentialStore,
    nonces: RedisNonceStore,
}

async fn setup() -> Setup {
    let redis = services::redis().await.unwrap();
    let raw = redis::Client::open(redis.url()).unwrap();
    let link = RedisLink::open(redis.url()).unwrap();
    let namespace = Namespace::new("hmac:http");
    Setup {
        raw: raw.get_multiplexed_async_connection().await.unwrap(),
        store: RedisCredentialStore::new(link.clone(), namespace.clone()),
        nonces: RedisNonceStore::new(link, namespace),
        _redis: redis,
    }
}

fn client(name: &str) -> ClientId {
    ClientId::parse(name).unwrap()
}

fn set_hash(hash: &str) -> CredentialChange {
    CredentialChange {
        secret_hash: Some(SecretHash::parse(hash).unwrap()),
        ..CredentialChange::default()
    }
}

fn write(change: CredentialChange, condition: WriteCondition) -> CredentialWrite {
    CredentialWrite {
        change,
        condition,
        now_ms: 1_700_000_000_002,
        backup_ttl: Duration::from_secs(600),
    }
}

#[tokio::test]
async fn records_backups_and_nonces_are_where_the_wire_contract_says() {
    let Setup {
        mut raw,
        store,
        nonces,
        _redis,
    } = setup().await;
    let id = client("billing:eu");
    let mut change = set_hash(OLD);
    change.expires_at = Change::Set(Some(1_800_000_000_000));
    change.allowed_ips = Change::Set(AllowedIps::parse(["10.0.0.0/8", "::1"]).unwrap());
    store
        .write(&id, write(change, WriteCondition::Absent))
        .await
        .unwrap();
    let record: String = raw.hget("hmac:http:clients", "billing:eu").await.unwrap();
    assert_eq!(
        record,
        format!(
            r#"{{"secretHash":"{OLD}","createdAt":1700000000002,"updatedAt":1700000000002,"expiresAt":1800000000000,"allowedIps":["10.0.0.0/8","::1"]}}"#
        )
    );
    let mut change = set_hash(NEW);
    change.expires_at = Change::Set(None);
    store
        .write(&id, write(change, WriteCondition::Present))
        .await
        .unwrap();
    let record: String = raw.hget("hmac:http:clients", "billing:eu").await.unwrap();
    assert!(
        record.ends_with(r#""expiresAt":null,"allowedIps":["10.0.0.0/8","::1"]}"#),
        "{record}"
    );
    let mut change = set_hash(NEW);
    change.allowed_ips = Change::Set(AllowedIps::default());
    store
        .write(&id, write(change, WriteCondition::Present))
        .await
        .unwrap();
    let record: String = raw.hget("hmac:http:clients", "billing:eu").await.unwrap();
    assert!(
        record.ends_with(r#""allowedIps":[]}"#),
        "an empty list is a list: {record}"
    );
    let backup: String = raw
        .get("hmac:http:credentials-backup:billing:eu")
        .await
        .unwrap();
    assert_eq!(backup, OLD);
    let ttl: i64 = raw
        .pttl("hmac:http:credentials-backup:billing:eu")
        .await
        .unwrap();
    assert!((590_000..=600_000).contains(&ttl), "{ttl}");

    assert!(
        nonces
            .remember(id.as_str(), "n1", 17, Duration::from_millis(90_500))
            .await
            .unwrap()
    );
    let nonce: String = raw.get("hmac:http:nonce:billing:eu:n1:17").await.unwrap();
    assert_eq!(nonce, "1");
    let ttl: i64 = raw.pttl("hmac:http:nonce:billing:eu:n1:17").await.unwrap();
    assert!((80_000..=90_500).contains(&ttl), "{ttl}");

    assert!(store.delete(&id).await.unwrap());
    let mut left: Vec<String> = raw.keys("*").await.unwrap();
    left.sort();
    assert_eq!(left, ["hmac:http:nonce:billing:eu:n1:17"]);
}

/// What the merge in Lua makes of any stored text is what the merge in Rust makes of it.
#[tokio::test]
async fn the_merge_in_lua_is_the_merge_in_rust() {
    let Setup {
        mut raw,
        store,
        _redis,
        ..
    } = setup().await;
    let fields = [
        "",
        r#","createdAt":5,"updatedAt":6,"expiresAt":7,"allowedIps":["10.0.0.1"]"#,
        r#", "createdAt" : 9007199254740993 , "expiresAt" : 9223372036854775807 , "allowedIps" : [ "::1" ] "#,
        r#","createdAt":-9007199254740993,"expiresAt":-9223372036854775808"#,
        r#","createdAt":"5","updatedAt":"6","expiresAt":"7","allowedIps":"10.0.0.1""#,
        r#","createdAt":1.9,"expiresAt":-1.9,"allowedIps":null"#,
        r#","createdAt":1e3,"expiresAt":1.7e12,"allowedIps":[]"#,
        r#","createdAt":null,"expiresAt":null,"allowedIps":{}"#,
        r#","createdAt":true,"expiresAt":[],"allowedIps":{"a":"10.0.0.1"}"#,
        r#","createdAt":0,"expiresAt":0,"allowedIps":["bad"]"#,
        r#","createdAt":-0,"expiresAt":-0.0,"allowedIps":["10.0.0.1",5,"bad",null,{},[],"10.0.0.0/8"]"#,
        r#","allowedIps":[5]"#,
        r#","allowedIps":7"#,
        r#","allowedIps":["\u0031\u0030.0.0.1","a\"b\\c\/d","\ud83d\ude00"]"#,
        r#","allowedIps":[null]"#,
        r#","extra":{"expiresAt":1,"allowedIps":{}},"expiresAt":9"#,
    ];
    let mut stored: Vec<String> = fields
        .iter()
        .map(|f| format!(r#"{{"secretHash":"{OLD}"{f}}}"#))
        .collect();
    stored.extend([OLD.to_owned(), format!(" {OLD}\n"), "1".repeat(64)]);
    let cleared = CredentialChange {
        expires_at: Change::Set(None),
        allowed_ips: Change::Set(AllowedIps::default()),
        ..CredentialChange::default()
    };
    for text in &stored {
        let before = record::decode(text).unwrap();
        for change in [
            CredentialChange::default(),
            set_hash(NEW),
            set_hash(OLD),
            cleared.clone(),
        ] {
            let _: () = raw.hset("hmac:http:clients", "odd", text).await.unwrap();
            let model = change.merge(Some(&before), 1_700_000_000_002).unwrap();
            let outcome = store
                .write(&client("odd"), write(change, WriteCondition::Present))
                .await
                .unwrap();
            let WriteOutcome::Written(written) = outcome else {
                panic!("{outcome:?}")
            };
            assert!(written.secret_hash.matches(&model.secret_hash), "{text}");
            assert_eq!(written.created_at, model.created_at, "{text}");
            assert_eq!(written.updated_at, model.updated_at, "{text}");
            assert_eq!(written.expires_at, model.expires_at, "{text}");
            assert_eq!(
                written.allowed_ips.rules(),
                model.allowed_ips.rules(),
                "{text}"
            );
            assert_eq!(
                written.allowed_ips.denies_everyone(),
                model.allowed_ips.denies_everyone(),
                "{text}"
            );
            let json: String = raw.hget("hmac:http:clients", "odd").await.unwrap();
            let json: serde_json::Value = serde_json::from_str(&json).unwrap();
            let names: Vec<&String> = json.as_object().unwrap().keys().collect();
            assert_eq!(
                names,
                [
                    "allowedIps",
                    "createdAt",
                    "expiresAt",
                    "secretHash",
                    "updatedAt"
                ],
                "{text}"
            );
        }
    }
}

#[tokio::test]
async fn a_corrupt_record_is_an_error_until_a_hash_mends_it() {
    let Setup {
        mut raw,
        store,
        _redis,
        ..
    } = setup().await;
    let id = client("broken");
    let upper = format!(r#"{{"secretHash":"{}"}}"#, OLD.to_uppercase());
    let short = format!(r#"{{"secretHash":"{}"}}"#, &OLD[1..]);
    let list = format!(r#"["{OLD}"]"#);
    for text in [
        "",
        "abc",
        "{}",
        "null",
        "5",
        "[]",
        "{bad",
        r#"{"secretHash":5}"#,
        &upper,
        &short,
        &list,
    ] {
        let _: () = raw.hset("hmac:http:clients", "broken", text).await.unwrap();
        let _: () = raw
            .set("hmac:http:credentials-backup:broken", OLD)
            .await
            .unwrap();
        let is_corrupt = |error: StoreError| match &error {
            StoreError::Corrupt { owner, .. } => {
                owner == "broken" && !error.to_string().contains(OLD)
            }
            _ => false,
        };
        assert!(is_corrupt(store.find(&id).await.unwrap_err()), "{text}");
        let change = CredentialChange {
            expires_at: Change::Set(Some(1)),
            ..CredentialChange::default()
        };
        let error = store
            .write(&id, write(change, WriteCondition::Always))
            .await
            .unwrap_err();
        assert!(is_corrupt(error), "{text}");
        let outcome = store
            .write(&id, write(set_hash(NEW), WriteCondition::Absent))
            .await
            .unwrap();
        assert!(matches!(outcome, WriteOutcome::AlreadyExists), "{text}");
        let page = store.list(None, 10).await.unwrap();
        assert!(
            matches!(&page.entries[..], [(listed, Err(_))] if *listed == id),
            "{text}"
        );
        store
            .write(&id, write(set_hash(NEW), WriteCondition::Present))
            .await
            .unwrap();
        let found = store.find(&id).await.unwrap().unwrap();
        assert!(
            found.previous.is_none(),
            "nothing is known of the hash before: {text}"
        );
        assert!(store.delete(&id).await.unwrap());
    }
    let text = r#"{"secretHash":"gone","createdAt":5,"expiresAt":7,"allowedIps":["10.0.0.1"]}"#;
    let _: () = raw.hset("hmac:http:clients", "broken", text).await.unwrap();
    store
        .write(&id, write(set_hash(NEW), WriteCondition::Always))
        .await
        .unwrap();
    let mended = store.find(&id).await.unwrap().unwrap().credential;
    assert_eq!((mended.created_at, mended.expires_at), (5, Some(7)));
    assert_eq!(
        mended.allowed_ips.rules(),
        ["10.0.0.1"],
        "mending the hash does not open the list"
    );
    let _: () = raw
        .hset("hmac:http:clients", "broken", b"\xff\xfe")
        .await
        .unwrap();
    assert!(matches!(
        store.find(&id).await,
        Err(StoreError::Corrupt { .. })
    ));
    assert!(store.delete(&id).await.unwrap());
}

#[tokio::test]
async fn a_backup_that_is_no_hash_refuses_nobody() {
    let Setup {
        mut raw,
        store,
        _redis,
        ..
    } = setup().await;
    let id = client("a");
    store
        .write(&id, write(set_hash(OLD), WriteCondition::Always))
        .await
        .unwrap();
    let _: () = raw
        .set("hmac:http:credentials-backup:a", "abc")
        .await
        .unwrap();
    assert!(store.find(&id).await.unwrap().unwrap().previous.is_none());
    let _: () = raw.del("hmac:http:credentials-backup:a").await.unwrap();
    let _: () = raw
        .rpush("hmac:http:credentials-backup:a", "abc")
        .await
        .unwrap();
    assert!(store.find(&id).await.unwrap().unwrap().previous.is_none());
    store
        .write(&id, write(set_hash(NEW), WriteCondition::Always))
        .await
        .unwrap();
    let previous = store.find(&id).await.unwrap().unwrap().previous.unwrap();
    assert!(previous.matches(&SecretHash::parse(OLD).unwrap()));
}

#[tokio::test]
async fn names_that_are_no_client_ids_are_passed_over() {
    let Setup {
        mut raw,
        store,
        _redis,
        ..
    } = setup().await;
    for name in [
        b"good".as_slice(),
        b" padded ",
        b"",
        b"a\nb",
        b"\xff",
        &[b'x'; 129],
    ] {
        let _: () = raw.hset("hmac:http:clients", name, OLD).await.unwrap();
    }
    let page = store.list(None, 100).await.unwrap();
    let mut names: Vec<&str> = page.entries.iter().map(|(id, _)| id.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, [" padded ", "good"]);
    assert!(
        store
            .list(Some("nonsense"), 10)
            .await
            .unwrap()
            .entries
            .is_empty()
    );
    assert!(store.list(Some("-1"), 0).await.unwrap().next.is_none());
}

#[tokio::test]
async fn a_read_costs_one_round_trip_and_so_does_a_nonce() {
    let Setup {
        mut raw,
        store,
        nonces,
        _redis,
    } = setup().await;
    store
        .write(&client("a"), write(set_hash(OLD), WriteCondition::Always))
        .await
        .unwrap();
    let before = reads(&mut raw).await;
    for i in 0..50 {
        store.find(&client("a")).await.unwrap();
        nonces
            .remember("a", "n", i, Duration::from_secs(60))
            .await
            .unwrap();
    }
    // The server reads a socket once for each request, and once for each of our own two questions.
    let used = reads(&mut raw).await - before;
    assert!(used <= 102, "{used} reads for 100 requests");
}

async fn reads(raw: &mut MultiplexedConnection) -> i64 {
    let info: String = redis::cmd("INFO")
        .arg("stats")
        .query_async(raw)
        .await
        .unwrap();
    let line = info
        .lines()
        .find_map(|line| line.strip_prefix("total_reads_processed:"))
        .unwrap();
    line.parse().unwrap()
}

#[tokio::test]
async fn a_corrupt_record_among_many_is_told_and_hides_no_other() {
    let Setup {
        mut raw,
        store,
        nonces: _,
        _redis,
    } = setup().await;
    let (good, bad, legacy) = (client("good"), client("bad"), client("legacy"));
    store
        .write(&good, write(set_hash(OLD), WriteCondition::Always))
        .await
        .unwrap();
    let _: () = raw.hset("hmac:http:clients", "bad", "{}").await.unwrap();
    let _: () = raw.hset("hmac:http:clients", "legacy", NEW).await.unwrap();
    let found = store
        .find_many(&[bad, good.clone(), client("nobody"), legacy])
        .await
        .unwrap();
    assert_eq!(
        found[0].as_ref().unwrap().as_ref().unwrap_err(),
        &"the record has no secretHash"
    );
    let hash = |index: usize| {
        found[index]
            .as_ref()
            .unwrap()
            .as_ref()
            .unwrap()
            .secret_hash
            .expose()
    };
    assert_eq!((hash(1), hash(3)), (OLD, NEW));
    assert!(found[2].is_none());
    let _: () = raw.set("hmac:http:clients", "no hash").await.unwrap();
    assert!(matches!(
        store.find_many(&[good]).await,
        Err(StoreError::Refused(_))
    ));
}
