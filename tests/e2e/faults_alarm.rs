//! What only an operator of the broker can bring about, by `rabbitmqctl` on a node of the story's own: no room left, so that it reads nothing
//! more from who publishes and tells them so; and little patience with who holds a delivery.

use crate::mesh::{Options, Peer, Traffic, until};

const SOURCE: Peer = Peer::Authority;

/// Who holds deliveries, because its Redis stands still.
const HOLDER: Peer = Peer::Consumer;

/// Raises and clears the alarm.
const LIMIT: &str = "set_disk_free_limit";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_without_room_for_messages_is_waited_for() {
    let mesh = Options::default()
        .private_rabbitmq()
        .everyone("RESEND_AFTER_MS", "2000")
        .start()
        .await;
    let traffic = Traffic::start(&mesh, SOURCE, &SOURCE.others()).await;
    mesh.rabbitmq.control(&[LIMIT, "100000GB"]);
    traffic.until_more(40).await;
    mesh.until_open(SOURCE, 40).await;
    mesh.until_missing(SOURCE, "broker").await;
    mesh.rabbitmq.control(&[LIMIT, "50MB"]);
    traffic.converges_unnoticed(&mesh).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_delivery_that_was_held_for_too_long_comes_again() {
    // As after the half hour that RabbitMQ gives a consumer, only sooner.
    const SHORT: &str = "application:set_env(rabbit, consumer_timeout, 2000),
        application:set_env(rabbit, channel_tick_interval, 500).";
    let options = Options::default()
        .private_rabbitmq()
        .everyone("RESEND_AFTER_MS", "2000");
    let mut mesh = options.start_without_peers().await;
    mesh.rabbitmq.control(&["eval", SHORT]);
    for peer in Peer::ALL {
        mesh.start_peer(peer).await;
    }
    let traffic = Traffic::start(&mesh, SOURCE, &SOURCE.others()).await;
    mesh.redis_of(HOLDER).pause().await;
    until(
        "the broker closes the channel that holds a delivery",
        async || match mesh.log(HOLDER).await.contains("PRECONDITION_FAILED") {
            true => Ok(()),
            false => Err("it has not yet"),
        },
    )
    .await;
    mesh.redis_of(HOLDER).resume().await;
    mesh.until_all_ready().await;
    let seen = traffic.converges(&mesh).await;
    assert_eq!(seen.refused, 0, "changes need no target");
}
