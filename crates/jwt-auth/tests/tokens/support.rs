//! Keys, doors and a pen that writes any token, however wrong.

use std::sync::Arc;

use auth_base::clock::ManualClock;
use jwt_auth::access_token::AccessTokenVerifier;
use jwt_auth::dpop::{DpopVerifier, Htu};
use jwt_auth::{
    ClientAssertionVerifier, InternalTokenVerifier, Jwks, MemoryKeySource, MemoryNonceStore,
    MemorySigner, PrivateKey, PublicJwk, ReplayGuard, Signer,
};
use serde_json::{Value, json};

/// The time of the doors, in seconds.
pub(crate) const NOW: i64 = 1_800_000_000;
pub(crate) const ISSUER: &str = "https://login.example";
pub(crate) const RESOURCE: &str = "https://orders.example";
pub(crate) const URL: &str = "https://orders.example/orders";
pub(crate) const URI: &str = "/v1/orders?page=2";

/// The key of RFC 8037, appendix A.
const ED25519: &str = r#"{"kty":"OKP","crv":"Ed25519","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
/// The key of RFC 7515, appendix A.3.
const P256: &str = r#"{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0","d":"jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"}"#;

pub(crate) fn ed25519() -> MemorySigner {
    MemorySigner::new(&PrivateKey::from_jwk(ED25519.as_bytes()).unwrap()).unwrap()
}

pub(crate) fn p256() -> MemorySigner {
    MemorySigner::new(&PrivateKey::from_jwk(P256.as_bytes()).unwrap()).unwrap()
}

/// The published keys: both.
pub(crate) fn keys() -> Jwks {
    Jwks::new([ed25519().key().clone(), p256().key().clone()])
}

pub(crate) fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::new(NOW * 1_000))
}

pub(crate) fn replay(clock: &Arc<ManualClock>) -> ReplayGuard {
    ReplayGuard::new(Arc::new(MemoryNonceStore::with_clock(clock.clone())))
}

/// A proof's `jwk`: the public members.
pub(crate) fn members(key: &PublicJwk) -> Value {
    let mut members = key.to_json();
    for name in ["alg", "kid", "use"] {
        members.as_object_mut().unwrap().remove(name);
    }
    members
}

/// Every door that there is, new and with a store of its own.
pub(crate) struct Doors {
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) access: AccessTokenVerifier,
    pub(crate) internal: InternalTokenVerifier,
    pub(crate) compat: InternalTokenVerifier,
    pub(crate) assertions: ClientAssertionVerifier,
    pub(crate) proofs: DpopVerifier,
}

impl Doors {
    pub(crate) fn new() -> Self {
        let clock = clock();
        let source = Arc::new(MemoryKeySource::new(keys()));
        let proofs = DpopVerifier::new(replay(&clock)).clock(clock.clone());
        let access = AccessTokenVerifier::new(source.clone(), proofs.clone(), ISSUER, RESOURCE);
        let internal = InternalTokenVerifier::new(source, replay(&clock), "orders");
        let internal = internal.clock(clock.clone());
        let audiences = [ISSUER, "https://login.example/oauth/token"];
        let assertions = ClientAssertionVerifier::new(replay(&clock), audiences);
        Self {
            access: access.clock(clock.clone()),
            compat: internal.clone().compat(ed25519().key().clone(), "api"),
            internal,
            assertions: assertions.clock(clock.clone()),
            proofs,
            clock,
        }
    }
}

pub(crate) fn url() -> Htu {
    Htu::parse(URL).unwrap()
}

pub(crate) fn b64(bytes: impl AsRef<[u8]>) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)
}

/// Signs whatever it is given: the texts need not be JSON.
pub(crate) async fn write(header: &str, claims: &str, signer: &dyn Signer) -> String {
    let signed = format!("{}.{}", b64(header), b64(claims));
    let signature = signer.sign(signed.as_bytes()).await.unwrap();
    format!("{signed}.{}", b64(signature))
}

pub(crate) fn header_of(typ: Option<&str>, signer: &dyn Signer) -> Value {
    let mut header = json!({ "alg": signer.key().alg(), "kid": signer.key().kid() });
    if let Some(typ) = typ {
        header["typ"] = typ.into();
    }
    header
}

pub(crate) fn access_claims() -> Value {
    json!({
        "iss": ISSUER, "aud": RESOURCE, "sub": "clt_1", "client_id": "clt_1", "scope": "orders:read", "jti": "a-1",
        "iat": NOW, "exp": NOW + 900,
    })
}

pub(crate) fn internal_claims() -> Value {
    json!({
        "iss": "gateway", "aud": "orders", "sub": "42", "sub_kind": "user", "scope": "user.request",
        "permissions": ["ADMIN"], "requestId": "r-1", "iat": NOW, "exp": NOW + 60, "jti": "i-1", "htm": "GET", "uri": URI,
    })
}

pub(crate) fn compat_claims() -> Value {
    json!({
        "scope": "user.request", "permissions": ["ADMIN"], "requestId": "r-1", "iss": "gateway", "aud": "api",
        "sub": "42", "iat": NOW, "exp": NOW + 60,
    })
}

pub(crate) fn assertion_claims() -> Value {
    json!({ "iss": "clt_1", "sub": "clt_1", "aud": ISSUER, "jti": "c-1", "iat": NOW, "exp": NOW + 60 })
}

pub(crate) fn proof_header(signer: &dyn Signer) -> Value {
    json!({ "alg": signer.key().alg(), "typ": "dpop+jwt", "jwk": members(signer.key()) })
}

pub(crate) fn proof_claims() -> Value {
    json!({ "htm": "GET", "htu": URL, "iat": NOW, "jti": "d-1" })
}
