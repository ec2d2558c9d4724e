//! Issues what opens the routes, and what does not.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jwt_auth::{
    AccessGrant, AccessGuard, AccessTokenIssuer, AccessTokenVerifier, Algorithm, DpopNonces,
    DpopProver, DpopVerifier, InternalGrant, InternalGuard, InternalTokenIssuer,
    InternalTokenVerifier, Jwks, MemoryKeySource, MemoryNonceStore, MemorySigner, NonceStore,
    PrivateKey, ProvenRequest, ReplayGuard, Scopes, Secret, Signer, StoreError, SubjectKind,
};

use crate::http_guard::world::Guards;

pub(crate) const ISSUER: &str = "https://login.example";
pub(crate) const RESOURCE: &str = "https://orders.example";

/// A store that is away.
struct Away;

#[async_trait]
impl NonceStore for Away {
    async fn remember(&self, _: &str, _: &str, _: i64, _: Duration) -> Result<bool, StoreError> {
        Err(StoreError::Unavailable("redis://user:password@host".into()))
    }
}

/// Has the keys of the authorization server and of the gateway.
pub(crate) struct Issuer {
    signer: Arc<dyn Signer>,
    store: Arc<dyn NonceStore>,
    asks_for_nonces: bool,
}

impl Issuer {
    pub(crate) fn new() -> Self {
        Self {
            signer: signer(Algorithm::EdDsa),
            store: Arc::new(MemoryNonceStore::new()),
            asks_for_nonces: false,
        }
    }

    pub(crate) fn with_the_store_away() -> Self {
        Self {
            store: Arc::new(Away),
            ..Self::new()
        }
    }

    /// Proofs need a nonce of the server.
    pub(crate) fn asking_for_nonces() -> Self {
        Self {
            asks_for_nonces: true,
            ..Self::new()
        }
    }

    pub(crate) fn guards(&self) -> Guards {
        let keys = Arc::new(MemoryKeySource::new(Jwks::new([self.signer.key().clone()])));
        let replay = || ReplayGuard::new(Arc::clone(&self.store));
        let mut proofs = DpopVerifier::new(replay());
        if self.asks_for_nonces {
            proofs = proofs.nonces(DpopNonces::new(&[7; 32]));
        }
        let access = AccessTokenVerifier::new(keys.clone(), proofs, ISSUER, RESOURCE);
        let internal = InternalTokenVerifier::new(keys, replay(), "orders");
        Guards {
            internal: InternalGuard::new(internal)
                .scope("user.request")
                .any_permission(["ADMIN", "AUDITOR"]),
            access: AccessGuard::new(access, RESOURCE)
                .expect("an origin")
                .scope("orders:read"),
        }
    }

    /// An internal token for GET `uri`, changed by `change`.
    pub(crate) async fn internal(
        &self,
        uri: &str,
        change: impl FnOnce(&mut InternalGrant<'_>),
    ) -> String {
        let mut grant = InternalGrant {
            audience: "orders",
            subject: "42",
            subject_kind: SubjectKind::User,
            name: None,
            scope: Scopes::parse("user.request").expect("scopes"),
            permissions: vec!["AUDITOR".to_owned()],
            request_id: "r-1",
            method: "GET",
            uri,
            tenant: None,
            session: None,
        };
        change(&mut grant);
        let issuer = InternalTokenIssuer::new(Arc::clone(&self.signer));
        let token = issuer.issue(grant).await.expect("a token");
        token.expose().to_owned()
    }

    /// An access token with a scope, bound to the key of `prover` if there is one.
    pub(crate) async fn access(&self, scope: &str, prover: Option<&DpopProver>) -> Secret {
        let mut grant = AccessGrant::of_client("clt_1", RESOURCE);
        grant.scope = Scopes::parse(scope).expect("scopes");
        grant.bound_to = prover.map(|prover| prover.key().clone());
        let issuer = AccessTokenIssuer::new(Arc::clone(&self.signer), ISSUER);
        issuer.issue(grant).await.expect("a token").token
    }
}

pub(crate) fn signer(algorithm: Algorithm) -> Arc<dyn Signer> {
    let key = PrivateKey::generate(algorithm).expect("a key");
    Arc::new(MemorySigner::new(&key).expect("a signer"))
}

/// A proof for GET `target` with `token`.
pub(crate) async fn proof(
    prover: &DpopProver,
    target: &str,
    token: &Secret,
    nonce: Option<&str>,
) -> String {
    let request = ProvenRequest {
        method: "GET",
        url: &format!("{RESOURCE}{target}"),
        access_token: Some(token),
        nonce,
    };
    let proof = prover.prove(request).await.expect("a proof");
    proof.expose().to_owned()
}
