//! What is told of a queue.

use hmac_propagation::broker::{Broker, QueueDepth};

use crate::broker::{Pair, acknowledge, peer, publish, take};
use crate::wait::eventually;

/// A queue that does not exist is nothing, asking does not make it, and asking breaks nothing else.
pub async fn a_queue_tells_its_depth(Pair([broker, other], _server): Pair) {
    let watched = peer("watched");
    assert_eq!(
        broker.queue_depth(&watched).await.expect("no queue yet"),
        None
    );
    assert_eq!(
        broker.queue_depth(&watched).await.expect("still none"),
        None
    );
    broker.declare(&watched).await.expect("declare");
    is(&broker, 0, 0).await;
    publish(&other, &watched, 0..3).await;
    is(&broker, 3, 0).await;
    let mut subscription = other.subscribe(&watched, 2).await.expect("subscribe");
    let deliveries = take(&mut subscription, 2).await;
    is(&broker, 1, 1).await;
    acknowledge(&mut subscription, &deliveries).await;
    let last = take(&mut subscription, 1).await;
    acknowledge(&mut subscription, &last).await;
    is(&broker, 0, 1).await;
    drop(subscription);
    is(&broker, 0, 0).await;
}

async fn is(broker: &std::sync::Arc<dyn Broker>, messages: u64, consumers: u64) {
    eventually("the queue's depth", async || {
        broker.queue_depth(&peer("watched")).await.expect("a depth")
            == Some(QueueDepth {
                messages,
                consumers,
            })
    })
    .await;
}
