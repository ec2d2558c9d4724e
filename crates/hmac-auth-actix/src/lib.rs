//! actix-web middleware and extractor that verify signed requests.

mod body;
mod head;

pub mod extract;
pub mod middleware;
pub mod refused;
pub mod restrict;

pub use crate::extract::VerifiedClient;
pub use crate::middleware::HmacAuth;
pub use crate::restrict::RestrictTo;
