//! Publishing, and what is learned of each message.

use futures_util::future::join_all;
use hmac_propagation::broker::PublishError;
use tokio::time::timeout;

use crate::broker::{Pair, SOON, acknowledge, bodies, message, peer, publish, take, text, texts};

/// Also in the middle of a batch, and only until the queue is declared.
pub async fn a_message_without_a_queue_is_returned(Pair([broker, _], _server): Pair) {
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
pub async fn each_publish_learns_its_own_outcomes(Pair([broker, other], _server): Pair) {
    let (known, unknown) = (peer("mixed-known"), peer("mixed-unknown"));
    broker.declare(&known).await.expect("declare");
    let target = |i, j| if (i + j) % 3 == 0 { &unknown } else { &known };
    for _ in 0..5 {
        let publishes = (0..12).map(|i| {
            let broker = if i % 4 == 0 { &other } else { &broker };
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

/// 5,000 messages in one call, settled as they come.
pub async fn a_large_batch_comes_whole(Pair([broker, other], _server): Pair) {
    let large = peer("large");
    broker.declare(&large).await.expect("declare");
    publish(&broker, &large, 0..5_000).await;
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
