//! The broker keeps its connections and answers nothing. Alone in its process, as it counts threads.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "what tests share fails by panicking"
)]

#[path = "rabbitmq/support.rs"]
mod support;

use std::time::{Duration, Instant};

use hmac_propagation::broker::{BrokerError, PublishError, Settlement};
use hmac_propagation_amqp::options::AmqpOptions;
use hmac_testkit::broker::{acknowledge, message, peer, publish, take};
use hmac_testkit::wait::eventually;
use tokio::time::timeout;

use self::support::{SOON, connect, healthy, options, status};

/// Short bounds, so that a test of a bound is short.
fn impatient(url: &str) -> AmqpOptions {
    let mut options = options(url, "peer");
    options.heartbeat = Duration::from_secs(1);
    options.connect_timeout = Duration::from_secs(2);
    options.operation_timeout = Duration::from_secs(2);
    options.confirm_timeout = Duration::from_secs(2);
    options
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_call_hangs_while_the_broker_answers_nothing() {
    let node = services::private_rabbitmq().await.unwrap();
    let url = node.vhost("paused").await.unwrap();
    let (broker, target) = (connect(impatient(&url)), peer("target"));
    let mut subscription = broker.subscribe(&target, 10).await.unwrap();
    let before = healthy(&broker).await;
    publish(&broker, &target, 0..1).await;
    let deliveries = take(&mut subscription, 1).await;

    node.pause();
    let started = Instant::now();
    let messages = (0..2_500)
        .map(|i| message(&target, &format!("late-{i}")))
        .collect();
    let (outcomes, declared) = tokio::join!(broker.publish(messages), broker.declare(&target));
    assert!(outcomes.len() == 2_500);
    assert!(
        outcomes
            .iter()
            .all(|outcome| matches!(outcome, Err(PublishError::Unconfirmed(_))))
    );
    assert!(matches!(declared, Err(BrokerError::Unavailable(_))));
    let _ = subscription
        .settle(&[(deliveries[0].tag, Settlement::Acknowledge)])
        .await;
    assert!(
        started.elapsed() < Duration::from_secs(12),
        "{:?}",
        started.elapsed()
    );

    // A broker that accepts connections and says nothing is noticed, and costs no thread for each attempt.
    status(&broker, "the silence is noticed", |status| {
        !status.connected && !status.consuming
    })
    .await;
    let mut watch = broker.status();
    let timed_out = watch.wait_for(|status| {
        status
            .reason
            .as_deref()
            .is_some_and(|reason| reason.contains("in time"))
    });
    timeout(SOON, timed_out).await.unwrap().unwrap();
    eventually("threads of given up attempts end", async || {
        io_threads() <= 2
    })
    .await;

    node.resume();
    let after = healthy(&broker).await;
    assert!(after.epoch > before.epoch);
    eventually("one connection has one thread", async || io_threads() == 1).await;
    publish(&broker, &target, 1..2).await;
    eventually("the new message comes", async || {
        // What was published in vain may have come all the same.
        let deliveries = timeout(SOON, subscription.next(10))
            .await
            .expect("the new message comes");
        acknowledge(&mut subscription, &deliveries).await;
        deliveries.iter().any(|delivery| delivery.body == b"1")
    })
    .await;
    node.pause();
    let started = Instant::now();
    broker.close().await;
    assert!(
        started.elapsed() < Duration::from_secs(5),
        "{:?}",
        started.elapsed()
    );
    node.resume();
    eventually("no thread is left", async || io_threads() == 0).await;
}

/// How many of lapin's threads this process runs.
fn io_threads() -> usize {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let names =
        tasks.filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok());
    names.filter(|name| name.starts_with("lapin")).count()
}
