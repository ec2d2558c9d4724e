//! Key servers as processes, one behind the other: what becomes of keys and tokens when one is killed, and when the provider
//! lies (`docs/kms.md`).

mod chain;
mod liar;
mod tls;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use auth_base::chain as told;
use jwt_auth::{
    AccessGrant, AccessRequest, AccessTokenIssuer, AccessTokenVerifier, DpopVerifier, Htu,
    KeySource as _, MemoryNonceStore, ReplayGuard, Scopes, Signer as _,
};
use kms::{KeyState, MemoryKeyRingStore, Providers, RingKeeper, RingName, RingPolicy};
use serde_json::json;

use self::chain::{Chain, SIGN, answered};
use self::liar::Liar;
use self::tls::Guarded;
use crate::mesh::until;

const ISSUER: &str = "https://login.example";
const AUDIENCE: &str = "https://orders.example";

/// A ring whose keys are at the chain's front. Its keys are ready, and gone, in no time.
fn keeper(chain: &Chain) -> RingKeeper {
    let policy = RingPolicy {
        jwks_max_age: Duration::ZERO,
        leeway: Duration::from_millis(100),
        view_life: Duration::from_millis(100),
        ..RingPolicy::default()
    };
    let providers = Providers::of("front", Arc::new(chain.client()));
    let name = RingName::parse("access").expect("a name");
    RingKeeper::new(name, Arc::new(MemoryKeyRingStore::new()), providers, policy)
}

/// A fresh token, signed with the active key of the ring.
async fn issue(keeper: &RingKeeper) -> Result<String, String> {
    let signer = keeper.signer().await.map_err(|error| told(&error))?;
    let issuer = AccessTokenIssuer::new(Arc::new(signer), ISSUER);
    let mut grant = AccessGrant::of_client("clt_1", AUDIENCE);
    grant.scope = Scopes::parse("orders:read").expect("a scope");
    let issued = issuer.issue(grant).await.map_err(|error| told(&error))?;
    Ok(issued.token.expose().to_owned())
}

/// What a service says to a token, which knows the keys by the ring.
async fn verify(keeper: &RingKeeper, token: &str) -> Result<(), String> {
    let proofs = DpopVerifier::new(ReplayGuard::new(Arc::new(MemoryNonceStore::new())));
    let verifier = AccessTokenVerifier::new(Arc::new(keeper.clone()), proofs, ISSUER, AUDIENCE);
    let authorization = format!("Bearer {token}");
    let request = AccessRequest {
        authorization: &[authorization.as_bytes()],
        proofs: &[],
        method: "GET",
        url: &Htu::of_request(AUDIENCE, "/orders").expect("a URL"),
    };
    let verified = verifier.verify(request).await;
    verified
        .map(drop)
        .map_err(|rejection| rejection.to_string())
}

