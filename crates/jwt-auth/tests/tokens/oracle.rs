//! Compared with another reader: whatever ours accepts, `jsonwebtoken::decode` accepts under a strict `Validation`.
//!
//! One exception: it does not know the name `Ed25519`.

use std::sync::{Arc, Once};

use auth_base::clock::{Clock as _, SystemClock};
use jsonwebtoken::crypto::{CryptoProvider, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::signature::{self, Verifier};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};
use jwt_auth::access_token::AccessTokenVerifier;
use jwt_auth::{DpopVerifier, MemoryKeySource, MemoryNonceStore, PublicJwk, ReplayGuard, Signer};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::{ISSUER, RESOURCE, ed25519, keys, p256, write};

/// Verifies for `jsonwebtoken`, which brings no cryptography of its own without OpenSSL's relatives or RSA.
struct OnRing {
    key: Vec<u8>,
    algorithm: Algorithm,
}

impl Verifier<Vec<u8>> for OnRing {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), signature::Error> {
        let algorithm: &'static dyn ring::signature::VerificationAlgorithm = match self.algorithm {
            Algorithm::EdDSA => &ring::signature::ED25519,
            _ => &ring::signature::ECDSA_P256_SHA256_FIXED,
        };
        let key = ring::signature::UnparsedPublicKey::new(algorithm, &self.key);
        key.verify(message, signature)
            .map_err(|_| signature::Error::new())
    }
}

impl JwtVerifier for OnRing {
    fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
}

fn verifier(
    algorithm: &Algorithm,
    key: &DecodingKey,
) -> Result<Box<dyn JwtVerifier>, jsonwebtoken::errors::Error> {
    Ok(Box::new(OnRing {
        key: key.try_get_as_bytes()?.to_vec(),
        algorithm: *algorithm,
    }))
}

static ON_RING: CryptoProvider = CryptoProvider {
    signer_factory: |_, _| Err(ErrorKind::UnsupportedAlgorithm.into()),
    verifier_factory: verifier,
    key_utils: KeyUtils::new_unimplemented(),
};

/// Tells whether `jsonwebtoken` accepts an access token of `key`, with its type checked beside.
fn oracle_accepts(token: &str, key: &PublicJwk) -> bool {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| ON_RING.install_default().unwrap());
    let members = serde_json::from_value(key.to_json()).unwrap();
    let decoding = DecodingKey::from_jwk(&members).unwrap();
    let algorithm = match key.algorithm() {
        jwt_auth::Algorithm::EdDsa => Algorithm::EdDSA,
        _ => Algorithm::ES256,
    };
    let mut validation = Validation::new(algorithm);
    validation.leeway = 5;
    validation.validate_nbf = true;
    validation.set_audience(&[RESOURCE]);
    validation.set_issuer(&[ISSUER]);
    validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    let decoded = decode::<Value>(token, &decoding, &validation);
    decoded.is_ok_and(|decoded| {
        let typ = decoded.header.typ.as_deref();
        matches!(typ, Some("at+jwt" | "application/at+jwt"))
    })
}

/// It reads the wall clock, so here ours does too.
fn ours() -> AccessTokenVerifier {
    let replay = ReplayGuard::new(Arc::new(MemoryNonceStore::new()));
    let keys = Arc::new(MemoryKeySource::new(keys()));
    AccessTokenVerifier::new(keys, DpopVerifier::new(replay), ISSUER, RESOURCE)
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.unwrap().block_on(future)
}

fn pick(values: Vec<Value>) -> impl Strategy<Value = Value> {
    proptest::sample::select(values)
}

/// A member that is left out.
fn absent() -> Value {
    json!({ "absent": true })
}

fn times() -> impl Strategy<Value = Value> {
    let near = (-900_i64..900).prop_map(|by| json!(by));
    // Away from the bounds, where one second of the test's own time counts.
    let near = near.prop_filter("bound", |by| by.as_i64().is_some_and(|by| by.abs() > 10));
    let exact = pick(vec![
        absent(),
        json!("x"),
        json!(1e12),
        json!(-1e12),
        json!(0.5),
        json!(null),
    ]);
    prop_oneof![6 => near, 1 => exact]
}

