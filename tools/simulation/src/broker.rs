//! A process's broker in this story: publishes that are refused, and confirms that are lost.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use hmac_propagation::broker::{
    Broker, BrokerError, BrokerStatus, OutboundMessage, PublishError, QueueDepth, Subscription,
};
use hmac_propagation::queue::PeerName;
use tokio::sync::watch;

use crate::bus::{Link, away};
use crate::seam::{Away, Seam};
use crate::strike::Kind;
use crate::subscription::SimSubscription;
use crate::wire;

/// One process's broker.
pub struct SimBroker {
    seam: Seam,
    link: Arc<Link>,
}

impl SimBroker {
    /// Connects a process.
    pub fn new(seam: Seam) -> Self {
        let link = seam.world.bus.connect(seam.process.id);
        Self { seam, link }
    }

    fn check(&self) -> Result<(), BrokerError> {
        if self.link.is_up() {
            Ok(())
        } else {
            Err(away())
        }
    }

    fn publish_one(&self, mut message: OutboundMessage) -> Result<(), PublishError> {
        let world = &self.seam.world;
        let lost = || Err(PublishError::unconfirmed("the connection was lost"));
        if !self.link.is_up() {
            return lost();
        }
        let fault = match world.strikes(Kind::Broker) && world.dice.one_in(world.plan.rate) {
            true => world.dice.below(4),
            false => u64::MAX,
        };
        match fault {
            0 => lost(),
            1 => Err(PublishError::Refused),
            2 => {
                self.seam.note("connection cut");
                let away = world.dice.between(10, 600);
                let away = Some(Duration::from_millis(away));
                world.bus.cut(self.seam.process.id, away);
                lost()
            }
            _ => {
                let disorder = (world.plan.disorder && world.faults_on()).then_some(&world.dice);
                let body = std::mem::take(&mut message.body);
                let reached = |body: &[u8]| wire::published(world, body);
                let sent = world.bus.enqueue(&message.target, body, disorder, reached);
                if fault == 3 {
                    sent.and_then(|()| lost())
                } else {
                    sent
                }
            }
        }
    }
}

#[async_trait]
impl Broker for SimBroker {
    async fn declare(&self, peer: &PeerName) -> Result<(), BrokerError> {
        let call = async {
            self.check()?;
            self.seam.world.bus.declare(peer);
            Ok(())
        };
        self.seam
            .around(Kind::Broker, "broker.declare", call)
            .await
            .unwrap_or_else(|Away| Err(away()))
    }

    async fn publish(&self, messages: Vec<OutboundMessage>) -> Vec<Result<(), PublishError>> {
        let bodies: Vec<Vec<u8>> = messages
            .iter()
            .map(|message| message.body.clone())
            .collect();
        let call = async {
            messages
                .into_iter()
                .map(|message| self.publish_one(message))
                .collect()
        };
        let outcomes: Vec<_> = match self.seam.around(Kind::Broker, "broker.publish", call).await {
            Ok(outcomes) => outcomes,
            Err(Away) => bodies
                .iter()
                .map(|_| Err(PublishError::unconfirmed("no confirm")))
                .collect(),
        };
        for (body, _) in bodies
            .iter()
            .zip(&outcomes)
            .filter(|(_, outcome)| outcome.is_ok())
        {
            wire::confirmed(&self.seam.world, body);
        }
        outcomes
    }

    async fn subscribe(
        &self,
        peer: &PeerName,
        prefetch: u16,
    ) -> Result<Box<dyn Subscription>, BrokerError> {
        let (seam, link) = (self.seam.clone(), Arc::clone(&self.link));
        Ok(Box::new(SimSubscription {
            seam,
            link,
            peer: peer.clone(),
            prefetch: usize::from(prefetch),
        }))
    }

    async fn queue_depth(&self, peer: &PeerName) -> Result<Option<QueueDepth>, BrokerError> {
        let call = async {
            self.check()?;
            let depth = self.seam.world.bus.waiting(peer);
            Ok(depth.map(|messages| QueueDepth {
                messages: messages as u64,
                consumers: 1,
            }))
        };
        self.seam
            .around(Kind::Broker, "broker.depth", call)
            .await
            .unwrap_or_else(|Away| Err(away()))
    }

    fn status(&self) -> watch::Receiver<BrokerStatus> {
        self.link.status.subscribe()
    }

    async fn close(&self) {
        let call = async { self.seam.world.bus.cut(self.seam.process.id, None) };
        // A connection that cannot be closed ends with its process.
        let _ = self.seam.around(Kind::Broker, "broker.close", call).await;
    }
}
