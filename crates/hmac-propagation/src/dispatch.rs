//! Sending claimed deliveries: book the page in the ledger, publish it, mark it.
//!
//! This is the publishing half of the transactional outbox; which deliveries are claimed, and when,
//! is for [`crate::outbound`] to say. A delivery whose event was not confirmed is given back, and
//! sent again by a later sync: at-least-once.

use std::sync::Arc;

use auth_base::error_chain::chain;
use hmac_auth::allowed_ips::AllowedIps;
use tokio::time::timeout;

use crate::broker::OutboundMessage;
use crate::context::Context;
use crate::counters::add;
use crate::error::PropagationError;
use crate::event::ApplyEvent;
use crate::management::{PendingMessage, PendingPropagation, SentMark};
use crate::peer_store::{CredentialKey, InFlight};
use crate::progress::Progress;
use crate::publisher::Publisher;
use crate::queue::PeerName;
use crate::sent_marks::{DELAY, SentMarks};

/// Sends pages of claimed deliveries.
pub(crate) struct Dispatch {
    pub(crate) context: Arc<Context>,
    pub(crate) publisher: Arc<Publisher>,
    pub(crate) sent_marks: Arc<SentMarks>,
}

/// How sending a page ended.
#[derive(Default)]
pub(crate) struct Page {
    pub(crate) published: usize,
    pub(crate) failed: usize,
    /// Deliveries that were not even tried, since they cannot be sent.
    unsendable: usize,
}

impl Page {
    /// Tells whether deliveries behind it may be sent: those that cannot be say nothing about the
    /// broker.
    pub(crate) fn lets_others_through(&self) -> bool {
        self.published > 0 || self.failed == self.unsendable
    }
}

impl Dispatch {
    /// Sends one claimed page and marks every delivery of it.
    ///
    /// # Errors
    /// When a store failed; the page was given back, as far as the management store answers.
    pub(crate) async fn send(
        &self,
        rows: Vec<PendingPropagation>,
    ) -> Result<Page, PropagationError> {
        let mut unsent = Vec::new();
        let (mut ready, mut in_flight, mut messages) = (Vec::new(), Vec::new(), Vec::new());
        for row in rows {
            match self.prepare(&row) {
                Ok((event, message)) => {
                    ready.push(row);
                    in_flight.push(event);
                    messages.push(message);
                }
                Err(reason) => {
                    tracing::warn!(client_id = %row.key.client_id, target = row.target, reason, "row cannot be sent");
                    unsent.push(self.mark(&row, Err(reason)));
                }
            }
        }
        let unsendable = unsent.len();
        if !in_flight.is_empty()
            && let Err(error) = self.context.store.book(&in_flight).await
        {
            self.release(&ready, "the peer's store is away").await?;
            return Err(error.into());
        }
        let outcomes = self.publisher.publish(&messages).await;
        let mut sent = Vec::with_capacity(ready.len());
        for (row, outcome) in ready.iter().zip(outcomes) {
            match outcome {
                Ok(()) => sent.push(self.mark(row, Ok(()))),
                Err(error) => {
                    let reason = chain(&error);
                    tracing::warn!(client_id = %row.key.client_id, target = row.target, reason, "event not confirmed; it is sent again");
                    unsent.push(self.mark(row, Err(reason)));
                }
            }
        }
        let page = Page {
            published: sent.len(),
            failed: unsent.len(),
            unsendable,
        };
        add(&self.context.counters.events_published, page.published);
        add(&self.context.counters.events_retrying, page.failed);
        self.sent_marks.add(sent);
        if !unsent.is_empty() {
            self.give_back(&unsent).await?;
        }
        Ok(page)
    }

    /// Gives claimed deliveries back unsent.
    pub(crate) async fn release(
        &self,
        rows: &[PendingPropagation],
        reason: &str,
    ) -> Result<(), PropagationError> {
        let unsent = rows
            .iter()
            .map(|row| self.mark(row, Err(reason.to_owned())));
        self.give_back(&unsent.collect::<Vec<_>>()).await
    }

    /// Books deliveries as not sent.
    async fn give_back(&self, marks: &[SentMark]) -> Result<(), PropagationError> {
        self.context.management()?.mark_targets_sent(marks).await?;
        let about = marks.iter().map(delivery_of);
        self.context.progress.send(Progress::Failed, about);
        Ok(())
    }

    /// Writes the marks of confirmed events until the propagator closes, and what is left then.
    pub(crate) async fn write_marks(&self) {
        let (closing, mut failures) = (&self.context.closing, 0);
        while !closing.has_begun() {
            tokio::select! {
                biased;
                () = closing.wait() => {}
                () = self.sent_marks.arrived() => {}
            }
            let _ = timeout(DELAY, closing.wait()).await;
            if failures > 0 {
                self.context.pause(failures - 1).await;
            }
            failures = match self.write_waiting_marks().await {
                Ok(()) => 0,
                Err(error) => {
                    tracing::warn!(peer = %self.context.name, error = chain(&error), "sent marks wait for the management store");
                    failures + 1
                }
            };
        }
    }

    async fn write_waiting_marks(&self) -> Result<(), PropagationError> {
        let marks = self.sent_marks.take();
        let Some(management) = self.context.management.as_deref() else {
            return Ok(());
        };
        if marks.is_empty() {
            return Ok(());
        }
        if let Err(error) = management.mark_targets_sent(&marks).await {
            self.sent_marks.add(marks);
            return Err(error.into());
        }
        let about = marks.iter().map(delivery_of);
        self.context.progress.send(Progress::Sent, about);
        Ok(())
    }

    /// Makes the ledger entry and the message of a row; `Err` says why it cannot be sent.
    fn prepare(&self, row: &PendingPropagation) -> Result<(InFlight, OutboundMessage), String> {
        let message = row.message.as_ref().map_err(Clone::clone)?;
        let target = PeerName::parse(&row.target).map_err(|error| error.to_string())?;
        let now_ms = self.context.now_ms();
        let in_flight = InFlight {
            event_id: row.event_id.clone(),
            key: row.key.clone(),
            target: target.clone(),
            generation: row.generation,
            attempt: row.attempt,
            sent_at: now_ms,
        };
        let message = OutboundMessage {
            target,
            message_id: row.event_id.clone(),
            timestamp_ms: now_ms,
            body: self.encode(row, message),
        };
        Ok((in_flight, message))
    }

    fn encode(&self, row: &PendingPropagation, message: &PendingMessage) -> Vec<u8> {
        let record = message.record.as_ref();
        let no_rules = AllowedIps::default();
        ApplyEvent {
            event_id: &row.event_id,
            ts: row.ts,
            propagation_secret: &message.propagation_secret,
            sender: &self.context.name,
            operation: message.operation,
            key: &row.key,
            secret_hash: record.map(|record| &record.secret_hash),
            allowed_ips: record.map_or(&no_rules, |record| &record.allowed_ips),
            expires_at: record.and_then(|record| record.expires_at),
        }
        .encode()
    }

    fn mark(&self, row: &PendingPropagation, outcome: Result<(), String>) -> SentMark {
        SentMark {
            key: row.key.clone(),
            target: row.target.clone(),
            generation: row.generation,
            event_id: row.event_id.clone(),
            at_ms: self.context.now_ms(),
            outcome,
        }
    }
}

/// The delivery that a mark is about.
fn delivery_of(mark: &SentMark) -> (&CredentialKey, Option<&str>) {
    (&mark.key, Some(&mark.target))
}
