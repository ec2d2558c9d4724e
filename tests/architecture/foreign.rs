//! Foreign dependencies: what must not be reached, and who alone may name a client library.

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::{DependencyKind, PackageId};

use crate::{Member, members, metadata, none};

/// Crates that another must not reach, however far down.
const UNREACHABLE: &[(&str, &[&str])] = &[
    ("auth-base", &["tokio", "http", "tracing", "serde_json"]),
    (
        "hmac-auth",
        &[
            "tokio",
            "http",
            "axum",
            "actix-web",
            "redis",
            "reqwest",
            "lapin",
            "sqlx",
            "icu_collator",
        ],
    ),
    (
        "jwt-auth",
        &[
            "tokio",
            "http",
            "axum",
            "actix-web",
            "redis",
            "reqwest",
            "lapin",
            "sqlx",
            "jsonwebtoken",
            "hmac-auth",
        ],
    ),
    (
        "kms",
        &[
            "http",
            "hyper",
            "axum",
            "actix-web",
            "redis",
            "reqwest",
            "lapin",
            "sqlx",
            "hmac-auth",
        ],
    ),
    (
        "accounts",
        &[
            "tokio",
            "http",
            "axum",
            "actix-web",
            "redis",
            "reqwest",
            "lapin",
            "sqlx",
            "hmac-auth",
        ],
    ),
    (
        "hmac-propagation",
        &[
            "lapin",
            "sqlx",
            "redis",
            "axum",
            "actix-web",
            "hyper",
            "http",
        ],
    ),
    (
        "mesh-api",
        &[
            "tokio",
            "http",
            "axum",
            "actix-web",
            "hmac-auth",
            "hmac-propagation",
        ],
    ),
    (
        "mesh-management",
        &["http", "axum", "actix-web", "redis", "lapin", "sqlx"],
    ),
    (
        "dashboard",
        &[
            "tokio",
            "axum",
            "actix-web",
            "hyper",
            "redis",
            "sqlx",
            "lapin",
            "hmac-propagation",
        ],
    ),
];

/// Who alone may name a client library: its types do not leave that crate.
const NAMED_BY: &[(&str, &[&str])] = &[
    ("aes-gcm", &["secrets-at-rest"]),
    ("argon2", &["accounts"]),
    ("zxcvbn", &["accounts"]),
    ("lapin", &["hmac-propagation-amqp", "xtask"]),
    (
        "redis",
        &[
            "hmac-auth-redis",
            "hmac-propagation-redis",
            "redis-link",
            "xtask",
        ],
    ),
    ("sqlx", &["services", "sql-link", "xtask"]),
    ("governor", &["gateway", "kms-server"]),
    ("maud", &["gateway"]),
    ("moka", &["gateway", "jwt-auth-client"]),
    (
        "axum",
        &[
            "accounts-server",
            "hmac-auth-axum",
            "hmac-testkit",
            "authority",
            "axum-serve",
            "gateway",
            "jwt-auth-axum",
            "kms-server",
            "leptos-axum",
            "mesh-management-axum",
            "bench",
        ],
    ),
    (
        "actix-web",
        &[
            "hmac-auth-actix",
            "jwt-auth-actix",
            "mesh-management-actix",
            "consumer",
            "leptos-actix",
        ],
    ),
];

/// What a contract may use of the runtime.
const TOKIO_FEATURES: &[(&str, &[&str])] = &[
    ("hmac-propagation", &["macros", "rt", "sync", "time"]),
    ("kms", &["sync", "time"]),
];

/// A second TLS provider panics at run time, and OpenSSL wants a system library.
const BANNED: &[&str] = &[
    "aws-lc-rs",
    "aws-lc-sys",
    "openssl",
    "openssl-sys",
    "native-tls",
];

/// Package to the packages its own code uses.
type Graph = BTreeMap<String, BTreeSet<String>>;

fn graph() -> Graph {
    let resolve = metadata()
        .resolve
        .as_ref()
        .expect("the graph was asked for");
    let names: BTreeMap<&PackageId, &str> = metadata()
        .packages
        .iter()
        .map(|package| (&package.id, package.name.as_str()))
        .collect();
    // Two versions of one crate become one node: stricter, never laxer.
    let mut graph = Graph::new();
    for node in &resolve.nodes {
        let used = graph.entry(names[&node.id].to_owned()).or_default();
        for dependency in &node.deps {
            if dependency
                .dep_kinds
                .iter()
                .any(|kind| kind.kind == DependencyKind::Normal)
            {
                used.insert(names[&dependency.pkg].to_owned());
            }
        }
    }
    graph
}

