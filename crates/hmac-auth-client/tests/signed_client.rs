//! The client against a real listener that verifies what arrives.

#![expect(
    clippy::unwrap_used,
    reason = "a test stops where an expectation fails"
)]

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use auth_base::nonce_store::MemoryNonceStore;
use auth_base::secret::Secret;
use axum::Router;
use axum::body::Body;
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
use hmac_auth_client::error::Blame;
use hmac_auth_client::{ClientError, RetryPolicy, SignedClient};
use http_body_util::BodyExt;
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;

const PLAIN: &str = "a-secret-nobody-may-read";

fn client_id() -> ClientId {
    ClientId::parse("billing").unwrap()
}

fn secret_hash() -> SecretHash {
    hash_client_secret(&Secret::new(PLAIN), None)
}

/// A peer that verifies, remembers the nonces it saw, and answers what it was told to before it starts to echo.
#[derive(Clone)]
struct Peer {
    verifier: Verifier,
    nonces: Arc<Mutex<Vec<String>>>,
    script: Arc<Mutex<Vec<Step>>>,
}

#[derive(Clone, Debug)]
enum Step {
    Status(u16),
    RedirectTo(&'static str),
    Silence,
}

struct HeaderView<'a>(&'a HeaderMap);

impl Headers for HeaderView<'_> {
    fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.0.get_all(name).iter().map(HeaderValue::as_bytes)
    }
}

impl Peer {
    /// Starts the peer; `script` is answered step by step, in order.
    async fn start(script: &[Step]) -> (Self, SocketAddr) {
        let credentials = MemoryCredentialStore::new();
        let write = CredentialWrite {
            change: CredentialChange {
                secret_hash: Some(secret_hash()),
                ..CredentialChange::default()
            },
            condition: WriteCondition::Always,
            now_ms: 0,
            backup_ttl: Duration::from_secs(1),
        };
        credentials.write_now(&client_id(), &write);
        let peer = Self {
            verifier: Verifier::new(Arc::new(credentials), Arc::new(MemoryNonceStore::new())),
            nonces: Arc::default(),
            script: Arc::new(Mutex::new(script.iter().rev().cloned().collect())),
        };
        let app = Router::new().fallback(answer).with_state(peer.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, app).await });
        (peer, address)
    }

    fn nonces(&self) -> Vec<String> {
        self.nonces.lock().unwrap().clone()
    }
}

async fn answer(State(peer): State<Peer>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let nonce = parts.headers["x-nonce"].to_str().unwrap().to_owned();
    peer.nonces.lock().unwrap().push(nonce);
    let step = peer.script.lock().unwrap().pop();
    match step {
        Some(Step::Status(status)) => {
            let status = StatusCode::from_u16(status).unwrap();
            return (status, [(header::RETRY_AFTER, "3600")]).into_response();
        }
        Some(Step::RedirectTo(place)) => {
            return (StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, place)]).into_response();
        }
        Some(Step::Silence) => std::future::pending().await,
        None => {}
    }
    let head = RequestHead {
        method: parts.method.as_str(),
        target: parts.uri.path_and_query().unwrap().as_str(),
        headers: &HeaderView(&parts.headers),
        peer_address: None,
    };
    match peer.verifier.verify(head, &body).await {
        Ok(_) => {
            let kind = parts.headers.get(header::CONTENT_TYPE).cloned();
            let kind = kind.unwrap_or(HeaderValue::from_static("none"));
            ([(header::CONTENT_TYPE, kind)], Body::from(body)).into_response()
        }
        Err(rejection) => {
            let status = StatusCode::from_u16(rejection.status()).unwrap();
            (status, rejection.body()).into_response()
        }
    }
}

/// Elsewhere in the workspace reqwest is built with TLS and leaves the choice of its provider to the program.
fn http() -> reqwest::ClientBuilder {
    rustls::crypto::ring::default_provider()
        .install_default()
        .ok();
    reqwest::Client::builder()
}

fn client() -> SignedClient {
    let signer = Signer::new(client_id(), secret_hash());
    let delays = RetryPolicy::default().delays(Duration::from_millis(1), Duration::from_millis(5));
    SignedClient::build(http(), signer).unwrap().retry(delays)
}

