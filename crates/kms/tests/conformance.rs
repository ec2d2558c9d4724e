//! The suites of `auth-testkit` over what this crate has in memory, bare and checked.

use std::sync::Arc;

use kms::{CheckedKeyManagement, MemoryKeyManagement, MemoryKeyRingStore};

auth_testkit::key_management_cases!(memory, MemoryKeyManagement::new());
auth_testkit::key_management_cases!(
    checked,
    CheckedKeyManagement::new(Arc::new(MemoryKeyManagement::new()))
);
auth_testkit::key_ring_store_cases!(memory_store, MemoryKeyRingStore::new());
