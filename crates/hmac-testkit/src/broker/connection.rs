//! The connection: its status and its end.

use hmac_propagation::broker::{BrokerError, PublishError};
use tokio::time::timeout;

use crate::broker::{Pair, SOON, message, peer};

/// Connected, with an epoch, and consuming once the subscription is.
pub async fn the_status_tells_of_consuming(Pair([broker, _], _server): Pair) {
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
pub async fn closing_ends_everything(Pair([broker, _], _server): Pair) {
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
