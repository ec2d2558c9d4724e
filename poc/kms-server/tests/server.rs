//! The server over memory and SQLite: the contract by `kms-http`'s client, and by hand.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use clap::Parser as _;
use jwt_auth::{Algorithm, KeySource as _, PrivateKey, PublicJwk, SignError, Signer as _};
use kms::config::{KmsConfig, ProviderSettings};
use kms::{
    CheckedKeyManagement, KeyManagement as _, MemoryKeyRingStore, Providers, RingKeeper, RingName,
    RingPolicy,
};
use kms_http::HttpKms;
use kms_server::{Application, Arguments, Settings};
use reqwest::{Client, Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};

const ADMIN: &str = "admin-token-0123456789-0123456789-abc";
const SIGNER: &str = "signer-token-0123456789-0123456789-ab";

/// A server in this process, and the files that it was started with.
struct Server {
    address: SocketAddr,
    serving: tokio::task::JoinHandle<()>,
    /// One for all calls: each reads the authorities of the system when it is made.
    http: Client,
    _folder: tempfile::TempDir,
}

impl Server {
    async fn start(provider: Value, rate: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (config, credentials) = (
            folder.path().join("kms.json"),
            folder.path().join("callers.json"),
        );
        std::fs::write(&config, json!({ "providers": [provider] }).to_string()).unwrap();
        let callers = json!([
            { "name": "admin", "token": ADMIN, "scopes": ["kms:admin", "kms:sign", "kms:wrap"] },
            { "name": "signer", "token": SIGNER, "scopes": ["kms:sign"] },
        ]);
        std::fs::write(&credentials, callers.to_string()).unwrap();
        let arguments = [
            "kms-server",
            "--listen=127.0.0.1:0",
            "--config",
            config.to_str().unwrap(),
            "--credentials",
            credentials.to_str().unwrap(),
            "--rate-limit",
            rate,
        ];
        let folder_path = folder.path().display().to_string();
        let variables = move |name: &str| (name == "FOLDER").then(|| folder_path.clone());
        let settings = Settings::load(&Arguments::parse_from(arguments), &variables).unwrap();
        let application = Application::bind(settings).await.unwrap();
        let address = application.address();
        let serving = tokio::spawn(async move {
            let _ = application.run_until(std::future::pending()).await;
        });
        // reqwest speaks TLS in this build, and wants to know by what.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Self {
            address,
            serving,
            http: Client::new(),
            _folder: folder,
        }
    }

    async fn memory() -> Self {
        Self::start(json!({ "id": "m", "type": "memory" }), "1000").await
    }

    async fn sqlite() -> Self {
        let key = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=";
        let sql = json!({ "id": "s", "type": "sql", "databaseUrl": "sqlite:${FOLDER}/keys.db", "secretsKey": key });
        Self::start(sql, "1000").await
    }

    /// A client as it is configured, checked as it is used.
    fn client(&self, more: &Value) -> CheckedKeyManagement {
        CheckedKeyManagement::new(Arc::new(self.raw_client(more)))
    }

    /// A client without the checks around it.
    fn raw_client(&self, more: &Value) -> HttpKms {
        let mut provider = json!({ "id": "remote", "type": "http", "baseUrl": format!("http://{}/", self.address),
            "auth": { "type": "bearer", "token": ADMIN }, "canImport": true });
        for (name, value) in more.as_object().unwrap() {
            provider[name] = value.clone();
        }
        let config = json!({ "providers": [provider] }).to_string();
        let config = KmsConfig::parse(config.as_bytes(), &|_| None).unwrap();
        let settings = config.providers.into_iter().next().unwrap().settings;
        let ProviderSettings::Http(http) = settings else {
            unreachable!("an http provider");
        };
        HttpKms::new("remote", http).unwrap()
    }

    fn call(&self, method: &str, path: &str) -> RequestBuilder {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        self.http
            .request(method, format!("http://{}{path}", self.address))
    }

    async fn admin(&self, method: &str, path: &str, body: &str) -> (u16, Value) {
        let call = self
            .call(method, path)
            .bearer_auth(ADMIN)
            .body(body.to_owned());
        answered(call).await
    }
}

async fn answered(call: RequestBuilder) -> (u16, Value) {
    let answer = call.send().await.unwrap();
    let status = answer.status().as_u16();
    let body = answer.bytes().await.unwrap();
    (status, serde_json::from_slice(&body).unwrap_or(Value::Null))
}

