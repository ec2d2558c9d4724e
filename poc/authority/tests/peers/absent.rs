//! A peer starts while its servers are away, says what is missing, and becomes ready by itself.

use crate::harness::{Addresses, Peer, config, eventually};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_without_its_servers_says_what_is_missing_and_becomes_ready_by_itself() {
    let rabbitmq = services::rabbitmq().await.unwrap();
    let mut mariadb = services::private_mariadb().await.unwrap();
    let mut redis = services::redis().await.unwrap();
    let database = mariadb.database("absent").await.unwrap();
    let vhost = format!("absent-{}", std::process::id());
    let amqp = match rabbitmq.url().rsplit_once('/') {
        Some((server, path)) if server.contains('@') && !path.contains('@') => {
            format!("{server}/{vhost}")
        }
        _ => format!("{}/{vhost}", rabbitmq.url()),
    };
    redis.stop();
    mariadb.stop();

    let addresses = Addresses {
        amqp: &amqp,
        redis: redis.url(),
        database: &database,
    };
    let peer = Peer::start(config("authority", "consumer", 0, &addresses, "")).await;
    assert_eq!(peer.get("/livez").await.0, 200);
    assert_eq!(peer.missing().await, ["broker", "redis", "sql"]);
    let ensure =
        serde_json::json!({ "clientId": "c", "secret": "a-long-enough-secret", "targets": [] });
    let (status, problem) = peer.post("/admin/ensure", ensure).await;
    assert_eq!(
        (status, problem["error"].as_str()),
        (503, Some("INTERNAL_ERROR"))
    );
    let (status, _) = peer.get("/admin/state").await;
    assert_eq!(status, 503);

    redis.start().await.unwrap();
    eventually("redis is back", || async {
        !peer.missing().await.contains(&"redis".to_owned())
    })
    .await;
    mariadb.start().await.unwrap();
    eventually("sql is back", || async {
        !peer.missing().await.contains(&"sql".to_owned())
    })
    .await;
    rabbitmq.create_vhost(&vhost).await.unwrap();
    peer.ready().await;
    let (_, text) = peer.get("/metrics").await;
    assert!(
        text.as_str()
            .unwrap()
            .contains("ready{peer=\"authority\"} 1"),
        "{text}"
    );
    peer.stop().await;
}
