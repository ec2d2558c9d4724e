//! A crate may depend only on what stands to its right.

use std::collections::BTreeMap;

use crate::{Member, members, none};

/// Normal dependencies that a crate may have on other crates of the workspace. Whoever is not listed may have none.
const ARROWS: &[(&str, &[&str])] = &[
    ("redis-link", &["auth-base"]),
    ("hmac-auth", &["auth-base"]),
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
        &["auth-base", "hmac-auth", "hmac-propagation"],
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
    (
        "mesh-management",
        &["auth-base", "hmac-auth", "hmac-propagation", "mesh-api"],
    ),
    ("mesh-management-axum", &["mesh-api", "mesh-management"]),
    ("mesh-management-actix", &["mesh-api", "mesh-management"]),
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
    ("dashboard", &["mesh-api"]),
    (
        "kit",
        &[
            "auth-base",
            "hmac-auth",
            "hmac-propagation",
            "mesh-api",
            "mesh-management",
        ],
    ),
    (
        "kit-axum",
        &[
            "hmac-auth-axum",
            "kit",
            "mesh-api",
            "mesh-management",
            "mesh-management-axum",
        ],
    ),
    (
        "kit-actix",
        &[
            "hmac-auth-actix",
            "kit",
            "mesh-api",
            "mesh-management",
            "mesh-management-actix",
        ],
    ),
    (
        "kit-backends",
        &[
            "auth-base",
            "hmac-auth",
            "hmac-auth-client",
            "hmac-auth-redis",
            "hmac-propagation",
            "hmac-propagation-amqp",
            "hmac-propagation-redis",
            "hmac-propagation-sqlx",
            "kit",
            "mesh-api",
            "mesh-management",
            "mesh-management-sqlx",
            "redis-link",
        ],
    ),
    (
        "authority",
        &["hmac-propagation", "kit", "kit-axum", "kit-backends"],
    ),
    (
        "consumer",
        &["hmac-propagation", "kit", "kit-actix", "kit-backends"],
    ),
    (
        "leptos-axum",
        &[
            "dashboard",
            "hmac-propagation",
            "kit",
            "kit-axum",
            "kit-backends",
        ],
    ),
    (
        "leptos-actix",
        &[
            "dashboard",
            "hmac-propagation",
            "kit",
            "kit-actix",
            "kit-backends",
        ],
    ),
    ("dashboard-web", &["dashboard"]),
    (
        "mesh",
        &[
            "auth-base",
            "authority",
            "consumer",
            "hmac-auth",
            "hmac-propagation",
            "kit",
            "kit-backends",
            "leptos-actix",
            "leptos-axum",
            "services",
        ],
    ),
    (
        "simulation",
        &["auth-base", "hmac-auth", "hmac-propagation"],
    ),
    ("xtask", &["services"]),
];

/// What a crate's tests may use beside what the crate itself may use.
const FOR_TESTS: &[&str] = &["hmac-testkit", "services"];
/// The peers, and what their tests may use besides: our own client side of the wire, and one to compare with.
const PEERS: &[&str] = &["authority", "consumer", "leptos-actix", "leptos-axum"];
const FOR_TESTS_OF_PEERS: &[&str] = &["auth-base", "hmac-auth", "hmac-propagation", "leptos-axum"];
/// What the end-to-end stories may use: the servers, and the libraries, whose guides are compiled there. Peers are processes to them.
pub(crate) const STORIES: &str = "e2e";
/// What the benches measure below the peers.
const BENCHES: &str = "bench";

fn may(name: &str, other: &str, workspace: &BTreeMap<String, Member>) -> bool {
    let listed = ARROWS
        .iter()
        .any(|(from, to)| *from == name && to.contains(&other));
    listed || (name == BENCHES && (is_library(other, workspace) || other == "services"))
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
    add("hmac-auth-redis", "kit", true);
    add("authority", "consumer", false);
    add("authority", "hmac-auth-redis", false);
    add("kit-axum", "kit-backends", false);
    add("e2e", "kit-backends", true);
    assert_eq!(
        check(&workspace),
        [
            "authority must not depend on consumer",
            "authority must not depend on hmac-auth-redis",
            "the tests of e2e must not depend on kit-backends",
            "hmac-auth must not depend on hmac-propagation",
            "the tests of hmac-auth-redis must not depend on kit",
            "hmac-propagation must not depend on hmac-auth-redis",
            "kit-axum must not depend on kit-backends",
        ]
    );
}
