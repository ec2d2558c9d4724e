//! Requests, answers and problems of the management surface, as types.
//!
//! A field of a request is one line of a struct in this crate. Handlers, forms, the OpenAPI document, the dashboard and the
//! tests read it from there:
//!
//! ```text
//!             JSON ─┐                    ┌─ fields::of: what a form has        (forms, documentation)
//!   decode:   form ─┼─►  struct Ensure ──┼─ Serialize: what a client sends     (command lines, tests)
//!            query ─┘                    └─ ToSchema: the OpenAPI document     (feature `openapi`)
//! ```
//!
//! - Requests refuse unknown and repeated fields; a mistake names its field, and repeats nothing of the body.
//! - Absent, null and a value differ where it matters: [`change::Change`].
//! - Secrets have a type of their own: [`secret::Secret`].
//! - Times are epoch milliseconds; hashes are shown as their first 8 characters.
//!
//! ```
//! # #[cfg(feature = "decode")] {
//! use mesh_api::credential::Ensure;
//! use mesh_api::decode;
//!
//! let ensure: Ensure = decode::json(br#"{"clientId":"billing","secret":"0123456789abcdef","targets":["orders"]}"#)?;
//! assert_eq!(ensure.targets, ["orders"]);
//!
//! let mistake = decode::json::<Ensure>(br#"{"clientId":7}"#).unwrap_err();
//! assert_eq!(mistake.field.as_deref(), Some("clientId"));
//! assert_eq!(mistake.message, "must be a text, not a number");
//! # }
//! # Ok::<(), mesh_api::problem::Problem>(())
//! ```
//!
//! The crate depends on nothing else of the workspace and does no I/O. What the surface does is `mesh-management`.

pub mod permission;
pub mod routes;

pub mod credential;
pub mod hash;
pub mod local;
pub mod state;
pub mod sync;
pub mod target;

pub mod call;
pub mod health;
pub mod mesh;
pub mod timeline;

pub mod outcome;
pub mod problem;

pub mod change;
pub mod fields;
pub mod limit;
pub mod moment;
pub mod secret;
pub mod track;

#[cfg(feature = "decode")]
pub mod decode;
#[cfg(feature = "openapi")]
pub mod openapi;
