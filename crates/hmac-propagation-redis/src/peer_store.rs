//! [`PeerStore`] in Redis.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use auth_base::store_error::StoreError;
use hmac_auth::credential::{ClientId, CredentialChange};
use hmac_auth_redis::credential_store::{RECORD_LUA, corrupt, with_change};
use hmac_auth_redis::keys::Namespace;
use hmac_propagation::peer_store::{
    AckResult, Applied, Apply, ApplyOperation, CredentialKey, FinalStatus, InFlight, PeerStore,
    Stamp, Track,
};
use redis::Value;
use redis_link::failure::unexpected;
use redis_link::link::RedisLink;
use redis_link::script::{Call, Script, text};

use crate::keys::Keys;
use crate::ledger::Ledger;

/// Where a peer's things are in Redis, and for how long.
#[derive(Clone, Debug)]
pub struct PeerStoreOptions {
    /// Stands before every key of the bookkeeping (nothing).
    pub prefix: String,
    /// Where the http track's credentials are (`hmac:http`).
    pub http: Namespace,
    /// Where the message track's credentials are (`hmac:message`).
    pub message: Namespace,
    /// The tracks this peer holds credentials of (both).
    pub tracks: Vec<Track>,
    /// How long a replaced hash stays readable (10 minutes).
    pub backup_ttl: Duration,
    /// How long an event in flight is remembered (7 days).
    pub ledger_ttl: Duration,
}

impl Default for PeerStoreOptions {
    fn default() -> Self {
        Self {
            prefix: String::new(),
            http: Namespace::new("hmac:http"),
            message: Namespace::new("hmac:message"),
            tracks: vec![Track::Http, Track::Message],
            backup_ttl: Duration::from_secs(600),
            ledger_ttl: Duration::from_secs(7 * 24 * 60 * 60),
        }
    }
}

/// A peer's own store: its credentials, its cursors and its ledger, in one Redis. Clones share one connection.
///
/// A batch is one round trip (one for each 512 items). Every item is a Lua script of its own, so a crash, of the server
/// too, leaves each either done or not begun.
#[derive(Clone)]
pub struct RedisPeerStore {
    link: RedisLink,
    options: Arc<PeerStoreOptions>,
    keys: Keys,
    apply: Arc<Script>,
    probe: Arc<Script>,
    ledger: Ledger,
}

/// Whose keys a probe uses: nobody can be made of this name.
const NOBODY: &str = " readyz";

impl RedisPeerStore {
    /// Makes a store over `link`.
    pub fn new(link: RedisLink, options: PeerStoreOptions) -> Self {
        let keys = Keys::new(&options.prefix);
        Self {
            apply: Arc::new(Script::new(&[RECORD_LUA, include_str!("lua/apply.lua")])),
            probe: Arc::new(Script::new(&[include_str!("lua/probe.lua")])),
            ledger: Ledger::new(link.clone(), keys.clone(), options.ledger_ttl),
            link,
            options: Arc::new(options),
            keys,
        }
    }

    /// Does what a change would do, on keys of nobody, and leaves nothing behind: for a readiness probe. A server may answer
    /// and yet refuse every change, as in cluster mode, or to a user without the right to run scripts. `is_source`: also
    /// what only a peer with changes of its own does.
    ///
    /// # Errors
    /// [`StoreError`] when a change would fail.
    pub async fn probe(&self, is_source: bool) -> Result<(), StoreError> {
        let client_id = ClientId::parse(NOBODY).map_err(|_| unexpected("EVAL"))?;
        let (track, namespace) = (Track::Http, self.namespace(Track::Http));
        let key = CredentialKey { track, client_id };
        let mut call = Call::default()
            .key(self.keys.cursor(&key))
            .key(namespace.clients())
            .key(namespace.backup(&key.client_id))
            .key(namespace.rotated(&key.client_id))
            .argument(NOBODY);
        if is_source {
            call = call
                .key(self.keys.event(NOBODY))
                .key(self.keys.pending(&key))
                .key(self.keys.results(&key));
        }
        // Two of them: the script is called by its text, and by its digest.
        let answers = self.probe.call_all(&self.link, &[call.clone(), call]).await;
        answers.into_iter().try_for_each(|answer| answer.map(drop))
    }

    fn namespace(&self, track: Track) -> &Namespace {
        match track {
            Track::Http => &self.options.http,
            Track::Message => &self.options.message,
        }
    }

