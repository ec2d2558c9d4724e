//! Where key rings are kept: a compare-and-set register for each ring.
//!
//! # Contract
//! - `read` tells the ring as it was last written, whole; an unknown one is `Ok(None)`.
//! - `advance` writes `next` whole, if the store holds exactly the revision `expect`, and nothing otherwise. Of several that
//!   expect the same revision, one wins: exactly one answer is `true`. [`Revision`] zero means that there is no such ring yet.
//! - What is corrupt is an `Err`, never a ring with fewer keys.
//!
//! # Implementing
//! [`MemoryKeyRingStore`] is the complete model to compare with. Prove yours with `auth_testkit::key_ring_store_cases!`.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use auth_base::store_error::StoreError;
use parking_lot::RwLock;

use crate::key_id::RingName;
use crate::key_ring::{KeyRing, Revision};

/// Keeps rings. The module says what must hold.
#[async_trait]
pub trait KeyRingStore: Send + Sync + 'static {
    /// Reads a ring.
    ///
    /// # Errors
    /// [`StoreError`] when the store is broken.
    async fn read(&self, ring: &RingName) -> Result<Option<KeyRing>, StoreError>;

    /// Writes `next` if the store holds the revision `expect` of its ring, and tells whether it did.
    ///
    /// # Errors
    /// [`StoreError`] when the store is broken. After [`StoreError::Unavailable`] it may have been written all the same.
    async fn advance(&self, expect: Revision, next: &KeyRing) -> Result<bool, StoreError>;
}

/// Keeps rings in memory. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct MemoryKeyRingStore {
    rings: Arc<RwLock<HashMap<RingName, KeyRing>>>,
}

impl MemoryKeyRingStore {
    /// Keeps no ring yet.
    pub fn new() -> Self {
        Self::default()
    }
}

#[async_trait]
impl KeyRingStore for MemoryKeyRingStore {
    async fn read(&self, ring: &RingName) -> Result<Option<KeyRing>, StoreError> {
        Ok(self.rings.read().get(ring).cloned())
    }

    async fn advance(&self, expect: Revision, next: &KeyRing) -> Result<bool, StoreError> {
        let mut rings = self.rings.write();
        let held = rings.get(next.name()).map(KeyRing::revision);
        if held.unwrap_or_default() != expect {
            return Ok(false);
        }
        rings.insert(next.name().clone(), next.clone());
        Ok(true)
    }
}
