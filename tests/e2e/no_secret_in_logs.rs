//! At the level that logs most, no secret is in any log, metric or answer.

use std::collections::BTreeMap;

use serde_json::json;

use crate::configuration::run;
use crate::mesh::{Caller, Mesh, Options, Peer};

const OLD: &str = "plain-secret-before-rotation-1a2b3c";
const NEW: &str = "plain-secret-after-rotation-4d5e6f";
const WRONG: &str = "plain-secret-of-a-wrong-call-7a8b9c";

#[tokio::test]
async fn no_secret_in_logs() {
    let mut mesh = Options::default()
        .everyone("RUST_LOG", "trace")
        .everyone("ROTATION_GRACE_MS", "600000")
        .start()
        .await;
    let mut shown = BTreeMap::new();
    drive(&mesh, &mut shown).await;
    // Sealing the secrets anew sees all of them.
    let environment = mesh.environment(Peer::Authority);
    let variables: Vec<(&str, &str)> = environment
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let resealed = run(Peer::Authority.name(), &["secrets", "reseal"], &variables);
    assert!(
        resealed.status.success(),
        "{}",
        String::from_utf8_lossy(&resealed.stderr)
    );
    let printed = [resealed.stdout, resealed.stderr].concat();
    shown.insert(
        "secrets reseal".to_owned(),
        String::from_utf8_lossy(&printed).into_owned(),
    );
    // A restart, a forged message and an answer to nobody are logged as well.
    let wire = mesh.wire().await;
    let forged = json!({ "eventId": "x", "ts": 1, "propagationSecret": "forged-secret-d0e1f2", "senderAmqpQueue": "authority",
        "op": "credential.create", "track": "http", "clientId": "logged", "payload": { "secretHash": OLD } });
    wire.publish("consumer", forged.to_string().as_bytes())
        .await;
    mesh.until_metric(Peer::Consumer, "propagation_messages_dropped_total", 1.0)
        .await;
    for peer in Peer::ALL {
        shown.insert(
            format!("metrics of {}", peer.name()),
            mesh.get(peer, "/metrics").await.unwrap().to_string(),
        );
        mesh.stop_peer(peer).await;
        shown.insert(format!("log of {}", peer.name()), mesh.log(peer).await);
    }

    let mut secrets: Vec<String> = mesh.secrets.all().map(str::to_owned).collect();
    secrets.extend([OLD, NEW, WRONG, "forged-secret-d0e1f2"].map(str::to_owned));
    for source in Peer::ALL {
        secrets.extend(
            [OLD, NEW, WRONG].map(|secret| mesh.secrets.hash(source, secret).expose().to_owned()),
        );
    }
    let mut found = Vec::new();
    for (place, text) in &shown {
        for secret in &secrets {
            if let Some(line) = text.lines().find(|line| line.contains(secret.as_str())) {
                let line = line.replace(secret.as_str(), "<here>");
                found.push(format!(
                    "{place}: {}",
                    line.chars().take(400).collect::<String>()
                ));
            }
        }
    }
    assert!(
        shown["log of authority"].len() > 1_000,
        "something is logged at all"
    );
    assert!(
        found.is_empty(),
        "{} secrets are shown:\n{}",
        found.len(),
        found.join("\n")
    );
}

/// Uses everything that knows a secret.
async fn drive(mesh: &Mesh, shown: &mut BTreeMap<String, String>) {
    let caller = |secret| Caller::new("logged", mesh.secrets.hash(Peer::Authority, secret));
    mesh.ensure(Peer::Authority, "logged", OLD, &Peer::Authority.others())
        .await;
    mesh.ensure(Peer::LeptosAxum, "other", OLD, &Peer::LeptosAxum.others())
        .await;
    mesh.until_success(Peer::Authority, 3).await;
    mesh.until_success(Peer::LeptosAxum, 3).await;
    mesh.until_let_in(&Peer::ALL, &caller(OLD)).await;
    mesh.rotate(Peer::Authority, "logged", NEW).await;
    mesh.until_success(Peer::Authority, 3).await;
    mesh.until_let_in(&Peer::ALL, &caller(NEW)).await;
    mesh.until_refused(&Peer::ALL, &caller(WRONG), "BAD_SIGNATURE")
        .await;
    for peer in Peer::ALL {
        let answer = mesh.call(peer, &caller(WRONG)).await.unwrap();
        shown.insert(format!("refusal of {}", peer.name()), answer.to_string());
    }
    let bad = [
        (
            "/ensure",
            json!({ "clientId": "", "secret": WRONG, "targets": [] }),
        ),
        (
            "/ensure",
            json!({ "clientId": "a", "secret": WRONG, "targets": ["nobody"] }),
        ),
        (
            "/ensure",
            json!({ "clientId": "a", "secret": [WRONG], "targets": [] }),
        ),
        (
            "/ensure",
            json!({ "clientId": "a", "secret": WRONG.repeat(9), "targets": [] }),
        ),
        ("/rotate", json!({ "clientId": "nobody", "secret": WRONG })),
        (
            "/targets",
            json!({ "targetAmqpQueue": "a_b", "propagationSecret": WRONG }),
        ),
        (
            "/call-target",
            json!({ "target": "consumer", "clientId": "logged", "secret": WRONG }),
        ),
    ];
    for (number, (route, body)) in bad.into_iter().enumerate() {
        let answer = mesh.post(Peer::Authority, route, &body).await.unwrap();
        shown.insert(format!("bad call {number}"), answer.to_string());
    }
    let state = mesh.get(Peer::Authority, "/admin/state").await.unwrap();
    shown.insert("state".to_owned(), state.to_string());
    let clients = mesh
        .get(Peer::LeptosAxum, "/api/local-clients")
        .await
        .unwrap();
    shown.insert("local clients".to_owned(), clients.to_string());
    mesh.revoke(Peer::Authority, "logged", &Peer::Authority.others())
        .await;
    mesh.until_converged("logged", &Peer::ALL, None).await;
    mesh.until_success(Peer::Authority, 3).await;
}
