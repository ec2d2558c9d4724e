//! The list of RFC 9449, section 4.3, and what surrounds it: replay, nonces, binding, a store that is away.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use auth_base::nonce_store::NonceStore;
use auth_base::store_error::StoreError;
use jwt_auth::access_token::{AccessRejection, AccessRequest};
use jwt_auth::dpop::{
    DpopError, DpopNonces, DpopProver, DpopVerifier, Htu, ProofPurpose, ProofRequest, ProvenRequest,
};
use jwt_auth::{AccessGrant, AccessTokenIssuer, MemoryNonceStore, ReplayGuard, Secret, Signer};
use serde_json::{Value, json};

use crate::support::{
    Doors, ISSUER, NOW, RESOURCE, URL, b64, clock, ed25519, p256, proof_claims, proof_header,
    replay, url, write,
};

async fn verify(verifier: &DpopVerifier, proofs: &[&[u8]]) -> Result<(), DpopError> {
    let url = url();
    let request = ProofRequest {
        proofs,
        method: "GET",
        url: &url,
    };
    let verified = verifier.verify(request, ProofPurpose::TokenRequest).await;
    verified.map(drop)
}

async fn refusal(proofs: &[&[u8]]) -> String {
    let verified = verify(&Doors::new().proofs, proofs).await;
    verified.map_or_else(|error| format!("{error:?}"), |()| "ok".to_owned())
}

async fn proof(signer: &dyn Signer, change: impl FnOnce(&mut Value, &mut Value)) -> String {
    let (mut header, mut claims) = (proof_header(signer), proof_claims());
    change(&mut header, &mut claims);
    write(&header.to_string(), &claims.to_string(), signer).await
}

#[tokio::test]
async fn exactly_one_header_of_at_most_4_kib() {
    let signer = ed25519();
    let good = proof(&signer, |_, _| ()).await;
    let good = good.as_bytes();
    assert_eq!(refusal(&[good]).await, "ok");
    assert_eq!(refusal(&[]).await, "Missing");
    assert_eq!(refusal(&[good, good]).await, "Repeated");
    assert_eq!(refusal(&[&[good, b", ", good].concat()]).await, "Malformed");
    let large = proof(&signer, |_, claims| claims["x"] = "x".repeat(3_000).into()).await;
    assert!(large.len() > 4 * 1024);
    assert_eq!(refusal(&[large.as_bytes()]).await, "TooLarge");
    for wrong in [
        &b""[..],
        b".",
        b"..",
        b"a.b.c",
        b"\xff\xfe",
        b"....",
        b"e30.e30.",
    ] {
        let answer = refusal(&[wrong]).await;
        assert!(
            ["Malformed", "Type"].contains(&answer.as_str()),
            "{wrong:?}: {answer}"
        );
    }
}

/// Each step is reached only when those before it hold: a proof that is wrong twice is refused for the earlier step.
#[tokio::test]
async fn the_steps_have_their_order() {
    type Change = fn(&mut Value, &mut Value);
    let steps: &[(&str, Change)] = &[
        ("Extension", |header, _| header["crit"] = json!(["x"])),
        ("Type", |header, _| header["typ"] = "at+jwt".into()),
        ("Key(PrivateMember(\"d\"))", |header, _| {
            header["jwk"]["d"] = "x".into();
        }),
        ("Key(KeyType)", |header, _| {
            header["jwk"]["kty"] = "RSA".into();
        }),
        ("Algorithm", |header, _| header["alg"] = "none".into()),
        ("Method", |_, claims| claims["htm"] = "PUT".into()),
        ("Url", |_, claims| {
            claims["htu"] = "https://other.example/".into();
        }),
        ("TooOld", |_, claims| claims["iat"] = (NOW - 61).into()),
        ("TokenId", |_, claims| claims["jti"] = "".into()),
    ];
    for signer in [&ed25519() as &dyn Signer, &p256()] {
        for (at, (expected, first)) in steps.iter().enumerate() {
            for (_, later) in &steps[at..] {
                let made = proof(signer, |header, claims| {
                    later(header, claims);
                    first(header, claims);
                });
                assert_eq!(refusal(&[made.await.as_bytes()]).await, *expected);
            }
        }
        // The signature comes before every claim.
        let mut made = proof(signer, |_, claims| claims["htm"] = "PUT".into()).await;
        let last = made.pop().unwrap();
        made.push(if last == 'A' { 'Q' } else { 'A' });
        assert_eq!(refusal(&[made.as_bytes()]).await, "Signature");
    }
}