#[tokio::test]
async fn a_key_service_that_is_killed_stops_signing_and_not_verifying() {
    let mut chain = Chain::start().await;
    let keeper = keeper(&chain);
    keeper.tick().await.expect("the ring has a key");
    let signer = keeper.signer().await.expect("a signer");
    let token = issue(&keeper).await.expect("a token");
    verify(&keeper, &token).await.expect("it counts");
    let sign = format!("/keys/{}/sign", chain.external_id(&keeper).await);
    let signed = chain.post(&sign, SIGN).await;
    assert_eq!(signed.0, 200, "{signed:?}");

    chain.kill_back();
    verify(&keeper, &token)
        .await
        .expect("it counts all the same");
    let refused = issue(&keeper).await.expect_err("nobody signs");
    assert!(
        refused.ends_with("remote service answered 503 Key provider unavailable"),
        "{refused}"
    );
    let unavailable = json!({ "error": "Key provider unavailable" });
    assert_eq!(chain.post(&sign, SIGN).await, (503, unavailable));
    let unready = until("readiness names the provider", async || {
        match chain.get("/readyz").await {
            (503, body) => Ok(body),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
    let reason = "HttpKmsAdapter[back]: remote service cannot be reached";
    let missing = json!([{ "name": "back", "reason": reason }]);
    assert_eq!(unready["missing"], missing);
    assert_eq!(chain.get("/livez").await.0, 200);
    // A turn of the ring changes nothing, and what is verified is verified still.
    keeper.tick().await.expect("nothing is due");
    verify(&keeper, &token)
        .await
        .expect("it counts all the same");

    chain.start_back();
    let later = until("tokens are signed again", async || issue(&keeper).await).await;
    verify(&keeper, &later).await.expect("it counts");
    let same = keeper.signer().await.expect("a signer");
    assert_eq!(same.key(), signer.key(), "no key was lost");
    chain.until_ready().await;
    chain.keep_secret(&[&token, &later]);
    chain.end();
}

#[tokio::test]
async fn a_deletion_that_failed_is_finished_later() {
    let mut chain = Chain::start().await;
    let keeper = keeper(&chain);
    keeper.tick().await.expect("the ring has a key");
    let token = issue(&keeper).await.expect("a token");
    let (kid, external_id) = {
        let signer = keeper.signer().await.expect("a signer");
        (
            signer.key().kid().to_owned(),
            chain.external_id(&keeper).await,
        )
    };
    let shown = format!("/keys/{external_id}");
    assert_eq!(chain.get_as_admin(&shown).await.0, 200);

    // It leaked while its provider is away: it counts no more, and stays to be deleted.
    chain.kill_back();
    keeper.revoke(&kid).await.expect("it is revoked");
    verify(&keeper, &token)
        .await
        .expect_err("its tokens are refused");
    keeper.tick().await.expect_err("nobody makes another key");
    let ring = keeper.ring().await.expect("the ring");
    let left = ring.find(&kid).expect("the row stays");
    assert!(matches!(left.state, KeyState::Deleting { .. }), "{left:?}");

    chain.start_back();
    until("the key is deleted, and another one signs", async || {
        let undeleted = keeper.tick().await.map_err(|error| told(&error))?;
        match keeper
            .ring()
            .await
            .map_err(|error| told(&error))?
            .find(&kid)
        {
            None => Ok(()),
            Some(_) => Err(format!("{undeleted:?}")),
        }
    })
    .await;
    let gone = json!({ "error": format!("Key not found: {external_id}") });
    assert_eq!(chain.get_as_admin(&shown).await, (404, gone));
    let next = until("tokens are signed", async || issue(&keeper).await).await;
    verify(&keeper, &next).await.expect("it counts");
    assert_eq!(keeper.key(&kid).await.expect("the ring"), None);
    chain.keep_secret(&[&token, &next]);
    chain.end();
}

#[tokio::test]
async fn a_key_provider_that_lies_is_not_believed() {
    let liar = Liar::start().await;
    let chain = Chain::before(&liar).await;
    let failed = (500, json!({ "error": "Key provider failed" }));
    // What it makes: with a private member, for another algorithm, under another name.
    for kid in ["private", "curve", "name"] {
        let body = json!({ "kid": kid, "alg": "EdDSA" }).to_string();
        assert_eq!(chain.post("/keys", &body).await, failed, "{kid}");
    }
    assert_eq!(chain.get_as_admin("/keys/private").await, failed);
    // What it signs: too short, by another key.
    for kid in ["short", "wrong"] {
        let path = format!("/keys/{kid}/sign");
        assert_eq!(chain.post(&path, SIGN).await, failed, "{kid}");
    }
    let unavailable = (503, json!({ "error": "Key provider unavailable" }));
    let deleted = chain.delete("/keys/true").await;
    assert_eq!(deleted, unavailable, "a failed deletion is told");
    liar.is_well.store(false, Ordering::SeqCst);
    until(
        "a provider that is not well is named",
        async || match chain.get("/readyz").await {
            (503, body) if body["missing"][0]["name"] == "back" => Ok(()),
            other => Err(format!("{other:?}")),
        },
    )
    .await;
    // One that says the truth is believed.
    let signed = chain.post("/keys/true/sign", SIGN).await;
    assert_eq!(signed.0, 200, "{signed:?}");
    chain.keep_secret(&[]);
    chain.end();
}

#[tokio::test]
async fn a_hundred_cold_signatures_fetch_one_token() {
    let liar = Liar::start().await;
    let chain = Chain::before(&liar).await;
    let calls = (0..100).map(|call| {
        let request = chain.sign_as(call % 2, "/keys/true/sign");
        tokio::spawn(async move { answered(request).await })
    });
    for call in calls.collect::<Vec<_>>() {
        let signed = call.await.expect("an answer");
        assert_eq!(signed.0, 200, "{signed:?}");
    }
    assert_eq!(liar.tokens.load(Ordering::SeqCst), 1);
    // Who takes no token at all causes no further request: the token is young.
    liar.is_closed.store(true, Ordering::SeqCst);
    for _ in 0..10 {
        let refused = chain.post("/keys/true/sign", SIGN).await;
        assert_eq!(refused, (500, json!({ "error": "Key provider failed" })));
    }
    // On a machine that is slow it may have grown up meanwhile.
    assert!(liar.tokens.load(Ordering::SeqCst) <= 2);
    chain.keep_secret(&[]);
    chain.end();
}

#[tokio::test]
async fn replaced_certificates_are_shown_with_the_next_connection() {
    let guarded = Guarded::start().await;
    let first = guarded.renew("first");
    let chain = Chain::before_tls(&guarded).await;
    assert_eq!(guarded.last(), Some(first));
    for name in ["second", "third"] {
        let renewed = guarded.renew(name);
        until("the new certificate is shown", async || {
            // Whoever asks for readiness makes the server ask its provider, once a second.
            assert_eq!(chain.get("/readyz").await.0, 200);
            match guarded.last() == Some(renewed.clone()) {
                true => Ok(()),
                false => Err("the old one is"),
            }
        })
        .await;
    }
    chain.keep_secret(&[]);
    chain.end();
}
