//! The conformance suites over what is in memory.

#![expect(
    clippy::unwrap_used,
    reason = "a test stops where an expectation fails"
)]

use async_trait::async_trait;
use auth_testkit::{key_source_cases, signer_cases};
use jwt_auth::{
    Algorithm, CachedKeySource, CheckedSigner, Jwks, JwksFetch, KeyCacheOptions, MemoryKeySource,
    MemorySigner, PrivateKey, PublicJwk, StoreError,
};

fn signer(algorithm: Algorithm) -> MemorySigner {
    MemorySigner::new(&PrivateKey::generate(algorithm).unwrap()).unwrap()
}

fn source() -> (MemoryKeySource, [PublicJwk; 2]) {
    let key = |algorithm| PrivateKey::generate(algorithm).unwrap().public().clone();
    let named = key(Algorithm::Es256).with_kid("named").unwrap();
    let keys = [key(Algorithm::EdDsa), named];
    (MemoryKeySource::new(Jwks::new(keys.clone())), keys)
}

signer_cases!(ed25519, signer(Algorithm::EdDsa));
signer_cases!(fully_specified, signer(Algorithm::EdDsa).fully_specified());
signer_cases!(p256, signer(Algorithm::Es256));
signer_cases!(checked, CheckedSigner::new(signer(Algorithm::Es256)));
key_source_cases!(memory, source());
key_source_cases!(cached, cached());

/// The same keys, fetched.
fn cached() -> (CachedKeySource, [PublicJwk; 2]) {
    let (source, keys) = source();
    let options = KeyCacheOptions::default();
    (CachedKeySource::new(Published(source), options), keys)
}

struct Published(MemoryKeySource);

#[async_trait]
impl JwksFetch for Published {
    async fn fetch(&self) -> Result<Jwks, StoreError> {
        Ok(self.0.keys())
    }
}
