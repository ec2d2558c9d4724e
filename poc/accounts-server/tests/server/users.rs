//! Accounts, as admins see and change them.

use accounts_server::{Operation, Policy};
use serde_json::{Value, json};

use crate::support::{PASSWORD, Server, Who, id};

async fn of_user(server: &Server, operation: Operation, id: &str, body: &Value) -> (u16, Value) {
    let uri = format!("/v1/user/{id}");
    server.call_at(&Who::Admin, operation, &uri, body).await
}

#[tokio::test]
async fn accounts_are_made_shown_changed_and_disabled() {
    let server = Server::sqlite(Policy::default()).await;
    let admin = server.person("root@example.org", &["admin"]).await;
    let ada = server.person("ada@example.org", &["viewer"]).await;
    let (status, shown) = of_user(&server, Operation::User, &ada, &Value::Null).await;
    assert_eq!(status, 200);
    let expected = json!({ "id": ada, "email": "ada@example.org", "name": "Ada", "roles": ["viewer"],
        "permissions": ["mesh:read"], "hasPassword": true, "disabledAtMs": null, "version": 1 });
    assert_eq!(shown, expected);

    let taken = json!({ "email": "ADA@example.org", "name": "Other", "roles": [] });
    let (status, refused) = server
        .call(&Who::Admin, Operation::CreateUser, &taken)
        .await;
    assert_eq!((status, &refused["code"]), (409, &json!("EMAIL_TAKEN")));
    for (body, field) in [
        (json!({ "email": "x", "name": "A", "roles": [] }), "email"),
        (json!({ "email": "a@b.c", "name": "", "roles": [] }), "name"),
        (
            json!({ "email": "a@b.c", "name": "A", "roles": ["root"] }),
            "roles",
        ),
        (
            json!({ "email": "a@b.c", "name": "A", "roles": [], "password": "short" }),
            "password",
        ),
    ] {
        let (status, refused) = server.call(&Who::Admin, Operation::CreateUser, &body).await;
        assert_eq!(
            (status, &refused["field"]),
            (400, &json!(field)),
            "{refused}"
        );
    }

    let change = json!({ "roles": ["operator"], "version": 1 });
    let (status, changed) = of_user(&server, Operation::ChangeUser, &ada, &change).await;
    assert_eq!((status, &changed["version"]), (200, &json!(2)));
    let again = of_user(&server, Operation::ChangeUser, &ada, &change).await;
    assert_eq!(again, (200, changed.clone()), "what is so already is done");
    let stale = json!({ "roles": ["viewer"], "version": 1 });
    let (status, refused) = of_user(&server, Operation::ChangeUser, &ada, &stale).await;
    assert_eq!((status, &refused["code"]), (409, &json!("CHANGED")));
    let nothing = of_user(&server, Operation::ChangeUser, &ada, &json!({})).await;
    assert_eq!(
        nothing,
        (200, changed),
        "a change of nothing writes nothing"
    );

    for operation in [Operation::DisableUser, Operation::ChangeUser] {
        let body = json!({ "roles": [], "disabled": true });
        let (status, refused) = of_user(&server, operation, &admin, &body).await;
        assert_eq!((status, &refused["code"]), (409, &json!("LAST_ADMIN")));
    }
    let unknown = (404, json!({ "error": "Not found" }));
    for operation in [
        Operation::User,
        Operation::ChangeUser,
        Operation::DisableUser,
    ] {
        for name in [&id(), "7", "%ff"] {
            let body = json!({ "name": "A" });
            assert_eq!(of_user(&server, operation, name, &body).await, unknown);
        }
    }
    let rows = server
        .audit("?actor=root@example.org&outcome=refused")
        .await;
    assert_eq!(rows[0]["reason"], "LAST_ADMIN");
}

#[tokio::test]
async fn who_is_disabled_loses_all_sessions_and_may_come_back() {
    let stores = [
        Server::sqlite(Policy::default()).await,
        Server::mariadb(Policy::default()).await,
    ];
    for server in stores {
        let ada = server.person("ada@example.org", &["viewer"]).await;
        let (_, jti) = server.session(&ada).await;
        let gone = of_user(&server, Operation::DisableUser, &ada, &Value::Null).await;
        assert_eq!(gone.0, 200);
        assert!(gone.1["disabledAtMs"].is_i64(), "{}", gone.1);
        let again = of_user(&server, Operation::DisableUser, &ada, &Value::Null).await;
        assert_eq!(again, gone);
        let refused = server.rotate(&jti, &id()).await;
        assert_eq!(refused.0, 401, "{}", refused.1);
        assert_eq!(server.sign_in("ada@example.org", PASSWORD).await.0, 401);
        let body = json!({ "userId": ada, "familyId": id(), "jti": id() });
        let refused = server
            .call(&Who::System, Operation::RecordToken, &body)
            .await;
        assert_eq!(refused, (401, json!({ "error": "User no longer active" })));
        let back = json!({ "disabled": false });
        let back = of_user(&server, Operation::ChangeUser, &ada, &back).await;
        assert_eq!((back.0, &back.1["disabledAtMs"]), (200, &Value::Null));
        assert_eq!(
            server.rotate(&jti, &id()).await.0,
            401,
            "the session stays dead"
        );
        assert_eq!(server.sign_in("ada@example.org", PASSWORD).await.0, 200);
    }
}

#[tokio::test]
async fn pages_fall_back_to_the_first_ten() {
    let server = Server::memory().await;
    for place in 10..22 {
        let body = json!({ "email": format!("p{place}@example.org"), "name": "P", "roles": [] });
        assert_eq!(
            server
                .call(&Who::Admin, Operation::CreateUser, &body)
                .await
                .0,
            201
        );
    }
    for (query, page, limit, first, users) in [
        ("", 1, 10, "p10@example.org", 10),
        ("?page=0&limit=0", 1, 10, "p10@example.org", 10),
        ("?page=x&limit=101", 1, 10, "p10@example.org", 10),
        ("?page=-1&limit=1e1", 1, 10, "p10@example.org", 10),
        ("?page=2&limit=5", 2, 5, "p15@example.org", 5),
        ("?limit=100", 1, 100, "p10@example.org", 12),
        ("?page=4294967295&limit=100", 4_294_967_295_u32, 100, "", 0),
    ] {
        let uri = format!("/v1/user/paged{query}");
        let (status, listed) = server
            .call_at(&Who::Admin, Operation::Users, &uri, &Value::Null)
            .await;
        assert_eq!(status, 200, "{listed}");
        assert_eq!(
            (&listed["page"], &listed["limit"]),
            (&json!(page), &json!(limit)),
            "{query}"
        );
        assert_eq!(listed["total"], 12);
        let listed = listed["users"].as_array().unwrap();
        assert_eq!(listed.len(), users, "{query}");
        assert_eq!(
            listed
                .first()
                .map_or("", |it| it["email"].as_str().unwrap()),
            first
        );
    }
}
