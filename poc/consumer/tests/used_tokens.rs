//! Where used tokens are remembered: peers that share one Redis, and not their namespaces, do not hear of each other's.
#![expect(
    clippy::unwrap_used,
    reason = "a test stops where an expectation fails"
)]

use std::sync::Arc;
use std::time::Duration;

use auth_base::nonce_store::NonceStore as _;
use hmac_auth_redis::nonce_store::RedisNonceStore;
use hmac_propagation::propagator::Mode;
use jwt_auth::{
    Algorithm, InternalGrant, InternalRequest, InternalTokenIssuer, InternalTokenVerifier, Jwks,
    MemoryKeySource, MemorySigner, PrivateKey, ReplayGuard, Scopes, Secret, Signer as _,
    SubjectKind,
};
use peer_backends::redis::{places, used_tokens};
use peer_kit::config::source::Source;
use peer_kit::config::{Config, Defaults};
use redis_link::link::RedisLink;

const DEFAULTS: Defaults = Defaults {
    binary: "consumer",
    about: "",
    mode: Mode::ReceiveOnly,
    peer: "consumer",
    port: 0,
};

/// What a peer is told, in its own place in a Redis that is not its own.
fn config(redis: &str, namespace: &str) -> Config {
    let message = format!("{namespace}:message");
    let source = Source::from_pairs([
        ("AMQP_USER", "guest"),
        ("AMQP_PASSWORD", "password-of-guest"),
        ("PROPAGATION_SECRET", "propagation-of-consumer"),
        ("REDIS_URL", redis),
        ("REDIS_HTTP_NAMESPACE", namespace),
        ("REDIS_MESSAGE_NAMESPACE", &message),
    ]);
    Config::load(&source, &DEFAULTS).unwrap()
}

/// The gateway.
struct Gateway(MemorySigner);

impl Gateway {
    async fn token(&self) -> Secret {
        let issuer = InternalTokenIssuer::new(Arc::new(self.0.clone()));
        let grant = InternalGrant {
            audience: "consumer",
            subject: "42",
            subject_kind: SubjectKind::User,
            name: None,
            scope: Scopes::default(),
            permissions: Vec::new(),
            request_id: "r-1",
            method: "GET",
            uri: "/api/state",
            tenant: None,
            session: None,
        };
        issuer.issue(grant).await.unwrap()
    }

    /// Whether a peer that remembers in `store` takes the token.
    async fn is_taken(&self, store: RedisNonceStore, token: &Secret) -> bool {
        let keys = Arc::new(MemoryKeySource::new(Jwks::new([self.0.key().clone()])));
        let replay = ReplayGuard::new(Arc::new(store));
        let verifier = InternalTokenVerifier::new(keys, replay, "consumer");
        let request = InternalRequest {
            tokens: &[token.expose().as_bytes()],
            method: "GET",
            uri: "/api/state",
        };
        verifier.verify(request).await.is_ok()
    }
}

#[tokio::test]
async fn used_tokens_are_remembered_in_the_namespace_of_their_peer() {
    let redis = services::redis().await.unwrap();
    let link = RedisLink::open(redis.url()).unwrap();
    let (one, other) = (config(redis.url(), "one"), config(redis.url(), "other"));
    let key = PrivateKey::generate(Algorithm::EdDsa).unwrap();
    let gateway = Gateway(MemorySigner::new(&key).unwrap());
    let token = gateway.token().await;
    let mut answers = Vec::new();
    // The second instance of the one is refused; the other peer does not hear of it.
    for config in [&one, &one, &other, &other] {
        answers.push(gateway.is_taken(used_tokens(&link, config), &token).await);
    }
    assert_eq!(answers, [true, false, true, false]);
}

/// A client may be called as the gateway is, and choose any nonce.
#[tokio::test]
async fn no_nonce_of_a_client_uses_up_a_token_and_no_token_a_nonce() {
    let redis = services::redis().await.unwrap();
    let link = RedisLink::open(redis.url()).unwrap();
    let config = config(redis.url(), "one");
    let nonces = RedisNonceStore::new(link.clone(), places(&config).http);
    let tokens = used_tokens(&link, &config);
    let is_first = async |store: &RedisNonceStore| {
        let remembered = store.remember("gateway", "the-same", 0, Duration::from_secs(60));
        remembered.await.unwrap()
    };
    for store in [&nonces, &tokens] {
        assert!(is_first(store).await);
        assert!(!is_first(store).await);
    }
}
