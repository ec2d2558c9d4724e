//! Tower layer and axum extractor that verify signed requests.

mod body;
mod head;

pub mod extract;
pub mod future;
pub mod layer;
pub mod refused;
pub mod restrict;
pub mod service;

pub use crate::extract::VerifiedClient;
pub use crate::layer::HmacAuthLayer;
pub use crate::restrict::RestrictToLayer;
