//! Publishing to declared queues.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::{Arc, Mutex};

use futures_util::future::join_all;

use crate::broker::{Broker, BrokerError, OutboundMessage, PublishError};
use crate::lock::lock;
use crate::queue::PeerName;

/// Publishes batches, and declares each queue once for a connection.
pub(crate) struct Publisher {
    broker: Arc<dyn Broker>,
    declared: Mutex<Declared>,
}

/// The queues declared on the connection of an epoch.
#[derive(Default)]
struct Declared {
    epoch: u64,
    peers: HashSet<PeerName>,
}

/// Why the broker is not known to have a message.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum NotPublished {
    #[error(transparent)]
    Undeclared(Arc<BrokerError>),
    #[error(transparent)]
    Unconfirmed(PublishError),
}

impl NotPublished {
    /// Tells whether the broker may have it all the same.
    pub(crate) fn may_be_on_its_way(&self) -> bool {
        matches!(self, Self::Unconfirmed(PublishError::Unconfirmed(_)))
    }
}

impl Publisher {
    pub(crate) fn new(broker: Arc<dyn Broker>) -> Self {
        Self {
            broker,
            declared: Mutex::default(),
        }
    }

    /// Publishes a batch and answers each message by itself, in order. A queue found deleted is
    /// declared again, and its messages are tried once more.
    pub(crate) async fn publish(
        &self,
        messages: &[OutboundMessage],
    ) -> Vec<Result<(), NotPublished>> {
        let mut outcomes = vec![Ok(()); messages.len()];
        let all = (0..messages.len()).collect();
        self.attempt(messages, all, &mut outcomes).await;
        let returned: Vec<usize> = (0..messages.len())
            .filter(|&i| is_returned(&outcomes[i]))
            .collect();
        if !returned.is_empty() {
            self.forget(returned.iter().map(|&i| &messages[i].target));
            self.attempt(messages, returned, &mut outcomes).await;
        }
        outcomes
    }

    /// Publishes a batch to queues that are there already, and answers each message by itself, in order.
    pub(crate) async fn publish_undeclared(
        &self,
        messages: Vec<OutboundMessage>,
    ) -> Vec<Result<(), NotPublished>> {
        if messages.is_empty() {
            return Vec::new();
        }
        let outcomes = self.broker.publish(messages).await.into_iter();
        outcomes
            .map(|outcome| outcome.map_err(NotPublished::Unconfirmed))
            .collect()
    }

    /// Publishes `which` of the messages, those whose queue can be declared.
    async fn attempt(
        &self,
        messages: &[OutboundMessage],
        mut which: Vec<usize>,
        outcomes: &mut [Result<(), NotPublished>],
    ) {
        let targets = which.iter().map(|&i| &messages[i].target).collect();
        let undeclared = self.declare_all(targets).await;
        which.retain(|&i| match undeclared.get(&messages[i].target) {
            Some(error) => {
                outcomes[i] = Err(NotPublished::Undeclared(Arc::clone(error)));
                false
            }
            None => true,
        });
        if which.is_empty() {
            return;
        }
        let batch = which.iter().map(|&i| messages[i].clone()).collect();
        let results = self.broker.publish(batch).await;
        for (i, result) in which.into_iter().zip(results) {
            outcomes[i] = result.map_err(NotPublished::Unconfirmed);
        }
    }

    /// Has these queues declared again: somebody deleted them.
    fn forget<'a>(&self, peers: impl Iterator<Item = &'a PeerName>) {
        let mut declared = lock(&self.declared);
        for peer in peers {
            declared.peers.remove(peer);
        }
    }

    /// Declares queues; answers why for those that could not be.
    async fn declare_all<'a>(
        &self,
        targets: BTreeSet<&'a PeerName>,
    ) -> BTreeMap<&'a PeerName, Arc<BrokerError>> {
        let failures = targets.into_iter().map(async |target| {
            let error = self.declare(target).await.err()?;
            Some((target, Arc::new(error)))
        });
        join_all(failures).await.into_iter().flatten().collect()
    }

    /// Declares a peer's queue unless that was done on this connection.
    async fn declare(&self, peer: &PeerName) -> Result<(), BrokerError> {
        let epoch = self.broker.status().borrow().epoch;
        {
            let mut declared = lock(&self.declared);
            if declared.epoch != epoch {
                *declared = Declared {
                    epoch,
                    peers: HashSet::new(),
                };
            }
            if declared.peers.contains(peer) {
                return Ok(());
            }
        }
        self.broker.declare(peer).await?;
        let mut declared = lock(&self.declared);
        if declared.epoch == epoch {
            declared.peers.insert(peer.clone());
        }
        Ok(())
    }
}

fn is_returned(outcome: &Result<(), NotPublished>) -> bool {
    matches!(
        outcome,
        Err(NotPublished::Unconfirmed(PublishError::Unroutable))
    )
}
