//! The guard against replay: the `jti` of a token counts once (RFC 7519, section 4.1.7; RFC 9449, section 11.1).

use std::sync::Arc;
use std::time::Duration;

use auth_base::nonce_store::NonceStore;
use auth_base::store_error::StoreError;

use crate::encoding;

/// Remembers the `jti` of tokens in a [`NonceStore`], the one that guards signed requests too. Clones share it.
#[derive(Clone)]
pub struct ReplayGuard {
    store: Arc<dyn NonceStore>,
}

impl ReplayGuard {
    /// Remembers in `store`. Instances that accept the same tokens must share it.
    pub fn new(store: Arc<dyn NonceStore>) -> Self {
        Self { store }
    }

    /// Tells whether the `jti` of `owner` (the thumbprint of a key, an issuer, a client) comes for the first time, and keeps
    /// it until `until_ms`. The store sees its SHA-256, so what it keeps is bounded and says nothing.
    pub(crate) async fn is_first(
        &self,
        owner: &str,
        jti: &str,
        until_ms: i64,
        now_ms: i64,
    ) -> Result<bool, StoreError> {
        let left = u64::try_from(until_ms.saturating_sub(now_ms)).unwrap_or_default();
        let left = Duration::from_millis(left);
        // One `jti` counts once, whatever time the token says: so no time is part of the key.
        let nonce = encoding::sha256(jti);
        self.store.remember(owner, &nonce, 0, left).await
    }
}
