//! `docs/guarantees.md`: every promise has a test that bears its name, and every story of a fault belongs to a promise. Beside it
//! what the pages of [faults] and of [fuzzing] say there is.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a test stops where an expectation fails"
)]

#[path = "promises/declared.rs"]
mod declared;
#[path = "promises/faults.rs"]
mod faults;
#[path = "promises/fuzzing.rs"]
mod fuzzing;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use crate::declared::Tests;

/// What is promised. A promise leaves this list by a decision, never by an edit of the page.
const PROMISES: [&str; 22] = [
    "an_accepted_change_reaches_every_target",
    "a_success_row_means_the_target_has_it",
    "an_ack_is_never_lost",
    "an_older_change_never_overwrites_a_newer_one",
    "revoked_stays_revoked",
    "a_change_during_a_sync_is_not_lost",
    "overlapping_syncs_publish_once",
    "one_bad_row_blocks_nobody",
    "one_bad_message_blocks_nobody",
    "a_failing_store_slows_it_does_not_spin",
    "the_consumer_always_comes_back",
    "no_call_hangs",
    "an_offline_target_catches_up",
    "a_new_peer_can_be_bootstrapped",
    "drift_is_found_and_healed",
    "a_crash_anywhere_is_recovered",
    "shutdown_loses_nothing",
    "rotation_refuses_nobody",
    "a_nonce_is_accepted_once",
    "a_forged_request_costs_no_round_trip",
    "no_plain_secret_at_rest_after_propagation",
    "no_secret_in_logs",
];

/// Files of faults beside the stories in `tests/e2e/faults*`: each test in them must be named by the page.
const FAULTS: [&str; 20] = [
    "crates/hmac-auth-redis/tests/outage.rs",
    "crates/hmac-propagation-amqp/tests/rabbitmq/faults.rs",
    "crates/hmac-propagation-amqp/tests/rabbitmq/outage.rs",
    "crates/hmac-propagation-amqp/tests/silence.rs",
    "crates/hmac-propagation-sqlx/tests/management/contention.rs",
    "crates/hmac-propagation-sqlx/tests/management/half_open.rs",
    "crates/hmac-propagation-sqlx/tests/management/outages.rs",
    "crates/hmac-propagation/tests/failing_store.rs",
    "crates/hmac-propagation/tests/lost_ledger.rs",
    "crates/hmac-propagation/tests/silent_broker.rs",
    "tests/e2e/broker_outage.rs",
    "tests/e2e/cluster.rs",
    "tests/e2e/crashes.rs",
    "tests/e2e/drift.rs",
    "tests/e2e/offline_target.rs",
    "tests/e2e/restarts.rs",
    "tests/e2e/restore.rs",
    "tests/e2e/revocation.rs",
    "tests/e2e/rotation.rs",
    "tests/e2e/soak.rs",
];

/// What every promise says, in this order.
const PARTS: [&str; 4] = ["", "How: ", "Tests: ", "Not covered: "];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the tests stand in the workspace")
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).expect("a page is readable")
}

