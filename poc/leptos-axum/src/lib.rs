//! The peer of `main.rs` as a library: tests and the mesh in one process run it on backends of their own.

#[path = "main.rs"]
mod peer;

pub use peer::{DEFAULTS, backends, build, main, start};
