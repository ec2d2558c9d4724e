//! The story's own HTTP client. To a peer that asks who comes it is an operator, with tokens of a gateway of its own.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jwt_auth::{
    AccessGrant, AccessTokenIssuer, Algorithm, Jwks, MemorySigner, PrivateKey, Scopes, Signer,
};
use mesh_api::permission::{Permission, Role};
use reqwest::header::AUTHORIZATION;
use reqwest::{Client, Method, RequestBuilder, Response};
use tempfile::NamedTempFile;

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
    pub(crate) signer: Arc<dyn Signer>,
    keys: NamedTempFile,
    issued: Mutex<BTreeMap<&'static str, (Instant, String)>>,
    all: Mutex<Vec<String>>,
}

impl Http {
    /// Calls with `client` the peers of `nodes`; with tokens unless `HMAC_MESH_MANAGEMENT_AUTH` is `open`.
    pub(super) fn new(client: Client, nodes: &[Node]) -> Self {
        let asks = services::variable("HMAC_MESH_MANAGEMENT_AUTH").as_deref() != Some("open");
        Self {
            client,
            peers: nodes
                .iter()
                .map(|node| (node.url.clone(), node.peer))
                .collect(),
            gateway: asks.then(|| Arc::new(Gateway::new())),
        }
    }

    /// The same without tokens.
    pub(super) fn open(client: Client) -> Self {
        Self {
            client,
            peers: Arc::default(),
            gateway: None,
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
    fn new() -> Self {
        let key = PrivateKey::generate(Algorithm::EdDsa).expect("a key");
        let mut keys = NamedTempFile::new().expect("a file");
        let published = Jwks::new([key.public().clone()]).to_json().to_string();
        keys.write_all(published.as_bytes()).expect("a file");
        Self {
            signer: Arc::new(MemorySigner::new(&key).expect("a signer")),
            keys,
            issued: Mutex::default(),
            all: Mutex::default(),
        }
    }

    /// What a peer is told.
    pub(super) fn variables(&self) -> [(&'static str, String); 3] {
        [
            ("MANAGEMENT_AUTH", "tokens".to_owned()),
            ("GATEWAY_KEYS", self.keys().display().to_string()),
            ("MANAGEMENT_BEARER", "true".to_owned()),
        ]
    }

    /// Where the public keys are.
    pub(crate) fn keys(&self) -> PathBuf {
        self.keys.path().to_owned()
    }

    /// Every token that was issued.
    pub(super) fn tokens(&self) -> Vec<String> {
        let all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        all.clone()
    }

    fn known(&self, peer: Peer) -> Option<String> {
        let issued = self.issued.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, token) = issued.get(peer.name())?;
        (at.elapsed() < USED_FOR).then(|| token.clone())
    }

    async fn token(&self, peer: Peer) -> String {
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
        let issuer = AccessTokenIssuer::new(Arc::clone(&self.signer), ISSUER);
        let token = issuer.issue(grant).await.expect("a token").token;
        let token = token.expose().to_owned();
        let mut issued = self.issued.lock().unwrap_or_else(PoisonError::into_inner);
        issued.insert(peer.name(), (Instant::now(), token.clone()));
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        all.push(token.clone());
        token
    }
}
