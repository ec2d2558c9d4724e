//! The accounts service is away, or its answers get lost.

use crate::front::{ADA, Front};

#[tokio::test(flavor = "multi_thread")]
async fn the_accounts_service_away_signs_nobody_out() {
    let front = Front::start().await;
    let mut ada = front.signed_in(ADA).await;
    front.link.cut();
    // What needs no call goes on.
    ada.get("/api/state").await.is(200);
    let valid = ada.cookies["access"].clone();
    ada.cookies.insert("access".to_owned(), "over".to_owned());
    for path in ["/api/state", "/account/sessions", "/"] {
        let answer = ada.open(path).await;
        assert_eq!(answer.is(503).header("retry-after"), "1");
        assert!(answer.body.contains("AUTH_UNAVAILABLE"), "{answer:?}");
        assert!(answer.set().is_empty(), "{answer:?}");
    }
    let mut bob = front.browser();
    let answer = bob.sign_in("bob@example.org", "x").await;
    assert!(answer.is(503).set().is_empty());
    front.link.mend();
    ada.get("/api/state").await.is(200);
    assert_ne!(ada.cookies["access"], valid);
}

/// The gateway is killed between the rotation and its answer.
#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_whose_answer_was_lost_is_not_lost() {
    let front = Front::start().await;
    let mut ada = front.signed_in(ADA).await;
    ada.cookies.insert("access".to_owned(), "over".to_owned());
    front.link.lose_answers();
    let answer = ada.get("/api/state").await;
    assert!(answer.is(503).set().is_empty(), "{answer:?}");
    front.link.mend();
    ada.at = front.another_gateway().await;
    ada.get("/api/state").await.is(200);
    ada.cookies.insert("access".to_owned(), "over".to_owned());
    ada.get("/api/state").await.is(200);
}

/// However long the accounts service is away: the same successor is named again.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_was_lost_for_longer_than_the_grace_signs_nobody_out() {
    let front = Front::told(crate::front::Told {
        grace_ms: 1,
        ..crate::front::Told::default()
    })
    .await;
    let mut ada = front.signed_in(ADA).await;
    ada.cookies.insert("access".to_owned(), "over".to_owned());
    front.link.lose_answers();
    for _ in 0..2 {
        ada.get("/api/state").await.is(503);
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    front.link.mend();
    ada.get("/api/state").await.is(200);
    ada.cookies.insert("access".to_owned(), "over".to_owned());
    ada.get("/api/state").await.is(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn signing_out_works_in_the_browser_while_the_accounts_service_is_away() {
    let front = Front::start().await;
    let mut ada = front.signed_in(ADA).await;
    let copy = ada.clone();
    front.link.cut();
    let out = ada.send("/logout", &[]).await;
    out.is(503);
    assert!(ada.cookies.is_empty());
    // The accounts service comes back, and was not told yet: what was signed out stays so.
    front.link.mend();
    let mut tab = copy.clone();
    tab.cookies.insert("access".to_owned(), "over".to_owned());
    let refused = tab.get("/api/state").await;
    refused.is(401);
    assert!(tab.cookies.is_empty(), "{refused:?}");
    front.link.cut();
    // At this gateway the access token is worth nothing either.
    let mut thief = front.browser();
    thief
        .cookies
        .insert("access".to_owned(), copy.cookies["access"].clone());
    thief.get("/api/state").await.is(401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_was_started_again_asks_before_it_believes() {
    let front = Front::start().await;
    let mut ada = front.signed_in(ADA).await;
    ada.at = front.another_gateway().await;
    let before = ada.cookies.clone();
    ada.get("/api/state").await.is(200);
    assert_ne!(ada.cookies["refreshToken"], before["refreshToken"]);
}
