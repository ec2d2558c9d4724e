//! What the cases stand on: somebody with an account, and a family.
#![expect(clippy::expect_used, reason = "a conformance suite fails by panicking")]

use std::time::Duration;

use accounts::{
    Account, AccountStore, Begun, Family, FamilyId, NewFamily, Presented, RefreshStore, Refusal,
    Role, Rotated, Rotation, Seen, Subject, TokenId,
};
use auth_base::random::SystemRandom;

use crate::account_store::{account, saved};
use crate::replicas::Replicas;

pub(super) const NOW: i64 = 1_800_000_000_000;
pub(super) const GRACE: Duration = Duration::from_secs(10);
pub(super) const GRACE_MS: i64 = 10_000;
pub(super) const IDLE_MS: i64 = 8 * 3_600_000;
pub(super) const ABSOLUTE_MS: i64 = 30 * 86_400_000;

pub(super) fn token() -> TokenId {
    TokenId::random(&SystemRandom)
}

/// An account, written.
pub(super) async fn person(store: &impl AccountStore, address: &str) -> Account {
    saved(store, account(address, &[Role::Viewer])).await
}

/// A family of somebody, not begun.
pub(super) fn new_family(of: &Account) -> NewFamily {
    NewFamily {
        id: FamilyId::random(&SystemRandom),
        first: token(),
        subject: Subject::User(of.id),
        account_version: of.version,
        idle_ms: IDLE_MS,
        absolute_ms: ABSOLUTE_MS,
        seen: Seen::new("Firefox", "203.0.113.7"),
    }
}

pub(super) async fn begin(store: &impl RefreshStore, new: &NewFamily, now_ms: i64) -> Begun {
    store.begin(new, now_ms).await.expect("the store answers")
}

/// A family of somebody, begun.
pub(super) async fn begun(store: &impl RefreshStore, of: &Account, now_ms: i64) -> NewFamily {
    let new = new_family(of);
    assert_eq!(begin(store, &new, now_ms).await, Begun::Done);
    new
}

/// Somebody with a family that began [`NOW`].
pub(super) async fn signed_in<S>(stores: &Replicas<S>) -> (Account, NewFamily)
where
    S: AccountStore + RefreshStore,
{
    let ada = person(&stores.one, "ada@example.org").await;
    let family = begun(&stores.one, &ada, NOW).await;
    (ada, family)
}

/// Presents a token with a new successor.
pub(super) async fn rotate(
    store: &impl RefreshStore,
    presented: TokenId,
    now_ms: i64,
    grace: Duration,
) -> Rotation {
    let presented = Presented {
        token: presented,
        successor: Some(token()),
        seen: None,
    };
    let rotation = store.rotate(&presented, now_ms, grace).await;
    rotation.expect("the store answers")
}

/// Presents a token that is taken, and tells the answer.
pub(super) async fn rotated(store: &impl RefreshStore, presented: TokenId, now_ms: i64) -> Rotated {
    match rotate(store, presented, now_ms, GRACE).await {
        Rotation::Rotated(rotated) => rotated,
        Rotation::Refused(refusal) => unreachable!("refused: {refusal:?}"),
    }
}

/// The successor of a token that is taken.
pub(super) async fn successor(
    store: &impl RefreshStore,
    presented: TokenId,
    now_ms: i64,
) -> TokenId {
    let rotated = rotated(store, presented, now_ms).await;
    rotated.successor.expect("a successor was named")
}

/// Presents a token that is not taken, and tells why.
pub(super) async fn refused(store: &impl RefreshStore, presented: TokenId, now_ms: i64) -> Refusal {
    refusal(rotate(store, presented, now_ms, GRACE).await)
}

pub(super) fn refusal(rotation: Rotation) -> Refusal {
    match rotation {
        Rotation::Refused(refusal) => refusal,
        Rotation::Rotated(rotated) => unreachable!("taken: {rotated:?}"),
    }
}

pub(super) async fn family(store: &impl RefreshStore, id: FamilyId) -> Family {
    let family = store.family(id).await.expect("the store answers");
    family.expect("the family is there")
}
