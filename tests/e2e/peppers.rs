//! Each peer has a pepper of its own, and none of them travels.

use std::collections::BTreeSet;

use serde_json::json;

use crate::mesh::{Caller, Mesh, Peer};

const SECRET: &str = "one secret, three sources";

#[tokio::test]
async fn four_peers_have_four_peppers() {
    let mesh = Mesh::start().await;
    let sources = [Peer::Authority, Peer::LeptosAxum, Peer::LeptosActix];
    let mut hashes = BTreeSet::new();
    for source in sources {
        let client = format!("of-{}", source.name());
        mesh.ensure(source, &client, SECRET, &source.others()).await;
        let answer = mesh
            .accept(source, "/hash", &json!({ "secret": SECRET }))
            .await;
        let hash = mesh.secrets.hash(source, SECRET);
        assert_eq!(
            answer["hash"],
            hash.expose(),
            "a source hashes with its own pepper"
        );
        hashes.insert(hash.expose().to_owned());
    }
    assert_eq!(
        hashes.len(),
        3,
        "the same secret has another hash at every source"
    );
    for source in sources {
        let client = format!("of-{}", source.name());
        mesh.until_success(source, 3).await;
        // What travels is the source's hash: it is accepted everywhere, whatever the pepper there.
        mesh.until_converged(
            &client,
            &Peer::ALL,
            Some(&mesh.secrets.hash(source, SECRET)),
        )
        .await;
        mesh.until_let_in(
            &Peer::ALL,
            &Caller::new(&client, mesh.secrets.hash(source, SECRET)),
        )
        .await;
    }
    let stranger = Caller::new("of-authority", mesh.secrets.hash(Peer::LeptosAxum, SECRET));
    mesh.until_refused(&Peer::ALL, &stranger, "BAD_SIGNATURE")
        .await;
}
