//! Events on the wire (propagation wire 2.2): decoding, whole validation, encoding.
//!
//! A message passes three gates, each with its own consequence. [`decode`] checks the common fields: what fails is dropped.
//! [`Event::apply`] checks an apply event whole: what fails is answered with an error. Nothing is written before both.

use std::fmt;
use std::ops::RangeInclusive;

use auth_base::secret::Secret;
use hmac_auth::allowed_ips::AllowedIps;
use hmac_auth::credential::{Change, ClientId, CredentialChange};
use hmac_auth::secret_hash::SecretHash;
use serde::Serialize;
use serde_json::{Map, Value};
use zeroize::Zeroize;

use crate::event_id::{event_id, shared};
use crate::management::Operation;
use crate::peer_store::{AckResult, Apply, ApplyOperation, CredentialKey, Stamp, Track};
use crate::queue::PeerName;

/// Messages over this many bytes are dropped unread.
pub const MAX_EVENT_BYTES: usize = 256 * 1024;

/// Event ids over this many bytes are not taken.
pub const MAX_EVENT_ID_BYTES: usize = 128;

/// A propagation secret that somebody gives has so many bytes.
pub const PROPAGATION_SECRET_BYTES: RangeInclusive<usize> = 1..=1024;

/// A refusal's reason has at most this many bytes, so that the answer is no longer than an event may be.
pub const MAX_REASON_BYTES: usize = 1024;

/// The operation of an acknowledgement.
pub const ACK_OPERATION: &str = "credential.ack";

/// Why a message is no event (propagation wire 2.3, step 1). It is dropped with a warning.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// Larger than [`MAX_EVENT_BYTES`].
    #[error("event has {0} bytes, which is too many")]
    TooLarge(usize),
    /// Not JSON, or not UTF-8.
    #[error("event is not valid JSON (line {line}, column {column})")]
    NotJson {
        /// Where, from 1.
        line: usize,
        /// Where, from 1.
        column: usize,
    },
    /// JSON, but no object.
    #[error("event is not an object")]
    NotAnObject,
    /// A common field is absent or of another type.
    #[error("event has no valid {0}")]
    Field(&'static str),
}

/// A message whose common fields are well typed; the rest is not yet checked.
#[derive(Clone, Debug)]
pub struct Event {
    /// Names the event.
    pub event_id: String,
    /// The propagation secret it was sent with.
    pub propagation_secret: Secret,
    /// Who says to have sent it.
    pub sender: String,
    /// What it is about.
    pub op: String,
    fields: Fields,
}

/// The fields of an event but its propagation secret. A secret hash is among them: not shown, and wiped on drop.
#[derive(Clone)]
struct Fields(Map<String, Value>);

impl fmt::Debug for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Drop for Fields {
    fn drop(&mut self) {
        let payload = self
            .0
            .get_mut("payload")
            .and_then(|payload| payload.get_mut("secretHash"));
        if let Some(Value::String(hash)) = payload {
            hash.zeroize();
        }
    }
}

/// An acknowledgement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ack {
    /// The event it answers.
    pub event_id: String,
    /// What became of it.
    pub result: AckResult,
    /// Why, for an error.
    pub reason: Option<String>,
}

/// Reads the common fields of a message.
///
/// # Errors
/// [`DecodeError`] says what is wrong.
pub fn decode(body: &[u8]) -> Result<Event, DecodeError> {
    if body.len() > MAX_EVENT_BYTES {
        return Err(DecodeError::TooLarge(body.len()));
    }
    let value: Value = serde_json::from_slice(body).map_err(|error| DecodeError::NotJson {
        line: error.line(),
        column: error.column(),
    })?;
    let mut fields = match value {
        Value::Object(fields) => Fields(fields),
        // The original reads an array as an object without fields.
        Value::Array(_) => Fields(Map::new()),
        _ => return Err(DecodeError::NotAnObject),
    };
    // Taken, not copied, and before anything can fail: it is wiped with the event.
    let secret = match fields.0.remove("propagationSecret") {
        Some(Value::String(secret)) => Some(Secret::new(secret)),
        _ => None,
    };
    let text = |name| text(&fields.0, name);
    let event_id = text("eventId")
        .filter(|id| !id.is_empty())
        .ok_or(DecodeError::Field("eventId"))?;
    if !fields.0.get("ts").is_some_and(Value::is_number) {
        return Err(DecodeError::Field("ts"));
    }
    let propagation_secret = secret.ok_or(DecodeError::Field("propagationSecret"))?;
    let sender = text("senderAmqpQueue")
        .filter(|s| !s.is_empty())
        .ok_or(DecodeError::Field("senderAmqpQueue"))?;
    let op = text("op").ok_or(DecodeError::Field("op"))?;
    Ok(Event {
        event_id,
        propagation_secret,
        sender,
        op,
        fields,
    })
}

