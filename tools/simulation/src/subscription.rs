//! A process's consumer of its peer's queue.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use hmac_propagation::broker::{BrokerError, Delivery, DeliveryTag, Settlement, Subscription};
use hmac_propagation::queue::PeerName;
use tokio::time::{Instant, sleep, sleep_until};

use crate::bus::{Link, away};
use crate::seam::{Away, Seam};
use crate::strike::Kind;
use crate::wire;

/// A consumer, which resumes by itself after every loss.
pub struct SimSubscription {
    pub(crate) seam: Seam,
    pub(crate) link: Arc<Link>,
    pub(crate) peer: PeerName,
    pub(crate) prefetch: usize,
}

#[async_trait]
impl Subscription for SimSubscription {
    async fn next(&mut self, max: usize) -> Vec<Delivery> {
        let (world, id) = (Arc::clone(&self.seam.world), self.seam.process.id);
        loop {
            let slow = world.slow_ms();
            if slow > 0 {
                sleep(Duration::from_millis(slow)).await;
            }
            if !world.bus.knows(id) {
                return Vec::new();
            }
            let mut again = None;
            let free = self.prefetch.saturating_sub(world.bus.in_hand(id)).min(max);
            if self.link.is_up() && free > 0 {
                let epoch = self.link.status.borrow().epoch;
                match world.bus.take(id, epoch, &self.peer, free) {
                    Ok(deliveries) => {
                        self.seam.note("delivered");
                        return deliveries;
                    }
                    Err(at) => again = at,
                }
            }
            tokio::select! {
                biased;
                () = self.link.changed.notified() => {}
                () = until(again) => {}
            }
        }
    }

    fn set_prefetch(&mut self, prefetch: usize) {
        self.prefetch = prefetch;
    }

    async fn settle(
        &mut self,
        settlements: &[(DeliveryTag, Settlement)],
    ) -> Result<(), BrokerError> {
        let (world, process) = (&self.seam.world, &self.seam.process);
        let unless_settled = CutUnlessSettled(Some(&self.seam));
        let call = async {
            if !self.link.is_up() {
                return Err(away());
            }
            for (tag, settlement) in settlements {
                if let Some(body) = world.bus.settle(process.id, tag.tag, *settlement) {
                    wire::settled(world, &self.peer, &body);
                }
            }
            world.bus.wake_all();
            Ok(())
        };
        let settled = self.seam.around(Kind::Broker, "broker.settle", call).await;
        if settled.is_ok() {
            unless_settled.disarm();
        }
        settled.unwrap_or_else(|Away| Err(away()))
    }
}

/// A settlement is lost only with its connection; then the broker delivers again.
struct CutUnlessSettled<'a>(Option<&'a Seam>);

impl CutUnlessSettled<'_> {
    fn disarm(mut self) {
        self.0 = None;
    }
}

impl Drop for CutUnlessSettled<'_> {
    fn drop(&mut self) {
        if let Some(seam) = self.0.filter(|seam| !seam.process.is_dead()) {
            seam.note("connection cut");
            let away = Duration::from_millis(seam.world.dice.between(1, 300));
            seam.world.bus.cut(seam.process.id, Some(away));
        }
    }
}

async fn until(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}