#[tokio::test]
async fn no_key_whatever_its_length_is_more_than_a_refusal() {
    for signer in [&ed25519() as &dyn Signer, &p256()] {
        for coordinate in ["x", "y"] {
            for length in (0..=66).chain([255, 1_000]) {
                for byte in [0, 1, 2, 0x7f, 0x80, 0xff] {
                    let made = proof(signer, |header, _| {
                        header["jwk"][coordinate] = b64(vec![byte; length]).into();
                    })
                    .await;
                    let answer = refusal(&[made.as_bytes()]).await;
                    let is_read =
                        length == 32 || (coordinate == "y" && signer.key().alg() == "EdDSA");
                    let expected = match is_read {
                        // Thirty-two equal bytes are a point of small order, or the signature is not that of the key.
                        true => ["Signature", "Key(SmallOrder)", "ok"].contains(&answer.as_str()),
                        false => answer == format!("Key(Coordinate({coordinate:?}))"),
                    };
                    assert!(expected, "{coordinate} of {length} bytes {byte}: {answer}");
                }
            }
        }
        for (crv, kty) in [
            ("P-256", "OKP"),
            ("Ed25519", "EC"),
            ("P-384", "EC"),
            ("Ed448", "OKP"),
        ] {
            let made = proof(signer, |header, _| {
                header["jwk"]["crv"] = crv.into();
                header["jwk"]["kty"] = kty.into();
            });
            assert_eq!(refusal(&[made.await.as_bytes()]).await, "Key(Curve)");
        }
    }
}

#[tokio::test]
async fn a_proof_counts_until_its_last_second_and_never_twice() {
    let doors = Doors::new();
    let clock = &doors.clock;
    let signer = p256();
    let used_late = proof(&signer, |_, claims| claims["jti"] = "late".into()).await;
    let used_early = proof(&signer, |_, claims| claims["jti"] = "early".into()).await;
    assert!(
        verify(&doors.proofs, &[used_early.as_bytes()])
            .await
            .is_ok()
    );
    for second in 0..=60 {
        clock.set((NOW + second) * 1_000 + 999);
        let again = verify(&doors.proofs, &[used_early.as_bytes()]).await;
        assert!(matches!(again, Err(DpopError::Replayed)), "{second}");
    }
    assert!(verify(&doors.proofs, &[used_late.as_bytes()]).await.is_ok());
    let again = verify(&doors.proofs, &[used_late.as_bytes()]).await;
    assert!(matches!(again, Err(DpopError::Replayed)));
    clock.set((NOW + 61) * 1_000);
    for old in [&used_early, &used_late] {
        let again = verify(&doors.proofs, &[old.as_bytes()]).await;
        assert!(matches!(again, Err(DpopError::TooOld)));
    }
}

/// One from the future is remembered for as long as it can be used.
#[tokio::test]
async fn a_proof_from_the_future_does_not_come_back() {
    let doors = Doors::new();
    let made = proof(&ed25519(), |_, claims| claims["iat"] = (NOW + 5).into()).await;
    assert!(verify(&doors.proofs, &[made.as_bytes()]).await.is_ok());
    doors.clock.set((NOW + 65) * 1_000 + 999);
    let again = verify(&doors.proofs, &[made.as_bytes()]).await;
    assert!(matches!(again, Err(DpopError::Replayed)));
}

