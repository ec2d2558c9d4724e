//! Pages know who was let in, alike on both frameworks.

use std::sync::Arc;

use jwt_auth::{
    Algorithm, InternalGrant, InternalTokenIssuer, Jwks, MemorySigner, PrivateKey, Scopes,
    SubjectKind,
};
use mesh_api::permission::Role;
use tempfile::NamedTempFile;

use crate::peers::{Peer, Peers};

/// A page of each kind, and one that is not there.
const PATHS: [&str; 5] = ["/", "/clients/http/c", "/targets", "/health", "/nowhere"];

/// The gateway, as far as peers know it.
struct Gateway {
    issuer: InternalTokenIssuer,
    keys: NamedTempFile,
}

impl Gateway {
    fn new() -> Self {
        let key = PrivateKey::generate(Algorithm::EdDsa).unwrap();
        let keys = NamedTempFile::new().unwrap();
        let set = Jwks::new(vec![key.public().clone()]).to_json();
        std::fs::write(keys.path(), set.to_string()).unwrap();
        let signer = MemorySigner::new(&key).unwrap();
        let issuer = InternalTokenIssuer::new(Arc::new(signer));
        Self { issuer, keys }
    }

    /// Two peers that ask for its tokens.
    async fn peers(&self) -> Peers {
        let keys = self.keys.path().display().to_string();
        Peers::with(vec![
            ("MANAGEMENT_AUTH", "tokens".to_owned()),
            ("GATEWAY_KEYS", keys),
        ])
        .await
    }

    /// A page as ada sees it, who has signed in with a role.
    async fn page(&self, peer: &Peer, role: Role, path: &str) -> String {
        let permissions = role.permissions().iter();
        let grant = InternalGrant {
            audience: peer.name,
            subject: "0f3cbb0a",
            subject_kind: SubjectKind::User,
            name: Some("ada@example.org"),
            scope: Scopes::default(),
            permissions: permissions.map(|it| it.as_str().to_owned()).collect(),
            request_id: "of-a-test",
            method: "GET",
            uri: path,
            tenant: None,
            session: Some("the-id-of-the-session"),
        };
        let token = self.issuer.issue(grant).await.unwrap();
        let page = peer.page_with(path, token.expose()).await;
        page.text().await.unwrap()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_names_who_was_let_in_and_offers_what_they_may_do() {
    let gateway = Gateway::new();
    let peers = gateway.peers().await;
    for peer in &peers.all {
        assert_eq!(peer.page("/").await.status(), 401, "{}", peer.name);
        for path in PATHS {
            for role in Role::ALL {
                let page = gateway.page(peer, role, path).await;
                let what = format!("{} {path} {role}: {page}", peer.name);
                assert!(page.contains("Signed in as "), "{what}");
                assert!(page.contains("ada@example.org"), "{what}");
                assert!(page.contains(&format!("({role})")), "{what}");
                assert!(page.contains("action=\"/logout\""), "{what}");
                assert!(!page.contains("the-id-of-the-session"), "{what}");
                let sees_others = page.contains("href=\"/account/people\"");
                assert_eq!(sees_others, role == Role::Admin, "{what}");
                let changes = page.contains("action=\"/api/");
                let nothing_there = matches!(path, "/health" | "/nowhere");
                let may = role != Role::Viewer && !nothing_there;
                assert_eq!(changes, may, "{what}");
            }
        }
    }
    peers.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_nobody_is_asked_nobody_is_named() {
    let peers = Peers::start().await;
    for peer in &peers.all {
        for path in PATHS {
            let page = peer.page(path).await.text().await.unwrap();
            assert!(!page.contains("Signed in as"), "{} {path}", peer.name);
            assert!(!page.contains("/logout"), "{} {path}", peer.name);
        }
        let page = peer.page("/").await.text().await.unwrap();
        assert!(page.contains("action=\"/api/ensure\""), "{}", peer.name);
    }
    peers.stop().await;
}
