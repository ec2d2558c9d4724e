//! Cases: successors that a gateway records in a second call.
#![expect(clippy::expect_used, reason = "a conformance suite fails by panicking")]

use accounts::{
    AccountStore, Presented, Record, Recorded, RefreshStore, Refusal, RevokeReason, Rotation,
    TokenId, Which,
};

use super::world::{
    ABSOLUTE_MS, GRACE, GRACE_MS, IDLE_MS, NOW, begun, refused, rotated, signed_in, successor,
    token,
};
use crate::replicas::Replicas;

/// Presents a token without naming a successor.
async fn rotate_only(store: &impl RefreshStore, held: TokenId, now_ms: i64) -> Rotation {
    let presented = Presented {
        token: held,
        successor: None,
        seen: None,
    };
    let rotation = store.rotate(&presented, now_ms, GRACE).await;
    rotation.expect("the store answers")
}

async fn record(store: &impl RefreshStore, record: &Record, now_ms: i64) -> Recorded {
    let recorded = store.record(record, now_ms).await;
    recorded.expect("the store answers")
}

/// First the token is used, then its successor is recorded: once, and the same again.
pub async fn a_successor_is_recorded_in_a_second_call<S: AccountStore + RefreshStore>(
    stores: Replicas<S>,
) {
    let (_, new) = signed_in(&stores).await;
    let rotation = rotate_only(&stores.one, new.first, NOW).await;
    let Rotation::Rotated(first) = rotation else {
        unreachable!("refused: {rotation:?}");
    };
    assert_eq!((first.successor, first.is_repeat), (None, false));
    let next = Record {
        family: new.id,
        token: token(),
        parent: Some(new.first),
    };
    for store in [&stores.other, &stores.one] {
        assert_eq!(record(store, &next, NOW + 1).await, Recorded::Done);
    }
    let second = Record {
        token: token(),
        ..next
    };
    assert_eq!(
        record(&stores.one, &second, NOW + 1).await,
        Recorded::Refused
    );
    rotated(&stores.one, next.token, NOW + 900_000).await;
    assert_eq!(
        refused(&stores.one, second.token, NOW).await,
        Refusal::NotFound
    );
}

/// What was named when its parent was presented is known already, and nothing else is.
pub async fn a_successor_that_was_named_is_known<S: AccountStore + RefreshStore>(
    stores: Replicas<S>,
) {
    let (_, new) = signed_in(&stores).await;
    let next = Record {
        family: new.id,
        token: successor(&stores.one, new.first, NOW).await,
        parent: Some(new.first),
    };
    assert_eq!(record(&stores.other, &next, NOW).await, Recorded::Done);
    let first = Record {
        token: new.first,
        parent: None,
        ..next
    };
    assert_eq!(record(&stores.other, &first, NOW).await, Recorded::Done);
    for wrong in [
        Record {
            token: token(),
            ..next
        },
        Record {
            parent: None,
            ..next
        },
    ] {
        assert_eq!(record(&stores.one, &wrong, NOW).await, Recorded::Refused);
    }
}

/// A family that is dead, of whatever it died, gets no token more.
pub async fn a_late_record_wakes_no_dead_family<S: AccountStore + RefreshStore>(
    stores: Replicas<S>,
) {
    let (ada, new) = signed_in(&stores).await;
    let replayed = begun(&stores.one, &ada, NOW).await;
    for family in [&new, &replayed] {
        rotate_only(&stores.one, family.first, NOW).await;
    }
    let late = refused(&stores.other, replayed.first, NOW + GRACE_MS + 1).await;
    assert_eq!(late, Refusal::Reused);
    let which = Which::Family(new.id);
    let revoked = stores
        .one
        .revoke(&which, RevokeReason::SignedOut, NOW)
        .await;
    assert_eq!(revoked.expect("answered"), 1);
    let aged = begun(&stores.one, &ada, NOW).await;
    rotate_only(&stores.one, aged.first, NOW).await;
    let idle = begun(&stores.one, &ada, NOW).await;
    rotate_only(&stores.one, idle.first, NOW).await;
    for (family, now) in [
        (&new, NOW),
        (&replayed, NOW),
        (&idle, NOW + IDLE_MS),
        (&aged, NOW + ABSOLUTE_MS),
    ] {
        let next = Record {
            family: family.id,
            token: token(),
            parent: Some(family.first),
        };
        assert_eq!(record(&stores.one, &next, now).await, Recorded::Refused);
        assert_eq!(
            refused(&stores.one, next.token, NOW).await,
            Refusal::NotFound
        );
    }
}

/// Neither an unused token, nor one of another family, nor none at all is followed by what is recorded.
pub async fn nothing_is_recorded_beside_a_chain<S: AccountStore + RefreshStore>(
    stores: Replicas<S>,
) {
    let (ada, new) = signed_in(&stores).await;
    let other = begun(&stores.one, &ada, NOW).await;
    rotate_only(&stores.one, other.first, NOW).await;
    for parent in [Some(new.first), Some(other.first), Some(token()), None] {
        let next = Record {
            family: new.id,
            token: token(),
            parent,
        };
        assert_eq!(
            record(&stores.one, &next, NOW).await,
            Recorded::Refused,
            "{parent:?}"
        );
    }
    let foreign = Record {
        family: new.id,
        token: other.first,
        parent: None,
    };
    assert_eq!(record(&stores.one, &foreign, NOW).await, Recorded::Refused);
    rotated(&stores.one, new.first, NOW).await;
}
