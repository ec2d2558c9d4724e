//! A client that switches its secret while peers hear of the rotation one after the other.

#![expect(
    clippy::unwrap_used,
    reason = "a test stops where an expectation fails"
)]

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use auth_base::clock::{Clock, SystemClock};
use auth_base::nonce_store::MemoryNonceStore;
use auth_base::secret::Secret;
use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use hmac_auth::credential::{ClientId, CredentialChange};
use hmac_auth::credential_store::{CredentialWrite, WriteCondition};
use hmac_auth::header::Headers;
use hmac_auth::memory::MemoryCredentialStore;
use hmac_auth::secret_hash::{SecretHash, hash_client_secret};
use hmac_auth::sign::Signer;
use hmac_auth::verify::{RequestHead, Verifier};
use hmac_auth_client::{RetryPolicy, SignedClient};
use http_body_util::BodyExt;
use tokio::net::TcpListener;

const GRACE: Option<Duration> = Some(Duration::from_secs(60));

/// A peer that verifies, and counts what it is sent and what it does.
#[derive(Clone)]
struct Peer {
    verifier: Verifier,
    credentials: MemoryCredentialStore,
    requests: Arc<AtomicUsize>,
    orders: Arc<AtomicUsize>,
    /// Sent instead of its own refusal.
    refusal: Option<Refusal>,
    /// What happens while the next refusal is on its way.
    meanwhile: Arc<Mutex<Option<Meanwhile>>>,
    address: SocketAddr,
}

type Meanwhile = Box<dyn FnOnce() + Send>;

#[derive(Clone)]
enum Refusal {
    /// This code, as the contract has it.
    Code(&'static str),
    /// So many bytes of no JSON, in chunks.
    Long(usize),
}

struct HeaderView<'a>(&'a HeaderMap);

impl Headers for HeaderView<'_> {
    fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.0.get_all(name).iter().map(HeaderValue::as_bytes)
    }
}

