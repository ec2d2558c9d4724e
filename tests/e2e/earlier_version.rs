//! Peers of an earlier version and of this one: beside each other in one mesh, and one after the other on the same Redis and schema.
//!
//! The programs of the earlier version are in the folder that `HMAC_MESH_EARLIER` names: `cargo verify --long` builds them.

use serde_json::Value;

use crate::mesh::{Mesh, Options, Peer, Version};

const SOURCES: [Peer; 3] = [Peer::Authority, Peer::LeptosAxum, Peer::LeptosActix];

/// Three clients for three targets.
const ROWS_OF_A_ROUND: usize = 9;

/// Each source makes three clients, rotates one of them and revokes another; everybody then holds what is left.
async fn changes_converge(mesh: &Mesh, round: &str) {
    for source in SOURCES {
        let client = |what: &str| format!("{what}-{}-{round}", source.name());
        for what in ["kept", "rotated", "revoked"] {
            mesh.ensure(
                source,
                &client(what),
                "the first secret of a client",
                &source.others(),
            )
            .await;
        }
        mesh.rotate(source, &client("rotated"), "the second secret of a client")
            .await;
        mesh.revoke(source, &client("revoked"), &source.others())
            .await;
    }
    for source in SOURCES {
        let client = |what: &str| format!("{what}-{}-{round}", source.name());
        let first = mesh.secrets.hash(source, "the first secret of a client");
        let second = mesh.secrets.hash(source, "the second secret of a client");
        mesh.until_converged(&client("kept"), &Peer::ALL, Some(&first))
            .await;
        mesh.until_converged(&client("rotated"), &Peer::ALL, Some(&second))
            .await;
        mesh.until_converged(&client("revoked"), &Peer::ALL, None)
            .await;
    }
}

/// What a source says of its credentials, its targets and their deliveries; but for when the inventory was written last, which
/// each start does anew.
async fn state(mesh: &Mesh, source: Peer) -> Value {
    let path = format!("{}/state?limit=500", source.surface().0);
    let answer = mesh.get(source, &path).await.expect("an answer");
    let mut state = answer.is(200).expect("the state").body;
    for target in state["targets"].as_array_mut().into_iter().flatten() {
        target["updatedAt"] = Value::Null;
    }
    state
}

/// Every record of every peer, and what every source says of its own.
async fn everything(mesh: &Mesh) -> Vec<(String, String)> {
    let mut seen = Vec::new();
    for peer in Peer::ALL {
        let records = mesh.records(peer).await.expect("the records");
        seen.push((
            format!("records of {}", peer.name()),
            format!("{records:#?}"),
        ));
    }
    for source in SOURCES {
        let state = state(mesh, source).await;
        seen.push((format!("state of {}", source.name()), format!("{state:#}")));
    }
    seen
}

#[tokio::test]
#[ignore = "needs the programs of an earlier version, in the folder that HMAC_MESH_EARLIER names"]
async fn an_earlier_version_shares_mesh_redis_and_schema() {
    let mut mesh = Options::default().start_without_peers().await;
    for peer in Peer::ALL {
        mesh.run(peer, Version::Earlier);
    }
    mesh.launch_all().await;
    mesh.until_all_ready().await;
    changes_converge(&mesh, "earlier").await;
    let mut rounds = 1;

    // One after the other to this version, and back again: at every step the mesh is a mixed one.
    for version in [Version::Current, Version::Earlier] {
        for peer in Peer::ALL {
            for source in SOURCES {
                mesh.until_success(source, rounds * ROWS_OF_A_ROUND).await;
                mesh.until_booked_as_applied(source).await;
            }
            let before = everything(&mesh).await;
            mesh.stop_peer(peer).await;
            mesh.run(peer, version);
            mesh.start_peer(peer).await;
            let after = everything(&mesh).await;
            for ((what, before), (_, after)) in before.iter().zip(&after) {
                assert_eq!(
                    before,
                    after,
                    "{what}, with {} in the {version:?} version",
                    peer.name()
                );
            }
            changes_converge(
                &mesh,
                &format!("{version:?}-{}", peer.name()).to_lowercase(),
            )
            .await;
            rounds += 1;
        }
    }
}
