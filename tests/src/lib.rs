//! End-to-end stories over real processes and real servers.
