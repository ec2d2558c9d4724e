//! The Transit client against a strict stand-in for the engine, which does what OpenBao's source does: no server of that
//! kind can be installed from the registries that these tests reach.

use std::collections::HashMap;
use std::sync::Arc;

use auth_testkit::key_management::kid;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jwt_auth::{Algorithm, MemorySigner, PrivateKey, Signer as _};
use kms::{CheckedKeyManagement, KeyManagement as _, KmsError, WrappingKey};
use kms_http::TransitKms;
use parking_lot::Mutex;
use serde_json::{Value, json};

use crate::servers::{provider, raw_transit, serve};

const TOKEN: &str = "hvs.token";

struct Key {
    kind: String,
    /// What it does, whatever its kind says.
    signer: MemorySigner,
    wrapping: WrappingKey,
    public: String,
    deletion_allowed: bool,
    /// How somebody may know it.
    leak: String,
}

type Engine = State<Arc<Mutex<HashMap<String, Key>>>>;

fn errors(status: u16, errors: &[&str]) -> Response {
    let status = StatusCode::from_u16(status).unwrap();
    (status, Json(json!({ "errors": errors }))).into_response()
}

/// Nobody comes in without the token and the mark of a request.
fn refused(headers: &HeaderMap) -> Option<Response> {
    let is = |name: &str, value: &str| headers.get(name).is_some_and(|it| it == value);
    let is_in = is("x-vault-token", TOKEN)
        && is("x-vault-request", "true")
        && is("x-vault-namespace", "team");
    (!is_in).then(|| errors(403, &["permission denied"]))
}

/// `\w(([\w-.]+)?\w)?`, whatever the engine is asked for.
fn is_name(name: &str) -> bool {
    let word = |it: char| it.is_ascii_alphanumeric() || it == '_';
    name.starts_with(word)
        && name.ends_with(word)
        && name.chars().all(|it| word(it) || "-.".contains(it))
}

fn described(name: &str, key: &Key, warnings: &Value) -> Response {
    let mut first = json!({ "creation_time": "2026-11-30T00:00:00Z", "name": key.kind, "public_key": key.public });
    if key.kind == "aes256-gcm96" {
        // Of a key without a public half, the engine tells the moment alone.
        first = json!(1_764_460_800);
    }
    let data = json!({ "name": name, "type": key.kind, "keys": { "1": first }, "latest_version": 1,
        "deletion_allowed": key.deletion_allowed, "exportable": key.leak == "exportable",
        "imported_key": key.leak == "imported_key", "allow_plaintext_backup": key.leak == "allow_plaintext_backup" });
    Json(json!({ "request_id": "r", "data": data, "warnings": warnings })).into_response()
}

