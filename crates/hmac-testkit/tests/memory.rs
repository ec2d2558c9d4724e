//! The suites over the stores in memory, the models that the others are compared with.

use std::sync::Arc;

use auth_base::nonce_store::{MemoryNonceStore, NonceStore};
use hmac_auth::credential_store::CredentialStore;
use hmac_auth::memory::MemoryCredentialStore;
use hmac_propagation::broker::Broker;
use hmac_propagation::memory::{MemoryBroker, MemoryBus, MemoryPeerStore};
use hmac_propagation::peer_store::PeerStore;
use hmac_testkit::broker::Pair;
use hmac_testkit::peer_store::Peer;

hmac_testkit::credential_store_cases!(credentials, &credential_stores());
hmac_testkit::nonce_store_cases!(nonces, &nonce_stores());
hmac_testkit::peer_store_cases!(peer, &peer());

fn credential_stores() -> [Arc<dyn CredentialStore>; 2] {
    let store = Arc::new(MemoryCredentialStore::new());
    [store.clone(), store]
}

fn nonce_stores() -> [Arc<dyn NonceStore>; 2] {
    let store = Arc::new(MemoryNonceStore::new());
    [store.clone(), store]
}

fn peer() -> Peer {
    let (http, message) = (MemoryCredentialStore::new(), MemoryCredentialStore::new());
    let store: Arc<dyn PeerStore> = Arc::new(MemoryPeerStore::new(http.clone(), message.clone()));
    Peer {
        stores: [store.clone(), store],
        http: Arc::new(http),
        message: Arc::new(message),
    }
}

hmac_testkit::broker_cases!(memory_broker, {
    let bus = MemoryBus::new();
    let connect = || Arc::new(MemoryBroker::connect(&bus)) as Arc<dyn Broker>;
    Pair([connect(), connect()], None)
});
