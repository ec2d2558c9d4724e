//! Drives one ring: makes, activates, retires and deletes keys when it is time, publishes the key set, and signs.
//!
//! Every replica of a service has a keeper of the same ring. They meet in the [`KeyRingStore`] only: whoever writes a revision
//! first wins, and the others read again. A replica works with what it read at most [`RingPolicy::view_life`] ago, and the
//! times of a ring allow for that: no token is refused because its verifier or its issuer read a moment late.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use auth_base::clock::{Clock, SystemClock};
use auth_base::error_chain::chain;
use auth_base::random::{Random, SystemRandom};
use auth_base::store_error::StoreError;
use futures_util::future::join_all;
use jwt_auth::{Jwks, KeySource, PublicJwk};
use tokio::sync::Mutex;

use crate::checked::CheckedKeyManagement;
use crate::error::KmsError;
use crate::key_id::{KeyId, RingName};
use crate::key_management::KeyManagement;
use crate::key_ring::{KeyRing, MAX_RING_KEYS, RingFault, Step};
use crate::providers::Providers;
use crate::ring_error::{RingError, Undeleted, failed, is_gone, is_lost};
use crate::ring_key::{KeyState, RingKey};
use crate::ring_policy::RingPolicy;
use crate::ring_store::KeyRingStore;
use crate::ring_view::{Held, RingView};

/// So many changes are made in one turn at most.
const MAX_STEPS: usize = 8;

/// So often a change that somebody asks for is tried again when another replica was faster.
const MAX_ATTEMPTS: usize = 8;

/// Two turns are so far apart at least.
const SHORTEST_PAUSE: Duration = Duration::from_millis(100);

/// What a pending key signs to show that it can. No token looks like this.
const PROOF: &[u8] = b"a pending key signs";

/// A key set for verifiers.
#[derive(Clone, Debug, Default)]
pub struct PublishedKeys {
    /// The keys: the active one first.
    pub keys: Jwks,
    /// How long verifiers may keep them, for `Cache-Control: max-age`: [`RingPolicy::jwks_max_age`], less the time since they
    /// were read. Zero while no key signs: the first one will sign at once.
    pub max_age: Duration,
}

struct Shared {
    name: RingName,
    view: RingView,
    providers: Providers,
    policy: RingPolicy,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    /// One turn at a time in this process.
    turn: Mutex<()>,
    /// An active key whose provider did not sign as it should.
    suspect: parking_lot::Mutex<Option<String>>,
}

/// Drives one ring. Clones share it.
#[derive(Clone)]
pub struct RingKeeper {
    shared: Arc<Shared>,
}

impl RingKeeper {
    /// A keeper of the ring `name`. It does nothing before it is asked.
    pub fn new(
        name: RingName,
        store: Arc<dyn KeyRingStore>,
        providers: Providers,
        policy: RingPolicy,
    ) -> Self {
        Self::with_clock(name, store, providers, policy, Arc::new(SystemClock))
    }

