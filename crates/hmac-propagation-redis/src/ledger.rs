//! The ledger of events in flight (propagation wire 2.5).

use std::sync::Arc;
use std::time::Duration;

use auth_base::store_error::StoreError;
use hmac_auth::credential::ClientId;
use hmac_propagation::peer_store::{
    AckResult, CredentialKey, FinalStatus, InFlight, KEPT_TRIES, Track,
};
use hmac_propagation::queue::PeerName;
use redis::Value;
use redis_link::failure::unexpected;
use redis_link::link::RedisLink;
use redis_link::script::{Call, Script, text};

use crate::keys::Keys;

const FIELDS: [&str; 6] = [
    "clientId",
    "targetAmqpQueue",
    "attemptCount",
    "sentAt",
    "track",
    "generation",
];

#[derive(Clone)]
pub(crate) struct Ledger {
    link: RedisLink,
    keys: Keys,
    ttl_ms: String,
    scripts: Arc<Scripts>,
}

struct Scripts {
    book: Script,
    complete: Script,
    discard: Script,
}

impl Ledger {
    pub(crate) fn new(link: RedisLink, keys: Keys, ttl: Duration) -> Self {
        let shared = include_str!("lua/ledger.lua");
        let scripts = Scripts {
            book: Script::new(&[shared, include_str!("lua/book.lua")]),
            complete: Script::new(&[shared, include_str!("lua/complete.lua")]),
            discard: Script::new(&[shared, include_str!("lua/discard.lua")]),
        };
        Self {
            link,
            keys,
            ttl_ms: ttl.as_millis().to_string(),
            scripts: Arc::new(scripts),
        }
    }

    pub(crate) async fn book(&self, events: &[InFlight]) -> Result<(), StoreError> {
        let calls: Vec<Call> = events.iter().map(|event| self.book_call(event)).collect();
        let answers = self.scripts.book.call_all(&self.link, &calls).await;
        answers.into_iter().try_for_each(|answer| answer.map(drop))
    }

    pub(crate) async fn find(
        &self,
        event_ids: &[String],
    ) -> Result<Vec<Option<InFlight>>, StoreError> {
        if event_ids.is_empty() {
            return Ok(Vec::new());
        }
        let mut pipeline = redis::pipe();
        for event_id in event_ids {
            pipeline
                .cmd("HMGET")
                .arg(self.keys.event(event_id))
                .arg(&FIELDS);
        }
        let answers = self.link.query(&pipeline).await?;
        event_ids
            .iter()
            .zip(answers)
            .map(|(event_id, answer)| found(event_id, answer))
            .collect()
    }

    pub(crate) async fn complete(
        &self,
        events: &[(InFlight, AckResult)],
    ) -> Result<Vec<Option<FinalStatus>>, StoreError> {
        let calls: Vec<Call> = events
            .iter()
            .map(|(event, result)| {
                self.call(event)
                    .argument(self.ttl_ms.as_str())
                    .argument(event.event_id.as_str())
                    .argument(event.target.as_str())
                    .argument(match result {
                        AckResult::Applied => "success",
                        AckResult::Error => "error",
                    })
            })
            .collect();
        let answers = self.scripts.complete.call_all(&self.link, &calls).await;
        answers.into_iter().map(|answer| status(&answer?)).collect()
    }

    pub(crate) async fn discard(&self, events: &[InFlight]) -> Result<(), StoreError> {
        let calls: Vec<Call> = events
            .iter()
            .map(|event| self.call(event).argument(event.event_id.as_str()))
            .collect();
        let answers = self.scripts.discard.call_all(&self.link, &calls).await;
        answers.into_iter().try_for_each(|answer| answer.map(drop))
    }

    fn book_call(&self, event: &InFlight) -> Call {
        let values = [
            event.key.client_id.as_str().to_owned(),
            event.target.as_str().to_owned(),
            event.attempt.to_string(),
            event.sent_at.to_string(),
            event.key.track.as_str().to_owned(),
            event.generation.to_string(),
        ];
        let call = self
            .call(event)
            .argument(self.ttl_ms.as_str())
            .argument(KEPT_TRIES.to_string())
            .argument(event.event_id.as_str())
            .argument(event.target.as_str());
        FIELDS
            .into_iter()
            .zip(values)
            .fold(call, |call, (field, value)| {
                call.argument(field).argument(value)
            })
    }

    /// The keys and the first argument of every script here.
    fn call(&self, event: &InFlight) -> Call {
        Call::default()
            .key(self.keys.event(&event.event_id))
            .key(self.keys.pending(&event.key))
            .key(self.keys.results(&event.key))
            .argument(self.keys.event_prefix())
    }
}

/// An event that cannot be read is an event that is not known: it is sent again.
fn found(
    event_id: &str,
    answer: Result<Value, StoreError>,
) -> Result<Option<InFlight>, StoreError> {
    let parts = match answer {
        Ok(Value::Array(parts)) => parts,
        Ok(_) => return Err(unexpected("HMGET")),
        Err(StoreError::Refused(error)) => {
            tracing::warn!(event_id, error = %error, "passing over an event that cannot be read");
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    if parts
        .first()
        .is_none_or(|client_id| *client_id == Value::Nil)
    {
        return Ok(None);
    }
    let event = in_flight(event_id, &parts);
    if event.is_none() {
        tracing::warn!(event_id, "passing over an event that cannot be read");
    }
    Ok(event)
}

fn in_flight(event_id: &str, parts: &[Value]) -> Option<InFlight> {
    let field = |i: usize| parts.get(i).and_then(text);
    Some(InFlight {
        event_id: event_id.to_owned(),
        key: CredentialKey {
            // The original knows neither tracks nor generations here.
            track: Track::parse(field(4).unwrap_or("http"))?,
            client_id: ClientId::parse(field(0)?).ok()?,
        },
        target: PeerName::parse(field(1)?).ok()?,
        attempt: field(2)?.parse().ok()?,
        sent_at: field(3)?.parse().ok()?,
        generation: field(5).unwrap_or("0").parse().ok()?,
    })
}

fn status(answer: &Value) -> Result<Option<FinalStatus>, StoreError> {
    match answer {
        Value::Nil => Ok(None),
        answer => match text(answer) {
            Some("success") => Ok(Some(FinalStatus::Success)),
            Some("partial") => Ok(Some(FinalStatus::Partial)),
            Some("error") => Ok(Some(FinalStatus::Error)),
            _ => Err(unexpected("EVALSHA")),
        },
    }
}
