//! Credential and nonce stores in Redis.
