//! The guides of `docs/using`, followed to the letter: their projects are made by `cargo new` in a folder of the reader's own, their
//! programs are pasted, their commands are run by a shell, and what they promise is what is printed.
//!
//! `docker run`, by which the pages bring up the servers, is the one command that is not run: the servers are those of the crate
//! `services`. See [`reader`] for what else differs.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a reader who cannot go on says so by panicking; the helpers are no test functions"
)]

mod page;
mod reader;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use auth_base::secret::Secret;
use e2e::wait::until;
use hmac_auth::credential::ClientId;
use hmac_auth::secret_hash::hash_client_secret;
use hmac_auth::sign::Signer;
use hmac_auth_client::SignedClient;
use page::Page;
use reader::{Reader, Terminal};

const BY_HAND: &str = "correct horse battery staple";
const FIRST: &str = "another horse, another staple";
const NEXT: &str = "a third horse, a third staple";

#[tokio::test]
async fn a_newcomer_follows_the_guide_of_axum() {
    service("axum.md").await;
}

#[tokio::test]
async fn a_newcomer_follows_the_guide_of_actix() {
    service("actix.md").await;
}

#[tokio::test]
async fn a_newcomer_follows_the_guide_of_leptos_on_axum() {
    pages("leptos-axum.md", "axum.md").await;
}

#[tokio::test]
async fn a_newcomer_follows_the_guide_of_leptos_on_actix() {
    pages("leptos-actix.md", "actix.md").await;
}

#[tokio::test]
async fn a_newcomer_follows_the_guide_of_tokens_on_axum() {
    tokens("tokens-axum.md").await;
}

#[tokio::test]
async fn a_newcomer_follows_the_guide_of_tokens_on_actix() {
    tokens("tokens-actix.md").await;
}