impl Event {
    /// Tells whether it is an acknowledgement.
    pub fn is_ack(&self) -> bool {
        self.op == ACK_OPERATION
    }

    /// Tells whether it is an apply event.
    pub fn is_apply(&self) -> bool {
        Operation::parse(&self.op).is_some()
    }

    /// The sender, when its name is a valid one and can be answered.
    pub fn sender_name(&self) -> Option<PeerName> {
        PeerName::parse(&self.sender).ok()
    }

    /// Tells whether a peer of this project sent it, by what its id begins with. Such a peer books an event before it publishes
    /// it; one of the original, afterwards.
    pub(crate) fn is_ours(&self) -> bool {
        let (Some(sender), Some(ts)) = (self.sender_name(), self.ts()) else {
            return false;
        };
        shared(&self.event_id) == shared(&event_id(&sender, ts, [0; 16]))
    }

    fn ts(&self) -> Option<i64> {
        self.fields.0.get("ts").and_then(integer)
    }

    /// Validates an apply event whole (propagation wire 2.3, step 4). `now_ms` is the clock, `max_ahead_ms` how far `ts` may
    /// be ahead of it, `tracks` what this peer holds.
    ///
    /// # Errors
    /// The reason, in words that may travel back to the sender: at most [`MAX_REASON_BYTES`].
    pub fn apply(&self, now_ms: i64, max_ahead_ms: i64, tracks: &[Track]) -> Result<Apply, String> {
        self.validated(now_ms, max_ahead_ms, tracks)
            .map_err(|mut reason| {
                reason.truncate(reason.floor_char_boundary(MAX_REASON_BYTES));
                reason
            })
    }

    /// Reads an acknowledgement.
    ///
    /// # Errors
    /// [`DecodeError::Field`] when a field of it is absent or of another type. It is dropped with a warning.
    pub fn ack(&self) -> Result<Ack, DecodeError> {
        let event_id = text(&self.fields.0, "ackEventId")
            .filter(|id| !id.is_empty() && id.len() <= MAX_EVENT_ID_BYTES)
            .ok_or(DecodeError::Field("ackEventId"))?;
        let result = match self.fields.0.get("ackResult").and_then(Value::as_str) {
            Some("applied") => AckResult::Applied,
            Some("error") => AckResult::Error,
            _ => return Err(DecodeError::Field("ackResult")),
        };
        Ok(Ack {
            event_id,
            result,
            reason: text(&self.fields.0, "ackReason"),
        })
    }

    fn validated(&self, now_ms: i64, max_ahead_ms: i64, tracks: &[Track]) -> Result<Apply, String> {
        let operation = Operation::parse(&self.op).ok_or("op is not an apply operation")?;
        if self.event_id.len() > MAX_EVENT_ID_BYTES {
            return Err(format!("eventId has more than {MAX_EVENT_ID_BYTES} bytes"));
        }
        let ts = self.ts().ok_or("ts is not an integer of milliseconds")?;
        if ts > now_ms.saturating_add(max_ahead_ms) {
            return Err(format!(
                "ts is more than {max_ahead_ms} ms ahead of the clock"
            ));
        }
        let track = text(&self.fields.0, "track").ok_or("track is missing")?;
        let track = Track::parse(&track).ok_or("track is not http or message")?;
        if !tracks.contains(&track) {
            return Err(format!("no {} auth instance configured", track.as_str()));
        }
        let client_id = text(&self.fields.0, "clientId").ok_or("clientId is missing")?;
        let client_id = ClientId::parse(&client_id).map_err(|error| error.to_string())?;
        let payload = self
            .fields
            .0
            .get("payload")
            .and_then(Value::as_object)
            .ok_or("payload is missing")?;
        let operation = match operation {
            Operation::Delete => ApplyOperation::Delete,
            Operation::Create | Operation::Update => ApplyOperation::Write(change(payload)?),
        };
        Ok(Apply {
            key: CredentialKey { track, client_id },
            stamp: Stamp {
                ts,
                event_id: self.event_id.clone(),
            },
            operation,
            now_ms,
        })
    }
}

