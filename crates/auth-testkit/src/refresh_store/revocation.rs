//! Cases: sessions that are told, ended and forgotten.
#![expect(clippy::expect_used, reason = "a conformance suite fails by panicking")]

use accounts::family::MOST_SESSIONS;
use accounts::{
    AccountStore, FamilyId, RefreshStore, Refusal, RevokeReason, Subject, TokenId, Which,
};

use super::world::{
    ABSOLUTE_MS, GRACE_MS, IDLE_MS, NOW, begun, family, person, refused, rotated, signed_in,
    successor, token,
};
use crate::replicas::Replicas;

async fn revoke(store: &impl RefreshStore, which: Which, reason: RevokeReason, now_ms: i64) -> u64 {
    let revoked = store.revoke(&which, reason, now_ms).await;
    revoked.expect("the store answers")
}

async fn is_dead(store: &impl RefreshStore, held: TokenId) -> bool {
    match store.family_of(held).await.expect("answered") {
        Some(family) => family.revoked.is_some(),
        None => unreachable!("the family is there"),
    }
}

async fn sessions(store: &impl RefreshStore, of: Subject, now_ms: i64, most: u32) -> Vec<FamilyId> {
    let sessions = store.sessions(&of, now_ms, most).await;
    let sessions = sessions.expect("the store answers");
    sessions.iter().map(|family| family.id).collect()
}

/// By its id, and by any of its tokens; again it is not counted, and the first reason stays.
pub async fn one_family_is_revoked<S: AccountStore + RefreshStore>(stores: Replicas<S>) {
    let (ada, new) = signed_in(&stores).await;
    let other = begun(&stores.one, &ada, NOW).await;
    let third = begun(&stores.one, &ada, NOW).await;
    let held = successor(&stores.one, other.first, NOW).await;
    let by_id = Which::Family(new.id);
    let by_token = Which::OfToken(other.first);
    for which in [by_id, by_token] {
        let count = revoke(&stores.one, which, RevokeReason::SignedOut, NOW + 1).await;
        assert_eq!(count, 1, "{which:?}");
        let again = revoke(&stores.other, which, RevokeReason::EndedByAdmin, NOW + 2).await;
        assert_eq!(again, 0, "{which:?}");
    }
    for token in [new.first, held] {
        assert_eq!(
            refused(&stores.one, token, NOW + 3).await,
            Refusal::FamilyRevoked
        );
    }
    let revoked = family(&stores.other, other.id).await.revoked;
    let revoked = revoked.expect("it was revoked");
    assert_eq!(
        (revoked.at_ms, revoked.reason),
        (NOW + 1, RevokeReason::SignedOut)
    );
    rotated(&stores.one, third.first, NOW + 3).await;
    let nothing = Which::OfToken(token());
    assert_eq!(
        revoke(&stores.one, nothing, RevokeReason::SignedOut, NOW).await,
        0
    );
}

/// All of one person, and of nobody else.
pub async fn all_families_of_a_subject_are_revoked<S: AccountStore + RefreshStore>(
    stores: Replicas<S>,
) {
    let (ada, new) = signed_in(&stores).await;
    let bob = person(&stores.one, "bob@example.org").await;
    let of_bob = begun(&stores.one, &bob, NOW).await;
    let second = begun(&stores.other, &ada, NOW).await;
    let ended = begun(&stores.one, &ada, NOW).await;
    revoke(
        &stores.one,
        Which::Family(ended.id),
        RevokeReason::SignedOut,
        NOW,
    )
    .await;
    let all = Which::AllOf(Subject::User(ada.id));
    assert_eq!(
        revoke(&stores.one, all, RevokeReason::PasswordChanged, NOW + 1).await,
        2
    );
    assert_eq!(
        revoke(&stores.one, all, RevokeReason::PasswordChanged, NOW + 1).await,
        0
    );
    for family in [&new, &second, &ended] {
        assert!(is_dead(&stores.other, family.first).await);
    }
    rotated(&stores.one, of_bob.first, NOW + 1).await;
    // Who signs in again afterwards is in.
    let anew = begun(&stores.one, &ada, NOW + 2).await;
    rotated(&stores.one, anew.first, NOW + 3).await;
}

