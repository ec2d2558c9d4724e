//! Games with the algorithm and the header: every one is lost.

use jwt_auth::{MemoryKeySource, OpenError, Signer, TokenKind, open};
use ring::hmac;
use serde_json::{Value, json};

use crate::support::{access_claims, b64, ed25519, header_of, keys, p256, write};

async fn refusal(token: &str) -> String {
    let keys = MemoryKeySource::new(keys());
    match open(TokenKind::Access, token, &keys).await {
        Ok(_) => "opened".to_owned(),
        Err(error) => format!("{error:?}"),
    }
}

fn header(change: impl Fn(&mut Value)) -> String {
    let mut header = header_of(Some("at+jwt"), &ed25519());
    change(&mut header);
    header.to_string()
}

#[tokio::test]
async fn no_algorithm_but_that_of_the_key_opens_a_token() {
    let claims = access_claims().to_string();
    let signer = ed25519();
    for (alg, expected) in [
        (json!("EdDSA"), "opened"),
        (json!("Ed25519"), "opened"),
        (json!("ES256"), "AlgorithmOfKey"),
        (json!("none"), "Algorithm"),
        (json!("None"), "Algorithm"),
        (json!("NONE"), "Algorithm"),
        (json!(""), "Algorithm"),
        (json!("HS256"), "Algorithm"),
        (json!("RS256"), "Algorithm"),
        (json!("PS256"), "Algorithm"),
        (json!("ES384"), "Algorithm"),
        (json!("ES256K"), "Algorithm"),
        (json!("Ed448"), "Algorithm"),
        (json!("EDDSA"), "Algorithm"),
        (json!("EdDSA "), "Algorithm"),
        (json!(["EdDSA"]), "Algorithm"),
        (json!(null), "Algorithm"),
        (json!(0), "Algorithm"),
    ] {
        let token = write(&header(|it| it["alg"] = alg.clone()), &claims, &signer).await;
        assert_eq!(refusal(&token).await, expected, "{alg}");
    }
    let without = header(|it| drop(it.as_object_mut().unwrap().remove("alg")));
    assert_eq!(
        refusal(&write(&without, &claims, &signer).await).await,
        "Algorithm"
    );
}

#[tokio::test]
async fn a_public_key_is_no_secret_of_an_hmac() {
    let claims = b64(access_claims().to_string());
    for key in keys().keys() {
        for alg in ["HS256", "EdDSA", "ES256"] {
            let head = header(|it| {
                it["alg"] = alg.into();
                it["kid"] = key.kid().into();
            });
            let signed = format!("{}.{claims}", b64(head));
            for secret in [key.to_spki(), key.to_json().to_string().into_bytes()] {
                let mac = hmac::sign(
                    &hmac::Key::new(hmac::HMAC_SHA256, &secret),
                    signed.as_bytes(),
                );
                for signature in [mac.as_ref().to_vec(), [mac.as_ref(), mac.as_ref()].concat()] {
                    let answer = refusal(&format!("{signed}.{}", b64(signature))).await;
                    assert_ne!(answer, "opened", "{alg}");
                }
            }
        }
    }
}

#[tokio::test]
async fn an_unsigned_token_is_none() {
    let claims = b64(access_claims().to_string());
    for alg in ["none", "EdDSA", "ES256"] {
        for kid in [ed25519().key().kid(), p256().key().kid()] {
            let head = b64(header(|it| {
                it["alg"] = alg.into();
                it["kid"] = kid.into();
            }));
            for signature in [
                "",
                "AA",
                &b64([0; 64]),
                &b64([0; 65]),
                &b64([0; 63]),
                &"A".repeat(87),
            ] {
                let answer = refusal(&format!("{head}.{claims}.{signature}")).await;
                assert_ne!(answer, "opened", "{alg} {signature}");
            }
            for wrong in [
                format!("{head}.{claims}"),
                format!("{head}.{claims}.."),
                head.clone(),
            ] {
                assert_eq!(refusal(&wrong).await, "Malformed");
            }
        }
    }
}