#[tokio::test]
async fn a_proof_is_used_up_at_every_instance_and_by_its_key_only() {
    let clock = clock();
    let shared = replay(&clock);
    let instance = || DpopVerifier::new(shared.clone()).clock(clock.clone());
    let made = proof(&ed25519(), |_, _| ()).await;
    assert!(verify(&instance(), &[made.as_bytes()]).await.is_ok());
    let again = verify(&instance(), &[made.as_bytes()]).await;
    assert!(matches!(again, Err(DpopError::Replayed)));
    // The same name with another time is the same name.
    let renamed = proof(&ed25519(), |_, claims| claims["iat"] = (NOW - 1).into()).await;
    let again = verify(&instance(), &[renamed.as_bytes()]).await;
    assert!(matches!(again, Err(DpopError::Replayed)));
    let of_other_key = proof(&p256(), |_, _| ()).await;
    assert!(
        verify(&instance(), &[of_other_key.as_bytes()])
            .await
            .is_ok()
    );
}

/// As for internal tokens: the clock of who takes it is ahead, that of who sees it again behind.
#[tokio::test]
async fn a_proof_is_used_up_though_clocks_are_a_minute_apart() {
    for (ahead, behind) in [(60, 0), (30, 30), (0, 60)] {
        for used in [-5, 0, 30, 60] {
            let (time, fast, slow) = (clock(), clock(), clock());
            let shared = replay(&time);
            let at = |now: i64| {
                time.set(now * 1_000);
                fast.set((now + ahead) * 1_000);
                slow.set((now - behind) * 1_000);
            };
            let first = DpopVerifier::new(shared.clone()).clock(fast.clone());
            let second = DpopVerifier::new(shared.clone()).clock(slow.clone());
            let made = proof(&ed25519(), |_, _| ()).await;
            let began = NOW + used - ahead;
            at(began);
            assert!(verify(&first, &[made.as_bytes()]).await.is_ok());
            for now in began..=NOW + 61 + behind {
                at(now);
                let again = verify(&second, &[made.as_bytes()]).await;
                let counts = (NOW - 5..=NOW + 60).contains(&(now - behind));
                let is_replayed = matches!(again, Err(DpopError::Replayed));
                assert!(
                    again.is_err() && (!counts || is_replayed),
                    "{ahead} {used} {now}"
                );
            }
        }
    }
}

struct Away;

#[async_trait]
impl NonceStore for Away {
    async fn remember(&self, _: &str, _: &str, _: i64, _: Duration) -> Result<bool, StoreError> {
        Err(StoreError::Unavailable("redis://u:p@h".into()))
    }
}

#[tokio::test]
async fn a_store_that_is_away_lets_nobody_in_and_is_asked_last() {
    let verifier = DpopVerifier::new(ReplayGuard::new(Arc::new(Away))).clock(clock());
    let good = proof(&ed25519(), |_, _| ()).await;
    let error = verify(&verifier, &[good.as_bytes()]).await.unwrap_err();
    assert!(matches!(error, DpopError::Store(_)));
    let statuses = (error.status_at_token_endpoint(), error.status_at_resource());
    assert_eq!(
        (error.code(), statuses),
        ("temporarily_unavailable", (503, 503))
    );
    let wrong = proof(&ed25519(), |_, claims| claims["htm"] = "PUT".into()).await;
    let error = verify(&verifier, &[wrong.as_bytes()]).await.unwrap_err();
    let statuses = (error.status_at_token_endpoint(), error.status_at_resource());
    assert_eq!((error.code(), statuses), ("invalid_dpop_proof", (400, 401)));
}

#[tokio::test]
async fn a_refused_proof_is_not_used_up() {
    let doors = Doors::new();
    let made = proof(&ed25519(), |_, _| ()).await;
    let elsewhere = Htu::parse("https://orders.example/other").unwrap();
    let proofs = [made.as_bytes()];
    let request = ProofRequest {
        proofs: &proofs,
        method: "GET",
        url: &elsewhere,
    };
    let refused = doors
        .proofs
        .verify(request, ProofPurpose::TokenRequest)
        .await;
    assert!(matches!(refused, Err(DpopError::Url)));
    assert!(verify(&doors.proofs, &proofs).await.is_ok());
}

