//! The test of the test: whatever is broken on purpose must be caught.

use std::collections::BTreeMap;

use broken::history::Trace;
use broken::invariants::Invariant;
use broken::run::story;
use mutants::mutation::{ALL, switch_off, switch_on};

/// Those that `cargo verify` runs over the real sources.
const SEEDS: u64 = 10_000;

/// Runs seeds until a promise is broken; answers which.
#[expect(
    clippy::print_stdout,
    reason = "which promise caught what is worth a line"
)]
fn caught(name: &str) -> Option<Invariant> {
    assert!(switch_on(name));
    let found = (0..SEEDS).find_map(|seed| Some((seed, story(seed, Trace::Off).violation?)));
    switch_off();
    let (seed, violation) = found?;
    println!("{name}: seed {seed}: {violation}");
    Some(violation.invariant)
}

/// Every fourth mutation, from one on: the four parts run beside each other. The page says what catches each.
fn every_fourth_is_caught(from: usize) {
    let listed = listed();
    let wrong: Vec<String> = ALL
        .iter()
        .skip(from)
        .step_by(4)
        .filter_map(|(name, _)| {
            let Some(by) = caught(name) else {
                return Some(format!("{name} is not caught"));
            };
            let said = listed.get(*name).map_or("nothing", |(_, said)| said);
            let is_said = said == format!("`{by:?}`");
            (!is_said).then(|| format!("{name} is caught by `{by:?}`, and the page says {said}"))
        })
        .collect();
    assert!(wrong.is_empty(), "within {SEEDS} seeds: {wrong:#?}");
}

#[test]
fn every_mutation_is_caught_part_1() {
    every_fourth_is_caught(0);
}

#[test]
fn every_mutation_is_caught_part_2() {
    every_fourth_is_caught(1);
}

#[test]
fn every_mutation_is_caught_part_3() {
    every_fourth_is_caught(2);
}

#[test]
fn every_mutation_is_caught_part_4() {
    every_fourth_is_caught(3);
}

#[test]
fn without_a_mutation_nothing_is_caught() {
    switch_off();
    for seed in 0..300 {
        assert_eq!(story(seed, Trace::Off).violation, None, "seed {seed}");
    }
}

/// The page that describes them names every mutation, and no other.
#[test]
fn the_page_lists_the_mutations() {
    let listed = listed();
    let listed: Vec<(&str, &str)> = listed
        .iter()
        .map(|(name, (breaks, _))| (name.as_str(), breaks.as_str()))
        .collect();
    assert_eq!(listed, ALL);
}

/// The page's table: by name, what a mutation breaks and what catches it.
#[expect(
    clippy::unwrap_used,
    reason = "without the page there is nothing to compare"
)]
fn listed() -> BTreeMap<String, (String, String)> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../docs/simulation.md");
    let page = std::fs::read_to_string(path).unwrap();
    let rows = page
        .lines()
        .skip_while(|line| *line != "## Mutations")
        .skip(1);
    let rows = rows.take_while(|line| !line.starts_with("## "));
    rows.filter_map(|row| {
        let (name, rest) = row.strip_prefix("| `")?.split_once("` | ")?;
        let (breaks, by) = rest.strip_suffix(" |")?.split_once(" | ")?;
        Some((name.to_owned(), (breaks.to_owned(), by.to_owned())))
    })
    .collect()
}
