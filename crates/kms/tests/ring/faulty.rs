//! A provider and a store that can be told to fail.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use async_trait::async_trait;
use auth_base::{ManualClock, StoreError};
use jwt_auth::{Algorithm, PrivateKey, PublicJwk};
use kms::{
    Capabilities, Health, KeyId, KeyManagement, KeyRing, KeyRingStore, KmsError,
    MemoryKeyManagement, MemoryKeyRingStore, Providers, Revision, RingKeeper, RingName, RingPolicy,
};
use zeroize::Zeroizing;

pub(crate) const NOW: i64 = 1_800_000_000_000;

/// A switch that is off.
pub(crate) type Switch = Arc<AtomicBool>;

#[derive(Clone, Default)]
pub(crate) struct FaultyKms {
    pub(crate) keys: MemoryKeyManagement,
    pub(crate) away: Switch,
    pub(crate) denies: Switch,
    pub(crate) refuses_signing: Switch,
    pub(crate) refuses_deletes: Switch,
    /// No answer to a deletion comes, ever.
    pub(crate) hangs_on_deletes: Switch,
    pub(crate) made: Arc<AtomicU32>,
    /// So many of the next calls to make a key wait for `go_on`.
    pub(crate) slow_to_generate: Arc<AtomicU32>,
    pub(crate) go_on: Arc<tokio::sync::Notify>,
    pub(crate) asked_for_public_keys: Arc<AtomicU32>,
}

impl FaultyKms {
    fn reach(&self) -> Result<(), KmsError> {
        match self.away.load(Ordering::SeqCst) {
            true => Err(KmsError::Unavailable("connection refused".into())),
            false if self.denies.load(Ordering::SeqCst) => {
                Err(KmsError::Denied("401 Unauthorized".into()))
            }
            false => Ok(()),
        }
    }
}

#[async_trait]
impl KeyManagement for FaultyKms {
    fn capabilities(&self) -> Capabilities {
        Capabilities::ALL
    }

    async fn generate(&self, kid: &KeyId, algorithm: Algorithm) -> Result<PublicJwk, KmsError> {
        self.reach()?;
        if self.slow_to_generate.swap(0, Ordering::SeqCst) > 0 {
            self.go_on.notified().await;
        }
        let key = self.keys.generate(kid, algorithm).await?;
        self.made.fetch_add(1, Ordering::SeqCst);
        Ok(key)
    }

    async fn import(&self, kid: &KeyId, key: &PrivateKey) -> Result<PublicJwk, KmsError> {
        self.reach()?;
        self.keys.import(kid, key).await
    }

    async fn sign(
        &self,
        kid: &KeyId,
        algorithm: Algorithm,
        input: &[u8],
    ) -> Result<[u8; 64], KmsError> {
        self.reach()?;
        if self.refuses_signing.load(Ordering::SeqCst) {
            return Err(KmsError::Refused("400 Bad Request".into()));
        }
        self.keys.sign(kid, algorithm, input).await
    }

    async fn public_key(&self, kid: &KeyId) -> Result<Option<PublicJwk>, KmsError> {
        self.reach()?;
        self.asked_for_public_keys.fetch_add(1, Ordering::SeqCst);
        self.keys.public_key(kid).await
    }

    async fn delete(&self, kid: &KeyId) -> Result<(), KmsError> {
        self.reach()?;
        if self.hangs_on_deletes.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        match self.refuses_deletes.load(Ordering::SeqCst) {
            true => Err(KmsError::Refused("500 Internal Server Error".into())),
            false => self.keys.delete(kid).await,
        }
    }

    async fn generate_wrapping(&self, kid: &KeyId) -> Result<(), KmsError> {
        self.reach()?;
        self.keys.generate_wrapping(kid).await
    }

    async fn wrap(&self, kid: &KeyId, plain: &[u8]) -> Result<String, KmsError> {
        self.reach()?;
        self.keys.wrap(kid, plain).await
    }

    async fn unwrap(&self, kid: &KeyId, wrapped: &str) -> Result<Zeroizing<Vec<u8>>, KmsError> {
        self.reach()?;
        self.keys.unwrap(kid, wrapped).await
    }

    async fn health(&self) -> Result<Health, KmsError> {
        self.reach()?;
        self.keys.health().await
    }
}

#[derive(Clone, Default)]
pub(crate) struct FaultyStore {
    pub(crate) rings: MemoryKeyRingStore,
    pub(crate) away: Switch,
    /// No answer comes, ever.
    pub(crate) silent: Switch,
    /// So often it was read.
    pub(crate) reads: Arc<AtomicU32>,
    /// The next write is lost.
    pub(crate) loses_a_write: Switch,
}

impl FaultyStore {
    async fn reach(&self) -> Result<(), StoreError> {
        if self.silent.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        match self.away.load(Ordering::SeqCst) {
            true => Err(StoreError::Unavailable("connection refused".into())),
            false => Ok(()),
        }
    }
}

#[async_trait]
impl KeyRingStore for FaultyStore {
    async fn read(&self, ring: &RingName) -> Result<Option<KeyRing>, StoreError> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        self.reach().await?;
        self.rings.read(ring).await
    }

    async fn advance(&self, expect: Revision, next: &KeyRing) -> Result<bool, StoreError> {
        self.reach().await?;
        if next.pending().is_some() && self.loses_a_write.swap(false, Ordering::SeqCst) {
            return Err(StoreError::Unavailable("connection reset".into()));
        }
        self.rings.advance(expect, next).await
    }
}

/// A provider, a store and a clock that replicas share.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) kms: FaultyKms,
    pub(crate) store: FaultyStore,
    pub(crate) clock: Arc<ManualClock>,
}

impl World {
    pub(crate) fn new() -> Self {
        Self {
            kms: FaultyKms::default(),
            store: FaultyStore::default(),
            clock: Arc::new(ManualClock::new(NOW)),
        }
    }

    pub(crate) fn keeper(&self, policy: RingPolicy) -> RingKeeper {
        RingKeeper::with_clock(
            RingName::parse("access").unwrap(),
            Arc::new(self.store.clone()),
            Providers::of("main", Arc::new(self.kms.clone())),
            policy,
            self.clock.clone(),
        )
    }

    pub(crate) fn turn(switch: &Switch, on: bool) {
        switch.store(on, Ordering::SeqCst);
    }

    pub(crate) fn pass(&self, seconds: i64) {
        self.clock.advance(seconds * 1000);
    }
}
