//! What every [`Broker`] must do.
#![expect(clippy::expect_used, reason = "a conformance suite fails by panicking")]

pub mod depth;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use hmac_propagation::broker::{
    Broker, BrokerError, Delivery, DeliveryTag, OutboundMessage, PublishError, Settlement,
    Subscription,
};
use hmac_propagation::queue::PeerName;
use tokio::time::timeout;

use crate::eventually;

/// What must come comes within this time.
const SOON: Duration = Duration::from_secs(20);

/// What must not come is waited for this long.
const A_WHILE: Duration = Duration::from_millis(150);

/// Two connections to the same queues.
pub type Pair = [Arc<dyn Broker>; 2];

/// Runs everything. `make` gives two connections to one broker that has no queue yet.
///
/// # Panics
/// Where the broker breaks its contract.
pub async fn suite(make: impl AsyncFn() -> Pair) {
    a_message_without_a_queue_is_returned(&make().await).await;
    each_publish_learns_its_own_outcomes(&make().await).await;
    messages_come_in_order(&make().await).await;
    a_queue_waits_for_its_consumer(&make().await).await;
    subscribing_declares_the_queue(&make().await).await;
    a_requeued_message_comes_again(&make().await).await;
    a_settled_message_never_comes_again(&make().await).await;
    a_foreign_tag_settles_nothing(&make().await).await;
    no_more_than_the_prefetch_is_in_hand(&make().await).await;
    unsettled_deliveries_come_back_when_the_subscription_ends(&make().await).await;
    unsettled_deliveries_come_back_when_the_broker_is_closed(&make().await).await;
    two_subscriptions_share_a_queue(&make().await).await;
    a_large_batch_comes_whole(&make().await).await;
    a_cancelled_next_loses_nothing(&make().await).await;
    the_status_tells_of_consuming(&make().await).await;
    depth::a_queue_tells_its_depth(&make().await).await;
    closing_ends_everything(&make().await).await;
}

/// Also in the middle of a batch, and only until the queue is declared.
pub async fn a_message_without_a_queue_is_returned([broker, _]: &Pair) {
    let (known, unknown) = (peer("known"), peer("unknown"));
    broker.declare(&known).await.expect("declare");
    let outcomes = broker
        .publish(vec![
            message(&known, "1"),
            message(&unknown, "2"),
            message(&known, "3"),
            message(&unknown, "4"),
        ])
        .await;
    let returned = Err(PublishError::Unroutable);
    assert_eq!(outcomes, [Ok(()), returned.clone(), Ok(()), returned]);
    broker.declare(&unknown).await.expect("declare");
    assert_eq!(broker.publish(vec![message(&unknown, "5")]).await, [Ok(())]);
    assert_eq!(broker.publish(Vec::new()).await, []);

    let mut subscription = broker.subscribe(&known, 10).await.expect("subscribe");
    assert_eq!(bodies(&take(&mut subscription, 2).await), ["1", "3"]);
}

/// Returns and confirms of publishes that run at the same time are not mixed up.
pub async fn each_publish_learns_its_own_outcomes([broker, other]: &Pair) {
    let (known, unknown) = (peer("mixed-known"), peer("mixed-unknown"));
    broker.declare(&known).await.expect("declare");
    let target = |i, j| if (i + j) % 3 == 0 { &unknown } else { &known };
    for _ in 0..5 {
        let publishes = (0..12).map(|i| {
            let broker = if i % 4 == 0 { other } else { broker };
            let messages = (0..40)
                .map(|j| message(target(i, j), &format!("{i}-{j}")))
                .collect();
            broker.publish(messages)
        });
        for (i, outcomes) in join_all(publishes).await.into_iter().enumerate() {
            let outcome = |j| {
                if target(i, j) == &known {
                    Ok(())
                } else {
                    Err(PublishError::Unroutable)
                }
            };
            assert_eq!(outcomes, (0..40).map(outcome).collect::<Vec<_>>());
        }
    }
}

/// Published in one batch or several, before the subscription or after.
pub async fn messages_come_in_order([broker, other]: &Pair) {
    let order = peer("order");
    broker.declare(&order).await.expect("declare");
    publish(broker, &order, 0..30).await;
    let mut subscription = other.subscribe(&order, 100).await.expect("subscribe");
    publish(broker, &order, 30..60).await;
    publish(broker, &order, 60..61).await;
    let deliveries = take(&mut subscription, 61).await;
    assert_eq!(bodies(&deliveries), texts(0..61));
    assert!(deliveries.iter().all(|delivery| !delivery.redelivered));
    assert_eq!(
        deliveries
            .iter()
            .map(|delivery| delivery.tag)
            .collect::<BTreeSet<_>>()
            .len(),
        61
    );
}

