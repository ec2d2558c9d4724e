//! The conformance suites over what is in memory.

#![expect(
    clippy::unwrap_used,
    reason = "a test stops where an expectation fails"
)]

use auth_testkit::{key_source_cases, signer_cases};
use jwt_auth::{
    Algorithm, CheckedSigner, Jwks, MemoryKeySource, MemorySigner, PrivateKey, PublicJwk,
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
