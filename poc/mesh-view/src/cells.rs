//! How one client stands on each peer: the rules, without any reading.
//!
//! A client is *own* when this peer's management store has a row for it and no other source has changed it since: then every cell is held
//! against what that store wants there. Else the newest record among the stores that can be read is the truth.

use std::hash::{DefaultHasher, Hash, Hasher};

use hmac_auth::credential::Credential;
use mesh_api::mesh::CellState;
use mesh_api::state::{CredentialState, DeliveryStatus, PivotState};

/// The first 8 characters of a hash.
pub(crate) type Prefix = [u8; 8];

/// What a store holds for a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Held {
    /// Absent when the record cannot be read.
    pub(crate) hash: Option<Prefix>,
    pub(crate) updated_at: i64,
    pub(crate) expires_at: Option<i64>,
    /// Rules and expiry.
    pub(crate) policy: u64,
}

impl Held {
    pub(crate) fn of(record: &Result<Credential, &'static str>) -> Self {
        match record {
            Ok(credential) => Self {
                hash: prefix(credential.secret_hash.prefix()),
                updated_at: credential.updated_at,
                expires_at: credential.expires_at,
                policy: policy(
                    credential.allowed_ips.stored_entries(),
                    credential.expires_at,
                ),
            },
            Err(_) => Self {
                hash: None,
                updated_at: 0,
                expires_at: None,
                policy: 0,
            },
        }
    }
}

/// What this peer's management store has for a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Own {
    /// Absent when revoked or unreadable.
    pub(crate) hash: Option<Prefix>,
    pub(crate) revoked: bool,
    pub(crate) changed_at: i64,
    pub(crate) expires_at: Option<i64>,
    policy: u64,
    /// By target.
    pub(crate) pivots: Vec<Pivot>,
}

/// How far the client's change has come on one target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pivot {
    pub(crate) target: String,
    deletes: bool,
    hash: Option<Prefix>,
    pub(crate) status: DeliveryStatus,
    pub(crate) attempts: i64,
    pub(crate) reason: Option<String>,
    changed_at: i64,
    last_ts: Option<i64>,
}

impl Own {
    pub(crate) fn of(credential: &CredentialState, pivots: Vec<Pivot>) -> Self {
        Self {
            hash: credential.secret_hash.as_deref().and_then(prefix),
            revoked: credential.revoked,
            changed_at: credential.changed_at,
            expires_at: credential.expires_at,
            policy: policy(&credential.allowed_ips, credential.expires_at),
            pivots,
        }
    }

    pub(crate) fn pivot(&self, peer: &str) -> Option<&Pivot> {
        self.pivots.iter().find(|pivot| pivot.target == peer)
    }

    /// The newest `ts` this peer can have given the client's events to `peer`.
    fn newest_ts(&self, peer: &str) -> i64 {
        let sent = self
            .pivot(peer)
            .map(|pivot| pivot.changed_at.max(pivot.last_ts.unwrap_or(i64::MIN)));
        self.changed_at.max(sent.unwrap_or(i64::MIN))
    }
}

impl From<&PivotState> for Pivot {
    fn from(pivot: &PivotState) -> Self {
        Self {
            target: pivot.target_amqp_queue.clone(),
            deletes: pivot.op.as_deref() == Some("credential.delete"),
            hash: pivot.secret_hash.as_deref().and_then(prefix),
            status: pivot.status,
            attempts: pivot.attempt_count,
            reason: pivot.reason.clone(),
            changed_at: pivot.changed_at,
            last_ts: pivot.last_ts,
        }
    }
}

/// What was seen of one client in one peer's store.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen<'a> {
    pub(crate) peer: &'a str,
    pub(crate) is_self: bool,
    /// Whether the store is one that is read here at all.
    pub(crate) watched: bool,
    /// Whether the store can be read.
    pub(crate) readable: bool,
    pub(crate) held: Option<&'a Held>,
    /// The `ts` of the client's cursor there, where it was looked at.
    pub(crate) cursor: Option<i64>,
}

/// How a client stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Judged {
    /// Whether this peer is the source of its last change.
    pub(crate) own: bool,
    pub(crate) states: Vec<CellState>,
}