/// A target that never started still receives.
pub async fn a_queue_waits_for_its_consumer([broker, other]: &Pair) {
    let late = peer("late");
    broker.declare(&late).await.expect("declare");
    broker.declare(&late).await.expect("declare again");
    publish(broker, &late, 0..3).await;
    broker.close().await;
    let mut subscription = other.subscribe(&late, 10).await.expect("subscribe");
    assert_eq!(bodies(&take(&mut subscription, 3).await), texts(0..3));
}

/// A consumer needs nobody to declare its queue.
pub async fn subscribing_declares_the_queue([broker, other]: &Pair) {
    let fresh = peer("fresh");
    let mut subscription = broker.subscribe(&fresh, 10).await.expect("subscribe");
    eventually("the queue exists", async || {
        other.publish(vec![message(&fresh, "0")]).await == [Ok(())]
    })
    .await;
    assert_eq!(bodies(&take(&mut subscription, 1).await), ["0"]);
}

/// Marked as redelivered; what was acknowledged beside it does not.
pub async fn a_requeued_message_comes_again([broker, _]: &Pair) {
    let again = peer("again");
    let mut subscription = broker.subscribe(&again, 10).await.expect("subscribe");
    broker.declare(&again).await.expect("declare");
    publish(broker, &again, 0..3).await;
    let first = take(&mut subscription, 3).await;
    let settlement = |i| {
        if i == 1 {
            Settlement::Requeue
        } else {
            Settlement::Acknowledge
        }
    };
    let settlements: Vec<_> = first
        .iter()
        .enumerate()
        .map(|(i, first)| (first.tag, settlement(i)))
        .collect();
    subscription.settle(&settlements).await.expect("settle");
    let second = take(&mut subscription, 1).await;
    assert_eq!(bodies(&second), ["1"]);
    assert!(second[0].redelivered);
    assert_ne!(second[0].tag, first[1].tag);
    acknowledge(&mut subscription, &second).await;
}

/// Settled in any order, one by one or together.
pub async fn a_settled_message_never_comes_again([broker, other]: &Pair) {
    let settled = peer("settled");
    broker.declare(&settled).await.expect("declare");
    publish(broker, &settled, 0..20).await;
    let mut subscription = broker.subscribe(&settled, 100).await.expect("subscribe");
    let deliveries = take(&mut subscription, 20).await;
    acknowledge(&mut subscription, &deliveries[3..4]).await;
    acknowledge(&mut subscription, &deliveries[10..20]).await;
    acknowledge(&mut subscription, &deliveries[0..3]).await;
    acknowledge(&mut subscription, &deliveries[4..9]).await;
    drop(subscription);
    let mut subscription = other.subscribe(&settled, 100).await.expect("subscribe");
    publish(broker, &settled, 20..21).await;
    assert_eq!(bodies(&take(&mut subscription, 2).await), ["9", "20"]);
}

/// Neither a tag of another channel nor one that was settled before is an error, and neither disturbs the subscription.
pub async fn a_foreign_tag_settles_nothing([broker, _]: &Pair) {
    let foreign = peer("foreign");
    broker.declare(&foreign).await.expect("declare");
    publish(broker, &foreign, 0..2).await;
    let mut subscription = broker.subscribe(&foreign, 10).await.expect("subscribe");
    let deliveries = take(&mut subscription, 2).await;
    acknowledge(&mut subscription, &deliveries[..1]).await;
    acknowledge(&mut subscription, &deliveries[..1]).await;
    let unknown = DeliveryTag {
        epoch: deliveries[1].tag.epoch,
        tag: deliveries[1].tag.tag + 1_000,
    };
    for tag in [
        unknown,
        DeliveryTag {
            epoch: u64::MAX,
            tag: u64::MAX,
        },
    ] {
        subscription
            .settle(&[(tag, Settlement::Acknowledge)])
            .await
            .expect("settle");
    }
    acknowledge(&mut subscription, &deliveries[1..]).await;
    publish(broker, &foreign, 2..3).await;
    assert_eq!(bodies(&take(&mut subscription, 1).await), ["2"]);
}

/// And settling makes room for as many.
pub async fn no_more_than_the_prefetch_is_in_hand([broker, _]: &Pair) {
    let bounded = peer("bounded");
    broker.declare(&bounded).await.expect("declare");
    publish(broker, &bounded, 0..20).await;
    let mut subscription = broker.subscribe(&bounded, 5).await.expect("subscribe");
    assert!(
        timeout(SOON, subscription.next(3))
            .await
            .expect("in time")
            .len()
            <= 3
    );
    let mut subscription = {
        drop(subscription);
        broker.subscribe(&bounded, 5).await.expect("subscribe")
    };
    let first = take(&mut subscription, 5).await;
    assert!(
        timeout(A_WHILE, subscription.next(100)).await.is_err(),
        "more than the prefetch"
    );
    acknowledge(&mut subscription, &first[..2]).await;
    take(&mut subscription, 2).await;
    assert!(
        timeout(A_WHILE, subscription.next(100)).await.is_err(),
        "more than the prefetch"
    );
}

