//! Settling deliveries.

use hmac_propagation::broker::{DeliveryTag, Settlement};
use tokio::time::timeout;

use crate::broker::{Pair, SOON, acknowledge, bodies, peer, publish, take, take_all, text, texts};

/// Marked as redelivered; what was acknowledged beside it does not.
pub async fn a_requeued_message_comes_again(Pair([broker, _], _server): Pair) {
    let again = peer("again");
    let mut subscription = broker.subscribe(&again, 10).await.expect("subscribe");
    broker.declare(&again).await.expect("declare");
    publish(&broker, &again, 0..3).await;
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
pub async fn a_settled_message_never_comes_again(Pair([broker, other], _server): Pair) {
    let settled = peer("settled");
    broker.declare(&settled).await.expect("declare");
    publish(&broker, &settled, 0..20).await;
    let mut subscription = broker.subscribe(&settled, 100).await.expect("subscribe");
    let deliveries = take(&mut subscription, 20).await;
    acknowledge(&mut subscription, &deliveries[3..4]).await;
    acknowledge(&mut subscription, &deliveries[10..20]).await;
    acknowledge(&mut subscription, &deliveries[0..3]).await;
    acknowledge(&mut subscription, &deliveries[4..9]).await;
    drop(subscription);
    let mut subscription = other.subscribe(&settled, 100).await.expect("subscribe");
    publish(&broker, &settled, 20..21).await;
    assert_eq!(bodies(&take(&mut subscription, 2).await), ["9", "20"]);
}

/// Neither a tag of another channel nor one that was settled before is an error, and neither disturbs the subscription.
pub async fn a_foreign_tag_settles_nothing(Pair([broker, _], _server): Pair) {
    let foreign = peer("foreign");
    broker.declare(&foreign).await.expect("declare");
    publish(&broker, &foreign, 0..2).await;
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
    publish(&broker, &foreign, 2..3).await;
    assert_eq!(bodies(&take(&mut subscription, 1).await), ["2"]);
}

/// In the order they had, marked as redelivered.
pub async fn unsettled_deliveries_come_back_when_the_subscription_ends(
    Pair([broker, other], _server): Pair,
) {
    let dropped = peer("dropped");
    broker.declare(&dropped).await.expect("declare");
    publish(&broker, &dropped, 0..10).await;
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
pub async fn unsettled_deliveries_come_back_when_the_broker_is_closed(
    Pair([broker, other], _server): Pair,
) {
    let closed = peer("closed");
    broker.declare(&closed).await.expect("declare");
    publish(&broker, &closed, 0..5).await;
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
