//! The gateway's keys, as files of one folder.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use accounts::RefreshTokenKey;
use auth_base::random::{Random, SystemRandom};
use jwt_auth::jwks::Jwks;
use jwt_auth::private_key::InvalidPrivateKey;
use jwt_auth::{Algorithm, MemorySigner, PrivateKey, PublicJwk, Signer};
use zeroize::Zeroizing;

/// The private key, a JWK that only its owner may read (0600).
pub const SIGNING_KEY: &str = "signing-key.json";

/// The public keys, a JWK set for `GATEWAY_KEYS` of every peer.
pub const KEY_SET: &str = "jwks.json";

/// What refresh tokens are made with, which only its owner may read (0600).
pub const REFRESH_KEYS: &str = "refresh-token-keys";

/// A key in a file is no longer, in bytes.
const MOST: u64 = 16 * 1024;

/// Why there are no keys.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeysError {
    /// There are keys already: who replaces them refuses all tokens that are on their way.
    #[error("{0} is there already; another folder, or take it away first")]
    Exists(PathBuf),
    /// A file cannot be read or written.
    #[error("{path}: {error}", path = path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// Others may read it, and be the gateway.
    #[error("{0} may be read by others: chmod 600")]
    Open(PathBuf),
    /// The file holds no key.
    #[error("{0} holds no key, or something else besides")]
    NoKey(PathBuf),
    /// No key can be made or used here.
    #[error(transparent)]
    Key(#[from] InvalidPrivateKey),
}

/// Makes an Ed25519 key in `folder`, and the key set beside it.
///
/// # Errors
/// When there is a key, or a file cannot be written; what was there stays as it was.
pub fn init(folder: &Path) -> Result<PublicJwk, KeysError> {
    let mut builder = DirBuilder::new();
    let made = builder.recursive(true).mode(0o700).create(folder);
    made.map_err(at(folder))?;
    let signing_key = folder.join(SIGNING_KEY);
    let key = PrivateKey::generate(Algorithm::EdDsa)?;
    let mut file = match create_new(&signing_key, 0o600) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            return Err(KeysError::Exists(signing_key));
        }
        file => file.map_err(at(&signing_key))?,
    };
    let written = file.write_all(key.expose_jwk().expose().as_bytes());
    let written = written.and_then(|()| file.sync_all());
    written.map_err(at(&signing_key))?;
    // Nobody commits it by accident.
    let ignored = folder.join(".gitignore");
    fs::write(&ignored, "*\n").map_err(at(&ignored))?;
    publish(&[folder], &folder.join(KEY_SET))?;
    Ok(key.public().clone())
}

/// Writes the public keys of `folders` to a key set at `path`, at once: whoever reads it meanwhile reads the old one or the new
/// one, whole.
///
/// # Errors
/// When a folder has no key, or the file cannot be written; what was there stays as it was.
pub fn publish(folders: &[impl AsRef<Path>], path: &Path) -> Result<(), KeysError> {
    let public = |folder: &Path| Ok(load(folder)?.key().clone());
    let keys = folders.iter().map(|folder| public(folder.as_ref()));
    let keys = Jwks::new(keys.collect::<Result<Vec<_>, KeysError>>()?);
    let next = path.with_extension("json.next");
    let write = || {
        // One that a crash has left.
        let _ = fs::remove_file(&next);
        let mut file = create_new(&next, 0o644)?;
        file.write_all(format!("{:#}\n", keys.to_json()).as_bytes())?;
        file.sync_all()?;
        fs::rename(&next, path)
    };
    write().map_err(at(path))
}

fn create_new(path: &Path, mode: u32) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(mode).open(path)
}

/// Reads the private key of `folder`.
///
/// # Errors
/// When there is none.
pub fn load(folder: &Path) -> Result<impl Signer, KeysError> {
    let path = folder.join(SIGNING_KEY);
    let content = read_own(&path)?;
    let key = PrivateKey::from_jwk(&content).map_err(|_| KeysError::NoKey(path))?;
    Ok(MemorySigner::new(&key)?)
}