/// All of one person but the one that is being used.
pub async fn all_families_but_one_are_revoked<S: AccountStore + RefreshStore>(stores: Replicas<S>) {
    let (ada, new) = signed_in(&stores).await;
    let bob = person(&stores.one, "bob@example.org").await;
    let of_bob = begun(&stores.one, &bob, NOW).await;
    let mut others = Vec::new();
    for _ in 0..3 {
        others.push(begun(&stores.other, &ada, NOW).await);
    }
    let but = Which::AllBut(Subject::User(ada.id), new.id);
    assert_eq!(
        revoke(&stores.one, but, RevokeReason::EndedElsewhere, NOW + 1).await,
        3
    );
    for family in &others {
        assert!(is_dead(&stores.other, family.first).await);
    }
    for living in [&new, &of_bob] {
        rotated(&stores.one, living.first, NOW + 2).await;
    }
}

/// The living ones of a person, the one used last first, with what was seen of them.
pub async fn sessions_are_told<S: AccountStore + RefreshStore>(stores: Replicas<S>) {
    let (ada, new) = signed_in(&stores).await;
    let bob = person(&stores.one, "bob@example.org").await;
    let of_bob = begun(&stores.one, &bob, NOW).await;
    let second = begun(&stores.one, &ada, NOW + 1).await;
    let third = begun(&stores.one, &ada, NOW + 2).await;
    let ended = begun(&stores.one, &ada, NOW + 3).await;
    revoke(
        &stores.one,
        Which::Family(ended.id),
        RevokeReason::SignedOut,
        NOW + 4,
    )
    .await;
    successor(&stores.one, second.first, NOW + GRACE_MS).await;
    let ada = Subject::User(ada.id);
    let told = sessions(&stores.other, ada, NOW + GRACE_MS, 10).await;
    assert_eq!(told, [second.id, third.id, new.id]);
    assert_eq!(sessions(&stores.other, ada, NOW, 2).await, told[..2]);
    assert_eq!(sessions(&stores.other, ada, NOW, 0).await, []);
    let told = stores.one.sessions(&ada, NOW, 1).await.expect("answered");
    assert_eq!(told[0], family(&stores.one, second.id).await);
    // Those that nobody used for long are over.
    assert_eq!(
        sessions(&stores.one, ada, NOW + IDLE_MS + 1, 10).await,
        [second.id, third.id]
    );
    assert_eq!(sessions(&stores.one, ada, NOW + ABSOLUTE_MS, 10).await, []);
    let of = Subject::User(bob.id);
    assert_eq!(sessions(&stores.one, of, NOW, 10).await, [of_bob.id]);
}

/// Nobody has more sessions than the most: who signs in again ends the one that was used longest ago, and nobody else's.
pub async fn one_session_more_ends_the_oldest<S: AccountStore + RefreshStore>(stores: Replicas<S>) {
    let (ada, first) = signed_in(&stores).await;
    let bob = person(&stores.one, "bob@example.org").await;
    let of_bob = begun(&stores.one, &bob, NOW - 1).await;
    let second = begun(&stores.one, &ada, NOW + 1).await;
    let ended = begun(&stores.one, &ada, NOW - 1).await;
    revoke(
        &stores.one,
        Which::Family(ended.id),
        RevokeReason::SignedOut,
        NOW + 1,
    )
    .await;
    for _ in 2..MOST_SESSIONS {
        begun(&stores.one, &ada, NOW + 2).await;
    }
    let subject = Subject::User(ada.id);
    let most = usize::try_from(MOST_SESSIONS).expect("a few");
    let told = sessions(&stores.other, subject, NOW + 3, u32::MAX).await;
    assert_eq!((told.len(), told.last()), (most, Some(&first.id)));
    // The one that began first is used: now the second is the one that was not used for longest.
    successor(&stores.one, first.first, NOW + 3).await;
    let newest = begun(&stores.other, &ada, NOW + 4).await;
    let told = sessions(&stores.one, subject, NOW + 4, u32::MAX).await;
    assert_eq!((told.len(), &told[..2]), (most, &[newest.id, first.id][..]));
    let dead = family(&stores.one, second.id).await.revoked;
    let dead = dead.expect("it was revoked");
    assert_eq!((dead.at_ms, dead.reason), (NOW + 4, RevokeReason::TooMany));
    let earlier = family(&stores.one, ended.id).await.revoked;
    assert_eq!(earlier.map(|it| it.reason), Some(RevokeReason::SignedOut));
    rotated(&stores.one, of_bob.first, NOW + 4).await;
    // All of them are signed out at once, and when they ended is kept as ever.
    let but = Which::AllBut(subject, newest.id);
    let count = revoke(&stores.one, but, RevokeReason::EndedByAdmin, NOW + 5).await;
    assert_eq!(count, u64::from(MOST_SESSIONS) - 1);
    let told = sessions(&stores.other, subject, NOW + 5, 10).await;
    assert_eq!(told, [newest.id]);
    let dead = family(&stores.one, first.id).await;
    assert_eq!(dead.ended_at_ms(), NOW + 5);
}

