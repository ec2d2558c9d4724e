//! A session goes on.

use std::collections::BTreeSet;

use futures_util::future::join_all;

use crate::front::{ADA, Front, Told};

#[tokio::test(flavor = "multi_thread")]
async fn a_valid_access_token_costs_no_call() {
    let front = Front::start().await;
    let mut ada = front.signed_in(ADA).await;
    let before = front.link.requests();
    for _ in 0..20 {
        ada.get("/").await.is(200);
    }
    assert_eq!(front.link.requests(), before);
}

/// Fifty requests of a page whose access token is over, at two gateways.
#[tokio::test(flavor = "multi_thread")]
async fn fifty_requests_at_once_get_one_session() {
    let front = Front::start().await;
    let mut ada = front.signed_in(ADA).await;
    ada.cookies.insert("access".to_owned(), "over".to_owned());
    let mut at_other = ada.clone();
    at_other.at = front.another_gateway().await;
    let asked = (0..50).map(|number| {
        let browser = if number % 2 == 0 { &ada } else { &at_other };
        browser.ask("GET", "/api/state", &[], "")
    });
    let answers = join_all(asked).await;
    let mut successors = BTreeSet::new();
    for answer in &answers {
        answer.is(200);
        successors.insert(answer.set()["refreshToken"].clone());
    }
    assert_eq!(successors.len(), 1, "{successors:?}");
    assert!(!successors.contains(&ada.cookies["refreshToken"]));
    ada.cookies.extend(answers[7].set());
    ada.get("/api/state").await.is(200);
    // The one that came last goes on too.
    at_other.cookies.extend(answers[8].set());
    at_other
        .cookies
        .insert("access".to_owned(), "over".to_owned());
    at_other.get("/api/state").await.is(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_grace_of_zero_one_wins_and_a_replay_ends_the_session() {
    let front = Front::told(Told {
        grace_ms: 0,
        ..Told::default()
    })
    .await;
    let mut ada = front.signed_in(ADA).await;
    ada.cookies.insert("access".to_owned(), "over".to_owned());
    let mut thief = ada.clone();
    ada.get("/api/state").await.is(200);
    thief.at = front.another_gateway().await;
    let lost = thief.get("/api/state").await;
    // Whoever was first may be in this very browser: nothing of theirs is taken away.
    assert!(lost.is(401).set().is_empty(), "{lost:?}");
    thief.get("/api/state").await.is(401);
    assert!(
        thief.cookies.is_empty(),
        "what is decided takes the cookies away"
    );
    // The person is out as well: one of the two was a copy.
    ada.cookies.insert("access".to_owned(), "over".to_owned());
    ada.get("/api/state").await.is(401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_long_after_ends_the_session() {
    let front = Front::told(Told {
        grace_ms: 1,
        ..Told::default()
    })
    .await;
    let mut ada = front.signed_in(ADA).await;
    let first = ada.clone();
    for _ in 0..2 {
        ada.cookies.insert("access".to_owned(), "over".to_owned());
        ada.get("/api/state").await.is(200);
    }
    let mut thief = first;
    thief.at = front.another_gateway().await;
    thief.cookies.remove("access");
    thief.get("/api/state").await.is(401);
    ada.cookies.insert("access".to_owned(), "over".to_owned());
    let ended = ada.get("/api/state").await;
    assert!(ended.is(401).body.contains("SESSION_EXPIRED"), "{ended:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_signed_in_is_told_without_renewing_anything() {
    let front = Front::start().await;
    let mut ada = front.signed_in(ADA).await;
    let expired = front.expired_access(&ada).await;
    ada.cookies.insert("access".to_owned(), expired);
    let before = ada.cookies.clone();
    for _ in 0..2 {
        let told = ada.get("/api/v1/session").await;
        assert!(told.is(200).set().is_empty(), "{told:?}");
    }
    assert_eq!(ada.cookies, before);
    ada.cookies.remove("refreshToken");
    ada.get("/api/v1/session").await.is(401);
}
