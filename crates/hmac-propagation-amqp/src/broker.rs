//! The broker.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use hmac_propagation::broker::{
    Broker, BrokerError, BrokerStatus, OutboundMessage, PublishError, QueueDepth, Subscription,
};
use hmac_propagation::queue::PeerName;
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::consume::{AmqpSubscription, Consuming};
use crate::options::AmqpOptions;
use crate::reconnect::{Link, connection, keep_connected};
use crate::status::StatusTracker;

/// RabbitMQ behind the [`Broker`] seam: one connection that comes back by itself until [`Broker::close`] or until this is dropped.
pub struct AmqpBroker {
    options: Arc<AmqpOptions>,
    status: Arc<StatusTracker>,
    link: watch::Receiver<Link>,
    closing: CancellationToken,
    _close_on_drop: DropGuard,
}

impl AmqpBroker {
    /// Starts connecting and returns at once; [`Broker::status`] tells how it goes. Must be called within a tokio runtime.
    pub fn connect(options: AmqpOptions) -> Self {
        let options = Arc::new(options);
        let status = Arc::new(StatusTracker::new());
        let (sender, link) = watch::channel(Link::Connecting);
        let closing = CancellationToken::new();
        tokio::spawn(keep_connected(
            Arc::clone(&options),
            Arc::clone(&status),
            sender,
            closing.clone(),
        ));
        Self {
            options,
            status,
            link,
            closing: closing.clone(),
            _close_on_drop: closing.drop_guard(),
        }
    }
}

#[async_trait]
impl Broker for AmqpBroker {
    /// Needs a right to configure the queue only where there is none. A queue that is there may have arguments: that is for
    /// its peer to see. Bound: five times the operation timeout and the connect timeout.
    async fn declare(&self, peer: &PeerName) -> Result<(), BrokerError> {
        let connection = connection(&self.link, self.options.connect_timeout).await?;
        Ok(connection.declare(&peer.queue()).await?)
    }

    /// Bound: the confirm timeout for each window of messages, and for a free channel, and the connect timeout. Without a
    /// connection it answers at once, but for a moment's wait while the first attempt after a loss is under way.
    async fn publish(&self, messages: Vec<OutboundMessage>) -> Vec<Result<(), PublishError>> {
        if messages.is_empty() {
            return Vec::new();
        }
        match connection(&self.link, self.options.connect_timeout).await {
            Ok(connection) => connection.publishers.publish(&messages).await,
            Err(error) => vec![Err(PublishError::unconfirmed(error)); messages.len()],
        }
    }

    async fn subscribe(
        &self,
        peer: &PeerName,
        prefetch: u16,
    ) -> Result<Box<dyn Subscription>, BrokerError> {
        if self.closing.is_cancelled() {
            return Err(BrokerError::Closed);
        }
        let consuming = Consuming {
            options: Arc::clone(&self.options),
            status: Arc::clone(&self.status),
            link: self.link.clone(),
            queue: peer.queue(),
            prefetch: prefetch.max(1),
        };
        Ok(Box::new(AmqpSubscription::start(
            consuming,
            self.closing.child_token(),
        )))
    }

    /// Bound: twice the operation timeout and the connect timeout.
    async fn queue_depth(&self, peer: &PeerName) -> Result<Option<QueueDepth>, BrokerError> {
        let connection = connection(&self.link, self.options.connect_timeout).await?;
        Ok(connection.depth(&peer.queue()).await?)
    }

    fn status(&self) -> watch::Receiver<BrokerStatus> {
        self.status.watch()
    }

    /// Bound: twice the operation timeout.
    async fn close(&self) {
        self.closing.cancel();
        let mut link = self.link.clone();
        let closed = link.wait_for(|link| matches!(link, Link::Closed));
        let _ = tokio::time::timeout(self.options.operation_timeout * 2, closed).await;
    }
}

impl fmt::Debug for AmqpBroker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let status = self.status.watch().borrow().clone();
        f.debug_struct("AmqpBroker")
            .field("options", &self.options)
            .field("status", &status)
            .finish()
    }
}