async fn create(
    State(engine): Engine,
    Path(name): Path<String>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Response {
    if let Some(refused) = refused(&headers) {
        return refused;
    }
    assert!(is_name(&name), "{name}");
    let mut keys = engine.lock();
    if let Some(key) = keys.get(&name) {
        let warning = json!([format!("key {name} already existed")]);
        return described(&name, key, &warning);
    }
    let kind = body["type"].as_str().unwrap().to_owned();
    let algorithm = match kind.as_str() {
        "ed25519" | "aes256-gcm96" => Algorithm::EdDsa,
        "ecdsa-p256" => Algorithm::Es256,
        _ => return errors(400, &["unknown key type"]),
    };
    let key = PrivateKey::generate(algorithm).unwrap();
    let spki = STANDARD.encode(key.public().to_spki());
    let public = match algorithm {
        Algorithm::EdDsa => STANDARD.encode(&key.public().to_spki()[12..]),
        _ => format!(
            "-----BEGIN PUBLIC KEY-----\n{}\n{}\n-----END PUBLIC KEY-----\n",
            &spki[..64],
            &spki[64..]
        ),
    };
    let key = Key {
        kind,
        signer: MemorySigner::new(&key).unwrap(),
        wrapping: WrappingKey::generate(),
        public,
        deletion_allowed: false,
        leak: ["exportable", "allow_plaintext_backup"]
            .into_iter()
            .find(|leak| body[leak] == true)
            .unwrap_or_default()
            .to_owned(),
    };
    let answer = described(&name, &key, &Value::Null);
    keys.insert(name, key);
    answer
}

async fn read(State(engine): Engine, Path(name): Path<String>, headers: HeaderMap) -> Response {
    if let Some(refused) = refused(&headers) {
        return refused;
    }
    match engine.lock().get(&name) {
        Some(key) => described(&name, key, &Value::Null),
        None => errors(404, &[]),
    }
}

async fn allow(
    State(engine): Engine,
    Path(name): Path<String>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Response {
    if let Some(refused) = refused(&headers) {
        return refused;
    }
    match engine.lock().get_mut(&name) {
        Some(key) => {
            key.deletion_allowed = body["deletion_allowed"] == true;
            StatusCode::OK.into_response()
        }
        None => errors(400, &["no existing key could be found"]),
    }
}

async fn delete(State(engine): Engine, Path(name): Path<String>, headers: HeaderMap) -> Response {
    if let Some(refused) = refused(&headers) {
        return refused;
    }
    let mut keys = engine.lock();
    match keys.get(&name).map(|key| key.deletion_allowed) {
        Some(true) => {
            keys.remove(&name);
            StatusCode::NO_CONTENT.into_response()
        }
        Some(false) => errors(400, &["deletion is not allowed for this key"]),
        None => errors(400, &["could not delete key; not found"]),
    }
}

async fn sign(
    State(engine): Engine,
    Path(name): Path<String>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Response {
    if let Some(refused) = refused(&headers) {
        return refused;
    }
    let found = engine
        .lock()
        .get(&name)
        .map(|key| (key.kind.clone(), key.signer.clone()));
    let Some((kind, signer)) = found else {
        return errors(400, &["signing key not found"]);
    };
    if kind == "aes256-gcm96" {
        return errors(400, &["key type aes256-gcm96 does not support signing"]);
    }
    assert_eq!(body["key_version"], 1);
    let input = STANDARD.decode(body["input"].as_str().unwrap()).unwrap();
    let signature = signer.sign(&input).await.unwrap();
    let signature = match (kind.as_str(), body["marshaling_algorithm"].as_str()) {
        ("ed25519", _) => STANDARD.encode(signature),
        (_, Some("jws")) => URL_SAFE_NO_PAD.encode(signature),
        // ASN.1: no 64 bytes.
        _ => STANDARD.encode([0x30; 70]),
    };
    let data = json!({ "signature": format!("vault:v1:{signature}"), "key_version": 1 });
    Json(json!({ "data": data })).into_response()
}

/// An engine makes a key that is not there: that it came so far is a mistake of the client.
async fn encrypt(
    State(engine): Engine,
    Path(name): Path<String>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Response {
    if let Some(refused) = refused(&headers) {
        return refused;
    }
    let keys = engine.lock();
    let key = keys.get(&name).unwrap();
    assert_eq!(
        (key.kind.as_str(), &body["key_version"]),
        ("aes256-gcm96", &json!(1))
    );
    let plain = STANDARD
        .decode(body["plaintext"].as_str().unwrap())
        .unwrap();
    let wrapped = key.wrapping.wrap(&kid(&name), &plain).unwrap();
    let data = json!({ "ciphertext": format!("vault:v1:{wrapped}"), "key_version": 1 });
    Json(json!({ "data": data })).into_response()
}

async fn decrypt(
    State(engine): Engine,
    Path(name): Path<String>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Response {
    if let Some(refused) = refused(&headers) {
        return refused;
    }
    let keys = engine.lock();
    let Some(key) = keys.get(&name) else {
        return errors(400, &["encryption key not found"]);
    };
    if key.kind != "aes256-gcm96" {
        let refused = format!("key type {} does not support decryption", key.kind);
        return errors(400, &[refused.as_str()]);
    }
    let Some(wrapped) = body["ciphertext"]
        .as_str()
        .unwrap()
        .strip_prefix("vault:v1:")
    else {
        return errors(400, &["invalid ciphertext: no prefix"]);
    };
    match key.wrapping.unwrap(&kid(&name), wrapped) {
        Ok(plain) => {
            let data = json!({ "plaintext": STANDARD.encode(&*plain) });
            Json(json!({ "data": data })).into_response()
        }
        Err(_) => errors(400, &["cipher: message authentication failed"]),
    }
}

/// It belongs to no namespace, and needs no token.
async fn health(headers: HeaderMap) -> Response {
    match headers
        .keys()
        .any(|name| name.as_str().starts_with("x-vault-"))
    {
        true => errors(400, &["unsupported path"]),
        false => Json(json!({ "initialized": true, "sealed": false })).into_response(),
    }
}

async fn engine() -> String {
    engine_with(Arc::default()).await
}

async fn engine_with(keys: Arc<Mutex<HashMap<String, Key>>>) -> String {
    let router = Router::new()
        .route(
            "/v1/transit/keys/{name}",
            post(create).get(read).delete(delete),
        )
        .route("/v1/transit/keys/{name}/config", post(allow))
        .route("/v1/transit/sign/{name}", post(sign))
        .route("/v1/transit/encrypt/{name}", post(encrypt))
        .route("/v1/transit/decrypt/{name}", post(decrypt))
        .route("/v1/sys/health", get(health))
        .fallback(async || errors(404, &["no handler for route"]))
        .with_state(keys);
    serve(router).await
}

fn settings(address: &str, more: &[(&str, &str)]) -> Value {
    let mut settings = json!({ "id": "remote", "type": "vault-transit", "baseUrl": address, "token": TOKEN,
        "namespace": "team" });
    for (name, value) in more {
        settings[*name] = (*value).into();
    }
    settings
}

fn client(address: &str, more: &[(&str, &str)]) -> CheckedKeyManagement {
    provider(&settings(address, more))
}

/// A client without the checks around it.
async fn raw() -> TransitKms {
    raw_transit(&settings(&engine().await, &[]))
}

auth_testkit::key_management_cases!(transit_keys, client(&engine().await, &[]));
auth_testkit::key_management_cases!(
    transit_without_checks,
    raw().await,
    except the_algorithm_is_that_of_the_key
);

/// The case of the suite that the engine by itself does not meet, and how it is met.
#[tokio::test]
async fn the_engine_signs_whatever_algorithm_is_asked_for_and_the_checks_do_not() {
    let address = engine().await;
    let (raw, checked) = (raw_transit(&settings(&address, &[])), client(&address, &[]));
    let (edwards, curve) = (kid("edwards"), kid("curve"));
    let first = raw.generate(&edwards, Algorithm::EdDsa).await.unwrap();
    raw.generate(&curve, Algorithm::Es256).await.unwrap();
    let signature = raw.sign(&edwards, Algorithm::Es256, b"input").await;
    assert_eq!(first.verify(b"input", &signature.unwrap()), Ok(()));
    // The other way round it answers ASN.1, which is no signature.
    let refused = raw.sign(&curve, Algorithm::EdDsa, b"input").await;
    assert!(
        matches!(refused, Err(KmsError::SignatureLength(70))),
        "{refused:?}"
    );
    for (kid, asked) in [(edwards, Algorithm::Es256), (curve, Algorithm::EdDsa)] {
        let refused = checked.sign(&kid, asked, b"input").await;
        assert!(
            matches!(refused, Err(KmsError::AlgorithmOfKey { .. })),
            "{refused:?}"
        );
    }
}

#[tokio::test]
async fn a_wrong_token_or_mount_is_told() {
    let address = engine().await;
    let refused = client(&address, &[("token", "other")]);
    let refused = refused
        .generate(&kid("first"), Algorithm::EdDsa)
        .await
        .unwrap_err();
    assert!(matches!(refused, KmsError::Denied(_)), "{refused:?}");
    assert_eq!(
        refused.to_string(),
        "HttpKmsAdapter[remote]: remote service answered 403 permission denied"
    );
    let elsewhere = client(&address, &[("mount", "team/transit")]);
    let refused = elsewhere.public_key(&kid("first")).await.unwrap_err();
    assert_eq!(
        refused.to_string(),
        "HttpKmsAdapter[remote]: remote service answered 404 no handler for route"
    );
    assert!(!format!("{elsewhere:?}").contains(TOKEN));
}

#[tokio::test]
async fn a_sealed_engine_is_not_well() {
    let router = Router::new().fallback(async || StatusCode::SERVICE_UNAVAILABLE);
    let kms = client(&serve(router).await, &[]);
    assert!(matches!(kms.health().await, Err(KmsError::Unhealthy)));
    let failed = kms
        .sign(&kid("first"), Algorithm::EdDsa, b"input")
        .await
        .unwrap_err();
    assert!(failed.is_temporary(), "{failed:?}");
}

/// A proxy, or a wrong address, answers 404 as well: that says nothing about a key.
#[tokio::test]
async fn a_404_that_is_not_of_the_engine_says_nothing_about_a_key() {
    for body in [
        "",
        "<html>",
        "{}",
        r#"{"errors":null}"#,
        "[[]]",
        r#"{"errors":["no handler"]}"#,
    ] {
        let router = Router::new().fallback(async move || (StatusCode::NOT_FOUND, body));
        let kms = client(&serve(router).await, &[]);
        let refused = kms.public_key(&kid("first")).await;
        assert!(
            matches!(refused, Err(KmsError::Refused(_))),
            "{body}: {refused:?}"
        );
        assert!(kms.delete(&kid("first")).await.is_err(), "{body}");
    }
}

#[tokio::test]
async fn a_key_that_somebody_may_know_is_refused() {
    let keys: Arc<Mutex<HashMap<String, Key>>> = Arc::default();
    let address = engine_with(Arc::clone(&keys)).await;
    let kms = client(&address, &[]);
    let first = kid("first");
    kms.generate(&first, Algorithm::EdDsa).await.unwrap();
    for leak in ["exportable", "imported_key", "allow_plaintext_backup"] {
        keys.lock().get_mut("first").unwrap().leak = leak.to_owned();
        let refused = kms.public_key(&first).await.unwrap_err();
        let told = format!("HttpKmsAdapter[remote]: somebody may know the key: {leak}");
        assert_eq!(refused.to_string(), told);
        assert!(matches!(refused, KmsError::Refused(_)));
        // Another process, which does not know the key, asks for it first.
        let other = client(&address, &[]);
        assert!(
            other
                .sign(&first, Algorithm::EdDsa, b"input")
                .await
                .is_err()
        );
        let made = other.generate(&first, Algorithm::EdDsa).await;
        assert!(matches!(made, Err(KmsError::Refused(_))), "{made:?}");
    }
    kms.delete(&first).await.unwrap();
    assert!(keys.lock().is_empty(), "it can be deleted all the same");
}
