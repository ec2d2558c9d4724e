//! Two key servers as processes: the front one, whose keys are at the back one, or at a provider of the test.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use kms::config::{KmsConfig, ProviderSettings};
use kms::{CheckedKeyManagement, RingKeeper};
use kms_http::HttpKms;
use reqwest::{Client, Method, RequestBuilder};
use serde_json::{Value, json};
use services::Process;

use super::liar::{CLIENT_SECRET, Liar, TOKEN};
use super::tls::Guarded;
use crate::mesh::{program, until};

/// A body that asks for a signature of an Ed25519 key.
pub(super) const SIGN: &str = r#"{"data":"aW5wdXQ=","alg":"EdDSA"}"#;

/// The callers of the front one, and the front one as a caller of the back one.
const CALLERS: [&str; 2] = [
    "front-admin-token-0123456789-0123456789",
    "front-other-token-0123456789-0123456789",
];
const OF_FRONT: &str = "back-caller-token-0123456789-0123456789";
/// 32 bytes of 7.
const SECRETS_KEY: &str = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=";

/// A server is gone so long after it was asked.
const STOP: Duration = Duration::from_secs(12);

/// What one server is started with.
struct Node {
    folder: PathBuf,
    port: u16,
}

impl Node {
    fn new(folder: &Path, name: &str, provider: &Value, tokens: &[&str]) -> Self {
        let folder = folder.join(name);
        fs::create_dir(&folder).expect("a folder");
        let config = json!({ "providers": [provider] });
        fs::write(folder.join("kms.json"), config.to_string()).expect("a file");
        let callers: Vec<Value> = tokens
            .iter()
            .enumerate()
            .map(|(number, token)| {
                json!({ "name": format!("caller-{number}"), "token": token, "scopes": ["kms:sign", "kms:admin"] })
            })
            .collect();
        fs::write(folder.join("callers.json"), json!(callers).to_string()).expect("a file");
        let port = services::free_port().expect("a free port");
        Self { folder, port }
    }

    /// It logs all that it can.
    fn launch(&self) -> Process {
        let path = |name: &str| self.folder.join(name).display().to_string();
        let environment = [
            ("KMS_LISTEN", format!("127.0.0.1:{}", self.port)),
            ("KMS_CONFIG", path("kms.json")),
            ("KMS_CREDENTIALS_FILE", path("callers.json")),
            ("KMS_RATE_LIMIT", "1000".to_owned()),
            ("RUST_LOG", "trace".to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value));
        let command = [program("kms-server").display().to_string()];
        let log = self.folder.join("log");
        Process::start(&command, &environment, &log).expect("the key server starts")
    }

    fn log(&self) -> String {
        let log = fs::read(self.folder.join("log")).unwrap_or_default();
        String::from_utf8_lossy(&log).into_owned()
    }
}

/// The front one, and the back one where there is one.
pub(super) struct Chain {
    http: Client,
    front: (Node, Process),
    back: Option<(Node, Option<Process>)>,
    _folder: tempfile::TempDir,
}

