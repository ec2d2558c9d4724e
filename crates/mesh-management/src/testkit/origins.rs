//! Who asked for a change, as the peer's own audit has it.

use hmac_propagation::origin::Origin;
use mesh_api::permission::Role;
use serde_json::{Value, json};

use crate::testkit::admission::Issuer;
use crate::testkit::parts::{SECRET, with_an_audit};
use crate::testkit::{Asked, Mounted, post, request};

const ADA: &str = "ada@example.org";

/// An ensure, a rotate, a resync and a revoke of one client.
fn changes() -> [Asked; 4] {
    let ensure = json!({ "clientId": "c", "secret": SECRET, "targets": ["told"] });
    let rotate = json!({ "clientId": "c", "secret": SECRET });
    let resync = json!({ "clientId": "c", "newer": "overwrite" });
    let revoke = json!({ "clientId": "c", "targets": ["told"] });
    [
        post("/ensure", ensure.to_string()),
        post("/rotate", rotate.to_string()),
        post("/resync", resync.to_string()),
        post("/revoke", revoke.to_string()),
    ]
}

fn timeline() -> Asked {
    request("GET", "/timeline?clientId=c&limit=200")
}

/// What a timeline says of changes and resyncs: what and by whom, the oldest first. What came of them, nobody asked for.
#[expect(clippy::expect_used, reason = "a conformance suite fails by panicking")]
fn asked_for(body: &str) -> Vec<(String, Value, Value)> {
    let timeline: Value = serde_json::from_str(body).expect("JSON");
    let mut asked_for = Vec::new();
    for entry in timeline["entries"].as_array().into_iter().flatten().rev() {
        let what = entry["transition"].as_str().unwrap_or_default();
        let by = (entry["actor"].clone(), entry["requestId"].clone());
        match what {
            "ensured" | "rotated" | "rebooked" | "revoked" => {
                asked_for.push((what.to_owned(), by.0, by.1));
            }
            _ => assert_eq!(by, (Value::Null, Value::Null), "{entry}"),
        }
    }
    asked_for
}

/// What the timeline says when all of [`changes`] were asked for by `actor`.
fn all_by(actor: &Value, request_id: &Value) -> Vec<(String, Value, Value)> {
    let by = |what: &str| (what.to_owned(), actor.clone(), request_id.clone());
    ["ensured", "rotated", "rebooked", "revoked"].map(by).into()
}

/// A person is called as the gateway calls them, and the request as its logs do.
pub async fn a_change_is_kept_with_who_asked<M: Mounted>() {
    let issuer = Issuer::new();
    let mounted = M::mount(issuer.before(with_an_audit().0));
    for change in changes() {
        let asked = issuer.of_a_person(change, Role::Operator, Some(ADA)).await;
        let answer = mounted.ask(asked).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    let asked = issuer.of_a_person(timeline(), Role::Viewer, None).await;
    let answer = mounted.ask(asked).await;
    assert_eq!(asked_for(&answer.body), all_by(&json!(ADA), &json!("r-1")));
}

/// A service that calls directly is called as its token calls it; nobody gave its request a name.
pub async fn a_client_asks_by_its_own_name<M: Mounted>() {
    let issuer = Issuer::new();
    let mounted = M::mount(issuer.before(with_an_audit().0));
    for change in changes() {
        let asked = issuer.directly(change, "credentials:write").await;
        let answer = mounted.ask(asked).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    let answer = mounted
        .ask(issuer.directly(timeline(), "mesh:read").await)
        .await;
    assert_eq!(
        asked_for(&answer.body),
        all_by(&json!("clt_1"), &Value::Null)
    );
}

/// Without an admission there is no caller, whatever a request says of itself.
pub async fn where_nobody_is_asked_nobody_is_kept<M: Mounted>() {
    let issuer = Issuer::new();
    let (surface, inventory) = with_an_audit();
    let mounted = M::mount(surface);
    for change in changes() {
        let asked = issuer.of_a_person(change, Role::Operator, Some(ADA)).await;
        let answer = mounted.ask(asked.with("x-request-id", "r-2")).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    let answer = mounted.ask(timeline()).await;
    assert_eq!(asked_for(&answer.body), all_by(&Value::Null, &Value::Null));
    let target = json!({ "targetAmqpQueue": "new", "propagationSecret": SECRET });
    let answer = mounted.ask(post("/targets", target.to_string())).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(inventory.changed(), [("new".to_owned(), Origin::default())]);
}

/// Put and deleted.
pub async fn a_target_is_kept_with_who_asked<M: Mounted>() {
    let issuer = Issuer::new();
    let (surface, inventory) = with_an_audit();
    let mounted = M::mount(issuer.before(surface));
    let target = json!({ "targetAmqpQueue": "new", "propagationSecret": SECRET });
    for asked in [
        post("/targets", target.to_string()),
        request("DELETE", "/targets/new"),
    ] {
        let asked = issuer.of_a_person(asked, Role::Operator, Some(ADA)).await;
        let answer = mounted.ask(asked).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    let ada = Origin::of(ADA).in_request(Some("r-1"));
    let changed = ("new".to_owned(), ada);
    assert_eq!(inventory.changed(), [changed.clone(), changed]);
}
