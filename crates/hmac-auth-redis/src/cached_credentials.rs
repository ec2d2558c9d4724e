//! Credentials kept in memory for as long as Redis vouches for them: a verified request then costs one round trip, the
//! nonce's.
//!
//! # Why it is never wrong for long
//! A connection of its own asks the server to announce every write under this namespace (client-side tracking, RESP3). The
//! cache has a *generation*: it moves on with each announcement and whenever that connection begins or ends, and is odd
//! while the connection lives. What was read is served only while the generation is the one from before the read:
//! - a write after the read is announced, which ends the generation (a write in the middle of the read ends it before the
//!   answer can be kept);
//! - a lost connection ends it before anything else is served, and nothing is kept until another one tracks;
//! - a connection that died without a word is found by a heartbeat, every 500 ms by default;
//! - and whatever happens, nothing is served for longer than [`CacheOptions::ttl`] after it was asked for (2 s).
//!
//! Only clients that exist are kept, so that made-up names cannot push real ones out. The records live in one Redis hash,
//! so an announcement does not say whose record changed: after any change each client is read once more.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use auth_base::store_error::StoreError;
use hmac_auth::credential::{ClientId, Credential};
use hmac_auth::credential_store::{
    CredentialPage, CredentialStore, CredentialWrite, StoredCredential, WriteOutcome,
};
use parking_lot::RwLock;
use redis_link::tracking::{Listener, Tracked, Tracker};
use tokio::time::Instant;

use crate::credential_store::RedisCredentialStore;

/// Bounds of [`CachedCredentials`].
#[derive(Clone, Copy, Debug)]
pub struct CacheOptions {
    /// How many clients are kept at most (10,000).
    pub capacity: usize,
    /// How long what was read may be served, announcements or not (2 s).
    pub ttl: Duration,
    /// How often the tracking connection is asked whether it lives (500 ms).
    pub heartbeat: Duration,
}

impl Default for CacheOptions {
    fn default() -> Self {
        Self {
            capacity: 10_000,
            ttl: Duration::from_secs(2),
            heartbeat: Duration::from_millis(500),
        }
    }
}

/// How the cache is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CacheStatistics {
    /// Answered from memory, since the start.
    pub hits: u64,
    /// Asked of Redis, since the start.
    pub misses: u64,
    /// Clients in memory now, those whose time is over included.
    pub entries: usize,
}

/// A [`RedisCredentialStore`] with a cache in front. Clones share it; the last one to go stops the tracking.
#[derive(Clone)]
pub struct CachedCredentials {
    store: RedisCredentialStore,
    cache: Arc<Cache>,
    _tracker: Arc<Tracker>,
}

struct Cache {
    options: CacheOptions,
    /// Odd while the server announces writes.
    generation: AtomicU64,
    entries: RwLock<HashMap<ClientId, Entry>>,
    hits: AtomicU64,
    misses: AtomicU64,
}

struct Entry {
    stored: StoredCredential,
    generation: u64,
    until: Instant,
}

impl CachedCredentials {
    /// Puts a cache in front of `store` and starts to track on the current tokio runtime.
    pub fn spawn(store: RedisCredentialStore, options: CacheOptions) -> Self {
        let cache = Arc::new(Cache {
            options,
            generation: AtomicU64::new(0),
            entries: RwLock::default(),
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
        });
        let namespace = store.namespace();
        let tracked = Tracked {
            link: store.link().clone(),
            prefixes: vec![
                namespace.clients(),
                format!("{namespace}:credentials-backup:"),
            ],
            heartbeat: options.heartbeat,
            purpose: "caching credentials",
        };
        let tracker = Tracker::spawn(tracked, Arc::clone(&cache));
        Self {
            store,
            cache,
            _tracker: Arc::new(tracker),
        }
    }

    /// Forgets everything that was read so far.
    pub fn invalidate(&self) {
        self.cache.next_generation();
    }

