//! No password and no token is in a log, whatever its level, and in no answer but the one that hands it out.

use accounts_server::{Operation, Policy};
use serde_json::json;
use services::log::Log;

use crate::support::{Claims, OTHER_PASSWORD, PASSWORD, Server, Who};

#[tokio::test]
async fn no_secret_is_in_a_log_at_any_level() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(log.writer())
        .finish();
    tracing::subscriber::set_global_default(subscriber).unwrap();
    let server = Server::sqlite(Policy::default()).await;
    let id = server.person("ada@example.org", &["viewer"]).await;
    assert_eq!(server.sign_in("ada@example.org", PASSWORD).await.0, 200);
    assert_eq!(server.sign_in(OTHER_PASSWORD, PASSWORD).await.0, 401);
    let link = server.link(&id, "choose-password").await;
    let body = json!({ "token": link, "password": OTHER_PASSWORD });
    let redeemed = server
        .call(&Who::System, Operation::RedeemLink, &body)
        .await;
    assert_eq!(redeemed.0, 200);
    let again = server
        .call(&Who::System, Operation::RedeemLink, &body)
        .await;
    assert_eq!(again.0, 401);
    let (_, jti) = server.session(&id).await;
    let (status, rotated) = server.rotate(&jti, &crate::support::id()).await;
    assert_eq!(status, 200, "{rotated}");
    let claims = Claims {
        audience: "accounts",
        scope: "sessions",
        method: "GET",
        uri: "/internal/sessions",
    };
    let token = server.token(&Who::System, &claims).await;
    let request = server.request("GET", "/internal/sessions");
    let answer = request
        .header("x-internal-auth", &token)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 400);

    let stranger = server.request("POST", "/internal/auth/validate").send();
    assert_eq!(stranger.await.unwrap().status(), 401);

    let log = log.text();
    assert!(log.contains("a request is refused"), "{log}");
    let proof = token.rsplit('.').next().unwrap();
    for secret in [PASSWORD, OTHER_PASSWORD, &link[4..], proof, "$argon2id$"] {
        assert!(!log.contains(secret), "{secret}");
    }
    let rows = format!("{:?}", server.audit("?limit=500").await);
    for secret in [PASSWORD, OTHER_PASSWORD, &link[4..], jti.as_str()] {
        assert!(!rows.contains(secret), "{secret}");
    }
}