#[tokio::test]
async fn what_is_sent_is_what_is_signed() {
    let (_peer, address) = Peer::start(&[]).await;
    let client = client();
    for target in [
        "",
        "/",
        "?",
        "/a b/ä?x=ö&y=%2F#fragment",
        "/a/../b/./c",
        "/a\\b",
        "/%2e%2e/x",
        "/x;p=1?q='\"<>`|^{}",
        "/a//b?a=1&a=2&&",
        "/%zz?%",
    ] {
        for method in ["GET", "POST", "DELETE"] {
            let method: reqwest::Method = method.parse().unwrap();
            let request = client.request(method.clone(), format!("http://{address}{target}"));
            let answer = request.unwrap().body("ä").send().await.unwrap();
            let status = answer.status();
            assert_eq!(
                answer.bytes().await.unwrap(),
                "ä",
                "{method} {target} {status}"
            );
        }
    }
}

#[tokio::test]
async fn json_query_and_headers_are_sent() {
    let (_peer, address) = Peer::start(&[]).await;
    let answer = client()
        .post(format!("http://{address}/x"))
        .unwrap()
        .query("name", "a&b=ü")
        .header("x-request-id", "7")
        .json(&["a", "b"])
        .send_accepted()
        .await
        .unwrap();
    assert_eq!(answer.headers()[header::CONTENT_TYPE], "application/json");
    assert_eq!(answer.url().query(), Some("name=a%26b%3D%C3%BC"));
    assert_eq!(answer.bytes().await.unwrap(), r#"["a","b"]"#);
}

#[tokio::test]
async fn each_attempt_is_signed_anew() {
    let (peer, address) = Peer::start(&[Step::Status(503), Step::Status(503)]).await;
    let answer = client()
        .get(format!("http://{address}/"))
        .unwrap()
        .send()
        .await;
    assert_eq!(answer.unwrap().status(), 200);
    let mut nonces = peer.nonces();
    nonces.sort();
    nonces.dedup();
    assert_eq!(nonces.len(), 3);
}

#[tokio::test]
async fn attempts_are_bounded_and_the_last_answer_is_given() {
    let (peer, address) = Peer::start(&vec![Step::Status(503); 9]).await;
    let answer = client()
        .get(format!("http://{address}/"))
        .unwrap()
        .send()
        .await;
    assert_eq!(answer.unwrap().status(), 503);
    assert_eq!(peer.nonces().len(), 3);
}

#[tokio::test]
async fn a_post_is_repeated_only_when_asked() {
    let (peer, address) = Peer::start(&[Step::Status(503), Step::Status(503)]).await;
    let url = format!("http://{address}/");
    let answer = client().post(&url).unwrap().body("x").send().await.unwrap();
    assert_eq!(answer.status(), 503);
    assert_eq!(peer.nonces().len(), 1);
    let repeats = RetryPolicy::default()
        .delays(Duration::ZERO, Duration::ZERO)
        .every_method();
    let answer = client()
        .retry(repeats)
        .post(&url)
        .unwrap()
        .body("x")
        .send()
        .await;
    assert_eq!(answer.unwrap().bytes().await.unwrap(), "x");
    assert_eq!(peer.nonces().len(), 3);
}

#[tokio::test]
async fn a_connection_that_cannot_be_made_is_tried_again_for_every_method() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let request = client()
        .post(format!("http://{address}/?token={PLAIN}"))
        .unwrap()
        .body("x");
    let error = request.send().await.unwrap_err();
    assert!(
        matches!(error, ClientError::Connect { attempts: 3, .. }),
        "{error:?}"
    );
    assert_eq!(error.blame(), Blame::Network);
    assert!(!format!("{error:?}").contains(PLAIN));
}

