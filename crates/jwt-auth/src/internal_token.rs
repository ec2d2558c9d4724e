//! Internal tokens: what the gateway tells a service behind it about one request.
//!
//! Four things to note:
//! - A token is for one service (`aud`), one request (`htm`, `uri`) and one use (`jti`), for a minute.
//! - Only the gateway makes them. A service gets the public key and can make none.
//! - The form of the original has no `typ`, no `kid` and none of the claims that make a token one request's. It is taken only
//!   where [`InternalTokenVerifier::compat`] says so, with the one key named there, and can be replayed while it lasts.
//! - A refusal has one of four codes ([`InternalRejection`]).

mod claims;
mod issuer;
mod rejection;
mod verifier;

pub use self::claims::{ISSUER, InternalClaims, LIFETIME_SECONDS, SubjectKind};
pub use self::issuer::{InternalGrant, InternalTokenIssuer};
pub use self::rejection::{InternalRejection, InvalidInternalToken};
pub use self::verifier::{InternalContext, InternalRequest, InternalTokenVerifier, KEPT_SECONDS};
