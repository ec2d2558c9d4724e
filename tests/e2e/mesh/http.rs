//! The story's own HTTP client. To a peer that asks who comes it is an operator, with tokens of a gateway of its own.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jwt_auth::guard::INTERNAL_AUTH;
use jwt_auth::{
    AccessGrant, AccessTokenIssuer, Algorithm, DpopProver, InternalGrant, InternalTokenIssuer,
    Jwks, MemorySigner, PrivateKey, PublicJwk, Scopes, Secret, Signer, SubjectKind,
};
use mesh_api::permission::{Permission, Role};
use reqwest::header::AUTHORIZATION;
use reqwest::{Client, Method, RequestBuilder, Response};
use tempfile::TempDir;

use super::environment::Peer;
use super::node::Node;

/// Who issues tokens where nothing else is said.
const ISSUER: &str = "http://localhost:3100";

/// A token is used for so long; it counts for 15 minutes.
const USED_FOR: Duration = Duration::from_secs(600);

/// A client without a proxy, with a timeout. Clones share it.
#[derive(Clone)]
pub(crate) struct Http {
    client: Client,
    /// Where each peer is.
    peers: Arc<[(String, Peer)]>,
    gateway: Option<Arc<Gateway>>,
}

/// Signs tokens, and says with which key.
pub(crate) struct Gateway {
    signer: Mutex<Arc<dyn Signer>>,
    folder: TempDir,
    issued: Mutex<BTreeMap<&'static str, (Instant, String)>>,
    all: Mutex<Vec<String>>,
}

impl Http {
    /// Calls with `client` the peers of `nodes`; with tokens of `gateway` if they ask for them.
    pub(super) fn new(client: Client, nodes: &[Node], gateway: Option<Gateway>) -> Self {
        Self {
            client,
            peers: nodes
                .iter()
                .map(|node| (node.url.clone(), node.peer))
                .collect(),
            gateway: gateway.map(Arc::new),
        }
    }

    /// The same peers over another client.
    pub(crate) fn with(&self, client: Client) -> Self {
        Self {
            client,
            ..self.clone()
        }
    }

    /// A request that is not sent yet.
    pub(crate) fn request(&self, method: Method, url: String) -> RequestBuilder {
        self.client.request(method, url)
    }

    /// Sends a request, as an operator where it asks for one.
    pub(crate) async fn send(&self, request: RequestBuilder) -> reqwest::Result<Response> {
        let (client, request) = request.build_split();
        let mut request = request?;
        let url = request.url().as_str();
        let peer = self.peers.iter().find(|(base, _)| {
            let path = url.strip_prefix(base.as_str());
            path.is_some_and(|path| path.starts_with('/'))
        });
        if let (Some(gateway), Some((_, peer))) = (&self.gateway, peer)
            && !request.headers().contains_key(AUTHORIZATION)
            && !request.headers().contains_key(INTERNAL_AUTH)
        {
            let bearer = format!("Bearer {}", gateway.token(*peer).await);
            let bearer = bearer.parse().expect("a header's value");
            request.headers_mut().insert(AUTHORIZATION, bearer);
        }
        client.execute(request).await
    }

    /// What issues the tokens; `None` where nobody asks for any.
    pub(crate) fn gateway(&self) -> Option<&Gateway> {
        self.gateway.as_deref()
    }
}

impl Gateway {
    /// Signs with a key of its own, and publishes it.
    pub(super) fn new() -> Self {
        let gateway = Self::signing(new_signer());
        gateway.publish(&[gateway.key()]);
        gateway
    }

    /// Signs with the key in a file, which the peers know already.
    pub(super) fn of(path: &Path) -> Self {
        let jwk = std::fs::read(path).expect("the gateway's key");
        let key = PrivateKey::from_jwk(&jwk).expect("a private key");
        Self::signing(signer(&key))
    }

    fn signing(signer: Arc<dyn Signer>) -> Self {
        Self {
            signer: Mutex::new(signer),
            folder: tempfile::tempdir().expect("a folder"),
            issued: Mutex::default(),
            all: Mutex::default(),
        }
    }

