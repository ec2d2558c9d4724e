//! A session ends: at once, and with it what is open of it.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::browser::Browser;
use crate::front::{ADA, BOB, Front, status_of};

async fn websocket(browser: &Browser) -> TcpStream {
    let upgrade = "connection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
                   sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    open(browser, "/ws", upgrade, 101).await
}

async fn events(browser: &Browser) -> TcpStream {
    open(browser, "/events", "connection: close\r\n", 200).await
}

async fn open(browser: &Browser, path: &str, headers: &str, status: u16) -> TcpStream {
    let mut stream = TcpStream::connect(browser.at).await.unwrap();
    let cookies = browser.cookies.iter();
    let cookies: Vec<_> = cookies
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let request = format!(
        "GET {path} HTTP/1.1\r\nhost: {}\r\ncookie: {}\r\n{headers}\r\n",
        browser.at,
        cookies.join("; ")
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.windows(4).any(|four| four == b"\r\n\r\n") {
        assert_ne!(stream.read_buf(&mut head).await.unwrap(), 0);
    }
    assert_eq!(status_of(&head), status);
    stream
}

async fn ends(stream: &mut TcpStream, within: Duration) -> bool {
    let mut rest = Vec::new();
    timeout(within, stream.read_to_end(&mut rest)).await.is_ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_is_revoked_ends_within_a_second_and_others_live() {
    let front = Front::start().await;
    let (mut here, there) = (front.signed_in(ADA).await, front.signed_in(ADA).await);
    let bob = front.signed_in(BOB).await;
    let mut streams = [
        events(&here).await,
        events(&there).await,
        events(&bob).await,
    ];
    let mut tunnels = [websocket(&here).await, websocket(&there).await];
    let sessions = here.get("/api/v1/sessions").await;
    let listed: serde_json::Value = serde_json::from_str(&sessions.is(200).body).unwrap();
    let current = listed["current"].as_str().unwrap();
    let other = listed["sessions"].as_array().unwrap().iter();
    let other: Vec<_> = other.filter(|it| it["sid"] != current).collect();
    assert_eq!(other.len(), 1, "{listed}");
    let path = format!("/api/v1/sessions/{}", other[0]["sid"].as_str().unwrap());
    let start = Instant::now();
    here.keep("DELETE", &path, &[], "").await.is(200);
    assert!(ends(&mut streams[1], Duration::from_secs(1)).await);
    assert!(ends(&mut tunnels[1], Duration::from_secs(1)).await);
    assert!(start.elapsed() < Duration::from_secs(1));
    assert!(!ends(&mut tunnels[0], Duration::from_millis(50)).await);
    let mut there = there;
    let refused = there.get("/api/state").await;
    assert!(
        refused.is(401).body.contains("SESSION_EXPIRED"),
        "{refused:?}"
    );
    assert!(there.cookies.is_empty());
    assert!(!ends(&mut streams[0], Duration::from_millis(200)).await);
    assert!(!ends(&mut streams[2], Duration::from_millis(10)).await);
    here.get("/api/state").await.is(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn signing_out_ends_what_is_open() {
    let front = Front::start().await;
    let mut ada = front.signed_in(ADA).await;
    let mut stream = events(&ada).await;
    ada.send("/logout", &[]).await.is(303);
    assert!(ends(&mut stream, Duration::from_secs(1)).await);
}

/// The answer to a rotation is on its way when the person signs out: it opens nothing any more.
#[tokio::test(flavor = "multi_thread")]
async fn signing_out_while_a_refresh_is_under_way_wins() {
    let front = Front::start().await;
    let mut ada = front.signed_in(ADA).await;
    ada.cookies.insert("access".to_owned(), "over".to_owned());
    front.link.hold_rotations();
    let tab = ada.clone();
    let before = front.link.requests();
    let refreshing = tokio::spawn(async move { tab.ask("GET", "/api/state", &[], "").await });
    timeout(Duration::from_secs(5), async {
        while front.link.requests() == before {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    })
    .await
    .unwrap();
    ada.send("/logout", &[]).await.is(303);
    front.link.let_go();
    let refreshed = refreshing.await.unwrap();
    refreshed.is(401);
    assert!(
        refreshed.set().values().all(String::is_empty),
        "{refreshed:?}"
    );
    assert!(front.one.seen().is_empty(), "no peer is asked");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_ends_the_sessions_of_others() {
    let front = Front::start().await;
    let mut bob = front.signed_in(BOB).await;
    let mut ada = front.signed_in(ADA).await;
    let told = ada.get("/api/v1/session").await;
    let told: serde_json::Value = serde_json::from_str(&told.body).unwrap();
    let path = format!("/api/v1/sessions/{}", told["sid"].as_str().unwrap());
    let answer = bob.keep("DELETE", &path, &[], "").await;
    assert!(
        answer.status >= 400 || answer.body.contains("\"ended\":0"),
        "{answer:?}"
    );
    ada.get("/api/state").await.is(200);
    bob.get(&format!("/account/sessions?of={}", front.id(ADA).await))
        .await
        .is(403);
}

/// The session goes on, with a new access token; the old one tells of rights that are gone.
#[tokio::test(flavor = "multi_thread")]
async fn rights_that_were_taken_away_do_not_come_back() {
    let front = Front::start().await;
    let (mut ada, mut bob) = (front.signed_in(ADA).await, front.signed_in(BOB).await);
    let id = front.id(BOB).await;
    let roles = format!("/account/people/{id}/roles");
    ada.send(&roles, &[("roles", "admin")]).await.is(303);
    bob.get("/api/v1/audit").await.is(200);
    let as_admin = bob.clone();
    ada.send(&roles, &[("roles", "viewer")]).await.is(303);
    bob.cookies.remove("access");
    bob.get("/api/state").await.is(200);
    let mut old = bob.clone();
    old.cookies
        .extend([("access".to_owned(), as_admin.cookies["access"].clone())]);
    let again = "{\"roles\":[\"admin\"]}".to_owned();
    let path = format!("/api/v1/user/{id}");
    old.ask("PUT", &path, &[], &again).await.is(403);
    old.cookies.remove("refreshToken");
    let refused = old.ask("PUT", &path, &[], &again).await;
    assert!(matches!(refused.status, 401 | 403), "{refused:?}");
}

/// Cookies of two sessions are none: who signs out ends what acts.
#[tokio::test(flavor = "multi_thread")]
async fn an_access_token_counts_beside_its_own_refresh_token_alone() {
    let front = Front::start().await;
    let (ada, bob) = (front.signed_in(ADA).await, front.signed_in(BOB).await);
    let mut mixed = ada.clone();
    mixed.cookies.extend([(
        "refreshToken".to_owned(),
        bob.cookies["refreshToken"].clone(),
    )]);
    let told = mixed.get("/api/v1/health/secure").await;
    told.is(200);
    let session = mixed.get("/api/v1/session").await;
    assert!(session.body.contains(BOB), "{session:?}");
}

/// A replay ends what is open of the session too: it may be the thief's.
#[tokio::test(flavor = "multi_thread")]
async fn a_replay_ends_what_is_open_of_the_session() {
    let front = Front::told(crate::front::Told {
        grace_ms: 1,
        ..crate::front::Told::default()
    })
    .await;
    let mut ada = front.signed_in(ADA).await;
    let mut thief = ada.clone();
    for _ in 0..2 {
        ada.cookies.insert("access".to_owned(), "over".to_owned());
        ada.get("/api/state").await.is(200);
        tokio::time::sleep(Duration::from_millis(1_100)).await;
    }
    let mut stream = events(&ada).await;
    thief.cookies.insert("access".to_owned(), "over".to_owned());
    thief.get("/api/state").await.is(401);
    assert!(ends(&mut stream, Duration::from_secs(1)).await);
    ada.get("/api/state").await.is(401);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_disabled_is_out_at_once_and_who_has_other_roles_has_other_rights() {
    let front = Front::start().await;
    let (mut ada, mut bob) = (front.signed_in(ADA).await, front.signed_in(BOB).await);
    bob.keep("POST", "/api/sync", &[], "{}").await.is(200);
    let id = front.id(BOB).await;
    let path = format!("/account/people/{id}/roles");
    ada.send(&path, &[("roles", "viewer")]).await.is(303);
    let refused = bob.keep("POST", "/api/sync", &[], "{}").await;
    assert!(
        refused.is(403).body.contains("credentials:write"),
        "{refused:?}"
    );
    bob.get("/api/state").await.is(200);
    let mut stream = events(&bob).await;
    let disable = format!("/account/people/{id}/disable");
    let asked = ada.send(&disable, &[]).await;
    assert!(
        asked.is(200).body.contains("Disable bob@example.org?"),
        "{asked:?}"
    );
    ada.send(&disable, &[("sure", "yes")]).await.is(303);
    assert!(ends(&mut stream, Duration::from_secs(1)).await);
    bob.get("/api/state").await.is(401);
    bob.sign_in(BOB, crate::front::PASSWORD).await.is(401);
}
