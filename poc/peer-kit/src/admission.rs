//! Who is let in to management, pages and metrics.

use std::net::SocketAddr;
use std::sync::Arc;

use auth_base::nonce_store::NonceStore;
use jwt_auth::dpop::InvalidHtu;
use jwt_auth::{
    AccessGuard, AccessTokenVerifier, DpopVerifier, InternalGuard, InternalTokenVerifier,
    KeySource, ReplayGuard,
};
use mesh_management::Admission;
use mesh_management::admission::TokenAdmission;

use crate::config::{Config, ManagementAuth};
use crate::gateway_keys::keys_at;

/// Asks for tokens, where the configuration says so; `used` remembers which were used, and `address` is what is served. `None`
/// where nobody is asked.
///
/// # Errors
/// When `PUBLIC_URL` is none.
pub fn admission(
    config: &Config,
    used: Arc<dyn NonceStore>,
    address: SocketAddr,
) -> Result<Option<Arc<dyn Admission>>, InvalidHtu> {
    let auth = match &config.management_auth {
        ManagementAuth::Open => {
            tracing::info!("nobody is asked who they are on the routes of management");
            return Ok(None);
        }
        ManagementAuth::Tokens(auth) => auth,
    };
    let own = config.peer.as_str();
    let keys: Arc<dyn KeySource> = Arc::new(keys_at(auth.keys.clone()));
    let replay = ReplayGuard::new(used);
    let internal = InternalTokenVerifier::new(Arc::clone(&keys), replay.clone(), own);
    let proofs = DpopVerifier::new(replay);
    let mut access = AccessTokenVerifier::new(keys, proofs, auth.issuer.as_str(), own);
    if !auth.takes_bearer {
        access = access.bound_only();
    }
    let own_url = || format!("http://{address}");
    let public_url = auth.public_url.clone().unwrap_or_else(own_url);
    let access = AccessGuard::new(access, &public_url)?;
    let admission = TokenAdmission::new(InternalGuard::new(internal), access);
    Ok(Some(Arc::new(admission)))
}
