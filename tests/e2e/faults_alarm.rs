//! A broker that has no room left: it reads nothing more from who publishes, and tells them so. The alarm is raised by `rabbitmqctl`, on a
//! node of the story's own.

use crate::mesh::{Options, Peer, Traffic};

const SOURCE: Peer = Peer::Authority;

/// Raises and clears the alarm.
const LIMIT: &str = "set_disk_free_limit";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_without_room_for_messages_is_waited_for() {
    let mesh = Options::default().private_rabbitmq().everyone("RESEND_AFTER_MS", "2000").start().await;
    let traffic = Traffic::start(&mesh, SOURCE, &SOURCE.others()).await;
    mesh.rabbitmq.control(&[LIMIT, "100000GB"]);
    traffic.until_more(40).await;
    mesh.until_open(SOURCE, 40).await;
    mesh.until_missing(SOURCE, "broker").await;
    mesh.rabbitmq.control(&[LIMIT, "50MB"]);
    mesh.until_all_ready().await;
    let seen = traffic.converges(&mesh).await;
    assert!(seen.answers.keys().all(|status| *status == 200), "calls need no broker: {:?}", seen.answers);
    assert_eq!(seen.refused, 0, "changes need no broker");
}