#[tokio::test]
async fn a_nonce_is_asked_for_and_renewed_in_time() {
    let clock = clock();
    let nonces = DpopNonces::new(&[7; 32]).clock(clock.clone());
    let verifier = DpopVerifier::new(replay(&clock))
        .clock(clock.clone())
        .nonces(nonces);
    let prover = DpopProver::new(Arc::new(p256())).clock(clock.clone());
    let url = url();
    let mut nonce: Option<String> = None;
    for (after, renewed) in [(0, false), (100, false), (160, true)] {
        clock.set((NOW + after) * 1_000);
        let request = ProvenRequest {
            method: "get",
            url: "https://ORDERS.example/orders?page=2",
            access_token: None,
            nonce: nonce.as_deref(),
        };
        let made = prover.prove(request).await.unwrap();
        let proofs = [made.expose().as_bytes()];
        let request = ProofRequest {
            proofs: &proofs,
            method: "GET",
            url: &url,
        };
        match verifier.verify(request, ProofPurpose::TokenRequest).await {
            Ok(verified) => assert_eq!(verified.next_nonce.is_some(), renewed, "{after}"),
            Err(error) => {
                assert_eq!((error.code(), after), ("use_dpop_nonce", 0));
                let DpopError::NonceNeeded { fresh } = error else {
                    unreachable!("the code says so")
                };
                nonce = Some(fresh);
            }
        }
    }
    clock.set((NOW + 301) * 1_000);
    let signer = ed25519();
    let stale = proof(&signer, |_, claims| {
        claims["iat"] = (NOW + 301).into();
        claims["nonce"] = nonce.unwrap().into();
    });
    let error = verify(&verifier, &[stale.await.as_bytes()])
        .await
        .unwrap_err();
    assert_eq!(error.code(), "use_dpop_nonce");
}

struct Call {
    authorization: String,
    proof: Option<Secret>,
}

async fn call(doors: &Doors, call: &Call) -> Result<(), AccessRejection> {
    let url = url();
    let proofs: Vec<&[u8]> = call.proof.iter().map(|it| it.expose().as_bytes()).collect();
    let request = AccessRequest {
        authorization: &[call.authorization.as_bytes()],
        proofs: &proofs,
        method: "GET",
        url: &url,
    };
    doors.access.verify(request).await.map(drop)
}

#[tokio::test]
async fn a_token_and_its_proof_belong_together() {
    let doors = Doors::new();
    let clock = doors.clock.clone();
    let issuer = AccessTokenIssuer::new(Arc::new(ed25519()), &format!("{ISSUER}/"));
    let issuer = issuer.clock(clock.clone());
    let prover = DpopProver::new(Arc::new(p256())).clock(clock.clone());
    let thief = DpopProver::new(Arc::new(ed25519())).clock(clock.clone());
    let plain = AccessGrant::of_client("clt_1", RESOURCE);
    let mut bound = plain.clone();
    bound.bound_to = Some(p256().key().clone());
    let plain = issuer.issue(plain).await.unwrap().token;
    let bound = issuer.issue(bound).await.unwrap().token;
    let with = |scheme: &str, token: &Secret, proof: Option<Secret>| Call {
        authorization: format!("{scheme} {}", token.expose()),
        proof,
    };
    let prove = |prover: &DpopProver, token: Option<Secret>| {
        let prover = prover.clone();
        async move {
            let request = ProvenRequest {
                method: "GET",
                url: URL,
                access_token: token.as_ref(),
                nonce: None,
            };
            Some(prover.prove(request).await.unwrap())
        }
    };
    let of_bound = prove(&prover, Some(bound.clone())).await;
    let cases = [
        (with("DPoP", &bound, of_bound.clone()), None),
        (
            with("DPoP", &bound, of_bound),
            Some("InvalidProof(Replayed)"),
        ),
        (with("Bearer", &plain, None), None),
        (with("bearer", &plain, prove(&prover, None).await), None),
        (with("Bearer", &bound, None), Some("Downgraded")),
        (
            with("Bearer", &bound, prove(&prover, Some(bound.clone())).await),
            Some("Downgraded"),
        ),
        (
            with("DPoP", &plain, prove(&prover, Some(plain.clone())).await),
            Some("NotBound"),
        ),
        (with("DPoP", &bound, None), Some("InvalidProof(Missing)")),
        (
            with("DPoP", &bound, prove(&prover, None).await),
            Some("InvalidProof(AccessTokenHash)"),
        ),
        (
            with("DPoP", &bound, prove(&prover, Some(plain.clone())).await),
            Some("InvalidProof(AccessTokenHash)"),
        ),
        (
            with("DPoP", &bound, prove(&thief, Some(bound.clone())).await),
            Some("InvalidProof(Binding)"),
        ),
        (with("Basic", &bound, None), Some("NoCredentials")),
    ];
    for (at, (attempt, expected)) in cases.iter().enumerate() {
        let answer = call(&doors, attempt).await;
        match expected {
            None => assert!(answer.is_ok(), "{at}: {answer:?}"),
            Some(expected) => {
                let error = answer.unwrap_err();
                assert!(format!("{error:?}").contains(expected), "{at}: {error:?}");
                assert_eq!(error.status(), 401);
                assert!(error.challenge().is_some());
            }
        }
    }
}