    fn apply_call(&self, apply: &Apply) -> Call {
        let nothing = CredentialChange::default();
        let (operation, change) = match &apply.operation {
            ApplyOperation::Write(change) => ("write", change),
            ApplyOperation::Delete => ("delete", &nothing),
        };
        let namespace = self.namespace(apply.key.track);
        let call = Call::default()
            .key(self.keys.cursor(&apply.key))
            .key(namespace.clients())
            .key(namespace.backup(&apply.key.client_id))
            .key(namespace.rotated(&apply.key.client_id))
            .argument(apply.key.client_id.as_str())
            .argument(apply.stamp.ts.to_string())
            .argument(apply.stamp.event_id.as_str())
            .argument(operation)
            .argument(apply.now_ms.to_string())
            .argument(self.options.backup_ttl.as_millis().to_string());
        with_change(call, change)
    }
}

#[async_trait]
impl PeerStore for RedisPeerStore {
    fn tracks(&self) -> &[Track] {
        &self.options.tracks
    }

    async fn apply(&self, batch: &[Apply]) -> Vec<Result<Applied, StoreError>> {
        let calls: Vec<Call> = batch.iter().map(|apply| self.apply_call(apply)).collect();
        let answers = self.apply.call_all(&self.link, &calls).await;
        batch
            .iter()
            .zip(answers)
            .map(|(apply, answer)| applied(&apply.key.client_id, &answer?))
            .collect()
    }

    async fn cursors(&self, keys: &[CredentialKey]) -> Result<Vec<Option<Stamp>>, StoreError> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let mut pipeline = redis::pipe();
        for key in keys {
            pipeline
                .cmd("HMGET")
                .arg(self.keys.cursor(key))
                .arg("ts")
                .arg("eventId");
        }
        let answers = self.link.query(&pipeline).await?;
        Ok(keys
            .iter()
            .zip(answers)
            .map(|(key, answer)| cursor(key, answer))
            .collect())
    }

    async fn book(&self, events: &[InFlight]) -> Result<(), StoreError> {
        self.ledger.book(events).await
    }

    async fn find(&self, event_ids: &[String]) -> Result<Vec<Option<InFlight>>, StoreError> {
        self.ledger.find(event_ids).await
    }

    async fn complete(
        &self,
        events: &[(InFlight, AckResult)],
    ) -> Result<Vec<Option<FinalStatus>>, StoreError> {
        self.ledger.complete(events).await
    }

    async fn discard(&self, events: &[InFlight]) -> Result<(), StoreError> {
        self.ledger.discard(events).await
    }

    async fn run_id(&self) -> Result<Option<String>, StoreError> {
        self.link.run_id().await
    }
}

fn applied(client_id: &ClientId, answer: &Value) -> Result<Applied, StoreError> {
    let Value::Array(parts) = answer else {
        return Err(unexpected("EVALSHA"));
    };
    let part = |i: usize| parts.get(i).and_then(text);
    match (part(0), part(1), part(2)) {
        (Some("written"), ..) => Ok(Applied::Written),
        (Some("stale"), Some(ts), Some(event_id)) => {
            // A stored `ts` beyond every event's is as late as can be.
            let ts = ts.parse().unwrap_or(i64::MAX);
            let event_id = event_id.to_owned();
            Ok(Applied::Stale {
                cursor: Stamp { ts, event_id },
            })
        }
        (Some("corrupt"), Some("cursor"), _) => Err(StoreError::Corrupt {
            owner: client_id.as_str().to_owned(),
            reason: "the stored cursor has no valid ts",
        }),
        (Some("corrupt"), ..) => Err(corrupt(client_id)),
        _ => Err(unexpected("EVALSHA")),
    }
}

/// A cursor that cannot be read is passed over: an apply answers for it, and one of them must not hold up a batch.
fn cursor(key: &CredentialKey, answer: Result<Value, StoreError>) -> Option<Stamp> {
    let stamp = match answer {
        Ok(Value::Array(parts)) => match parts.as_slice() {
            [Value::Nil, _] => return None,
            [ts, event_id] => text(ts).and_then(|ts| ts.parse().ok()).map(|ts| Stamp {
                ts,
                event_id: text(event_id).unwrap_or_default().to_owned(),
            }),
            _ => None,
        },
        _ => None,
    };
    if stamp.is_none() {
        tracing::warn!(client_id = %key.client_id, track = key.track.as_str(), "passing over a cursor that cannot be read");
    }
    stamp
}
