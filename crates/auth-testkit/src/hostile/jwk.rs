//! Public keys.

use jwt_auth::{PrivateKey, PublicJwk};
use serde_json::Value;

/// Takes a JWK. It is refused, or a key without a private member that is the same after it was written and read again, in
/// JSON and in DER, has the thumbprint of its four words, and verifies nothing that it did not sign. A private key is
/// never shown.
///
/// # Panics
/// Where that does not hold.
pub fn jwk(bytes: &[u8]) {
    if let Ok(key) = PrivateKey::from_jwk(bytes) {
        let jwk = key.expose_jwk();
        let again = PrivateKey::from_jwk(jwk.expose().as_bytes());
        let is_same = again.is_ok_and(|again| again.expose_pkcs8() == key.expose_pkcs8());
        assert!(is_same, "not the same key");
        let private: Value = serde_json::from_str(jwk.expose()).unwrap_or_default();
        let private = private["d"].as_str().unwrap_or_default().to_owned();
        let shown = format!("{key:?} {jwk:?} {}", key.public().to_json());
        assert!(!private.is_empty() && !shown.contains(&private), "{shown}");
    }
    let Ok(key) = PublicJwk::parse(bytes) else {
        return;
    };
    same(&key);
    let given: Value = serde_json::from_slice(bytes).unwrap_or_default();
    let written = key.to_json();
    for name in ["kty", "crv", "x"] {
        assert_eq!(given[name], written[name]);
    }
    assert!(
        given.get("d").is_none() && given.get("k").is_none(),
        "a private member"
    );
    for length in [0, 1, 63, 64, 65] {
        let verified = key.verify(bytes, &vec![1; length]);
        assert!(verified.is_err(), "a signature that nobody made");
    }
}

/// A key is what it is, however it is written.
pub(crate) fn same(key: &PublicJwk) {
    let written = key.to_json();
    let again = PublicJwk::parse(written.to_string().as_bytes());
    assert_eq!(again.as_ref(), Ok(key), "{written}");
    assert_eq!(
        again.map(|again| again.kid().to_owned()).as_deref(),
        Ok(key.kid())
    );
    assert_eq!(PublicJwk::from_spki(&key.to_spki()).as_ref(), Ok(key));
    let text = |name: &str| written[name].as_str().unwrap_or_default();
    let canonical = match text("kty") {
        "OKP" => format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#, text("x")),
        _ => format!(
            r#"{{"crv":"P-256","kty":"EC","x":"{}","y":"{}"}}"#,
            text("x"),
            text("y")
        ),
    };
    let digest = ring::digest::digest(&ring::digest::SHA256, canonical.as_bytes());
    let thumbprint = crate::hostile::judge::decode(key.thumbprint());
    assert_eq!(thumbprint.as_deref(), Some(digest.as_ref()), "{canonical}");
}
