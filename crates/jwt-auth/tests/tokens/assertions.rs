//! Client assertions: of one client, for one server, once.

use std::sync::Arc;

use jwt_auth::client_assertion::AssertionError;
use jwt_auth::{
    Algorithm, ClientAssertions, Jwks, MemorySigner, OpenError, PendingAssertion, PrivateKey,
    PublicJwk, Signer as _,
};
use serde_json::json;

use crate::support::{Doors, ISSUER, assertion_claims, ed25519, keys, p256, write};

async fn verify(doors: &Doors, assertion: &str, keys: &Jwks) -> Result<PublicJwk, AssertionError> {
    let pending = PendingAssertion::read(assertion)?;
    assert_eq!(pending.claimed_client_id(), "clt_1");
    doors.assertions.verify(pending, keys).await
}

#[tokio::test]
async fn an_assertion_of_ours_is_taken_once() {
    let doors = Doors::new();
    let client = ClientAssertions::new(Arc::new(p256()), "clt_1").clock(doors.clock.clone());
    let assertion = client.make(ISSUER).await.unwrap();
    let key = verify(&doors, assertion.expose(), &keys()).await.unwrap();
    assert_eq!(&key, p256().key());
    let again = verify(&doors, assertion.expose(), &keys())
        .await
        .unwrap_err();
    assert!(matches!(again, AssertionError::Replayed));
    assert_eq!((again.code(), again.status()), ("invalid_client", 401));
    let other = client.make(ISSUER).await.unwrap();
    assert!(verify(&doors, other.expose(), &keys()).await.is_ok());
}

#[tokio::test]
async fn only_the_clients_own_keys_count() {
    let doors = Doors::new();
    let client = ClientAssertions::new(Arc::new(ed25519()), "clt_1").clock(doors.clock.clone());
    let assertion = client.make(ISSUER).await.unwrap();
    let other = PrivateKey::generate(Algorithm::EdDsa)
        .unwrap()
        .public()
        .clone();
    let same_name = other.clone().with_kid(ed25519().key().kid()).unwrap();
    for (keys, expected) in [
        (Jwks::default(), "UnknownKey"),
        (Jwks::new([other]), "UnknownKey"),
        (Jwks::new([p256().key().clone()]), "UnknownKey"),
        (Jwks::new([same_name]), "Signature"),
    ] {
        let refused = verify(&doors, assertion.expose(), &keys).await.unwrap_err();
        assert_eq!(format!("{refused:?}"), format!("Open({expected})"));
        assert_eq!(refused.status(), 401);
    }
    // What was refused is not used up.
    assert!(verify(&doors, assertion.expose(), &keys()).await.is_ok());
}

/// Without a `kid` there must be no choice.
#[tokio::test]
async fn a_key_is_not_guessed() {
    let doors = Doors::new();
    let header = json!({ "alg": "EdDSA" }).to_string();
    let assertion = write(&header, &assertion_claims().to_string(), &ed25519()).await;
    let second = PrivateKey::generate(Algorithm::EdDsa).unwrap();
    let second = MemorySigner::new(&second).unwrap();
    let two = Jwks::new([ed25519().key().clone(), second.key().clone()]);
    let refused = verify(&doors, &assertion, &two).await.unwrap_err();
    assert!(matches!(refused, AssertionError::Open(OpenError::KeyId)));
    assert!(verify(&doors, &assertion, &keys()).await.is_ok());
}

#[tokio::test]
async fn nothing_of_an_assertion_is_shown() {
    let client = ClientAssertions::new(Arc::new(ed25519()), "clt_1");
    let assertion = client.make(ISSUER).await.unwrap();
    let pending = PendingAssertion::read(assertion.expose()).unwrap();
    let shown = format!("{pending:?} {assertion:?}");
    assert_eq!(
        shown,
        "PendingAssertion { claimed_client_id: \"clt_1\", .. } Secret(redacted)"
    );
}
