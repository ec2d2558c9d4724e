//! Loaded at the start, so that there is something to see. Demo secrets, worth nothing elsewhere.

use serde_json::json;

use crate::options::Error;
use crate::peers::Peers;

/// A client, the peer that owns it, and the peers that shall know it besides.
struct Client {
    id: &'static str,
    secret: &'static str,
    owner: &'static str,
    targets: &'static [&'static str],
}

/// The client that the tour signs as.
pub(crate) const BILLING: (&str, &str) = ("billing", "demo-secret-of-billing-0001");

const CLIENTS: &[Client] = &[
    Client {
        id: BILLING.0,
        secret: BILLING.1,
        owner: "authority",
        targets: &["consumer", "leptos-axum", "leptos-actix"],
    },
    Client {
        id: "reports",
        secret: "demo-secret-of-reports-0002",
        owner: "authority",
        targets: &["consumer"],
    },
    Client {
        id: "warehouse",
        secret: "demo-secret-of-warehouse-03",
        owner: "leptos-axum",
        targets: &["consumer", "leptos-actix"],
    },
    Client {
        id: "shop-frontend",
        secret: "demo-secret-of-shop-fronten-4",
        owner: "leptos-axum",
        targets: &["authority", "consumer", "leptos-actix"],
    },
    Client {
        id: "payments",
        secret: "demo-secret-of-payments-0005",
        owner: "leptos-actix",
        targets: &["authority", "consumer", "leptos-axum"],
    },
    Client {
        id: "local-only",
        secret: "demo-secret-of-local-only-6",
        owner: "leptos-axum",
        targets: &[],
    },
];

/// Ensures them all, each at its owner.
pub(crate) async fn load(peers: &Peers) -> Result<(), Error> {
    for client in CLIENTS {
        let body =
            json!({ "clientId": client.id, "secret": client.secret, "targets": client.targets })
                .to_string();
        let (status, answer) = peers
            .request("POST", client.owner, "/admin/ensure", Some(body))
            .await?;
        if status != 201 {
            return Err(format!(
                "{} refused client {}: {status} {answer}",
                client.owner, client.id
            )
            .into());
        }
    }
    Ok(())
}