/// Reads what refresh tokens are made with, and makes it where there is none: a line of 64 hexadecimal digits for each key. The
/// first makes tokens, and all open them.
///
/// # Errors
/// When the file cannot be read or made, others may read it, or a line is no key.
pub fn refresh_token_key(folder: &Path) -> Result<RefreshTokenKey, KeysError> {
    let path = folder.join(REFRESH_KEYS);
    match create_new(&path, 0o600) {
        Ok(mut file) => {
            let mut key = Zeroizing::new([0; 32]);
            SystemRandom.fill(&mut *key);
            let line = Zeroizing::new(format!("{}\n", &*Zeroizing::new(hex::encode(*key))));
            let written = file.write_all(line.as_bytes());
            written.and_then(|()| file.sync_all()).map_err(at(&path))?;
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(at(&path)(error)),
    }
    let content = read_own(&path)?;
    let lines = content.split(|byte| *byte == b'\n');
    let lines = lines.map(<[u8]>::trim_ascii).filter(|it| !it.is_empty());
    let mut keys = lines.map(|line| {
        let mut key = Zeroizing::new([0; 32]);
        let read = hex::decode_to_slice(line, &mut *key);
        read.map(|()| key)
            .map_err(|_| KeysError::NoKey(path.clone()))
    });
    let first = keys
        .next()
        .ok_or_else(|| KeysError::NoKey(path.clone()))??;
    keys.try_fold(RefreshTokenKey::new(*first), |all, key| {
        Ok(all.and_older(*key?))
    })
}

fn read_own(path: &Path) -> Result<Zeroizing<Vec<u8>>, KeysError> {
    let mut content = Zeroizing::new(Vec::with_capacity(4096));
    let file = File::open(path).map_err(at(path))?;
    let mode = file.metadata().map_err(at(path))?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(KeysError::Open(path.to_owned()));
    }
    file.take(MOST)
        .read_to_end(&mut content)
        .map_err(at(path))?;
    Ok(content)
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> KeysError {
    let path = path.to_owned();
    move |error| KeysError::File { path, error }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_made_once_and_only_their_owner_reads_the_private_one() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("gateway");
        let public = init(&folder).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&folder), 0o700);
        assert_eq!(mode(&folder.join(SIGNING_KEY)), 0o600);
        let published = fs::read(folder.join(KEY_SET)).unwrap();
        assert_eq!(
            Jwks::parse(&published).unwrap().keys(),
            std::slice::from_ref(&public)
        );
        assert!(!String::from_utf8(published).unwrap().contains("\"d\""));
        assert!(matches!(init(&folder), Err(KeysError::Exists(_))));
        assert_eq!(
            fs::read_to_string(folder.join(".gitignore")).unwrap(),
            "*\n"
        );
        let other = folder.with_extension("other");
        let next = init(&other).unwrap();
        let set = folder.with_extension("set");
        publish(&[&folder, &other], &set).unwrap();
        let published = Jwks::parse(&fs::read(&set).unwrap()).unwrap();
        assert_eq!(published.keys(), [public.clone(), next]);
        assert!(publish(&[folder.with_extension("none")], &set).is_err());
        assert_eq!(*load(&folder).unwrap().key(), public);
    }

    #[test]
    fn refresh_tokens_are_opened_with_every_key_of_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let ids = accounts::RefreshIds {
            family: accounts::FamilyId::random(&SystemRandom),
            token: accounts::TokenId::random(&SystemRandom),
        };
        let made = refresh_token_key(folder.path()).unwrap().token(&ids);
        let again = refresh_token_key(folder.path()).unwrap();
        assert_eq!(again.open(made.expose()), Some(ids));
        let path = folder.path().join(REFRESH_KEYS);
        let first = fs::read_to_string(&path).unwrap();
        fs::write(&path, format!("{}\n{first}", "ab".repeat(32))).unwrap();
        let changed = refresh_token_key(folder.path()).unwrap();
        assert_eq!(changed.open(made.expose()), Some(ids));
        assert_ne!(changed.token(&ids).expose(), made.expose());
        fs::write(&path, "ab").unwrap();
        let refused = refresh_token_key(folder.path());
        assert!(matches!(refused, Err(KeysError::NoKey(_))));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let refused = refresh_token_key(folder.path());
        assert!(matches!(refused, Err(KeysError::Open(_))));
    }

    #[test]
    fn what_is_no_key_is_named_and_not_shown() {
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(load(folder.path()), Err(KeysError::File { .. })));
        let path = folder.path().join(SIGNING_KEY);
        fs::write(&path, "a secret").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(load(folder.path()), Err(KeysError::Open(_))));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let error = load(folder.path()).err().unwrap().to_string();
        assert!(
            error.contains(SIGNING_KEY) && !error.contains("a secret"),
            "{error}"
        );
    }
}
