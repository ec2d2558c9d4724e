//! Tokens that other libraries made (`tests/vectors`): each is taken, or refused for its one reason.

use std::fs;
use std::path::Path;

use jwt_auth::client_assertion::PendingAssertion;
use jwt_auth::dpop::{ProofPurpose, ProofRequest};
use jwt_auth::{InternalRequest, PublicJwk};
use serde_json::Value;

use crate::support::{Doors, URI, ed25519, keys, p256, url};

fn read(file: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/vectors")
        .join(file);
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// Shows the token to its own door; `ok`, or the name of the refusal.
async fn answer(kind: &str, token: &str, access_token: &str, key: &PublicJwk) -> String {
    let doors = Doors::new();
    let values = [token.as_bytes()];
    let internal = InternalRequest {
        tokens: &values,
        method: "GET",
        uri: URI,
    };
    let told: Result<(), String> = match kind {
        "access" => doors
            .access
            .read(token)
            .await
            .map(drop)
            .map_err(|it| format!("{it:?}")),
        "internal" => told(doors.internal.verify(internal).await),
        "compat" => told(doors.compat.verify(internal).await),
        "assertion" => match PendingAssertion::read(token) {
            Ok(pending) => told(doors.assertions.verify(pending, &keys()).await),
            Err(error) => Err(format!("{error:?}")),
        },
        _ => {
            let url = url();
            let request = ProofRequest {
                proofs: &values,
                method: "GET",
                url: &url,
            };
            let purpose = ProofPurpose::Resource {
                access_token,
                jkt: key.thumbprint(),
            };
            told(doors.proofs.verify(request, purpose).await)
        }
    };
    told.err().unwrap_or_else(|| "ok".to_owned())
}

fn told<T, E: std::fmt::Debug>(result: Result<T, E>) -> Result<(), String> {
    result.map(drop).map_err(|error| format!("{error:?}"))
}

async fn check(file: &str, at_least: usize) {
    let (given, made) = (read("cases.json"), read(file));
    let (mut wrong, mut checked) = (Vec::new(), 0);
    for case in given["cases"].as_array().unwrap() {
        let text = |name: &str| case[name].as_str().unwrap();
        // A library that cannot make a token says so when the vectors are made.
        let Some(token) = made["tokens"][text("name")].as_str() else {
            continue;
        };
        let signer = if text("key") == "ec" {
            p256()
        } else {
            ed25519()
        };
        let access_token = given["access_token"].as_str().unwrap();
        let key = jwt_auth::Signer::key(&signer);
        let answer = answer(text("kind"), token, access_token, key).await;
        checked += 1;
        if answer != text("expect") {
            wrong.push(format!(
                "{}: {answer}, not {}",
                text("name"),
                text("expect")
            ));
        }
    }
    assert!(
        wrong.is_empty(),
        "{}:\n{}",
        made["made_by"],
        wrong.join("\n")
    );
    assert!(checked >= at_least, "{checked} of {}", made["made_by"]);
}

#[tokio::test]
async fn tokens_of_jose_5() {
    check("jose-5.json", 180).await;
}

#[tokio::test]
async fn tokens_of_jose_6() {
    check("jose-6.json", 180).await;
}

#[tokio::test]
async fn tokens_of_joserfc() {
    check("joserfc.json", 180).await;
}

/// It does not know the name `Ed25519`.
#[tokio::test]
async fn tokens_of_authlib() {
    check("authlib.json", 178).await;
}
