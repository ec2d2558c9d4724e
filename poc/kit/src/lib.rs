//! Configuration, tracing, metrics, health and shutdown of every peer.
