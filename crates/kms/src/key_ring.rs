//! A ring of signing keys: one that signs, the next one, and those whose signatures are still valid.
//!
//! This is the pure state machine: it does no I/O, and every change takes the ring and gives the next one. Where rings are
//! kept is [`crate::ring_store`]; who drives them is [`crate::ring_keeper`].
//!
//! | state | published | signs | becomes |
//! |---|---|---|---|
//! | pending | yes | no | active, when every verifier has had time to fetch it |
//! | active, exactly one | yes | yes | retiring, when the next one becomes active |
//! | retiring | yes | no | deleting, when the last token that it signed has expired |
//! | deleting | no | no | gone, when its provider has confirmed |

use auth_base::random::Random;
use jwt_auth::{Algorithm, Jwks};

use crate::key_id::{InvalidName, KeyId, RingName};
use crate::ring_key::{KeyState, RingKey};
use crate::ring_policy::RingPolicy;

/// So many keys a ring has at most, whatever their state.
pub const MAX_RING_KEYS: usize = 16;

/// How often a ring was changed. A store takes a change only of the revision that it holds (compare and set).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Revision(pub u64);

impl Revision {
    /// The revision after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

/// Why a ring is not changed, or a stored one not read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RingFault {
    /// There is a next key already.
    #[error("the ring has a pending key already")]
    PendingExists,
    /// There is no pending key, or verifiers may not know it yet.
    #[error("the ring has no pending key that every verifier knows")]
    NotReady,
    /// More keys than a ring may have, most of them to be deleted.
    #[error("the ring has {MAX_RING_KEYS} keys already")]
    Full,
    /// The ring has a key that is called so.
    #[error("the ring has this key already")]
    SameKey,
    /// No key of the ring is called so.
    #[error("the ring has no such key")]
    UnknownKey,
    /// The key is not one that is to be deleted.
    #[error("the key is not one that is to be deleted")]
    NotDeleting,
    /// More than one key is active, or pending.
    #[error("the ring has more than one {0} key")]
    MoreThanOne(&'static str),
}

/// A ring. Its keys stand in the order in which they were made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRing {
    name: RingName,
    tag: String,
    revision: Revision,
    made: u64,
    wanted: Option<String>,
    keys: Vec<RingKey>,
}

/// What is to be done next with a ring.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Publish what is due no more.
    Retire,
    /// Let the pending key sign.
    Activate,
    /// Say that the next key is to be made, and what it is called.
    Ask,
    /// Make the next key.
    Generate,
}

impl KeyRing {
    /// A new ring without a key. Its `tag` tells its keys from those of another installation at the same provider.
    pub fn new(name: RingName, random: &dyn Random) -> Self {
        Self {
            name,
            tag: draw::<8>(random),
            revision: Revision::default(),
            made: 0,
            wanted: None,
            keys: Vec::new(),
        }
    }

    /// Puts a stored ring together again.
    ///
    /// # Errors
    /// [`RingFault`] when no ring can be like this.
    pub fn from_parts(
        name: RingName,
        tag: String,
        revision: Revision,
        made: u64,
        wanted: Option<String>,
        keys: Vec<RingKey>,
    ) -> Result<Self, RingFault> {
        let ring = Self {
            name,
            tag,
            revision,
            made,
            wanted,
            keys,
        };
        for state in ["active", "pending"] {
            if ring.in_state(state).count() > 1 {
                return Err(RingFault::MoreThanOne(state));
            }
        }
        let mut kids: Vec<&str> = ring.keys.iter().map(RingKey::kid).collect();
        kids.sort_unstable();
        kids.dedup();
        match (kids.len() == ring.keys.len(), ring.keys.len()) {
            (false, _) => Err(RingFault::SameKey),
            (true, ..=MAX_RING_KEYS) => Ok(ring),
            _ => Err(RingFault::Full),
        }
    }

    /// What the ring is called.
    pub fn name(&self) -> &RingName {
        &self.name
    }

    /// What tells the ring's keys from those of another installation: 16 hexadecimal digits.
    pub fn tag(&self) -> &str {
        &self.tag
    }

    /// How often it was changed.
    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// How many keys were made for it so far.
    pub fn made(&self) -> u64 {
        self.made
    }

    /// The random part of what the next key is called, while one is wanted: 32 hexadecimal digits.
    pub fn wanted(&self) -> Option<&str> {
        self.wanted.as_deref()
    }

    /// Its keys, in the order in which they were made.
    pub fn keys(&self) -> &[RingKey] {
        &self.keys
    }

    /// The key that signs.
    pub fn active(&self) -> Option<&RingKey> {
        self.in_state("active").next()
    }

    /// The key that signs next.
    pub fn pending(&self) -> Option<&RingKey> {
        self.in_state("pending").next()
    }

    /// The keys that are to be deleted at their providers.
    pub fn deleting(&self) -> impl Iterator<Item = &RingKey> {
        self.in_state("deleting")
    }

    /// Finds a key by its thumbprint.
    pub fn find(&self, kid: &str) -> Option<&RingKey> {
        self.keys.iter().find(|key| key.kid() == kid)
    }

    /// What verifiers are to know at `now_ms`: the active key first.
    pub fn jwks(&self, now_ms: i64) -> Jwks {
        let is_active = |key: &&RingKey| matches!(key.state, KeyState::Active { .. });
        let active = self.keys.iter().filter(is_active);
        let others = self.keys.iter().filter(|key| !is_active(key));
        let published = active.chain(others).filter(|key| key.is_published(now_ms));
        Jwks::new(published.map(|key| key.public.clone()))
    }

