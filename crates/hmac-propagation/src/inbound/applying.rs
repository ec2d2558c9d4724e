//! Applying events (propagation wire 2.3, steps 4 and 5).

use std::sync::Arc;

use auth_base::error_chain::chain;
use auth_base::store_error::StoreError;
use tokio::time::Instant;

use crate::broker::DeliveryTag;
use crate::context::Context;
use crate::counters::add;
use crate::inbound::ack_publisher::Answer;
use crate::inbound::classify::Received;
use crate::inbound::lane::{Lane, Outcome, Work};
use crate::peer_store::{Applied, Apply};

/// How often a change that the store refuses (an answer, not silence) is tried before the sender is
/// told. The sender tries again when it is overdue; until then its delivery shows the reason.
const REFUSALS: u32 = 8;

/// Applies events, and has them answered.
pub(super) struct Applying {
    pub(super) context: Arc<Context>,
    pub(super) answers: Arc<Lane<Answer>>,
}

impl Work<Received> for Applying {
    /// Nothing is settled here: that follows the answer.
    async fn work(&self, events: Vec<(DeliveryTag, Received)>) -> Outcome<Received> {
        let batch: Vec<Apply> = events
            .iter()
            .filter_map(|(_, received)| received.outcome.clone().ok())
            .collect();
        let mut results = self.context.store.apply(&batch).await.into_iter();
        let (mut kept, mut failure) = (Vec::new(), None);
        for (tag, mut received) in events {
            let outcome = match received.outcome {
                Err(reason) => Err(reason),
                Ok(apply) => match results.next() {
                    Some(Ok(applied)) => {
                        self.count(&applied);
                        Ok(())
                    }
                    Some(Err(StoreError::Corrupt { reason, .. })) => {
                        Err(format!("corrupt record at the target: {reason}"))
                    }
                    Some(Err(StoreError::Refused(_))) if received.refusals + 1 >= REFUSALS => {
                        Err("the target's store refused the change".to_owned())
                    }
                    result => {
                        if let Some(Err(error)) = &result {
                            failure = Some(chain(error));
                            received.refusals += u32::from(matches!(error, StoreError::Refused(_)));
                        }
                        received.outcome = Ok(apply);
                        kept.push((tag, received));
                        continue;
                    }
                },
            };
            let answer = Answer {
                event_id: received.event_id,
                sender: received.sender,
                outcome,
            };
            if received.is_ours {
                self.answers.push(tag, answer);
            } else {
                let due = Instant::now() + self.context.settings.foreign_answer_delay;
                self.answers.push_later(tag, answer, due);
            }
        }
        Outcome {
            done: Vec::new(),
            kept,
            failure,
        }
    }
}

impl Applying {
    fn count(&self, applied: &Applied) {
        let counters = &self.context.counters;
        match applied {
            Applied::Written => add(&counters.events_applied, 1),
            Applied::Stale { .. } => add(&counters.events_stale, 1),
        }
    }
}