impl Peer {
    async fn start(grace: Option<Duration>, refusal: Option<Refusal>) -> Self {
        let credentials = MemoryCredentialStore::new();
        let stores = (
            Arc::new(credentials.clone()),
            Arc::new(MemoryNonceStore::new()),
        );
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let peer = Self {
            verifier: match grace {
                Some(grace) => Verifier::new(stores.0, stores.1).rotation_grace(grace),
                None => Verifier::new(stores.0, stores.1),
            },
            credentials,
            requests: Arc::default(),
            orders: Arc::default(),
            refusal,
            meanwhile: Arc::default(),
            address: listener.local_addr().unwrap(),
        };
        peer.hears_of("one");
        let app = Router::new().fallback(answer).with_state(peer.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        peer
    }

    /// A change of the secret arrives.
    fn hears_of(&self, secret: &str) {
        let write = CredentialWrite {
            change: CredentialChange {
                secret_hash: Some(hash(secret)),
                ..CredentialChange::default()
            },
            condition: WriteCondition::Always,
            now_ms: SystemClock.now_ms(),
            backup_ttl: Duration::from_secs(600),
        };
        self.credentials.write_now(&client_id(), &write);
    }

    fn url(&self) -> String {
        format!("http://{}/orders", self.address)
    }

    /// How many requests came, and how many of them were let in.
    fn seen(&self) -> (usize, usize) {
        (
            self.requests.swap(0, Ordering::SeqCst),
            self.orders.swap(0, Ordering::SeqCst),
        )
    }
}

async fn answer(State(peer): State<Peer>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    peer.requests.fetch_add(1, Ordering::SeqCst);
    let head = RequestHead {
        method: parts.method.as_str(),
        target: parts.uri.path_and_query().unwrap().as_str(),
        headers: &HeaderView(&parts.headers),
        peer_address: None,
    };
    let verified = peer.verifier.verify(head, &body).await;
    if let (Err(_), Some(meanwhile)) = (&verified, peer.meanwhile.lock().unwrap().take()) {
        meanwhile();
    }
    match (verified, &peer.refusal) {
        (Ok(_), _) => {
            peer.orders.fetch_add(1, Ordering::SeqCst);
            body.into_response()
        }
        (Err(rejection), None) => {
            let status = StatusCode::from_u16(rejection.status()).unwrap();
            (status, [("x-request-id", "7")], rejection.body()).into_response()
        }
        (Err(_), Some(Refusal::Code(code))) => (
            StatusCode::UNAUTHORIZED,
            format!(r#"{{"error":"{code}","message":""}}"#),
        )
            .into_response(),
        (Err(_), Some(Refusal::Long(bytes))) => {
            let parts = (0..bytes / 1_000).map(|_| Ok::<_, std::io::Error>(vec![b'x'; 1_000]));
            let body = axum::body::Body::from_stream(futures_util::stream::iter(parts));
            (
                StatusCode::UNAUTHORIZED,
                [(header::CONTENT_TYPE, "text/plain")],
                body,
            )
                .into_response()
        }
    }
}

fn client_id() -> ClientId {
    ClientId::parse("billing").unwrap()
}

fn hash(secret: &str) -> SecretHash {
    hash_client_secret(&Secret::new(secret), None)
}

fn signer(secret: &str) -> Signer {
    Signer::new(client_id(), hash(secret))
}

fn client() -> SignedClient {
    rustls::crypto::ring::default_provider()
        .install_default()
        .ok();
    SignedClient::build(reqwest::Client::builder(), signer("one"))
        .unwrap()
        .retry(RetryPolicy::never())
}

async fn status(client: &SignedClient, peer: &Peer) -> u16 {
    client
        .post(peer.url())
        .unwrap()
        .body("order")
        .send()
        .await
        .unwrap()
        .status()
        .as_u16()
}

#[tokio::test]
async fn a_switch_before_the_peer_has_heard_is_not_refused() {
    let peer = Peer::start(GRACE, None).await;
    let client = client();
    client.switch_to(signer("two"));
    let answer = client
        .post(peer.url())
        .unwrap()
        .body("order")
        .send()
        .await
        .unwrap();
    assert_eq!(
        (answer.status().as_u16(), answer.text().await.unwrap()),
        (200, "order".to_owned())
    );
    assert_eq!(peer.seen(), (2, 1), "refused, sent again, done once");
    assert_eq!(client.overlap_repeats(), 1);
    // For a moment the peer is known to be behind.
    for _ in 0..10 {
        assert_eq!(status(&client, &peer).await, 200);
    }
    assert_eq!(peer.seen(), (10, 10));
    // It hears, and takes both.
    peer.hears_of("two");
    assert_eq!(status(&client, &peer).await, 200);
    assert_eq!(client.overlap_repeats(), 1);
}

#[tokio::test]
async fn a_peer_without_a_grace_that_hears_meanwhile_strands_nobody() {
    let peer = Peer::start(None, None).await;
    let client = client();
    client.switch_to(signer("two"));
    assert_eq!(status(&client, &peer).await, 200);
    peer.hears_of("two");
    peer.seen();
    assert_eq!(
        status(&client, &peer).await,
        200,
        "the previous is refused, the current is taken"
    );
    assert_eq!(peer.seen(), (2, 1));
    assert_eq!(status(&client, &peer).await, 200);
    assert_eq!(peer.seen(), (1, 1), "and is the first from now on");
}

#[tokio::test]
async fn each_peer_is_remembered_by_itself() {
    let (behind, ahead) = (
        Peer::start(GRACE, None).await,
        Peer::start(GRACE, None).await,
    );
    let client = client();
    ahead.hears_of("two");
    client.switch_to(signer("two"));
    for _ in 0..5 {
        assert_eq!(status(&client, &behind).await, 200);
        assert_eq!(status(&client, &ahead).await, 200);
    }
    assert_eq!((behind.seen(), ahead.seen()), ((6, 5), (5, 5)));
}

#[tokio::test]
async fn a_clone_switches_with_the_others() {
    let peer = Peer::start(None, None).await;
    let client = client();
    let clone = client.clone();
    peer.hears_of("two");
    assert_eq!(status(&clone, &peer).await, 401);
    client.switch_to(signer("two"));
    assert_eq!(status(&clone, &peer).await, 200);
    assert_eq!(clone.overlap_repeats(), 0);
}

#[tokio::test]
async fn without_an_overlap_a_refusal_is_a_refusal() {
    let peer = Peer::start(GRACE, None).await;
    let retired = client();
    retired.switch_to(signer("two"));
    assert!(retired.retire_previous());
    let none = client().overlap(Duration::ZERO);
    none.switch_to(signer("two"));
    let over = client().overlap(Duration::from_nanos(1));
    over.switch_to(signer("two"));
    for client in [retired, none, over] {
        assert_eq!(status(&client, &peer).await, 401);
        assert_eq!(peer.seen(), (1, 0));
    }
}

#[tokio::test]
async fn a_secret_that_nobody_knows_is_tried_twice_more_and_the_refusal_is_whole() {
    let peer = Peer::start(GRACE, None).await;
    let client = client();
    client.switch_to(signer("wrong"));
    client.switch_to(signer("wrong too"));
    let answer = client
        .post(peer.url())
        .unwrap()
        .body("order")
        .send()
        .await
        .unwrap();
    assert_eq!(
        (answer.status().as_u16(), answer.url().path()),
        (401, "/orders")
    );
    assert_eq!(answer.headers()["x-request-id"], "7");
    assert!(answer.text().await.unwrap().contains("BAD_SIGNATURE"));
    assert_eq!(peer.seen(), (3, 0));
    let error = client
        .get(peer.url())
        .unwrap()
        .send_accepted()
        .await
        .unwrap_err();
    assert_eq!(error.to_string(), "the peer refused with 401 BAD_SIGNATURE");
}

#[tokio::test]
async fn another_refusal_is_an_answer() {
    let peer = Peer::start(GRACE, Some(Refusal::Code("CLIENT_EXPIRED"))).await;
    let client = client();
    client.switch_to(signer("two"));
    let answer = client.post(peer.url()).unwrap().send().await.unwrap();
    assert!(answer.text().await.unwrap().contains("CLIENT_EXPIRED"));
    assert_eq!(peer.seen(), (1, 0));
}

#[tokio::test]
async fn a_401_of_something_else_reaches_the_application_to_its_last_byte() {
    let peer = Peer::start(GRACE, Some(Refusal::Long(300_000))).await;
    let client = client();
    client.switch_to(signer("two"));
    let answer = client.post(peer.url()).unwrap().send().await.unwrap();
    assert_eq!(answer.headers()[header::CONTENT_TYPE], "text/plain");
    assert_eq!(answer.bytes().await.unwrap().len(), 300_000);
    assert_eq!(peer.seen(), (1, 0));
}

#[tokio::test]
async fn a_head_is_repeated_although_its_refusal_has_no_body() {
    let peer = Peer::start(GRACE, None).await;
    let client = client();
    client.switch_to(signer("two"));
    let answer = client.head(peer.url()).unwrap().send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(peer.seen(), (2, 1));
}

/// The next rotation may begin while a refusal of this one is on its way: by then the peer takes what it has just refused.
#[tokio::test]
async fn a_switch_while_a_refusal_is_on_its_way_is_not_refused() {
    let peer = Peer::start(GRACE, None).await;
    let client = client();
    client.switch_to(signer("two"));
    *peer.meanwhile.lock().unwrap() = Some(Box::new({
        let (peer, client) = (peer.clone(), client.clone());
        move || {
            peer.hears_of("two");
            client.switch_to(signer("three"));
        }
    }));
    assert_eq!(status(&client, &peer).await, 200);
    assert_eq!(peer.seen(), (3, 1), "two, refused; three, refused; two");
}

/// A peer may hear of two rotations between a refusal and the next request, before the client has switched again.
#[tokio::test]
async fn a_peer_that_goes_two_rotations_on_while_a_refusal_is_on_its_way_is_not_lost() {
    let peer = Peer::start(GRACE, None).await;
    let client = client();
    client.switch_to(signer("two"));
    *peer.meanwhile.lock().unwrap() = Some(Box::new({
        let peer = peer.clone();
        move || {
            peer.hears_of("two");
            peer.hears_of("three");
        }
    }));
    assert_eq!(status(&client, &peer).await, 200);
    assert_eq!(peer.seen(), (3, 1), "two, refused; one, refused; two");
}
