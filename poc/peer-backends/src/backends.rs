//! What a peer stands on.

use std::sync::Arc;

use auth_base::nonce_store::NonceStore;
use hmac_auth::credential_store::CredentialStore;
use hmac_propagation::broker::Broker;
use hmac_propagation::peer_store::PeerStore;
use mesh_view::control::PeerControl;
use mesh_view::stores::PeerStoreView;
use peer_kit::health::Check;

/// The broker and the stores of a peer, but for its management store. A peer's `main.rs` makes them of real servers,
/// [`crate::memory::Memory`] makes them of nothing.
pub struct Backends {
    /// Brings events and takes them.
    pub broker: Arc<dyn Broker>,
    /// Where the credentials go that were received.
    pub store: Arc<dyn PeerStore>,
    /// The same credentials of the http track, for whoever verifies requests; may be a cache.
    pub credentials: Arc<dyn CredentialStore>,
    /// The nonces of the http track.
    pub nonces: Arc<dyn NonceStore>,
    /// The tokens of callers that were used, apart from those nonces.
    pub used_tokens: Arc<dyn NonceStore>,
    /// What must be there before the peer is ready, besides the broker and the management store.
    pub checks: Vec<Box<dyn Check>>,
    /// The stores of the mesh that can be read, the peer's own among them. Only a full-mode peer looks at any.
    pub views: Vec<PeerStoreView>,
    /// Stops and starts other peers, where they are of this process.
    pub control: Option<Arc<dyn PeerControl>>,
}
