//! The contract: which bytes are signed, who is accepted, and why not.

pub mod allowed_ips;
pub mod canonical;
pub mod canonical_json;
pub mod client_address;
pub mod clock;
pub mod credential;
pub mod credentials;
pub mod layer;
pub mod memory;
pub mod message;
pub mod previous_use;
pub mod random;
pub mod record;
pub mod rejection;
pub mod secret;
pub mod sign;
pub mod signed_head;
pub mod store;
pub mod verify;
