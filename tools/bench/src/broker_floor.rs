//! What the broker client alone can do: the same messages, and no store.

use std::time::Instant;

use hdrhistogram::Histogram;
use hmac_propagation::broker::{Broker, OutboundMessage, Settlement, Subscription};
use hmac_propagation::queue::PeerName;
use hmac_propagation_amqp::broker::AmqpBroker;
use hmac_propagation_amqp::options::AmqpOptions;

use crate::error::Error;
use crate::mesh::Servers;

/// Messages of the size of an event (about 400 bytes) and of an ack (about 250).
const EVENT: usize = 400;
const ACK: usize = 250;
const WINDOW: usize = 500;

/// Microseconds since `start`.
pub(crate) fn micros(start: Instant) -> u64 {
    u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX)
}

/// Two peers that only exchange messages.
pub(crate) struct Floor {
    vhost: String,
}

struct Peer {
    broker: AmqpBroker,
    subscription: Box<dyn Subscription>,
    other: PeerName,
}

impl Floor {
    pub(crate) async fn connect(servers: &Servers) -> Result<Self, Error> {
        Ok(Self {
            vhost: servers.rabbitmq.vhost("floor").await?,
        })
    }

    /// Rows per second: each a message there (published with confirm, consumed, settled) and one back.
    pub(crate) async fn bulk(&self, rows: usize) -> Result<f64, Error> {
        let (mut near, far) = (
            self.peer("near", "far").await?,
            self.peer("far", "near").await?,
        );
        let echo = tokio::spawn(far.answer(rows));
        let start = Instant::now();
        let mut sent = 0;
        while sent < rows {
            let n = WINDOW.min(rows - sent);
            near.publish(n, EVENT).await?;
            sent += n;
        }
        near.take(rows).await?;
        let rate = rows as f64 / start.elapsed().as_secs_f64();
        echo.await??;
        near.broker.close().await;
        Ok(rate)
    }

    /// The median time, in ms, of one message there and one back.
    pub(crate) async fn single(&self, times: usize) -> Result<f64, Error> {
        let (mut near, far) = (
            self.peer("near", "far").await?,
            self.peer("far", "near").await?,
        );
        let echo = tokio::spawn(far.answer(times));
        let mut histogram = Histogram::<u64>::new(3)?;
        for _ in 0..times {
            let start = Instant::now();
            near.publish(1, EVENT).await?;
            near.take(1).await?;
            histogram.record(micros(start))?;
        }
        echo.await??;
        near.broker.close().await;
        Ok(histogram.value_at_quantile(0.5) as f64 / 1e3)
    }

    async fn peer(&self, name: &str, other: &str) -> Result<Peer, Error> {
        let broker = AmqpBroker::connect(AmqpOptions::from_url(&self.vhost, name)?);
        let subscription = broker.subscribe(&PeerName::parse(name)?, 512).await?;
        let other = PeerName::parse(other)?;
        let mut status = broker.status();
        status
            .wait_for(|status| status.connected && status.consuming)
            .await?;
        broker.declare(&other).await?;
        Ok(Peer {
            broker,
            subscription,
            other,
        })
    }
}

impl Peer {
    async fn publish(&mut self, n: usize, bytes: usize) -> Result<(), Error> {
        let message = |i: usize| OutboundMessage {
            target: self.other.clone(),
            message_id: i.to_string(),
            timestamp_ms: 0,
            body: vec![b'x'; bytes],
        };
        for outcome in self.broker.publish((0..n).map(message).collect()).await {
            outcome?;
        }
        Ok(())
    }

    async fn take(&mut self, n: usize) -> Result<(), Error> {
        let mut taken = 0;
        while taken < n {
            taken += self.settle_some().await?;
        }
        Ok(())
    }

    async fn settle_some(&mut self) -> Result<usize, Error> {
        let deliveries = self.subscription.next(256).await;
        let done: Vec<_> = deliveries
            .iter()
            .map(|delivery| (delivery.tag, Settlement::Acknowledge))
            .collect();
        self.subscription.settle(&done).await?;
        Ok(deliveries.len())
    }

    /// Answers `n` messages, then closes.
    async fn answer(mut self, n: usize) -> Result<(), Error> {
        let mut answered = 0;
        while answered < n {
            let deliveries = self.subscription.next(256).await;
            self.publish(deliveries.len(), ACK).await?;
            let done: Vec<_> = deliveries
                .iter()
                .map(|d| (d.tag, Settlement::Acknowledge))
                .collect();
            self.subscription.settle(&done).await?;
            answered += deliveries.len();
        }
        self.broker.close().await;
        Ok(())
    }
}
