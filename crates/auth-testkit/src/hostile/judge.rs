//! The keys of the properties, and a second judge of signatures: `serde_json` and ring, nothing of ours.
#![expect(clippy::expect_used, reason = "a property fails by panicking")]

use std::sync::{Arc, LazyLock};

use auth_base::clock::ManualClock;
use auth_base::nonce_store::MemoryNonceStore;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::FutureExt as _;
use jwt_auth::{MemorySigner, PrivateKey, ReplayGuard, Signer as _};
use ring::signature::{ECDSA_P256_SHA256_FIXED, ED25519, UnparsedPublicKey};
use serde_json::Value;

/// The time of the doors, in seconds: that of `crates/jwt-auth/tests/vectors`.
pub(crate) const NOW: i64 = 1_800_000_000;

/// The keys of RFC 8037, appendix A, and of RFC 7515, appendix A.3.
pub(crate) static SIGNERS: LazyLock<[MemorySigner; 2]> = LazyLock::new(|| {
    [
        r#"{"kty":"OKP","crv":"Ed25519","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#,
        r#"{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0","d":"jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"}"#,
    ]
    .map(|jwk| {
        let key = PrivateKey::from_jwk(jwk.as_bytes()).expect("a key of an RFC");
        MemorySigner::new(&key).expect("a key of an RFC")
    })
});

pub(crate) fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::new(NOW * 1_000))
}

/// An empty store.
pub(crate) fn replay(clock: &Arc<ManualClock>) -> ReplayGuard {
    ReplayGuard::new(Arc::new(MemoryNonceStore::with_clock(clock.clone())))
}

/// Nothing in memory waits.
pub(crate) fn at_once<T>(future: impl Future<Output = T>) -> T {
    future.now_or_never().expect("a future of memory is ready")
}

/// Signs two texts, whatever they are, as the parts of a token.
pub(crate) fn write(header: &str, claims: &str) -> String {
    let signed = format!("{}.{}", encode(header), encode(claims));
    let signature = at_once(SIGNERS[0].sign(signed.as_bytes())).expect("signed");
    format!("{signed}.{}", encode(signature))
}

fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

/// Header and claims of a token whose signature is that of a key, given as the members of a JWK.
pub(crate) fn genuine(
    token: &str,
    key: impl Fn(&Value) -> Option<Value>,
) -> Option<(Value, Value)> {
    let parts: Vec<&str> = token.split('.').collect();
    let [header, claims, signature] = parts.as_slice() else {
        return None;
    };
    let signed = format!("{header}.{claims}");
    let header: Value = serde_json::from_slice(&decode(header)?).ok()?;
    let claims: Value = serde_json::from_slice(&decode(claims)?).ok()?;
    let key = key(&header)?;
    let fits = match header["alg"].as_str()? {
        "EdDSA" | "Ed25519" => key["crv"] == "Ed25519",
        "ES256" => key["crv"] == "P-256",
        _ => false,
    };
    let verified = fits && verifies(&key, signed.as_bytes(), &decode(signature)?)?;
    let plain = header.get("crit").is_none() && header.get("b64").is_none();
    (verified && plain).then_some((header, claims))
}

/// The published key that a header names.
pub(crate) fn published(header: &Value) -> Option<Value> {
    let named = SIGNERS.iter().find(|it| header["kid"] == it.key().kid())?;
    Some(named.key().to_json())
}

/// What is shown has no piece of the token in it.
pub(crate) fn hides(shown: &str, token: &str) {
    let piece = token
        .get(token.len().saturating_sub(40)..)
        .unwrap_or_default();
    assert!(
        piece.len() < 40 || !shown.contains(piece),
        "a token is shown: {shown}"
    );
}

/// Asks ring whether a key, given as the members of a JWK, made a signature.
fn verifies(key: &Value, input: &[u8], signature: &[u8]) -> Option<bool> {
    let x = decode(key["x"].as_str()?)?;
    Some(match key["y"].as_str() {
        None => UnparsedPublicKey::new(&ED25519, x)
            .verify(input, signature)
            .is_ok(),
        Some(y) => {
            let point = [vec![4], x, decode(y)?].concat();
            UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point)
                .verify(input, signature)
                .is_ok()
        }
    })
}
