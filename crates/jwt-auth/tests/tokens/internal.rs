//! Internal tokens: for one service, one request, one use.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use auth_base::clock::ManualClock;
use auth_base::nonce_store::NonceStore;
use auth_base::store_error::StoreError;
use jwt_auth::{
    InternalGrant, InternalRejection, InternalRequest, InternalTokenIssuer, InternalTokenVerifier,
    KeySource, MemoryKeySource, PublicJwk, ReplayGuard, Scopes, Secret, Signer as _, SubjectKind,
};
use serde_json::json;

use crate::support::{Doors, NOW, URI, clock, compat_claims, ed25519, keys, replay, write};

fn grant(audience: &'static str) -> InternalGrant<'static> {
    InternalGrant {
        audience,
        subject: "42",
        subject_kind: SubjectKind::User,
        name: None,
        scope: Scopes::parse("user.request").unwrap(),
        permissions: vec!["ADMIN".to_owned()],
        request_id: "r-1",
        method: "GET",
        uri: URI,
        tenant: Some("t"),
        session: None,
    }
}

async fn issue(doors: &Doors, audience: &'static str) -> Secret {
    let issuer = InternalTokenIssuer::new(Arc::new(ed25519())).clock(doors.clock.clone());
    issuer.issue(grant(audience)).await.unwrap()
}

fn request<'a>(tokens: &'a [&'a [u8]]) -> InternalRequest<'a> {
    InternalRequest {
        tokens,
        method: "GET",
        uri: URI,
    }
}

#[tokio::test]
async fn what_the_gateway_said_arrives() {
    let doors = Doors::new();
    let token = issue(&doors, "orders").await;
    let tokens = [token.expose().as_bytes()];
    let context = doors.internal.verify(request(&tokens)).await.unwrap();
    assert_eq!(
        (context.subject.as_str(), context.subject_number()),
        ("42", Some(42))
    );
    assert_eq!(
        (context.request_id.as_str(), context.tenant.as_deref()),
        ("r-1", Some("t"))
    );
    assert!(context.require_scope("user.request").is_ok());
    assert!(context.require_any_permission(&[]).is_ok());
    assert!(context.require_any_permission(&["OTHER", "ADMIN"]).is_ok());
    let denied = context.require_scope("auth.validate").unwrap_err();
    assert_eq!(
        denied.code_and_status(),
        ("INTERNAL_AUTH_SCOPE_DENIED", 403)
    );
    let denied = context.require_any_permission(&["OTHER"]).unwrap_err();
    assert_eq!(
        denied.code_and_status(),
        ("INTERNAL_AUTH_PERMISSION_DENIED", 403)
    );
}

#[tokio::test]
async fn a_token_is_for_one_service_one_request_and_one_use() {
    let doors = Doors::new();
    let token = issue(&doors, "orders").await;
    let tokens = [token.expose().as_bytes()];
    let other_method = InternalRequest {
        method: "DELETE",
        ..request(&tokens)
    };
    let other_uri = InternalRequest {
        uri: "/v1/orders?page=3",
        ..request(&tokens)
    };
    for wrong in [other_method, other_uri] {
        let refused = doors.internal.verify(wrong).await.unwrap_err();
        assert!(format!("{refused:?}").contains("Request"));
    }
    let elsewhere = issue(&doors, "accounts").await;
    let refused = doors
        .internal
        .verify(request(&[elsewhere.expose().as_bytes()]))
        .await;
    assert!(format!("{:?}", refused.unwrap_err()).contains("Audience"));

    assert!(doors.internal.verify(request(&tokens)).await.is_ok());
    for after in [0, 30, 64] {
        doors.clock.set((NOW + after) * 1_000 + 999);
        let again = doors.internal.verify(request(&tokens)).await.unwrap_err();
        assert!(format!("{again:?}").contains("Replayed"), "{after}");
        assert_eq!(again.code_and_status(), ("INTERNAL_AUTH_INVALID", 401));
    }
    doors.clock.set((NOW + 65) * 1_000);
    let late = doors.internal.verify(request(&tokens)).await.unwrap_err();
    assert!(format!("{late:?}").contains("Expired"));
}

/// Instances share one memory, and their clocks are a minute apart: how far the one is ahead that takes a token, and how far
/// the one behind that it is shown to afterwards. By which the memory forgets is right.
#[tokio::test]
async fn a_token_is_used_up_though_clocks_are_a_minute_apart() {
    let source = Arc::new(MemoryKeySource::new(keys()));
    for (ahead, behind) in [(60, 0), (30, 30), (0, 60)] {
        // As soon as the first one takes it, and as late, by its clock.
        for used in [-5, 0, 30, 64] {
            let (time, fast, slow) = (clock(), clock(), clock());
            let shared = replay(&time);
            let at = |now: i64| {
                time.set(now * 1_000);
                fast.set((now + ahead) * 1_000);
                slow.set((now - behind) * 1_000);
            };
            let instance = |clock: &Arc<ManualClock>| {
                let verifier = InternalTokenVerifier::new(source.clone(), shared.clone(), "orders");
                verifier.clock(clock.clone())
            };
            let (first, second) = (instance(&fast), instance(&slow));
            let issuer = InternalTokenIssuer::new(Arc::new(ed25519())).clock(clock());
            let token = issuer.issue(grant("orders")).await.unwrap();
            let tokens = [token.expose().as_bytes()];
            let began = NOW + used - ahead;
            at(began);
            first.verify(request(&tokens)).await.unwrap();
            for now in began..=NOW + 65 + behind {
                at(now);
                let again = second.verify(request(&tokens)).await;
                let told = format!("{:?}", again.unwrap_err());
                let counts = (NOW - 5..NOW + 65).contains(&(now - behind));
                assert!(
                    !counts || told.contains("Replayed"),
                    "{ahead} {used} {now}: {told}"
                );
            }
        }
    }
}

#[tokio::test]
async fn a_header_that_is_missing_or_comes_twice() {
    let doors = Doors::new();
    for none in [&[][..], &[&b""[..]]] {
        let missing = doors.internal.verify(request(none)).await.unwrap_err();
        assert_eq!(missing.code_and_status(), ("INTERNAL_AUTH_MISSING", 401));
    }
    let token = issue(&doors, "orders").await;
    let token = token.expose().as_bytes();
    for wrong in [&[token, token][..], &[b"garbage"], &[b"\xff"], &[b"a.b.c"]] {
        let refused = doors.internal.verify(request(wrong)).await.unwrap_err();
        assert_eq!(refused.code_and_status(), ("INTERNAL_AUTH_INVALID", 401));
    }
    assert!(doors.internal.verify(request(&[token])).await.is_ok());
}

#[tokio::test]
async fn the_originals_form_is_taken_only_where_it_is_asked_for() {
    let doors = Doors::new();
    let token = write(
        r#"{"alg":"EdDSA"}"#,
        &compat_claims().to_string(),
        &ed25519(),
    )
    .await;
    let tokens = [token.as_bytes()];
    let refused = doors.internal.verify(request(&tokens)).await.unwrap_err();
    assert!(format!("{refused:?}").contains("Type"));
    let context = doors.compat.verify(request(&tokens)).await.unwrap();
    assert_eq!(context.subject_number(), Some(42));
    assert_eq!(context.subject_kind, SubjectKind::User);
    let mut system = compat_claims();
    system["sub"] = "system".into();
    system["permissions"] = json!([]);
    let token = write(r#"{"alg":"EdDSA"}"#, &system.to_string(), &ed25519()).await;
    let context = doors
        .compat
        .verify(request(&[token.as_bytes()]))
        .await
        .unwrap();
    assert_eq!(
        (context.subject_kind, context.subject_number()),
        (SubjectKind::System, None)
    );
    // And the new form goes on being taken there.
    let token = issue(&doors, "orders").await;
    assert!(
        doors
            .compat
            .verify(request(&[token.expose().as_bytes()]))
            .await
            .is_ok()
    );
}

struct Away;

#[async_trait]
impl NonceStore for Away {
    async fn remember(&self, _: &str, _: &str, _: i64, _: Duration) -> Result<bool, StoreError> {
        Err(StoreError::Unavailable("away".into()))
    }
}

#[async_trait]
impl KeySource for Away {
    async fn key(&self, _: &str) -> Result<Option<PublicJwk>, StoreError> {
        Err(StoreError::Unavailable("away".into()))
    }
}

#[tokio::test]
async fn a_store_that_is_away_lets_nobody_in() {
    let doors = Doors::new();
    let token = issue(&doors, "orders").await;
    let tokens = [token.expose().as_bytes()];
    let source = Arc::new(MemoryKeySource::new(keys()));
    let without_store = ReplayGuard::new(Arc::new(Away));
    let without_store = InternalTokenVerifier::new(source, without_store, "orders");
    let clock = clock();
    let without_keys = InternalTokenVerifier::new(Arc::new(Away), replay(&clock), "orders");
    for verifier in [without_store, without_keys] {
        let away = verifier
            .clock(clock.clone())
            .verify(request(&tokens))
            .await
            .unwrap_err();
        assert!(matches!(away, InternalRejection::Store(_)));
        assert_eq!(away.code_and_status(), ("AUTH_UNAVAILABLE", 503));
    }
}

#[test]
fn only_a_number_is_read_as_one() {
    let mut context = jwt_auth::InternalContext {
        subject: String::new(),
        subject_kind: SubjectKind::User,
        name: None,
        scope: Scopes::default(),
        permissions: Vec::new(),
        request_id: String::new(),
        tenant: None,
        session: None,
        exp: NOW,
    };
    for (subject, number) in [
        ("42", Some(42)),
        ("0", Some(0)),
        ("042", None),
        ("+1", None),
        ("-1", None),
        ("a", None),
    ] {
        context.subject = subject.to_owned();
        assert_eq!(context.subject_number(), number, "{subject}");
    }
    let signer = ed25519();
    assert_eq!(signer.key().algorithm(), jwt_auth::Algorithm::EdDsa);
}
