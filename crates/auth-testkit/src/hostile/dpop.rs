//! Proofs of possession.

use jwt_auth::PublicJwk;
use jwt_auth::dpop::{DpopError, DpopVerifier, Htu, ProofPurpose, ProofRequest};
use serde_json::Value;

use crate::hostile::judge::{NOW, at_once, clock, genuine, hides, replay, write};

/// Takes a proof, or a header, a line break and claims, which it signs with the key of RFC 8037. A proof that is accepted is
/// genuine in the eyes of `serde_json` and ring too, with the public key in it, for this request, in its time, and once; no
/// refusal shows it or is this side's fault.
///
/// # Panics
/// Where that does not hold.
pub fn dpop(bytes: &[u8]) {
    show(bytes);
    let text = std::str::from_utf8(bytes).ok();
    if let Some((header, claims)) = text.and_then(|text| text.split_once('\n')) {
        show(write(header, claims).as_bytes());
    }
    if let Ok(htu) = Htu::parse(&String::from_utf8_lossy(bytes)) {
        assert_eq!(
            Htu::parse(htu.as_str()).as_ref(),
            Ok(&htu),
            "not normal: {htu}"
        );
    }
}

fn show(proof: &[u8]) {
    let Ok(url) = Htu::parse("https://orders.example/orders") else {
        return;
    };
    let clock = clock();
    let verifier = DpopVerifier::new(replay(&clock)).clock(clock);
    let request = ProofRequest {
        proofs: &[proof],
        method: "GET",
        url: &url,
    };
    let text = String::from_utf8_lossy(proof);
    match at_once(verifier.verify(request, ProofPurpose::TokenRequest)) {
        Ok(verified) => {
            accepted(&text, &verified.key);
            let again = at_once(verifier.verify(request, ProofPurpose::TokenRequest));
            assert!(
                matches!(again, Err(DpopError::Replayed)),
                "used twice: {text}"
            );
        }
        Err(error) => {
            assert_eq!(
                (error.status_at_resource(), error.code()),
                (401, "invalid_dpop_proof")
            );
            hides(&format!("{error:?} {error}"), &text);
        }
    }
}

fn accepted(proof: &str, key: &PublicJwk) {
    let carried = |header: &Value| header.get("jwk").cloned();
    let (header, claims) = genuine(proof, carried).unwrap_or_default();
    let jwk = &header["jwk"];
    let private = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];
    let published = key.to_json();
    let fits = header["typ"] == "dpop+jwt"
        && private.iter().all(|name| jwk.get(name).is_none())
        && ["kty", "crv", "x"]
            .iter()
            .all(|name| jwk[name] == published[name])
        && claims["htm"] == "GET"
        && claims["htu"]
            .as_str()
            .is_some_and(|htu| htu.to_lowercase().contains("orders.example"))
        && claims["iat"].as_f64().is_some_and(is_now)
        && claims["jti"]
            .as_str()
            .is_some_and(|jti| (1..=128).contains(&jti.chars().count()));
    assert!(fits, "not a good proof: {proof}");
}

fn is_now(iat: f64) -> bool {
    #[expect(clippy::cast_precision_loss, reason = "the time is far below 2^53")]
    let now = NOW as f64;
    (now - 60.0..now + 6.0).contains(&iat)
}