#[tokio::test]
async fn a_header_is_read_in_one_way_only() {
    let (claims, signer) = (access_claims().to_string(), ed25519());
    let kid = signer.key().kid();
    let good = format!(r#"{{"alg":"EdDSA","typ":"at+jwt","kid":"{kid}"}}"#);
    for (head, expected) in [
        (good.clone(), "opened"),
        (format!(" {good}\n"), "opened"),
        (good.replace('}', r#","alg":"EdDSA"}"#), "HeaderTwice"),
        (good.replace('{', r#"{"alg":"none","#), "HeaderTwice"),
        (good.replace('{', r#"{"\u0061lg":"none","#), "HeaderTwice"),
        (good.replace('}', r#","x":{"y":1,"y":1}}"#), "HeaderTwice"),
        (
            good.replace('}', r#","crit":["exp"],"exp":1}"#),
            "Extension",
        ),
        (good.replace('}', r#","crit":[]}"#), "Extension"),
        (good.replace('}', r#","b64":false}"#), "Extension"),
        (good.replace('}', r#","b64":true}"#), "Extension"),
        (good.replace(r#""at+jwt""#, r#"["at+jwt"]"#), "Type"),
        (good.replace(kid, ""), "KeyId"),
        (good.replace(&format!("\"{kid}\""), "7"), "KeyId"),
        (good.replace(kid, &"k".repeat(257)), "KeyId"),
        (good.replace(kid, "../../etc/passwd"), "UnknownKey"),
        (format!("[{good}]"), "Malformed"),
        (good.replace('}', ""), "Malformed"),
        ("null".to_owned(), "Malformed"),
        (String::new(), "Malformed"),
    ] {
        let token = write(&head, &claims, &signer).await;
        assert_eq!(refusal(&token).await, expected, "{head}");
    }
}

/// A key in the header decides nothing.
#[tokio::test]
async fn a_token_does_not_bring_its_own_key() {
    let (claims, signer) = (access_claims().to_string(), ed25519());
    let other = jwt_auth::PrivateKey::generate(jwt_auth::Algorithm::EdDsa).unwrap();
    let other = jwt_auth::MemorySigner::new(&other).unwrap();
    for (name, value) in [
        ("jwk", other.key().to_json()),
        ("jku", json!("https://evil.example/jwks.json")),
        ("x5c", json!(["AAAA"])),
        ("x5u", json!("https://evil.example/cert.pem")),
    ] {
        let head = header(|it| it[name] = value.clone());
        assert_eq!(
            refusal(&write(&head, &claims, &other).await).await,
            "Signature",
            "{name}"
        );
        assert_eq!(
            refusal(&write(&head, &claims, &signer).await).await,
            "opened",
            "{name}"
        );
    }
}

#[tokio::test]
async fn claims_are_read_in_one_way_only() {
    let (head, signer) = (header(|_| ()), ed25519());
    let good = access_claims().to_string();
    for (claims, expected) in [
        (good.clone(), "opened"),
        (good.replace('{', r#"{"sub":"root","#), "ClaimTwice"),
        (good.replace('{', r#"{"x":[{"y":1,"y":2}],"#), "ClaimTwice"),
        (format!("[{good}]"), "Claims"),
        ("{".to_owned(), "Claims"),
        (String::new(), "Claims"),
    ] {
        assert_eq!(
            refusal(&write(&head, &claims, &signer).await).await,
            expected,
            "{claims}"
        );
    }
}

#[tokio::test]
async fn a_token_is_bounded_before_it_is_read() {
    let (head, signer) = (header(|_| ()), ed25519());
    let mut claims = access_claims();
    claims["pad"] = "x".repeat(5_000).into();
    let opened = write(&head, &claims.to_string(), &signer).await;
    assert_eq!(refusal(&opened).await, "opened");
    claims["pad"] = "x".repeat(8 * 1024).into();
    let large = write(&head, &claims.to_string(), &signer).await;
    assert_eq!(refusal(&large).await, "TooLarge");
    let sealed = jwt_auth::seal(TokenKind::Access, &signer, &claims).await;
    assert!(matches!(sealed, Err(jwt_auth::SealError::TooLarge)));
}

/// Neither an error nor anything that can be printed has a piece of the token in it.
#[tokio::test]
async fn no_error_shows_a_token() {
    let (claims, signer) = (access_claims().to_string(), ed25519());
    for head in [
        header(|it| it["typ"] = "secret-typ".into()),
        header(|it| it["kid"] = "secret-kid".into()),
    ] {
        let token = write(&head, &claims, &signer).await;
        let keys = MemoryKeySource::new(keys());
        let error: OpenError = open(TokenKind::Access, &token, &keys).await.err().unwrap();
        let shown = format!("{error} {error:?}");
        assert!(
            !shown.contains("secret") && !shown.contains(&token[..20]),
            "{shown}"
        );
    }
    let sealed = jwt_auth::seal(TokenKind::Access, &signer, &access_claims())
        .await
        .unwrap();
    assert_eq!(format!("{sealed:?}"), "Secret(redacted)");
}
