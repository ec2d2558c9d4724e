//! The signer of a client and, for a while after a switch, the one before it.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hmac_auth::sign::Signer;
use parking_lot::{Mutex, MutexGuard};
use tokio::time::Instant;
use url::{Origin, Url};

/// A peer that has not heard of a rotation yet is called with the previous secret first for this long.
const BEHIND: Duration = Duration::from_secs(1);

/// So many such peers are remembered at most; the others cost a second request.
const BEHIND_LIMIT: usize = 1_024;

/// What the clones of a client share.
pub(crate) struct Signers {
    state: Mutex<State>,
    repeated: AtomicU64,
}

struct State {
    current: Arc<Signer>,
    previous: Option<Previous>,
}

struct Previous {
    signer: Arc<Signer>,
    /// `None` is for ever.
    until: Option<Instant>,
    /// Who has just refused the current secret and taken the previous one, and until when that is believed.
    behind: HashMap<Origin, Instant>,
}

impl Signers {
    pub(crate) fn new(signer: Signer) -> Self {
        let state = State {
            current: Arc::new(signer),
            previous: None,
        };
        Self {
            state: Mutex::new(state),
            repeated: AtomicU64::new(0),
        }
    }

    pub(crate) fn current(&self) -> Arc<Signer> {
        Arc::clone(&self.lock().current)
    }

    /// The secret of today once more changes nothing. The secret of another client is none to fall back to.
    pub(crate) fn switch_to(&self, signer: Signer, overlap: Duration) {
        let mut state = self.lock();
        if state.current.signs_like(&signer) {
            return;
        }
        let keeps = !overlap.is_zero() && state.current.client_id() == signer.client_id();
        let replaced = std::mem::replace(&mut state.current, Arc::new(signer));
        let until = Instant::now().checked_add(overlap);
        state.previous = keeps.then(|| Previous {
            signer: replaced,
            until,
            behind: HashMap::new(),
        });
    }

    pub(crate) fn retire_previous(&self) -> bool {
        self.lock().previous.take().is_some()
    }

    /// The one that the peer at `url` is most likely to take.
    pub(crate) fn first_for(&self, url: &Url) -> Arc<Signer> {
        let state = self.lock();
        let behind = state.previous.as_ref().filter(|previous| {
            // Most of the time nobody is behind, and an origin is not taken apart for nothing.
            let believed_until = match previous.behind.is_empty() {
                true => None,
                false => previous.behind.get(&url.origin()),
            };
            believed_until.is_some_and(|until| *until > Instant::now())
        });
        Arc::clone(behind.map_or(&state.current, |previous| &previous.signer))
    }

    /// What else can be tried after `refused` was; also what has become current meanwhile.
    pub(crate) fn other_than(&self, refused: &Arc<Signer>) -> Option<Arc<Signer>> {
        let state = self.lock();
        if !Arc::ptr_eq(&state.current, refused) {
            return Some(Arc::clone(&state.current));
        }
        state
            .previous
            .as_ref()
            .map(|previous| Arc::clone(&previous.signer))
    }

    /// Books that a request is sent a second time.
    pub(crate) fn repeats(&self) {
        self.repeated.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn repeated(&self) -> u64 {
        self.repeated.load(Ordering::Relaxed)
    }

    /// Remembers which of the two the peer at `url` took after it had refused the other.
    pub(crate) fn took(&self, taken: &Arc<Signer>, url: &Url) {
        let mut state = self.lock();
        let Some(previous) = &mut state.previous else {
            return;
        };
        let now = Instant::now();
        if !Arc::ptr_eq(&previous.signer, taken) {
            previous.behind.remove(&url.origin());
            return;
        }
        if previous.behind.len() >= BEHIND_LIMIT {
            previous.behind.retain(|_, until| *until > now);
        }
        if previous.behind.len() < BEHIND_LIMIT {
            previous.behind.insert(url.origin(), now + BEHIND);
        }
    }

    /// Locks, and forgets the previous signer when its time is over.
    fn lock(&self) -> MutexGuard<'_, State> {
        let mut state = self.state.lock();
        let ended = |until: Instant| until <= Instant::now();
        if state
            .previous
            .as_ref()
            .and_then(|previous| previous.until)
            .is_some_and(ended)
        {
            state.previous = None;
        }
        state
    }
}