fn set(object: &mut Value, name: &str, value: Value) {
    if value != absent() {
        object[name] = value;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_accepted_here_is_accepted_there(
        on_p256: bool,
        alg in pick(["EdDSA", "ES256", "EdDSA", "ES256", "HS256", "none"].map(Value::from).to_vec()),
        typ in pick(vec![json!("at+jwt"), json!("at+jwt"), json!("application/at+jwt"), json!("JWT"), absent()]),
        kid in pick(vec![json!(0), json!(0), json!(0), json!(1), json!("x"), absent()]),
        extra in pick(vec![absent(), absent(), absent(), json!("jku"), json!("crit"), json!("b64")]),
        iss in pick(vec![json!(ISSUER), json!(ISSUER), json!(ISSUER), json!("other"), json!([ISSUER]), absent()]),
        aud in pick(vec![json!(RESOURCE), json!(RESOURCE), json!([RESOURCE, "x"]), json!("x"), json!([]), absent()]),
        exp in times(), iat in times(), nbf in prop_oneof![2 => Just(absent()), 1 => times()],
        cut in prop_oneof![4 => Just(None), 1 => any::<proptest::sample::Index>().prop_map(Some)],
    ) {
        let signer: Arc<dyn Signer> = if on_p256 { Arc::new(p256()) } else { Arc::new(ed25519()) };
        let now = SystemClock.now_ms() / 1000;
        let mut header = json!({ "alg": alg });
        set(&mut header, "typ", typ);
        let kid = match kid.as_i64() {
            Some(0) => signer.key().kid().into(),
            Some(_) => ed25519().key().kid().into(),
            None => kid,
        };
        set(&mut header, "kid", kid);
        match extra.as_str() {
            Some("jku") => header["jku"] = "https://evil.example".into(),
            Some("crit") => header["crit"] = json!(["exp"]),
            Some("b64") => header["b64"] = false.into(),
            _ => {}
        }
        let mut claims = json!({ "sub": "s", "client_id": "c", "jti": "j", "scope": "a b" });
        set(&mut claims, "iss", iss);
        set(&mut claims, "aud", aud);
        for (name, value) in [("exp", exp), ("iat", iat), ("nbf", nbf)] {
            let value = value.as_i64().map_or(value, |by| json!(now + by));
            set(&mut claims, name, value);
        }
        let mut token = block_on(write(&header.to_string(), &claims.to_string(), &*signer));
        if let Some(at) = cut {
            token.truncate(at.index(token.len()));
        }
        if block_on(ours().read(&token)).is_ok() {
            prop_assert!(oracle_accepts(&token, signer.key()), "{header} {claims}");
        }
    }

    /// The same with bytes that are changed anywhere.
    #[test]
    fn a_changed_token_is_accepted_by_neither_or_there_too(
        on_p256: bool, at: proptest::sample::Index, byte in "[A-Za-z0-9_.=-]",
    ) {
        let signer: Arc<dyn Signer> = if on_p256 { Arc::new(p256()) } else { Arc::new(ed25519()) };
        let now = SystemClock.now_ms() / 1000;
        let header = json!({ "alg": signer.key().alg(), "typ": "at+jwt", "kid": signer.key().kid() });
        let claims = json!({
            "iss": ISSUER, "aud": RESOURCE, "sub": "s", "client_id": "c", "jti": "j", "iat": now, "exp": now + 900,
        });
        let token = block_on(write(&header.to_string(), &claims.to_string(), &*signer));
        prop_assert!(block_on(ours().read(&token)).is_ok() && oracle_accepts(&token, signer.key()));
        let at = at.index(token.len());
        let changed = format!("{}{byte}{}", &token[..at], &token[at + 1..]);
        let accepted = block_on(ours().read(&changed)).is_ok();
        prop_assert_eq!(accepted, changed == token, "one spelling for each token");
        prop_assert!(!accepted || oracle_accepts(&changed, signer.key()));
    }
}

/// Why a difference is wanted.
#[test]
fn the_other_reader_does_not_know_ed25519_by_name() {
    let signer = ed25519().fully_specified();
    let now = SystemClock.now_ms() / 1000;
    let header = json!({ "alg": signer.key().alg(), "typ": "at+jwt", "kid": signer.key().kid() });
    let claims = json!({
        "iss": ISSUER, "aud": RESOURCE, "sub": "s", "client_id": "c", "jti": "j", "iat": now, "exp": now + 900,
    });
    let token = block_on(write(&header.to_string(), &claims.to_string(), &signer));
    assert!(block_on(ours().read(&token)).is_ok());
    assert!(!oracle_accepts(&token, signer.key()));
}