/// In the order they had, marked as redelivered.
pub async fn unsettled_deliveries_come_back_when_the_subscription_ends([broker, other]: &Pair) {
    let dropped = peer("dropped");
    broker.declare(&dropped).await.expect("declare");
    publish(broker, &dropped, 0..10).await;
    let mut subscription = broker.subscribe(&dropped, 6).await.expect("subscribe");
    let deliveries = take(&mut subscription, 4).await;
    acknowledge(&mut subscription, &deliveries[..1]).await;
    drop(subscription);
    let mut subscription = other.subscribe(&dropped, 100).await.expect("subscribe");
    let deliveries = take_all(&mut subscription, &texts(1..10)).await;
    assert!(
        deliveries
            .iter()
            .filter(|delivery| ["1", "2", "3"].contains(&text(delivery)))
            .all(|d| d.redelivered)
    );
}

/// As after the death of a process.
pub async fn unsettled_deliveries_come_back_when_the_broker_is_closed([broker, other]: &Pair) {
    let closed = peer("closed");
    broker.declare(&closed).await.expect("declare");
    publish(broker, &closed, 0..5).await;
    let mut subscription = broker.subscribe(&closed, 100).await.expect("subscribe");
    let deliveries = take(&mut subscription, 5).await;
    acknowledge(&mut subscription, &deliveries[..2]).await;
    broker.close().await;
    assert!(
        timeout(SOON, subscription.next(10))
            .await
            .expect("in time")
            .is_empty()
    );
    let mut subscription = other.subscribe(&closed, 100).await.expect("subscribe");
    let deliveries = take_all(&mut subscription, &texts(2..5)).await;
    assert!(deliveries.iter().all(|delivery| delivery.redelivered));
}

/// Every message goes to one of them.
pub async fn two_subscriptions_share_a_queue([broker, other]: &Pair) {
    let shared = peer("shared");
    broker.declare(&shared).await.expect("declare");
    let mut a = broker.subscribe(&shared, 10).await.expect("subscribe");
    let mut b = other.subscribe(&shared, 10).await.expect("subscribe");
    publish(broker, &shared, 0..200).await;
    let mut seen = Vec::new();
    while seen.len() < 200 {
        let (subscription, deliveries) = tokio::select! {
            deliveries = a.next(10) => (&mut a, deliveries),
            deliveries = b.next(10) => (&mut b, deliveries),
            () = tokio::time::sleep(SOON) => break,
        };
        acknowledge(subscription, &deliveries).await;
        seen.extend(deliveries.iter().map(|delivery| text(delivery).to_owned()));
    }
    assert_eq!(seen.len(), 200);
    assert_eq!(seen.into_iter().collect::<BTreeSet<_>>().len(), 200);
}

/// 5,000 messages in one call, settled as they come.
pub async fn a_large_batch_comes_whole([broker, other]: &Pair) {
    let large = peer("large");
    broker.declare(&large).await.expect("declare");
    publish(broker, &large, 0..5_000).await;
    let mut subscription = other.subscribe(&large, 200).await.expect("subscribe");
    let mut seen = Vec::new();
    while seen.len() < 5_000 {
        let deliveries = timeout(SOON, subscription.next(500))
            .await
            .expect("in time");
        assert!(!deliveries.is_empty());
        acknowledge(&mut subscription, &deliveries).await;
        seen.extend(deliveries.iter().map(|delivery| text(delivery).to_owned()));
    }
    assert_eq!(seen, texts(0..5_000));
}

/// Calls that are dropped at any moment, while messages come one by one.
pub async fn a_cancelled_next_loses_nothing([broker, other]: &Pair) {
    let cancelled = peer("cancelled");
    broker.declare(&cancelled).await.expect("declare");
    let mut subscription = other.subscribe(&cancelled, 500).await.expect("subscribe");
    let publishing = async {
        for i in 0..200 {
            publish(broker, &cancelled, i..i + 1).await;
        }
    };
    let taking = async {
        let mut seen = Vec::new();
        let mut pause = 0;
        while seen.len() < 200 {
            pause = (pause + 37) % 900;
            let taken = timeout(Duration::from_micros(pause), subscription.next(7)).await;
            seen.extend(
                taken
                    .unwrap_or_default()
                    .iter()
                    .map(|delivery| text(delivery).to_owned()),
            );
        }
        seen
    };
    let ((), seen) = timeout(SOON, async { tokio::join!(publishing, taking) })
        .await
        .expect("in time");
    assert_eq!(seen, texts(0..200));
}

