//! Conformance suites and golden vectors.

pub mod http_layer;
