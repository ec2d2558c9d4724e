//! Cursor, in-flight ledger and atomic apply in Redis.
