//! Outbound signed HTTP client.
