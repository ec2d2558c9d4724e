//! What every pipeline stands on: the peer's name and settings, its seams, time and chance, and
//! where it counts and reports.

use std::sync::Arc;
use std::time::Duration;

use auth_base::backoff::Backoff;
use auth_base::clock::Clock;
use auth_base::random::Random;
use hmac_auth::credential::ClientId;
use tokio::sync::Notify;

use crate::bounded::Bounded;
use crate::broker::Broker;
use crate::closing::Closing;
use crate::counters::LiveCounters;
use crate::error::PropagationError;
use crate::event_id::event_id;
use crate::health::Health;
use crate::management::Management;
use crate::options::Settings;
use crate::peer_store::{CredentialKey, PeerStore, Track};
use crate::progress::ProgressSender;
use crate::queue::PeerName;

/// Shared by the pipelines of one propagator. It holds nothing that only one of them needs.
pub(crate) struct Context {
    /// This peer.
    pub(crate) name: PeerName,
    pub(crate) settings: Settings,
    pub(crate) broker: Arc<dyn Broker>,
    /// This peer's own store.
    pub(crate) store: Arc<dyn PeerStore>,
    /// `None` for a receive-only peer.
    pub(crate) management: Option<Arc<dyn Management>>,
    pub(crate) counters: LiveCounters,
    pub(crate) health: Health,
    pub(crate) progress: ProgressSender,
    pub(crate) closing: Closing,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    sync_wanted: Notify,
}

/// The seams as the caller gave them, before each call is bounded.
pub(crate) struct Seams {
    pub(crate) broker: Arc<dyn Broker>,
    pub(crate) store: Arc<dyn PeerStore>,
    pub(crate) management: Option<Arc<dyn Management>>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random>,
}

impl Context {
    pub(crate) fn new(name: PeerName, settings: Settings, seams: Seams) -> Self {
        let management = seams.management.map(|management| {
            Arc::new(Bounded::new(management, settings.management_timeout)) as Arc<dyn Management>
        });
        Self {
            name,
            broker: Arc::new(Bounded::new(seams.broker, settings.broker_timeout)),
            store: Arc::new(Bounded::new(seams.store, settings.store_timeout)),
            management,
            settings,
            counters: LiveCounters::default(),
            health: Health::default(),
            progress: ProgressSender::default(),
            closing: Closing::default(),
            clock: seams.clock,
            random: seams.random,
            sync_wanted: Notify::new(),
        }
    }

    pub(crate) fn now_ms(&self) -> i64 {
        self.clock.now_ms()
    }

    /// A fresh UUID v4.
    pub(crate) fn uuid(&self) -> String {
        uuid::Builder::from_random_bytes(self.random_bytes())
            .into_uuid()
            .to_string()
    }

    pub(crate) fn random_bytes(&self) -> [u8; 16] {
        let mut bytes = [0; 16];
        self.random.fill(&mut bytes);
        bytes
    }

    /// The id of an event that this peer stamps with `ts`.
    pub(crate) fn event_id(&self, ts: i64) -> String {
        event_id(&self.name, ts, self.random_bytes())
    }

    /// The management store.
    ///
    /// # Errors
    /// `ManagementNotConfigured` for a receive-only peer, `Closed` after close.
    pub(crate) fn management(&self) -> Result<&dyn Management, PropagationError> {
        if self.closing.has_begun() {
            return Err(PropagationError::Closed);
        }
        self.management
            .as_deref()
            .ok_or(PropagationError::ManagementNotConfigured)
    }

    /// Checks a client id and a track.
    ///
    /// # Errors
    /// `InvalidOptions`.
    pub(crate) fn key(
        &self,
        client_id: &str,
        track: Track,
    ) -> Result<CredentialKey, PropagationError> {
        let client_id = ClientId::parse(client_id)
            .map_err(|error| PropagationError::invalid("clientId", error))?;
        if !self.store.tracks().contains(&track) {
            return Err(PropagationError::invalid(
                "track",
                "is not held by this peer",
            ));
        }
        Ok(CredentialKey { track, client_id })
    }

    /// Asks for a sync now, unless the settings leave that to the timer.
    pub(crate) fn want_sync(&self) {
        if self.settings.sync_on_change {
            self.sync_wanted.notify_one();
        }
    }

    /// Waits until a sync is wanted.
    pub(crate) async fn sync_wanted(&self) {
        self.sync_wanted.notified().await;
    }

    /// How long to wait after a failure that `failures` came before.
    pub(crate) fn backoff(&self, failures: u32) -> Duration {
        Backoff::new(self.settings.retry_min, self.settings.retry_max).pause(failures)
    }

    /// Waits so long, or until the propagator closes.
    pub(crate) async fn pause(&self, failures: u32) {
        let _ = tokio::time::timeout(self.backoff(failures), self.closing.wait()).await;
    }
}
