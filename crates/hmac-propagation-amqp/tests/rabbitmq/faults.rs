//! What may happen on a broker that keeps running, and how everything comes back by itself.

use std::time::{Duration, Instant};

use hmac_propagation::broker::{BrokerError, PublishError};
use hmac_testkit::broker::{acknowledge, message, peer, publish, take};
use hmac_testkit::wait::eventually;
use lapin::options::{BasicGetOptions, QueueDeleteOptions, QueuePurgeOptions};
use lapin::{Connection, ConnectionProperties};
use services::RabbitMq;

use crate::support::{SOON, connect, healthy, options, status};

#[tokio::test]
async fn a_connection_closed_by_an_operator_comes_back() {
    let node = services::rabbitmq().await.unwrap();
    let url = node.vhost("closed").await.unwrap();
    let (broker, target) = (connect(options(&url, "peer")), peer("target"));
    let mut subscription = broker.subscribe(&target, 10).await.unwrap();
    let before = healthy(&broker).await;
    publish(&broker, &target, 0..4).await;
    let deliveries = take(&mut subscription, 4).await;
    acknowledge(&mut subscription, &deliveries[..1]).await;

    close_connections(&node, vhost(&url), 1).await;
    let lost = status(&broker, "the loss is told", |status| {
        !status.connected || status.epoch > before.epoch
    });
    let lost = lost.await;
    let after = healthy(&broker).await;
    assert!(after.epoch > before.epoch, "{lost:?} {after:?}");

    // Tags of the lost connection settle nothing, so the messages come again.
    acknowledge(&mut subscription, &deliveries).await;
    let again = take(&mut subscription, 3).await;
    assert!(again.iter().all(|delivery| delivery.redelivered));
    assert_eq!(again[0].body, b"1");
    acknowledge(&mut subscription, &again).await;
    publish(&broker, &target, 4..5).await;
    assert_eq!(take(&mut subscription, 1).await[0].body, b"4");
}

#[tokio::test]
async fn a_deleted_queue_is_declared_and_consumed_again() {
    let node = services::rabbitmq().await.unwrap();
    let url = node.vhost("deleted").await.unwrap();
    let (broker, target) = (connect(options(&url, "peer")), peer("target"));
    let mut subscription = broker.subscribe(&target, 10).await.unwrap();
    let before = healthy(&broker).await;
    for round in 0..3 {
        let mut watch = broker.status();
        watch.mark_unchanged();
        let path = format!("/api/queues/{}/{}", vhost(&url), target.queue());
        node.request("DELETE", &path, "").await.unwrap();
        tokio::time::timeout(SOON, watch.changed())
            .await
            .expect("the cancellation is told")
            .unwrap();
        let after = healthy(&broker).await;
        assert_eq!(after.epoch, before.epoch, "the connection stays");
        publish(&broker, &target, round..round + 1).await;
        let deliveries = take(&mut subscription, 1).await;
        assert_eq!(deliveries[0].body, round.to_string().as_bytes());
        acknowledge(&mut subscription, &deliveries).await;
    }
}

#[tokio::test]
async fn a_queue_with_other_arguments_disturbs_nobody_else() {
    let node = services::rabbitmq().await.unwrap();
    let url = node.vhost("other-arguments").await.unwrap();
    let (broker, good, odd) = (connect(options(&url, "peer")), peer("good"), peer("odd"));
    let mut subscription = broker.subscribe(&good, 10).await.unwrap();
    let before = healthy(&broker).await;
    let path = format!("/api/queues/{}/{}", vhost(&url), odd.queue());
    node.request(
        "PUT",
        &path,
        r#"{"durable":true,"arguments":{"x-max-length":10}}"#,
    )
    .await
    .unwrap();

    // Its own peer is refused it; to others it is there.
    broker.declare(&odd).await.unwrap();
    publish(&broker, &good, 0..1).await;
    let deliveries = take(&mut subscription, 1).await;
    acknowledge(&mut subscription, &deliveries).await;

    let mut odd_subscription = broker.subscribe(&odd, 10).await.unwrap();
    let told = status(&broker, "the refusal is told", |status| {
        status
            .reason
            .as_deref()
            .is_some_and(|reason| reason.contains("PRECONDITION_FAILED"))
    })
    .await;
    assert!(
        told.connected && !told.consuming && told.epoch == before.epoch,
        "{told:?}"
    );
    node.request("DELETE", &path, "").await.unwrap();
    healthy(&broker).await;
    publish(&broker, &odd, 0..1).await;
    take(&mut odd_subscription, 1).await;
}

