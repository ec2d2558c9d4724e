//! The keys of the front door, and tokens from the command line: what there is of the gateway before people sign in.
//!
//! ```text
//!   gateway keys init ─► signing-key.json (0600)  ─► gateway token ─► Authorization: Bearer …   or   X-Internal-Auth: …
//!                     └► jwks.json ─► GATEWAY_KEYS of every peer
//! ```

pub mod command;
pub mod keys;
pub mod token;
