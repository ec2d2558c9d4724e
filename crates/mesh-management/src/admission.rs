//! Who may do what: asked before every route of management, once for all frameworks.
//!
//! ```text
//!   request ─► Gate (the route's permission) ─► Admission ─► Caller, for the handler and the log
//!                                                        └─► Denied: 401 with a challenge, 403 with the permission's name
//! ```
//!
//! # Implementing
//! [`Admission`] is the seam to whatever knows who calls. [`TokenAdmission`] asks for tokens of the front door. Where there is
//! no admission, nobody is asked.

mod gate;
mod seam;
mod tokens;

pub use hmac_propagation::origin::Origin;

pub use self::gate::Gate;
pub use self::seam::{Admission, Caller, CallerKind, Denied, Sent};
pub use self::tokens::TokenAdmission;
