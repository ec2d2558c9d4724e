//! The public keys of the gateway, in a file that it publishes.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use auth_base::store_error::StoreError;
use jwt_auth::jwks::{MAX_JWKS_BYTES, SkippedKey};
use jwt_auth::{CachedKeySource, Jwks, JwksFetch, KeyCacheOptions};
use tokio::sync::Mutex;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::timeout;

/// A file is read again so long after it was read: so long a retired key may still count.
const MAX_AGE: Duration = Duration::from_secs(5);

/// An unknown key makes it be read again, at most so often.
const COOL_DOWN: Duration = Duration::from_secs(1);

/// A file system that does not answer is given up after this time.
const READ_LIMIT: Duration = Duration::from_secs(5);

/// Finds the keys of the file at `path`, as they are now. It was readable when the peer started; when it no longer is, the last
/// keys count for an hour.
pub fn keys_at(path: PathBuf) -> CachedKeySource {
    let options = KeyCacheOptions {
        max_age: MAX_AGE,
        cool_down: COOL_DOWN,
        ..KeyCacheOptions::default()
    };
    CachedKeySource::new(KeyFile::new(path), options)
}

/// Reads a key set, and tells which of its keys are none for us.
///
/// # Errors
/// When the file cannot be read, or holds no key set.
pub fn read_keys(path: &Path) -> io::Result<(Jwks, Vec<(usize, SkippedKey)>)> {
    let mut content = Vec::new();
    let most = MAX_JWKS_BYTES as u64 + 1;
    File::open(path)?.take(most).read_to_end(&mut content)?;
    let read = Jwks::parse_and_tell(&content);
    read.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

/// A file with a key set.
pub struct KeyFile {
    path: PathBuf,
    limit: Duration,
    /// A file system may not answer, and a thread that waits for it cannot be ended: there is one, and whoever comes later waits
    /// for the same.
    reading: Mutex<Option<JoinHandle<io::Result<Read>>>>,
    /// What was told of the last set.
    told: parking_lot::Mutex<Vec<(usize, SkippedKey)>>,
}

type Read = (Jwks, Vec<(usize, SkippedKey)>);

impl KeyFile {
    fn new(path: PathBuf) -> Self {
        Self {
            path,
            limit: READ_LIMIT,
            reading: Mutex::default(),
            told: parking_lot::Mutex::default(),
        }
    }

    async fn read(&self) -> Result<Read, Failure> {
        let mut reading = self.reading.lock().await;
        let mut handle = reading.take().unwrap_or_else(|| {
            let path = self.path.clone();
            spawn_blocking(move || read_keys(&path))
        });
        match timeout(self.limit, &mut handle).await {
            Ok(read) => Ok(read??),
            Err(elapsed) => {
                *reading = Some(handle);
                Err(elapsed.into())
            }
        }
    }

    /// A key that is passed over is told once.
    fn tell(&self, skipped: Vec<(usize, SkippedKey)>) {
        let mut told = self.told.lock();
        if *told != skipped {
            for (place, reason) in &skipped {
                tracing::warn!(place, %reason, "a key of the gateway's key set is not used");
            }
            *told = skipped;
        }
    }
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

#[async_trait]
impl JwksFetch for KeyFile {
    async fn fetch(&self) -> Result<Jwks, StoreError> {
        let read = self.read().await;
        let (keys, skipped) = read.map_err(StoreError::Unavailable)?;
        self.tell(skipped);
        Ok(keys)
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use jwt_auth::KeySource as _;

    use super::*;

    /// A pipe that nobody writes to is a file that does not answer.
    #[test]
    fn a_file_that_does_not_answer_takes_one_thread() {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_time().max_blocking_threads(2).build();
        runtime.unwrap().block_on(does_not_answer());
    }

    async fn does_not_answer() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("jwks.json");
        assert!(
            Command::new("mkfifo")
                .arg(&path)
                .status()
                .unwrap()
                .success()
        );
        let file = KeyFile {
            limit: Duration::from_millis(20),
            ..KeyFile::new(path.clone())
        };
        for _ in 0..5 {
            assert!(file.fetch().await.is_err());
        }
        // The other one is free.
        spawn_blocking(|| ()).await.unwrap();
        // Somebody writes: the thread ends, and the next read sees what is there.
        std::fs::OpenOptions::new().write(true).open(&path).unwrap();
        assert!(file.fetch().await.is_err(), "the pipe was empty");
        std::fs::remove_file(&path).unwrap();
        std::fs::write(&path, r#"{"keys":[]}"#).unwrap();
        let keys = CachedKeySource::new(file, KeyCacheOptions::default());
        assert_eq!(keys.key("a").await.unwrap(), None);
    }
}
