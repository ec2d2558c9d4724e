//! A rotation converges: the new secret is accepted, the old one until the grace is over, and nobody is refused on the way.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::json;
use tokio::task::{JoinSet, LocalSet};

use crate::mesh::{Busy, Caller, Calls, Mesh, Options, Peer, SOURCES, SwitchAt};

/// So many clients call and switch at once.
const CLIENTS: usize = 12;
/// So often each of them is rotated.
const ROTATIONS: usize = 10;
const OLD: &str = "the old secret of a client";
const NEW: &str = "the new secret of a client";

#[tokio::test]
async fn a_rotation_converges_and_ends_the_old_secret_after_the_grace() {
    let short = [Peer::Consumer, Peer::LeptosActix];
    let long = [Peer::Authority, Peer::LeptosAxum];
    let mut options = Options::default();
    for peer in Peer::ALL {
        options = options.only(
            peer,
            "ROTATION_GRACE_MS",
            if short.contains(&peer) {
                "300"
            } else {
                "600000"
            },
        );
    }
    let mesh = options.start().await;
    let caller = |secret| Caller::new("rotated", mesh.secrets.hash(Peer::Authority, secret));
    mesh.ensure(Peer::Authority, "rotated", OLD, &Peer::Authority.others())
        .await;
    mesh.until_success(Peer::Authority, 3).await;
    mesh.until_let_in(&Peer::ALL, &caller(OLD)).await;

    let answer = mesh.rotate(Peer::Authority, "rotated", NEW).await;
    assert_eq!(answer, json!({ "clientId": "rotated" }));
    mesh.until_success(Peer::Authority, 3).await;
    let hash = mesh.secrets.hash(Peer::Authority, NEW);
    mesh.until_converged("rotated", &Peer::ALL, Some(&hash))
        .await;
    mesh.until_let_in(&Peer::ALL, &caller(NEW)).await;
    mesh.until_refused(&short, &caller(OLD), "BAD_SIGNATURE")
        .await;
    for peer in long {
        mesh.call(peer, &caller(OLD))
            .await
            .unwrap()
            .is(200)
            .expect("within the grace the old secret is accepted");
    }
}

#[tokio::test]
async fn without_a_grace_the_old_secret_ends_at_once() {
    let mesh = Options::default()
        .everyone("ROTATION_GRACE_MS", "0")
        .start()
        .await;
    let caller = |secret| Caller::new("rotated", mesh.secrets.hash(Peer::Authority, secret));
    mesh.ensure(Peer::Authority, "rotated", OLD, &Peer::Authority.others())
        .await;
    mesh.until_success(Peer::Authority, 3).await;
    mesh.rotate(Peer::Authority, "rotated", NEW).await;
    mesh.until_success(Peer::Authority, 3).await;
    mesh.until_refused(&Peer::ALL, &caller(OLD), "BAD_SIGNATURE")
        .await;
    mesh.until_let_in(&Peer::ALL, &caller(NEW)).await;
}

#[tokio::test]
async fn the_old_secret_counts_during_a_rotation_and_the_new_one_after_it() {
    let mesh = Arc::new(
        Options::default()
            .everyone("ROTATION_GRACE_MS", "600000")
            .start()
            .await,
    );
    let caller = |secret| Caller::new("busy", mesh.secrets.hash(Peer::Authority, secret));
    mesh.ensure(Peer::Authority, "busy", OLD, &Peer::Authority.others())
        .await;
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
                    assert_eq!(
                        answer.status,
                        200,
                        "{} refused during a rotation: {answer}",
                        peer.name()
                    );
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
        assert_eq!(
            answer.status,
            200,
            "{} refused the new secret: {answer}",
            peer.name()
        );
    }
    done.store(true, Ordering::SeqCst);
    assert!(slow.await.unwrap() > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rotation_refuses_nobody() {
    let mut chance = chance();
    let mesh = Arc::new(
        Options::default()
            .everyone("ROTATION_GRACE_MS", "600000")
            .start()
            .await,
    );
    let clients = Busy::ensured(&mesh, CLIENTS).await;
    let calls: Vec<Calls> = clients
        .iter()
        .map(|client| Calls::start(&mesh, client))
        .collect();
    let (place, mut rotating) = (LocalSet::new(), JoinSet::new());
    for client in &clients {
        let (mesh, mut client) = (Arc::clone(&mesh), client.clone());
        let mut chance = StdRng::seed_from_u64(chance.random());
        let rotations = async move {
            for round in 0..ROTATIONS {
                // Each rotation comes from another source than the one before.
                let source = SOURCES[(client.number + round) % SOURCES.len()];
                client
                    .rotate(&mesh, source, &SwitchAt::any(&mut chance))
                    .await;
            }
        };
        rotating.spawn_local_on(rotations, &place);
    }
    place.run_until(rotating.join_all()).await;
    let mut all = 0;
    for calls in calls {
        let (good, unanswered) = calls.end().await;
        assert_eq!(unanswered, 0, "every peer was there all the time");
        all += good;
    }
    let repeats: u64 = clients
        .iter()
        .map(|client| client.signed.overlap_repeats())
        .sum();
    let rotations = CLIENTS * ROTATIONS;
    println!(
        "{rotations} rotations, {all} calls let in, {repeats} of them at the second secret, none refused"
    );
    assert!(
        repeats > 0,
        "nobody has switched before a peer had heard: nothing was tried"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_was_away_during_a_rotation_refuses_nobody_when_it_is_back() {
    const AWAY: Peer = Peer::Consumer;
    let mut chance = chance();
    let mut mesh = Options::default()
        .everyone("ROTATION_GRACE_MS", "600000")
        .start()
        .await;
    let mut clients = Busy::ensured(&mesh, 3).await;
    let calls: Vec<Calls> = clients
        .iter()
        .map(|client| Calls::start(&mesh, client))
        .collect();
    for round in 0..4 {
        match round % 2 {
            0 => mesh.kill_peer(AWAY).await,
            _ => mesh.stop_peer(AWAY).await,
        }
        for client in &mut clients {
            let source = SOURCES[(client.number + round) % SOURCES.len()];
            client
                .rotate_while_away(&mesh, source, &SwitchAt::any(&mut chance), AWAY)
                .await;
        }
        mesh.start_peer(AWAY).await;
        for client in &clients {
            client.until_everywhere(&mesh, &Peer::ALL).await;
        }
    }
    let (mut all, mut none) = (0, 0);
    for calls in calls {
        let (good, unanswered) = calls.end().await;
        (all, none) = (all + good, none + unanswered);
    }
    println!("{all} calls let in, {none} to a peer that was away, none refused");
    assert!(
        none > 0,
        "nobody has called the peer while it was away: nothing was tried"
    );
}

fn chance() -> StdRng {
    let seed = services::variable("SEED")
        .and_then(|seed| seed.parse().ok())
        .unwrap_or_else(rand::random);
    println!("SEED={seed}");
    StdRng::seed_from_u64(seed)
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
