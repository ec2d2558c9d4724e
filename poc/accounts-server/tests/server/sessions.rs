//! Sessions are listed and ended, by their person or by an admin.

use accounts_server::{Operation, Policy};
use serde_json::{Value, json};

use crate::support::{Server, Who, id};

async fn list(server: &Server, who: &Who, user: &str) -> (u16, Value) {
    let uri = format!("/internal/sessions?userId={user}");
    server
        .call_at(who, Operation::Sessions, &uri, &Value::Null)
        .await
}

async fn end(server: &Server, who: &Who, body: &Value) -> (u16, Value) {
    server.call(who, Operation::EndSessions, body).await
}

#[tokio::test]
async fn a_person_sees_and_ends_only_their_own() {
    let server = Server::sqlite(Policy::default()).await;
    let ada = server.person("ada@example.org", &["viewer"]).await;
    let bob = server.person("bob@example.org", &["viewer"]).await;
    let (as_ada, as_bob) = (Who::User(ada.clone()), Who::User(bob.clone()));
    let (first, jti) = server.session(&ada).await;
    let (second, _) = server.session(&ada).await;
    server.session(&ada).await;
    let (of_bob, _) = server.session(&bob).await;

    for who in [&as_ada, &Who::Admin, &Who::System] {
        let (status, sessions) = list(&server, who, &ada).await;
        let sessions = sessions["sessions"].as_array().unwrap();
        assert_eq!((status, sessions.len()), (200, 3));
        assert_eq!(sessions[0]["agent"], "Firefox");
    }
    let denied = list(&server, &as_bob, &ada).await;
    assert_eq!(denied.1["code"], "INTERNAL_AUTH_PERMISSION_DENIED");
    assert_eq!(denied.0, 403);
    let denied = end(&server, &as_bob, &json!({ "userId": ada })).await;
    assert_eq!(denied.0, 403);

    let foreign = end(&server, &as_ada, &json!({ "userId": ada, "sid": of_bob })).await;
    assert_eq!(foreign, (404, json!({ "error": "Not found" })));
    let one = end(&server, &as_ada, &json!({ "userId": ada, "sid": first })).await;
    assert_eq!(one, (200, json!({ "ended": 1 })));
    assert_eq!(server.rotate(&jti, &id()).await.0, 401);
    let others = end(&server, &as_ada, &json!({ "userId": ada, "but": second })).await;
    assert_eq!(others, (200, json!({ "ended": 1 })));
    let (_, left) = list(&server, &as_ada, &ada).await;
    assert_eq!(left["sessions"][0]["sid"], *second);
    let all = end(&server, &Who::Admin, &json!({ "userId": ada })).await;
    assert_eq!(all, (200, json!({ "ended": 1 })));
    assert_eq!(
        list(&server, &as_bob, &bob).await.1["sessions"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    let both = json!({ "userId": ada, "sid": first, "but": second });
    assert_eq!(end(&server, &as_ada, &both).await.0, 400);

    let rows = server
        .audit("?action=sessions.end&subject=ada@example.org")
        .await;
    assert_eq!(rows.len(), 3);
    assert_eq!(rows[0]["actor"], "root@example.org");
    assert_eq!(rows[0]["reason"], "ended-by-admin");
    assert_eq!(rows[1]["reason"], "ended-elsewhere");
}
