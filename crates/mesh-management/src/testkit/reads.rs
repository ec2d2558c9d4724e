//! What is shown: the state, the inventory, the mesh.

use mesh_api::local::LocalClient;
use serde_json::json;

use crate::testkit::parts::{SECRET, surface, with_a_view};
use crate::testkit::{Mounted, post, request};

/// Of 1 to 500 credentials, 100 unless told.
pub async fn the_state_comes_in_pages<M: Mounted>() {
    let mounted = M::mount(surface());
    for (query, limit) in [("", 100), ("?limit=500", 500), ("?limit=1&cursor=known", 1)] {
        let answer = mounted.ask(request("GET", &format!("/state{query}"))).await;
        let target = r#"{"bookedClients":0,"createdAt":0,"isSelf":true,"note":null,"targetAmqpQueue":"own","updatedAt":0}"#;
        let body = format!(
            r#"{{"credentials":[],"next":"after {limit}","pivots":[],"targets":[{target}]}}"#
        );
        answer.is(200, &body);
    }
    let range = "must be a whole number of 1 to 500";
    for (query, field, message) in [
        ("limit=0", "limit", range),
        ("limit=501", "limit", range),
        ("limit=", "limit", range),
        ("limit=1&limit=1", "limit", "is given twice"),
        (
            "cursor=%00",
            "cursor",
            "the cursor is not one that this peer gave",
        ),
        ("page=2", "page", "is not a parameter of this route"),
    ] {
        let answer = mounted
            .ask(request("GET", &format!("/state?{query}")))
            .await;
        answer.refuses(400, "INVALID_OPTIONS", field, message);
    }
}

