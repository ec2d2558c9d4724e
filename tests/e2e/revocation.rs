//! What is revoked is gone everywhere, and stays gone.

use serde_json::json;

use crate::mesh::{Caller, Mesh, Options, Peer};

const SECRET: &str = "a secret that is revoked";

#[tokio::test]
async fn a_revocation_removes_the_client_everywhere() {
    // Also within the grace of a rotation: revoking ends every secret at once.
    let mesh = Options::default()
        .everyone("ROTATION_GRACE_MS", "600000")
        .start()
        .await;
    let caller = |secret| Caller::new("revoked", mesh.secrets.hash(Peer::Authority, secret));
    mesh.ensure(
        Peer::Authority,
        "revoked",
        SECRET,
        &Peer::Authority.others(),
    )
    .await;
    mesh.until_success(Peer::Authority, 3).await;
    mesh.rotate(Peer::Authority, "revoked", "the secret after a rotation")
        .await;
    mesh.until_success(Peer::Authority, 3).await;
    mesh.until_let_in(&Peer::ALL, &caller("the secret after a rotation"))
        .await;

    let answer = mesh
        .revoke(Peer::Authority, "revoked", &Peer::Authority.others())
        .await;
    assert_eq!(answer, json!({ "clientId": "revoked" }));
    mesh.until_converged("revoked", &Peer::ALL, None).await;
    mesh.until_success(Peer::Authority, 3).await;
    for secret in [SECRET, "the secret after a rotation"] {
        mesh.until_refused(&Peer::ALL, &caller(secret), "UNKNOWN_CLIENT")
            .await;
    }
    for peer in Peer::ALL {
        let backups = mesh.keys(peer, "*credentials-backup:revoked").await;
        assert!(
            backups.is_empty(),
            "nothing to revert to is left on {}: {backups:?}",
            peer.name()
        );
    }
}

#[tokio::test]
async fn a_local_revocation_leaves_the_others_alone() {
    let mesh = Mesh::start().await;
    let hash = mesh.secrets.hash(Peer::Authority, SECRET);
    mesh.ensure(Peer::Authority, "here", SECRET, &[]).await;
    mesh.revoke(Peer::Authority, "here", &[]).await;
    mesh.until_converged("here", &[Peer::Authority], None).await;

    mesh.ensure(Peer::LeptosAxum, "there", SECRET, &[Peer::Consumer])
        .await;
    mesh.until_success(Peer::LeptosAxum, 1).await;
    mesh.ensure(Peer::Authority, "there", SECRET, &[]).await;
    mesh.until_converged("there", &[Peer::Authority], Some(&hash))
        .await;
    mesh.revoke(Peer::Authority, "there", &[]).await;
    mesh.until_converged("there", &[Peer::Authority], None)
        .await;
    let other = mesh.secrets.hash(Peer::LeptosAxum, SECRET);
    mesh.until_converged("there", &[Peer::LeptosAxum, Peer::Consumer], Some(&other))
        .await;
}

#[tokio::test]
async fn revoked_stays_revoked() {
    let mut mesh = Mesh::start().await;
    mesh.ensure(Peer::Authority, "gone", SECRET, &Peer::Authority.others())
        .await;
    mesh.until_success(Peer::Authority, 3).await;
    // The event of the revocation waits, the target restarts, everything is sent again: gone it stays.
    mesh.stop_peer(Peer::Consumer).await;
    mesh.rotate(Peer::Authority, "gone", "a secret on its way")
        .await;
    mesh.revoke(Peer::Authority, "gone", &Peer::Authority.others())
        .await;
    mesh.start_peer(Peer::Consumer).await;
    mesh.until_converged("gone", &Peer::ALL, None).await;
    mesh.until_success(Peer::Authority, 3).await;
    mesh.accept(Peer::Authority, "/resync", &json!({ "target": "consumer" }))
        .await;
    mesh.accept(Peer::Authority, "/resync", &json!({ "clientId": "gone" }))
        .await;
    mesh.until_success(Peer::Authority, 3).await;
    for peer in Peer::ALL {
        assert_eq!(
            mesh.record(peer, "gone").await.unwrap(),
            None,
            "{}",
            peer.name()
        );
    }
    // A client of the same name later is another one.
    let answer = mesh
        .ensure(
            Peer::Authority,
            "gone",
            "a secret of its successor",
            &[Peer::Consumer],
        )
        .await;
    assert_eq!(answer["op"], "credential.create");
    let hash = mesh
        .secrets
        .hash(Peer::Authority, "a secret of its successor");
    mesh.until_converged("gone", &[Peer::Authority, Peer::Consumer], Some(&hash))
        .await;
}
