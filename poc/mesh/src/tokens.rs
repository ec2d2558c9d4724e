//! `MANAGEMENT_AUTH=tokens`: the peers ask who comes, and this process has the gateway's key.

use std::env;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gateway::keys::{self, KEY_SET, SIGNING_KEY};
use gateway::token::{self, Holder};
use jwt_auth::Signer;
use mesh_api::permission::Role;
use tempfile::TempDir;

use crate::options::Error;

/// Who issues access tokens to these peers.
pub(crate) const ISSUER: &str = "http://localhost:3100";

/// The gateway's keys, and who speaks with them.
pub(crate) struct Tokens {
    folder: PathBuf,
    signer: Arc<dyn Signer>,
    /// Taken away at the end, unless the keys were somebody's before.
    _made: Option<TempDir>,
}

impl Tokens {
    /// Reads from the environment whether tokens are asked for: with the keys of `GATEWAY_DIR`, or keys of this run.
    pub(crate) fn from_environment() -> Result<Option<Self>, Error> {
        match env::var("MANAGEMENT_AUTH").as_deref() {
            Ok("tokens") => {}
            Err(_) | Ok("" | "open" | "open-to-the-network") => return Ok(None),
            Ok(other) => {
                return Err(format!("MANAGEMENT_AUTH: {other:?} is none of the three").into());
            }
        }
        let (folder, made) = match env::var_os("GATEWAY_DIR").filter(|folder| !folder.is_empty()) {
            Some(folder) => (PathBuf::from(folder), None),
            None => {
                let made = tempfile::Builder::new()
                    .prefix("hmac-mesh-keys-")
                    .tempdir()?;
                (made.path().to_owned(), Some(made))
            }
        };
        if !folder.join(SIGNING_KEY).exists() {
            keys::init(&folder)?;
        }
        Ok(Some(Self {
            signer: Arc::new(keys::load(&folder)?),
            folder,
            _made: made,
        }))
    }

    /// Where the keys are.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// What every peer is told.
    pub(crate) fn variables(&self) -> [(String, String); 4] {
        let keys = self.folder.join(KEY_SET).display().to_string();
        [
            ("MANAGEMENT_AUTH", "tokens".to_owned()),
            ("GATEWAY_KEYS", keys),
            ("GATEWAY_URL", ISSUER.to_owned()),
            // For whoever calls with curl; a token of the command line is bound to no key.
            ("MANAGEMENT_BEARER", "true".to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
    }

    /// The header that lets this process in to a peer, for one request.
    pub(crate) async fn header(
        &self,
        peer: &str,
        method: &str,
        target: &str,
    ) -> Result<(&'static str, String), Error> {
        let holder = Holder {
            role: Role::Operator,
            audience: peer.to_owned(),
            subject: "demo".to_owned(),
        };
        let issuing = token::internal(Arc::clone(&self.signer), &holder, method, target);
        Ok(("x-internal-auth", issuing.await?.expose().to_owned()))
    }
}
