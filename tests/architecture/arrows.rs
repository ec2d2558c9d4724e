//! A crate may depend only on what stands to its right.

use std::collections::BTreeMap;

use crate::{Member, members, none};

/// Normal dependencies that a crate may have on other crates of the workspace. Whoever is not listed may have none.
const ARROWS: &[(&str, &[&str])] = &[
    ("hmac-auth-redis", &["hmac-auth"]),
    ("hmac-auth-axum", &["hmac-auth"]),
    ("hmac-auth-actix", &["hmac-auth"]),
    ("hmac-auth-client", &["hmac-auth"]),
    ("hmac-propagation", &["hmac-auth"]),
    ("hmac-propagation-amqp", &["hmac-auth", "hmac-propagation"]),
    ("hmac-propagation-sqlx", &["hmac-auth", "hmac-propagation"]),
    ("hmac-propagation-redis", &["hmac-auth", "hmac-auth-redis", "hmac-propagation"]),
    ("hmac-testkit", &["hmac-auth", "hmac-propagation"]),
    ("kit", &["hmac-auth", "hmac-propagation"]),
    ("dashboard-web", &["dashboard"]),
    ("mesh", &["authority", "consumer", "kit", "leptos-actix", "leptos-axum", "services"]),
    ("xtask", &["services"]),
];

/// The peers wire what they need: every library, the kit, the dashboard.
const PEERS: &[&str] = &["authority", "consumer", "leptos-actix", "leptos-axum"];
/// What a crate's tests may use beside what the crate itself may use.
const FOR_TESTS: &[&str] = &["hmac-testkit", "services"];
/// What the end-to-end stories may use: the servers, and our own client side of the wire. Peers are processes to them.
const STORIES: &[&str] = &["hmac-auth", "hmac-auth-client", "hmac-propagation", "hmac-testkit", "services"];
/// What the benches measure below the peers.
const BENCHES: &str = "bench";

fn may(name: &str, other: &str, workspace: &BTreeMap<String, Member>) -> bool {
    let is_library = workspace.get(other).is_some_and(|member| member.folder.starts_with("crates/"));
    if PEERS.contains(&name) {
        return (is_library && other != "hmac-testkit") || other == "kit" || other == "dashboard";
    }
    let listed = ARROWS.iter().any(|(from, to)| *from == name && to.contains(&other));
    listed || (name == BENCHES && (is_library || other == "services"))
}

fn check(workspace: &BTreeMap<String, Member>) -> Vec<String> {
    let mut complaints = Vec::new();
    for (name, member) in workspace {
        for other in member.normal.iter().filter(|other| workspace.contains_key(*other)) {
            if !may(name, other, workspace) {
                complaints.push(format!("{name} must not depend on {other}"));
            }
        }
        for other in member.dev.iter().filter(|other| workspace.contains_key(*other) && *other != name) {
            let allowed = if name == "e2e" {
                STORIES.contains(&other.as_str())
            } else {
                may(name, other, workspace) || FOR_TESTS.contains(&other.as_str())
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
        if dev { &mut member.dev } else { &mut member.normal }.insert(other.to_owned());
    };
    add("hmac-auth", "hmac-propagation", false);
    add("hmac-propagation", "hmac-auth-redis", false);
    add("hmac-auth-redis", "kit", true);
    add("authority", "consumer", false);
    add("authority", "hmac-testkit", false);
    add("e2e", "hmac-propagation-sqlx", true);
    assert_eq!(
        check(&workspace),
        [
            "authority must not depend on consumer",
            "authority must not depend on hmac-testkit",
            "the tests of e2e must not depend on hmac-propagation-sqlx",
            "hmac-auth must not depend on hmac-propagation",
            "the tests of hmac-auth-redis must not depend on kit",
            "hmac-propagation must not depend on hmac-auth-redis",
        ]
    );
}