    /// What the next key is called at its provider, if one is wanted, and it is one for `algorithm`. It stays the same until
    /// that key is in the ring: whoever is killed between making a key and storing it finds it again. Who wants another
    /// algorithm does not, and nobody can put a key there before: the last part is drawn with [`Self::ask`].
    ///
    /// # Errors
    /// [`InvalidName`] when a store has spoiled it.
    pub fn next_external_id(&self, algorithm: Algorithm) -> Result<Option<KeyId>, InvalidName> {
        let Some(wanted) = &self.wanted else {
            return Ok(None);
        };
        let (name, tag, number) = (&self.name, &self.tag, self.made + 1);
        KeyId::parse(&format!("{name}-{tag}-{number}-{algorithm}-{wanted}")).map(Some)
    }

    /// Asks for the next key, by a name that nobody knows yet. It stays asked for until a key is added.
    #[must_use]
    pub fn ask(mut self, random: &dyn Random) -> Self {
        self.wanted = Some(draw::<16>(random));
        self.changed()
    }

    /// Adds the next key as pending. It is asked for no more.
    ///
    /// # Errors
    /// [`RingFault::PendingExists`], [`RingFault::Full`], [`RingFault::SameKey`].
    pub fn with_pending(mut self, key: RingKey, now_ms: i64) -> Result<Self, RingFault> {
        if self.pending().is_some() {
            return Err(RingFault::PendingExists);
        }
        if self.keys.len() >= MAX_RING_KEYS {
            return Err(RingFault::Full);
        }
        if self.find(key.kid()).is_some() {
            return Err(RingFault::SameKey);
        }
        let state = KeyState::Pending { since_ms: now_ms };
        self.keys.push(RingKey { state, ..key });
        self.made += 1;
        self.wanted = None;
        Ok(self.changed())
    }

    /// Makes the pending key the active one, and the active one retiring, in one step: there is never none.
    ///
    /// # Errors
    /// [`RingFault::NotReady`] while verifiers may not know the pending key. Where no key is active, nothing is waited for.
    pub fn activate(self, now_ms: i64, policy: &RingPolicy) -> Result<Self, RingFault> {
        if !self.is_ready(now_ms, policy) {
            return Err(RingFault::NotReady);
        }
        Ok(self.each(|key| match key.state {
            KeyState::Pending { .. } => key.activated(now_ms),
            _ => key.superseded(now_ms, policy),
        }))
    }

    /// Ends the publication of keys whose last token has expired.
    #[must_use]
    pub fn retire(self, now_ms: i64) -> Self {
        self.each(|key| key.retired(now_ms))
    }

    /// Ends the publication of a key at once, because it has leaked. Tokens that it signed are refused from then on.
    ///
    /// # Errors
    /// [`RingFault::UnknownKey`].
    pub fn revoke(self, kid: &str, now_ms: i64) -> Result<Self, RingFault> {
        if self.find(kid).is_none() {
            return Err(RingFault::UnknownKey);
        }
        Ok(self.each(|key| match key.kid() == kid {
            true => key.revoked(now_ms),
            false => key,
        }))
    }

    /// Forgets a key whose provider has confirmed that it is deleted.
    ///
    /// # Errors
    /// [`RingFault::UnknownKey`], [`RingFault::NotDeleting`].
    pub fn forget(mut self, kid: &str) -> Result<Self, RingFault> {
        let key = self.find(kid).ok_or(RingFault::UnknownKey)?;
        if !matches!(key.state, KeyState::Deleting { .. }) {
            return Err(RingFault::NotDeleting);
        }
        self.keys.retain(|key| key.kid() != kid);
        Ok(self.changed())
    }

    /// What is to be done at `now_ms`, the providers' deletions aside.
    pub(crate) fn next_step(&self, now_ms: i64, policy: &RingPolicy) -> Option<Step> {
        let is_over = |key: &RingKey| key.state.until_ms().is_some_and(|until| until <= now_ms);
        if self.keys.iter().any(is_over) {
            return Some(Step::Retire);
        }
        if self.is_ready(now_ms, policy) {
            return Some(Step::Activate);
        }
        let is_old = |key: &RingKey| {
            let limit = policy.rotate_every_ms();
            limit.is_some_and(|limit| now_ms.saturating_sub(key.state.since_ms()) >= limit)
        };
        if self.pending().is_some() {
            return None;
        }
        match self.wanted {
            Some(_) => Some(Step::Generate),
            None => self.active().is_none_or(is_old).then_some(Step::Ask),
        }
    }

    fn is_ready(&self, now_ms: i64, policy: &RingPolicy) -> bool {
        let known = |key: &RingKey| {
            now_ms.saturating_sub(key.state.since_ms()) >= policy.publish_ahead_ms()
        };
        let pending = self.pending();
        pending.is_some_and(|key| self.active().is_none() || known(key))
    }

    fn in_state(&self, state: &'static str) -> impl Iterator<Item = &RingKey> {
        self.keys
            .iter()
            .filter(move |key| key.state.name() == state)
    }

    fn each(mut self, change: impl Fn(RingKey) -> RingKey) -> Self {
        self.keys = self.keys.into_iter().map(change).collect();
        self.changed()
    }

    fn changed(mut self) -> Self {
        self.revision = self.revision.next();
        self
    }
}

fn draw<const BYTES: usize>(random: &dyn Random) -> String {
    let mut bytes = [0; BYTES];
    random.fill(&mut bytes);
    hex::encode(bytes)
}