/// Finds the way from one crate to another.
fn way(graph: &Graph, from: &str, to: &str) -> Option<Vec<String>> {
    let mut seen = BTreeSet::from([from.to_owned()]);
    let mut ways = vec![vec![from.to_owned()]];
    while let Some(way) = ways.pop() {
        for next in graph.get(way.last()?).into_iter().flatten() {
            if next == to {
                return Some(way.into_iter().chain([next.clone()]).collect());
            }
            if seen.insert(next.clone()) {
                ways.push(way.iter().cloned().chain([next.clone()]).collect());
            }
        }
    }
    None
}

fn unreachable(graph: &Graph) -> Vec<String> {
    let forbidden = UNREACHABLE
        .iter()
        .flat_map(|(from, all)| all.iter().map(move |to| (from, to)));
    forbidden
        .filter_map(|(from, to)| way(graph, from, to))
        .map(|way| format!("forbidden: {}", way.join(" -> ")))
        .collect()
}

fn named(members: &BTreeMap<String, Member>) -> Vec<String> {
    let mut complaints = Vec::new();
    for (library, allowed) in NAMED_BY {
        for (name, member) in members {
            if member.normal.contains(*library) && !allowed.contains(&name.as_str()) {
                complaints.push(format!("{name} must not name {library}"));
            }
        }
    }
    complaints
}

fn banned(names: &BTreeSet<String>) -> Vec<String> {
    let found = BANNED.iter().filter(|name| names.contains(**name));
    found
        .map(|name| format!("{name} is in Cargo.lock: one TLS provider everywhere, ring"))
        .collect()
}

/// Names in a lockfile, whatever the platform.
fn locked(lockfile: &str) -> BTreeSet<String> {
    let names = lockfile
        .lines()
        .filter_map(|line| line.strip_prefix("name = \"")?.strip_suffix('"'));
    names.map(str::to_owned).collect()
}

#[test]
fn the_contracts_reach_no_framework_no_broker_and_no_database() {
    none(unreachable(&graph()));
}

#[test]
fn client_libraries_stay_inside_their_adapter() {
    none(named(&members()));
}

#[test]
fn contracts_use_little_of_the_runtime() {
    for (name, allowed) in TOKIO_FEATURES {
        let package = metadata()
            .workspace_packages()
            .into_iter()
            .find(|package| package.name == *name);
        let dependencies = &package.expect("the crate is there").dependencies;
        for tokio in dependencies
            .iter()
            .filter(|dependency| dependency.name == "tokio")
        {
            if tokio.kind == DependencyKind::Normal {
                let extra: Vec<_> = tokio
                    .features
                    .iter()
                    .filter(|it| !allowed.contains(&it.as_str()))
                    .collect();
                assert!(extra.is_empty(), "{name} must not use tokio's {extra:?}");
            }
        }
    }
}

#[test]
fn one_tls_provider() {
    let lockfile = std::fs::read_to_string(crate::root().join("Cargo.lock")).unwrap();
    let names = locked(&lockfile);
    assert!(names.contains("ring"), "the lockfile is read");
    none(banned(&names));
}

#[test]
fn the_checker_sees_forbidden_dependencies() {
    let mut graph = graph();
    assert!(unreachable(&graph).is_empty());
    graph
        .entry("ipnet".to_owned())
        .or_default()
        .insert("tokio".to_owned());
    assert_eq!(
        unreachable(&graph),
        ["forbidden: hmac-auth -> ipnet -> tokio"]
    );

    let mut members = members();
    members
        .get_mut("peer-kit")
        .unwrap()
        .normal
        .insert("lapin".to_owned());
    assert_eq!(named(&members), ["peer-kit must not name lapin"]);

    assert_eq!(
        banned(&locked(
            "[[package]]\nname = \"openssl\"\nversion = \"1\"\n"
        ))
        .len(),
        1
    );
}