#[cfg(test)]
mod tests {
    use auth_base::secret::Secret;
    use hmac_auth::credential::ClientId;
    use hmac_auth::secret_hash::hash_client_secret;

    use super::*;

    const OVERLAP: Duration = Duration::from_secs(60);

    fn signer(client: &str, secret: &str) -> Signer {
        Signer::new(
            ClientId::parse(client).unwrap(),
            hash_client_secret(&Secret::new(secret), None),
        )
    }

    fn url(port: u16) -> Url {
        Url::parse(&format!("http://127.0.0.1:{port}/path")).unwrap()
    }

    fn is(signer_found: &Arc<Signer>, secret: &str) -> bool {
        signer_found.signs_like(&signer("billing", secret))
    }

    #[tokio::test(start_paused = true)]
    async fn the_previous_signer_ends_with_the_overlap() {
        let signers = Signers::new(signer("billing", "one"));
        assert!(signers.other_than(&signers.current()).is_none());
        signers.switch_to(signer("billing", "two"), OVERLAP);
        assert!(is(&signers.current(), "two"));
        assert!(is(&signers.other_than(&signers.current()).unwrap(), "one"));
        tokio::time::advance(OVERLAP).await;
        assert!(signers.other_than(&signers.current()).is_none());
        assert!(!signers.retire_previous());
    }

    #[tokio::test(start_paused = true)]
    async fn an_overlap_may_last_for_ever_or_not_at_all() {
        let signers = Signers::new(signer("billing", "one"));
        signers.switch_to(signer("billing", "two"), Duration::MAX);
        tokio::time::advance(OVERLAP * 10_000).await;
        assert!(signers.retire_previous());
        signers.switch_to(signer("billing", "three"), Duration::ZERO);
        assert!(!signers.retire_previous());
    }

    #[tokio::test]
    async fn the_same_secret_again_forgets_nothing_and_another_client_everything() {
        let signers = Signers::new(signer("billing", "one"));
        signers.switch_to(signer("billing", "two"), OVERLAP);
        signers.switch_to(signer("billing", "two"), OVERLAP);
        assert!(is(&signers.other_than(&signers.current()).unwrap(), "one"));
        signers.switch_to(signer("orders", "two"), OVERLAP);
        assert!(signers.other_than(&signers.current()).is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_behind_gets_the_previous_secret_first_for_a_moment() {
        let signers = Signers::new(signer("billing", "one"));
        signers.switch_to(signer("billing", "two"), OVERLAP);
        let previous = signers.other_than(&signers.current()).unwrap();
        signers.took(&previous, &url(1));
        assert!(is(&signers.first_for(&url(1)), "one"));
        assert!(
            is(&signers.first_for(&url(2)), "two"),
            "another peer is not behind"
        );
        signers.took(&signers.current(), &url(1));
        assert!(is(&signers.first_for(&url(1)), "two"), "it is no longer");
        signers.took(&previous, &url(1));
        tokio::time::advance(BEHIND).await;
        assert!(is(&signers.first_for(&url(1)), "two"), "it may have heard");
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_remembered_is_bounded() {
        let signers = Signers::new(signer("billing", "one"));
        signers.switch_to(signer("billing", "two"), OVERLAP);
        let previous = signers.other_than(&signers.current()).unwrap();
        let remembered = || signers.lock().previous.as_ref().unwrap().behind.len();
        for port in 1..2_000 {
            signers.took(&previous, &url(port));
        }
        assert_eq!(remembered(), BEHIND_LIMIT);
        tokio::time::advance(BEHIND).await;
        signers.took(&previous, &url(2_000));
        assert_eq!(remembered(), 1);
    }

    #[tokio::test]
    async fn a_switch_while_a_request_is_under_way_gives_it_the_new_secret() {
        let signers = Signers::new(signer("billing", "one"));
        let used = signers.current();
        signers.switch_to(signer("billing", "two"), OVERLAP);
        signers.switch_to(signer("billing", "three"), OVERLAP);
        assert!(is(&signers.other_than(&used).unwrap(), "three"));
    }
}
