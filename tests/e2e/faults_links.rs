//! The links between a peer and its servers fail: they are slow, cut in the middle of a frame, silent, or forgotten at one end only. The
//! proxies are this story's own, so these stories need processes of their own.

use std::sync::Arc;
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::json;
use services::proxy::Mode;

use crate::mesh::{Answer, Dependency, Mesh, Options, Peer, Traffic, until};

const SOURCE: Peer = Peer::Authority;
const TARGET: Peer = Peer::Consumer;

/// A peer for each dependency, so that all of them can be broken at once.
const BROKEN: [(Peer, Dependency); 3] = [
    (Peer::Authority, Dependency::Broker),
    (Peer::LeptosAxum, Dependency::Redis),
    (Peer::LeptosActix, Dependency::Sql),
];

/// Every helper answers within this time.
const ANSWER_WITHIN: Duration = Duration::from_secs(20);

/// A peer that is asked to end has ended within this time, its process's own end included.
const END_WITHIN: Duration = Duration::from_millis(10_500);

/// A link is slow by so much, each way.
const SLOW: Duration = Duration::from_millis(10);

fn options() -> Options {
    Options::default().linked(&[SOURCE, TARGET]).everyone("RESEND_AFTER_MS", "2000")
}

/// The links that there are between the two and their servers.
fn links() -> impl Iterator<Item = (Peer, Dependency)> {
    let all = [SOURCE, TARGET].into_iter().flat_map(|peer| Dependency::ALL.map(|it| (peer, it)));
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
    let seen = traffic.converges(&mesh).await;
    assert_eq!(seen.refused, 0, "slow is not broken");
    assert!(seen.answers.keys().all(|status| *status == 200), "{:?}", seen.answers);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn links_cut_in_the_middle_of_a_frame_come_back() {
    let mesh = options().start().await;
    let traffic = Traffic::start(&mesh, SOURCE, &SOURCE.others()).await;
    for round in 0..4 {
        for (peer, dependency) in links() {
            // Each time another number of bytes gets through before the cut, in either direction.
            mesh.trap(peer).cut(dependency, 3 + round * 11, round % 2 == 0);
            traffic.until_more(5).await;
        }
    }
    mesh.until_all_ready().await;
    let seen = traffic.converges(&mesh).await;
    assert!(seen.answers.keys().all(|status| [200, 503].contains(status)), "{:?}", seen.answers);
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
        until(&format!("{} connects to {} anew", peer.name(), dependency.name()), async || {
            if link.connections() > before { Ok(()) } else { Err("no new connection") }
        })
        .await;
        mesh.until_ready(peer).await;
        traffic.until_more(10).await;
        println!("{} without {}: ready again after {:.1?}", peer.name(), dependency.name(), start.elapsed());
    }
    let seen = traffic.converges(&mesh).await;
    assert!(seen.answers.keys().all(|status| [200, 503].contains(status)), "{:?}", seen.answers);
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
    let seen = traffic.converges(&mesh).await;
    assert!(seen.answers.keys().all(|status| [200, 503].contains(status)), "{:?}", seen.answers);
}

/// Every helper once.
fn helpers(mesh: &Mesh, peer: Peer) -> Vec<(&'static str, reqwest::RequestBuilder)> {
    let target = peer.others()[0].name();
    let post = |route: &str, body: serde_json::Value| {
        mesh.request(Method::POST, peer, &format!("{}{route}", peer.surface().0)).json(&body)
    };
    let get = |path: &str| mesh.request(Method::GET, peer, path);
    let of_surface = |route: &str| get(&format!("{}{route}", peer.surface().0));
    vec![
        (
            "ensure",
            post(
                "/ensure",
                json!({ "clientId": "new", "secret": "a secret in the dark", "targets": [target] }),
            ),
        ),
        ("rotate", post("/rotate", json!({ "clientId": "known", "secret": "another secret in the dark" }))),
        ("revoke", post("/revoke", json!({ "clientId": "known", "targets": [target] }))),
        ("sync", post("/sync", json!({}))),
        ("resync of a target", post("/resync", json!({ "target": target }))),
        ("resync of a client", post("/resync", json!({ "clientId": "known" }))),
        ("state", of_surface("/state")),
        (
            "targets",
            post("/targets", json!({ "targetAmqpQueue": "another", "propagationSecret": "a secret" })),
        ),
        ("call-target", post("/call-target", json!({ "clientId": "known", "target": target }))),
        ("local clients", of_surface("/local-clients")),
        ("mesh", of_surface("/mesh")),
        ("mesh's health", of_surface("/mesh/health")),
        ("timeline", of_surface("/timeline?clientId=known")),
        ("readiness", get("/readyz")),
        ("liveness", get("/healthz")),
        ("metrics", get("/metrics")),
    ]
}

/// Calls all helpers of the three peers at once; answers what took how long, and what was answered.
async fn call_all(mesh: &Arc<Mesh>) -> Vec<(String, Duration, Result<Answer, String>)> {
    let mut calls = Vec::new();
    for (peer, dependency) in BROKEN {
        for (helper, request) in helpers(mesh, peer) {
            let mesh = Arc::clone(mesh);
            calls.push(tokio::spawn(async move {
                let start = Instant::now();
                let answer = mesh.send(request).await;
                (format!("{helper} without {}", dependency.name()), start.elapsed(), answer)
            }));
        }
    }
    let mut answers = Vec::new();
    for call in calls {
        answers.push(call.await.expect("an answer"));
    }
    answers.sort_by_key(|(_, took, _)| std::cmp::Reverse(*took));
    answers
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_call_hangs() {
    let peers = BROKEN.map(|(peer, _)| peer);
    let mesh = Options::default().linked(&peers).everyone("RESEND_AFTER_MS", "2000").start().await;
    for peer in peers {
        mesh.ensure(peer, "known", "a secret that is known", &[TARGET]).await;
        mesh.until_success(peer, 1).await;
    }
    for (peer, dependency) in BROKEN {
        mesh.link(peer, dependency).set(Mode::Silent);
    }
    let mesh = Arc::new(mesh);
    let answers = call_all(&mesh).await;
    for (call, took, answer) in answers.iter().take(12) {
        println!(
            "{took:.1?} {call}: {}",
            answer.as_ref().map_or_else(Clone::clone, |it| it.status.to_string())
        );
    }
    for (call, took, answer) in &answers {
        assert!(*took < ANSWER_WITHIN, "{call} took {took:.1?}");
        let answer = answer.as_ref().unwrap_or_else(|error| panic!("{call}: {error}"));
        assert!([200, 201, 404, 502, 503, 504].contains(&answer.status), "{call}: {answer}");
    }
    let mut mesh = Arc::into_inner(mesh).expect("nobody else calls");
    for (peer, dependency) in BROKEN {
        let start = Instant::now();
        mesh.stop_peer(peer).await;
        println!("{} without {}: ended in {:.1?}", peer.name(), dependency.name(), start.elapsed());
        assert!(start.elapsed() < END_WITHIN, "{} took {:.1?} to end", peer.name(), start.elapsed());
    }
}
