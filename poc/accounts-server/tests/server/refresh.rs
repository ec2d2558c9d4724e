//! Refresh families.

use std::collections::BTreeSet;
use std::time::Duration;

use accounts_server::{Operation, Policy};
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::{Server, Who, id};

fn strict() -> Policy {
    Policy {
        grace: Duration::ZERO,
        ..Policy::default()
    }
}

async fn rotate_at_once(server: &Server, jti: &str) -> Vec<(u16, Value)> {
    let rotations = (0..50).map(|_| async { server.rotate(jti, &id()).await });
    join_all(rotations).await
}

async fn fifty_get_one_successor(server: Server) {
    let user = server.person("ada@example.org", &["viewer"]).await;
    let (family, jti) = server.session(&user).await;
    let answers = rotate_at_once(&server, &jti).await;
    let different: BTreeSet<String> = answers
        .iter()
        .map(|(status, body)| {
            let mut body = body.clone();
            assert_eq!(*status, 200, "{body}");
            // The same in all but where a second's boundary lies between two of them.
            body["idleUntilMs"].take();
            body.to_string()
        })
        .collect();
    assert_eq!(different.len(), 1, "{different:?}");
    let answer = &answers[0].1;
    assert_eq!(answer["status"], "rotated");
    assert_eq!(answer["familyId"], *family);
    assert_eq!(answer["parentJti"], *jti);
    assert_eq!(answer["userId"], *user);
    assert_eq!(answer["email"], "ada@example.org");
    assert_eq!(answer["permissions"], json!(["mesh:read"]));
    let successor = answer["jti"].as_str().unwrap();
    assert_eq!(server.rotate(successor, &id()).await.0, 200);
}

#[tokio::test]
async fn fifty_at_once_get_one_successor_on_sqlite() {
    fifty_get_one_successor(Server::sqlite(Policy::default()).await).await;
}

#[tokio::test]
async fn fifty_at_once_get_one_successor_on_mariadb() {
    fifty_get_one_successor(Server::mariadb(Policy::default()).await).await;
}

async fn without_grace_one_wins_and_the_family_dies(server: Server) {
    let user = server.person("ada@example.org", &["viewer"]).await;
    let (family, jti) = server.session(&user).await;
    let answers = rotate_at_once(&server, &jti).await;
    let won = answers.iter().filter(|(status, _)| *status == 200);
    let won: Vec<&Value> = won.map(|(_, body)| &body["jti"]).collect();
    assert_eq!(won.len(), 1, "{answers:?}");
    let reused = json!({ "error": "Refresh chain reused-revoked" });
    let times = answers.iter().filter(|(_, body)| *body == reused);
    assert_eq!(times.count(), 1, "{answers:?}");
    let dead = (401, json!({ "error": "Refresh chain family-revoked" }));
    let successor = won[0].as_str().unwrap().to_owned();
    assert_eq!(server.rotate(&successor, &id()).await, dead);
    // Whatever comes late wakes nothing.
    for parent in [jti.as_str(), successor.as_str()] {
        let late = json!({ "userId": user, "familyId": family, "jti": id(), "parentJti": parent });
        let (status, refused) = server
            .call(&Who::System, Operation::RecordToken, &late)
            .await;
        assert_eq!((status, &refused["code"]), (409, &json!("FAMILY_DEAD")));
    }
    assert_eq!(server.rotate(&successor, &id()).await, dead);
    let rows = server.audit("?action=refresh.reused").await;
    assert_eq!(
        (rows.len(), &rows[0]["actor"]),
        (1, &json!("ada@example.org"))
    );
}

#[tokio::test]
async fn without_grace_one_wins_and_the_family_dies_on_sqlite() {
    without_grace_one_wins_and_the_family_dies(Server::sqlite(strict()).await).await;
}

#[tokio::test]
async fn without_grace_one_wins_and_the_family_dies_on_mariadb() {
    without_grace_one_wins_and_the_family_dies(Server::mariadb(strict()).await).await;
}

#[tokio::test]
async fn who_got_no_answer_asks_again_without_any_grace() {
    let server = Server::sqlite(strict()).await;
    let user = server.person("ada@example.org", &["viewer"]).await;
    let (_, jti) = server.session(&user).await;
    let successor = id();
    let first = server.rotate(&jti, &successor).await;
    assert_eq!((first.0, &first.1["jti"]), (200, &json!(successor)));
    assert_eq!(server.rotate(&jti, &successor).await, first);
}

