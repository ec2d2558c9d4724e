//! People before real peers: they sign in at the gateway, over the accounts service, all of them processes.

use std::time::{Duration, Instant};

use e2e::front_door::{ADMIN, FrontDoor, PASSWORD, cookies, front_door};
use e2e::gateway::Keys;
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::timeout;
use url::Url;

use crate::behind_the_gateway::let_in;
use crate::mesh::{Mesh, Options, Peer, until};

/// What comes about comes about within this time.
const WITHIN: Duration = Duration::from_secs(20);

struct Front {
    door: FrontDoor,
    dashboard: Url,
    _keys: Keys,
    _folder: TempDir,
}

impl Front {
    async fn start(mesh: &Mesh) -> Self {
        let (keys, folder) = (Keys::init(), tempfile::tempdir().expect("a folder"));
        let_in(mesh, &keys);
        let upstreams = [Peer::LeptosAxum, Peer::LeptosActix];
        let upstreams = upstreams.map(|peer| (peer.name(), mesh.url(peer)));
        let door = front_door(&keys, &upstreams, 2, 900, folder.path()).await;
        let mut dashboard = door.dashboards[0].clone();
        dashboard.set_host(Some("127.0.0.1")).expect("an address");
        Self {
            door,
            dashboard,
            _keys: keys,
            _folder: folder,
        }
    }

    async fn sign_in(&self, email: &str, password: &str) -> String {
        cookies(&self.dashboard, email, password).await
    }

    fn ask(&self, mesh: &Mesh, method: Method, path: &str, cookies: &str) -> RequestBuilder {
        let url = self.dashboard.join(path).expect("a path");
        let request = mesh.http.request(method, url.to_string());
        request.header("cookie", cookies)
    }

    /// Waits until the peers have read the key.
    async fn until_believed(&self, mesh: &Mesh, cookies: &str) {
        until("the peer believes the gateway", async || {
            let asked = self.ask(mesh, Method::GET, "/api/state", cookies);
            match asked.send().await.map(|answer| answer.status()) {
                Ok(StatusCode::OK) => Ok(()),
                other => Err(format!("{other:?}")),
            }
        })
        .await;
    }
}

/// The refresh token alone, as it is sent when the access token's life is over.
fn refresh_of(cookies: &str) -> String {
    let mut pairs = cookies.split("; ");
    let refresh = pairs.find(|pair| pair.starts_with("refreshToken="));
    format!("access=over; {}", refresh.expect("a refresh token"))
}

#[tokio::test]
async fn nobody_is_signed_out_by_accident() {
    let mesh = Options::default().tokens().start().await;
    let front = Front::start(&mesh).await;
    let signed_in = front.sign_in(ADMIN, PASSWORD).await;
    front.until_believed(&mesh, &signed_in).await;
    let over = refresh_of(&signed_in);

    // Fifty requests of a page at once: one successor.
    let mut asked = tokio::task::JoinSet::new();
    for _ in 0..50 {
        asked.spawn(front.ask(&mesh, Method::GET, "/api/state", &over).send());
    }
    let mut successors = Vec::new();
    for answer in asked.join_all().await {
        let answer = answer.expect("an answer");
        assert_eq!(answer.status(), 200);
        let set = answer.headers().get_all("set-cookie").iter();
        let mut pairs = set.filter_map(|it| it.to_str().ok()?.split(';').next());
        let refresh = pairs.find(|pair| pair.starts_with("refreshToken="));
        successors.push(refresh.expect("a successor").to_owned());
    }
    successors.dedup();
    assert_eq!(successors.len(), 1);

    // The accounts service is killed: what needs no exchange goes on, the rest is told to come back, and keeps its cookies.
    front.door.kill_accounts();
    let next = format!("access=over; {}", successors[0]);
    let away = front.ask(&mesh, Method::GET, "/api/state", &next).send();
    let away = away.await.expect("an answer");
    assert_eq!(away.status(), 503);
    assert_eq!(away.headers()["retry-after"], "1");
    assert!(!away.headers().contains_key("set-cookie"));
    let valid = front
        .ask(&mesh, Method::GET, "/api/state", &signed_in)
        .send();
    // Its refresh token was exchanged, which nobody asks while the access token counts.
    assert_eq!(valid.await.expect("an answer").status(), 200);
    front.door.start_accounts().await;
    let back = front.ask(&mesh, Method::GET, "/api/state", &next).send();
    let back = back.await.expect("an answer");
    assert_eq!(back.status(), 200);
    assert!(back.headers().contains_key("set-cookie"));
}

