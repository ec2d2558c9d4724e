//! Cases: how a family begins.
#![expect(clippy::expect_used, reason = "a conformance suite fails by panicking")]

use accounts::{AccountStore, Begun, Family, FamilyId, RefreshStore, RevokeReason, Subject, Which};
use auth_base::random::SystemRandom;

use super::world::{
    ABSOLUTE_MS, IDLE_MS, NOW, begin, begun, family, new_family, person, rotated, signed_in, token,
};
use crate::account_store::{disabled, saved};
use crate::replicas::Replicas;

/// The same call again is answered alike and changes nothing, also after the first token was used.
pub async fn a_family_begins_once<S: AccountStore + RefreshStore>(stores: Replicas<S>) {
    let (_, new) = signed_in(&stores).await;
    let held = family(&stores.one, new.id).await;
    assert_eq!(begin(&stores.other, &new, NOW + 1).await, Begun::Done);
    assert_eq!(family(&stores.one, new.id).await, held);
    let next = rotated(&stores.one, new.first, NOW + 5).await;
    assert_eq!(begin(&stores.one, &new, NOW + 6).await, Begun::Done);
    assert_eq!(family(&stores.one, new.id).await, next.family);
}

/// Who has no account, or a disabled one, gets no session.
pub async fn nobody_begins_without_an_account<S: AccountStore + RefreshStore>(stores: Replicas<S>) {
    let never = crate::account_store::account("bob@example.org", &[]);
    let ada = person(&stores.one, "ada@example.org").await;
    let ada = saved(&stores.one, disabled(&ada, NOW)).await;
    for account in [never, ada] {
        let new = new_family(&account);
        assert_eq!(begin(&stores.one, &new, NOW).await, Begun::SubjectInactive);
        let held = stores.one.family(new.id).await.expect("answered");
        assert_eq!(held, None);
    }
}

/// A sign-in that was verified before the account was written begins nothing afterwards: neither with the old version, nor,
/// by a call that is late, after everything was signed out. What began before is asked for again as ever.
pub async fn a_sign_in_that_races_a_change_begins_nothing<S: AccountStore + RefreshStore>(
    stores: Replicas<S>,
) {
    let (verified, before) = signed_in(&stores).await;
    let late = new_family(&verified);
    let changed = saved(&stores.other, verified.clone()).await;
    assert_eq!(begin(&stores.one, &late, NOW).await, Begun::AccountChanged);
    assert_eq!(begin(&stores.one, &before, NOW).await, Begun::Done);
    let all = Which::AllOf(Subject::User(verified.id));
    let revoked = stores
        .other
        .revoke(&all, RevokeReason::PasswordChanged, NOW)
        .await;
    assert_eq!(revoked.expect("answered"), 1);
    assert_eq!(begin(&stores.one, &late, NOW).await, Begun::AccountChanged);
    let held = stores.one.family(late.id).await.expect("answered");
    assert_eq!(held, None);
    // Who is disabled is told so, whatever was verified.
    begun(&stores.one, &changed, NOW).await;
    saved(&stores.one, disabled(&changed, NOW)).await;
    assert_eq!(begin(&stores.one, &late, NOW).await, Begun::SubjectInactive);
}

/// An id that is another family's, another person's or a dead family's is not taken over.
pub async fn an_id_is_one_familys<S: AccountStore + RefreshStore>(stores: Replicas<S>) {
    let (ada, new) = signed_in(&stores).await;
    let bob = person(&stores.one, "bob@example.org").await;
    let held = family(&stores.one, new.id).await;
    let mut other_first = new.clone();
    other_first.first = token();
    let mut other_subject = new.clone();
    other_subject.subject = Subject::User(bob.id);
    for other in [other_first, other_subject] {
        assert_eq!(begin(&stores.other, &other, NOW).await, Begun::Taken);
    }
    // A token of this family is no first token of another.
    let mut taken = new_family(&ada);
    taken.first = new.first;
    stores
        .one
        .begin(&taken, NOW)
        .await
        .expect_err("the token's id is taken");
    assert_eq!(stores.one.family(taken.id).await.expect("answered"), None);
    assert_eq!(family(&stores.one, new.id).await, held);
    let which = Which::Family(new.id);
    let revoked = stores
        .one
        .revoke(&which, RevokeReason::SignedOut, NOW)
        .await;
    assert_eq!(revoked.expect("answered"), 1);
    assert_eq!(begin(&stores.one, &new, NOW).await, Begun::Taken);
}

/// A family is found by its id and by each of its tokens; what is unknown is none.
pub async fn what_is_begun_is_found<S: AccountStore + RefreshStore>(stores: Replicas<S>) {
    let (ada, new) = signed_in(&stores).await;
    let other = begun(&stores.one, &ada, NOW).await;
    let expected = Family {
        id: new.id,
        subject: Subject::User(ada.id),
        created_at_ms: NOW,
        idle_ms: IDLE_MS,
        idle_until_ms: NOW + IDLE_MS,
        absolute_until_ms: NOW + ABSOLUTE_MS,
        revoked: None,
        seen: new.seen.clone(),
        last_used_at_ms: NOW,
    };
    assert_eq!(family(&stores.other, new.id).await, expected);
    let next = rotated(&stores.one, new.first, NOW + 7).await;
    let successor = next.successor.expect("a successor was named");
    for token in [new.first, successor] {
        let found = stores.other.family_of(token).await.expect("answered");
        assert_eq!(found.as_ref(), Some(&next.family));
    }
    let found = stores.one.family_of(other.first).await.expect("answered");
    assert_eq!(found.map(|family| family.id), Some(other.id));
    assert_eq!(stores.one.family_of(token()).await.expect("answered"), None);
    let unknown = FamilyId::random(&SystemRandom);
    assert_eq!(stores.one.family(unknown).await.expect("answered"), None);
}
