//! The keys of a gateway, for one mesh in containers whose peers ask for tokens.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use jwt_auth::{Algorithm, Jwks, PrivateKey};
use tempfile::TempDir;

use crate::error::Error;

/// A key that signs, for the stories, and the key set that says so, for the peers.
pub(super) struct Keys {
    folder: TempDir,
}

impl Keys {
    /// Makes a key of this run's own.
    pub(super) fn make() -> Result<Self, Error> {
        let keys = Self {
            folder: tempfile::tempdir()?,
        };
        let key = PrivateKey::generate(Algorithm::EdDsa)?;
        fs::write(keys.signing(), key.expose_jwk().expose())?;
        let set = Jwks::new([key.public().clone()]).to_json();
        fs::write(keys.set(), set.to_string())?;
        // The peers run as nobody.
        fs::set_permissions(keys.set(), fs::Permissions::from_mode(0o644))?;
        Ok(keys)
    }

    /// Where the private key lies.
    pub(super) fn signing(&self) -> PathBuf {
        self.folder.path().join("signing-key.json")
    }

    /// Where the key set lies.
    pub(super) fn set(&self) -> PathBuf {
        self.folder.path().join("jwks.json")
    }
}