/// Connected, with an epoch, and consuming once the subscription is.
pub async fn the_status_tells_of_consuming([broker, _]: &Pair) {
    let mut status = broker.status();
    let _subscription = broker
        .subscribe(&peer("status"), 10)
        .await
        .expect("subscribe");
    let healthy = timeout(
        SOON,
        status.wait_for(|status| status.connected && status.consuming),
    )
    .await;
    let healthy = healthy.expect("in time").expect("watched").clone();
    assert!(healthy.epoch > 0 && healthy.reason.is_none(), "{healthy:?}");
    broker.close().await;
    let closed = timeout(
        SOON,
        status.wait_for(|status| !status.connected && !status.consuming),
    )
    .await;
    assert!(closed.expect("in time").expect("watched").reason.is_some());
}

/// A waiting `next` returns empty, and calls after the end are answered, not hung.
pub async fn closing_ends_everything([broker, _]: &Pair) {
    let ended = peer("ended");
    broker.declare(&ended).await.expect("declare");
    let mut subscription = broker.subscribe(&ended, 10).await.expect("subscribe");
    let (deliveries, ()) = timeout(SOON, async {
        tokio::join!(subscription.next(10), broker.close())
    })
    .await
    .expect("in time");
    assert!(deliveries.is_empty());
    broker.close().await;
    assert!(
        timeout(SOON, subscription.next(10))
            .await
            .expect("in time")
            .is_empty()
    );
    assert!(matches!(
        broker.declare(&ended).await,
        Err(BrokerError::Closed)
    ));
    assert!(matches!(
        broker.subscribe(&ended, 10).await.map(drop),
        Err(BrokerError::Closed)
    ));
    let outcomes = broker.publish(vec![message(&ended, "0")]).await;
    assert!(matches!(outcomes[..], [Err(PublishError::Unconfirmed(_))]));
}

/// A peer of the tests.
///
/// # Panics
/// When `name` is no peer's name.
pub fn peer(name: &str) -> PeerName {
    PeerName::parse(name).expect("a peer's name")
}

/// A message with `body`, which is its id as well.
pub fn message(target: &PeerName, body: &str) -> OutboundMessage {
    OutboundMessage {
        target: target.clone(),
        message_id: format!("{target}-{body}"),
        timestamp_ms: 1_700_000_000_000,
        body: body.as_bytes().to_vec(),
    }
}

/// Publishes the numbers of `range` in one batch.
///
/// # Panics
/// When one is not confirmed.
pub async fn publish(broker: &Arc<dyn Broker>, target: &PeerName, range: std::ops::Range<usize>) {
    let messages: Vec<_> = range.map(|i| message(target, &i.to_string())).collect();
    let n = messages.len();
    assert_eq!(broker.publish(messages).await, vec![Ok(()); n]);
}

/// Takes `n` deliveries, in as many calls as it needs.
///
/// # Panics
/// When they do not come in time, or when more come.
pub async fn take(subscription: &mut Box<dyn Subscription>, n: usize) -> Vec<Delivery> {
    let mut taken = Vec::new();
    while taken.len() < n {
        let more = timeout(SOON, subscription.next(n - taken.len())).await;
        let more = more.unwrap_or_else(|_| Vec::new());
        assert!(!more.is_empty(), "{} of {n} deliveries came", taken.len());
        taken.extend(more);
    }
    assert_eq!(taken.len(), n);
    taken
}

/// Takes the deliveries with these bodies, in any order, and acknowledges them.
async fn take_all(subscription: &mut Box<dyn Subscription>, expected: &[String]) -> Vec<Delivery> {
    let deliveries = take(subscription, expected.len()).await;
    acknowledge(subscription, &deliveries).await;
    let came: BTreeSet<_> = deliveries.iter().map(text).collect();
    assert_eq!(
        came,
        expected.iter().map(String::as_str).collect::<BTreeSet<_>>()
    );
    deliveries
}

/// Acknowledges deliveries in one call.
///
/// # Panics
/// When the subscription refuses.
pub async fn acknowledge(subscription: &mut Box<dyn Subscription>, deliveries: &[Delivery]) {
    let settlements: Vec<_> = deliveries
        .iter()
        .map(|delivery| (delivery.tag, Settlement::Acknowledge))
        .collect();
    subscription.settle(&settlements).await.expect("settle");
}

fn text(delivery: &Delivery) -> &str {
    std::str::from_utf8(&delivery.body).expect("text")
}

fn bodies(deliveries: &[Delivery]) -> Vec<&str> {
    deliveries.iter().map(text).collect()
}

fn texts(range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|i| i.to_string()).collect()
}
