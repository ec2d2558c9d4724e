//! Conformance suites and golden vectors.
