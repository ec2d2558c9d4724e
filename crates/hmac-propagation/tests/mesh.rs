//! A whole mesh in one process, on the in-memory broker and stores, with tokio's clock under the test's control.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test stops where an expectation fails"
)]

#[path = "mesh/harness.rs"]
mod harness;

use std::time::Duration;

use auth_base::secret::Secret;
use hmac_auth::credential::Change;
use hmac_propagation::broker::{Broker, OutboundMessage};
use hmac_propagation::delivery::DeliveryStatus;
use hmac_propagation::error::PropagationError;
use hmac_propagation::event_id::event_id;
use hmac_propagation::management::Operation;
use hmac_propagation::options::{Ensure, Newer, Resync, Revoke, Rotate, Settings};
use hmac_propagation::origin::Origin;
use hmac_propagation::peer_store::Track;
use hmac_propagation::progress::{Progress, ProgressEvent};
use tokio::sync::broadcast::error::TryRecvError;
use tokio::time::Instant;

use harness::{FIRST, Mesh, SECOND, ensure, key, name, secret_of};

#[tokio::test(start_paused = true)]
async fn a_change_reaches_every_target() {
    let mesh = Mesh::start(&["consumer", "other"]).await;
    let ensured = mesh
        .source
        .propagator
        .ensure(ensure("client", FIRST, &["consumer", "other"]))
        .await
        .unwrap();
    assert_eq!(ensured.operation, Operation::Create);
    mesh.all_rows(DeliveryStatus::Success).await;
    let hash = mesh.source.hash("client").unwrap();
    for target in &mesh.targets {
        assert_eq!(target.hash("client").as_deref(), Some(hash.as_str()));
    }
}

/// A client of another mesh keeps the secret that it has, where the peer is told so; a new one is as long as everywhere.
#[tokio::test(start_paused = true)]
async fn a_short_secret_is_adopted_only_where_it_is_allowed() {
    let usual = Mesh::start(&["consumer"]).await;
    let source = &usual.source.propagator;
    let refused = source
        .ensure(ensure("client", "short", &["consumer"]))
        .await;
    let is_refused = |error| {
        matches!(
            error,
            PropagationError::InvalidOptions {
                field: "secret",
                ..
            }
        )
    };
    assert!(is_refused(refused.unwrap_err()));
    let settings = Settings {
        min_secret_bytes: 5,
        ..Settings::default()
    };
    let mesh = Mesh::start_with(&["consumer"], true, settings);
    let source = &mesh.source.propagator;
    let shorter = source.ensure(ensure("client", "shrt", &["consumer"])).await;
    assert!(is_refused(shorter.unwrap_err()));
    let adopted = source.ensure(ensure("client", "short", &["consumer"]));
    adopted.await.unwrap();
    mesh.all_rows(DeliveryStatus::Success).await;
    let rotated = source.rotate(Rotate::new("client", Secret::new("newer")));
    assert!(is_refused(rotated.await.unwrap_err()));
}

/// An event of `node` to the consumer.
fn from_node(event_id: &str, ts: i64) -> OutboundMessage {
    let (own, hash) = (secret_of("consumer"), "a".repeat(64));
    let body = format!(
        r#"{{"eventId":"{event_id}","ts":{ts},"propagationSecret":"{}","senderAmqpQueue":"node","op":"credential.create","track":"http","clientId":"c","payload":{{"secretHash":"{hash}"}}}}"#,
        own.expose()
    );
    OutboundMessage {
        target: name("consumer"),
        message_id: "m".into(),
        timestamp_ms: 0,
        body: body.into_bytes(),
    }
}

/// A source of the original drops an answer that comes before it has booked what it sent. Our sources book first, and do
/// not wait behind the others.
#[tokio::test(start_paused = true)]
async fn senders_of_the_original_are_answered_a_little_later() {
    let mesh = Mesh::start(&["consumer"]).await;
    let node = mesh.connect();
    let mut answers = node.subscribe(&name("node"), 10).await.unwrap();
    node.declare(&name("consumer")).await.unwrap();
    let theirs = from_node("11111111-1111-4111-8111-111111111111", 1);
    let ours = event_id(&name("node"), 2, [7; 16]);
    let began = Instant::now();
    node.publish(vec![theirs, from_node(&ours, 2)]).await;
    let first = answers.next(10).await;
    assert!(String::from_utf8_lossy(&first[0].body).contains(&ours));
    assert_eq!(first.len(), 1);
    assert!(began.elapsed() < Duration::from_millis(10));
    let second = answers.next(10).await;
    assert!(String::from_utf8_lossy(&second[0].body).contains("11111111"));
    assert!(began.elapsed() >= Duration::from_millis(50));
    assert!(began.elapsed() < Duration::from_millis(100));
    // What waits is not settled: a peer that ends gives it back.
    node.publish(vec![from_node("21111111-1111-4111-8111-111111111111", 3)])
        .await;
    let counters = || mesh.targets[0].propagator.counters();
    mesh.until("it is applied", |_| counters().events_applied == 3)
        .await;
    mesh.targets[0].propagator.close().await;
    assert_eq!(mesh.bus.depth(&name("consumer")), Some(1));
    assert_eq!(counters().acks_published, 2);
}

