//! Cases: many at once, at two replicas.
#![expect(clippy::expect_used, reason = "a conformance suite fails by panicking")]

use std::collections::BTreeSet;
use std::time::Duration;

use accounts::{
    AccountStore, Begun, Record, Recorded, RefreshStore, Refusal, RevokeReason, Rotated, Rotation,
    Subject, TokenId, Which,
};

use super::world::{
    GRACE, GRACE_MS, NOW, begin, begun, family, new_family, person, refused, rotate, rotated,
    signed_in, successor, token,
};
use crate::replicas::Replicas;

const AT_ONCE: usize = 50;

/// Presents one token as often, each time with a successor of its own, in turns at the two replicas.
async fn rotate_at_once<S>(
    stores: &Replicas<S>,
    held: TokenId,
    now_ms: i64,
    grace: Duration,
) -> Vec<Rotation>
where
    S: RefreshStore + Clone,
{
    let tasks = (0..AT_ONCE).map(|number| {
        let store = [&stores.one, &stores.other][number % 2].clone();
        tokio::spawn(async move { rotate(&store, held, now_ms, grace).await })
    });
    let mut rotations = Vec::new();
    for task in tasks.collect::<Vec<_>>() {
        rotations.push(task.await.expect("no task panics"));
    }
    rotations
}

fn taken(rotations: &[Rotation]) -> Vec<&Rotated> {
    let taken = rotations.iter().filter_map(|rotation| match rotation {
        Rotation::Rotated(rotated) => Some(rotated),
        Rotation::Refused(_) => None,
    });
    taken.collect()
}

/// Of 50 at once, one makes the successor, and all get it.
pub async fn fifty_at_once_get_one_successor<S>(stores: Replicas<S>)
where
    S: AccountStore + RefreshStore + Clone,
{
    let (_, new) = signed_in(&stores).await;
    let (mut held, mut now) = (new.first, NOW);
    for _ in 0..3 {
        now += GRACE_MS * 10;
        let rotations = rotate_at_once(&stores, held, now, GRACE).await;
        let taken = taken(&rotations);
        assert_eq!(taken.len(), AT_ONCE, "{rotations:?}");
        let successors: BTreeSet<_> = taken.iter().map(|it| it.successor).collect();
        assert_eq!(successors.len(), 1, "{successors:?}");
        let first = taken.iter().filter(|it| !it.is_repeat);
        assert_eq!(first.count(), 1);
        assert!(taken.iter().all(|it| it.family == taken[0].family));
        held = taken[0].successor.expect("a successor was named");
    }
    rotated(&stores.one, held, now + 1).await;
}

/// Of 50 at once without grace, one wins and the family dies; it stays dead when a record comes late.
pub async fn fifty_at_once_without_grace_kill_the_family<S>(stores: Replicas<S>)
where
    S: AccountStore + RefreshStore + Clone,
{
    let (_, new) = signed_in(&stores).await;
    let rotations = rotate_at_once(&stores, new.first, NOW, Duration::ZERO).await;
    let taken = taken(&rotations);
    assert_eq!(taken.len(), 1, "{rotations:?}");
    let refused_as = |refusal| {
        let refused = rotations.iter();
        refused
            .filter(|it| **it == Rotation::Refused(refusal))
            .count()
    };
    assert_eq!(refused_as(Refusal::Reused), 1);
    assert_eq!(refused_as(Refusal::FamilyRevoked), AT_ONCE - 2);
    let won = taken[0].successor.expect("a successor was named");
    for (token, parent) in [(won, new.first), (token(), won), (token(), new.first)] {
        let late = Record {
            family: new.id,
            token,
            parent: Some(parent),
        };
        let recorded = stores.other.record(&late, NOW).await;
        assert_eq!(recorded.expect("answered"), Recorded::Refused);
    }
    assert_eq!(begin(&stores.one, &new, NOW).await, Begun::Taken);
    assert_eq!(refused(&stores.one, won, NOW).await, Refusal::FamilyRevoked);
}

/// A sign-in whose answer is asked for many times at once makes one session.
pub async fn many_who_begin_one_family_begin_it_once<S>(stores: Replicas<S>)
where
    S: AccountStore + RefreshStore + Clone,
{
    let ada = person(&stores.one, "ada@example.org").await;
    let new = new_family(&ada);
    let tasks = (0..20).map(|number| {
        let store = [&stores.one, &stores.other][number % 2].clone();
        let new = new.clone();
        tokio::spawn(async move { begin(&store, &new, NOW).await })
    });
    for task in tasks.collect::<Vec<_>>() {
        assert_eq!(task.await.expect("no task panics"), Begun::Done);
    }
    let sessions = stores.one.sessions(&Subject::User(ada.id), NOW, 10).await;
    assert_eq!(sessions.expect("answered").len(), 1);
    rotated(&stores.one, new.first, NOW).await;
}

/// Refreshes and a revocation at once: whatever was handed out is worth nothing afterwards.
pub async fn what_was_revoked_rotates_no_more<S>(stores: Replicas<S>)
where
    S: AccountStore + RefreshStore + Clone,
{
    let ada = person(&stores.one, "ada@example.org").await;
    for round in 0..5 {
        let new = begun(&stores.one, &ada, NOW).await;
        let which = match round % 2 {
            0 => Which::AllOf(Subject::User(ada.id)),
            _ => Which::OfToken(new.first),
        };
        let revoking = stores.other.revoke(&which, RevokeReason::EndedByAdmin, NOW);
        let rotating = rotate_at_once(&stores, new.first, NOW, GRACE);
        let (revoked, rotations) = tokio::join!(revoking, rotating);
        assert_eq!(revoked.expect("answered"), 1);
        let dead = family(&stores.one, new.id).await;
        assert!(dead.revoked.is_some());
        for rotated in taken(&rotations) {
            let held = rotated.successor.expect("a successor was named");
            assert_eq!(
                refused(&stores.one, held, NOW).await,
                Refusal::FamilyRevoked
            );
        }
    }
}

/// Many people who refresh at once, at both replicas, do not wait for each other in vain and get what is theirs.
pub async fn many_sessions_at_once_do_not_touch_each_other<S>(stores: Replicas<S>)
where
    S: AccountStore + RefreshStore + Clone,
{
    let ada = person(&stores.one, "ada@example.org").await;
    let mut families = Vec::new();
    for _ in 0..12 {
        families.push(begun(&stores.one, &ada, NOW).await);
    }
    let tasks = families.into_iter().enumerate().map(|(number, new)| {
        let store = [&stores.one, &stores.other][number % 2].clone();
        tokio::spawn(async move {
            let mut held = new.first;
            for step in 0..5 {
                let rotated = rotated(&store, held, NOW + step).await;
                assert_eq!((rotated.family.id, rotated.is_repeat), (new.id, false));
                held = rotated.successor.expect("a successor was named");
            }
            held
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        let held = task.await.expect("no task panics");
        successor(&stores.other, held, NOW + 10).await;
    }
}
