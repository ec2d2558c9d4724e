//! The management surface of a full-mode peer without a web framework: its use cases, guards and forms.
//!
//! ```text
//!  mesh-management-axum ─┐                  ┌─► Propagator        what is accepted        hmac-propagation
//!                        ├─► Surface ─► Management ─► Administration   inventory and state     mesh-management-sqlx
//!  mesh-management-actix ┘   guards, forms  ├─► CredentialStore   the peer's own store    hmac-auth-redis
//!                            ▲              ├─► SignedGet         calls to other peers
//!                        mesh-api           └─► MeshView          the whole mesh
//! ```
//!
//! - [`management::Management`] has a method for each operation: from a request of `mesh-api` to its answer.
//! - [`surface::Surface`] says what a request must be before it is done, and how it is answered; so the adapters of two
//!   frameworks decide nothing, and differ in translation only.
//! - Who may do what is asked of an [`admission::Admission`], such as one that asks for tokens. Without one nobody is asked
//!   who they are: put a guard of your own before it then, and keep it where only operators reach it.
//! - Requests of other sites' pages are refused ([`guard`]); that no page becomes one of this site by its name is for the
//!   application to see to, with the adapter's `edge` ([`edge`]).
//! - It knows no framework, no HTTP library and no database.
//!
//! # Implementing
//! [`administration::Administration`] is the seam to a management store, [`view::MeshView`] the one to the stores of others,
//! [`call::SignedGet`] the one to an HTTP client. The last two may be left out: their routes answer 404 then.
//! [`admission::Admission`] is the seam to whatever knows who calls.

pub mod management;
pub mod surface;

pub mod administration;
pub mod call;
pub mod view;

pub mod admission;
pub mod body;
pub mod edge;
pub mod error;
pub mod form;
pub mod guard;
pub mod headers;
pub mod track;

#[cfg(feature = "testkit")]
pub mod testkit;

pub use admission::{Admission, Gate};
pub use management::Management;
pub use surface::Surface;
