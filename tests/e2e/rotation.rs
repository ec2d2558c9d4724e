//! A rotation converges: the new secret is accepted, the old one until the grace is over, and nobody is refused on the way.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;

use crate::mesh::{Caller, Mesh, Options, Peer};

const OLD: &str = "the old secret of a client";
const NEW: &str = "the new secret of a client";

#[tokio::test]
async fn a_rotation_converges_and_ends_the_old_secret_after_the_grace() {
    let short = [Peer::Consumer, Peer::LeptosActix];
    let long = [Peer::Authority, Peer::LeptosAxum];
    let mut options = Options::default();
    for peer in Peer::ALL {
        options =
            options.only(peer, "ROTATION_GRACE_MS", if short.contains(&peer) { "300" } else { "600000" });
    }
    let mesh = options.start().await;
    let caller = |secret| Caller::new("rotated", mesh.secrets.hash(Peer::Authority, secret));
    mesh.ensure(Peer::Authority, "rotated", OLD, &Peer::Authority.others()).await;
    mesh.until_success(Peer::Authority, 3).await;
    mesh.until_let_in(&Peer::ALL, &caller(OLD)).await;

    let answer = mesh.rotate(Peer::Authority, "rotated", NEW).await;
    assert_eq!(answer, json!({ "clientId": "rotated" }));
    mesh.until_success(Peer::Authority, 3).await;
    let hash = mesh.secrets.hash(Peer::Authority, NEW);
    mesh.until_converged("rotated", &Peer::ALL, Some(&hash)).await;
    mesh.until_let_in(&Peer::ALL, &caller(NEW)).await;
    mesh.until_refused(&short, &caller(OLD), "BAD_SIGNATURE").await;
    for peer in long {
        mesh.call(peer, &caller(OLD))
            .await
            .unwrap()
            .is(200)
            .expect("within the grace the old secret is accepted");
    }
    mesh.until_no_plain_secret(Peer::Authority).await;
}

#[tokio::test]
async fn without_a_grace_the_old_secret_ends_at_once() {
    let mesh = Options::default().everyone("ROTATION_GRACE_MS", "0").start().await;
    let caller = |secret| Caller::new("rotated", mesh.secrets.hash(Peer::Authority, secret));
    mesh.ensure(Peer::Authority, "rotated", OLD, &Peer::Authority.others()).await;
    mesh.until_success(Peer::Authority, 3).await;
    mesh.rotate(Peer::Authority, "rotated", NEW).await;
    mesh.until_success(Peer::Authority, 3).await;
    mesh.until_refused(&Peer::ALL, &caller(OLD), "BAD_SIGNATURE").await;
    mesh.until_let_in(&Peer::ALL, &caller(NEW)).await;
}

#[tokio::test]
async fn rotation_refuses_nobody() {
    let mesh = Arc::new(Options::default().everyone("ROTATION_GRACE_MS", "600000").start().await);
    let caller = |secret| Caller::new("busy", mesh.secrets.hash(Peer::Authority, secret));
    mesh.ensure(Peer::Authority, "busy", OLD, &Peer::Authority.others()).await;
    mesh.until_success(Peer::Authority, 3).await;
    mesh.until_let_in(&Peer::ALL, &caller(OLD)).await;

    // One who still signs with the old secret calls everybody, again and again, while the mesh rotates.
    let done = Arc::new(AtomicBool::new(false));
    let slow = tokio::spawn({
        let (mesh, done, caller) = (Arc::clone(&mesh), Arc::clone(&done), caller(OLD));
        async move {
            let mut calls = 0;
            while !done.load(Ordering::SeqCst) {
                for peer in Peer::ALL {
                    let answer = mesh.call(peer, &caller).await.unwrap();
                    assert_eq!(answer.status, 200, "{} refused during a rotation: {answer}", peer.name());
                    calls += 1;
                }
            }
            calls
        }
    });
    mesh.rotate(Peer::Authority, "busy", NEW).await;
    mesh.until_success(Peer::Authority, 3).await;
    // Who switches once the mesh says that it has converged is let in by everybody, at the first call.
    for peer in Peer::ALL {
        let answer = mesh.call(peer, &caller(NEW)).await.unwrap();
        assert_eq!(answer.status, 200, "{} refused the new secret: {answer}", peer.name());
    }
    done.store(true, Ordering::SeqCst);
    assert!(slow.await.unwrap() > 0);
}

#[tokio::test]
async fn rotating_an_unknown_client_is_refused() {
    let mesh = Mesh::start().await;
    let body = json!({ "clientId": "nobody", "secret": NEW });
    for peer in [Peer::Authority, Peer::LeptosAxum, Peer::LeptosActix] {
        let answer = mesh.post(peer, "/rotate", &body).await.unwrap();
        answer.refused(404, "UNKNOWN_CLIENT").unwrap();
        assert_eq!(mesh.record(peer, "nobody").await.unwrap(), None);
    }
}
