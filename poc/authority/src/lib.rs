//! Full-mode peer on axum.
