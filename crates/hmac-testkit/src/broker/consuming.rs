//! Consuming.

use std::collections::BTreeSet;
use std::time::Duration;

use hmac_propagation::event::MAX_EVENT_BYTES;
use tokio::time::timeout;

use crate::broker::{
    A_WHILE, Pair, SOON, acknowledge, bodies, message, peer, publish, take, text, texts,
};
use crate::wait::eventually;

/// Published in one batch or several, before the subscription or after.
pub async fn messages_come_in_order(Pair([broker, other], _server): Pair) {
    let order = peer("order");
    broker.declare(&order).await.expect("declare");
    publish(&broker, &order, 0..30).await;
    let mut subscription = other.subscribe(&order, 100).await.expect("subscribe");
    publish(&broker, &order, 30..60).await;
    publish(&broker, &order, 60..61).await;
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
pub async fn a_queue_waits_for_its_consumer(Pair([broker, other], _server): Pair) {
    let late = peer("late");
    broker.declare(&late).await.expect("declare");
    broker.declare(&late).await.expect("declare again");
    publish(&broker, &late, 0..3).await;
    broker.close().await;
    let mut subscription = other.subscribe(&late, 10).await.expect("subscribe");
    assert_eq!(bodies(&take(&mut subscription, 3).await), texts(0..3));
}

/// A consumer needs nobody to declare its queue.
pub async fn subscribing_declares_the_queue(Pair([broker, other], _server): Pair) {
    let fresh = peer("fresh");
    let mut subscription = broker.subscribe(&fresh, 10).await.expect("subscribe");
    eventually("the queue exists", async || {
        other.publish(vec![message(&fresh, "0")]).await == [Ok(())]
    })
    .await;
    assert_eq!(bodies(&take(&mut subscription, 1).await), ["0"]);
}

/// And settling makes room for as many.
pub async fn no_more_than_the_prefetch_is_in_hand(Pair([broker, _], _server): Pair) {
    let bounded = peer("bounded");
    broker.declare(&bounded).await.expect("declare");
    publish(&broker, &bounded, 0..20).await;
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

/// While what came before stays unsettled; and a smaller one holds again, once that is settled.
pub async fn a_larger_prefetch_lets_more_in(Pair([broker, _], _server): Pair) {
    let widened = peer("widened");
    broker.declare(&widened).await.expect("declare");
    publish(&broker, &widened, 0..40).await;
    let mut subscription = broker.subscribe(&widened, 5).await.expect("subscribe");
    let mut all = take(&mut subscription, 5).await;
    subscription.set_prefetch(20);
    all.extend(take(&mut subscription, 15).await);
    assert!(
        timeout(A_WHILE, subscription.next(100)).await.is_err(),
        "more than the larger prefetch"
    );
    subscription.set_prefetch(5);
    tokio::time::sleep(A_WHILE).await;
    acknowledge(&mut subscription, &all).await;
    let mut rest = take(&mut subscription, 5).await;
    assert!(
        timeout(A_WHILE, subscription.next(100)).await.is_err(),
        "more than the smaller prefetch"
    );
    acknowledge(&mut subscription, &rest).await;
    for _ in 0..3 {
        let five = take(&mut subscription, 5).await;
        acknowledge(&mut subscription, &five).await;
        rest.extend(five);
    }
    let mut came: Vec<_> = bodies(&all).into_iter().chain(bodies(&rest)).collect();
    came.sort_by_key(|body| body.parse::<usize>().ok());
    assert_eq!(came, texts(0..40));
}

/// Whoever may publish could fill a peer's memory with what it drops anyway.
pub async fn what_nobody_reads_is_not_kept(Pair([broker, _], _server): Pair) {
    let flooded = peer("flooded");
    broker.declare(&flooded).await.expect("declare");
    for bytes in [MAX_EVENT_BYTES, MAX_EVENT_BYTES + 1] {
        let mut large = message(&flooded, &bytes.to_string());
        large.body = vec![b' '; bytes];
        assert_eq!(broker.publish(vec![large]).await, [Ok(())]);
    }
    let mut subscription = broker.subscribe(&flooded, 5).await.expect("subscribe");
    let came = take(&mut subscription, 2).await;
    let sizes: Vec<_> = came.iter().map(|it| (it.bytes, it.body.len())).collect();
    assert_eq!(
        sizes,
        [(MAX_EVENT_BYTES, MAX_EVENT_BYTES), (MAX_EVENT_BYTES + 1, 0)]
    );
}

/// Every message goes to one of them.
pub async fn two_subscriptions_share_a_queue(Pair([broker, other], _server): Pair) {
    let shared = peer("shared");
    broker.declare(&shared).await.expect("declare");
    let mut a = broker.subscribe(&shared, 10).await.expect("subscribe");
    let mut b = other.subscribe(&shared, 10).await.expect("subscribe");
    publish(&broker, &shared, 0..200).await;
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

/// Calls that are dropped at any moment, while messages come one by one.
pub async fn a_cancelled_next_loses_nothing(Pair([broker, other], _server): Pair) {
    let cancelled = peer("cancelled");
    broker.declare(&cancelled).await.expect("declare");
    let mut subscription = other.subscribe(&cancelled, 500).await.expect("subscribe");
    let publishing = async {
        for i in 0..200 {
            publish(&broker, &cancelled, i..i + 1).await;
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
