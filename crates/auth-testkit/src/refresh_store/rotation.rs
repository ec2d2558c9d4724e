//! Cases: what presenting a token does.
#![expect(clippy::expect_used, reason = "a conformance suite fails by panicking")]

use std::time::Duration;

use accounts::{
    AccountStore, Begun, Presented, RefreshStore, Refusal, RevokeReason, Rotation, Seen, Which,
};

use super::world::{
    ABSOLUTE_MS, GRACE, GRACE_MS, IDLE_MS, NOW, begin, begun, family, new_family, refusal, refused,
    rotate, rotated, signed_in, successor, token,
};
use crate::account_store::{disabled, saved};
use crate::replicas::Replicas;

/// A chain of tokens, each used once, at either replica.
pub async fn a_token_is_followed_by_its_successor<S: AccountStore + RefreshStore>(
    stores: Replicas<S>,
) {
    let (_, new) = signed_in(&stores).await;
    let (mut held, mut now) = (new.first, NOW);
    for step in 0..6 {
        now += 900_000;
        let store = [&stores.one, &stores.other][step % 2];
        let rotated = rotated(store, held, now).await;
        let family = &rotated.family;
        assert_eq!((family.id, rotated.is_repeat), (new.id, false));
        assert_eq!((family.last_used_at_ms, family.created_at_ms), (now, NOW));
        assert_eq!(family.idle_until_ms, now + IDLE_MS);
        assert_ne!(rotated.successor, Some(held));
        held = rotated.successor.expect("a successor was named");
    }
}

/// A token that nobody made is refused, and no family dies of it.
pub async fn an_unknown_token_is_not_found<S: AccountStore + RefreshStore>(stores: Replicas<S>) {
    let (_, new) = signed_in(&stores).await;
    assert_eq!(refused(&stores.one, token(), NOW).await, Refusal::NotFound);
    rotated(&stores.one, new.first, NOW + 1).await;
}

/// Whoever comes a second time within the grace gets the successor that the first got, up to the grace's last moment.
pub async fn within_the_grace_the_same_successor_is_handed_out<S>(stores: Replicas<S>)
where
    S: AccountStore + RefreshStore,
{
    let (_, new) = signed_in(&stores).await;
    let first = rotated(&stores.one, new.first, NOW).await;
    for later in [0, 1, GRACE_MS / 2, GRACE_MS] {
        let again = rotated(&stores.other, new.first, NOW + later).await;
        assert_eq!(again.successor, first.successor, "{later}");
        assert!(again.is_repeat, "{later}");
        assert_eq!(again.family, first.family, "{later}");
    }
    // What was handed out is taken.
    let held = first.successor.expect("a successor was named");
    rotated(&stores.one, held, NOW + GRACE_MS).await;
}

/// A gateway that did not get the answer to its commit presents the same token with the same successor: the same answer,
/// however late and whatever the grace, until the successor was used.
pub async fn who_names_the_same_successor_again_gets_it<S: AccountStore + RefreshStore>(
    stores: Replicas<S>,
) {
    let (_, new) = signed_in(&stores).await;
    let named = token();
    let presented = Presented {
        token: new.first,
        successor: Some(named),
        seen: None,
    };
    let late = NOW + GRACE_MS + 1;
    for (now, grace, is_repeat) in [
        (NOW, GRACE, false),
        (NOW, Duration::ZERO, true),
        (late, GRACE, true),
        (NOW + IDLE_MS - 1, Duration::ZERO, true),
    ] {
        let rotation = stores.other.rotate(&presented, now, grace).await;
        let Ok(Rotation::Rotated(rotated)) = rotation else {
            unreachable!("refused: {rotation:?}");
        };
        assert_eq!(
            (rotated.successor, rotated.is_repeat),
            (Some(named), is_repeat)
        );
    }
    rotated(&stores.one, named, late).await;
    let replayed = stores.one.rotate(&presented, late, GRACE).await;
    assert_eq!(refusal(replayed.expect("answered")), Refusal::Reused);
}

