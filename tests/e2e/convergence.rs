//! A change reaches every peer it is for, and nobody else; what is left behind is clean.

use serde_json::{Value, json};

use crate::mesh::{Mesh, Peer, until};

const SECRET: &str = "a secret of the client alpha";

#[tokio::test]
async fn an_accepted_change_reaches_every_target() {
    let mesh = Mesh::start().await;
    let answer = mesh
        .ensure(Peer::Authority, "alpha", SECRET, &Peer::Authority.others())
        .await;
    assert_eq!(
        answer,
        json!({ "clientId": "alpha", "op": "credential.create" })
    );
    let hash = mesh.secrets.hash(Peer::Authority, SECRET);
    mesh.until_converged("alpha", &Peer::ALL, Some(&hash)).await;
    mesh.until_success(Peer::Authority, 3).await;

    let second = "another secret of alpha";
    let answer = mesh
        .ensure(Peer::Authority, "alpha", second, &Peer::Authority.others())
        .await;
    assert_eq!(answer["op"], "credential.update");
    let hash = mesh.secrets.hash(Peer::Authority, second);
    mesh.until_converged("alpha", &Peer::ALL, Some(&hash)).await;
    mesh.until_success(Peer::Authority, 3).await;
}

#[tokio::test]
async fn every_full_mode_peer_is_a_source() {
    let mesh = Mesh::start().await;
    let sources = [Peer::Authority, Peer::LeptosAxum, Peer::LeptosActix];
    for source in sources {
        let client = format!("client-of-{}", source.name());
        mesh.ensure(source, &client, SECRET, &source.others()).await;
    }
    for source in sources {
        let client = format!("client-of-{}", source.name());
        let hash = mesh.secrets.hash(source, SECRET);
        mesh.until_converged(&client, &Peer::ALL, Some(&hash)).await;
        mesh.until_success(source, 3).await;
    }
}

#[tokio::test]
async fn an_ensure_without_targets_stays_local() {
    let mesh = Mesh::start().await;
    mesh.ensure(Peer::Authority, "local", SECRET, &[]).await;
    let hash = mesh.secrets.hash(Peer::Authority, SECRET);
    mesh.until_converged("local", &[Peer::Authority], Some(&hash))
        .await;
    // A later change of another client has reached everybody: what was before it in the queues is done.
    mesh.ensure(Peer::Authority, "later", SECRET, &Peer::Authority.others())
        .await;
    mesh.until_success(Peer::Authority, 3).await;
    for peer in Peer::Authority.others() {
        assert_eq!(
            mesh.record(peer, "local").await.unwrap(),
            None,
            "{}",
            peer.name()
        );
    }
}

#[tokio::test]
async fn a_change_for_some_reaches_only_them() {
    let mesh = Mesh::start().await;
    mesh.ensure(Peer::Authority, "some", SECRET, &[Peer::Consumer])
        .await;
    mesh.ensure(Peer::Authority, "later", SECRET, &Peer::Authority.others())
        .await;
    mesh.until_success(Peer::Authority, 4).await;
    assert!(mesh.record(Peer::Consumer, "some").await.unwrap().is_some());
    assert_eq!(mesh.record(Peer::LeptosAxum, "some").await.unwrap(), None);
    assert_eq!(mesh.record(Peer::LeptosActix, "some").await.unwrap(), None);
}

#[tokio::test]
async fn no_plain_secret_at_rest_after_propagation() {
    let mut mesh = Mesh::start().await;
    mesh.stop_peer(Peer::Consumer).await;
    mesh.ensure(Peer::Authority, "plain", SECRET, &Peer::Authority.others())
        .await;
    let dump = mesh.sql_dump(Peer::Authority).await;
    assert!(
        dump.contains("plain|none|"),
        "the credential is booked, without its secret: {dump}"
    );
    assert!(!dump.contains(SECRET), "{dump}");
    for peer in Peer::ALL {
        assert!(
            !dump.contains(mesh.secrets.propagation(peer)),
            "entry secrets are encrypted"
        );
    }

    mesh.start_peer(Peer::Consumer).await;
    mesh.until_success(Peer::Authority, 3).await;
    assert!(!mesh.sql_dump(Peer::Authority).await.contains(SECRET));
}