/// Two of our own peers in projects of the reader's, each its one file.
#[tokio::test]
async fn a_newcomer_copies_two_peers() {
    let mut reader = Reader::new("peers.md").await;
    let mut page = Page::open("peers.md");
    servers(&mut page);
    reader.clone_the_repository(&page.commands());
    projects(&mut reader, &mut page, &["authority", "consumer"]).await;
    let copied = reader.run(&page.commands()).await;
    assert_eq!(copied.status, "0", "{copied}");
    let authority = reader.serve(&page.commands(), 3001).await;
    let consumer = reader.serve(&page.commands(), 3002).await;
    page.says("The consumer lets in nobody yet");
    refused(&mut reader, &page.commands()).await;
    page.says(r#"It answers `{"clientId":"billing","op":"credential.create"}`"#);
    assert_eq!(
        reader.run(&page.commands()).await.out,
        r#"{"clientId":"billing","op":"credential.create"}"#
    );
    let call = || signed(&reader, "3002/api/echo", BY_HAND);
    until("the consumer lets it in", call).await;

    let mut client = Page::open("client.md");
    projects(&mut reader, &mut client, &["caller"]).await;
    reader.save(&client.program());
    page.says("is let in by the consumer");
    let echoed = reader.run(&page.commands()).await.out;
    assert!(
        echoed.starts_with(r#"{"ok":true,"clientId":"billing","peer":"consumer""#),
        "{echoed}"
    );
    page.says("This revokes it, and the next signed call is refused");
    reader.run(&page.commands()).await;
    page.is_done();
    until("the consumer refuses it", async || {
        match signed(&reader, "3002/api/echo", BY_HAND).await {
            Ok(answer) => Err(answer),
            Err(refused) if refused.contains("401") => Ok(()),
            Err(other) => Err(other),
        }
    })
    .await;
    authority.stop();
    consumer.stop();
    reader.leave().await;
}

/// A token, and a route that opens to it.
async fn tokens(guide: &str) {
    let mut reader = Reader::new(guide).await;
    let mut page = Page::open(guide);
    projects(&mut reader, &mut page, &["login", "orders"]).await;
    reader.save(&page.program());
    let issued = reader.run(&page.commands()).await;
    assert_eq!(issued.status, "0", "{issued}");
    reader.save(&page.program());
    let orders = reader.serve(&page.commands(), 3000).await;
    page.says("is refused with 401, and the header `WWW-Authenticate`");
    let refused = reader.run(&page.commands()).await.out;
    assert!(refused.starts_with("HTTP/1.1 401"), "{refused}");
    assert!(refused.contains("DPoP algs="), "{refused}");
    page.says("answered `orders of billing`");
    let answered = reader.run(&page.commands()).await.out;
    assert_eq!(answered.trim_end(), "orders of billing");
    page.says(r#"with 403 and `{"error":"insufficient_scope",...}`"#);
    let refused = reader.run(&page.commands()).await.out;
    let is_told = refused.contains(r#"{"error":"insufficient_scope","#);
    assert!(refused.contains("HTTP/1.1 403") && is_told, "{refused}");
    page.is_done();
    orders.stop();
    reader.leave().await;
}

/// A protected route, a signed call, a receive-only peer, a full-mode peer, a rotation.
async fn service(guide: &str) {
    let mut reader = Reader::new(guide).await;
    let (mut page, mut client) = (Page::open(guide), Page::open("client.md"));
    servers(&mut page);
    projects(&mut reader, &mut page, &["orders", "authority"]).await;

    reader.save(&page.program());
    let orders = reader.serve(&page.commands(), 3000).await;
    page.says(r#"refused with 401 and `{"error":"MISSING_CLIENT_ID",...}`"#);
    refused(&mut reader, &page.commands()).await;
    page.says("which prints `hello billing`");
    signed_call(&mut reader, &mut client).await;

    reader.save(&page.program());
    orders.stop();
    let orders = reader.serve(&page.commands(), 3000).await;

    reader.save(&page.program());
    let start = page.commands();
    let authority = reader.serve(&start, 3001).await;
    let put = page.commands();
    page.says(r#"It answers `{"clientId":"billing","op":"credential.create"}`"#);

    assert_eq!(
        reader.run(&put).await.out,
        r#"{"clientId":"billing","op":"credential.create"}"#
    );
    let_in(&reader, FIRST).await;
    page.says("for five minutes more the one of step 2");
    assert_eq!(
        signed(&reader, "3000/greet", BY_HAND).await,
        Ok("hello billing\n".to_owned())
    );
    assert_eq!(reader.run(&page.commands()).await.out, "hello billing\n");
    page.is_done();

    rotation(&mut reader, &mut client).await;
    client.is_done();
    the_key_is_kept(&mut reader, &start, &put, authority, orders).await;
    reader.leave().await;
}

/// Pages that are drawn in a full-mode peer, beside the receive-only one of the other guide.
async fn pages(guide: &str, before: &str) {
    let mut reader = Reader::new(guide).await;
    let mut page = Page::open(guide);
    servers(&mut page);
    projects(&mut reader, &mut page, &["authority"]).await;
    reader.save(&page.program());
    let authority = reader.serve(&page.commands(), 3001).await;
    let drawn = draw(&reader).await.expect("the page");
    assert!(
        drawn.contains("<h1>Clients</h1>") && drawn.contains(r#"action="/clients""#),
        "{drawn}"
    );

    page.says("The form posts to a plain HTTP route, so a script may do the same");
    let posted = reader.run(&page.commands()).await;
    assert!(posted.out.contains("billing is on its way"), "{posted}");
    page.says("The protected route knows the client at once");
    assert_eq!(
        signed(&reader, "3001/api/greet", BY_HAND).await,
        Ok("hello billing\n".to_owned())
    );
    page.says("It stays at `sent` while no `orders` runs");
    until_row(&reader, "billing at orders: sent").await;
    page.says("A call that is not signed is refused with 401");
    refused(&mut reader, &page.commands()).await;

    let mut client = Page::open("client.md");
    projects(&mut reader, &mut client, &["caller"]).await;
    reader.save(&client.program());
    page.says("prints `hello billing`");
    assert_eq!(reader.run(&page.commands()).await.out, "hello billing\n");
    page.is_done();

    page.says("`success` once `orders` has it");
    reader.go_to("before");
    let mut before = Page::open(before);
    before.turn_to("1. Two projects");
    projects(&mut reader, &mut before, &["orders"]).await;
    before.turn_to("3. A receive-only peer");
    reader.save(&before.program());
    let orders = reader.serve(&before.commands(), 3000).await;
    until_row(&reader, "billing at orders: success").await;
    let_in(&reader, BY_HAND).await;
    orders.stop();
    authority.stop();
    reader.leave().await;
}

/// What brings the servers is left to the crate `services`.
fn servers(page: &mut Page) {
    assert!(
        page.commands()
            .lines()
            .all(|line| line.starts_with("docker run "))
    );
}

async fn projects(reader: &mut Reader, page: &mut Page, used: &[&str]) {
    let made = reader.run(&page.commands()).await;
    assert_eq!(made.status, "0", "{made}");
    let dependencies = page.dependencies();
    used.iter()
        .for_each(|project| reader.depend(project, &dependencies));
}

/// What `curl -i` shows of a call that is not signed.
async fn refused(reader: &mut Reader, curl: &str) {
    let answer = reader.run(curl).await;
    let (head, body) = answer
        .out
        .split_once("\r\n\r\n")
        .unwrap_or_else(|| panic!("{answer}"));
    assert!(head.starts_with("HTTP/1.1 401 "), "{answer}");
    assert!(
        body.starts_with(r#"{"error":"MISSING_CLIENT_ID","#),
        "{answer}"
    );
}

/// The first program of the client's guide.
async fn signed_call(reader: &mut Reader, client: &mut Page) {
    projects(reader, client, &["caller"]).await;
    reader.save(&client.program());
    client.says("this prints `hello billing`");
    let call = reader.run(&client.commands()).await;
    assert_eq!(
        (&*call.out, &*call.status),
        ("hello billing\n", "0"),
        "{call}"
    );
    client.says(r#"With a wrong secret it prints `not let in: Some("BAD_SIGNATURE")`"#);
    let call = reader.run(&client.commands()).await;
    assert_eq!(
        (call.errors.lines().last(), &*call.status),
        (Some(r#"not let in: Some("BAD_SIGNATURE")"#), "1")
    );
}

/// The second program of the client's guide: no call is refused while the secret changes.
async fn rotation(reader: &mut Reader, client: &mut Page) {
    reader.save(&client.program());
    let caller = reader.open(&client.commands());
    caller.until_prints("hello billing", 1).await;
    let rotated = reader.run(&client.commands()).await;
    assert_eq!(rotated.out, r#"{"clientId":"billing"}"#, "{rotated}");
    let_in(reader, NEXT).await;
    assert_eq!(
        signed(reader, "3000/greet", FIRST).await,
        Ok("hello billing\n".to_owned()),
        "the grace"
    );
    let renamed = reader.run(&client.commands()).await;
    assert_eq!(renamed.status, "0", "{renamed}");
    caller.until_prints("signing with a new secret", 1).await;
    let before = caller
        .printed()
        .out
        .lines()
        .filter(|line| *line == "hello billing")
        .count();
    caller.until_prints("hello billing", before + 1).await;
    client.says("goes on to print `hello billing`: no call was refused");
    let printed = caller.printed();
    let expected = ["hello billing", "signing with a new secret"];
    assert!(
        printed.out.lines().all(|line| expected.contains(&line)),
        "{printed}"
    );
}

/// A change that is accepted before a restart is brought after it, for the key is the same.
async fn the_key_is_kept(
    reader: &mut Reader,
    start: &str,
    put: &str,
    authority: Terminal,
    orders: Terminal,
) {
    let file = reader.file("secrets.key");
    let mode = fs::metadata(&file).expect("the key").permissions().mode() & 0o777;
    assert_eq!(mode, 0o600, "nobody else reads the key");
    let key = fs::read(&file).expect("the key");
    authority.stop();
    let authority = reader.serve(start, 3001).await;
    assert!(
        fs::read(&file).expect("the key") == key,
        "the key is not the one of the first start"
    );
    let last = "a fourth horse, a fourth staple";
    assert_eq!(
        reader.run(&put.replace(FIRST, last)).await.out,
        r#"{"clientId":"billing","op":"credential.update"}"#
    );
    let_in(reader, last).await;
    orders.stop();
    authority.stop();
}

async fn let_in(reader: &Reader, secret: &str) {
    until(&format!("`{secret}` is let in"), async || {
        signed(reader, "3000/greet", secret).await
    })
    .await;
}

/// A signed call beside those of the page, to see when it is time for the next step.
async fn signed(reader: &Reader, place: &str, secret: &str) -> Result<String, String> {
    let hash = hash_client_secret(&Secret::new(secret), None);
    let signer = Signer::new(ClientId::parse("billing").expect("a client id"), hash);
    let client = SignedClient::build(http(), signer).expect("a client");
    let url = reader.mapped(&format!("http://127.0.0.1:{place}"));
    let answer = client
        .get(url)
        .expect("a URL")
        .send_accepted()
        .await
        .map_err(|error| error.to_string())?;
    answer.text().await.map_err(|error| error.to_string())
}

async fn draw(reader: &Reader) -> Result<String, String> {
    let client = http().build().expect("a client");
    let answer = client
        .get(reader.mapped("http://127.0.0.1:3001/"))
        .send()
        .await;
    let answer = answer
        .and_then(reqwest::Response::error_for_status)
        .map_err(|error| error.to_string())?;
    answer.text().await.map_err(|error| error.to_string())
}

async fn until_row(reader: &Reader, row: &str) {
    until(&format!("the page shows `{row}`"), async || {
        let page = draw(reader).await?;
        if page.contains(&format!("<li>{row}</li>")) {
            Ok(())
        } else {
            Err(page)
        }
    })
    .await;
}

fn http() -> reqwest::ClientBuilder {
    // Another crate of the build may have given the client TLS without a provider; the first of a process stays.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .no_proxy()
        .timeout(Duration::from_secs(20))
}
