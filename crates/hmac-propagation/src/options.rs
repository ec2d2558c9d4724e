//! What callers ask of a propagator, and how it is tuned.

use std::time::Duration;

use auth_base::secret::Secret;
use hmac_auth::credential::{Change, ClientId};
use hmac_auth::credentials::SECRET_BYTES;

use crate::management::Operation;
use crate::origin::Origin;
use crate::peer_store::Track;

/// Gives a client a secret, here and on the targets.
#[derive(Clone, Debug)]
pub struct Ensure {
    /// The client: 1..=128 bytes after trimming.
    pub client_id: String,
    /// The plain secret: 16..=128 bytes, or from [`Settings::min_secret_bytes`] on.
    pub secret: Secret,
    /// Who is told; may be empty, may not repeat a name.
    pub targets: Vec<String>,
    /// The track.
    pub track: Track,
    /// IP and CIDR rules; an empty list clears.
    pub allowed_ips: Change<Vec<String>>,
    /// Expiry in epoch milliseconds; `Set(None)` clears.
    pub expires_at: Change<Option<i64>>,
    /// Who asks; it stays at this peer.
    pub origin: Origin,
}

impl Ensure {
    /// Gives `client_id` a secret on this peer alone, on the http track; rules and expiry stay as they are.
    pub fn new(client_id: impl Into<String>, secret: Secret) -> Self {
        Self {
            client_id: client_id.into(),
            secret,
            targets: Vec::new(),
            track: Track::Http,
            allowed_ips: Change::Keep,
            expires_at: Change::Keep,
            origin: Origin::default(),
        }
    }

    /// Tells these peers too.
    pub fn targets(mut self, targets: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.targets = targets.into_iter().map(Into::into).collect();
        self
    }

    /// Concerns another track.
    pub fn track(mut self, track: Track) -> Self {
        self.track = track;
        self
    }

    /// Says who asks.
    pub fn origin(mut self, origin: Origin) -> Self {
        self.origin = origin;
        self
    }

    /// Replaces the IP and CIDR rules; an empty list clears.
    pub fn allowed_ips(mut self, rules: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.allowed_ips = Change::Set(rules.into_iter().map(Into::into).collect());
        self
    }

    /// Replaces the expiry, epoch milliseconds; `None` is never.
    pub fn expires_at(mut self, expires_at: Option<i64>) -> Self {
        self.expires_at = Change::Set(expires_at);
        self
    }
}

/// How an ensure ended.
#[derive(Clone, Debug)]
pub struct Ensured {
    /// The client, trimmed.
    pub client_id: ClientId,
    /// Create, when there was no live credential before, else update.
    pub operation: Operation,
}

/// Gives a known client a new secret, here and on every target booked for it.
#[derive(Clone, Debug)]
pub struct Rotate {
    /// The client.
    pub client_id: String,
    /// The new plain secret: 16..=128 bytes.
    pub secret: Secret,
    /// The track.
    pub track: Track,
    /// Who asks; it stays at this peer.
    pub origin: Origin,
}

impl Rotate {
    /// Gives `client_id` a new secret on the http track.
    pub fn new(client_id: impl Into<String>, secret: Secret) -> Self {
        Self {
            client_id: client_id.into(),
            secret,
            track: Track::Http,
            origin: Origin::default(),
        }
    }

    /// Concerns another track.
    pub fn track(mut self, track: Track) -> Self {
        self.track = track;
        self
    }

    /// Says who asks.
    pub fn origin(mut self, origin: Origin) -> Self {
        self.origin = origin;
        self
    }
}

/// Takes a credential away, here and on the targets.
#[derive(Clone, Debug)]
pub struct Revoke {
    /// The client.
    pub client_id: String,
    /// Who is told; may be empty.
    pub targets: Vec<String>,
    /// The track.
    pub track: Track,
    /// Who asks; it stays at this peer.
    pub origin: Origin,
}

impl Revoke {
    /// Takes `client_id` away on this peer alone, on the http track.
    pub fn new(client_id: impl Into<String>) -> Self {
        Self {
            client_id: client_id.into(),
            targets: Vec::new(),
            track: Track::Http,
            origin: Origin::default(),
        }
    }

    /// Tells these peers too.
    pub fn targets(mut self, targets: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.targets = targets.into_iter().map(Into::into).collect();
        self
    }

    /// Concerns another track.
    pub fn track(mut self, track: Track) -> Self {
        self.track = track;
        self
    }

    /// Says who asks.
    pub fn origin(mut self, origin: Origin) -> Self {
        self.origin = origin;
        self
    }
}

