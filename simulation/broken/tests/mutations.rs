//! The test of the test: whatever is broken on purpose must be caught.

use std::collections::BTreeSet;

use broken::history::Trace;
use broken::run::story;
use mutants::mutation::{ALL, switch_off, switch_on};

/// Those that `cargo verify` runs over the real sources.
const SEEDS: u64 = 10_000;

/// Runs seeds until a promise is broken; answers the seed.
#[expect(clippy::print_stdout, reason = "which promise caught what is worth a line")]
fn caught(name: &str) -> Option<u64> {
    assert!(switch_on(name));
    let found = (0..SEEDS).find_map(|seed| Some((seed, story(seed, Trace::Off).violation?)));
    switch_off();
    let (seed, violation) = found?;
    println!("{name}: seed {seed}: {violation}");
    Some(seed)
}

/// Every fourth mutation, from one on: the four parts run beside each other.
fn every_fourth_is_caught(from: usize) {
    let names = ALL.iter().skip(from).step_by(4).map(|(name, _)| *name);
    let missed: Vec<&str> = names.filter(|name| caught(name).is_none()).collect();
    assert!(missed.is_empty(), "not caught within {SEEDS} seeds: {missed:?}");
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
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/simulation.md");
    let page = std::fs::read_to_string(path).unwrap();
    let rows = page.lines().skip_while(|line| *line != "## Mutations").skip(1);
    let rows = rows.take_while(|line| !line.starts_with("## "));
    let listed: BTreeSet<(String, String)> = rows
        .filter_map(|row| {
            let (name, breaks) = row.strip_prefix("| `")?.split_once("` | ")?;
            Some((name.to_owned(), breaks.strip_suffix(" |")?.to_owned()))
        })
        .collect();
    let real = ALL.iter().map(|(name, breaks)| ((*name).to_owned(), (*breaks).to_owned())).collect();
    assert_eq!(listed, real);
}
