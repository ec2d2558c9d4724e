//! What must hold for whatever comes from outside: one function for each parser, which takes any bytes.
//!
//! The property tests of this workspace and its fuzz targets call the same functions (`docs/fuzzing.md`), so what a fuzzer
//! finds becomes a file of the corpus, and with it a test for ever. What is accepted is judged again in other words.

mod authorization;
mod dpop;
mod judge;
mod jwk;
mod jwks;
mod jwt;
mod kms_config;
mod pem;
mod sign_in;

pub use self::authorization::authorization;
pub use self::dpop::dpop;
pub use self::jwk::jwk;
pub use self::jwks::jwks;
pub use self::jwt::jwt;
pub use self::kms_config::kms_config;
pub use self::pem::pem;
pub use self::sign_in::sign_in;

/// Panics for bytes that break what must hold.
pub type Property = fn(&[u8]);

/// Every property, by the name of its fuzz target and of its folder in `fuzz/corpus`.
pub const PROPERTIES: &[(&str, Property)] = &[
    ("authorization", authorization),
    ("dpop", dpop),
    ("jwk", jwk),
    ("jwks", jwks),
    ("jwt", jwt),
    ("kms_config", kms_config),
    ("pem", pem),
    ("sign_in", sign_in),
];