    /// Tells whether the server announces writes now. While it does not, every read goes to Redis.
    pub fn is_tracking(&self) -> bool {
        is_live(self.cache.generation.load(Ordering::SeqCst))
    }

    /// Tells how the cache is doing.
    pub fn statistics(&self) -> CacheStatistics {
        CacheStatistics {
            hits: self.cache.hits.load(Ordering::Relaxed),
            misses: self.cache.misses.load(Ordering::Relaxed),
            entries: self.cache.entries.read().len(),
        }
    }
}

#[async_trait]
impl CredentialStore for CachedCredentials {
    async fn find(&self, client_id: &ClientId) -> Result<Option<StoredCredential>, StoreError> {
        // The order matters: generation and time are those from before the read.
        let generation = self.cache.generation.load(Ordering::SeqCst);
        let asked_at = Instant::now();
        if let Some(stored) = self.cache.read(client_id, generation, asked_at) {
            self.cache.hits.fetch_add(1, Ordering::Relaxed);
            return Ok(Some(stored));
        }
        self.cache.misses.fetch_add(1, Ordering::Relaxed);
        let found = self.store.find(client_id).await?;
        if let Some(stored) = &found {
            self.cache.keep(client_id, stored, generation, asked_at);
        }
        Ok(found)
    }

    async fn find_many(
        &self,
        client_ids: &[ClientId],
    ) -> Result<Vec<Option<Result<Credential, &'static str>>>, StoreError> {
        self.store.find_many(client_ids).await
    }

    async fn write(
        &self,
        client_id: &ClientId,
        write: CredentialWrite,
    ) -> Result<WriteOutcome, StoreError> {
        let outcome = self.store.write(client_id, write).await;
        // Also after a failure: it may have been written all the same.
        self.invalidate();
        outcome
    }

    async fn delete(&self, client_id: &ClientId) -> Result<bool, StoreError> {
        let outcome = self.store.delete(client_id).await;
        self.invalidate();
        outcome
    }

    async fn forget_previous(&self, client_id: &ClientId) -> Result<bool, StoreError> {
        let outcome = self.store.forget_previous(client_id).await;
        self.invalidate();
        outcome
    }

    async fn list(&self, cursor: Option<&str>, limit: usize) -> Result<CredentialPage, StoreError> {
        self.store.list(cursor, limit).await
    }
}

impl Cache {
    fn read(
        &self,
        client_id: &ClientId,
        generation: u64,
        now: Instant,
    ) -> Option<StoredCredential> {
        let entries = self.entries.read();
        let entry = entries.get(client_id)?;
        entry.is_good(generation, now).then(|| entry.stored.clone())
    }

    fn keep(
        &self,
        client_id: &ClientId,
        stored: &StoredCredential,
        generation: u64,
        asked_at: Instant,
    ) {
        if !is_live(generation) || generation != self.generation.load(Ordering::SeqCst) {
            return;
        }
        let mut entries = self.entries.write();
        if entries.len() >= self.options.capacity && !entries.contains_key(client_id) {
            entries.retain(|_, entry| entry.is_good(generation, asked_at));
            if entries.len() >= self.options.capacity {
                entries.clear();
            }
        }
        let entry = Entry {
            stored: stored.clone(),
            generation,
            until: asked_at + self.options.ttl,
        };
        entries.insert(client_id.clone(), entry);
    }

    /// Ends the generation and keeps whether the server is tracking.
    fn next_generation(&self) {
        self.generation.fetch_add(2, Ordering::SeqCst);
    }
}

impl Listener for Cache {
    fn set_live(&self, live: bool) {
        let turn = |generation| (is_live(generation) != live).then_some(generation + 1);
        let _ = self
            .generation
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, turn);
    }

    fn announced(&self, _keys: &[&str]) {
        self.next_generation();
    }
}

impl Entry {
    fn is_good(&self, generation: u64, now: Instant) -> bool {
        self.generation == generation && now < self.until
    }
}

fn is_live(generation: u64) -> bool {
    generation % 2 == 1
}
