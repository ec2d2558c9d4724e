//! The broker fails in the ways a broker fails, while changes and signed calls go on. No change is refused for its sake, and when it
//! works again everything converges.

use reqwest::Method;
use serde_json::{Value, json};
use url::Url;

use crate::mesh::{Mesh, Options, Peer, Traffic};

const SOURCE: Peer = Peer::Authority;

/// A story's broker is its own: what is done to it is felt by all of its vhosts.
async fn start() -> (Mesh, Traffic) {
    let mesh = Options::default().private_rabbitmq().everyone("RESEND_AFTER_MS", "2000").start().await;
    let traffic = Traffic::start(&mesh, SOURCE, &SOURCE.others()).await;
    (mesh, traffic)
}

/// Everything converges, and neither a change nor a call was refused.
async fn nobody_noticed(mesh: &Mesh, traffic: Traffic) {
    mesh.until_all_ready().await;
    let seen = traffic.converges(mesh).await;
    assert!(seen.answers.keys().all(|status| *status == 200), "calls need no broker: {:?}", seen.answers);
    assert_eq!(seen.refused, 0, "changes need no broker");
}

fn permissions(mesh: &Mesh) -> String {
    let as_whom = Url::parse(mesh.vhost()).expect("an AMQP URL");
    format!("/api/permissions/{}/{}", mesh.vhost_name(), as_whom.username())
}

#[tokio::test]
async fn connections_closed_by_the_broker_come_back() {
    let (mesh, traffic) = start().await;
    for _ in 0..2 {
        mesh.close_connections(Peer::ALL.len()).await;
        traffic.until_more(10).await;
        mesh.until_all_ready().await;
    }
    nobody_noticed(&mesh, traffic).await;
}

#[tokio::test]
async fn a_purged_or_deleted_queue_loses_nothing() {
    let (mesh, traffic) = start().await;
    for peer in Peer::ALL {
        let queue = format!("/api/queues/{}/hmac-{}.queue", mesh.vhost_name(), peer.name());
        mesh.broker(Method::DELETE, &format!("{queue}/contents"), &Value::Null).await;
        traffic.until_more(10).await;
        mesh.broker(Method::DELETE, &queue, &Value::Null).await;
        traffic.until_more(10).await;
    }
    nobody_noticed(&mesh, traffic).await;
}

#[tokio::test]
async fn a_deleted_vhost_is_waited_for() {
    let (mesh, traffic) = start().await;
    let vhost = format!("/api/vhosts/{}", mesh.vhost_name());
    mesh.broker(Method::DELETE, &vhost, &Value::Null).await;
    for peer in Peer::ALL {
        mesh.until_missing(peer, "broker").await;
    }
    traffic.until_more(10).await;
    mesh.broker(Method::PUT, &vhost, &json!({})).await;
    let all = json!({ "configure": ".*", "write": ".*", "read": ".*" });
    mesh.broker(Method::PUT, &permissions(&mesh), &all).await;
    nobody_noticed(&mesh, traffic).await;
}

#[tokio::test]
async fn a_right_taken_away_is_waited_for() {
    let (mesh, traffic) = start().await;
    let all = json!({ "configure": ".*", "write": ".*", "read": ".*" });
    for taken in ["write", "read", "configure"] {
        let mut rights = all.clone();
        rights[taken] = json!("^$");
        mesh.broker(Method::PUT, &permissions(&mesh), &rights).await;
        // What is cached of rights goes with the channels.
        mesh.close_connections(Peer::ALL.len()).await;
        traffic.until_more(10).await;
        if taken != "write" {
            for peer in Peer::ALL {
                mesh.until_missing(peer, "broker").await;
            }
        }
        mesh.broker(Method::PUT, &permissions(&mesh), &all).await;
        mesh.until_all_ready().await;
        println!("without {taken}: all ready again");
    }
    nobody_noticed(&mesh, traffic).await;
}
