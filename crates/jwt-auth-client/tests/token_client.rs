//! The token client against a token endpoint in this process.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use auth_base::{ManualClock, Secret};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::post;
use axum::{Json, Router};
use jwt_auth_client::{HttpClient, TokenClient, TokenError, TokenRequest};
use serde_json::json;

/// What the endpoint answers, and what it was asked.
#[derive(Clone)]
struct Endpoint {
    asked: Arc<AtomicU32>,
    expires_in: i64,
    refuses: u32,
    forms: Arc<std::sync::Mutex<Vec<String>>>,
}

impl Endpoint {
    fn new(expires_in: i64) -> Self {
        Self {
            asked: Arc::default(),
            expires_in,
            refuses: 0,
            forms: Arc::default(),
        }
    }

    fn asked(&self) -> u32 {
        self.asked.load(Ordering::SeqCst)
    }

    /// Serves, and gives a client of it and its clock.
    async fn serve(&self) -> (TokenClient, Arc<ManualClock>) {
        let router = Router::new()
            .route("/api/v1/auth/oauth/token", post(token))
            .route(
                "/moved",
                post(async || Redirect::temporary("/api/v1/auth/oauth/token")),
            )
            .with_state(self.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let issuer = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        // Whatever the builder says, the client follows no redirect.
        let follows = reqwest::redirect::Policy::limited(10);
        let http = HttpClient::new(reqwest::Client::builder().redirect(follows)).unwrap();
        let clock = Arc::new(ManualClock::new(1_000_000));
        let client = TokenClient::new(&issuer, "clt_1", Secret::new("s3cret&="), http).unwrap();
        (client.clock(clock.clone()), clock)
    }
}

async fn token(State(endpoint): State<Endpoint>, form: String) -> Response {
    let number = endpoint.asked.fetch_add(1, Ordering::SeqCst) + 1;
    endpoint.forms.lock().unwrap().push(form);
    // Long enough for everybody to come and wait.
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    if number <= endpoint.refuses {
        return (
            StatusCode::UNAUTHORIZED,
            Json(json!({ "error": "invalid_client" })),
        )
            .into_response();
    }
    let token = format!("token-{number}");
    Json(
        json!({ "access_token": token, "token_type": "Bearer", "expires_in": endpoint.expires_in }),
    )
    .into_response()
}

/// Asks by many at once.
async fn many(
    client: &TokenClient,
    requests: impl Iterator<Item = TokenRequest>,
) -> Vec<Result<String, String>> {
    let callers = requests.map(|request| {
        let client = client.clone();
        tokio::spawn(async move {
            let token = client.token(&request).await;
            token
                .map(|token| token.expose().to_owned())
                .map_err(|error| error.to_string())
        })
    });
    let mut answers = Vec::new();
    for caller in callers.collect::<Vec<_>>() {
        answers.push(caller.await.unwrap());
    }
    answers
}

#[tokio::test]
async fn a_hundred_cold_callers_cause_one_request() {
    let endpoint = Endpoint::new(900);
    let (client, _) = endpoint.serve().await;
    let permuted = |number: usize| match number % 2 {
        0 => TokenRequest::default().scope("a b"),
        _ => TokenRequest::default().scope("b").scope("a b"),
    };
    let answers = many(&client, (0..100).map(permuted)).await;
    assert_eq!(endpoint.asked(), 1);
    assert!(
        answers
            .iter()
            .all(|answer| answer.as_deref() == Ok("token-1"))
    );
    let form = endpoint.forms.lock().unwrap()[0].clone();
    assert_eq!(
        form,
        "grant_type=client_credentials&client_id=clt_1&client_secret=s3cret%26%3D&scope=a+b"
    );
    client
        .token(&TokenRequest::default().resource("https://orders"))
        .await
        .unwrap();
    assert_eq!(endpoint.asked(), 2);
    client.clear_cache();
    client
        .token(&TokenRequest::default().scope("a b"))
        .await
        .unwrap();
    assert_eq!(endpoint.asked(), 3);
}

#[tokio::test]
async fn an_error_is_shared_and_not_kept() {
    let mut endpoint = Endpoint::new(900);
    endpoint.refuses = 1;
    let (client, _) = endpoint.serve().await;
    let answers = many(&client, (0..20).map(|_| TokenRequest::default())).await;
    let told = "Token request failed (401 invalid_client).".to_owned();
    assert!(
        answers.iter().all(|answer| answer == &Err(told.clone())),
        "{answers:?}"
    );
    assert_eq!(endpoint.asked(), 1);
    client.token(&TokenRequest::default()).await.unwrap();
    assert_eq!(endpoint.asked(), 2);
}

#[tokio::test]
async fn a_token_is_renewed_before_it_expires() {
    let endpoint = Endpoint::new(60);
    let (client, clock) = endpoint.serve().await;
    let wanted = TokenRequest::default();
    let first = client.token(&wanted).await.unwrap();
    assert_eq!(first.expires_at_ms(), 1_060_000);
    // The skew of 30 s is a quarter of this life: 15 s.
    clock.advance(44_999);
    client.token(&wanted).await.unwrap();
    assert_eq!(endpoint.asked(), 1);
    clock.advance(1);
    let answers = many(&client, (0..50).map(|_| TokenRequest::default())).await;
    assert!(
        answers
            .iter()
            .all(|answer| answer.as_deref() == Ok("token-2"))
    );
    assert_eq!(endpoint.asked(), 2);
}

#[tokio::test]
async fn a_life_that_is_over_at_once_causes_no_storm() {
    let endpoint = Endpoint::new(0);
    let (client, _) = endpoint.serve().await;
    many(&client, (0..100).map(|_| TokenRequest::default())).await;
    assert_eq!(endpoint.asked(), 1);
}

#[tokio::test]
async fn a_refused_token_is_fetched_again_once() {
    let endpoint = Endpoint::new(900);
    let (client, clock) = endpoint.serve().await;
    let wanted = TokenRequest::default();
    let refused = client.token(&wanted).await.unwrap();
    clock.advance(10_000);
    let callers = (0..50).map(|_| {
        let (client, refused, wanted) = (client.clone(), Arc::clone(&refused), wanted.clone());
        tokio::spawn(async move {
            client
                .token_instead_of(&refused, &wanted)
                .await
                .unwrap()
                .expect("another token")
                .expose()
                .to_owned()
        })
    });
    for caller in callers.collect::<Vec<_>>() {
        assert_eq!(caller.await.unwrap(), "token-2");
    }
    assert_eq!(endpoint.asked(), 2);
}

#[tokio::test]
async fn a_young_token_that_is_refused_is_not_replaced() {
    let endpoint = Endpoint::new(900);
    let (client, clock) = endpoint.serve().await;
    let wanted = TokenRequest::default();
    // A service that refuses whatever it is shown, for 25 seconds: 26 calls.
    for call in 0..26 {
        let shown = client.token(&wanted).await.unwrap();
        let another = client.token_instead_of(&shown, &wanted).await.unwrap();
        assert_eq!(another.is_some(), [10, 20].contains(&call), "{call}");
        clock.advance(1_000);
    }
    assert_eq!(endpoint.asked(), 3);
    // A newer one is given at once to whoever was refused an older one.
    let kept = client.token(&wanted).await.unwrap();
    clock.advance(10_000);
    let newer = client.token_instead_of(&kept, &wanted).await.unwrap();
    let newer = newer.expect("another token");
    let again = client.token_instead_of(&kept, &wanted).await.unwrap();
    assert!(Arc::ptr_eq(&newer, &again.expect("the newer one")));
    assert_eq!(endpoint.asked(), 4);
}

#[tokio::test]
async fn a_caller_that_goes_away_costs_the_others_nothing() {
    let endpoint = Endpoint::new(900);
    let (client, _) = endpoint.serve().await;
    let first = {
        let client = client.clone();
        tokio::spawn(async move { client.token(&TokenRequest::default()).await.map(drop) })
    };
    tokio::task::yield_now().await;
    let second = {
        let client = client.clone();
        tokio::spawn(async move { client.token(&TokenRequest::default()).await.map(drop) })
    };
    tokio::task::yield_now().await;
    first.abort();
    second.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let endpoint = Endpoint::new(900);
    let (client, _) = endpoint.serve().await;
    let shown = format!("{client:?}");
    assert!(!shown.contains("s3cret"), "{shown}");
    let moved = shown
        .split('"')
        .nth(1)
        .unwrap()
        .replace("/api/v1/auth/oauth/token", "/moved");
    let client = client.token_endpoint(&moved).unwrap();
    let refused = client.token(&TokenRequest::default()).await.unwrap_err();
    assert_eq!(refused.to_string(), "Token request failed (307).");
    assert_eq!(endpoint.asked(), 0, "the secret was not sent on");
    for wrong in ["ftp://a", "https://u:p@a", "a"] {
        assert!(client.clone().token_endpoint(wrong).is_err(), "{wrong}");
    }
}

#[tokio::test]
async fn a_secret_goes_to_another_machine_over_tls_only() {
    let endpoint = Endpoint::new(900);
    let (client, _) = endpoint.serve().await;
    for plain in [
        "http://login.internal",
        "http://10.0.0.1/token",
        "http://localhost.example",
    ] {
        let client = client.clone().token_endpoint(plain).unwrap();
        let refused = client.token(&TokenRequest::default()).await.unwrap_err();
        assert!(
            matches!(*refused, TokenError::Plain),
            "{plain}: {refused:?}"
        );
        assert!(!refused.is_temporary());
    }
    // Nobody listens there: it is tried.
    let allowed = client.clone().token_endpoint("http://0.0.0.0:1").unwrap();
    let refused = allowed.token(&TokenRequest::default()).await.unwrap_err();
    assert!(matches!(*refused, TokenError::Plain), "{refused:?}");
    let refused = allowed.allow_plain().token(&TokenRequest::default()).await;
    assert!(matches!(*refused.unwrap_err(), TokenError::Connect(_)));
    for local in ["http://localhost:1", "http://[::1]:1", "http://127.0.0.2:1"] {
        let client = client.clone().token_endpoint(local).unwrap();
        let refused = client.token(&TokenRequest::default()).await.unwrap_err();
        assert!(
            matches!(*refused, TokenError::Connect(_)),
            "{local}: {refused:?}"
        );
    }
}
