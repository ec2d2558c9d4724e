//! Publishes 20,000 small messages and consumes them: `cargo run --release --example throughput -- amqp://...`
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a measurement reports to whoever runs it"
)]

use std::time::Instant;

use hmac_propagation::broker::{Broker, OutboundMessage, Settlement};
use hmac_propagation::queue::PeerName;
use hmac_propagation_amqp::broker::AmqpBroker;
use hmac_propagation_amqp::options::AmqpOptions;

const MESSAGES: usize = 20_000;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let url = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "amqp://127.0.0.1".to_owned());
    let peer = PeerName::parse("throughput").unwrap();
    let mut options = AmqpOptions::from_url(&url, "throughput").unwrap();
    options.publish_window = 500;
    let broker = AmqpBroker::connect(options);
    broker.declare(&peer).await.unwrap();
    let message = |i: usize| OutboundMessage {
        target: peer.clone(),
        message_id: format!("{i:036}"),
        timestamp_ms: 1_700_000_000_000,
        body: vec![b'x'; 400],
    };

    let start = Instant::now();
    let outcomes = broker.publish((0..MESSAGES).map(message).collect()).await;
    assert!(outcomes.iter().all(Result::is_ok));
    report("publish, one call, windows of 500", MESSAGES, start);

    let start = Instant::now();
    let mut subscription = broker.subscribe(&peer, 200).await.unwrap();
    let mut seen = 0;
    while seen < MESSAGES {
        let deliveries = subscription.next(200).await;
        let settlements: Vec<_> = deliveries
            .iter()
            .map(|d| (d.tag, Settlement::Acknowledge))
            .collect();
        subscription.settle(&settlements).await.unwrap();
        seen += deliveries.len();
    }
    report("consume and settle, prefetch 200", MESSAGES, start);

    let start = Instant::now();
    for i in 0..2_000 {
        assert_eq!(broker.publish(vec![message(i)]).await, [Ok(())]);
        let deliveries = subscription.next(200).await;
        subscription
            .settle(&[(deliveries[0].tag, Settlement::Acknowledge)])
            .await
            .unwrap();
    }
    report("publish, consume and settle, one at a time", 2_000, start);
    broker.close().await;
}

fn report(what: &str, messages: usize, start: Instant) {
    let seconds = start.elapsed().as_secs_f64();
    println!("{what}: {:.0} messages/s", messages as f64 / seconds);
}
