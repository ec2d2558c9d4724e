//! `MANAGEMENT_AUTH=tokens`: the peers ask who comes, and this process has the gateway's key.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use gateway::keys::{self, KEY_SET, SIGNING_KEY};
use gateway::token::{self, Holder};
use jwt_auth::Signer;
use mesh_api::permission::Role;
use tempfile::TempDir;

use crate::options::{Error, Options};

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
    /// What issues tokens, if the peers shall ask for them: with the keys of `gateway_dir`, or keys of this run.
    pub(crate) fn of(options: &Options) -> Result<Option<Self>, Error> {
        if !options.asks() {
            return Ok(None);
        }
        let (folder, made) = match &options.gateway_dir {
            Some(folder) => (folder.clone(), None),
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

    /// What signs.
    pub(crate) fn signer(&self) -> Arc<dyn Signer> {
        Arc::clone(&self.signer)
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