/// A token that was used in the last moment of its idle time has its whole grace; the end of its family has none.
pub async fn the_grace_outlives_the_idle_time<S: AccountStore + RefreshStore>(stores: Replicas<S>) {
    let (ada, new) = signed_in(&stores).await;
    let last = NOW + IDLE_MS - 1;
    let second = successor(&stores.one, new.first, last).await;
    for later in [1, GRACE_MS] {
        let again = rotated(&stores.other, new.first, last + later).await;
        assert_eq!((again.successor, again.is_repeat), (Some(second), true));
    }
    let late = refused(&stores.other, new.first, last + GRACE_MS + 1).await;
    assert_eq!(late, Refusal::Expired);
    rotated(&stores.one, second, last + GRACE_MS + 1).await;
    let mut short = new_family(&ada);
    short.absolute_ms = 1_000;
    assert_eq!(begin(&stores.one, &short, NOW).await, Begun::Done);
    successor(&stores.one, short.first, NOW + 999).await;
    let ended = refused(&stores.one, short.first, NOW + 1_000).await;
    assert_eq!(ended, Refusal::Expired);
}

/// Once the successor was used, who comes with its parent is a thief, or was robbed: also within the grace.
pub async fn the_loser_gets_the_successor_only_while_it_is_unused<S>(stores: Replicas<S>)
where
    S: AccountStore + RefreshStore,
{
    let (_, new) = signed_in(&stores).await;
    let second = successor(&stores.one, new.first, NOW).await;
    let third = successor(&stores.one, second, NOW + 1).await;
    assert_eq!(
        refused(&stores.other, new.first, NOW + 2).await,
        Refusal::Reused
    );
    for token in [new.first, second, third] {
        assert_eq!(
            refused(&stores.one, token, NOW + 3).await,
            Refusal::FamilyRevoked
        );
    }
}

/// One moment after the grace a used token kills its family: the newest token is refused too, and other families live.
pub async fn a_replay_after_the_grace_kills_the_family<S>(stores: Replicas<S>)
where
    S: AccountStore + RefreshStore,
{
    let (ada, new) = signed_in(&stores).await;
    let other = begun(&stores.one, &ada, NOW).await;
    let newest = successor(&stores.one, new.first, NOW).await;
    let late = NOW + GRACE_MS + 1;
    assert_eq!(
        refused(&stores.other, new.first, late).await,
        Refusal::Reused
    );
    let dead = family(&stores.one, new.id).await;
    let revoked = dead.revoked.expect("it was revoked");
    assert_eq!(
        (revoked.at_ms, revoked.reason),
        (late, RevokeReason::Reused)
    );
    assert!(!dead.is_alive(late));
    assert_eq!(
        refused(&stores.one, newest, late).await,
        Refusal::FamilyRevoked
    );
    assert_eq!(
        refused(&stores.one, new.first, NOW).await,
        Refusal::FamilyRevoked
    );
    assert_eq!(family(&stores.one, new.id).await, dead);
    rotated(&stores.one, other.first, late).await;
}

/// Without grace the second is a replay, in the same millisecond too.
pub async fn a_grace_of_zero_has_one_winner<S: AccountStore + RefreshStore>(stores: Replicas<S>) {
    let (_, new) = signed_in(&stores).await;
    let first = rotate(&stores.one, new.first, NOW, Duration::ZERO).await;
    let Rotation::Rotated(first) = first else {
        unreachable!("refused: {first:?}");
    };
    let second = rotate(&stores.other, new.first, NOW, Duration::ZERO).await;
    assert_eq!(refusal(second), Refusal::Reused);
    let held = first.successor.expect("a successor was named");
    assert_eq!(
        refused(&stores.one, held, NOW).await,
        Refusal::FamilyRevoked
    );
}

/// A token that was not used for long is refused, and its family is not killed by it: it is over.
pub async fn an_idle_token_expires<S: AccountStore + RefreshStore>(stores: Replicas<S>) {
    let (ada, new) = signed_in(&stores).await;
    let other = begun(&stores.one, &ada, NOW).await;
    let last = NOW + IDLE_MS - 1;
    assert_eq!(
        refused(&stores.one, new.first, last + 1).await,
        Refusal::Expired
    );
    assert_eq!(family(&stores.one, new.id).await.revoked, None);
    // Each use begins the idle time anew.
    let held = successor(&stores.other, other.first, last).await;
    let held = successor(&stores.one, held, last + IDLE_MS - 1).await;
    assert_eq!(
        refused(&stores.one, held, last + 2 * IDLE_MS).await,
        Refusal::Expired
    );
}

