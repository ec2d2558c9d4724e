//! Secrets at rest under a key that only a key service can read (`docs/kms.md`).

use std::path::Path;
use std::time::Duration;

use reqwest::Client;
use serde_json::json;
use services::Process;
use tempfile::TempDir;

use crate::configuration::run as run_program;
use crate::mesh::{Options, Peer, program, until};

const SECRET: &str = "a secret under a wrapped key";
const NEXT: &str = "the next secret under a wrapped key";
const PLAIN: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const WRAPS: &str = "a-token-that-wraps-0123456789-0123456789";

/// A key service of this machine: its program, its keys in SQLite, and what a peer needs to ask it.
struct KeyService {
    folder: TempDir,
    port: u16,
    process: Option<Process>,
}

impl KeyService {
    async fn start() -> Self {
        // Another crate of the build may have given the client TLS without a provider; the first of a process stays.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let folder = tempfile::tempdir().expect("a folder");
        let port = services::free_port().expect("a port");
        let at = |name: &str| folder.path().join(name);
        let sql = json!({ "id": "db", "type": "sql",
            "databaseUrl": format!("sqlite:{}", at("keys.db").display()), "secretsKey": PLAIN });
        let remote = json!({ "id": "keys", "type": "http", "baseUrl": format!("http://127.0.0.1:{port}"),
            "auth": { "type": "bearer", "token": "${KMS_TOKEN}" } });
        let callers = json!([{ "name": "peer", "token": WRAPS, "scopes": ["kms:wrap"] }]);
        for (name, content) in [
            ("served.json", json!({ "providers": [sql] })),
            ("kms.json", json!({ "providers": [remote] })),
            ("callers.json", callers),
        ] {
            std::fs::write(at(name), content.to_string()).expect("a file");
        }
        let mut service = Self {
            folder,
            port,
            process: None,
        };
        service.run().await;
        service
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    async fn run(&mut self) {
        let listen = format!("127.0.0.1:{}", self.port);
        let command = [
            program("kms-server").display().to_string(),
            format!("--listen={listen}"),
            format!("--config={}", self.path("served.json")),
            format!("--credentials={}", self.path("callers.json")),
        ];
        let log = self.path("log");
        let process = Process::start(&command, &[], Path::new(&log));
        self.process = Some(process.expect("it starts"));
        let client = Client::builder().no_proxy().build().expect("a client");
        until("the key service is well", async || {
            let health = client.get(format!("http://{listen}/health"));
            let answer = health.timeout(Duration::from_secs(2)).send().await;
            let answer = answer.map_err(|error| error.to_string())?;
            match answer.status().is_success() {
                true => Ok(()),
                false => Err(answer.status().to_string()),
            }
        })
        .await;
    }

    /// `SIGKILL`.
    fn kill(&mut self) {
        self.process = None;
    }

    /// What an operator runs at the key service.
    fn wrap(&self, key: &str) -> String {
        let config = self.path("served.json");
        let output = run_program(
            "kms-server",
            &["wrap", "--config", &config, "--key", key],
            &[],
        );
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{said}");
        let printed = String::from_utf8(output.stdout).expect("text");
        printed.trim().to_owned()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn secrets_at_rest_are_sealed_with_a_key_that_the_key_service_unwraps() {
    let mut service = KeyService::start().await;
    let wrapped = service.wrap("authority-secrets");
    assert!(wrapped.starts_with("kms:authority-secrets:"), "{wrapped}");
    let mut mesh = Options::default()
        .only(Peer::Authority, "SECRETS_KEY", PLAIN)
        .start()
        .await;
    mesh.ensure(Peer::Authority, "sealed", SECRET, &[Peer::Consumer])
        .await;
    mesh.until_success(Peer::Authority, 1).await;

    // From a key in the configuration to a wrapped one.
    mesh.stop_peer(Peer::Authority).await;
    mesh.set(Peer::Authority, "SECRETS_KMS", &service.path("kms.json"));
    mesh.set(Peer::Authority, "KMS_TOKEN", WRAPS);
    mesh.set(
        Peer::Authority,
        "SECRETS_KEY",
        &format!("{wrapped},{PLAIN}"),
    );
    mesh.start_peer(Peer::Authority).await;
    let environment = mesh.environment(Peer::Authority);
    let variables: Vec<(&str, &str)> = environment
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let resealed = tokio::task::block_in_place(|| {
        run_program("authority", &["secrets", "reseal"], &variables)
    });
    let said = String::from_utf8_lossy(&resealed.stdout).into_owned();
    assert!(resealed.status.success(), "{said}");
    mesh.stop_peer(Peer::Authority).await;
    mesh.set(Peer::Authority, "SECRETS_KEY", &wrapped);
    mesh.start_peer(Peer::Authority).await;
    mesh.until_ready(Peer::Authority).await;

    // The key is in memory: a key service that is killed stops nothing that runs.
    service.kill();
    mesh.rotate(Peer::Authority, "sealed", NEXT).await;
    mesh.until_success(Peer::Authority, 1).await;

    // Who starts without it verifies calls, says what is missing, and goes on by itself when it is back.
    mesh.stop_peer(Peer::Authority).await;
    mesh.launch(Peer::Authority).await;
    mesh.until_missing(Peer::Authority, "sql").await;
    let answer = mesh
        .get(Peer::Authority, "/readyz")
        .await
        .expect("an answer");
    assert!(
        answer
            .to_string()
            .contains("key 1 of SECRETS_KEY cannot be unwrapped"),
        "{answer}"
    );
    service.run().await;
    mesh.until_ready(Peer::Authority).await;
    mesh.accept(Peer::Authority, "/resync", &json!({ "target": "consumer" }))
        .await;
    mesh.until_success(Peer::Authority, 1).await;

    // Another data key opens nothing, and says so; it seals nothing either.
    mesh.stop_peer(Peer::Authority).await;
    let damaged = wrapped.replacen("authority-secrets", "another-key", 1);
    service.wrap("another-key");
    mesh.set(Peer::Authority, "SECRETS_KEY", &damaged);
    mesh.launch(Peer::Authority).await;
    until("the peer says that the key is none", async || {
        let answer = mesh.get(Peer::Authority, "/readyz").await?;
        match answer
            .to_string()
            .contains("not wrapped with the key another-key")
        {
            true => Ok(()),
            false => Err(answer.to_string()),
        }
    })
    .await;
}