/// An apply event to send.
#[derive(Clone, Debug)]
pub struct ApplyEvent<'a> {
    /// Names the event.
    pub event_id: &'a str,
    /// Epoch milliseconds.
    pub ts: i64,
    /// The target's secret.
    pub propagation_secret: &'a Secret,
    /// This peer.
    pub sender: &'a PeerName,
    /// What to do.
    pub operation: Operation,
    /// Whose credential.
    pub key: &'a CredentialKey,
    /// What the target should hold; ignored for a delete.
    pub secret_hash: Option<&'a SecretHash>,
    /// The rules; sent even when empty, so that the target clears its own.
    pub allowed_ips: &'a AllowedIps,
    /// The expiry; null clears.
    pub expires_at: Option<i64>,
}

impl ApplyEvent<'_> {
    /// Writes the event as the wire has it.
    pub fn encode(&self) -> Vec<u8> {
        let delete = self.operation == Operation::Delete;
        encode(&ApplyWire {
            event_id: self.event_id,
            ts: self.ts,
            propagation_secret: self.propagation_secret.expose(),
            sender_amqp_queue: self.sender.as_str(),
            op: self.operation.as_str(),
            track: self.key.track.as_str(),
            client_id: self.key.client_id.as_str(),
            payload: PayloadWire {
                secret_hash: self
                    .secret_hash
                    .filter(|_| !delete)
                    .map_or("", SecretHash::expose),
                allowed_ips: (!delete).then(|| self.allowed_ips.rules()),
                expires_at: self.expires_at.filter(|_| !delete),
            },
        })
    }
}

/// An acknowledgement to send.
#[derive(Clone, Debug)]
pub struct AckEvent<'a> {
    /// Names this acknowledgement.
    pub event_id: &'a str,
    /// Epoch milliseconds.
    pub ts: i64,
    /// The source's secret; `None` is sent as the empty text, which the source may drop.
    pub propagation_secret: Option<&'a Secret>,
    /// This peer.
    pub sender: &'a PeerName,
    /// The event that is answered.
    pub ack_event_id: &'a str,
    /// `Err`: the reason.
    pub outcome: Result<(), &'a str>,
}

impl AckEvent<'_> {
    /// Writes the acknowledgement as the wire has it.
    pub fn encode(&self) -> Vec<u8> {
        encode(&AckWire {
            event_id: self.event_id,
            ts: self.ts,
            propagation_secret: self.propagation_secret.map_or("", Secret::expose),
            sender_amqp_queue: self.sender.as_str(),
            op: ACK_OPERATION,
            ack_event_id: self.ack_event_id,
            ack_result: if self.outcome.is_ok() {
                "applied"
            } else {
                "error"
            },
            ack_reason: self.outcome.err(),
        })
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ApplyWire<'a> {
    event_id: &'a str,
    ts: i64,
    propagation_secret: &'a str,
    sender_amqp_queue: &'a str,
    op: &'a str,
    track: &'a str,
    client_id: &'a str,
    payload: PayloadWire<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PayloadWire<'a> {
    secret_hash: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    allowed_ips: Option<&'a [String]>,
    expires_at: Option<i64>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AckWire<'a> {
    event_id: &'a str,
    ts: i64,
    propagation_secret: &'a str,
    sender_amqp_queue: &'a str,
    op: &'a str,
    ack_event_id: &'a str,
    ack_result: &'a str,
    ack_reason: Option<&'a str>,
}

#[expect(
    clippy::expect_used,
    reason = "writing text and numbers to memory cannot fail"
)]
fn encode(wire: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(wire).expect("an event serialises")
}

fn text(fields: &Map<String, Value>, name: &str) -> Option<String> {
    fields.get(name).and_then(Value::as_str).map(str::to_owned)
}

/// An integer, also when it is written with a fraction of zero, as JavaScript may.
fn integer(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| {
        let float = value.as_f64()?;
        // 2^53: beyond it a double no longer tells neighbours apart.
        (float.fract() == 0.0 && float.abs() <= 9_007_199_254_740_992.0).then_some(float as i64)
    })
}