#[tokio::test]
async fn rules_and_expiry_travel_and_are_cleared_by_null() {
    let mesh = Mesh::start().await;
    let expires_at = 4_102_444_800_000_i64;
    let targets: Vec<&str> = Peer::Authority.others().map(Peer::name).to_vec();
    let mut body = json!({ "clientId": "ruled", "secret": SECRET, "targets": targets,
        "allowedIps": ["127.0.0.1", "10.0.0.0/8"], "expiresAt": expires_at });
    mesh.accept(Peer::Authority, "/ensure", &body).await;
    until_record(
        &mesh,
        "ruled",
        json!(["127.0.0.1", "10.0.0.0/8"]),
        json!(expires_at),
    )
    .await;

    // Absent keeps.
    mesh.ensure(
        Peer::Authority,
        "ruled",
        "another secret of ruled",
        &Peer::Authority.others(),
    )
    .await;
    mesh.until_success(Peer::Authority, 3).await;
    until_record(
        &mesh,
        "ruled",
        json!(["127.0.0.1", "10.0.0.0/8"]),
        json!(expires_at),
    )
    .await;

    body["allowedIps"] = Value::Null;
    body["expiresAt"] = Value::Null;
    mesh.accept(Peer::Authority, "/ensure", &body).await;
    until_record(&mesh, "ruled", json!([]), Value::Null).await;
}

#[tokio::test]
async fn the_two_tracks_do_not_touch_each_other() {
    let mesh = Mesh::start().await;
    let other = "a secret for messages only";
    let targets: Vec<&str> = Peer::Authority.others().map(Peer::name).to_vec();
    mesh.ensure(Peer::Authority, "both", SECRET, &Peer::Authority.others())
        .await;
    let body =
        json!({ "clientId": "both", "secret": other, "targets": targets, "track": "message" });
    mesh.accept(Peer::Authority, "/ensure", &body).await;
    mesh.until_success(Peer::Authority, 6).await;
    mesh.revoke(Peer::Authority, "both", &Peer::Authority.others())
        .await;
    mesh.until_converged("both", &Peer::ALL, None).await;
    let hash = mesh.secrets.hash(Peer::Authority, other);
    for peer in Peer::ALL {
        let record = mesh
            .record_of(peer, "hmac:message:clients", "both")
            .await
            .unwrap();
        assert_eq!(
            record.expect("a record")["secretHash"],
            hash.expose(),
            "{}",
            peer.name()
        );
    }
}

#[tokio::test]
async fn the_end_state_is_clean() {
    let mesh = Mesh::start().await;
    for number in 0..10 {
        mesh.ensure(
            Peer::Authority,
            &format!("clean-{number}"),
            SECRET,
            &Peer::Authority.others(),
        )
        .await;
    }
    for number in 0..5 {
        mesh.rotate(
            Peer::Authority,
            &format!("clean-{number}"),
            "a rotated secret of a client",
        )
        .await;
    }
    mesh.until_success(Peer::Authority, 30).await;
    for peer in Peer::ALL {
        for pattern in [
            "propagation:ack:*",
            "propagation:client-pending:*",
            "propagation:client-results:*",
        ] {
            until(
                &format!("{} has no {pattern} left", peer.name()),
                async || {
                    let keys = mesh.keys(peer, pattern).await;
                    if keys.is_empty() {
                        Ok(())
                    } else {
                        Err(format!("{keys:?}"))
                    }
                },
            )
            .await;
        }
    }
    let wire = mesh.wire().await;
    for peer in Peer::ALL {
        assert_eq!(
            wire.waiting(peer.name()).await,
            0,
            "nothing waits for {}",
            peer.name()
        );
    }
    let state = mesh
        .get(Peer::Authority, "/admin/state?limit=500")
        .await
        .unwrap();
    let text = state.body.to_string();
    assert_eq!(state.status, 200);
    assert!(
        !text.contains(SECRET)
            && !text.contains(mesh.secrets.hash(Peer::Authority, SECRET).expose())
    );
    assert_eq!(
        state.body["credentials"].as_array().map(Vec::len),
        Some(10),
        "{state}"
    );
}

async fn until_record(mesh: &Mesh, client: &str, rules: Value, expires_at: Value) {
    for peer in Peer::ALL {
        until(
            &format!("{} has the rules and the expiry", peer.name()),
            async || {
                let record = mesh.record(peer, client).await?.unwrap_or_default();
                let same = record["allowedIps"] == rules && record["expiresAt"] == expires_at;
                if same {
                    Ok(())
                } else {
                    Err(record.to_string())
                }
            },
        )
        .await;
    }
}
