//! Access tokens (RFC 9068): what a client shows to a service, bound to a key with DPoP or not (RFC 9449, section 6).
//!
//! | to | take |
//! |---|---|
//! | issue one | [`AccessTokenIssuer`] |
//! | protect a resource | [`AccessTokenVerifier`], which also verifies the proof |
//! | ask for a scope | [`AccessContext::require_scope`] |
//! | answer a refusal | [`AccessRejection`]: code, status, challenge |

mod claims;
mod issuer;
mod rejection;
mod verifier;

pub use self::claims::{AccessClaims, Confirmation};
pub use self::issuer::{AccessGrant, AccessTokenIssuer, IssuedToken};
pub use self::rejection::{AccessRejection, InvalidAccessToken};
pub use self::verifier::{AccessContext, AccessRequest, AccessTokenVerifier};