#[tokio::test]
async fn a_missing_vhost_is_waited_for() {
    let node = services::rabbitmq().await.unwrap();
    let name = format!("missing-{}", std::process::id());
    let url = format!("{}/{name}", node.url());
    let (broker, target) = (connect(options(&url, "peer")), peer("target"));
    let mut subscription = broker.subscribe(&target, 10).await.unwrap();
    let told = status(&broker, "the refusal is told", |status| {
        status
            .reason
            .as_deref()
            .is_some_and(|reason| reason.contains("NOT_ALLOWED"))
    });
    assert_eq!(told.await.epoch, 0);
    let started = Instant::now();
    assert!(matches!(
        broker.publish(vec![message(&target, "0")]).await[..],
        [Err(PublishError::Unconfirmed(_))]
    ));
    assert!(broker.declare(&target).await.is_err());
    assert!(
        started.elapsed() < Duration::from_secs(1),
        "nothing is waited for in vain"
    );

    node.create_vhost(&name).await.unwrap();
    healthy(&broker).await;
    publish(&broker, &target, 1..2).await;
    assert_eq!(take(&mut subscription, 1).await[0].body, b"1");
}

#[tokio::test]
async fn a_refused_account_is_told_without_its_password_and_tried_again() {
    let node = services::rabbitmq().await.unwrap();
    let url = node.vhost("account").await.unwrap();
    let user = format!("user-{}", std::process::id());
    let mut options = options(&url, "peer");
    options.user.clone_from(&user);
    options.password = auth_base::secret::Secret::new("hunter2-secret");
    let broker = connect(options);
    let told = status(&broker, "the refusal is told", |status| {
        status
            .reason
            .as_deref()
            .is_some_and(|reason| reason.contains("ACCESS_REFUSED"))
    })
    .await;
    assert!(!format!("{told:?}").contains("hunter2"));
    assert!(!format!("{:?}", broker.declare(&peer("target")).await).contains("hunter2"));

    let account = r#"{"password":"hunter2-secret","tags":""}"#;
    node.request("PUT", &format!("/api/users/{user}"), account)
        .await
        .unwrap();
    let all = r#"{"configure":".*","write":".*","read":".*"}"#;
    let permissions = format!("/api/permissions/{}/{user}", vhost(&url));
    let read_only = r#"{"configure":".*","write":"^$","read":".*"}"#;
    node.request("PUT", &permissions, read_only).await.unwrap();
    let epoch = healthy(&broker).await.epoch;
    let target = peer("target");
    broker.declare(&target).await.unwrap();

    // A broker that closes the channel of a publish is no reason to lose the connection, nor the next publish.
    for _ in 0..3 {
        let messages = (0..10).map(|i| message(&target, &i.to_string())).collect();
        let outcomes = broker.publish(messages).await;
        assert!(
            outcomes
                .iter()
                .all(|outcome| matches!(outcome, Err(PublishError::Unconfirmed(_)))),
            "{outcomes:?}"
        );
    }
    node.request("PUT", &permissions, all).await.unwrap();
    eventually("writing is allowed", async || {
        broker.publish(vec![message(&target, "0")]).await == [Ok(())]
    })
    .await;
    assert_eq!(healthy(&broker).await.epoch, epoch);
    node.request("DELETE", &format!("/api/users/{user}"), "")
        .await
        .unwrap();
}