    /// What a peer is told.
    pub(super) fn variables(&self) -> [(&'static str, String); 3] {
        [
            ("MANAGEMENT_AUTH", "tokens".to_owned()),
            ("GATEWAY_KEYS", self.path().display().to_string()),
            ("MANAGEMENT_BEARER", "true".to_owned()),
        ]
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("jwks.json")
    }

    /// Publishes `keys`, and no others.
    pub(crate) fn publish(&self, keys: &[PublicJwk]) {
        let next = self.folder.path().join("next");
        let set = Jwks::new(keys.iter().cloned()).to_json();
        std::fs::write(&next, set.to_string()).expect("a file");
        std::fs::rename(next, self.path()).expect("a file");
    }

    /// The key that signs.
    pub(crate) fn key(&self) -> PublicJwk {
        self.signer().key().clone()
    }

    /// Makes a key that signs from [`Self::sign_with`] on.
    pub(crate) fn next_key(&self) -> Arc<dyn Signer> {
        new_signer()
    }

    /// Signs with another key from now on.
    pub(crate) fn sign_with(&self, signer: Arc<dyn Signer>) {
        *lock(&self.signer) = signer;
        lock(&self.issued).clear();
    }

    fn signer(&self) -> Arc<dyn Signer> {
        Arc::clone(&lock(&self.signer))
    }

    /// Every token that was issued.
    pub(super) fn tokens(&self) -> Vec<String> {
        lock(&self.all).clone()
    }

    /// An internal token for one request.
    pub(crate) async fn internal(&self, peer: Peer, role: Role, method: &str, uri: &str) -> String {
        let permissions = role.permissions().iter().map(|it| it.as_str().to_owned());
        let grant = InternalGrant {
            audience: peer.name(),
            subject: "42",
            subject_kind: SubjectKind::User,
            name: None,
            scope: Scopes::default(),
            permissions: permissions.collect(),
            request_id: "story",
            method,
            uri,
            tenant: None,
            session: None,
        };
        let issuer = InternalTokenIssuer::new(self.signer());
        let token = issuer.issue(grant).await.expect("a token");
        self.keep(token.expose())
    }

    /// An access token that is bound to a key, and who has that key.
    pub(crate) async fn bound(&self, peer: Peer, scope: &str) -> (Secret, DpopProver) {
        let prover = DpopProver::new(new_signer());
        let mut grant = AccessGrant::of_client("story", peer.name());
        grant.scope = Scopes::parse(scope).expect("scopes");
        grant.bound_to = Some(prover.key().clone());
        let issuer = AccessTokenIssuer::new(self.signer(), ISSUER);
        let token = issuer.issue(grant).await.expect("a token").token;
        self.keep(token.expose());
        (token, prover)
    }

    fn keep(&self, token: &str) -> String {
        lock(&self.all).push(token.to_owned());
        token.to_owned()
    }

    fn known(&self, peer: Peer) -> Option<String> {
        let issued = lock(&self.issued);
        let (at, token) = issued.get(peer.name())?;
        (at.elapsed() < USED_FOR).then(|| token.clone())
    }

    /// An access token of an operator.
    pub(crate) async fn token(&self, peer: Peer) -> String {
        if let Some(token) = self.known(peer) {
            return token;
        }
        let scope: Vec<&str> = Role::Operator
            .permissions()
            .iter()
            .map(|it| Permission::as_str(*it))
            .collect();
        let mut grant = AccessGrant::of_client("story", peer.name());
        grant.scope = Scopes::parse(&scope.join(" ")).expect("scopes");
        let issuer = AccessTokenIssuer::new(self.signer(), ISSUER);
        let token = issuer.issue(grant).await.expect("a token").token;
        let token = self.keep(token.expose());
        lock(&self.issued).insert(peer.name(), (Instant::now(), token.clone()));
        token
    }
}

fn new_signer() -> Arc<dyn Signer> {
    signer(&PrivateKey::generate(Algorithm::EdDsa).expect("a key"))
}

fn signer(key: &PrivateKey) -> Arc<dyn Signer> {
    Arc::new(MemorySigner::new(key).expect("a signer"))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
