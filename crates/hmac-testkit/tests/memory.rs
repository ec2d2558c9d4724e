//! The suites over the stores in memory, the models that the others are compared with.

use std::sync::Arc;

use auth_base::nonce_store::MemoryNonceStore;
use auth_base::nonce_store::NonceStore;
use hmac_auth::credential_store::CredentialStore;
use hmac_auth::memory::MemoryCredentialStore;
use hmac_propagation::broker::Broker;
use hmac_propagation::memory::{MemoryBroker, MemoryBus, MemoryPeerStore};
use hmac_propagation::peer_store::PeerStore;
use hmac_testkit::broker::Pair;
use hmac_testkit::peer_store::Peer;

#[tokio::test]
async fn memory_keeps_credentials_as_the_contract_says() {
    hmac_testkit::credential_store::suite(async || {
        let store = MemoryCredentialStore::new();
        [
            Arc::new(store.clone()) as Arc<dyn CredentialStore>,
            Arc::new(store),
        ]
    })
    .await;
}

#[tokio::test]
async fn memory_accepts_a_nonce_once() {
    hmac_testkit::nonce_store::suite(async || {
        let store = MemoryNonceStore::new();
        [
            Arc::new(store.clone()) as Arc<dyn NonceStore>,
            Arc::new(store),
        ]
    })
    .await;
}

#[tokio::test]
async fn memory_applies_and_books_as_the_contract_says() {
    hmac_testkit::peer_store::suite(async || {
        let (http, message) = (MemoryCredentialStore::new(), MemoryCredentialStore::new());
        let store: Arc<dyn PeerStore> =
            Arc::new(MemoryPeerStore::new(http.clone(), message.clone()));
        Peer {
            stores: [store.clone(), store],
            http: Arc::new(http),
            message: Arc::new(message),
        }
    })
    .await;
}

hmac_testkit::broker_cases!(memory_broker, {
    let bus = MemoryBus::new();
    let connect = || Arc::new(MemoryBroker::connect(&bus)) as Arc<dyn Broker>;
    Pair([connect(), connect()], None)
});