/// But not the peer itself, and none for which clients are booked.
pub async fn targets_are_put_and_deleted<M: Mounted>() {
    let mounted = M::mount(surface());
    let put = |name: &str, secret: &str| {
        let target = json!({ "targetAmqpQueue": name, "propagationSecret": secret, "note": null });
        post("/targets", target.to_string())
    };
    for op in ["target.create", "target.update"] {
        let answer = mounted.ask(put("new", "s")).await;
        answer.is(200, &format!(r#"{{"op":"{op}","targetAmqpQueue":"new"}}"#));
    }
    let length = "has 0 bytes; 1 to 1024 are needed";
    let ends = "begins or ends with a blank, a line break or another character that nobody sees";
    for (secret, message) in [("", length), ("s\n", ends), ("                    ", ends)] {
        let answer = mounted.ask(put("new", secret)).await;
        answer.refuses(400, "INVALID_OPTIONS", "propagationSecret", message);
    }
    let message = "the target own is this peer itself: its row signs acknowledgements and is set by the configuration";
    for asked in [put("own", "s"), request("DELETE", "/targets/own")] {
        let answer = mounted.ask(asked).await;
        answer.refuses(400, "SELF_TARGET", "targetAmqpQueue", message);
    }
    let delete = |name: &str| request("DELETE", &format!("/targets/{name}"));
    let answer = mounted.ask(delete("busy")).await;
    answer.refuses(
        409,
        "TARGET_IN_USE",
        "",
        "2 clients are booked for the target busy",
    );
    let answer = mounted.ask(delete("nowhere")).await;
    answer.refuses(404, "UNKNOWN_TARGET", "", "unknown target nowhere");
    let answer = mounted.ask(delete("away")).await;
    answer.refuses(503, "INTERNAL_ERROR", "", "the management store is away");
    let answer = mounted.ask(delete("broken")).await;
    answer.refuses(
        500,
        "INTERNAL_ERROR",
        "",
        "the peer failed; its log says more",
    );
}

/// And what cannot be decoded names nobody.
pub async fn a_name_is_decoded<M: Mounted>() {
    let mounted = M::mount(surface());
    let answer = mounted.ask(request("DELETE", "/targets/a%20b%2Fc")).await;
    answer.refuses(404, "UNKNOWN_TARGET", "", "unknown target a b/c");
}

/// Without their secrets.
pub async fn local_clients_are_listed<M: Mounted>() {
    let mounted = M::mount(surface());
    let answer = mounted.ask(request("GET", "/local-clients")).await;
    answer.is(200, "[]");
    let ensure = json!({ "clientId": "c", "secret": SECRET, "targets": [] }).to_string();
    mounted.ask(post("/ensure", ensure)).await;
    let answer = mounted.ask(request("GET", "/local-clients")).await;
    let begins = r#"[{"allowedIps":[],"clientId":"c","expiresAt":null,"track":"http","updatedAt":"#;
    assert!(answer.body.starts_with(begins), "{answer:?}");
    for client in ["a", "b", "d"] {
        let ensure = json!({ "clientId": client, "secret": SECRET, "targets": [] }).to_string();
        mounted.ask(post("/ensure", ensure)).await;
    }
    let mut query = "?limit=3".to_owned();
    let mut pages = Vec::new();
    loop {
        let asked = request("GET", &format!("/local-clients{query}"));
        let answer = mounted.ask(asked).await;
        let page: Vec<LocalClient> = serde_json::from_str(&answer.body).unwrap_or_default();
        pages.push(
            page.into_iter()
                .map(|client| client.client_id)
                .collect::<String>(),
        );
        match answer.header("link").split_once('>') {
            Some((next, rest)) => {
                assert_eq!(rest, "; rel=\"next\"");
                query = next.trim_start_matches('<').to_owned();
            }
            None => break,
        }
    }
    assert_eq!(pages, ["abc", "d"]);
    let answer = mounted
        .ask(request("GET", "/local-clients?cursor=tcp:1"))
        .await;
    let message = "the cursor is not one that this peer gave";
    answer.refuses(400, "INVALID_OPTIONS", "cursor", message);
    let answer = mounted
        .ask(request("GET", "/local-clients?limit=1001"))
        .await;
    let message = "must be a whole number of 1 to 1000";
    answer.refuses(400, "INVALID_OPTIONS", "limit", message);
}

/// The newest entries first.
pub async fn a_timeline_is_of_one_client<M: Mounted>() {
    let mounted = M::mount(surface());
    let entry =
        |id| format!(r#"{{"at":0,"generation":0,"id":{id},"target":null,"transition":"sent"}}"#);
    let asked = request("GET", "/timeline?clientId=c&limit=2");
    let answer = mounted.ask(asked).await;
    let entries = format!("{},{}", entry(3), entry(2));
    let body = format!(
        r#"{{"clientId":"c","entries":[{entries}],"known":true,"next":2,"pivots":[],"track":"http"}}"#
    );
    answer.is(200, &body);
    for (query, field, message) in [
        ("", "clientId", "is missing"),
        ("?clientId=c&track=tcp", "track", "must be http or message"),
        (
            "?clientId=c&before=x",
            "before",
            "is not the id of an entry",
        ),
        (
            "?clientId=c&limit=201",
            "limit",
            "must be a whole number of 1 to 200",
        ),
    ] {
        let answer = mounted
            .ask(request("GET", &format!("/timeline{query}")))
            .await;
        answer.refuses(400, "INVALID_OPTIONS", field, message);
    }
}

/// 404, as if the routes were not there.
pub async fn without_a_view_there_is_no_mesh<M: Mounted>() {
    let mounted = M::mount(surface().events());
    for asked in [
        request("GET", "/mesh"),
        request("GET", "/mesh/health"),
        request("GET", "/mesh/events"),
        request("POST", "/mesh/peers/other/stop"),
    ] {
        let answer = mounted.ask(asked).await;
        answer.refuses(404, "NOT_FOUND", "", "there is nothing here");
    }
}

/// Pages, health, and peers that are stopped and started.
pub async fn the_mesh_is_what_the_view_sees<M: Mounted>() {
    let mounted = M::mount(with_a_view());
    let asked = request("GET", "/mesh?limit=7&filter=c&show=attention&sort=changed");
    let answer = mounted.ask(asked).await;
    assert!(
        answer.status == 200 && answer.body.contains(r#""matching":7"#),
        "{answer:?}"
    );
    let answer = mounted.ask(request("GET", "/mesh?show=sideways")).await;
    answer.refuses(400, "INVALID_OPTIONS", "show", "must be all or attention");
    let answer = mounted.ask(request("GET", "/mesh/health")).await;
    answer.is(200, r#"{"at":0,"peers":[]}"#);
    let answer = mounted.ask(post("/mesh/peers/other/stop", "")).await;
    answer.is(200, r#"{"name":"other","state":"stopped"}"#);
    let answer = mounted.ask(post("/mesh/peers/other/start", "{}")).await;
    answer.is(200, r#"{"name":"other","state":"ready"}"#);
    let answer = mounted.ask(post("/mesh/peers/nobody/start", "")).await;
    answer.refuses(404, "UNKNOWN_PEER", "", "no nobody");
}

/// As server-sent events.
pub async fn changes_are_pushed_where_they_are_asked_for<M: Mounted>() {
    let mounted = M::mount(with_a_view());
    let answer = mounted.ask(request("GET", "/mesh/events")).await;
    assert_eq!(
        (answer.status, answer.body.as_str()),
        (200, "event: hello\ndata: {}\n\n")
    );
    assert_eq!(answer.header("content-type"), "text/event-stream");
    assert_eq!(answer.header("cache-control"), "no-store");
}
