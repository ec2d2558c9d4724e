//! `docs/guarantees.md`: every promise has a test that bears its name, and every story of a fault belongs to a promise.

#![expect(clippy::expect_used, reason = "a test stops where an expectation fails")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

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

/// Stories of faults beside those in files whose name begins with `faults`: each must be named by the page.
const FAULTS: [&str; 6] = ["broker_outage", "crashes", "drift", "offline_target", "restarts", "soak"];

/// What every promise says, in this order.
const PARTS: [&str; 4] = ["", "How: ", "Tests: ", "Not covered: "];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests stand in the workspace")
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).expect("a page is readable")
}

/// The promises of the page: name to paragraphs.
fn promises(page: &str) -> BTreeMap<String, Vec<String>> {
    let mut found = BTreeMap::new();
    for section in page.split("\n### `").skip(1) {
        let (name, text) = section.split_once("`\n").expect("a heading of one name");
        let text = text.split("\n## ").next().unwrap_or_default();
        let paragraphs = text.trim().split("\n\n").map(|paragraph| paragraph.replace('\n', " "));
        found.insert(name.to_owned(), paragraphs.collect());
    }
    found
}

/// Names in backquotes that may be a test's.
fn names(text: &str) -> BTreeSet<&str> {
    let spans = text.split('`').skip(1).step_by(2);
    spans
        .filter(|span| span.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_'))
        .collect()
}

/// Every function of every test, and where it stands.
fn functions() -> BTreeMap<String, BTreeSet<String>> {
    let mut functions: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut folders = ["crates", "poc", "tests", "simulation"].map(|name| root().join(name)).to_vec();
    while let Some(folder) = folders.pop() {
        for path in folder.read_dir().expect("a folder is readable").flatten().map(|entry| entry.path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                for name in functions_of(&path) {
                    let place = path.strip_prefix(root()).unwrap_or(&path).display().to_string();
                    functions.entry(name).or_default().insert(place);
                }
            }
        }
    }
    functions
}

fn functions_of(path: &PathBuf) -> Vec<String> {
    let text = fs::read_to_string(path).expect("a source is UTF-8");
    let after = text.split("fn ").skip(1);
    after.filter_map(|rest| Some(rest.split_once('(')?.0.trim().to_owned())).collect()
}

/// The tests of a file of stories, with those that are run only when they are asked for.
fn stories(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).expect("a source is UTF-8");
    let tests = text.split("#[tokio::test").skip(1);
    tests.filter_map(|rest| Some(rest.split_once("fn ")?.1.split_once('(')?.0.to_owned())).collect()
}

#[test]
fn every_promise_has_a_test_that_bears_its_name() {
    let page = read("docs/guarantees.md");
    let promises = promises(&page);
    let promised: Vec<&str> = promises.keys().map(String::as_str).collect();
    let mut wanted = PROMISES.to_vec();
    wanted.sort_unstable();
    assert_eq!(promised, wanted, "the promises of docs/guarantees.md");
    let functions = functions();
    let mut complaints = Vec::new();
    for (name, paragraphs) in &promises {
        if !functions.contains_key(name) {
            complaints.push(format!("no test bears the name {name}"));
        }
        let told = paragraphs.len() == PARTS.len()
            && paragraphs.iter().zip(PARTS).all(|(paragraph, part)| paragraph.starts_with(part));
        if !told {
            complaints.push(format!("{name}: the promise, How:, Tests:, Not covered:, and nothing else"));
            continue;
        }
        let tests = names(&paragraphs[2]);
        if !tests.contains(name.as_str()) {
            complaints.push(format!("{name}: its own test is not among its tests"));
        }
        let lost = tests.into_iter().filter(|test| !functions.contains_key(*test));
        complaints.extend(lost.map(|test| format!("{name}: there is no test {test}")));
    }
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

#[test]
fn every_story_of_a_fault_belongs_to_a_promise() {
    let page = read("docs/guarantees.md");
    let named: BTreeSet<String> = promises(&page)
        .values()
        .flat_map(|parts| names(&parts[2]).into_iter().map(str::to_owned).collect::<Vec<_>>())
        .collect();
    let mut complaints = Vec::new();
    let mut files = 0;
    for path in root().join("tests/e2e").read_dir().expect("the stories").flatten().map(|entry| entry.path())
    {
        let file = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() || !(file.starts_with("faults") || FAULTS.contains(&file.as_str())) {
            continue;
        }
        files += 1;
        let strays = stories(&path).into_iter().filter(|story| !named.contains(story));
        complaints.extend(strays.map(|story| format!("{file}: {story} belongs to no promise")));
    }
    assert!(files > FAULTS.len(), "{files} files of faults");
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}
