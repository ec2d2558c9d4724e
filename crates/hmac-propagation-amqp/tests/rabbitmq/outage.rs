//! The broker goes away as a whole: killed and restarted.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use hmac_propagation::broker::{Broker, Settlement, Subscription};
use hmac_testkit::broker::{message, peer};
use tokio::sync::watch;
use tokio::time::timeout;

use crate::support::{SOON, connect, healthy, options, status};

/// Publishes in batches until told to stop; the numbers of the messages that the broker confirmed.
async fn publish_on(
    broker: Arc<dyn Broker>,
    confirmed: watch::Sender<BTreeSet<usize>>,
    stop: watch::Receiver<bool>,
) {
    let target = peer("target");
    for batch in 0.. {
        if *stop.borrow() {
            return;
        }
        let numbers = batch * 50..(batch + 1) * 50;
        let messages = numbers
            .clone()
            .map(|i| message(&target, &i.to_string()))
            .collect();
        let outcomes = broker.publish(messages).await;
        let good = numbers
            .zip(outcomes)
            .filter(|(_, outcome)| outcome.is_ok())
            .map(|(number, _)| number);
        let good: BTreeSet<_> = good.collect();
        if good.is_empty() {
            // Nothing got through: the next attempt is worth it when the connection says so.
            let _ = timeout(
                Duration::from_millis(100),
                broker.status().wait_for(|status| status.connected),
            )
            .await;
        }
        confirmed.send_modify(|confirmed| confirmed.extend(good));
    }
}

async fn consume_on(mut subscription: Box<dyn Subscription>, seen: watch::Sender<BTreeSet<usize>>) {
    loop {
        let deliveries = subscription.next(100).await;
        if deliveries.is_empty() {
            return;
        }
        // Settling may fail while the broker is away: then the messages come again.
        let settlements: Vec<_> = deliveries
            .iter()
            .map(|delivery| (delivery.tag, Settlement::Acknowledge))
            .collect();
        let _ = subscription.settle(&settlements).await;
        let numbers = deliveries
            .iter()
            .map(|delivery| std::str::from_utf8(&delivery.body).unwrap());
        seen.send_modify(|seen| {
            seen.extend(numbers.map(|number| number.parse::<usize>().unwrap()));
        });
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_confirmed_is_lost_when_the_broker_is_killed() {
    let mut node = services::private_rabbitmq().await.unwrap();
    let url = node.vhost("killed").await.unwrap();
    let (source, target) = (
        connect(options(&url, "source")),
        connect(options(&url, "target")),
    );
    let subscription = target.subscribe(&peer("target"), 100).await.unwrap();
    healthy(&target).await;
    healthy(&source).await;

    let (confirmed, mut confirmed_now) = watch::channel(BTreeSet::new());
    let (seen, mut seen_now) = watch::channel(BTreeSet::new());
    let (stop, stopped) = watch::channel(false);
    let publishing = tokio::spawn(publish_on(Arc::clone(&source), confirmed, stopped));
    let consuming = tokio::spawn(consume_on(subscription, seen));

    let mut grown = 0;
    for _ in 0..2 {
        grown += 1_000;
        timeout(
            SOON,
            confirmed_now.wait_for(|confirmed| confirmed.len() > grown),
        )
        .await
        .unwrap()
        .unwrap();
        node.kill();
        status(&source, "the source knows", |status| !status.connected).await;
        status(&target, "the target knows", |status| {
            !status.connected && !status.consuming
        })
        .await;
        node.start().await.unwrap();
        healthy(&target).await;
        healthy(&source).await;
        grown = confirmed_now.borrow().len();
    }
    timeout(
        SOON,
        confirmed_now.wait_for(|confirmed| confirmed.len() > grown + 1_000),
    )
    .await
    .unwrap()
    .unwrap();
    stop.send_replace(true);
    publishing.await.unwrap();
    let confirmed = confirmed_now.borrow().clone();
    let all = timeout(SOON, seen_now.wait_for(|seen| confirmed.is_subset(seen)))
        .await
        .is_ok();
    let missing = confirmed.difference(&seen_now.borrow()).count();
    assert!(
        all,
        "{missing} of {} confirmed messages are lost",
        confirmed.len()
    );
    target.close().await;
    timeout(SOON, consuming).await.unwrap().unwrap();
}
