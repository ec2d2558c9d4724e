//! Events of the propagation wire.

use hmac_auth::allowed_ips::AllowedIps;
use hmac_auth::credential::{Change, CredentialChange};
use hmac_propagation::event::{AckEvent, ApplyEvent, Event, MAX_EVENT_ID_BYTES, decode};
use hmac_propagation::management::Operation;
use hmac_propagation::peer_store::{AckResult, Apply, ApplyOperation, Track};
use serde_json::Value;

const NOW_MS: i64 = 1_700_000_000_000;
const DAY_MS: i64 = 86_400_000;
const TRACKS: [Track; 2] = [Track::Http, Track::Message];
/// Stands where a secret stands, so that it can be looked for.
const SECRET: &str = "W6nEvfKq0tZ9sXrb";
const HASH: &str = "0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0";

/// Takes a message. What is decoded, and valid as a whole, means the same after ours has written it; what is refused is
/// answered by an event that its sender can read; and no secret of it is shown.
///
/// # Panics
/// Where that does not hold.
pub fn event(bytes: &[u8]) {
    let Ok(event) = decode(bytes) else { return };
    assert!(!event.event_id.is_empty() && !event.sender.is_empty());
    assert!(!(event.is_ack() && event.is_apply()));
    if let Ok(ack) = event.ack() {
        assert!(ack.event_id.len() <= MAX_EVENT_ID_BYTES);
        let reason = ack.reason.as_deref().unwrap_or_default();
        let outcome = if ack.result == AckResult::Applied {
            Ok(())
        } else {
            Err(reason)
        };
        check_answer(&event, &ack.event_id, outcome);
    }
    match event.apply(NOW_MS, DAY_MS, &TRACKS) {
        Ok(apply) => check_apply(&event, &apply),
        Err(reason) if event.event_id.len() <= MAX_EVENT_ID_BYTES => {
            assert!(!reason.is_empty());
            check_answer(&event, &event.event_id, Err(&reason));
        }
        Err(_) => {}
    }
    check_that_secrets_are_hidden(bytes);
}

fn check_apply(event: &Event, apply: &Apply) {
    assert!(event.is_apply());
    assert!(apply.stamp.ts <= NOW_MS + DAY_MS);
    assert!(apply.stamp.event_id.len() <= MAX_EVENT_ID_BYTES);
    let Some(sender) = event.sender_name() else {
        return;
    };
    let Some(operation) = Operation::parse(&event.op) else {
        return;
    };
    let change = change(apply);
    let written = ApplyEvent {
        event_id: &apply.stamp.event_id,
        ts: apply.stamp.ts,
        propagation_secret: &event.propagation_secret,
        sender: &sender,
        operation,
        key: &apply.key,
        secret_hash: change.secret_hash.as_ref(),
        allowed_ips: &rules(change),
        expires_at: expiry(change),
    }
    .encode();
    let again = decode(&written).map_err(|error| error.to_string());
    let again = again.and_then(|event| event.apply(NOW_MS, DAY_MS, &TRACKS));
    assert!(
        again.as_ref().is_ok_and(|again| same(again, apply)),
        "{again:?} was {apply:?}"
    );
}

/// Answers as a peer does, and reads the answer as the sender does.
fn check_answer(event: &Event, event_id: &str, outcome: Result<(), &str>) {
    let Some(sender) = event.sender_name() else {
        return;
    };
    let answer = AckEvent {
        event_id: "answer",
        ts: NOW_MS,
        propagation_secret: Some(&event.propagation_secret),
        sender: &sender,
        ack_event_id: event_id,
        outcome,
    };
    let read = decode(&answer.encode());
    let ack = read.and_then(|answer| answer.ack());
    let expected = if outcome.is_ok() {
        AckResult::Applied
    } else {
        AckResult::Error
    };
    assert!(
        ack.as_ref().is_ok_and(|ack| {
            ack.event_id == event_id
                && ack.result == expected
                && ack.reason.as_deref() == outcome.err()
        }),
        "{ack:?} answers {event_id:?}"
    );
}

/// Puts secrets that can be looked for in the place of the message's.
fn check_that_secrets_are_hidden(bytes: &[u8]) {
    let Ok(Value::Object(mut fields)) = serde_json::from_slice(bytes) else {
        return;
    };
    fields.insert("propagationSecret".to_owned(), SECRET.into());
    if let Some(hash) = fields
        .get_mut("payload")
        .and_then(|payload| payload.get_mut("secretHash"))
    {
        *hash = HASH.into();
    }
    let Ok(event) = decode(Value::Object(fields).to_string().as_bytes()) else {
        return;
    };
    let shown = format!(
        "{event:?} {:?} {:?}",
        event.apply(NOW_MS, DAY_MS, &TRACKS),
        event.ack()
    );
    assert!(!shown.contains(SECRET), "the propagation secret is shown");
    assert!(!shown.contains(&HASH[8..]), "the secret hash is shown");
}

fn same(left: &Apply, right: &Apply) -> bool {
    let (left_change, right_change) = (change(left), change(right));
    let hash = |change: &CredentialChange| {
        change
            .secret_hash
            .as_ref()
            .map(|hash| hash.expose().to_owned())
    };
    left.key == right.key
        && left.stamp == right.stamp
        && matches!(left.operation, ApplyOperation::Delete)
            == matches!(right.operation, ApplyOperation::Delete)
        && hash(left_change) == hash(right_change)
        && rules(left_change) == rules(right_change)
        && expiry(left_change) == expiry(right_change)
}

fn change(apply: &Apply) -> &CredentialChange {
    static NONE: CredentialChange = CredentialChange {
        secret_hash: None,
        expires_at: Change::Keep,
        allowed_ips: Change::Keep,
    };
    match &apply.operation {
        ApplyOperation::Write(change) => change,
        ApplyOperation::Delete => &NONE,
    }
}

fn rules(change: &CredentialChange) -> AllowedIps {
    match &change.allowed_ips {
        Change::Set(rules) => rules.clone(),
        Change::Keep => AllowedIps::default(),
    }
}

fn expiry(change: &CredentialChange) -> Option<i64> {
    match change.expires_at {
        Change::Set(expires_at) => expires_at,
        Change::Keep => None,
    }
}