#[tokio::test]
async fn a_gateway_that_records_in_a_second_call_goes_on() {
    let server = Server::sqlite(Policy::default()).await;
    let user = server.person("ada@example.org", &["viewer"]).await;
    let (family, jti) = server.session(&user).await;
    let body = json!({ "jti": jti });
    let (status, rotated) = server
        .call(&Who::System, Operation::RotateToken, &body)
        .await;
    assert_eq!((status, rotated.get("jti")), (200, None));
    let next = id();
    let body = json!({ "userId": user, "familyId": family, "jti": next, "parentJti": jti });
    for _ in 0..2 {
        let (status, recorded) = server
            .call(&Who::System, Operation::RecordToken, &body)
            .await;
        assert_eq!((status, &recorded["recorded"]), (201, &json!(true)));
    }
    let other = json!({ "userId": id(), "familyId": family, "jti": id(), "parentJti": next });
    let refused = server
        .call(&Who::System, Operation::RecordToken, &other)
        .await;
    assert_eq!(
        (refused.0, &refused.1["code"]),
        (409, &json!("FAMILY_DEAD"))
    );
    assert_eq!(server.rotate(&next, &id()).await.0, 200);
}

#[tokio::test]
async fn a_family_begins_for_who_may_and_ends_when_it_is_asked_to() {
    let server = Server::sqlite(Policy::default()).await;
    let user = server.person("ada@example.org", &["viewer"]).await;
    let begin = |more: Value| {
        let mut body = json!({ "userId": user, "familyId": id(), "jti": id() });
        for (name, value) in more.as_object().unwrap() {
            body[name] = value.clone();
        }
        let server = &server;
        async move {
            server
                .call(&Who::System, Operation::RecordToken, &body)
                .await
        }
    };
    let missing = json!({ "error": "Missing userId, familyId or jti" });
    assert_eq!(begin(json!({ "jti": "" })).await, (400, missing));
    let changed = begin(json!({ "version": 9 })).await;
    assert_eq!((changed.0, &changed.1["code"]), (409, &json!("CHANGED")));
    let nobody = json!({ "error": "User no longer active" });
    assert_eq!(begin(json!({ "userId": id() })).await, (401, nobody));
    let (status, short) = begin(json!({ "version": 1, "idleSeconds": 60 })).await;
    assert_eq!(status, 201);
    let left = short["familyUntilMs"].as_i64().unwrap() - short["idleUntilMs"].as_i64().unwrap();
    assert!(left > 29 * 86_400_000, "{short}");

    let (family, jti) = server.session(&user).await;
    let revoke = |body: Value| {
        let server = &server;
        async move {
            server
                .call(&Who::System, Operation::RevokeFamily, &body)
                .await
        }
    };
    let missing = json!({ "error": "Missing jti or familyId" });
    assert_eq!(revoke(json!({})).await, (400, missing));
    assert_eq!(
        revoke(json!({ "jti": id() })).await,
        (200, json!({ "status": "not-found" }))
    );
    let revoked = json!({ "status": "family-revoked", "userId": user, "familyId": family });
    assert_eq!(revoke(json!({ "jti": jti })).await, (200, revoked));
    assert_eq!(
        revoke(json!({ "familyId": family })).await,
        (200, json!({ "revoked": 0 }))
    );
    let (family, _) = server.session(&user).await;
    assert_eq!(
        revoke(json!({ "familyId": family })).await,
        (200, json!({ "revoked": 1 }))
    );
    assert_eq!(server.audit("?action=logout").await.len(), 2);
    let unknown = json!({ "error": "Refresh token not found" });
    assert_eq!(server.rotate(&id(), &id()).await, (401, unknown));
}

/// It makes UUIDs, names no successor when it presents a token, and records it in a second call.
#[tokio::test]
async fn a_gateway_of_the_original_is_served() {
    let server = Server::sqlite(Policy::default()).await;
    let user = server.person("ada@example.org", &["viewer"]).await;
    let family = "6F9619FF-8B86-D011-B42D-00CF4FC964FF";
    let (first, second) = (
        "11111111-1111-4111-8111-111111111111",
        "22222222-2222-4222-8222-222222222222",
    );
    let record = json!({ "userId": user, "familyId": family, "jti": first });
    let system = &Who::System;
    let (status, made) = server.call(system, Operation::RecordToken, &record).await;
    assert_eq!((status, &made["recorded"]), (201, &json!(true)), "{made}");
    let presented = json!({ "jti": first });
    let (status, rotated) = server
        .call(system, Operation::RotateToken, &presented)
        .await;
    assert_eq!(
        (status, &rotated["status"]),
        (200, &json!("rotated")),
        "{rotated}"
    );
    let record = json!({ "userId": user, "familyId": rotated["familyId"], "jti": second,
        "parentJti": first });
    assert_eq!(
        server.call(system, Operation::RecordToken, &record).await.0,
        201
    );
    let presented = json!({ "jti": second });
    assert_eq!(
        server
            .call(system, Operation::RotateToken, &presented)
            .await
            .0,
        200
    );
    let revoked = server
        .call(system, Operation::RevokeFamily, &presented)
        .await;
    assert_eq!(revoked.1["status"], "family-revoked");
}
