//! Having acknowledgements booked.

use auth_base::error_chain::chain;

use crate::acknowledgements::{Acknowledgements, ReceivedAck};
use crate::broker::DeliveryTag;
use crate::inbound::lane::{Outcome, Work};

/// Acknowledgements from this many on are booked in two halves.
const HALVED: usize = 64;

/// Books acknowledgements.
pub(super) struct Booking(pub(super) Acknowledgements);

impl Work<ReceivedAck> for Booking {
    async fn work(&self, acks: Vec<(DeliveryTag, ReceivedAck)>) -> Outcome<ReceivedAck> {
        let all: Vec<_> = acks.iter().map(|(_, ack)| ack.clone()).collect();
        // Two halves at once: while one waits for its commit, the other works.
        let (first, second) = all.split_at(if all.len() < HALVED {
            all.len()
        } else {
            all.len() / 2
        });
        let booking = &self.0;
        let (first, second) = tokio::join!(booking.book(first), booking.book(second));
        match first.and(second) {
            Ok(()) => Outcome {
                done: acks.into_iter().map(|(tag, _)| tag).collect(),
                kept: Vec::new(),
                failure: None,
            },
            Err(error) => Outcome {
                done: Vec::new(),
                kept: acks,
                failure: Some(match all.as_slice() {
                    [one] => format!(
                        "{} from {}: {}",
                        one.ack.event_id,
                        one.sender,
                        chain(&error)
                    ),
                    _ => chain(&error),
                }),
            },
        }
    }
}