#[tokio::test]
async fn a_resource_may_insist_on_bound_tokens() {
    let doors = Doors::new();
    let issuer = AccessTokenIssuer::new(Arc::new(ed25519()), ISSUER).clock(doors.clock.clone());
    let plain = issuer
        .issue(AccessGrant::of_client("clt_1", RESOURCE))
        .await
        .unwrap();
    let strict = doors.access.clone().bound_only();
    let url = url();
    let authorization = format!("Bearer {}", plain.token.expose());
    let request = AccessRequest {
        authorization: &[authorization.as_bytes()],
        proofs: &[],
        method: "GET",
        url: &url,
    };
    let context = doors.access.verify(request).await.unwrap();
    assert_eq!(context.require_scope("x").unwrap_err().status(), 403);
    let refused = strict.verify(request).await.unwrap_err();
    assert!(format!("{refused:?}").contains("NotBound"));
    let none = AccessRequest {
        authorization: &[],
        ..request
    };
    let refused = strict.verify(none).await.unwrap_err();
    assert_eq!(
        refused.challenge().unwrap(),
        "DPoP algs=\"EdDSA Ed25519 ES256\""
    );
    assert_eq!(refused.code_and_status(), (None, 401));
    let _ = MemoryNonceStore::new();
}

#[tokio::test]
async fn a_claim_of_a_profile_never_replaces_one_of_ours() {
    let issuer = AccessTokenIssuer::new(Arc::new(ed25519()), ISSUER);
    for name in ["iss", "sub", "aud", "exp", "cnf", "client_id", "scope"] {
        let mut grant = AccessGrant::of_client("clt_1", RESOURCE);
        grant.other.insert(name.to_owned(), json!("x"));
        let refused = issuer.issue(grant).await.unwrap_err();
        assert!(matches!(refused, jwt_auth::SealError::Reserved(it) if it == name));
    }
}

#[tokio::test]
async fn what_the_issuer_said_arrives() {
    let doors = Doors::new();
    let issuer = AccessTokenIssuer::new(Arc::new(p256()), ISSUER).clock(doors.clock.clone());
    let mut grant = AccessGrant::of_client("clt_1", RESOURCE);
    grant.subject = "host_1".to_owned();
    grant.scope = jwt_auth::Scopes::parse("a b").unwrap();
    grant.tenant = Some("t".to_owned());
    grant.session = Some("s".to_owned());
    grant.other.insert("tier".to_owned(), json!("pro"));
    let issued = issuer.issue(grant).await.unwrap();
    let claims = doors.access.read(issued.token.expose()).await.unwrap();
    assert_eq!(
        (claims.sub.as_str(), claims.client_id.as_str()),
        ("host_1", "clt_1")
    );
    assert_eq!(
        (claims.jti.as_str(), claims.exp),
        (issued.jti.as_str(), NOW + 900)
    );
    assert_eq!(
        (claims.tid.as_deref(), claims.sid.as_deref()),
        (Some("t"), Some("s"))
    );
    assert_eq!(claims.scope.to_string(), "a b");
    assert_eq!(Value::Object(claims.other), json!({ "tier": "pro" }));
    assert_eq!((claims.nbf, claims.cnf), (None, None));
}
