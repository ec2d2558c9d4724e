//! The links between a peer and its servers fail: they are slow, cut in the middle of a frame, silent, or forgotten at one end only. The
//! proxies are this story's own, so these stories need processes of their own.

use std::sync::Arc;
use std::time::{Duration, Instant};

use reqwest::{Method, RequestBuilder};
use serde_json::json;
use services::proxy::Mode;

use crate::mesh::{Caller, Dependency, Mesh, Options, Peer, Traffic, until};

const SOURCE: Peer = Peer::Authority;
const TARGET: Peer = Peer::Consumer;

/// A peer for each dependency, so that all of them can be broken at once.
const BROKEN: [(Peer, Dependency); 4] = [
    (Peer::Authority, Dependency::Broker),
    (Peer::LeptosAxum, Dependency::Redis),
    (Peer::LeptosActix, Dependency::Sql),
    (Peer::Consumer, Dependency::Redis),
];

const CALLER: &str = "caller";
const SECRET: &str = "the secret of the one who calls";

/// Every helper answers within this time.
const ANSWER_WITHIN: Duration = Duration::from_secs(20);

/// A link is slow by so much, each way.
const SLOW: Duration = Duration::from_millis(10);

fn options() -> Options {
    Options::default()
        .linked(&[SOURCE, TARGET])
        .everyone("RESEND_AFTER_MS", "2000")
}