/// Judges every cell of a client; `None` when nobody knows it.
pub(crate) fn judge(own: Option<&Own>, seen: &[Seen<'_>]) -> Option<Judged> {
    if let Some(own) = own {
        let states: Vec<_> = seen.iter().map(|seen| against_own(own, seen)).collect();
        let superseded = states.iter().zip(seen).any(|(state, seen)| {
            is_mismatch(*state)
                && seen
                    .cursor
                    .is_some_and(|cursor| cursor > own.newest_ts(seen.peer))
        });
        if !superseded {
            return Some(Judged { own: true, states });
        }
    } else if seen.iter().all(|seen| seen.held.is_none()) {
        return None;
    }
    let truth = seen
        .iter()
        .filter(|seen| seen.readable)
        .filter_map(|seen| seen.held);
    let truth = truth.max_by_key(|held| held.updated_at);
    Some(Judged {
        own: false,
        states: seen.iter().map(|seen| against_truth(truth, seen)).collect(),
    })
}

/// Tells whether the store differs from what it should hold.
pub(crate) fn is_mismatch(state: CellState) -> bool {
    matches!(
        state,
        CellState::Behind | CellState::Missing | CellState::Unexpected
    )
}

/// Tells whether a row with such a cell is out of sync. A target whose store is not read here counts by what it acknowledged.
pub(crate) fn is_attention(own: Option<&Own>, seen: &Seen<'_>, state: CellState) -> bool {
    if seen.watched {
        return is_mismatch(state) || state == CellState::Unknown;
    }
    own.and_then(|own| own.pivot(seen.peer))
        .is_some_and(|pivot| pivot.status != DeliveryStatus::Success)
}

/// All that is known of a target whose store is not read here, in words.
pub(crate) fn reported_status(pivot: Option<&Pivot>) -> String {
    let words = match pivot.map(|pivot| (pivot.status, &pivot.reason)) {
        None => "nothing is sent to it from here",
        Some((_, Some(reason))) => reason,
        Some((DeliveryStatus::Success, None)) => "acknowledged",
        Some((DeliveryStatus::Sent, None)) => "sent, not acknowledged yet",
        Some((DeliveryStatus::Error, None)) => "failed",
        Some((DeliveryStatus::Pending, None)) => "waits to be sent",
    };
    words.to_owned()
}

fn against_own(own: &Own, seen: &Seen<'_>) -> CellState {
    if !seen.readable {
        return CellState::Unknown;
    }
    let wanted = (own.hash, Some(own.policy));
    if seen.is_self {
        return match (own.revoked, seen.held) {
            (true, None) => CellState::InSync,
            (true, Some(_)) => CellState::Unexpected,
            (false, held) => against_wanted(wanted, held),
        };
    }
    match (own.pivot(seen.peer), seen.held) {
        (None, None) => CellState::None,
        (None, Some(held)) => match against_wanted(wanted, Some(held)) {
            CellState::InSync if !own.revoked => CellState::InSync,
            _ => CellState::Unexpected,
        },
        (Some(pivot), None) if pivot.deletes => CellState::InSync,
        (Some(pivot), Some(_)) if pivot.deletes => match pivot.status {
            DeliveryStatus::Success => CellState::Unexpected,
            _ => CellState::Behind,
        },
        (Some(pivot), held) => {
            // Only the last change of the credential tells which rules the target should have.
            let policy = (pivot.changed_at == own.changed_at).then_some(own.policy);
            against_wanted((pivot.hash, policy), held)
        }
    }
}

fn against_wanted((hash, policy): (Option<Prefix>, Option<u64>), held: Option<&Held>) -> CellState {
    match held {
        None => CellState::Missing,
        Some(held) if hash.is_none() || held.hash != hash => CellState::Behind,
        Some(held) if policy.is_some_and(|policy| policy != held.policy) => CellState::Behind,
        Some(_) => CellState::InSync,
    }
}

fn against_truth(truth: Option<&Held>, seen: &Seen<'_>) -> CellState {
    match (seen.readable, seen.held, truth) {
        (false, ..) => CellState::Unknown,
        (true, None, _) => CellState::None,
        (true, Some(held), Some(truth)) if held.hash == truth.hash && held.hash.is_some() => {
            CellState::InSync
        }
        (true, Some(_), _) => CellState::Behind,
    }
}

/// Takes the first 8 characters.
pub(crate) fn prefix(hash: &str) -> Option<Prefix> {
    hash.as_bytes().first_chunk().copied()
}

fn policy(rules: &[String], expires_at: Option<i64>) -> u64 {
    let mut hasher = DefaultHasher::new();
    (rules, expires_at).hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use CellState::{Behind, InSync, Missing, None as Nothing, Unexpected, Unknown};

    const A: &str = "aaaaaaaa";
    const B: &str = "bbbbbbbb";

    fn held(hash: &str, updated_at: i64) -> Held {
        Held {
            hash: prefix(hash),
            updated_at,
            expires_at: None,
            policy: policy(&[], None),
        }
    }

    fn pivot(target: &str, hash: Option<&str>, status: DeliveryStatus) -> Pivot {
        Pivot {
            target: target.to_owned(),
            deletes: hash.is_none(),
            hash: hash.and_then(prefix),
            status,
            attempts: 1,
            reason: None,
            changed_at: 10,
            last_ts: Some(12),
        }
    }

    fn own(hash: Option<&str>, pivots: &[Pivot]) -> Own {
        Own {
            hash: hash.and_then(prefix),
            revoked: hash.is_none(),
            changed_at: 10,
            expires_at: None,
            policy: policy(&[], None),
            pivots: pivots.to_vec(),
        }
    }

    fn seen<'a>(peer: &'a str, held: Option<&'a Held>) -> Seen<'a> {
        Seen {
            peer,
            is_self: peer == "me",
            watched: true,
            readable: true,
            held,
            cursor: None,
        }
    }

    fn state_of(own: &Own, seen: Seen<'_>) -> CellState {
        judge(Some(own), &[seen]).unwrap().states[0]
    }

    /// Every rule of an own client, a line each: what is wanted, how far it has come, what is there, how that is called.
    #[test]
    fn an_own_client_is_held_against_what_is_wanted() {
        let (a, b) = (held(A, 11), held(B, 11));
        let live = |pivots: &[Pivot]| own(Some(A), pivots);
        let revoked = |pivots: &[Pivot]| own(None, pivots);
        let cases = [
            ("self holds it", live(&[]), "me", Some(&a), InSync),
            (
                "self holds something else",
                live(&[]),
                "me",
                Some(&b),
                Behind,
            ),
            ("self has lost it", live(&[]), "me", None, Missing),
            ("revoked here", revoked(&[]), "me", None, InSync),
            (
                "revoked, still here",
                revoked(&[]),
                "me",
                Some(&a),
                Unexpected,
            ),
            ("not booked, not there", live(&[]), "t", None, Nothing),
            (
                "not booked, the same there",
                live(&[]),
                "t",
                Some(&a),
                InSync,
            ),
            (
                "not booked, another there",
                live(&[]),
                "t",
                Some(&b),
                Unexpected,
            ),
            (
                "not booked, revoked, there",
                revoked(&[]),
                "t",
                Some(&a),
                Unexpected,
            ),
            (
                "pending, not there",
                live(&[pivot("t", Some(A), DeliveryStatus::Pending)]),
                "t",
                None,
                Missing,
            ),
            (
                "sent, not there",
                live(&[pivot("t", Some(A), DeliveryStatus::Sent)]),
                "t",
                None,
                Missing,
            ),
            (
                "success, lost there",
                live(&[pivot("t", Some(A), DeliveryStatus::Success)]),
                "t",
                None,
                Missing,
            ),
            (
                "pending, an older one there",
                live(&[pivot("t", Some(A), DeliveryStatus::Pending)]),
                "t",
                Some(&b),
                Behind,
            ),
            (
                "success, another there",
                live(&[pivot("t", Some(A), DeliveryStatus::Success)]),
                "t",
                Some(&b),
                Behind,
            ),
            (
                "success and there",
                live(&[pivot("t", Some(A), DeliveryStatus::Success)]),
                "t",
                Some(&a),
                InSync,
            ),
            (
                "there before the ack",
                live(&[pivot("t", Some(A), DeliveryStatus::Sent)]),
                "t",
                Some(&a),
                InSync,
            ),
            (
                "the target has its own last change",
                live(&[pivot("t", Some(B), DeliveryStatus::Success)]),
                "t",
                Some(&b),
                InSync,
            ),
            (
                "deleted",
                revoked(&[pivot("t", None, DeliveryStatus::Success)]),
                "t",
                None,
                InSync,
            ),
            (
                "deletion on its way",
                revoked(&[pivot("t", None, DeliveryStatus::Sent)]),
                "t",
                Some(&a),
                Behind,
            ),
            (
                "deletion refused",
                revoked(&[pivot("t", None, DeliveryStatus::Error)]),
                "t",
                Some(&a),
                Behind,
            ),
            (
                "back after the deletion",
                revoked(&[pivot("t", None, DeliveryStatus::Success)]),
                "t",
                Some(&a),
                Unexpected,
            ),
        ];
        for (name, own, peer, held, expected) in cases {
            assert_eq!(state_of(&own, seen(peer, held)), expected, "{name}");
        }
        let unreadable = Seen {
            readable: false,
            ..seen("t", Some(&a))
        };
        assert_eq!(state_of(&live(&[]), unreadable), Unknown);
    }

    #[test]
    fn a_target_that_is_not_read_is_unknown_and_counts_by_its_acknowledgement() {
        let unread = Seen {
            watched: false,
            readable: false,
            ..seen("t", None)
        };
        for (status, asks, words) in [
            (None, false, "nothing is sent to it from here"),
            (Some(DeliveryStatus::Pending), true, "waits to be sent"),
            (
                Some(DeliveryStatus::Sent),
                true,
                "sent, not acknowledged yet",
            ),
            (Some(DeliveryStatus::Success), false, "acknowledged"),
            (Some(DeliveryStatus::Error), true, "failed"),
        ] {
            let own = own(
                Some(A),
                &status
                    .map(|status| pivot("t", Some(A), status))
                    .into_iter()
                    .collect::<Vec<_>>(),
            );
            assert_eq!(state_of(&own, unread), Unknown);
            assert_eq!(
                is_attention(Some(&own), &unread, Unknown),
                asks,
                "{status:?}"
            );
            assert_eq!(reported_status(own.pivot("t")), words);
        }
        assert!(
            is_attention(
                None,
                &Seen {
                    readable: false,
                    ..seen("t", None)
                },
                Unknown
            ),
            "away is another thing"
        );
    }

    #[test]
    fn rules_and_expiry_count_where_the_target_has_the_last_change() {
        let restricted = Held {
            policy: policy(&["10.0.0.0/8".to_owned()], None),
            ..held(A, 11)
        };
        assert_eq!(
            state_of(&own(Some(A), &[]), seen("me", Some(&restricted))),
            Behind
        );
        let last = own(Some(A), &[pivot("t", Some(A), DeliveryStatus::Success)]);
        assert_eq!(state_of(&last, seen("t", Some(&restricted))), Behind);
        let earlier = own(
            Some(A),
            &[Pivot {
                changed_at: 5,
                ..pivot("t", Some(A), DeliveryStatus::Success)
            }],
        );
        assert_eq!(state_of(&earlier, seen("t", Some(&restricted))), InSync);
    }

    #[test]
    fn a_newer_change_of_another_source_makes_a_client_foreign() {
        let (older, newer) = (held(A, 11), held(B, 20));
        let ours = own(Some(A), &[pivot("t", Some(A), DeliveryStatus::Success)]);
        let at = |cursor| Seen {
            cursor: Some(cursor),
            ..seen("t", Some(&newer))
        };
        let judged = judge(Some(&ours), &[seen("me", Some(&older)), at(12)]).unwrap();
        assert_eq!(
            (judged.own, judged.states),
            (true, vec![InSync, Behind]),
            "our own retry moved the cursor"
        );
        let judged = judge(Some(&ours), &[seen("me", Some(&older)), at(13)]).unwrap();
        assert_eq!((judged.own, judged.states), (false, vec![Behind, InSync]));
        let gone = Seen {
            cursor: Some(13),
            ..seen("me", None)
        };
        assert!(
            !judge(Some(&ours), &[gone, seen("t", Some(&older))])
                .unwrap()
                .own,
            "revoked elsewhere"
        );
    }

    #[test]
    fn the_newest_record_is_the_truth_of_a_foreign_client() {
        let (older, newer) = (held(A, 1), held(B, 2));
        let away = Seen {
            readable: false,
            ..seen("away", None)
        };
        let all = [
            seen("me", Some(&older)),
            seen("t", Some(&newer)),
            seen("u", None),
            away,
        ];
        let judged = judge(None, &all).unwrap();
        assert_eq!(judged.states, [Behind, InSync, Nothing, Unknown]);
        assert_eq!(judge(None, &[seen("me", None), away]), None);
        let corrupt = Held {
            hash: None,
            ..held(A, 0)
        };
        assert_eq!(
            judge(None, &[seen("me", Some(&corrupt))]).unwrap().states,
            [Behind]
        );
    }
}
