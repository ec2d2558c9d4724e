//! The public keys of the gateway, in a file that it publishes.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use auth_base::store_error::StoreError;
use jwt_auth::jwks::MAX_JWKS_BYTES;
use jwt_auth::{CachedKeySource, Jwks, JwksFetch, KeyCacheOptions};

/// A file is read again so long after it was read: so long a retired key may still count.
const MAX_AGE: Duration = Duration::from_secs(5);

/// An unknown key makes it be read again, at most so often.
const COOL_DOWN: Duration = Duration::from_secs(1);

/// A file system that does not answer is given up after this time.
const READ_LIMIT: Duration = Duration::from_secs(5);

/// Finds the keys of the file at `path`, as they are now. It was readable when the peer started; when it no longer is, the last
/// keys count for an hour.
pub fn keys_at(path: PathBuf) -> CachedKeySource<KeyFile> {
    let options = KeyCacheOptions {
        max_age: MAX_AGE,
        cool_down: COOL_DOWN,
        ..KeyCacheOptions::default()
    };
    CachedKeySource::new(KeyFile(path), options)
}

/// Reads a key set.
///
/// # Errors
/// When the file cannot be read, or holds no key set.
pub fn read_keys(path: &Path) -> io::Result<Jwks> {
    let mut content = Vec::new();
    let most = MAX_JWKS_BYTES as u64 + 1;
    File::open(path)?.take(most).read_to_end(&mut content)?;
    Jwks::parse(&content).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

/// A file with a key set.
#[derive(Clone, Debug)]
pub struct KeyFile(PathBuf);

#[async_trait]
impl JwksFetch for KeyFile {
    async fn fetch(&self) -> Result<Jwks, StoreError> {
        let path = self.0.clone();
        let reading = tokio::task::spawn_blocking(move || read_keys(&path));
        let unavailable =
            |error: Box<dyn std::error::Error + Send + Sync>| StoreError::Unavailable(error);
        let read = tokio::time::timeout(READ_LIMIT, reading).await;
        let read = read.map_err(|error| unavailable(error.into()))?;
        let read = read.map_err(|error| unavailable(error.into()))?;
        read.map_err(|error| unavailable(error.into()))
    }
}
