//! Neither the password nor a body reaches a log, at any level.

use hmac_propagation::broker::{OutboundMessage, PublishError};
use hmac_testkit::broker::{peer, take};
use services::log::Log;

use crate::faults::{close_connections, vhost};
use crate::support::{connect, healthy, options, status};

#[tokio::test]
async fn no_secret_in_logs() {
    let log = Log::default();
    tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(log.writer())
        .init();
    let node = services::rabbitmq().await.unwrap();
    let url = node.vhost("secrets").await.unwrap();
    let user = format!("secretive-{}", std::process::id());
    let account = r#"{"password":"hunter2-secret","tags":""}"#;
    node.request("PUT", &format!("/api/users/{user}"), account)
        .await
        .unwrap();
    let all = r#"{"configure":".*","write":".*","read":".*"}"#;
    node.request(
        "PUT",
        &format!("/api/permissions/{}/{user}", vhost(&url)),
        all,
    )
    .await
    .unwrap();

    let mut options = options(&url, "peer");
    options.user.clone_from(&user);
    options.password = auth_base::secret::Secret::new("hunter2-secret");
    let broker = connect(options);
    let (known, unknown) = (peer("known"), peer("unknown"));
    let mut subscription = broker.subscribe(&known, 10).await.unwrap();
    let before = healthy(&broker).await;
    let message = |target| OutboundMessage {
        target,
        message_id: "id".to_owned(),
        timestamp_ms: 0,
        body: b"propagation-secret".to_vec(),
    };
    assert_eq!(
        broker.publish(vec![message(unknown)]).await,
        [Err(PublishError::Unroutable)]
    );
    assert_eq!(broker.publish(vec![message(known)]).await, [Ok(())]);
    take(&mut subscription, 1).await;
    close_connections(&node, vhost(&url), 1).await;
    status(&broker, "a new connection", |status| {
        status.epoch > before.epoch && status.consuming
    })
    .await;
    broker.close().await;
    node.request("DELETE", &format!("/api/users/{user}"), "")
        .await
        .unwrap();

    let log = log.text();
    assert!(
        log.contains("connected to the broker") && log.contains("lost the broker"),
        "{log}"
    );
    let as_numbers = format!("{:?}", b"propagation-secret");
    for secret in [
        "hunter2",
        "propagation-secret",
        as_numbers.trim_matches(['[', ']']),
    ] {
        let line = log.lines().find(|line| line.contains(secret));
        assert!(line.is_none(), "{}", line.unwrap_or_default());
    }
}
