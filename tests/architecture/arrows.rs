//! A crate may depend only on what stands to its right.

use std::collections::BTreeMap;

use crate::{Member, members, none};

/// Normal dependencies that a crate may have on other crates of the workspace. Whoever is not listed may have none.
const ARROWS: &[(&str, &[&str])] = &[
    ("redis-link", &["auth-base"]),
    ("hmac-auth", &["auth-base"]),
    ("jwt-auth", &["auth-base"]),
    ("jwt-auth-axum", &["jwt-auth"]),
    ("jwt-auth-actix", &["jwt-auth"]),
    (
        "auth-testkit",
        &["accounts", "auth-base", "jwt-auth", "kms"],
    ),
    ("jwt-auth-client", &["auth-base"]),
    ("kms", &["auth-base", "jwt-auth", "secrets-at-rest"]),
    ("secrets-at-rest", &["auth-base"]),
    ("sql-link", &["auth-base"]),
    ("accounts", &["auth-base", "mesh-api"]),
    ("accounts-sqlx", &["accounts", "auth-base", "sql-link"]),
    (
        "kms-sqlx",
        &[
            "auth-base",
            "jwt-auth",
            "kms",
            "secrets-at-rest",
            "sql-link",
        ],
    ),
    (
        "kms-http",
        &["auth-base", "jwt-auth", "jwt-auth-client", "kms"],
    ),
    (
        "kms-server",
        &[
            "auth-base",
            "axum-serve",
            "jwt-auth",
            "kms",
            "kms-http",
            "kms-sqlx",
        ],
    ),
    (
        "accounts-server",
        &[
            "accounts",
            "accounts-sqlx",
            "auth-base",
            "axum-serve",
            "jwt-auth",
            "jwt-auth-axum",
            "peer-kit",
        ],
    ),
    ("hmac-message", &["auth-base", "hmac-auth"]),
    ("hmac-auth-redis", &["auth-base", "hmac-auth", "redis-link"]),
    ("hmac-auth-axum", &["hmac-auth"]),
    ("hmac-auth-actix", &["hmac-auth"]),
    ("hmac-auth-client", &["auth-base", "hmac-auth"]),
    ("hmac-propagation", &["auth-base", "hmac-auth"]),
    (
        "hmac-propagation-amqp",
        &["auth-base", "hmac-auth", "hmac-propagation"],
    ),
    (
        "hmac-propagation-sqlx",
        &[
            "auth-base",
            "hmac-auth",
            "hmac-propagation",
            "secrets-at-rest",
            "sql-link",
        ],
    ),
    (
        "hmac-propagation-redis",
        &[
            "auth-base",
            "hmac-auth",
            "hmac-auth-redis",
            "hmac-propagation",
            "redis-link",
        ],
    ),
    (
        "hmac-testkit",
        &["auth-base", "hmac-auth", "hmac-message", "hmac-propagation"],
    ),
    ("mesh-api", &[]),
    (
        "mesh-management",
        &[
            "auth-base",
            "hmac-auth",
            "hmac-propagation",
            "jwt-auth",
            "mesh-api",
        ],
    ),
    (
        "mesh-management-axum",
        &["auth-base", "jwt-auth-axum", "mesh-api", "mesh-management"],
    ),
    (
        "mesh-management-actix",
        &["auth-base", "jwt-auth-actix", "mesh-api", "mesh-management"],
    ),
    (
        "gateway",
        &[
            "accounts",
            "auth-base",
            "axum-serve",
            "hmac-auth",
            "jwt-auth",
            "mesh-api",
            "mesh-management",
            "mesh-management-axum",
            "peer-kit",
        ],
    ),
    (
        "mesh-management-sqlx",
        &[
            "auth-base",
            "hmac-propagation",
            "hmac-propagation-sqlx",
            "mesh-api",
            "mesh-management",
        ],
    ),
    (
        "peer-kit",
        &[
            "auth-base",
            "hmac-auth",
            "hmac-propagation",
            "jwt-auth",
            "kms",
            "kms-http",
            "mesh-api",
            "mesh-management",
            "secrets-at-rest",
        ],
    ),
    ("axum-serve", &[]),
    (
        "mesh-view",
        &[
            "auth-base",
            "hmac-auth",
            "hmac-propagation",
            "mesh-api",
            "mesh-management",
            "peer-kit",
        ],
    ),
    ("dashboard", &["mesh-api"]),
    (
        "dashboard-pages",
        &[
            "auth-base",
            "dashboard",
            "hmac-propagation",
            "mesh-api",
            "mesh-management",
        ],
    ),
    (
        "peer-backends",
        &[
            "auth-base",
            "hmac-auth",
            "hmac-auth-client",
            "hmac-auth-redis",
            "hmac-propagation",
            "hmac-propagation-redis",
            "hmac-propagation-sqlx",
            "mesh-api",
            "mesh-management",
            "mesh-management-sqlx",
            "mesh-view",
            "peer-kit",
            "redis-link",
        ],
    ),
    ("dashboard-web", &["dashboard"]),
    (
        "mesh",
        &[
            "accounts",
            "accounts-server",
            "auth-base",
            "authority",
            "consumer",
            "gateway",
            "hmac-propagation",
            "jwt-auth",
            "leptos-actix",
            "leptos-axum",
            "mesh-api",
            "mesh-view",
            "peer-backends",
            "peer-kit",
            "services",
        ],
    ),
    (
        "simulation",
        &["auth-base", "hmac-auth", "hmac-propagation"],
    ),
    ("xtask", &["jwt-auth", "services"]),
];

