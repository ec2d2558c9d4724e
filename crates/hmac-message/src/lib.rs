//! The message track: signs and verifies messages that do not travel as HTTP requests (wire contract 1.1).
//!
//! A message of JSON is signed in its canonical form, which needs Unicode collation: that is why this is a crate of its own,
//! and who verifies HTTP requests does not carry it. Credentials and stores are those of `hmac-auth`.
//!
//! A message has no timestamp and no nonce: whoever must not act on one twice says so inside the message.
//!
//! ```
//! use hmac_auth::{ClientId, Secret, hash_client_secret};
//! use hmac_message::{Message, sign_message};
//!
//! let client_id = ClientId::parse("orders").unwrap();
//! let secret_hash = hash_client_secret(&Secret::new("plain-text-secret"), None);
//! let one = sign_message(&client_id, &secret_hash, Message::Json(r#"{"b": 1.0, "a": 2}"#)).unwrap();
//! let other = sign_message(&client_id, &secret_hash, Message::Json(r#"{"a":2,"b":1}"#)).unwrap();
//! assert_eq!(one, other);
//! ```
//!
//! The words of this page are explained in the [glossary](https://github.com/hmac-mesh/hmac-mesh/blob/main/docs/glossary.md).

pub mod message;

pub mod canonical_json;
pub mod invalid_message;

pub use crate::invalid_message::InvalidMessage;
pub use crate::message::{Message, MessageVerifier, VerifiedMessage, message_hash, sign_message};