/// Fails with all complaints at once.
fn none(complaints: impl IntoIterator<Item = String>) {
    let complaints: Vec<String> = complaints.into_iter().collect();
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

fn is_name(text: &str) -> bool {
    text.bytes()
        .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

/// The promises of the page: name to paragraphs.
fn promises(page: &str) -> BTreeMap<String, Vec<String>> {
    let mut found = BTreeMap::new();
    for section in page.split("\n### `").skip(1) {
        let (name, text) = section.split_once("`\n").expect("a heading of one name");
        let text = text.split("\n## ").next().unwrap_or_default();
        let paragraphs = text
            .trim()
            .split("\n\n")
            .map(|paragraph| paragraph.replace('\n', " "));
        found.insert(name.to_owned(), paragraphs.collect());
    }
    found
}

/// Names in backquotes that may be a test's.
fn names(text: &str) -> BTreeSet<&str> {
    text.split('`')
        .skip(1)
        .step_by(2)
        .filter(|span| is_name(span))
        .collect()
}

/// What is wrong with a promise of the page.
fn check(name: &str, paragraphs: &[String], tests: &Tests) -> Vec<String> {
    let mut complaints = Vec::new();
    if !tests.always_runs(name, "tests/e2e/") {
        complaints.push(format!(
            "no story bears the name {name}, or it is run only when it is asked for"
        ));
    }
    let told = paragraphs.len() == PARTS.len()
        && paragraphs
            .iter()
            .zip(PARTS)
            .all(|(paragraph, part)| paragraph.starts_with(part));
    if !told {
        complaints.push(format!(
            "{name}: the promise, How:, Tests:, Not covered:, and nothing else"
        ));
        return complaints;
    }
    let named = names(&paragraphs[2]);
    if !named.contains(name) {
        complaints.push(format!("{name}: its own test is not among its tests"));
    }
    let lost = named
        .into_iter()
        .filter(|test| !tests.has(test, "") && !is_fuzz_target(test, &paragraphs[2]));
    complaints.extend(lost.map(|test| format!("{name}: there is no test {test}")));
    complaints
}

fn is_fuzz_target(name: &str, text: &str) -> bool {
    let target = root()
        .join("fuzz/fuzz_targets")
        .join(name)
        .with_extension("rs");
    text.contains(&format!("the fuzz target `{name}`")) && target.is_file()
}

/// The tests of a file of faults that no promise names.
fn strays(file: &str, tests: &Tests, named: &BTreeSet<&str>) -> Vec<String> {
    let mut found = tests.below(file).peekable();
    if found.peek().is_none() {
        return vec![format!("{file}: no test is there")];
    }
    let strays = found.filter(|test| !named.contains(test.name.as_str()));
    strays
        .map(|test| format!("{}: {} belongs to no promise", test.place, test.name))
        .collect()
}

#[test]
fn every_promise_has_a_test_that_bears_its_name() {
    let promises = promises(&read("docs/guarantees.md"));
    let promised: Vec<&str> = promises.keys().map(String::as_str).collect();
    let mut wanted = PROMISES.to_vec();
    wanted.sort_unstable();
    assert_eq!(promised, wanted, "the promises of docs/guarantees.md");
    let tests = Tests::of_workspace();
    none(
        promises
            .iter()
            .flat_map(|(name, paragraphs)| check(name, paragraphs, &tests)),
    );
}

#[test]
fn every_story_of_a_fault_belongs_to_a_promise() {
    let promises = promises(&read("docs/guarantees.md"));
    let named = promises
        .values()
        .flat_map(|paragraphs| names(&paragraphs[2]))
        .collect();
    let tests = Tests::of_workspace();
    let files = FAULTS.iter().copied().chain(["tests/e2e/faults"]);
    none(files.flat_map(|file| strays(file, &tests, &named)));
}

#[test]
fn the_checker_sees_a_promise_without_its_story() {
    let source = |place: &str, text: &str| (place.to_owned(), text.to_owned());
    let tests = Tests::of(&[
        source(
            "tests/e2e/a.rs",
            "#[test] fn kept() {} fn helped() {} #[test] #[ignore] fn slept() {}",
        ),
        source(
            "crates/hmac-testkit/src/a.rs",
            "async fn suite(make: M) { suited(make()).await; }",
        ),
        source(
            "crates/hmac-auth-redis/tests/outage.rs",
            "#[tokio::test] async fn elsewhere() {}",
        ),
    ]);
    let found = |name: &str, told: &str| {
        let paragraphs = ["It holds.", "How: Well.", told, "Not covered: Much."].map(str::to_owned);
        check(name, &paragraphs, &tests).len()
    };
    assert_eq!(
        found(
            "kept",
            "Tests: `kept`, `elsewhere`, `suited`, the fuzz target `event`."
        ),
        0
    );
    assert_eq!(
        found("helped", "Tests: `kept`."),
        2,
        "a helper of its name is no story, and is not named"
    );
    for name in ["slept", "suited", "elsewhere"] {
        assert_eq!(
            found(name, &format!("Tests: `{name}`.")),
            1,
            "{name} is no story that is always run"
        );
    }
    assert_eq!(found("kept", "Tests: `kept`, `helped`."), 1);
    assert_eq!(
        found("kept", "Tests: `kept`, `event`."),
        1,
        "a target is called one"
    );
    assert_eq!(found("kept", "Tests: `elsewhere`."), 1);
    assert_eq!(found("kept", "`kept`"), 1, "it does not begin with Tests:");

    let named = BTreeSet::from(["kept"]);
    assert_eq!(strays("tests/e2e/a.rs", &tests, &named).len(), 1);
    assert_eq!(
        strays("tests/e2e/gone.rs", &tests, &named),
        ["tests/e2e/gone.rs: no test is there"]
    );
}