/// A client whose server stays up as long as it does.
async fn remote(server: Server) -> CheckedKeyManagement {
    let client = server.client(&json!({}));
    // The folder stays until the process of the test ends.
    std::mem::forget(server);
    client
}

auth_testkit::key_management_cases!(http_without_checks, {
    let server = Server::sqlite().await;
    let client = server.raw_client(&json!({}));
    std::mem::forget(server);
    client
});
auth_testkit::key_management_cases!(http_over_sqlite, remote(Server::sqlite().await).await);

#[tokio::test]
async fn every_error_of_the_contract_has_its_status_and_text() {
    let server = Server::sqlite().await;
    let made = server.admin("POST", "/keys", r#"{"kid":"a"}"#).await;
    assert_eq!(made.0, 200);
    assert_eq!(made.1["publicJwk"]["alg"], "ES256");
    assert_eq!(made.1["publicJwk"]["kid"], "a");
    let eddsa = server
        .admin("POST", "/keys", r#"{"kid":"b","alg":"EdDSA"}"#)
        .await;
    assert_eq!(eddsa.1["publicJwk"]["crv"], "Ed25519");
    let wraps = server
        .admin("POST", "/keys", r#"{"kid":"w","alg":"A256GCMKW"}"#)
        .await;
    assert_eq!(wraps, (200, json!({})));
    let key = PrivateKey::generate(Algorithm::EdDsa).unwrap();
    let wrong_alg = format!(
        r#"{{"privateJwk":{},"alg":"ES256"}}"#,
        key.expose_jwk().expose()
    );
    for (method, path, body, status, error) in [
        ("POST", "/keys", "{", 400, "Invalid JSON"),
        ("POST", "/keys", "[]", 400, "Invalid JSON"),
        ("POST", "/keys", r#"["a","ES256"]"#, 400, "Invalid JSON"),
        (
            "POST",
            "/keys",
            r#"{"kid":"x","kid":"y"}"#,
            400,
            "Invalid JSON",
        ),
        ("POST", "/keys", "{}", 400, "kid is required"),
        ("POST", "/keys", r#"{"kid":7}"#, 400, "kid is required"),
        ("POST", "/keys", r#"{"kid":".."}"#, 400, "kid is required"),
        (
            "POST",
            "/keys",
            r#"{"kid":"c","alg":"RS256"}"#,
            400,
            "Unsupported algorithm: RS256",
        ),
        (
            "POST",
            "/keys",
            r#"{"kid":"c","alg":"none"}"#,
            400,
            "Unsupported algorithm: none",
        ),
        (
            "POST",
            "/keys",
            r#"{"kid":"c","alg":{}}"#,
            400,
            "Unsupported algorithm: not a text",
        ),
        (
            "POST",
            "/keys",
            r#"{"kid":"a"}"#,
            409,
            "Key already exists: a",
        ),
        ("POST", "/keys/a/sign", "{}", 400, "data is required"),
        (
            "POST",
            "/keys/a/sign",
            r#"{"data":""}"#,
            400,
            "data is required",
        ),
        (
            "POST",
            "/keys/a/sign",
            r#"{"data":"?"}"#,
            400,
            "data must be valid Base64",
        ),
        (
            "POST",
            "/keys/a/sign",
            r#"{"data":"YQ"}"#,
            400,
            "data must be valid Base64",
        ),
        (
            "POST",
            "/keys/a/sign",
            r#"{"data":"YQ==","alg":"HS256"}"#,
            400,
            "Unsupported algorithm: HS256",
        ),
        (
            "POST",
            "/keys/a/sign",
            r#"{"data":"YQ==","alg":"EdDSA"}"#,
            400,
            "Algorithm EdDSA is not that of the key",
        ),
        (
            "POST",
            "/keys/z/sign",
            r#"{"data":"YQ=="}"#,
            404,
            "Key not found: z",
        ),
        ("GET", "/keys/z", "", 404, "Key not found: z"),
        ("GET", "/keys/%20", "", 404, "Key not found"),
        (
            "POST",
            "/keys/i/import",
            "{}",
            400,
            "privateJwk is required",
        ),
        (
            "POST",
            "/keys/i/import",
            r#"{"privateJwk":null}"#,
            400,
            "privateJwk is required",
        ),
        (
            "POST",
            "/keys/i/import",
            r#"{"privateJwk":{"kty":"oct"}}"#,
            400,
            "Invalid privateJwk: d is not the base64url of 32 bytes that belong to the public half",
        ),
        (
            "POST",
            "/keys/i/import",
            &wrong_alg,
            400,
            "Invalid privateJwk: alg is not that of the key",
        ),
        ("GET", "/", "", 404, "Not Found"),
        ("POST", "/keys/a/encrypt", "{}", 404, "Not Found"),
        ("POST", "/keys/w/wrap", "{}", 400, "data is required"),
        (
            "POST",
            "/keys/w/wrap",
            r#"{"data":"?"}"#,
            400,
            "data must be valid Base64",
        ),
        (
            "POST",
            "/keys/a/wrap",
            r#"{"data":"YQ=="}"#,
            404,
            "Key not found: a",
        ),
        ("POST", "/keys/w/unwrap", "{}", 400, "wrapped is required"),
        (
            "POST",
            "/keys/w/unwrap",
            r#"{"wrapped":"YQ=="}"#,
            400,
            "Not wrapped with the key: w",
        ),
        (
            "POST",
            "/keys/w/sign",
            r#"{"data":"YQ=="}"#,
            404,
            "Key not found: w",
        ),
    ] {
        let answer = server.admin(method, path, body).await;
        assert_eq!(
            answer,
            (status, json!({ "error": error })),
            "{method} {path} {body}"
        );
    }
    for kid in ["a", "a", "never", "%20"] {
        let answer = server.admin("DELETE", &format!("/keys/{kid}"), "").await;
        assert_eq!(answer.0, 204, "{kid}");
    }
    let wrong_method = server
        .call("PUT", "/keys")
        .bearer_auth(ADMIN)
        .send()
        .await
        .unwrap();
    assert_eq!(wrong_method.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(wrong_method.text().await.unwrap(), "Method Not Allowed");
    let large = server
        .admin("POST", "/keys/b/sign", &"x".repeat(200_000))
        .await;
    assert_eq!(large, (413, json!({ "error": "Payload Too Large" })));
}

#[tokio::test]
async fn a_signature_is_that_of_the_published_key() {
    let server = Server::memory().await;
    for alg in ["ES256", "EdDSA"] {
        let body = json!({ "kid": alg, "alg": alg }).to_string();
        assert_eq!(server.admin("POST", "/keys", &body).await.0, 200);
        let shown = server.admin("GET", &format!("/keys/{alg}"), "").await.1;
        let key = PublicJwk::parse(shown["publicJwk"].to_string().as_bytes()).unwrap();
        let body = json!({ "data": "aW5wdXQ=", "alg": alg }).to_string();
        let signed = server
            .admin("POST", &format!("/keys/{alg}/sign"), &body)
            .await
            .1;
        let signature = signed["signature"].as_str().unwrap();
        assert_eq!(signature.len(), 86, "base64url of 64 bytes without padding");
        use base64::Engine as _;
        let signature = base64::engine::general_purpose::URL_SAFE_NO_PAD
            .decode(signature)
            .unwrap();
        assert_eq!(key.verify(b"input", &signature), Ok(()));
    }
}

/// What a key in memory has wrapped would be lost with the server, and with that every secret under it.
#[tokio::test]
async fn a_server_that_keeps_keys_in_memory_wraps_nothing() {
    let server = Server::memory().await;
    let wraps = r#"{"kid":"w","alg":"A256GCMKW"}"#;
    let error = json!({ "error": "Not supported by this provider: wrapping" });
    assert_eq!(server.admin("POST", "/keys", wraps).await, (405, error));
}

#[tokio::test]
async fn a_caller_does_what_its_scopes_say() {
    let server = Server::memory().await;
    server.admin("POST", "/keys", r#"{"kid":"a"}"#).await;
    let sign = r#"{"data":"YQ=="}"#;
    let by = |method: &str, path: &str, body: &str, token: &str| {
        let call = server.call(method, path).body(body.to_owned());
        answered(call.bearer_auth(token))
    };
    assert_eq!(by("POST", "/keys/a/sign", sign, SIGNER).await.0, 200);
    assert_eq!(by("GET", "/keys/a", "", SIGNER).await.0, 200);
    let forbidden = (403, json!({ "error": "Forbidden" }));
    for (method, path) in [
        ("POST", "/keys"),
        ("POST", "/keys/b/import"),
        ("DELETE", "/keys/a"),
        ("POST", "/keys/a/wrap"),
        ("POST", "/keys/a/unwrap"),
    ] {
        assert_eq!(
            by(method, path, "{}", SIGNER).await,
            forbidden,
            "{method} {path}"
        );
    }
    let unauthorized = (401, json!({ "error": "Unauthorized" }));
    for token in ["", "x", &ADMIN[1..], &format!("{ADMIN}x")] {
        assert_eq!(
            by("POST", "/keys/a/sign", sign, token).await,
            unauthorized,
            "{token}"
        );
    }
    let with =
        |name: &'static str, value: String| server.call("GET", "/keys/a").header(name, value);
    for (call, status) in [
        (with("authorization", format!("bEaReR {SIGNER}")), 200),
        (with("x-api-key", SIGNER.to_owned()), 200),
        (with("authorization", format!("Basic {SIGNER}")), 401),
        (with("authorization", SIGNER.to_owned()), 401),
        (
            with("x-api-key", SIGNER.to_owned()).bearer_auth(SIGNER),
            401,
        ),
        (
            with("x-api-key", SIGNER.to_owned()).header("x-api-key", ADMIN),
            401,
        ),
        (server.call("GET", "/keys/a"), 401),
        (server.call("GET", "/health"), 200),
    ] {
        assert_eq!(answered(call).await.0, status);
    }
    assert_eq!(
        answered(server.call("GET", "/health")).await.1,
        json!({ "ok": true })
    );
}

#[tokio::test]
async fn one_caller_that_calls_too_often_does_not_stop_another() {
    let server = Server::start(json!({ "id": "m", "type": "memory" }), "5").await;
    let mut statuses = Vec::new();
    for _ in 0..12 {
        let call = server.call("GET", "/keys/a").bearer_auth(SIGNER);
        statuses.push(answered(call).await.0);
    }
    assert!(
        statuses.contains(&404) && statuses.contains(&429),
        "{statuses:?}"
    );
    assert_eq!(server.admin("GET", "/keys/a", "").await.0, 404);
}

#[tokio::test]
async fn the_client_says_what_is_wrong() {
    let server = Server::memory().await;
    let kid = auth_testkit::key_management::kid("a");
    let told = |error: kms::KmsError| error.to_string();
    let no_import = server.client(&json!({ "canImport": false }));
    let key = PrivateKey::generate(Algorithm::EdDsa).unwrap();
    assert_eq!(
        told(no_import.import(&kid, &key).await.unwrap_err()),
        "HttpKmsAdapter[remote]: import is disabled — set canImport: true in kms.json to enable it"
    );
    let es256 = server.client(&json!({ "algorithms": ["ES256"] }));
    assert_eq!(
        told(es256.generate(&kid, Algorithm::EdDsa).await.unwrap_err()),
        "HttpKmsAdapter[remote]: unsupported algorithm 'EdDSA'. Supported: ES256"
    );
    let signer = server.client(&json!({ "auth": { "type": "bearer", "token": SIGNER } }));
    assert_eq!(
        told(signer.generate(&kid, Algorithm::EdDsa).await.unwrap_err()),
        "HttpKmsAdapter[remote]: remote service answered 403 Forbidden"
    );
    let wrong_path = server.client(&json!({ "keysPath": "/v1/keys" }));
    assert_eq!(
        told(wrong_path.public_key(&kid).await.unwrap_err()),
        "the provider does not support showing public keys"
    );
}

#[test]
fn everything_that_is_wrong_is_told_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let (config, credentials) = (
        folder.path().join("kms.json"),
        folder.path().join("callers.json"),
    );
    std::fs::write(
        &config,
        r#"{"providers":[{"id":"a","type":"x"},{"id":"b","type":"memory","y":1}]}"#,
    )
    .unwrap();
    std::fs::write(
        &credentials,
        r#"[{"name":"a","token":"short","scopes":["kms:all"]}]"#,
    )
    .unwrap();
    let load = |arguments: &[&str]| {
        Settings::load(&Arguments::parse_from(arguments), &|_| None).unwrap_err()
    };
    let (config, credentials) = (config.to_str().unwrap(), credentials.to_str().unwrap());
    assert_eq!(
        load(&[
            "kms-server",
            "--config",
            config,
            "--credentials",
            credentials
        ]),
        [
            "KMS_CONFIG: providers[0].type: must be one of memory, sql, http, vault-transit",
            "KMS_CONFIG: providers[1].y: is unknown",
            "KMS_CREDENTIALS_FILE: [0].token: has 5 bytes; 32 to 512 are needed",
            "KMS_CREDENTIALS_FILE: [0].scopes: must list one or more of kms:sign, kms:wrap and kms:admin",
        ]
    );
    assert_eq!(
        load(&["kms-server"]),
        [
            "KMS_CONFIG: is required, unless KMS_MEMORY is true",
            "KMS_CREDENTIALS_FILE: is required"
        ]
    );
}

/// The ring of a service whose keys are here: rotation under load, then the server is gone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ring_over_the_server_rotates_under_load_and_outlives_it() {
    let server = Server::memory().await;
    let policy = RingPolicy {
        jwks_max_age: Duration::ZERO,
        leeway: Duration::from_millis(100),
        view_life: Duration::from_millis(100),
        token_life: Duration::from_millis(300),
        ..RingPolicy::default()
    };
    let providers = Providers::of("remote", Arc::new(server.client(&json!({}))));
    let name = RingName::parse("access").unwrap();
    let keeper = RingKeeper::new(name, Arc::new(MemoryKeyRingStore::new()), providers, policy);
    keeper.tick().await.unwrap();
    let first = keeper.signer().await.unwrap();

    let is_over = Arc::new(AtomicBool::new(false));
    let signing = (0..4_u32).map(|caller| {
        let (keeper, is_over) = (keeper.clone(), Arc::clone(&is_over));
        tokio::spawn(async move {
            let mut signed = 0_u32;
            while !is_over.load(Ordering::SeqCst) {
                let signer = keeper.signer().await.unwrap();
                let input = [caller.to_be_bytes(), signed.to_be_bytes()].concat();
                let signature = signer.sign(&input).await.unwrap();
                let key = keeper.key(signer.key().kid()).await.unwrap().unwrap();
                assert_eq!(key.verify(&input, &signature), Ok(()));
                signed += 1;
            }
            signed
        })
    });
    let signing: Vec<_> = signing.collect();
    let mut rotations = 0;
    while rotations < 3 {
        let before = keeper.signer().await.unwrap();
        keeper.rotate().await.unwrap();
        while keeper.signer().await.unwrap().key() == before.key() {
            keeper.tick().await.unwrap();
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        rotations += 1;
    }
    while keeper
        .jwks()
        .await
        .unwrap()
        .keys
        .find(first.key().kid())
        .is_some()
    {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    is_over.store(true, Ordering::SeqCst);
    for caller in signing {
        assert!(caller.await.unwrap() > 0);
    }
    assert_eq!(
        keeper.key(first.key().kid()).await.unwrap(),
        None,
        "the retired key is refused"
    );

    let last = keeper.signer().await.unwrap();
    let signature = last.sign(b"input").await.unwrap();
    server.serving.abort();
    let _ = server.serving.await;
    // Connections that are open end with the runtime's next turn of the server; a new one finds nobody.
    let refused = loop {
        match last.sign(b"input").await {
            Err(refused) => break refused,
            Ok(_) => tokio::task::yield_now().await,
        }
    };
    assert!(matches!(refused, SignError::Unavailable(_)), "{refused:?}");
    let key = keeper.key(last.key().kid()).await.unwrap().unwrap();
    assert_eq!(key.verify(b"input", &signature), Ok(()));
}

/// What comes before the body of a request, and not the body.
async fn head(server: &Server, token: &str) -> tokio::net::TcpStream {
    use tokio::io::AsyncWriteExt as _;
    let mut stream = tokio::net::TcpStream::connect(server.address)
        .await
        .unwrap();
    let head = format!(
        "POST /keys/first/sign HTTP/1.1\r\nhost: kms\r\nx-api-key: {token}\r\ncontent-length: 100\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream
}

#[tokio::test]
async fn a_stranger_is_refused_before_its_body_is_read() {
    use tokio::io::AsyncReadExt as _;
    let server = Server::memory().await;
    let mut stream = head(&server, "wrong").await;
    let mut status = [0; 12];
    let reading = stream.read_exact(&mut status);
    let read = tokio::time::timeout(Duration::from_secs(3), reading).await;
    read.unwrap().unwrap();
    assert_eq!(&status, b"HTTP/1.1 401");
}

#[tokio::test]
async fn strangers_that_guess_are_slowed_down_and_stop_nobody() {
    let server = Server::memory().await;
    let mut statuses = Vec::new();
    for number in 0..60 {
        let token = format!("guess-{number:0>40}");
        let call = server.call("GET", "/keys/first").bearer_auth(token);
        statuses.push(answered(call).await.0);
    }
    assert_eq!(statuses[0], 401);
    assert!(statuses.contains(&429), "{statuses:?}");
    let call = server.call("GET", "/keys/first").bearer_auth(SIGNER);
    assert_eq!(answered(call).await.0, 404);
}

#[tokio::test]
async fn a_name_that_is_no_text_is_not_found() {
    let server = Server::memory().await;
    let not_found = (404, json!({ "error": "Key not found" }));
    for (method, path) in [("GET", "/keys/%ff"), ("POST", "/keys/%ff/sign")] {
        let call = server.call(method, path).bearer_auth(ADMIN);
        assert_eq!(answered(call).await, not_found, "{path}");
        let call = server.call(method, path);
        assert_eq!(answered(call).await.0, 401, "{path}");
    }
    let call = server.call("DELETE", "/keys/%ff").bearer_auth(ADMIN);
    assert_eq!(call.send().await.unwrap().status(), 204);
}

#[tokio::test]
async fn a_caller_that_sends_slowly_does_not_stop_another() {
    let server = Server::memory().await;
    let mut slow = Vec::new();
    for _ in 0..64 {
        slow.push(head(&server, SIGNER).await);
    }
    let patience = async {
        loop {
            let call = server.call("GET", "/keys/first").bearer_auth(SIGNER);
            if answered(call).await.0 == 429 {
                return;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(5), patience)
        .await
        .unwrap();
    let call = server.call("GET", "/keys/first").bearer_auth(ADMIN);
    assert_eq!(answered(call).await.0, 404);
    drop(slow);
}

#[tokio::test]
async fn what_is_wrong_with_a_provider_is_told_with_everything_else() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("kms.json");
    let load = |providers: Value| {
        let document = json!({ "defaultProvider": "a", "providers": providers });
        std::fs::write(&config, document.to_string()).unwrap();
        let arguments = ["kms-server", "--config", config.to_str().unwrap()];
        Settings::load(&Arguments::parse_from(arguments), &|_| None).unwrap_err()
    };
    let lines = load(json!([
        { "id": "a", "type": "sql", "databaseUrl": "postgres://s3cret@a/b", "secretsKey": "s3cret" },
        { "id": "b", "type": "sql", "databaseUrl": "sqlite:x.db", "secretsKey": "s3cret" },
    ]));
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert!(lines[0].starts_with("KMS_CONFIG: provider a: databaseUrl: "));
    assert!(lines[1].starts_with("KMS_CONFIG: provider a: secretsKey: "));
    assert_eq!(lines[2], "KMS_CREDENTIALS_FILE: is required");
    assert!(!lines.concat().contains("s3cret"));
    let lines = load(json!([{ "id": "a", "type": "http", "baseUrl": "https://a",
        "auth": { "type": "none" }, "caFile": "/nowhere/ca.pem" }]));
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines[0].contains("/nowhere/ca.pem"));
}

#[tokio::test]
async fn who_is_alive_and_who_is_ready_is_open_to_everybody() {
    let back = Server::memory().await;
    let front = Server::start(
        json!({ "id": "back", "type": "http", "baseUrl": format!("http://{}", back.address),
            "auth": { "type": "bearer", "token": SIGNER } }),
        "1000",
    )
    .await;
    for server in [&back, &front] {
        let alive = answered(server.call("GET", "/livez")).await;
        assert_eq!(alive, (200, json!({ "status": "alive" })));
    }
    let ready = json!({ "status": "ready", "checked": ["back"], "missing": [] });
    let answer = answered(front.call("GET", "/readyz")).await;
    assert_eq!(answer, (200, ready));

    back.serving.abort();
    let _ = back.serving.await;
    // An answer is used again for a second.
    let unready = loop {
        match answered(front.call("GET", "/readyz")).await {
            (200, _) => tokio::task::yield_now().await,
            unready => break unready,
        }
    };
    let reason = "HttpKmsAdapter[back]: remote service cannot be reached";
    let missing = json!([{ "name": "back", "reason": reason }]);
    let expected = json!({ "status": "unavailable", "checked": ["back"], "missing": missing });
    assert_eq!(unready, (503, expected));
    assert_eq!(answered(front.call("GET", "/livez")).await.0, 200);
    let health = answered(front.call("GET", "/health")).await;
    assert_eq!(health, (503, json!({ "ok": false })));
}