/// Families that ended before a moment are forgotten with their tokens, a few at a time; others stay.
pub async fn what_has_ended_is_swept<S: AccountStore + RefreshStore>(stores: Replicas<S>) {
    let (ada, idle) = signed_in(&stores).await;
    let (revoked, second) = (
        begun(&stores.one, &ada, NOW).await,
        begun(&stores.one, &ada, NOW).await,
    );
    for family in [&revoked, &second] {
        revoke(
            &stores.one,
            Which::Family(family.id),
            RevokeReason::SignedOut,
            NOW + 5,
        )
        .await;
    }
    let living = begun(&stores.one, &ada, NOW + IDLE_MS).await;
    let held = successor(&stores.one, living.first, NOW + IDLE_MS).await;
    let sweep = async |before, most| stores.other.sweep(before, most).await.expect("answered");
    assert_eq!(sweep(NOW + 5, 10).await, 0);
    // One row at a time: the only token of one of them, then the rest.
    assert_eq!(sweep(NOW + 6, 1).await, 1);
    assert_eq!(sweep(NOW + 6, 10).await, 3);
    assert_eq!(sweep(NOW + 6, 10).await, 0);
    let gone = refused(&stores.one, revoked.first, NOW + 6).await;
    assert_eq!(gone, Refusal::NotFound);
    for forgotten in [revoked.id, second.id] {
        assert_eq!(stores.one.family(forgotten).await.expect("answered"), None);
    }
    family(&stores.one, idle.id).await;
    assert_eq!(sweep(NOW + IDLE_MS + 1, 10).await, 2);
    assert_eq!(stores.one.family(idle.id).await.expect("answered"), None);
    rotated(&stores.one, held, NOW + IDLE_MS + 1).await;
    // Three tokens and their family.
    assert_eq!(sweep(NOW + 10 * ABSOLUTE_MS, 10).await, 4);
}

/// A family of many tokens is forgotten in pieces, none larger than was asked for.
pub async fn a_family_of_many_tokens_is_swept_in_pieces<S: AccountStore + RefreshStore>(
    stores: Replicas<S>,
) {
    let (ada, new) = signed_in(&stores).await;
    let other = begun(&stores.one, &ada, NOW).await;
    let mut held = new.first;
    for step in 1..12 {
        held = successor(&stores.one, held, NOW + step).await;
    }
    let which = Which::Family(new.id);
    revoke(&stores.one, which, RevokeReason::SignedOut, NOW + 20).await;
    let mut pieces = Vec::new();
    for _ in 0..4 {
        let piece = stores.other.sweep(NOW + 21, 5).await;
        pieces.push(piece.expect("answered"));
    }
    // Twelve tokens and their family.
    assert_eq!(pieces, [5, 5, 3, 0]);
    assert_eq!(stores.one.family(new.id).await.expect("answered"), None);
    rotated(&stores.one, other.first, NOW + 21).await;
}

/// A family that is used for long does not keep its whole past: used tokens that have expired are forgotten, others not.
pub async fn used_tokens_that_expired_are_swept<S: AccountStore + RefreshStore>(
    stores: Replicas<S>,
) {
    let (_, new) = signed_in(&stores).await;
    let second = successor(&stores.one, new.first, NOW + IDLE_MS - 1).await;
    let sweep = async |before| stores.other.sweep(before, 10).await.expect("answered");
    assert_eq!(sweep(NOW + IDLE_MS).await, 0);
    assert_eq!(sweep(NOW + IDLE_MS + 1).await, 1);
    let now = NOW + IDLE_MS + GRACE_MS;
    let gone = refused(&stores.one, new.first, now).await;
    assert_eq!(gone, Refusal::NotFound);
    let third = successor(&stores.one, second, now).await;
    assert_eq!(sweep(NOW + IDLE_MS + 1).await, 0);
    rotated(&stores.one, third, now + 1).await;
}
