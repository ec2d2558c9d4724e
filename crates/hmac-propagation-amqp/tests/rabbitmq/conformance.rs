//! The suite of the broker seam over a real RabbitMQ, each case in a vhost of its own.

use std::sync::{Arc, Weak};

use hmac_propagation::broker::Broker;
use hmac_propagation_amqp::{AmqpBroker, AmqpOptions};
use hmac_testkit::broker::Pair;
use services::RabbitMq;
use tokio::sync::Mutex;

/// The node of the cases that run in this process at the same time.
static NODE: Mutex<Weak<RabbitMq>> = Mutex::const_new(Weak::new());

hmac_testkit::broker_cases!(rabbitmq, pair("conformance").await);
hmac_testkit::broker_cases!(one thread, rabbitmq_on_one_thread, pair("one-thread").await);

/// Two connections to a vhost that has no queue yet.
async fn pair(vhost: &str) -> Pair {
    let node = node().await;
    let url = node.vhost(vhost).await.unwrap();
    let connect = |name| {
        let options = AmqpOptions::from_url(&url, name).unwrap();
        Arc::new(AmqpBroker::connect(options)) as Arc<dyn Broker>
    };
    Pair([connect("one"), connect("other")], Some(node))
}

async fn node() -> Arc<RabbitMq> {
    let mut node = NODE.lock().await;
    if let Some(node) = node.upgrade() {
        return node;
    }
    let started = Arc::new(services::rabbitmq().await.unwrap());
    *node = Arc::downgrade(&started);
    started
}