/// Sends again what is booked.
#[derive(Clone, Debug)]
pub struct Resync {
    /// What is sent again.
    pub scope: Resynced,
    /// What becomes of a newer change of another source at a target.
    pub newer: Newer,
    /// Who asks; it stays at this peer.
    pub origin: Origin,
}

/// What a resync sends again.
#[derive(Clone, Debug)]
pub enum Resynced {
    /// Everything this target should hold, revocations included.
    Target(String),
    /// One credential, to every target booked for it.
    Client {
        /// The client.
        client_id: String,
        /// The track.
        track: Track,
    },
}

/// What a resync does to what a target holds that is newer than what this peer sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Newer {
    /// Leaves it alone, and so refuses where the target's store cannot be read. Of a page before the first such target, what
    /// was found stays sent.
    #[default]
    Keep,
    /// Overwrites whatever is there, read or not.
    Overwrite,
}

impl Resync {
    /// Sends everything that `target` should hold.
    pub fn target(target: impl Into<String>) -> Self {
        Self {
            scope: Resynced::Target(target.into()),
            newer: Newer::Keep,
            origin: Origin::default(),
        }
    }

    /// Sends one credential to every target booked for it.
    pub fn client(client_id: impl Into<String>, track: Track) -> Self {
        let client_id = client_id.into();
        Self {
            scope: Resynced::Client { client_id, track },
            newer: Newer::Keep,
            origin: Origin::default(),
        }
    }

    /// Says what becomes of a newer change of another source at a target.
    pub fn newer(mut self, newer: Newer) -> Self {
        self.newer = newer;
        self
    }

    /// Says who asks.
    pub fn origin(mut self, origin: Origin) -> Self {
        self.origin = origin;
        self
    }
}

/// What a sync did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SyncSummary {
    /// How many credentials had something to send.
    pub propagations_read: u64,
    /// How many rows the broker confirmed.
    pub targets_published: u64,
    /// How many rows stay for the next sync.
    pub targets_retrying: u64,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
}

/// Tunes a propagator. The defaults suit a mesh of tens of peers and ten thousands of clients.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How often rows are looked for without being told (5 s).
    pub sync_interval: Duration,
    /// Whether a change is sent right after it was accepted (yes).
    pub sync_on_change: bool,
    /// When a row that got no answer, or an error, is sent again (60 s).
    pub resend_after: Duration,
    /// How often what other peers hold is compared with what they should hold (5 min); zero is never. See [`crate::drift`].
    pub drift_interval: Duration,
    /// How long a claimed row stays with its claimer (30 s); a crashed claimer's rows are free after that.
    pub claim_lease: Duration,
    /// Rows claimed, booked, published and marked together (500).
    pub page: usize,
    /// Unsettled deliveries at most (512).
    pub prefetch: u16,
    /// Deliveries applied or acknowledged together at most (256).
    pub batch: usize,
    /// How long an answer waits for a sender that is not of this project (50 ms). One of the original books an event after it
    /// has published it, and drops an answer that comes before.
    pub foreign_answer_delay: Duration,
    /// How far an event's `ts` may be ahead of the clock (24 h).
    pub max_ahead: Duration,
    /// How short a secret an ensure may give (16 bytes). Less is for adopting clients that already have one: each is warned
    /// of, and a rotation keeps its own bound.
    pub min_secret_bytes: usize,
    /// Bound of one call to a store (5 s).
    pub store_timeout: Duration,
    /// Bound of one call to the management store (10 s).
    pub management_timeout: Duration,
    /// Bound of one call to the broker (15 s).
    pub broker_timeout: Duration,
    /// First wait after a failure (50 ms); doubles up to [`Self::retry_max`].
    pub retry_min: Duration,
    /// Longest wait after a failure (5 s).
    pub retry_max: Duration,
    /// How long `close` waits for what is in hand (8 s).
    pub shutdown_timeout: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            sync_interval: Duration::from_secs(5),
            sync_on_change: true,
            resend_after: Duration::from_secs(60),
            drift_interval: Duration::from_secs(5 * 60),
            claim_lease: Duration::from_secs(30),
            page: 500,
            prefetch: 512,
            batch: 256,
            foreign_answer_delay: Duration::from_millis(50),
            max_ahead: Duration::from_secs(24 * 60 * 60),
            min_secret_bytes: *SECRET_BYTES.start(),
            store_timeout: Duration::from_secs(5),
            management_timeout: Duration::from_secs(10),
            broker_timeout: Duration::from_secs(15),
            retry_min: Duration::from_millis(50),
            retry_max: Duration::from_secs(5),
            shutdown_timeout: Duration::from_secs(8),
        }
    }
}
