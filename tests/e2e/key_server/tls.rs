//! A key service that speaks TLS and asks for a certificate, and the authority of both sides.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::crypto::ring;
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// What it answers to everything, before it closes the connection.
const WELL: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 11\r\n\
    connection: close\r\n\r\n{\"ok\":true}";

/// The authority that both sides trust.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
    root: CertificateDer<'static>,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.self_signed(&key).expect("a certificate");
        Self {
            pem: certificate.pem(),
            root: certificate.der().clone(),
            issuer: Issuer::new(params, key),
        }
    }

    fn certificate(&self, name: &str) -> (rcgen::Certificate, KeyPair) {
        let params = CertificateParams::new(vec!["localhost".to_owned()]);
        let mut params = params.expect("a name");
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.issuer);
        (certificate.expect("a certificate"), key)
    }
}

/// The service, and the files of its client.
pub(super) struct Guarded {
    pub(super) address: String,
    authority: Authority,
    folder: tempfile::TempDir,
    /// The certificates that were shown, one for each connection.
    shown: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Guarded {
    pub(super) async fn start() -> Self {
        let authority = Authority::new();
        let acceptor = acceptor(&authority);
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let shown: Arc<Mutex<Vec<Vec<u8>>>> = Arc::default();
        let seen = Arc::clone(&shown);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answer(acceptor.clone(), stream, Arc::clone(&seen)));
            }
        });
        Self {
            address: format!("https://localhost:{port}"),
            folder: tempfile::tempdir().expect("a folder"),
            authority,
            shown,
        }
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Gives the client another certificate, as programs do that renew them; tells what it is.
    pub(super) fn renew(&self, name: &str) -> Vec<u8> {
        let (certificate, key) = self.authority.certificate(name);
        self.replace("ca.pem", &self.authority.pem);
        self.replace("cert.pem", &certificate.pem());
        self.replace("key.pem", &key.serialize_pem());
        certificate.der().to_vec()
    }

    /// A new file under the old name.
    fn replace(&self, name: &str, text: &str) {
        let new = self.path("new");
        fs::write(&new, text).expect("a file");
        fs::rename(&new, self.path(name)).expect("a file");
    }

    pub(super) fn last(&self) -> Option<Vec<u8>> {
        self.shown.lock().last().cloned()
    }

    /// Where the client's files are.
    pub(super) fn files(&self) -> [String; 3] {
        let path = |name: &str| Path::display(&self.path(name)).to_string();
        [path("cert.pem"), path("key.pem"), path("ca.pem")]
    }
}

fn acceptor(authority: &Authority) -> TlsAcceptor {
    let provider = Arc::new(ring::default_provider());
    let mut roots = RootCertStore::empty();
    roots.add(authority.root.clone()).expect("a root");
    let clients =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
    let (certificate, key) = authority.certificate("server");
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_client_cert_verifier(clients.build().expect("a verifier"))
        .with_single_cert(vec![certificate.der().clone()], key)
        .expect("a certificate");
    TlsAcceptor::from(Arc::new(config))
}

/// One request, one answer.
async fn answer(acceptor: TlsAcceptor, stream: TcpStream, shown: Arc<Mutex<Vec<Vec<u8>>>>) {
    let Ok(mut stream) = acceptor.accept(stream).await else {
        return;
    };
    let certificates = stream.get_ref().1.peer_certificates();
    let certificate = certificates.and_then(|it| it.first());
    shown.lock().extend(certificate.map(|it| it.to_vec()));
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return,
        }
    }
    if stream.write_all(WELL).await.is_ok() {
        let _ = stream.shutdown().await;
    }
}