#[tokio::test(start_paused = true)]
async fn rotate_and_revoke_converge() {
    let mesh = Mesh::start(&["consumer", "other"]).await;
    let source = &mesh.source.propagator;
    source
        .ensure(ensure("client", FIRST, &["consumer", "other"]))
        .await
        .unwrap();
    mesh.all_rows(DeliveryStatus::Success).await;
    let first = mesh.source.hash("client");
    let rotate = |client: &str| Rotate {
        client_id: client.into(),
        secret: Secret::new(SECOND),
        track: Track::Http,
        origin: Origin::default(),
    };
    source.rotate(rotate("client")).await.unwrap();
    mesh.all_rows(DeliveryStatus::Success).await;
    assert_ne!(mesh.source.hash("client"), first);
    for target in &mesh.targets {
        assert_eq!(target.hash("client"), mesh.source.hash("client"));
    }
    let targets = vec!["consumer".to_owned(), "other".to_owned()];
    source
        .revoke(Revoke {
            client_id: "client".into(),
            targets,
            track: Track::Http,
            origin: Origin::default(),
        })
        .await
        .unwrap();
    assert_eq!(mesh.source.hash("client"), None, "revoked here at once");
    mesh.all_rows(DeliveryStatus::Success).await;
    assert!(
        mesh.targets
            .iter()
            .all(|target| target.hash("client").is_none())
    );
    let unknown = source.rotate(rotate("client")).await.unwrap_err();
    assert!(
        matches!(unknown, PropagationError::UnknownClient(_)),
        "{unknown}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_subset_of_targets_leaves_the_others_last_change_alone() {
    let mesh = Mesh::start(&["consumer", "other"]).await;
    let source = &mesh.source.propagator;
    source
        .ensure(ensure("client", FIRST, &["consumer", "other"]))
        .await
        .unwrap();
    mesh.all_rows(DeliveryStatus::Success).await;
    let first = mesh.source.hash("client");
    source
        .ensure(ensure("client", SECOND, &["consumer"]))
        .await
        .unwrap();
    mesh.all_rows(DeliveryStatus::Success).await;
    assert_eq!(mesh.targets[1].hash("client"), first);
    assert_ne!(mesh.targets[0].hash("client"), first);
}

#[tokio::test(start_paused = true)]
async fn an_offline_target_catches_up_and_its_queue_stays_bounded() {
    let mut mesh = Mesh::start(&["consumer"]).await;
    mesh.targets[0].propagator.close().await;
    mesh.source
        .propagator
        .ensure(ensure("client", FIRST, &["consumer"]))
        .await
        .unwrap();
    for _ in 0..20 {
        mesh.source
            .propagator
            .sync(&Origin::default())
            .await
            .unwrap();
    }
    assert_eq!(
        mesh.bus.depth(&name("consumer")),
        Some(1),
        "many syncs, one event"
    );
    mesh.restart(0).await;
    mesh.all_rows(DeliveryStatus::Success).await;
    assert_eq!(mesh.targets[0].hash("client"), mesh.source.hash("client"));
}

#[tokio::test(start_paused = true)]
async fn a_target_that_never_started_still_receives() {
    let mut mesh = Mesh::start(&[]).await;
    mesh.management.put_target(name("late"), secret_of("late"));
    mesh.source
        .propagator
        .ensure(ensure("client", FIRST, &["late"]))
        .await
        .unwrap();
    mesh.all_rows(DeliveryStatus::Sent).await;
    mesh.join("late").await;
    mesh.all_rows(DeliveryStatus::Success).await;
}

#[tokio::test(start_paused = true)]
async fn a_resync_heals_a_target_that_lost_everything() {
    let mut mesh = Mesh::start(&["consumer"]).await;
    let source = &mesh.source.propagator;
    source
        .ensure(ensure("kept", FIRST, &["consumer"]))
        .await
        .unwrap();
    source
        .ensure(ensure("revoked", FIRST, &["consumer"]))
        .await
        .unwrap();
    source
        .revoke(Revoke {
            client_id: "revoked".into(),
            targets: vec!["consumer".into()],
            track: Track::Http,
            origin: Origin::default(),
        })
        .await
        .unwrap();
    mesh.all_rows(DeliveryStatus::Success).await;
    mesh.targets[0]
        .credentials
        .delete_now(&key("kept").client_id);
    mesh.targets[0].plant("revoked", FIRST);
    let summary = mesh
        .source
        .propagator
        .resync(Resync::target("consumer").newer(Newer::Overwrite))
        .await
        .unwrap();
    assert_eq!(summary.targets_published, 2);
    mesh.all_rows(DeliveryStatus::Success).await;
    assert_eq!(mesh.targets[0].hash("kept"), mesh.source.hash("kept"));
    assert_eq!(mesh.targets[0].hash("revoked"), None);
    mesh.restart(0).await;
}

#[tokio::test(start_paused = true)]
async fn one_bad_row_blocks_nobody() {
    let mesh = Mesh::start(&["consumer"]).await;
    mesh.management.put_target(name("gone"), secret_of("gone"));
    mesh.source
        .propagator
        .ensure(ensure("bad", FIRST, &["gone"]))
        .await
        .unwrap();
    mesh.until("sent", |mesh| {
        mesh.management
            .deliveries()
            .iter()
            .any(|p| p.status == DeliveryStatus::Sent)
    })
    .await;
    mesh.management.remove_target(&name("gone"));
    let rotate = Rotate {
        client_id: "bad".into(),
        secret: Secret::new(SECOND),
        track: Track::Http,
        origin: Origin::default(),
    };
    mesh.source.propagator.rotate(rotate).await.unwrap();
    mesh.source
        .propagator
        .ensure(ensure("good", FIRST, &["consumer"]))
        .await
        .unwrap();
    mesh.until("good is there", |mesh| {
        mesh.management
            .deliveries()
            .iter()
            .any(|p| p.key == key("good") && p.status == DeliveryStatus::Success)
    })
    .await;
    let bad = mesh
        .management
        .deliveries()
        .into_iter()
        .find(|p| p.key == key("bad"))
        .unwrap();
    assert_eq!(bad.status, DeliveryStatus::Error);
    assert!(bad.reason.unwrap().contains("inventory"));
}

#[tokio::test(start_paused = true)]
async fn a_page_of_bad_rows_does_not_end_a_sync() {
    let settings = Settings {
        page: 1,
        sync_on_change: false,
        ..Settings::default()
    };
    let mesh = Mesh::start_with(&["consumer"], true, settings);
    let source = &mesh.source.propagator;
    mesh.management.put_target(name("gone"), secret_of("gone"));
    source
        .ensure(ensure("bad", FIRST, &["gone"]))
        .await
        .unwrap();
    mesh.management.remove_target(&name("gone"));
    source
        .ensure(ensure("good", FIRST, &["consumer"]))
        .await
        .unwrap();
    let summary = source.sync(&Origin::default()).await.unwrap();
    assert_eq!(
        (summary.targets_published, summary.targets_retrying),
        (1, 1)
    );
}

/// What came from a peer that makes other names keeps its own, to the byte, and can be taken away.
#[tokio::test(start_paused = true)]
async fn only_plain_names_are_made_and_any_is_received_and_revoked() {
    let mesh = Mesh::start(&[]).await;
    let source = &mesh.source.propagator;
    let names = [
        "café",
        "a\u{202e}gnp.exe",
        " lead",
        "lead ",
        "a b",
        "a\u{ad}b",
    ];
    for client in names {
        let made = source.ensure(ensure(client, FIRST, &[])).await.unwrap_err();
        assert_eq!(made.field(), Some("clientId"), "{client:?}");
    }
    // Whoever finds such a client at a target takes it away, also where it is not known.
    source.revoke(Revoke::new("pâté")).await.unwrap();
    let elsewhere = mesh.connect();
    let own = secret_of("source");
    let hash = |digit: usize| digit.to_string().repeat(64);
    let messages = ["lead"].iter().chain(&names).enumerate().map(|(index, client)| {
        let (own, hash) = (own.expose(), hash(index));
        let body = format!(
            r#"{{"eventId":"e{index}","ts":1,"propagationSecret":"{own}","senderAmqpQueue":"other","op":"credential.create","track":"http","clientId":"{client}","payload":{{"secretHash":"{hash}"}}}}"#
        );
        OutboundMessage {
            target: name("source"),
            message_id: "m".into(),
            timestamp_ms: 0,
            body: body.into_bytes(),
        }
    });
    elsewhere.declare(&name("source")).await.unwrap();
    elsewhere.publish(messages.collect()).await;
    for (index, client) in ["lead"].iter().chain(&names).enumerate() {
        let what = format!("{client:?} has a hash of its own");
        mesh.until(&what, |mesh| mesh.source.hash(client) == Some(hash(index)))
            .await;
    }
    for client in names {
        source.ensure(ensure(client, FIRST, &[])).await.unwrap();
        source
            .rotate(Rotate::new(client, Secret::new(SECOND)))
            .await
            .unwrap();
        source.revoke(Revoke::new(client)).await.unwrap();
        assert_eq!(mesh.source.hash(client), None, "{client:?}");
    }
    assert_eq!(mesh.source.hash("lead"), Some(hash(0)));
}

#[tokio::test(start_paused = true)]
async fn one_bad_message_blocks_nobody() {
    let mesh = Mesh::start(&["consumer"]).await;
    let intruder = mesh.connect();
    intruder.declare(&name("consumer")).await.unwrap();
    let hash = "a".repeat(64);
    let forged = |secret: &str, rest: &str| {
        format!(
            r#"{{"eventId":"e1","ts":1,"propagationSecret":"{secret}","senderAmqpQueue":"source","op":"credential.create",{rest}}}"#
        )
    };
    let own = secret_of("consumer");
    let apply =
        format!(r#""track":"http","clientId":"intruder","payload":{{"secretHash":"{hash}"}}"#);
    let bodies = [
        "not json".to_owned(),
        "[]".to_owned(),
        "x".repeat(300 * 1024),
        forged("wrong", &apply),
        forged(own.expose(), &apply.replace("http", "smoke")),
        forged(own.expose(), &apply.replace(&hash, "short")),
        forged(own.expose(), &apply).replace("credential.create", "credential.unknown"),
        forged(own.expose(), &apply).replace("\"ts\":1", "\"ts\":99999999999999"),
        forged(own.expose(), &apply.replace(&hash, "short")).replace("source", "stranger"),
    ];
    let messages = bodies.into_iter().map(|body| OutboundMessage {
        target: name("consumer"),
        message_id: "m".into(),
        timestamp_ms: 0,
        body: body.into_bytes(),
    });
    assert!(
        intruder
            .publish(messages.collect())
            .await
            .iter()
            .all(Result::is_ok)
    );
    mesh.source
        .propagator
        .ensure(ensure("client", FIRST, &["consumer"]))
        .await
        .unwrap();
    mesh.all_rows(DeliveryStatus::Success).await;
    assert_eq!(mesh.targets[0].hash("intruder"), None);
    let counters = mesh.targets[0].propagator.counters();
    assert_eq!(
        (
            counters.messages_dropped,
            counters.events_refused,
            counters.events_applied
        ),
        (5, 4, 1)
    );
    assert_eq!(mesh.bus.depth(&name("stranger")), None, "no queue for it");
}

#[tokio::test(start_paused = true)]
async fn wrong_options_name_the_field() {
    let mesh = Mesh::start(&["consumer"]).await;
    let source = &mesh.source.propagator;
    let good = || ensure("client", FIRST, &["consumer"]);
    let cases: Vec<(&str, Ensure)> = vec![
        (
            "clientId",
            Ensure {
                client_id: " ".into(),
                ..good()
            },
        ),
        (
            "clientId",
            Ensure {
                client_id: "x".repeat(129),
                ..good()
            },
        ),
        (
            "secret",
            Ensure {
                secret: Secret::new("short"),
                ..good()
            },
        ),
        (
            "secret",
            Ensure {
                secret: Secret::new(format!("{FIRST}\n")),
                ..good()
            },
        ),
        (
            "secret",
            Ensure {
                secret: Secret::new(" ".repeat(20)),
                ..good()
            },
        ),
        (
            "targets",
            Ensure {
                targets: vec!["consumer".into(), "consumer".into()],
                ..good()
            },
        ),
        (
            "targets",
            Ensure {
                targets: vec!["no_such".into()],
                ..good()
            },
        ),
        (
            "targets",
            Ensure {
                targets: vec!["unknown".into()],
                ..good()
            },
        ),
        (
            "allowedIps",
            Ensure {
                allowed_ips: Change::Set(vec!["nonsense".into()]),
                ..good()
            },
        ),
        (
            "expiresAt",
            Ensure {
                expires_at: Change::Set(Some(-1)),
                ..good()
            },
        ),
    ];
    // In seconds, already past, and one that JavaScript rounds.
    let moments = [2_000_000_000, 1_500_000_000_000, 1 << 53].map(|moment| {
        let expires_at = Change::Set(Some(moment));
        (
            "expiresAt",
            Ensure {
                expires_at,
                ..good()
            },
        )
    });
    for (field, case) in cases.into_iter().chain(moments) {
        let error = source.ensure(case).await.unwrap_err();
        assert_eq!(
            (error.code(), error.field()),
            ("INVALID_OPTIONS", Some(field)),
            "{error}"
        );
    }
    assert!(
        mesh.management.deliveries().is_empty(),
        "nothing was booked"
    );
    let receive_only = mesh.targets[0].propagator.ensure(good()).await.unwrap_err();
    assert_eq!(receive_only.code(), "MANAGEMENT_NOT_CONFIGURED");
}

#[tokio::test(start_paused = true)]
async fn an_unsigned_ack_counts_only_where_it_is_allowed() {
    let mesh = Mesh::start_without_sources(&["original"]).await;
    mesh.source
        .propagator
        .ensure(ensure("client", FIRST, &["original"]))
        .await
        .unwrap();
    mesh.all_rows(DeliveryStatus::Sent).await;
    mesh.until("dropped", |mesh| {
        mesh.source.propagator.counters().messages_dropped == 1
    })
    .await;
    assert!(
        mesh.targets[0].hash("client").is_some(),
        "applied all the same"
    );
    tokio::time::advance(Duration::from_secs(1)).await;
    mesh.all_rows(DeliveryStatus::Sent).await;
}

#[tokio::test(start_paused = true)]
async fn watchers_are_told_how_far_each_row_came() {
    let mesh = Mesh::start(&["consumer"]).await;
    let source = &mesh.source.propagator;
    let mut watcher = source.subscribe();
    source
        .ensure(ensure("client", FIRST, &["consumer"]))
        .await
        .unwrap();
    mesh.all_rows(DeliveryStatus::Success).await;
    let event = |progress, target: Option<&str>| ProgressEvent {
        key: key("client"),
        target: target.map(str::to_owned),
        progress,
    };
    assert_eq!(
        watcher.recv().await.unwrap(),
        event(Progress::Accepted, None)
    );
    assert_eq!(
        watcher.recv().await.unwrap(),
        event(Progress::Acknowledged, Some("consumer"))
    );
    source
        .resync(Resync::target("consumer").newer(Newer::Overwrite))
        .await
        .unwrap();
    assert_eq!(
        watcher.recv().await.unwrap(),
        event(Progress::Rebooked, Some("consumer"))
    );
    assert_eq!(
        watcher.recv().await.unwrap(),
        event(Progress::Acknowledged, Some("consumer"))
    );

    mesh.targets[0].propagator.close().await;
    source
        .ensure(ensure("client", SECOND, &["consumer"]))
        .await
        .unwrap();
    assert_eq!(
        watcher.recv().await.unwrap(),
        event(Progress::Accepted, None)
    );
    assert_eq!(
        watcher.recv().await.unwrap(),
        event(Progress::Sent, Some("consumer"))
    );
}

#[tokio::test(start_paused = true)]
async fn a_watcher_that_does_not_read_holds_nobody_up() {
    let mesh = Mesh::start(&["consumer"]).await;
    let mut asleep = mesh.source.propagator.subscribe();
    let batch = (0..5_000)
        .map(|n| ensure(&format!("client-{n}"), FIRST, &[]))
        .collect();
    let ensured = mesh.source.propagator.ensure_batch(batch).await;
    assert!(ensured.iter().all(Result::is_ok));
    assert!(matches!(asleep.try_recv(), Err(TryRecvError::Lagged(lost)) if lost >= 900));
    assert!(asleep.try_recv().is_ok(), "it goes on where it can");
}
