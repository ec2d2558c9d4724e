//! Passwords are checked and hashed on threads for blocking work, so many at once as the machine has cores; a bounded number
//! waits for them.

use std::sync::Arc;
use std::time::Duration;

use accounts::password::HashingFailed;
use accounts::{Password, PasswordHash, PasswordHasher, strength};
use auth_base::random::Random;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::service::problem::Problem;

/// So many calls wait or work; whoever comes then is told to come again.
const PLACES: usize = 64;

/// Nobody waits longer for a core.
const WAIT_LIMIT: Duration = Duration::from_secs(5);

/// Checks and hashes passwords. Clones share the places.
#[derive(Clone)]
pub struct Hashing {
    hasher: PasswordHasher,
    places: Arc<Semaphore>,
    cores: Arc<Semaphore>,
}

/// A place among those who wait for a core.
pub struct Place {
    place: OwnedSemaphorePermit,
    hashing: Hashing,
}

impl Hashing {
    /// Hashes with salts from `random`.
    ///
    /// # Errors
    /// [`HashingFailed`].
    pub fn new(random: Arc<dyn Random>) -> Result<Self, HashingFailed> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Ok(Self {
            hasher: PasswordHasher::new(random)?,
            places: Arc::new(Semaphore::new(PLACES)),
            cores: Arc::new(Semaphore::new(cores)),
        })
    }

    /// Takes a place, before anything is counted or read.
    ///
    /// # Errors
    /// [`Problem::Busy`].
    pub fn place(&self) -> Result<Place, Problem> {
        let place = self.places.clone().try_acquire_owned();
        Ok(Place {
            place: place.map_err(|_| Problem::Busy)?,
            hashing: self.clone(),
        })
    }
}

impl Place {
    /// Tells whether `typed` is the password of `hash`. What is none costs the same.
    ///
    /// # Errors
    /// [`Problem::Busy`], [`Problem::Internal`].
    pub async fn verify(
        self,
        typed: Option<Password>,
        hash: Option<PasswordHash>,
    ) -> Result<bool, Problem> {
        self.work(move |hasher| {
            let (typed, hash) = match typed {
                Some(typed) => (typed, hash),
                None => (nothing()?, None),
            };
            let verified = hasher.verify(&typed, hash.as_ref());
            verified.map_err(|HashingFailed| Problem::Internal)
        })
        .await
    }

    /// Judges a password that is to be chosen, and hashes it. `known` is what anybody knows about its person.
    ///
    /// # Errors
    /// [`Problem::WeakPassword`], [`Problem::Busy`], [`Problem::Internal`].
    pub async fn choose(
        self,
        password: Password,
        known: Vec<String>,
    ) -> Result<PasswordHash, Problem> {
        self.work(move |hasher| {
            let known: Vec<&str> = known.iter().map(String::as_str).collect();
            strength::judge(&password, &known)?;
            let hashed = hasher.hash(&password);
            hashed.map_err(|HashingFailed| Problem::Internal)
        })
        .await
    }

    /// The permits go with the work: a caller who leaves frees no core that is still busy.
    async fn work<T: Send + 'static>(
        self,
        work: impl FnOnce(&PasswordHasher) -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        let Self { place, hashing } = self;
        let core = timeout(WAIT_LIMIT, hashing.cores.acquire_owned()).await;
        let core = core
            .map_err(|_| Problem::Busy)?
            .map_err(|_| Problem::Busy)?;
        let done = spawn_blocking(move || {
            let done = work(&hashing.hasher);
            drop((core, place));
            done
        });
        done.await.map_err(|_| Problem::Internal)?
    }
}

/// Any password: whose hash is absent is refused whatever it is.
fn nothing() -> Result<Password, Problem> {
    Password::new("nobody's password").map_err(|_| Problem::Internal)
}
