//! What every [`FailureStore`] must do; [`crate::failure_store_cases`] makes a test of each case.
#![expect(clippy::expect_used, reason = "a conformance suite fails by panicking")]

use std::net::Ipv4Addr;
use std::time::Duration;

use accounts::{Email, FailureKey, FailurePolicy, FailureStore, Failures};

use crate::replicas::Replicas;

/// Makes a test of each case. The expression makes [`Replicas`] without failures:
/// `failure_store_cases!(memory, Replicas::of_clones(MemoryAccounts::new()));`.
#[macro_export]
macro_rules! failure_store_cases {
    ($implementation:ident, $make:expr) => {
        $crate::cases! {
            $implementation, $make, failure_store {
                failures_are_counted,
                the_eleventh_is_one_too_many,
                a_window_ends_and_does_not_move,
                keys_do_not_count_for_each_other,
                who_is_cleared_begins_anew,
                counts_of_many_at_once_are_all_there,
                only_what_has_ended_is_swept,
            }
        }
    };
}

const NOW: i64 = 1_800_000_000_000;
const WINDOW: Duration = Duration::from_secs(900);
const WINDOW_MS: i64 = 900_000;

fn key(name: &str) -> FailureKey {
    let email = Email::parse(&format!("{name}@example.org")).expect("an address");
    FailureKey::sign_in(Ipv4Addr::new(203, 0, 113, 7).into(), &email)
}

async fn add(store: &impl FailureStore, name: &str, now_ms: i64) -> Failures {
    let added = store.add(&key(name), now_ms, WINDOW).await;
    added.expect("the store answers")
}

async fn count(store: &impl FailureStore, name: &str, now_ms: i64) -> Failures {
    let held = store.count(&key(name), now_ms).await;
    held.expect("the store answers")
}

/// Each adds one, at either replica.
pub async fn failures_are_counted<S: FailureStore>(stores: Replicas<S>) {
    assert_eq!(count(&stores.one, "ada", NOW).await, Failures::default());
    for expected in 1..=3 {
        let failures = Failures {
            count: expected,
            window_ends_at_ms: NOW + WINDOW_MS,
        };
        assert_eq!(add(&stores.one, "ada", NOW).await.count, 2 * expected - 1);
        assert_eq!(add(&stores.other, "ada", NOW + 5).await.count, 2 * expected);
        let held = count(&stores.one, "ada", NOW + 5).await;
        assert_eq!(held.window_ends_at_ms, failures.window_ends_at_ms);
    }
}

/// Ten attempts are looked at, and the eleventh is not.
pub async fn the_eleventh_is_one_too_many<S: FailureStore>(stores: Replicas<S>) {
    let policy = FailurePolicy::default();
    for attempt in 1..=12 {
        let counted = add(&stores.one, "ada", NOW).await;
        assert_eq!(
            policy.admit(&counted, NOW).is_ok(),
            attempt <= 10,
            "{attempt}"
        );
    }
    let other = add(&stores.one, "bob", NOW).await;
    assert_eq!(policy.admit(&other, NOW), Ok(()));
    let late = add(&stores.one, "ada", NOW + WINDOW_MS).await;
    assert_eq!(policy.admit(&late, NOW + WINDOW_MS), Ok(()));
}

/// A window begins with its first failure, and a later one makes it no longer.
pub async fn a_window_ends_and_does_not_move<S: FailureStore>(stores: Replicas<S>) {
    add(&stores.one, "ada", NOW).await;
    let last = NOW + WINDOW_MS - 1;
    assert_eq!(
        add(&stores.one, "ada", last).await.window_ends_at_ms,
        NOW + WINDOW_MS
    );
    assert_eq!(count(&stores.other, "ada", last).await.count, 2);
    assert_eq!(
        count(&stores.other, "ada", last + 1).await,
        Failures::default()
    );
    let anew = add(&stores.other, "ada", last + 1).await;
    let expected = Failures {
        count: 1,
        window_ends_at_ms: NOW + 2 * WINDOW_MS,
    };
    assert_eq!(anew, expected);
}

/// Each key has its own count.
pub async fn keys_do_not_count_for_each_other<S: FailureStore>(stores: Replicas<S>) {
    add(&stores.one, "ada", NOW).await;
    add(&stores.one, "bob", NOW).await;
    assert_eq!(add(&stores.one, "ada", NOW).await.count, 2);
    assert_eq!(count(&stores.one, "bob", NOW).await.count, 1);
    assert_eq!(count(&stores.one, "ad", NOW).await.count, 0);
}

/// A success forgets the failures before it, and of nobody else.
pub async fn who_is_cleared_begins_anew<S: FailureStore>(stores: Replicas<S>) {
    add(&stores.one, "ada", NOW).await;
    add(&stores.one, "bob", NOW).await;
    for _ in 0..2 {
        stores.other.clear(&key("ada")).await.expect("answered");
        assert_eq!(count(&stores.one, "ada", NOW).await, Failures::default());
    }
    assert_eq!(count(&stores.one, "bob", NOW).await.count, 1);
    assert_eq!(add(&stores.one, "ada", NOW + 1).await.count, 1);
}

/// However many add at once, at both replicas, none is lost and no two get the same count.
pub async fn counts_of_many_at_once_are_all_there<S: FailureStore + Clone>(stores: Replicas<S>) {
    let tasks = (0..40).map(|number| {
        let store = [&stores.one, &stores.other][number % 2].clone();
        tokio::spawn(async move { add(&store, "ada", NOW).await.count })
    });
    let mut counts = Vec::new();
    for task in tasks.collect::<Vec<_>>() {
        counts.push(task.await.expect("no task panics"));
    }
    counts.sort_unstable();
    assert_eq!(counts, (1..=40).collect::<Vec<u32>>());
    assert_eq!(count(&stores.one, "ada", NOW).await.count, 40);
}

/// Windows that have ended are forgotten, a few at a time; others stay.
pub async fn only_what_has_ended_is_swept<S: FailureStore>(stores: Replicas<S>) {
    for number in 0..5 {
        add(&stores.one, &format!("old{number}"), NOW).await;
    }
    add(&stores.one, "ada", NOW + 1).await;
    let now = NOW + WINDOW_MS;
    for expected in [3, 2, 0] {
        let swept = stores.other.sweep(now, 3).await.expect("answered");
        assert_eq!(swept, expected);
    }
    assert_eq!(count(&stores.one, "ada", now).await.count, 1);
}
