//! What a peer's user may do at the broker can be narrowed, and is enough (`docs/security-model.md`).

use reqwest::Method;
use serde_json::json;

use crate::mesh::{Caller, Mesh, Options, Peer};

const SECRET: &str = "a secret carried by narrow users";

/// Makes a user of the peer's own who may declare, delete and read the peer's own queue only, and publish to any.
async fn narrow(mesh: &mut Mesh, peer: Peer) {
    let own = format!("^hmac-{}\\.queue$", peer.name());
    permit(mesh, peer, &own).await;
}

/// Makes a user of the peer's own who may declare and delete the queues of a pattern.
async fn permit(mesh: &mut Mesh, peer: Peer, configure: &str) {
    let name = format!("{}-{:08x}", peer.name(), rand::random::<u32>());
    let vhost = mesh
        .vhost()
        .rsplit('/')
        .next()
        .unwrap_or_default()
        .to_owned();
    let user = json!({ "password": "narrow", "tags": "" });
    mesh.broker(Method::PUT, &format!("/api/users/{name}"), &user)
        .await;
    let own = format!("^hmac-{}\\.queue$", peer.name());
    let rights = json!({
        "configure": configure,
        "write": "^amq\\.default$",
        "read": own,
    });
    let path = format!("/api/permissions/{vhost}/{name}");
    mesh.broker(Method::PUT, &path, &rights).await;
    let (scheme, rest) = mesh.vhost().split_once("://").expect("a URL");
    let server = rest.rsplit_once('@').map_or(rest, |(_, server)| server);
    let url = format!("{scheme}://{name}:narrow@{server}");
    mesh.set(peer, "AMQP_URL", &url);
}

#[tokio::test]
async fn a_user_with_rights_on_its_own_queue_only_is_enough() {
    let mut mesh = Options::default()
        .private_rabbitmq()
        .start_without_peers()
        .await;
    for peer in Peer::ALL {
        narrow(&mut mesh, peer).await;
    }
    for peer in Peer::ALL {
        mesh.launch(peer).await;
    }
    for peer in Peer::ALL {
        mesh.until_ready(peer).await;
    }
    mesh.ensure(Peer::Authority, "narrow", SECRET, &Peer::Authority.others())
        .await;
    mesh.until_success(Peer::Authority, 3).await;
    mesh.until_let_in(
        &Peer::ALL,
        &Caller::new("narrow", mesh.secrets.hash(Peer::Authority, SECRET)),
    )
    .await;
    mesh.ensure(
        Peer::LeptosActix,
        "back",
        SECRET,
        &Peer::LeptosActix.others(),
    )
    .await;
    mesh.until_success(Peer::LeptosActix, 3).await;
    // The health of the mesh asks for the depth of every queue.
    let health = mesh
        .get(Peer::LeptosAxum, "/api/mesh/health")
        .await
        .and_then(|answer| answer.is(200))
        .unwrap();
    let peers = health.body["peers"].as_array().expect("peers");
    assert!(
        peers.iter().all(|peer| peer["queue"]["consumers"] == 1),
        "{health}"
    );
}

/// An authority whose user may declare and delete the queues of a pattern.
async fn with_rights(configure: &str) -> Mesh {
    let mut mesh = Options::default()
        .private_rabbitmq()
        .start_without_peers()
        .await;
    permit(&mut mesh, Peer::Authority, configure).await;
    mesh.launch(Peer::Authority).await;
    mesh.until_ready(Peer::Authority).await;
    mesh
}

/// Books a client for a target that never ran, at the authority.
async fn book_for_newcomer(mesh: &Mesh) {
    let target = json!({ "targetAmqpQueue": "newcomer", "propagationSecret": "entry-of-newcomer" });
    mesh.accept(Peer::Authority, "/targets", &target).await;
    let body = json!({ "clientId": "early", "secret": SECRET, "targets": ["newcomer"] });
    mesh.accept(Peer::Authority, "/ensure", &body).await;
}

#[tokio::test]
async fn a_source_that_may_makes_the_queue_of_a_target_that_never_ran() {
    let mesh = with_rights(r"^hmac-[A-Za-z0-9-]+\.queue$").await;
    book_for_newcomer(&mesh).await;
    mesh.until_row(Peer::Authority, "early", |row| row.status == "sent")
        .await;
    let message = mesh.wire().await.next("newcomer").await;
    assert_eq!(message.body["propagationSecret"], "entry-of-newcomer");
}

#[tokio::test]
async fn a_source_that_may_not_waits_for_the_queue_and_says_so() {
    let mesh = with_rights(r"^hmac-authority\.queue$").await;
    book_for_newcomer(&mesh).await;
    mesh.until_row(Peer::Authority, "early", |row| {
        let reason = row.reason.as_deref().unwrap_or_default();
        row.status == "pending"
            && reason.starts_with("broker refused")
            && reason.contains("hmac-newcomer.queue")
    })
    .await;
    let wire = mesh.wire().await;
    wire.declare("newcomer").await;
    mesh.until_row(Peer::Authority, "early", |row| row.status == "sent")
        .await;
    wire.next("newcomer").await;
}