/// What a crate's tests may use beside what the crate itself may use.
const FOR_TESTS: &[&str] = &["auth-testkit", "axum-serve", "hmac-testkit", "services"];
/// The service that the gateway calls, for its tests.
const FOR_TESTS_OF_THE_GATEWAY: &[(&str, &str)] = &[("gateway", "accounts-server")];
/// The peers, and what their tests may use besides: one to compare with.
const PEERS: &[&str] = &["authority", "consumer", "leptos-actix", "leptos-axum"];
const FOR_TESTS_OF_PEERS: &[&str] = &["leptos-axum"];
/// What a peer puts together, besides libraries.
const FOR_PEERS: &[&str] = &[
    "axum-serve",
    "dashboard-pages",
    "mesh-view",
    "peer-backends",
    "peer-kit",
];
/// What the end-to-end stories may use: the servers, and the libraries, whose guides are compiled there. Peers are processes to them.
pub(crate) const STORIES: &str = "e2e";
/// What the benches measure below the peers.
const BENCHES: &str = "bench";

fn may(name: &str, other: &str, workspace: &BTreeMap<String, Member>) -> bool {
    let listed = ARROWS
        .iter()
        .any(|(from, to)| *from == name && to.contains(&other));
    let wires =
        PEERS.contains(&name) && (is_library(other, workspace) || FOR_PEERS.contains(&other));
    listed || wires || (name == BENCHES && (is_library(other, workspace) || other == "services"))
}

fn is_library(name: &str, workspace: &BTreeMap<String, Member>) -> bool {
    workspace
        .get(name)
        .is_some_and(|member| member.folder.starts_with("crates/"))
}

fn check(workspace: &BTreeMap<String, Member>) -> Vec<String> {
    let mut complaints = Vec::new();
    for (name, member) in workspace {
        for other in member
            .normal
            .iter()
            .filter(|other| workspace.contains_key(*other))
        {
            if !may(name, other, workspace) {
                complaints.push(format!("{name} must not depend on {other}"));
            }
        }
        for other in member
            .dev
            .iter()
            .filter(|other| workspace.contains_key(*other) && *other != name)
        {
            let allowed = if name == STORIES {
                is_library(other, workspace) || other == "services"
            } else {
                may(name, other, workspace)
                    || FOR_TESTS_OF_THE_GATEWAY.contains(&(name, other))
                    || FOR_TESTS.contains(&other.as_str())
                    || (PEERS.contains(&name.as_str())
                        && FOR_TESTS_OF_PEERS.contains(&other.as_str()))
            };
            if !allowed {
                complaints.push(format!("the tests of {name} must not depend on {other}"));
            }
        }
    }
    complaints
}

#[test]
fn a_crate_depends_only_on_what_stands_to_its_right() {
    none(check(&members()));
}

#[test]
fn the_checker_sees_wrong_arrows() {
    let mut workspace = members();
    assert!(check(&workspace).is_empty());
    let mut add = |name: &str, other: &str, dev: bool| {
        let member = workspace.get_mut(name).unwrap();
        if dev {
            &mut member.dev
        } else {
            &mut member.normal
        }
        .insert(other.to_owned());
    };
    add("hmac-auth", "hmac-propagation", false);
    add("hmac-propagation", "hmac-auth-redis", false);
    add("hmac-auth-redis", "peer-kit", true);
    add("authority", "consumer", false);
    add("authority", "services", false);
    add("mesh-view", "peer-backends", false);
    add("e2e", "peer-backends", true);
    assert_eq!(
        check(&workspace),
        [
            "authority must not depend on consumer",
            "authority must not depend on services",
            "the tests of e2e must not depend on peer-backends",
            "hmac-auth must not depend on hmac-propagation",
            "the tests of hmac-auth-redis must not depend on peer-kit",
            "hmac-propagation must not depend on hmac-auth-redis",
            "mesh-view must not depend on peer-backends",
        ]
    );
}
