//! Progress events for watchers: which delivery came how far, as it happens.
//!
//! An event says *read again*, no more: it is sent once the management store has booked what it is
//! about, so a reader that asks then sees at least that much. Nobody waits for a watcher. One that is
//! slow loses the oldest events and learns that it did
//! ([`tokio::sync::broadcast::error::RecvError::Lagged`]); it then reads everything again. Without a
//! watcher nothing is made.

use tokio::sync::broadcast;

use crate::peer_store::CredentialKey;

/// Events a watcher may be behind before it loses the oldest.
const CAPACITY: usize = 4_096;

/// What happened to a credential, or to its delivery to one target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Progress {
    /// A change was accepted, and tried on this peer's own store.
    Accepted,
    /// The delivery is booked as sent. An acknowledgement that comes quickly takes this mark along:
    /// then there is none.
    Sent,
    /// The target has the change.
    Acknowledged,
    /// The delivery could not be sent, or the target refused it.
    Failed,
    /// The delivery is made again, by a resync or because its target lost what it had.
    Rebooked,
}

/// One step of a credential through the mesh.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProgressEvent {
    /// Whose credential.
    pub key: CredentialKey,
    /// The target's name as stored; `None` when the event is about the credential itself.
    pub target: Option<String>,
    /// What happened.
    pub progress: Progress,
}

/// Where a propagator publishes its progress.
pub(crate) struct ProgressSender(broadcast::Sender<ProgressEvent>);

impl Default for ProgressSender {
    fn default() -> Self {
        Self(broadcast::Sender::new(CAPACITY))
    }
}

impl ProgressSender {
    pub(crate) fn subscribe(&self) -> broadcast::Receiver<ProgressEvent> {
        self.0.subscribe()
    }

    /// Sends one event for each of `about`, which is not evaluated when nobody watches.
    pub(crate) fn send<'a>(
        &self,
        progress: Progress,
        about: impl IntoIterator<Item = (&'a CredentialKey, Option<&'a str>)>,
    ) {
        if self.0.receiver_count() == 0 {
            return;
        }
        for (key, target) in about {
            let event = ProgressEvent {
                key: key.clone(),
                target: target.map(str::to_owned),
                progress,
            };
            // The last watcher may have gone meanwhile.
            let _ = self.0.send(event);
        }
    }
}
