//! What the documentation says of metrics, alerts and routes is what running peers say.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::mesh::{Caller, Mesh, Options, Peer};

const SECRET: &str = "a secret to be counted";

/// Functions, keywords and labels of the rules' language, and the one metric that Prometheus itself makes.
const NO_METRICS: [&str; 17] = [
    "and",
    "by",
    "sum",
    "rate",
    "increase",
    "time",
    "histogram_quantile",
    "on",
    "up",
    "job",
    "status",
    "route",
    "peer",
    "le",
    "m",
    "hmac",
    "mesh",
];

fn page(name: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the tests stand in the workspace");
    fs::read_to_string(root.join("docs").join(name))
        .unwrap_or_else(|error| panic!("docs/{name}: {error}"))
}

/// The names of the metrics that all peers export together.
async fn exported(mesh: &Mesh) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for peer in Peer::ALL {
        let answer = mesh
            .get(peer, "/metrics")
            .await
            .and_then(|answer| answer.is(200))
            .expect("metrics");
        let text = answer.body.as_str().expect("text").to_owned();
        let kinds = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
        names.extend(
            kinds
                .filter_map(|line| line.split(' ').next())
                .map(str::to_owned),
        );
    }
    names
}

/// The names in the first column of the table of metrics.
fn documented(page: &str) -> BTreeSet<String> {
    let rows = page
        .lines()
        .skip_while(|line| !line.starts_with("| metric |"))
        .skip(2);
    let cells = rows
        .take_while(|line| line.starts_with("| `"))
        .filter_map(|line| line.split('|').nth(1));
    cells
        .flat_map(|cell| cell.split('`').skip(1).step_by(2))
        .map(str::to_owned)
        .collect()
}

/// The words of the rules' expressions that can be names of metrics.
fn watched(rules: &str) -> BTreeSet<String> {
    let mut words = BTreeSet::new();
    let mut in_expression = false;
    for line in rules.lines() {
        let trimmed = line.trim_start();
        in_expression = trimmed.starts_with("expr:")
            || (in_expression && !trimmed.starts_with("for:") && !trimmed.starts_with("labels:"));
        if !in_expression {
            continue;
        }
        // What stands in quotes is a value.
        let outside: String = trimmed
            .trim_start_matches("expr:")
            .split('"')
            .step_by(2)
            .collect();
        let found = outside.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        words.extend(
            found
                .filter(|word| word.starts_with(|c: char| c.is_ascii_lowercase()))
                .map(str::to_owned),
        );
    }
    words.retain(|word| !NO_METRICS.contains(&word.as_str()));
    words
}

#[tokio::test]
async fn metrics_and_alerts_are_documented_as_they_are_exported() {
    let mesh = Options::default()
        .everyone("DRIFT_INTERVAL_MS", "500")
        .start()
        .await;
    mesh.ensure(
        Peer::Authority,
        "counted",
        SECRET,
        &Peer::Authority.others(),
    )
    .await;
    mesh.until_success(Peer::Authority, 3).await;
    let caller = Caller::new("counted", mesh.secrets.hash(Peer::LeptosAxum, SECRET));
    mesh.until_refused(&[Peer::Authority], &caller, "BAD_SIGNATURE")
        .await;
    mesh.until_metric(
        Peer::Authority,
        "propagation_last_sync_timestamp_seconds",
        1.0,
    )
    .await;
    mesh.until_metric(
        Peer::Authority,
        "propagation_drift_last_check_timestamp_seconds",
        1.0,
    )
    .await;
    let exported = exported(&mesh).await;
    assert_eq!(
        documented(&page("operations.md")),
        exported,
        "the table of operations.md and what peers export"
    );

    let watched = watched(&page("alerts.yaml"));
    assert!(watched.len() > 10, "{watched:?}");
    for name in &watched {
        let known = exported.contains(name)
            || name
                .strip_suffix("_bucket")
                .is_some_and(|name| exported.contains(name));
        assert!(
            known,
            "docs/alerts.yaml watches {name}, which no peer exports"
        );
    }
    assert_eq!(
        mesh.metric(Peer::Authority, "hmac_bad_signatures_total")
            .await as u64,
        1
    );
    assert_eq!(
        mesh.metric(Peer::Consumer, "hmac_bad_signatures_total")
            .await as u64,
        0,
        "there from the start"
    );
}

#[tokio::test]
async fn rows_that_are_not_done_are_counted() {
    let mut mesh = Mesh::start().await;
    mesh.stop_peer(Peer::Consumer).await;
    mesh.ensure(
        Peer::Authority,
        "waits",
        SECRET,
        &[Peer::Consumer, Peer::LeptosAxum],
    )
    .await;
    mesh.until_metric(
        Peer::Authority,
        "propagation_rows{peer=\"authority\",status=\"sent\"}",
        1.0,
    )
    .await;
    mesh.until_metric(
        Peer::Authority,
        "propagation_oldest_change_age_seconds",
        0.001,
    )
    .await;
    mesh.start_peer(Peer::Consumer).await;
    mesh.until_success(Peer::Authority, 2).await;
    crate::mesh::until("nothing is left to count", async || {
        let rows = mesh.metric(Peer::Authority, "propagation_rows").await;
        let age = mesh
            .metric(Peer::Authority, "propagation_oldest_change_age_seconds")
            .await;
        if rows + age == 0.0 {
            Ok(())
        } else {
            Err(format!("{rows} rows, {age} s"))
        }
    })
    .await;
    assert_eq!(
        mesh.metric(Peer::Consumer, "propagation_rows").await as u64,
        0,
        "it keeps none"
    );
}

#[tokio::test]
async fn every_peer_serves_the_committed_openapi_document() {
    let mesh = Mesh::start().await;
    for peer in Peer::ALL {
        let served = mesh
            .get(peer, "/openapi.json")
            .await
            .and_then(|answer| answer.is(200))
            .expect("a document");
        let committed: Value =
            serde_json::from_str(&page(&format!("openapi/{}.json", peer.name()))).expect("JSON");
        assert!(
            served.body == committed,
            "docs/openapi/{0}.json is not what {0} serves",
            peer.name()
        );
    }
}