#[tokio::test]
async fn a_session_that_is_ended_opens_nothing_more() {
    let mesh = Options::default().tokens().start().await;
    let front = Front::start(&mesh).await;
    let here = front.sign_in(ADMIN, PASSWORD).await;
    let there = front.sign_in(ADMIN, PASSWORD).await;
    front.until_believed(&mesh, &here).await;
    let events = |cookies: &str| {
        front
            .ask(&mesh, Method::GET, "/api/mesh/events", cookies)
            .send()
    };
    let mut ended = events(&there).await.expect("a stream");
    let mut lives = events(&here).await.expect("a stream");
    for stream in [&mut ended, &mut lives] {
        let first = timeout(WITHIN, stream.chunk()).await.expect("an event");
        assert!(first.expect("an event").is_some());
    }
    let begin = Instant::now();
    let others = front
        .ask(&mesh, Method::DELETE, "/api/v1/sessions", &here)
        .send();
    let others: Value = others.await.expect("an answer").json().await.expect("JSON");
    assert_eq!(others, json!({ "ended": 1 }));
    let over = timeout(Duration::from_secs(1), async {
        while let Ok(Some(_)) = ended.chunk().await {}
    });
    assert!(over.await.is_ok(), "open after {:?}", begin.elapsed());
    for cookies in [&there, &refresh_of(&there)] {
        let refused = front.ask(&mesh, Method::GET, "/api/state", cookies).send();
        assert_eq!(refused.await.expect("an answer").status(), 401);
    }
    let goes_on = front.ask(&mesh, Method::GET, "/api/state", &here).send();
    assert_eq!(goes_on.await.expect("an answer").status(), 200);
}

#[tokio::test]
async fn people_do_what_their_roles_say_and_it_is_written_down() {
    let mesh = Options::default().tokens().start().await;
    let front = Front::start(&mesh).await;
    let admin = front.sign_in(ADMIN, PASSWORD).await;
    front.until_believed(&mesh, &admin).await;
    let vic = json!({ "email": "vic@example.org", "name": "Vic", "roles": ["viewer"],
        "password": "a password of Vic's own" });
    let made = front
        .ask(&mesh, Method::POST, "/api/v1/user", &admin)
        .json(&vic)
        .send();
    assert_eq!(made.await.expect("an answer").status(), 201);
    let viewer = front
        .sign_in("vic@example.org", "a password of Vic's own")
        .await;
    let targets = Peer::LeptosAxum.others().map(Peer::name);
    let ensure =
        json!({ "clientId": "by-people", "secret": "a secret of sixteen", "targets": targets });
    for (cookies, status) in [(&viewer, 403), (&admin, 200)] {
        let asked = front
            .ask(&mesh, Method::POST, "/api/ensure", cookies)
            .json(&ensure)
            .send();
        assert_eq!(asked.await.expect("an answer").status(), status);
    }
    // What opens the gateway opens no peer.
    let value = |name: &str| {
        let mut pairs = admin.split("; ").filter_map(|pair| pair.split_once('='));
        let found = pairs.find(|(own, _)| *own == name);
        found.expect("a cookie").1.to_owned()
    };
    let (access, refresh) = (value("access"), value("refreshToken"));
    for (name, token) in [
        ("authorization", format!("Bearer {access}")),
        ("authorization", access.clone()),
        ("x-internal-auth", access),
        ("x-internal-auth", refresh),
        ("cookie", admin.clone()),
    ] {
        let url = format!(
            "{}/api/state",
            mesh.url(Peer::LeptosAxum).trim_end_matches('/')
        );
        let asked = mesh
            .http
            .request(Method::GET, url)
            .header(name, token)
            .send();
        let status = asked.await.expect("an answer").status();
        assert!(matches!(status.as_u16(), 400 | 401), "{name}: {status}");
    }
    // At the peer: who asked, and never on the wire.
    let timeline = "/api/timeline?track=http&clientId=by-people";
    let told = front.ask(&mesh, Method::GET, timeline, &viewer).send();
    let told = told.await.expect("an answer").text().await.expect("a text");
    assert!(told.contains(ADMIN), "{told}");
    // At the gateway: both, with how they ended.
    let both = until("both are in the audit", async || {
        let path = "/api/v1/audit?action=ensure";
        let answer = front.ask(&mesh, Method::GET, path, &admin).send();
        let answer: Value = answer.await.expect("an answer").json().await.expect("JSON");
        let rows = answer["rows"].as_array().cloned().unwrap_or_default();
        match rows.len() {
            2 => Ok(rows),
            _ => Err(answer),
        }
    })
    .await;
    let pair = |row: &Value| (row["actor"].clone(), row["outcome"].clone());
    let mut pairs: Vec<_> = both.iter().map(pair).collect();
    pairs.sort_by_key(|(actor, _)| actor.to_string());
    assert_eq!(
        pairs,
        [
            (json!(ADMIN), json!("done")),
            (json!("vic@example.org"), json!("refused")),
        ]
    );
}