#[tokio::test]
async fn a_connection_that_breaks_is_not_tried_again() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let connections = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&connections);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            counter.fetch_add(1, Ordering::SeqCst);
            let mut head = [0; 1024];
            let _ = stream.read(&mut head).await;
        }
    });
    let outcome = client()
        .get(format!("http://{address}/"))
        .unwrap()
        .send()
        .await;
    let error = outcome.unwrap_err();
    assert!(matches!(error, ClientError::Transport(_)), "{error:?}");
    assert_eq!(connections.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn silence_ends_in_a_timeout() {
    let (_peer, address) = Peer::start(&[Step::Silence, Step::Silence]).await;
    let short = Duration::from_millis(50);
    let url = format!("http://{address}/");
    let attempt = client()
        .attempt_timeout(short)
        .get(&url)
        .unwrap()
        .send()
        .await;
    let total = client()
        .total_timeout(short)
        .get(&url)
        .unwrap()
        .send()
        .await;
    for error in [attempt.unwrap_err(), total.unwrap_err()] {
        assert!(
            matches!(error, ClientError::Timeout { attempts: 1 }),
            "{error:?}"
        );
    }
}

#[tokio::test]
async fn a_redirect_is_an_answer() {
    let (peer, address) = Peer::start(&[Step::RedirectTo("/elsewhere")]).await;
    let answer = client()
        .get(format!("http://{address}/"))
        .unwrap()
        .send()
        .await;
    assert_eq!(answer.unwrap().status(), 307);
    assert_eq!(peer.nonces().len(), 1);
}

#[tokio::test]
async fn a_client_that_follows_redirects_is_found_out() {
    let (_peer, address) = Peer::start(&[Step::RedirectTo("/elsewhere")]).await;
    let signer = Signer::new(client_id(), secret_hash());
    let client = SignedClient::new(http().build().unwrap(), signer);
    let outcome = client
        .get(format!("http://{address}/"))
        .unwrap()
        .send()
        .await;
    let error = outcome.unwrap_err();
    assert!(matches!(error, ClientError::RedirectFollowed), "{error:?}");
    assert_eq!(error.blame(), Blame::Caller);
}

#[tokio::test]
async fn a_refusal_bears_the_peers_code() {
    let (_peer, address) = Peer::start(&[]).await;
    let wrong = hash_client_secret(&Secret::new("another"), None);
    let client = SignedClient::build(http(), Signer::new(client_id(), wrong)).unwrap();
    let request = client.get(format!("http://{address}/")).unwrap();
    let error = request.send_accepted().await.unwrap_err();
    assert_eq!(error.blame(), Blame::Peer);
    assert_eq!(error.to_string(), "the peer refused with 401 BAD_SIGNATURE");
}

#[tokio::test]
async fn a_refusal_without_a_code_is_one_too() {
    let (_peer, address) = Peer::start(&[Step::Status(500)]).await;
    let request = client().get(format!("http://{address}/")).unwrap();
    let error = request.send_accepted().await.unwrap_err();
    assert!(
        matches!(
            error,
            ClientError::Refused {
                status: 500,
                code: None,
                ..
            }
        ),
        "{error:?}"
    );
}

#[tokio::test]
async fn the_callers_mistakes_are_named_before_anything_is_sent() {
    let (peer, address) = Peer::start(&[]).await;
    let client = client();
    let url = format!("http://{address}/");
    let not_a_url = client.get("not a url").unwrap_err();
    assert!(matches!(not_a_url, ClientError::InvalidUrl(_)));
    let scheme = client.get("ftp://127.0.0.1/").unwrap_err();
    assert!(matches!(scheme, ClientError::UnsignableUrl { .. }));
    let slashes = client.get(format!("http://{address}//x")).unwrap_err();
    assert!(matches!(slashes, ClientError::UnsignableUrl { .. }));

    let streaming = reqwest::Body::wrap(http_body_util::Full::<axum::body::Bytes>::from("x"));
    let streaming = client.post(&url).unwrap().body(streaming).send().await;
    assert!(matches!(streaming.unwrap_err(), ClientError::StreamingBody));
    for name in ["X-Nonce", "x-signature", "x-client-id", "x-timestamp"] {
        let reserved = client.get(&url).unwrap().header(name, "1").send().await;
        assert!(matches!(
            reserved.unwrap_err(),
            ClientError::ReservedHeader { .. }
        ));
    }
    let header = client
        .get(&url)
        .unwrap()
        .header("x y", "1")
        .header("ok", "1")
        .send();
    assert!(matches!(
        header.await.unwrap_err(),
        ClientError::InvalidHeader(_)
    ));
    let json = client
        .post(&url)
        .unwrap()
        .json(&std::collections::HashMap::from([((), ())]));
    assert!(matches!(
        json.send().await.unwrap_err(),
        ClientError::Json(_)
    ));
    assert!(peer.nonces().is_empty());
}

#[test]
fn debug_shows_no_secret() {
    let client = client();
    let request = client.get("http://127.0.0.1/?token=hidden").unwrap();
    let shown = format!("{client:?} {request:?}");
    assert!(
        !shown.contains("hidden") && !shown.contains(secret_hash().prefix()),
        "{shown}"
    );
}