#[tokio::test]
async fn the_right_to_configure_its_own_queue_is_enough() {
    let node = services::rabbitmq().await.unwrap();
    let url = node.vhost("own-queue").await.unwrap();
    let (own, other, absent) = (peer("own"), peer("other"), peer("absent"));
    let everybody = connect(options(&url, "peer"));
    let mut others = everybody.subscribe(&other, 10).await.unwrap();
    healthy(&everybody).await;

    let user = format!("narrow-{}", std::process::id());
    let account = format!("/api/users/{user}");
    node.request("PUT", &account, r#"{"password":"narrow","tags":""}"#)
        .await
        .unwrap();
    let queue = own.queue().replace('.', "\\\\.");
    let rights =
        format!(r#"{{"configure":"^{queue}$","write":"^amq\\.default$","read":"^{queue}$"}}"#);
    let permissions = format!("/api/permissions/{}/{user}", vhost(&url));
    node.request("PUT", &permissions, &rights).await.unwrap();
    let mut options = options(&url, "narrow");
    options.user.clone_from(&user);
    options.password = auth_base::secret::Secret::new("narrow");
    let narrow = connect(options);
    let mut owns = narrow.subscribe(&own, 10).await.unwrap();
    let before = healthy(&narrow).await;

    for _ in 0..3 {
        let refused = narrow.declare(&absent).await.unwrap_err();
        assert!(matches!(refused, BrokerError::Refused(_)), "{refused}");
        narrow.declare(&other).await.unwrap();
    }
    publish(&narrow, &other, 0..4).await;
    take(&mut others, 4).await;
    publish(&everybody, &own, 0..4).await;
    take(&mut owns, 4).await;
    let depth = narrow.queue_depth(&other).await.unwrap().unwrap();
    assert_eq!(depth.consumers, 1);
    assert_eq!(healthy(&narrow).await.epoch, before.epoch);

    let (_, server) = url.rsplit_once('@').unwrap();
    let url = format!("amqp://{user}:narrow@{server}");
    let connection = Connection::connect(&url, ConnectionProperties::default());
    let connection = connection.await.unwrap();
    let queue = || other.queue().into();
    let channel = async || connection.create_channel().await.unwrap();
    let deleting = QueueDeleteOptions::default();
    let deleted = channel().await.queue_delete(queue(), deleting).await.err();
    let purging = QueuePurgeOptions::default();
    let purged = channel().await.queue_purge(queue(), purging).await.err();
    let getting = BasicGetOptions::default();
    let read = channel().await.basic_get(queue(), getting).await.err();
    for error in [deleted, purged, read] {
        assert!(error.unwrap().to_string().contains("ACCESS_REFUSED"));
    }
    connection.close(200, "asked".into()).await.unwrap();
    node.request("DELETE", &account, "").await.unwrap();
}

#[tokio::test]
async fn a_full_queue_refuses_each_message_by_itself() {
    let node = services::rabbitmq().await.unwrap();
    let url = node.vhost("full").await.unwrap();
    let (broker, full, free) = (connect(options(&url, "peer")), peer("full"), peer("free"));
    broker.declare(&full).await.unwrap();
    broker.declare(&free).await.unwrap();
    let policy = r#"{"pattern":"^hmac-full","apply-to":"queues","definition":{"max-length":1,"overflow":"reject-publish"}}"#;
    node.request(
        "PUT",
        &format!("/api/policies/{}/full", vhost(&url)),
        policy,
    )
    .await
    .unwrap();
    eventually("the policy is in force", async || {
        broker.publish(vec![message(&full, "0")]).await == [Err(PublishError::Refused)]
    })
    .await;
    let messages = vec![
        message(&free, "1"),
        message(&full, "2"),
        message(&free, "3"),
        message(&peer("none"), "4"),
    ];
    let expected = [
        Ok(()),
        Err(PublishError::Refused),
        Ok(()),
        Err(PublishError::Unroutable),
    ];
    assert_eq!(broker.publish(messages).await, expected);
}

/// The vhost of a URL that `RabbitMq::vhost` made.
pub(crate) fn vhost(url: &str) -> &str {
    url.rsplit('/').next().unwrap()
}

/// Closes every connection to a vhost from the broker's side; waits until the broker lists `n` of them.
pub(crate) async fn close_connections(node: &RabbitMq, vhost: &str, n: usize) {
    let list = async || {
        let connections = node
            .request("GET", &format!("/api/vhosts/{vhost}/connections"), "")
            .await
            .unwrap();
        connections
            .split("\"name\":\"")
            .skip(1)
            .filter_map(|rest| rest.split('"').next())
            .filter(|name| name.contains(" -> "))
            .map(|name| name.replace(' ', "%20").replace('>', "%3E"))
            .collect::<Vec<_>>()
    };
    eventually("the broker lists the connections", async || {
        list().await.len() == n
    })
    .await;
    for name in list().await {
        node.request("DELETE", &format!("/api/connections/{name}"), "")
            .await
            .unwrap();
    }
}