    /// As [`Self::new`], on another clock.
    pub fn with_clock(
        name: RingName,
        store: Arc<dyn KeyRingStore>,
        providers: Providers,
        policy: RingPolicy,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let shared = Shared {
            view: RingView::new(name.clone(), store, Arc::clone(&clock)),
            name,
            providers,
            policy,
            clock,
            random: Arc::new(SystemRandom),
            turn: Mutex::default(),
            suspect: parking_lot::Mutex::default(),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// Does what is due, and tells which retired keys their providers did not delete. A new ring has an active key after
    /// its first turn.
    ///
    /// # Errors
    /// [`RingError`]: what was done until then stays done, and the next turn goes on.
    pub async fn tick(&self) -> Result<Vec<Undeleted>, RingError> {
        let turn = self.shared.turn.lock().await;
        let mut ring = self.read_or_begin().await?;
        let stepped = match self.replace_suspect(&mut ring).await {
            Ok(()) => self.do_steps(&mut ring).await,
            Err(error) => Err(error),
        };
        // A provider that is slow to delete keeps no rotation waiting.
        drop(turn);
        let undeleted = self.delete_retired(ring).await?;
        stepped.map(|()| undeleted)
    }

    /// Takes turns for ever, one each `pause`, and logs what fails. A pause is 100 ms to [`RingPolicy::view_life`], whatever
    /// is asked for: a key must not come later than the policy says.
    pub async fn run(&self, pause: Duration) {
        let pause = pause.min(self.shared.policy.view_life).max(SHORTEST_PAUSE);
        let ring = self.shared.name.as_str();
        loop {
            match self.tick().await {
                Ok(undeleted) => {
                    for left in undeleted {
                        let why = chain(&left.error);
                        tracing::warn!(
                            ring,
                            kid = left.kid,
                            why,
                            "a retired key is not deleted yet"
                        );
                    }
                }
                Err(error) => tracing::warn!(ring, why = chain(&error), "a key ring stands still"),
            }
            tokio::time::sleep(pause).await;
        }
    }

    /// Asks for the next key, and makes it now. It signs when every verifier has had time to fetch it, in one of the next
    /// turns. What is asked for stays so when the key cannot be made now: the next turns go on.
    ///
    /// # Errors
    /// [`RingFault::PendingExists`] when a rotation is under way, [`RingFault::Full`] while 16 keys wait for their deletion,
    /// else [`RingError`].
    pub async fn rotate(&self) -> Result<(), RingError> {
        let _turn = self.shared.turn.lock().await;
        for _ in 0..MAX_ATTEMPTS {
            let mut ring = self.read_or_begin().await?;
            if ring.pending().is_some() {
                return Err(RingFault::PendingExists.into());
            }
            if ring.wanted().is_none() {
                match self.ask(&ring).await? {
                    Some(asked) => ring = asked,
                    None => continue,
                }
            }
            if self.generate(&ring).await?.is_some() {
                return Ok(());
            }
        }
        Err(RingError::Contended)
    }

    /// Ends the publication of a key that has leaked, at once. The next turn makes another one, if it was the active one.
    ///
    /// # Errors
    /// [`RingFault::UnknownKey`], else [`RingError`].
    pub async fn revoke(&self, kid: &str) -> Result<(), RingError> {
        for _ in 0..MAX_ATTEMPTS {
            let ring = self.read_or_begin().await?;
            let next = ring.clone().revoke(kid, self.now())?;
            if self.write(&ring, next).await?.is_some() {
                return Ok(());
            }
        }
        Err(RingError::Contended)
    }

    /// What verifiers are to know, and how long they may keep it. It is at most [`RingPolicy::view_life`] old, and while the
    /// store is away at most [`RingPolicy::jwks_max_age`]: so a replica that takes no turns publishes no key that was revoked.
    /// No provider is asked. Without a ring it is empty.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away and nothing is known that is young enough. Answer 503 then.
    pub async fn jwks(&self) -> Result<PublishedKeys, StoreError> {
        let policy = &self.shared.policy;
        let now = self.now();
        let Some(Held { ring, read_at_ms }) = self.fresh_or_old().await? else {
            return Ok(PublishedKeys::default());
        };
        let age = u64::try_from(now.saturating_sub(read_at_ms)).unwrap_or_default();
        let max_age = match ring.active() {
            Some(_) => policy
                .jwks_max_age
                .saturating_sub(Duration::from_millis(age)),
            None => Duration::ZERO,
        };
        let keys = ring.jwks(now);
        Ok(PublishedKeys { keys, max_age })
    }

    /// The ring as it was read at most [`RingPolicy::view_life`] ago.
    ///
    /// # Errors
    /// [`RingError::Store`]; [`RingError::NoActiveKey`] while there is no such ring.
    pub async fn ring(&self) -> Result<KeyRing, RingError> {
        let held = self.shared.view.fresh(self.shared.policy.view_life).await?;
        held.map(|held| held.ring).ok_or(RingError::NoActiveKey)
    }

    /// When the keys change.
    pub fn policy(&self) -> &RingPolicy {
        &self.shared.policy
    }

    /// The provider that holds `key`, which is told what key that is.
    pub(crate) fn provider_of(&self, key: &RingKey) -> Result<&CheckedKeyManagement, RingError> {
        let provider = self.shared.providers.find(&key.provider)?;
        let pinned = provider.pin(&key.external_id, &key.public);
        pinned.map_err(|source| failed(&key.provider, source))?;
        Ok(provider)
    }

    pub(crate) fn now(&self) -> i64 {
        self.shared.clock.now_ms()
    }

    /// The rule of whoever verifies: an old view counts as long as a verifier elsewhere may keep a key set.
    async fn fresh_or_old(&self) -> Result<Option<Held>, StoreError> {
        let policy = &self.shared.policy;
        let view = &self.shared.view;
        view.fresh_or_old(policy.view_life, policy.jwks_max_age)
            .await
    }

    async fn read_or_begin(&self) -> Result<KeyRing, RingError> {
        match self.shared.view.read().await? {
            Some(held) => Ok(held.ring),
            None => Ok(KeyRing::new(self.shared.name.clone(), &*self.shared.random)),
        }
    }

    /// Writes the next ring; `None` when another replica was faster.
    async fn write(&self, ring: &KeyRing, next: KeyRing) -> Result<Option<KeyRing>, RingError> {
        let is_written = self.shared.view.write(ring.revision(), &next).await?;
        Ok(is_written.then_some(next))
    }

    async fn do_steps(&self, ring: &mut KeyRing) -> Result<(), RingError> {
        for _ in 0..MAX_STEPS {
            let now = self.now();
            let policy = &self.shared.policy;
            let written = match ring.next_step(now, policy) {
                None => return Ok(()),
                Some(Step::Retire) => self.write(ring, ring.clone().retire(now)).await?,
                Some(Step::Activate) => self.activate(ring).await?,
                Some(Step::Ask) => self.ask(ring).await?,
                Some(Step::Generate) => self.generate(ring).await?,
            };
            *ring = match written {
                Some(next) => next,
                None => self.read_or_begin().await?,
            };
        }
        Ok(())
    }

    /// Remembers for the next turn that the provider did not sign with `key`, if it may have lost it.
    pub(crate) fn suspect(&self, key: &RingKey, error: &KmsError) {
        if is_gone(error) {
            *self.shared.suspect.lock() = Some(key.kid().to_owned());
        }
    }

    /// Asks for the next key when the active one is lost: its provider shows once more that it does not sign with it.
    async fn replace_suspect(&self, ring: &mut KeyRing) -> Result<(), RingError> {
        let suspect = self.shared.suspect.lock().take();
        let Some(active) = ring
            .active()
            .filter(|key| Some(key.kid()) == suspect.as_deref())
        else {
            return Ok(());
        };
        if ring.pending().is_some() || ring.wanted().is_some() {
            return Ok(());
        }
        match self.prove(active).await {
            Err(error) if is_lost(&error) => {
                let (name, why) = (self.shared.name.as_str(), chain(&error));
                tracing::error!(
                    ring = name,
                    kid = active.kid(),
                    why,
                    "the active key is lost"
                );
                *ring = match self.ask(ring).await? {
                    Some(asked) => asked,
                    None => self.read_or_begin().await?,
                };
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Lets the pending key sign, once its provider has shown that it can; `None` when another replica was faster.
    ///
    /// A provider may have lost the key meanwhile, or replaced it: some make a second key under a name that is taken, which
    /// two replicas may ask for at once. Then the key is given up before anybody needs it.
    async fn activate(&self, ring: &KeyRing) -> Result<Option<KeyRing>, RingError> {
        let Some(pending) = ring.pending() else {
            return Ok(None);
        };
        match self.prove(pending).await {
            Ok(()) => {
                let next = ring.clone().activate(self.now(), &self.shared.policy)?;
                self.write(ring, next).await
            }
            Err(error) if is_lost(&error) => {
                let next = ring.clone().revoke(pending.kid(), self.now())?;
                self.ask_after(ring, next).await?;
                Err(error)
            }
            Err(error) => Err(error),
        }
    }

    async fn prove(&self, key: &RingKey) -> Result<(), RingError> {
        let provider = self.provider_of(key)?;
        let algorithm = key.public.algorithm();
        let signed = provider.sign(&key.external_id, algorithm, PROOF).await;
        signed
            .map(drop)
            .map_err(|source| failed(&key.provider, source))
    }

    /// Stores that the next key is to be made, before it is; `None` when another replica was faster.
    async fn ask(&self, ring: &KeyRing) -> Result<Option<KeyRing>, RingError> {
        let next = ring.clone().ask(&*self.shared.random);
        self.write(ring, next).await
    }

    /// Makes the key that is asked for and stores it, once its provider has shown that it signs; `None` when another replica
    /// was faster. A key that does not sign is given up: it is to be deleted, and another one is asked for.
    async fn generate(&self, ring: &KeyRing) -> Result<Option<KeyRing>, RingError> {
        if ring.keys().len() >= MAX_RING_KEYS {
            return Err(RingFault::Full.into());
        }
        let Some(external_id) = ring.next_external_id(self.shared.policy.algorithm)? else {
            return Ok(None);
        };
        let (next, lost) = match self.make_key(external_id).await {
            Ok(key) => {
                let (kid, proof) = (key.kid().to_owned(), self.prove(&key).await);
                match (ring.clone().with_pending(key, self.now()), proof) {
                    (Ok(next), Ok(())) => return self.write(ring, next).await,
                    (Ok(next), Err(error)) => (next.revoke(&kid, self.now())?, error),
                    // The provider shows a key of the ring under another name: that one is not to be deleted.
                    (Err(fault), _) => (ring.clone(), fault.into()),
                }
            }
            Err(error) => (ring.clone(), error),
        };
        if is_lost(&lost) {
            self.ask_after(ring, next).await?;
        }
        Err(lost)
    }

    /// Asks for another key in the place of one that is given up in `next`.
    async fn ask_after(&self, ring: &KeyRing, next: KeyRing) -> Result<(), RingError> {
        let next = next.ask(&*self.shared.random);
        self.write(ring, next).await.map(drop)
    }

    async fn make_key(&self, external_id: KeyId) -> Result<RingKey, RingError> {
        let policy = &self.shared.policy;
        let (id, provider) = self.shared.providers.pick(policy.provider.as_deref())?;
        let made = self.generate_or_find(provider, &external_id).await;
        let public = made.map_err(|source| failed(id, source))?;
        Ok(RingKey {
            public,
            provider: id.to_owned(),
            external_id,
            state: KeyState::Pending {
                since_ms: self.now(),
            },
        })
    }

    /// A key of this name was made by a turn that did not come to store it: then it is that one.
    async fn generate_or_find(
        &self,
        provider: &CheckedKeyManagement,
        kid: &KeyId,
    ) -> Result<PublicJwk, KmsError> {
        let algorithm = self.shared.policy.algorithm;
        let made = match provider.generate(kid, algorithm).await {
            Err(KmsError::KeyExists(_)) => {
                let found = provider.public_key(kid).await?;
                found.ok_or_else(|| KmsError::KeyNotFound(kid.clone()))?
            }
            made => made?,
        };
        if made.algorithm() != algorithm {
            return Err(KmsError::OtherAlgorithm(algorithm));
        }
        let thumbprint = made.thumbprint().to_owned();
        made.with_kid(&thumbprint).map_err(KmsError::PublicKey)
    }

    /// Asks for all deletions at once, so that it lasts as long as the longest of them.
    async fn delete_retired(&self, mut ring: KeyRing) -> Result<Vec<Undeleted>, RingError> {
        let retired: Vec<RingKey> = ring.deleting().cloned().collect();
        let deletions = join_all(retired.iter().map(|key| self.delete(key))).await;
        let mut undeleted = Vec::new();
        for (key, deleted) in retired.iter().zip(deletions) {
            let kid = key.kid().to_owned();
            match deleted {
                Err(error) => undeleted.push(Undeleted { kid, error }),
                Ok(()) => ring = self.forget(ring, &kid).await?,
            }
        }
        Ok(undeleted)
    }

    /// Forgets a key whose provider has deleted it, unless another replica has. Who is too slow does it in the next turn.
    async fn forget(&self, mut ring: KeyRing, kid: &str) -> Result<KeyRing, RingError> {
        for _ in 0..MAX_ATTEMPTS {
            let Ok(next) = ring.clone().forget(kid) else {
                break;
            };
            match self.write(&ring, next).await? {
                Some(next) => return Ok(next),
                None => ring = self.read_or_begin().await?,
            }
        }
        Ok(ring)
    }

    async fn delete(&self, key: &RingKey) -> Result<(), RingError> {
        let provider = self.shared.providers.find(&key.provider)?;
        let deleted = provider.delete(&key.external_id).await;
        deleted.map_err(|source| failed(&key.provider, source))
    }
}

/// The keys that are published, found by their thumbprints. While the store is away, what was read counts as long as a
/// verifier elsewhere may keep a key set ([`RingPolicy::jwks_max_age`]); after that nothing is accepted.
#[async_trait]
impl KeySource for RingKeeper {
    async fn key(&self, kid: &str) -> Result<Option<PublicJwk>, StoreError> {
        let policy = &self.shared.policy;
        let held = self
            .shared
            .view
            .fresh_or_old(policy.view_life, policy.jwks_max_age);
        let Some(Held { ring, .. }) = held.await? else {
            return Ok(None);
        };
        let found = ring.find(kid).filter(|key| key.is_published(self.now()));
        Ok(found.map(|key| key.public.clone()))
    }
}

impl fmt::Debug for RingKeeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RingKeeper")
            .field("name", &self.shared.name)
            .finish_non_exhaustive()
    }
}
