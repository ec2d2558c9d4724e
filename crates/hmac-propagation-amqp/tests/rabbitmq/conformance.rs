//! The suite of the broker seam over a real RabbitMQ, each part in a vhost of its own.

use std::sync::Arc;

use hmac_propagation::broker::Broker;
use hmac_propagation_amqp::broker::AmqpBroker;
use hmac_propagation_amqp::options::AmqpOptions;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rabbitmq_moves_messages_as_the_contract_says() {
    let node = services::rabbitmq().await.unwrap();
    hmac_testkit::broker::suite(async || {
        let url = node.vhost("conformance").await.unwrap();
        let connect = |name| AmqpBroker::connect(AmqpOptions::from_url(&url, name).unwrap());
        [
            Arc::new(connect("one")) as Arc<dyn Broker>,
            Arc::new(connect("other")),
        ]
    })
    .await;
}

#[tokio::test]
async fn rabbitmq_moves_messages_on_one_thread_too() {
    let node = services::rabbitmq().await.unwrap();
    hmac_testkit::broker::suite(async || {
        let url = node.vhost("one-thread").await.unwrap();
        let connect = |name| AmqpBroker::connect(AmqpOptions::from_url(&url, name).unwrap());
        [
            Arc::new(connect("one")) as Arc<dyn Broker>,
            Arc::new(connect("other")),
        ]
    })
    .await;
}
