//! Every kind of token at every other door: refused.

use jwt_auth::access_token::AccessRequest;
use jwt_auth::client_assertion::PendingAssertion;
use jwt_auth::dpop::{ProofPurpose, ProofRequest};
use jwt_auth::{InternalRequest, Signer};
use serde_json::{Value, json};

use crate::support::{
    Doors, URI, access_claims, assertion_claims, compat_claims, ed25519, header_of,
    internal_claims, keys, p256, proof_claims, proof_header, url, write,
};

const KINDS: [&str; 5] = ["access", "internal", "compat", "assertion", "proof"];

/// A token of `kind` that its own door takes. With `rich`, it has the claims of every other kind too, so that only its type
/// tells it apart.
async fn token(kind: &str, signer: &dyn Signer, rich: bool) -> String {
    let own = match kind {
        "access" => access_claims(),
        "internal" => internal_claims(),
        "compat" => compat_claims(),
        "assertion" => assertion_claims(),
        _ => proof_claims(),
    };
    let mut claims = json!({});
    let others = [
        access_claims(),
        internal_claims(),
        assertion_claims(),
        proof_claims(),
    ];
    for part in others.iter().filter(|_| rich).chain([&own]) {
        let part = part.as_object().unwrap().clone();
        claims.as_object_mut().unwrap().extend(part);
    }
    let header = match kind {
        "access" => header_of(Some("at+jwt"), signer),
        "internal" => header_of(Some("int+jwt"), signer),
        "compat" => json!({ "alg": signer.key().alg() }),
        "assertion" => header_of(Some("client-authentication+jwt"), signer),
        _ => proof_header(signer),
    };
    write(&header.to_string(), &claims.to_string(), signer).await
}

/// Tells whether the door called `door` lets a token in.
async fn lets_in(door: &str, token: &str) -> bool {
    let doors = Doors::new();
    let values = [token.as_bytes()];
    let url = url();
    let internal = InternalRequest {
        tokens: &values,
        method: "GET",
        uri: URI,
    };
    match door {
        "access" => {
            let authorization = format!("Bearer {token}");
            let request = AccessRequest {
                authorization: &[authorization.as_bytes()],
                proofs: &[],
                method: "GET",
                url: &url,
            };
            doors.access.verify(request).await.is_ok()
        }
        "internal" => doors.internal.verify(internal).await.is_ok(),
        "compat" => doors.compat.verify(internal).await.is_ok(),
        "assertion" => match PendingAssertion::read(token) {
            Ok(pending) => doors.assertions.verify(pending, &keys()).await.is_ok(),
            Err(_) => false,
        },
        _ => {
            let request = ProofRequest {
                proofs: &values,
                method: "GET",
                url: &url,
            };
            doors
                .proofs
                .verify(request, ProofPurpose::TokenRequest)
                .await
                .is_ok()
        }
    }
}

#[tokio::test]
async fn every_kind_of_token_at_every_other_door_is_refused() {
    for rich in [false, true] {
        for signer in [&ed25519() as &dyn Signer, &p256()] {
            for kind in KINDS {
                let token = token(kind, signer, rich).await;
                for door in KINDS {
                    // The door that also takes the original's form takes its own tokens as well.
                    let own = kind == door || (kind, door) == ("internal", "compat");
                    let known = kind != "compat" || signer.key().alg() == "EdDSA";
                    let expected = own && known;
                    let answer = lets_in(door, &token).await;
                    assert_eq!(
                        answer,
                        expected,
                        "{kind} ({}, {rich}) at {door}",
                        signer.key().alg()
                    );
                }
            }
        }
    }
}

/// What the original wrote has no `typ`, as assertions of today's clients have none.
#[tokio::test]
async fn a_token_without_a_type_opens_only_the_doors_that_say_so() {
    let signer = ed25519();
    let merged = |parts: &[Value]| {
        let mut all = json!({});
        for part in parts {
            let part = part.as_object().unwrap().clone();
            all.as_object_mut().unwrap().extend(part);
        }
        all.to_string()
    };
    let everything = merged(&[
        access_claims(),
        internal_claims(),
        compat_claims(),
        assertion_claims(),
        proof_claims(),
    ]);
    let header = header_of(None, &signer).to_string();
    let token = write(&header, &everything, &signer).await;
    for door in KINDS {
        assert_eq!(lets_in(door, &token).await, door == "assertion", "{door}");
    }
}
