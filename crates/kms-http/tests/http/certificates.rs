//! Certificates of clients: shown, and read again when they are replaced on disk.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use auth_testkit::key_management::kid;
use axum::body::Body;
use axum::http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use jwt_auth::Algorithm;
use kms::{CheckedKeyManagement, KeyManagement as _};
use parking_lot::Mutex;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::crypto::ring;
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use serde_json::json;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::servers::{chain, provider};

/// An authority of the moment.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
    root: rustls_pki_types::CertificateDer<'static>,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        Self {
            pem: certificate.pem(),
            root: certificate.der().clone(),
            issuer: Issuer::new(params, key),
        }
    }

    fn certificate(&self, name: &str) -> (rcgen::Certificate, KeyPair) {
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        (params.signed_by(&key, &self.issuer).unwrap(), key)
    }

    fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(self.root.clone()).unwrap();
        roots
    }
}

/// A server that closes each connection after one answer, and notes who came.
struct Server {
    port: u16,
    came: Arc<Mutex<Vec<Vec<u8>>>>,
    is_well: Arc<AtomicBool>,
}

impl Server {
    async fn start(authority: &Authority) -> Self {
        let provider = Arc::new(ring::default_provider());
        let clients = WebPkiClientVerifier::builder_with_provider(
            Arc::new(authority.roots()),
            Arc::clone(&provider),
        );
        let (certificate, key) = authority.certificate("server");
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(clients.build().unwrap())
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = Self {
            port: listener.local_addr().unwrap().port(),
            came: Arc::default(),
            is_well: Arc::new(AtomicBool::new(true)),
        };
        let (came, is_well) = (Arc::clone(&server.came), Arc::clone(&server.is_well));
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (acceptor, came, is_well) =
                    (acceptor.clone(), Arc::clone(&came), Arc::clone(&is_well));
                tokio::spawn(async move {
                    let Ok(stream) = acceptor.accept(stream).await else {
                        return;
                    };
                    let shown = stream.get_ref().1.peer_certificates().unwrap();
                    came.lock().push(shown[0].to_vec());
                    let answer = move |_: Request<Incoming>| {
                        let body = json!({ "ok": is_well.load(Ordering::SeqCst) }).to_string();
                        async move { Ok::<_, std::convert::Infallible>(Response::new(Body::from(body))) }
                    };
                    let mut connection = http1::Builder::new();
                    connection.keep_alive(false);
                    let _ = connection
                        .serve_connection(TokioIo::new(stream), service_fn(answer))
                        .await;
                });
            }
        });
        server
    }

    fn last(&self) -> Vec<u8> {
        self.came.lock().last().unwrap().clone()
    }
}

/// The files of a client.
struct Files {
    folder: tempfile::TempDir,
}

impl Files {
    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Replaces a file as programs do that renew certificates: a new file under the old name.
    fn replace(&self, name: &str, text: &str) {
        let new = self.path("new");
        fs::write(&new, text).unwrap();
        fs::rename(&new, self.path(name)).unwrap();
    }

    fn client(&self, port: u16, ca: &Path) -> CheckedKeyManagement {
        provider(
            &json!({ "id": "remote", "type": "http", "baseUrl": format!("https://localhost:{port}"), "auth": {
            "type": "mtls", "certFile": self.path("cert.pem"), "keyFile": self.path("key.pem"), "caFile": ca } }),
        )
    }
}

#[tokio::test]
async fn replaced_certificates_are_shown_with_the_next_connection() {
    let authority = Authority::new();
    let server = Server::start(&authority).await;
    let files = Files {
        folder: tempfile::tempdir().unwrap(),
    };
    let (first, first_key) = authority.certificate("first");
    files.replace("ca.pem", &authority.pem);
    files.replace("cert.pem", &first.pem());
    files.replace("key.pem", &first_key.serialize_pem());
    let kms = files.client(server.port, &files.path("ca.pem"));
    kms.health().await.unwrap();
    assert_eq!(server.last(), first.der().to_vec());

    // In the middle of a replacement, certificate and key do not belong together: the ones before stay in use.
    let (second, second_key) = authority.certificate("second");
    files.replace("cert.pem", &second.pem());
    kms.health().await.unwrap();
    assert_eq!(server.last(), first.der().to_vec());
    files.replace("key.pem", &second_key.serialize_pem());
    kms.health().await.unwrap();
    assert_eq!(server.last(), second.der().to_vec());

    // A file that went away changes nothing, and neither does rubbish.
    fs::remove_file(files.path("key.pem")).unwrap();
    kms.health().await.unwrap();
    files.replace("key.pem", "rubbish");
    kms.health().await.unwrap();
    assert_eq!(server.last(), second.der().to_vec());
    server.is_well.store(false, Ordering::SeqCst);
    assert!(kms.health().await.is_err());
}

/// One thread serves and calls here: if a file were read on it, everything would stop.
#[tokio::test]
async fn a_file_that_does_not_answer_holds_up_nobody() {
    let authority = Authority::new();
    let server = Server::start(&authority).await;
    let files = Files {
        folder: tempfile::tempdir().unwrap(),
    };
    let (first, first_key) = authority.certificate("first");
    files.replace("ca.pem", &authority.pem);
    files.replace("cert.pem", &first.pem());
    files.replace("key.pem", &first_key.serialize_pem());
    let kms = files.client(server.port, &files.path("ca.pem"));
    kms.health().await.unwrap();

    // Whoever opens a pipe that nobody writes to waits, as at a network's file system that went away.
    let pipe = files.path("new");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.unwrap().success());
    fs::rename(&pipe, files.path("key.pem")).unwrap();
    let began = std::time::Instant::now();
    for _ in 0..5 {
        kms.health().await.unwrap();
        assert_eq!(server.last(), first.der().to_vec());
    }
    // One call waited for a second, and the others did not.
    assert!(began.elapsed() < std::time::Duration::from_secs(3));

    fs::write(files.path("key.pem"), "rubbish").unwrap();
    let (second, second_key) = authority.certificate("second");
    files.replace("cert.pem", &second.pem());
    files.replace("key.pem", &second_key.serialize_pem());
    // The look that waited may not have ended yet.
    for _ in 0..1_000 {
        kms.health().await.unwrap();
        if server.last() == second.der().to_vec() {
            return;
        }
    }
    panic!("the new certificate is not shown");
}

#[tokio::test]
async fn a_server_of_another_authority_is_not_spoken_to() {
    let (authority, other) = (Authority::new(), Authority::new());
    let server = Server::start(&authority).await;
    let files = Files {
        folder: tempfile::tempdir().unwrap(),
    };
    let (certificate, key) = authority.certificate("first");
    files.replace("cert.pem", &certificate.pem());
    files.replace("key.pem", &key.serialize_pem());
    files.replace("ca.pem", &other.pem);
    let kms = files.client(server.port, &files.path("ca.pem"));
    let failed = kms
        .generate(&kid("first"), Algorithm::EdDsa)
        .await
        .unwrap_err();
    assert!(failed.is_temporary(), "{failed:?}");
    assert!(server.came.lock().is_empty());
    // Trusted from now on, without a start.
    files.replace("ca.pem", &authority.pem);
    kms.health().await.unwrap();
    // A certificate of a stranger lets nobody in.
    let (certificate, key) = other.certificate("stranger");
    files.replace("cert.pem", &certificate.pem());
    files.replace("key.pem", &key.serialize_pem());
    let failed = kms.health().await.unwrap_err();
    assert!(failed.is_temporary(), "{}", chain(&failed));
}