fn change(payload: &Map<String, Value>) -> Result<CredentialChange, String> {
    let hash = text(payload, "secretHash").ok_or("secretHash is missing")?;
    let secret_hash = SecretHash::parse(&hash).map_err(|error| error.to_string())?;
    let allowed_ips = match payload.get("allowedIps") {
        None => Change::Keep,
        Some(Value::Null) => Change::Set(AllowedIps::default()),
        Some(Value::Array(rules)) => {
            let rules: Option<Vec<&str>> = rules.iter().map(Value::as_str).collect();
            let rules = rules.ok_or("allowedIps has an entry that is no text")?;
            Change::Set(AllowedIps::parse(rules).map_err(|error| error.to_string())?)
        }
        Some(_) => return Err("allowedIps is not an array".to_owned()),
    };
    let expires_at = match payload.get("expiresAt") {
        None => Change::Keep,
        Some(Value::Null) => Change::Set(None),
        Some(value) => Change::Set(Some(
            integer(value).ok_or("expiresAt is not an integer of milliseconds")?,
        )),
    };
    Ok(CredentialChange {
        secret_hash: Some(secret_hash),
        expires_at,
        allowed_ips,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vectors(name: &str) -> Value {
        let path = format!(
            "{}/../../tests/vectors/{name}.json",
            env!("CARGO_MANIFEST_DIR")
        );
        serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
    }

    /// Ours deviates by the wire contract: the vector's invalid UTF-8 (given as null) is refused.
    #[test]
    fn decodes_as_the_original_does() {
        for case in vectors("decode-event")["cases"].as_array().unwrap() {
            let name = case["name"].as_str().unwrap();
            let Some(input) = case["in"].as_str() else {
                assert!(matches!(
                    decode(b"{\"eventId\":\"\xff\"}"),
                    Err(DecodeError::NotJson { .. })
                ));
                continue;
            };
            let decoded = decode(input.as_bytes());
            match case.get("ok") {
                Some(expected) => {
                    let event = decoded.unwrap_or_else(|error| panic!("{name}: {error}"));
                    assert_eq!(event.op, expected["op"].as_str().unwrap(), "{name}");
                    assert_eq!(
                        event.is_apply(),
                        expected["apply"].as_bool().unwrap(),
                        "{name}"
                    );
                    assert_eq!(event.is_ack(), expected["ack"].as_bool().unwrap(), "{name}");
                }
                None => assert!(decoded.is_err(), "{name}"),
            }
        }
    }

    #[test]
    fn an_event_does_not_show_its_secrets() {
        let hash = "0a".repeat(32);
        let body = format!(
            r#"{{"eventId":"e","ts":1,"propagationSecret":"an entry secret","senderAmqpQueue":"a",
            "op":"credential.create","track":"http","clientId":"c","payload":{{"secretHash":"{hash}"}}}}"#
        );
        let event = decode(body.as_bytes()).unwrap();
        let shown = format!("{event:?}");
        assert!(shown.contains("clientId"), "{shown}");
        assert!(
            !shown.contains("an entry secret") && !shown.contains(&hash),
            "{shown}"
        );
        assert!(event.propagation_secret.matches("an entry secret"));
    }

    /// Every captured apply event is applied, every captured ack read, and ours has their exact shape.
    #[test]
    fn reads_and_writes_what_the_original_sends() {
        for case in vectors("captured-events")["events"].as_array().unwrap() {
            let body = case["body"].as_str().unwrap();
            let event = decode(body.as_bytes()).unwrap();
            let sender = event.sender_name().unwrap();
            let ts = event.fields.0["ts"].as_i64().unwrap();
            let ours = if event.is_ack() {
                let ack = event.ack().unwrap();
                let secret = Some(&event.propagation_secret).filter(|secret| !secret.is_empty());
                let outcome = match ack.result {
                    AckResult::Applied => Ok(()),
                    AckResult::Error => Err(ack.reason.as_deref().unwrap()),
                };
                AckEvent {
                    event_id: &event.event_id,
                    ts,
                    propagation_secret: secret,
                    sender: &sender,
                    ack_event_id: &ack.event_id,
                    outcome,
                }
                .encode()
            } else {
                rewrite(&event, &sender, ts)
            };
            let (ours, theirs): (Value, Value) = (
                serde_json::from_slice(&ours).unwrap(),
                serde_json::from_str(body).unwrap(),
            );
            let mut theirs = theirs;
            // Ours always says what the rules are, so that a target clears rules it should no longer have.
            if theirs["payload"]["secretHash"]
                .as_str()
                .is_some_and(|hash| !hash.is_empty())
            {
                let payload = theirs["payload"].as_object_mut().unwrap();
                payload
                    .entry("allowedIps")
                    .or_insert_with(|| Value::Array(Vec::new()));
            }
            assert_eq!(ours, theirs);
        }
    }

    fn rewrite(event: &Event, sender: &PeerName, ts: i64) -> Vec<u8> {
        let apply = event.apply(ts, 0, &[Track::Http]).unwrap();
        let change = match apply.operation {
            ApplyOperation::Write(change) => change,
            ApplyOperation::Delete => CredentialChange::default(),
        };
        let rules = match change.allowed_ips {
            Change::Set(rules) => rules,
            Change::Keep => AllowedIps::default(),
        };
        let expires_at = match change.expires_at {
            Change::Set(expires_at) => expires_at,
            Change::Keep => None,
        };
        ApplyEvent {
            event_id: &event.event_id,
            ts,
            propagation_secret: &event.propagation_secret,
            sender,
            operation: Operation::parse(&event.op).unwrap(),
            key: &apply.key,
            secret_hash: change.secret_hash.as_ref(),
            allowed_ips: &rules,
            expires_at,
        }
        .encode()
    }

    fn refused(body: &str) -> String {
        let event = decode(body.as_bytes()).unwrap();
        event.apply(1_000, 500, &[Track::Http]).unwrap_err()
    }

    #[test]
    fn names_what_is_wrong_with_an_apply_event() {
        let body = |ts: &str, track: &str, client: &str, payload: &str| {
            format!(
                r#"{{"eventId":"e","ts":{ts},"propagationSecret":"p","senderAmqpQueue":"s","op":"credential.update","track":{track},"clientId":{client},"payload":{payload}}}"#
            )
        };
        let hash = "0".repeat(64);
        let good = format!(r#"{{"secretHash":"{hash}"}}"#);
        assert!(
            decode(body("1500", "\"http\"", "\"c\"", &good).as_bytes())
                .unwrap()
                .apply(1_000, 500, &[Track::Http])
                .is_ok()
        );
        let rules = format!(r#"{{"secretHash":"{hash}","allowedIps":["nonsense"]}}"#);
        let expiry = format!(r#"{{"secretHash":"{hash}","expiresAt":1.5}}"#);
        for (case, reason) in [
            (
                body("1501", "\"http\"", "\"c\"", &good),
                "ahead of the clock",
            ),
            (
                body("1.5", "\"http\"", "\"c\"", &good),
                "ts is not an integer",
            ),
            (body("1", "\"x\"", "\"c\"", &good), "track"),
            (
                body("1", "\"message\"", "\"c\"", &good),
                "no message auth instance configured",
            ),
            (body("1", "\"http\"", "\" \"", &good), "client id"),
            (body("1", "\"http\"", "null", &good), "clientId is missing"),
            (body("1", "\"http\"", "\"c\"", "5"), "payload"),
            (
                body("1", "\"http\"", "\"c\"", r#"{"secretHash":"h"}"#),
                "64",
            ),
            (body("1", "\"http\"", "\"c\"", &rules), "nonsense"),
            (body("1", "\"http\"", "\"c\"", &expiry), "expiresAt"),
        ] {
            assert!(
                refused(&case).contains(reason),
                "{case}: {}",
                refused(&case)
            );
        }
    }

    #[test]
    fn an_event_shows_no_secret() {
        let hash = "ab".repeat(32);
        let body = format!(
            r#"{{"eventId":"e","ts":1,"propagationSecret":"not-to-be-shown","senderAmqpQueue":"s","op":"credential.create","payload":{{"secretHash":"{hash}"}}}}"#
        );
        let event = decode(body.as_bytes()).unwrap();
        let shown = format!("{event:?}");
        assert!(
            !shown.contains("not-to-be-shown") && !shown.contains(&hash),
            "{}",
            shown.len()
        );
        assert!(event.propagation_secret.matches("not-to-be-shown"));
    }

    #[test]
    fn a_reason_is_short_however_long_what_it_repeats() {
        let rule = "é".repeat(100_000);
        let body = format!(
            r#"{{"eventId":"e","ts":1,"propagationSecret":"p","senderAmqpQueue":"s","op":"credential.create","track":"http","clientId":"c","payload":{{"secretHash":"{}","allowedIps":["{rule}"]}}}}"#,
            "0".repeat(64)
        );
        let reason = refused(&body);
        assert!(
            reason.starts_with("Invalid allowedIps entry 'é"),
            "{reason}"
        );
        assert!(
            (MAX_REASON_BYTES - 3..=MAX_REASON_BYTES).contains(&reason.len()),
            "{}",
            reason.len()
        );
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_it_panic(body in proptest::collection::vec(proptest::num::u8::ANY, 0..512)) {
            if let Ok(event) = decode(&body) {
                let _ = (event.apply(0, 0, &[Track::Http]), event.ack());
            }
        }

        #[test]
        fn no_json_makes_it_panic(ts in ".{0,8}", track in ".{0,8}", payload in ".{0,40}") {
            let body = format!(
                r#"{{"eventId":"e","ts":{ts},"propagationSecret":"p","senderAmqpQueue":"s","op":"credential.create","track":"{track}","clientId":"c","payload":{payload}}}"#
            );
            if let Ok(event) = decode(body.as_bytes()) {
                let _ = event.apply(0, 0, &[Track::Http, Track::Message]);
            }
        }
    }
}