impl Chain {
    /// A front one over a back one, which keeps its keys in SQLite.
    pub(super) async fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let database = format!("sqlite:{}", folder.path().join("keys.db").display());
        let sql = json!({ "id": "db", "type": "sql", "databaseUrl": database, "secretsKey": SECRETS_KEY });
        let back = Node::new(folder.path(), "back", &sql, &[OF_FRONT]);
        let auth = json!({ "type": "bearer", "token": OF_FRONT });
        let address = format!("http://127.0.0.1:{}", back.port);
        let process = back.launch();
        Self::with_front(folder, &address, &auth, Some((back, Some(process)))).await
    }

    /// A front one over a provider of the test, which gives it tokens.
    pub(super) async fn before(liar: &Liar) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let auth = json!({ "type": "oauth2-client-credentials", "tokenUrl": format!("{}/token", liar.address),
            "clientId": "clt_1", "clientSecret": CLIENT_SECRET });
        Self::with_front(folder, &liar.address, &auth, None).await
    }

    /// A front one over a provider of the test that asks for a certificate.
    pub(super) async fn before_tls(guarded: &Guarded) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let [cert, key, ca] = guarded.files();
        let auth = json!({ "type": "mtls", "certFile": cert, "keyFile": key, "caFile": ca });
        Self::with_front(folder, &guarded.address, &auth, None).await
    }

    async fn with_front(
        folder: tempfile::TempDir,
        address: &str,
        auth: &Value,
        back: Option<(Node, Option<Process>)>,
    ) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let provider = json!({ "id": "back", "type": "http", "baseUrl": address, "auth": auth });
        let front = Node::new(folder.path(), "front", &provider, &CALLERS);
        let process = front.launch();
        let chain = Self {
            http: Client::new(),
            front: (front, process),
            back,
            _folder: folder,
        };
        chain.until_ready().await;
        chain
    }

    pub(super) async fn until_ready(&self) {
        until("the front server is ready", async || {
            match self.try_get("/readyz").await {
                Ok((200, _)) => Ok(()),
                other => Err(format!("{other:?}")),
            }
        })
        .await;
    }

    /// Ends the back one with `SIGKILL`.
    pub(super) fn kill_back(&mut self) {
        if let Some((_, process)) = &mut self.back {
            *process = None;
        }
    }

    /// Starts it again, where it was.
    pub(super) fn start_back(&mut self) {
        if let Some((node, process)) = &mut self.back {
            *process = Some(node.launch());
        }
    }

    /// Asks all to end; each must do so by itself.
    pub(super) fn end(self) {
        assert!(self.front.1.stop(STOP), "the front server has not ended");
        assert!(self.front.0.log().contains("stopping"));
        if let Some((_, Some(back))) = &self.back {
            assert!(back.stop(STOP), "the back server has not ended");
        }
    }

    /// A client of the front one, as it is configured, checked as it is used.
    pub(super) fn client(&self) -> CheckedKeyManagement {
        let provider = json!({ "id": "front", "type": "http", "baseUrl": self.url(""),
            "auth": { "type": "bearer", "token": CALLERS[0] } });
        let config = json!({ "providers": [provider] }).to_string();
        let config = KmsConfig::parse(config.as_bytes(), &|_| None).expect("kms.json");
        match config.providers.into_iter().next().map(|it| it.settings) {
            Some(ProviderSettings::Http(http)) => {
                let kms = HttpKms::new("front", http).expect("a client");
                CheckedKeyManagement::new(Arc::new(kms))
            }
            other => panic!("another provider: {other:?}"),
        }
    }

    /// What the providers call the active key of a ring.
    pub(super) async fn external_id(&self, keeper: &RingKeeper) -> String {
        let ring = keeper.ring().await.expect("the ring");
        let active = ring.active().expect("an active key");
        active.external_id.as_str().to_owned()
    }

    fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.front.0.port)
    }

    fn call(&self, method: Method, path: &str) -> RequestBuilder {
        let call = self.http.request(method, self.url(path));
        call.bearer_auth(CALLERS[0])
    }

    /// A signature that one of the two callers asks for.
    pub(super) fn sign_as(&self, caller: usize, path: &str) -> RequestBuilder {
        let call = self.http.post(self.url(path));
        call.bearer_auth(CALLERS[caller]).body(SIGN)
    }

    pub(super) async fn post(&self, path: &str, body: &str) -> (u16, Value) {
        answered(self.call(Method::POST, path).body(body.to_owned())).await
    }

    pub(super) async fn delete(&self, path: &str) -> (u16, Value) {
        answered(self.call(Method::DELETE, path)).await
    }

    pub(super) async fn get_as_admin(&self, path: &str) -> (u16, Value) {
        answered(self.call(Method::GET, path)).await
    }

    /// What is open to everybody.
    pub(super) async fn get(&self, path: &str) -> (u16, Value) {
        self.try_get(path).await.expect("an answer")
    }

    async fn try_get(&self, path: &str) -> Result<(u16, Value), reqwest::Error> {
        let answer = self.http.get(self.url(path)).send().await?;
        Ok((answer.status().as_u16(), answer.json().await?))
    }

    /// No secret of the servers, and none of `tokens`, stands in a log.
    pub(super) fn keep_secret(&self, tokens: &[&str]) {
        let own = [
            CALLERS[0],
            CALLERS[1],
            OF_FRONT,
            SECRETS_KEY,
            CLIENT_SECRET,
            TOKEN,
        ];
        let back = self.back.as_ref().map(|(node, _)| node);
        for node in [Some(&self.front.0), back].into_iter().flatten() {
            let log = node.log();
            assert!(log.contains("listening"), "something is logged at all");
            for (number, secret) in own.iter().chain(tokens).enumerate() {
                let line = log.lines().find(|line| line.contains(secret));
                let line = line.map(|line| line.replace(secret, "<here>"));
                assert_eq!(line, None, "secret {number} is logged");
            }
        }
    }
}

/// The status, and the body where it is JSON.
pub(super) async fn answered(call: RequestBuilder) -> (u16, Value) {
    let answer = call.send().await.expect("an answer");
    let status = answer.status().as_u16();
    let body = answer.bytes().await.expect("a body");
    (status, serde_json::from_slice(&body).unwrap_or(Value::Null))
}
