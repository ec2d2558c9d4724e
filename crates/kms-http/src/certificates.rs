//! An HTTP client for the certificates of the moment.

use std::error::Error;
use std::fs::{self, File, Metadata};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use jwt_auth_client::HttpClients;
use kms::config::settings::TlsFiles;
use parking_lot::Mutex;
use reqwest::redirect::Policy;
use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use rustls_platform_verifier::BuilderVerifierExt as _;

/// How long a connection may take to come about.
const CONNECT_LIMIT: Duration = Duration::from_secs(2);

/// A call waits so long for a look at the files, then goes on with what was read before.
const LOOK_LIMIT: Duration = Duration::from_secs(1);

/// A file of certificates may have so many bytes.
const MAX_FILE_BYTES: u64 = 1024 * 1024;

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CertificateError {
    #[error("{} cannot be read", .0.display())]
    File(PathBuf, #[source] std::io::Error),
    #[error("{} is larger than {MAX_FILE_BYTES} bytes", .0.display())]
    TooLarge(PathBuf),
    #[error("{} holds no PEM of what it should", .0.display())]
    Pem(PathBuf),
    #[error("the certificates cannot be used")]
    Tls(#[from] rustls::Error),
    #[error("no HTTP client can be made")]
    Client(#[from] reqwest::Error),
}

/// What tells one content of a file from another, without reading it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Stamp {
    length: u64,
    modified: Option<SystemTime>,
    inode: u64,
}

/// Makes a client, and another one when a file has changed. Clones share it.
#[derive(Clone)]
pub(crate) struct CertificateClients(Arc<Shared>);

struct Shared {
    files: TlsFiles,
    made: Mutex<Made>,
    /// Held by whoever looks at the files: a disk that does not answer has one thread waiting for it.
    looking: Arc<tokio::sync::Mutex<()>>,
}

#[derive(Clone)]
struct Made {
    stamps: Vec<Stamp>,
    /// What the files were when they could not be used: they are not read again before they change.
    useless: Option<Vec<Stamp>>,
    /// Whether a file could not even be looked at, and that was told.
    is_unreadable: bool,
    client: reqwest::Client,
}

impl CertificateClients {
    /// Reads the files for the first time, on this thread.
    pub(crate) fn new(files: TlsFiles) -> Result<Self, CertificateError> {
        let made = Mutex::new(make(&files)?);
        Ok(Self(Arc::new(Shared {
            files,
            made,
            looking: Arc::default(),
        })))
    }

    /// The client for what the files hold now. While they hold something that cannot be used, as in the middle of a
    /// replacement, it is the one before; so it is while another call looks, and when a look takes longer than
    /// [`LOOK_LIMIT`]. Files are looked at on a thread for such things.
    pub(crate) async fn of_the_moment(&self) -> reqwest::Client {
        let shared = &self.0;
        if paths(&shared.files).next().is_some()
            && let Ok(looking) = Arc::clone(&shared.looking).try_lock_owned()
        {
            let shared = Arc::clone(shared);
            let look = tokio::task::spawn_blocking(move || {
                shared.look();
                drop(looking);
            });
            if tokio::time::timeout(LOOK_LIMIT, look).await.is_err() {
                tracing::warn!(
                    "the files of certificates do not answer: the ones before stay in use"
                );
            }
        }
        shared.made.lock().client.clone()
    }
}

impl Shared {
    /// The lock is not held while a file is read: who sends does not wait for it.
    fn look(&self) {
        let mut made = self.made.lock().clone();
        match stamps(&self.files) {
            Ok(stamps) if stamps == made.stamps || made.useless.as_ref() == Some(&stamps) => return,
            Ok(stamps) => match make(&self.files) {
                Ok(new) => made = new,
                Err(error) => {
                    complain(&error);
                    made.useless = Some(stamps);
                    made.is_unreadable = false;
                }
            },
            Err(_) if made.is_unreadable => return,
            Err(error) => {
                complain(&error);
                made.is_unreadable = true;
            }
        }
        *self.made.lock() = made;
    }
}

fn complain(error: &CertificateError) {
    let why = auth_base::chain(error);
    tracing::warn!(
        why,
        "changed certificates cannot be used: the ones before stay in use"
    );
}

#[async_trait]
impl HttpClients for CertificateClients {
    async fn client(&self) -> Result<reqwest::Client, Box<dyn Error + Send + Sync>> {
        Ok(self.of_the_moment().await)
    }
}

fn paths(files: &TlsFiles) -> impl Iterator<Item = &Path> {
    let own = files
        .client
        .iter()
        .flat_map(|own| [&own.cert_file, &own.key_file]);
    files.ca_file.iter().chain(own).map(PathBuf::as_path)
}

fn stamps(files: &TlsFiles) -> Result<Vec<Stamp>, CertificateError> {
    paths(files)
        .map(|path| stat(path).map(|it| stamp(&it)))
        .collect()
}

fn stat(path: &Path) -> Result<Metadata, CertificateError> {
    fs::metadata(path).map_err(|error| CertificateError::File(path.to_owned(), error))
}

fn stamp(file: &Metadata) -> Stamp {
    #[cfg(unix)]
    let inode = std::os::unix::fs::MetadataExt::ino(file);
    #[cfg(not(unix))]
    let inode = 0;
    Stamp {
        length: file.len(),
        modified: file.modified().ok(),
        inode,
    }
}

/// The stamps are taken first: what changes while it is read is read again.
fn make(files: &TlsFiles) -> Result<Made, CertificateError> {
    let stamps = stamps(files)?;
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?;
    let config = match &files.ca_file {
        None => match config.clone().with_platform_verifier() {
            Ok(config) => config,
            // A bare container has no authorities, and needs none to speak plain HTTP to this machine.
            Err(error) => {
                let why = auth_base::chain(&error);
                tracing::warn!(
                    why,
                    "this system has no authorities: every TLS server is refused"
                );
                config.with_root_certificates(RootCertStore::empty())
            }
        },
        Some(path) => {
            let mut roots = RootCertStore::empty();
            for certificate in certificates(path)? {
                roots.add(certificate)?;
            }
            config.with_root_certificates(roots)
        }
    };
    let config = match &files.client {
        None => config.with_no_client_auth(),
        Some(own) => {
            let key = PrivateKeyDer::from_pem_slice(&read(&own.key_file)?);
            let key = key.map_err(|_| CertificateError::Pem(own.key_file.clone()))?;
            config.with_client_auth_cert(certificates(&own.cert_file)?, key)?
        }
    };
    let client = reqwest::Client::builder()
        .tls_backend_preconfigured(config)
        .connect_timeout(CONNECT_LIMIT)
        .redirect(Policy::none())
        .retry(reqwest::retry::never())
        .no_proxy()
        .referer(false)
        .pool_max_idle_per_host(16)
        .build()?;
    Ok(Made {
        stamps,
        useless: None,
        is_unreadable: false,
        client,
    })
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, CertificateError> {
    let pem = read(path)?;
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    match read {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        _ => Err(CertificateError::Pem(path.to_owned())),
    }
}

/// What is no file of its own, as a pipe, says nothing of its length: so much is read, and no more.
fn read(path: &Path) -> Result<zeroize::Zeroizing<Vec<u8>>, CertificateError> {
    let failed = |error| CertificateError::File(path.to_owned(), error);
    let file = File::open(path).map_err(failed)?;
    let length = file.metadata().map_err(failed)?.len();
    // A text that grows leaves what it held behind.
    let room = usize::try_from(length.min(MAX_FILE_BYTES)).unwrap_or_default();
    let mut bytes = zeroize::Zeroizing::new(Vec::with_capacity(room + 1));
    let read = file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes);
    match read.map_err(failed)? as u64 {
        ..=MAX_FILE_BYTES => Ok(bytes),
        _ => Err(CertificateError::TooLarge(path.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn files_that_cannot_be_used_are_not_read_again_before_they_change() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let made = rcgen::generate_simple_self_signed(["kms".to_owned()]).unwrap();
        let write = |text: &str| fs::write(file.path(), text).unwrap();
        write(&made.cert.pem());
        let clients = CertificateClients::new(TlsFiles {
            ca_file: Some(file.path().to_owned()),
            client: None,
        })
        .unwrap();
        let useless = || clients.0.made.lock().useless.clone();
        write("nothing");
        clients.of_the_moment().await;
        assert_eq!(useless(), stamps(&clients.0.files).ok());
        write(&format!("{}\n", made.cert.pem()));
        clients.of_the_moment().await;
        assert_eq!(useless(), None);
        write(&"x".repeat(1024 * 1024 + 1));
        let refused = read(file.path()).unwrap_err();
        assert!(matches!(refused, CertificateError::TooLarge(_)));
    }
}