/// A family ends at its time, used or not; until then its last tokens live.
pub async fn a_family_ends_however_much_it_is_used<S: AccountStore + RefreshStore>(
    stores: Replicas<S>,
) {
    let (_, new) = signed_in(&stores).await;
    let (mut held, mut now) = (new.first, NOW);
    let end = NOW + ABSOLUTE_MS;
    while now + IDLE_MS - 1 < end {
        now += IDLE_MS - 1;
        held = successor(&stores.one, held, now).await;
    }
    let last = rotated(&stores.one, held, end - 1).await;
    assert_eq!(last.family.idle_until_ms, end);
    assert_eq!(last.family.absolute_until_ms, end);
    let held = last.successor.expect("a successor was named");
    assert_eq!(refused(&stores.one, held, end).await, Refusal::Expired);
}

/// Who was disabled goes on nowhere, and does not when he is let in again.
pub async fn a_disabled_subject_is_refused<S: AccountStore + RefreshStore>(stores: Replicas<S>) {
    let (ada, new) = signed_in(&stores).await;
    let other = begun(&stores.one, &ada, NOW).await;
    let held = successor(&stores.one, new.first, NOW).await;
    let ada = saved(&stores.one, disabled(&ada, NOW + 1)).await;
    // The grace helps nobody here.
    let refusal = refused(&stores.other, new.first, NOW + 1).await;
    assert_eq!(refusal, Refusal::SubjectInactive);
    let reason = family(&stores.one, new.id).await.revoked;
    let reason = reason.expect("it was revoked").reason;
    assert_eq!(reason, RevokeReason::SubjectInactive);
    let ada = saved(
        &stores.one,
        accounts::Account {
            disabled_at_ms: None,
            ..ada
        },
    )
    .await;
    assert!(ada.is_active());
    assert_eq!(
        refused(&stores.one, held, NOW + 2).await,
        Refusal::FamilyRevoked
    );
    // A family that was not presented meanwhile lives.
    rotated(&stores.one, other.first, NOW + 2).await;
}

/// A clock that goes back makes neither a replay of a retry nor a token of the future.
pub async fn a_clock_that_was_set_back_signs_nobody_out<S: AccountStore + RefreshStore>(
    stores: Replicas<S>,
) {
    let (_, new) = signed_in(&stores).await;
    let hour = 3_600_000;
    let second = successor(&stores.one, new.first, NOW).await;
    let again = rotated(&stores.other, new.first, NOW - hour).await;
    assert_eq!(again.successor, Some(second));
    let third = successor(&stores.one, second, NOW - hour).await;
    rotated(&stores.one, third, NOW - hour + 1).await;
}

/// The id of a token that is there, of this or of another family, is no successor; the token stays unused.
pub async fn a_successor_that_is_taken_changes_nothing<S: AccountStore + RefreshStore>(
    stores: Replicas<S>,
) {
    let (ada, new) = signed_in(&stores).await;
    let other = begun(&stores.one, &ada, NOW).await;
    for taken in [new.first, other.first] {
        let presented = Presented {
            token: new.first,
            successor: Some(taken),
            seen: None,
        };
        let failed = stores.one.rotate(&presented, NOW + 1, GRACE).await;
        failed.expect_err("the successor's id is taken");
    }
    let held = family(&stores.one, new.id).await;
    assert_eq!(held.last_used_at_ms, NOW);
    rotated(&stores.one, new.first, NOW + GRACE_MS * 2).await;
    rotated(&stores.one, other.first, NOW + GRACE_MS * 2).await;
}

/// What is seen of a browser replaces what was known, and nothing seen leaves it.
pub async fn what_is_seen_is_kept<S: AccountStore + RefreshStore>(stores: Replicas<S>) {
    let (_, new) = signed_in(&stores).await;
    let seen = Seen::new("Fir\u{e9}fox \u{1f98a}", "2001:db8::1");
    let presented = Presented {
        token: new.first,
        successor: Some(token()),
        seen: Some(seen.clone()),
    };
    let rotation = stores.one.rotate(&presented, NOW, GRACE).await;
    let Ok(Rotation::Rotated(first)) = rotation else {
        unreachable!("refused: {rotation:?}");
    };
    assert_eq!(first.family.seen, seen);
    let held = first.successor.expect("a successor was named");
    rotated(&stores.one, held, NOW + 1).await;
    assert_eq!(family(&stores.other, new.id).await.seen, seen);
    let which = Which::Family(new.id);
    let revoked = stores
        .one
        .revoke(&which, RevokeReason::SignedOut, NOW + 2)
        .await;
    assert_eq!(revoked.expect("answered"), 1);
    assert_eq!(family(&stores.other, new.id).await.seen, seen);
}
