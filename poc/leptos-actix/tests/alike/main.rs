//! The two dashboard peers in one process, on embedded backends: they answer alike, converge, and stop in time.

#[cfg(test)]
mod behind_a_proxy;
#[cfg(test)]
mod callers;
#[cfg(test)]
mod html;
#[cfg(test)]
mod live;
#[cfg(test)]
mod odd;
#[cfg(test)]
mod peers;
#[cfg(test)]
mod unread;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use hmac_auth::credential::ClientId;
    use reqwest::Method;
    use serde_json::{Value, json};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;
    use tokio::time::{Instant, timeout};

    use crate::peers::{Peer, Peers, SECRET, eventually};

    /// Method, path, further headers, body.
    type Case = (
        Method,
        &'static str,
        Vec<(&'static str, &'static str)>,
        String,
    );

    fn case(method: Method, path: &'static str, body: &str) -> Case {
        (
            method,
            path,
            vec![("content-type", "application/json")],
            body.to_owned(),
        )
    }

    fn cases() -> Vec<Case> {
        let ensure = json!({ "clientId": "c", "secret": SECRET, "targets": [] }).to_string();
        let json_type = ("content-type", "application/json");
        let mut cases = vec![
            case(Method::POST, "/api/ensure", &ensure),
            case(Method::POST, "/admin/ensure", &ensure),
            case(Method::POST, "/api/ensure", "{"),
            case(Method::POST, "/api/ensure", &"x".repeat(65_537)),
            case(Method::POST, "/api/ensure", &"x".repeat(900_000)),
            case(Method::POST, "/api/ensure?dry=1", &ensure),
            case(
                Method::POST,
                "/api/rotate",
                r#"{"clientId":"nobody","secret":"long enough a secret"}"#,
            ),
            case(Method::POST, "/api/sync", r#"{"now":true}"#),
            case(Method::GET, "/api/ensure", ""),
            case(Method::PUT, "/api/ensure", ""),
            case(Method::POST, "/api/ensure/", &ensure),
            case(Method::GET, "/api/state?limit=0", ""),
            case(Method::GET, "/api/state?cursor=%00", ""),
            case(Method::HEAD, "/api/state", ""),
            case(Method::HEAD, "/livez", ""),
            case(Method::DELETE, "/livez", ""),
            case(Method::DELETE, "/api/targets/nowhere", ""),
            case(Method::DELETE, "/api/targets/a%20b%2Fc", ""),
            case(Method::DELETE, "/api/targets", ""),
            case(Method::GET, "/api/local-clients?x=1", ""),
            case(Method::POST, "/api/hash", r#"{"secret":""}"#),
            case(Method::GET, "/api/echo", ""),
            case(Method::GET, "/docs", ""),
            case(Method::GET, "/nowhere", ""),
            case(Method::OPTIONS, "/api/ensure", ""),
        ];
        for headers in [
            vec![json_type, ("sec-fetch-site", "cross-site")],
            vec![json_type, ("origin", "http://evil.example")],
            vec![json_type, ("origin", "https://peer.example")],
            vec![("content-type", "text/plain")],
            vec![("content-type", "application/json; charset=utf-8")],
        ] {
            cases.push((Method::POST, "/admin/ensure", headers, ensure.clone()));
        }
        cases.extend(of_forms());
        cases.extend(of_pages());
        cases
    }

    fn of_forms() -> Vec<Case> {
        let form = ("content-type", "application/x-www-form-urlencoded");
        let html = ("accept", "text/html,application/xhtml+xml;q=0.9");
        let good = format!("clientId=form&secret={SECRET}&back=%2Ftargets");
        let own = ("sec-fetch-site", "same-origin");
        let other = ("sec-fetch-site", "cross-site");
        vec![
            (
                Method::POST,
                "/api/ensure",
                vec![form, html, own],
                good.clone(),
            ),
            (Method::POST, "/api/ensure", vec![form, own], good.clone()),
            (
                Method::POST,
                "/api/ensure",
                vec![form, html, other],
                good.clone(),
            ),
            (Method::POST, "/admin/ensure", vec![form, html, own], good),
            (
                Method::POST,
                "/api/ensure",
                vec![form, html],
                "clientId=&secret=short".to_owned(),
            ),
            (
                Method::POST,
                "/api/ensure",
                vec![form],
                "clientId=&secret=short".to_owned(),
            ),
            (
                Method::POST,
                "/api/ensure",
                vec![form, html],
                "back=//evil.example".to_owned(),
            ),
            (
                Method::POST,
                "/api/targets/nowhere",
                vec![form],
                "_method=DELETE".to_owned(),
            ),
            (
                Method::POST,
                "/api/targets/nowhere",
                vec![form, html],
                "_method=DELETE".to_owned(),
            ),
            (
                Method::POST,
                "/api/targets/nowhere",
                vec![],
                "{}".to_owned(),
            ),
            (Method::POST, "/api/ensure", vec![form], "x".repeat(70_000)),
        ]
    }

    fn of_pages() -> Vec<Case> {
        let html = vec![("accept", "text/html")];
        let paths = [
            "/",
            "/targets",
            "/health",
            "/clients/http/a%2Fb%20c",
            "/clients/x/y/z",
            "/nowhere",
        ];
        let mut cases: Vec<Case> = paths
            .map(|path| (Method::GET, path, html.clone(), String::new()))
            .into();
        cases.push((Method::HEAD, "/", html.clone(), String::new()));
        cases.push((Method::POST, "/", html.clone(), String::new()));
        cases.push((Method::POST, "/nowhere", html, String::new()));
        for path in [
            "/pkg/none.js",
            "/pkg/..%2fmanifest.json",
            "/pkg/manifest.json",
            "/pkg/",
        ] {
            cases.push((Method::GET, path, Vec::new(), String::new()));
        }
        cases
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn both_frameworks_answer_alike() {
        let peers = Peers::start().await;
        let mut different = Vec::new();
        for (method, path, headers, body) in cases() {
            let mut answers = Vec::new();
            for peer in &peers.all {
                let answer = peer.send(&method, path, &headers, &body).await;
                answers.push(without_ids(
                    without_content(&answer).replace(peer.name, "PEER").as_str(),
                ));
            }
            if answers[0] != answers[1] {
                different.push(format!(
                    "{method} {path}\n  axum  {}\n  actix {}",
                    answers[0], answers[1]
                ));
            }
        }
        assert!(different.is_empty(), "{}", different.join("\n"));
        peers.stop().await;
    }

    /// A page shows what its own peer sees of the mesh; that it is a page, and what it may do, is the servers' part.
    fn without_content(answer: &str) -> &str {
        const PAGE: &str = "<!doctype html>";
        answer
            .find(PAGE)
            .map_or(answer, |begin| &answer[..begin + PAGE.len()])
    }

    /// Moments and the ids of outcomes differ between any two answers.
    fn without_ids(answer: &str) -> String {
        let mut parts = answer.split("said=");
        let first = parts.next().unwrap_or_default().to_owned();
        let text = parts.fold(first, |text, part| {
            format!("{text}said=ID{}", part.get(32..).unwrap_or_default())
        });
        text.split_inclusive(|c: char| !c.is_ascii_digit())
            .map(|word| if word.len() > 13 { "MOMENT" } else { word })
            .collect()
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn pages_and_files_bear_their_headers() {
        let peers = Peers::start().await;
        for peer in &peers.all {
            let page = peer.answer("/").await;
            assert_eq!(page.status(), 200);
            let header = |name: &str| page.headers()[name].to_str().unwrap().to_owned();
            assert!(
                header("content-security-policy")
                    .starts_with("default-src 'none'; script-src 'self'")
            );
            assert_eq!(
                (
                    header("cache-control").as_str(),
                    header("x-frame-options").as_str()
                ),
                ("no-store", "DENY")
            );
            for path in ["/docs", "/metrics"] {
                let other = peer.answer(path).await;
                let own = ["content-type", "content-security-policy"];
                let differs = |name: &str| other.headers().get(name) != page.headers().get(name);
                let names = page.headers().keys().map(|name| name.as_str());
                let different: Vec<&str> = names
                    .filter(|name| {
                        !own.contains(name) && !["date", "content-length"].contains(name)
                    })
                    .filter(|name| differs(name))
                    .collect();
                assert!(different.is_empty(), "{path}: {different:?}");
                let policy = other.headers()["content-security-policy"].to_str();
                assert!(policy.unwrap().contains("frame-ancestors 'none'"), "{path}");
            }
            let document = page.text().await.unwrap();
            let style = document
                .split('"')
                .find(|part| part.starts_with("/pkg/style-"))
                .unwrap();
            let style = peer.answer(style).await;
            assert_eq!(style.status(), 200);
            assert_eq!(style.headers()["content-type"], "text/css; charset=utf-8");
            assert!(
                style.headers()["cache-control"]
                    .to_str()
                    .unwrap()
                    .contains("immutable")
            );
        }
        peers.stop().await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn they_converge_and_call_each_other_signed() {
        let peers = Peers::start().await;
        let [axum, actix] = &peers.all;
        for (from, to, client) in [(axum, actix, "of-axum"), (actix, axum, "of-actix")] {
            let ensure = json!({ "clientId": client, "secret": SECRET, "targets": [to.name] });
            from.post("/api/ensure", &ensure).await;
            eventually("the row says success", || async {
                let state = from.get("/api/state").await;
                let rows = state["pivots"].as_array().cloned().unwrap_or_default();
                rows.iter()
                    .any(|row| row["clientId"] == client && row["status"] == "success")
            })
            .await;
            let call = json!({ "target": to.name, "clientId": client, "secret": SECRET });
            let answer = from.post("/api/call-target", &call).await;
            assert_eq!(answer["status"], 200, "{answer}");
            let expected = json!({ "ok": true, "clientId": client, "peer": to.name });
            assert_eq!(answer["body"], expected, "{answer}");
        }
        assert_eq!(
            axum.get("/api/local-clients")
                .await
                .as_array()
                .map(Vec::len),
            Some(2)
        );
        peers.stop().await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn they_stop_in_time_with_connections_open() {
        let peers = Peers::start().await;
        let mut open = Vec::new();
        for peer in &peers.all {
            let mut idle = TcpStream::connect(peer.address).await.unwrap();
            idle.write_all(b"GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n")
                .await
                .unwrap();
            let mut some = [0; 64];
            assert!(idle.read(&mut some).await.unwrap() > 0);
            let mut half = TcpStream::connect(peer.address).await.unwrap();
            half.write_all(
                b"POST /api/ensure HTTP/1.1\r\nhost: localhost\r\ncontent-length: 9\r\n\r\n{",
            )
            .await
            .unwrap();
            open.push((idle, half));
        }
        let started = Instant::now();
        peers.stop().await;
        assert!(
            started.elapsed() < Duration::from_secs(10),
            "{:?}",
            started.elapsed()
        );
        for (mut idle, mut half) in open {
            let mut rest = Vec::new();
            for stream in [&mut idle, &mut half] {
                // A reset is an end too.
                let ended = timeout(Duration::from_secs(3), stream.read_to_end(&mut rest)).await;
                assert!(ended.is_ok(), "a connection outlives its peer");
            }
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn what_a_peer_holds_outlives_its_stop() {
        let peers = Peers::start().await;
        let ensure = json!({ "clientId": "kept", "secret": SECRET, "targets": ["leptos-actix"] });
        let answer: Value = peers.all[0].post("/api/ensure", &ensure).await;
        assert_eq!(answer["op"], "credential.create");
        let again = peers.restart().await;
        let clients = again.all[0].get("/api/local-clients").await;
        assert_eq!(clients[0]["clientId"], "kept", "{clients}");
        let state = again.all[0].get("/api/state").await;
        assert_eq!(state["credentials"][0]["clientId"], "kept", "{state}");
        again.stop().await;
    }

    /// The cells of the client `c`, as the peer sees them.
    async fn cells(peer: &Peer) -> Vec<(String, String)> {
        cells_of(&peer.get("/api/mesh?filter=c").await["clients"][0])
    }

    fn cells_of(row: &Value) -> Vec<(String, String)> {
        let cells = row["cells"].as_array().cloned().unwrap_or_default();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        cells
            .iter()
            .map(|cell| (text(&cell["peer"]), text(&cell["state"])))
            .collect()
    }

    fn states(actix: &str, axum: &str) -> Vec<(String, String)> {
        vec![
            ("leptos-actix".to_owned(), actix.to_owned()),
            ("leptos-axum".to_owned(), axum.to_owned()),
        ]
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn the_mesh_is_seen_from_both() {
        let peers = Peers::start().await;
        let [axum, actix] = &peers.all;
        for peer in &peers.all {
            let page = peer.get("/api/mesh").await;
            assert_eq!(
                page["summary"],
                json!({ "clients": 0, "inSync": 0, "peers": 2, "peersInSync": 2 })
            );
        }
        let ensure = json!({ "clientId": "c", "secret": SECRET, "targets": ["leptos-actix"] });
        axum.post("/api/ensure", &ensure).await;
        // Cells, source and booking come from different stores, each told by itself: the whole picture is waited for.
        eventually("booked and in sync", async || {
            let row = &axum.get("/api/mesh").await["clients"][0];
            let (target, own) = (&row["cells"][0], &row["cells"][1]);
            cells_of(row) == states("inSync", "inSync")
                && row["own"] == true
                && target["status"] == "success"
                && target["hashPrefix"].is_string()
                && target["hashPrefix"] == own["hashPrefix"]
        })
        .await;
        eventually("in sync, and the other peer is its source", async || {
            let row = &actix.get("/api/mesh").await["clients"][0];
            cells_of(row) == states("inSync", "inSync") && row["own"] == false
        })
        .await;

        // Somebody removes it by hand, and it is seen; a resync heals it.
        let lost = ClientId::parse("c").unwrap();
        assert!(peers.stores("leptos-actix").http.delete_now(&lost));
        eventually("missing", async || {
            cells(axum).await == states("missing", "inSync")
        })
        .await;
        assert_eq!(axum.get("/api/mesh?show=attention").await["matching"], 1);
        axum.post("/api/resync", &json!({ "clientId": "c" })).await;
        eventually("healed", async || {
            cells(axum).await == states("inSync", "inSync")
        })
        .await;

        axum.post(
            "/api/revoke",
            &json!({ "clientId": "c", "targets": ["leptos-actix"] }),
        )
        .await;
        eventually("revoked", async || {
            let page = axum.get("/api/mesh").await;
            page["clients"][0]["revoked"] == true && page["summary"]["inSync"] == 1
        })
        .await;
        eventually("gone for the other", async || {
            actix.get("/api/mesh").await["summary"]["clients"] == 0
        })
        .await;

        let timeline = axum.get("/api/timeline?clientId=c&limit=3").await;
        assert_eq!(
            (
                &timeline["known"],
                timeline["entries"].as_array().unwrap().len()
            ),
            (&json!(true), 3)
        );
        assert_eq!(timeline["pivots"][0]["targetAmqpQueue"], "leptos-actix");
        let older = axum
            .get(&format!(
                "/api/timeline?clientId=c&before={}",
                timeline["next"]
            ))
            .await;
        assert!(!older["entries"].as_array().unwrap().is_empty());
        assert_eq!(
            axum.get("/api/timeline?clientId=nobody").await["known"],
            false
        );

        let health = axum.get("/api/mesh/health").await;
        for (peer, name) in health["peers"]
            .as_array()
            .unwrap()
            .iter()
            .zip(["leptos-actix", "leptos-axum"])
        {
            assert_eq!(
                (&peer["name"], &peer["state"]),
                (&json!(name), &json!("ready")),
                "{health}"
            );
            assert_eq!(
                (&peer["queue"]["consumers"], &peer["controllable"]),
                (&json!(1), &json!(false))
            );
            assert_eq!((&peer["advice"], &peer["drift"]), (&json!([]), &json!(0)));
        }
        let stop = axum
            .post("/api/mesh/peers/leptos-actix/stop", &json!({}))
            .await;
        assert_eq!(stop["error"], "NOT_FOUND", "only a demo can");
        peers.stop().await;
    }
}