/// The links that there are between the two and their servers.
fn links() -> impl Iterator<Item = (Peer, Dependency)> {
    let all = [SOURCE, TARGET]
        .into_iter()
        .flat_map(|peer| Dependency::ALL.map(|it| (peer, it)));
    all.filter(|(peer, dependency)| peer.is_full() || *dependency != Dependency::Sql)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_links_slow_down_and_lose_nothing() {
    let mesh = options().start().await;
    let traffic = Traffic::start(&mesh, SOURCE, &SOURCE.others()).await;
    for (peer, dependency) in links() {
        mesh.link(peer, dependency).set(Mode::Slow(SLOW));
    }
    traffic.until_more(10).await;
    mesh.until_all_ready().await;
    for (peer, dependency) in links() {
        mesh.link(peer, dependency).set(Mode::Open);
    }
    // Slow is not broken.
    traffic.converges_unnoticed(&mesh).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn links_cut_in_the_middle_of_a_frame_come_back() {
    let mesh = options().start().await;
    let traffic = Traffic::start(&mesh, SOURCE, &SOURCE.others()).await;
    for round in 0..4 {
        for (peer, dependency) in links() {
            // Each time another number of bytes gets through before the cut, in either direction.
            mesh.breakpoint(peer)
                .cut(dependency, 3 + round * 11, round % 2 == 0);
            mesh.breakpoint(peer).until_cut().await;
            traffic.until_more(5).await;
        }
    }
    mesh.until_all_ready().await;
    traffic.converges(&mesh).await.only(&[200, 503]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn links_that_one_end_has_forgotten_are_given_up() {
    let mesh = options().start().await;
    let traffic = Traffic::start(&mesh, SOURCE, &SOURCE.others()).await;
    for (peer, dependency) in links() {
        let link = mesh.link(peer, dependency);
        let before = link.connections();
        link.forget();
        let start = Instant::now();
        // That it is missing may last no longer than a new connection takes, too short to be seen.
        until(
            &format!("{} connects to {} anew", peer.name(), dependency.name()),
            async || {
                if link.connections() > before {
                    Ok(())
                } else {
                    Err("no new connection")
                }
            },
        )
        .await;
        mesh.until_ready(peer).await;
        traffic.until_more(10).await;
        println!(
            "{} without {}: ready again after {:.1?}",
            peer.name(),
            dependency.name(),
            start.elapsed()
        );
    }
    traffic.converges(&mesh).await.only(&[200, 503]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silent_links_are_waited_for() {
    let mesh = options().start().await;
    let traffic = Traffic::start(&mesh, SOURCE, &SOURCE.others()).await;
    for (peer, dependency) in links() {
        mesh.link(peer, dependency).set(Mode::Silent);
        mesh.until_missing(peer, dependency.name()).await;
        mesh.link(peer, dependency).set(Mode::Open);
        mesh.until_ready(peer).await;
        traffic.until_more(10).await;
    }
    traffic.converges(&mesh).await.only(&[200, 503]);
}

/// Every helper once, and a signed call; what is changed is of this round alone.
fn helpers(mesh: &Mesh, peer: Peer, round: &str) -> Vec<(&'static str, RequestBuilder)> {
    let caller = Caller::new(CALLER, mesh.secrets.hash(peer, SECRET));
    let get = |path: &str| mesh.request(Method::GET, peer, path);
    let mut helpers = vec![
        ("a signed call", mesh.signed(peer, &caller)),
        ("readiness", get("/readyz")),
        ("liveness", get("/livez")),
        ("metrics", get("/metrics")),
        ("the front page", get("/")),
    ];
    if !peer.is_full() {
        return helpers;
    }
    let target = peer.others()[0].name();
    let surface = |method: Method, route: &str| {
        mesh.request(method, peer, &format!("{}{route}", peer.surface().0))
    };
    let post = |route: &str, body: serde_json::Value| surface(Method::POST, route).json(&body);
    let of_surface = |route: &str| surface(Method::GET, route);
    let new = json!({ "clientId": format!("new-{round}"), "secret": "a secret in the dark", "targets": [target] });
    let queue = format!("another-{round}");
    helpers.extend([
        ("ensure", post("/ensure", new)),
        (
            "rotate",
            post(
                "/rotate",
                json!({ "clientId": "known", "secret": "another secret in the dark" }),
            ),
        ),
        (
            "revoke",
            post(
                "/revoke",
                json!({ "clientId": format!("known-{round}"), "targets": [target] }),
            ),
        ),
        ("sync", post("/sync", json!({}))),
        (
            "resync of a target",
            post("/resync", json!({ "target": target })),
        ),
        (
            "resync of a client",
            post("/resync", json!({ "clientId": "known" })),
        ),
        ("state", of_surface("/state")),
        (
            "a new target",
            post(
                "/targets",
                json!({ "targetAmqpQueue": queue, "propagationSecret": "a secret" }),
            ),
        ),
        ("a target's end", surface(Method::DELETE, "/targets/unused")),
        (
            "hash",
            post("/hash", json!({ "secret": "a secret in the dark" })),
        ),
        (
            "call-target",
            post(
                "/call-target",
                json!({ "clientId": "known", "target": target }),
            ),
        ),
        ("local clients", of_surface("/local-clients")),
        ("mesh", of_surface("/mesh")),
        ("mesh's health", of_surface("/mesh/health")),
        ("timeline", of_surface("/timeline?clientId=known")),
    ]);
    helpers
}

/// Calls all helpers of all peers at once, and looks at how long each took and what it answered.
async fn call_all(mesh: &Arc<Mesh>, round: &str) {
    let mut calls = Vec::new();
    for (peer, dependency) in BROKEN {
        for (helper, request) in helpers(mesh, peer, round) {
            let mesh = Arc::clone(mesh);
            let call = format!(
                "{helper} of {} without {} ({round})",
                peer.name(),
                dependency.name()
            );
            calls.push(tokio::spawn(async move {
                let start = Instant::now();
                let answer = mesh.send(request).await;
                (helper, call, start.elapsed(), answer)
            }));
        }
    }
    let mut longest = (Duration::ZERO, String::new());
    for call in calls {
        let (helper, call, took, answer) = call.await.expect("an answer");
        assert!(took < ANSWER_WITHIN, "{call} took {took:.1?}");
        let answer = answer.unwrap_or_else(|error| panic!("{call}: {error}"));
        let good = match helper {
            "liveness" | "metrics" => &[200][..],
            // Not every peer has all of them.
            _ => &[200, 201, 404, 502, 503, 504],
        };
        assert!(good.contains(&answer.status), "{call}: {answer}");
        longest = longest.max((took, format!("{call}: {}", answer.status)));
    }
    println!("the longest took {:.1?}: {}", longest.0, longest.1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_call_hangs() {
    let peers = BROKEN.map(|(peer, _)| peer);
    let mesh = Options::default()
        .linked(&peers)
        .everyone("RESEND_AFTER_MS", "2000")
        .start()
        .await;
    let sources = peers.into_iter().filter(|peer| peer.is_full());
    for peer in sources {
        let clients = ["known", "known-refused", "known-silent"];
        for client in clients {
            mesh.ensure(peer, client, "a secret that is known", &peer.others())
                .await;
        }
        mesh.ensure(peer, CALLER, SECRET, &[]).await;
        mesh.until_success(peer, clients.len() * peer.others().len())
            .await;
    }
    let mesh = Arc::new(mesh);
    for (peer, dependency) in BROKEN {
        mesh.link(peer, dependency).set(Mode::Refusing);
        mesh.link(peer, dependency).cut();
    }
    call_all(&mesh, "refused").await;
    for (peer, dependency) in BROKEN {
        mesh.link(peer, dependency).set(Mode::Open);
    }
    mesh.until_all_ready().await;
    for (peer, dependency) in BROKEN {
        mesh.link(peer, dependency).set(Mode::Silent);
    }
    call_all(&mesh, "silent").await;
    let mut mesh = Arc::into_inner(mesh).expect("nobody else calls");
    for (peer, dependency) in BROKEN {
        let start = Instant::now();
        mesh.stop_peer(peer).await;
        println!(
            "{} without {}: ended in {:.1?}",
            peer.name(),
            dependency.name(),
            start.elapsed()
        );
    }
}
