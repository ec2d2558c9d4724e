//! The refresh ledger under everything that happens to it: tabs that refresh at once, lost answers, processes that die between
//! any two steps, clocks that are set, two gateways, admins, and a thief who copies the token at any moment.
//!
//! This is deterministic simulation testing. A seed decides a story to its last step; the store is the real
//! [`accounts::MemoryAccounts`], and [`oracle`] checks each answer against the promises. A failure prints its seed:
//! `LEDGER_SEED=1492 cargo test -p accounts --test simulation one_story -- --nocapture` tells it step by step.
//!
//! The last test breaks the ledger on purpose, in every way that [`broken`] lists: each must be caught.
#![expect(
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, and tells what it saw"
)]

mod broken;
mod oracle;
mod store;
mod story;

use broken::{Broken, Mutation};
use store::Real;
use story::Story;

/// The seeds of one part.
const PART: u64 = 2_500;

fn check(seeds: std::ops::Range<u64>) {
    for seed in seeds {
        let outcome = Story::new(seed, Real::default()).tell();
        if let Err(broken) = outcome.verdict {
            for line in &outcome.lines {
                println!("{line}");
            }
            panic!("seed {seed}: {broken}");
        }
    }
}

macro_rules! parts {
    ($($name:ident: $part:literal,)*) => {
        $(#[test]
        fn $name() {
            check($part * PART..($part + 1) * PART);
        })*
    };
}

parts! {
    seeds_from_0: 0,
    seeds_from_2500: 1,
    seeds_from_5000: 2,
    seeds_from_7500: 3,
}

/// Tells one story in words; without a seed the first.
#[test]
fn one_story() {
    #[expect(clippy::disallowed_methods, reason = "a seed to look at, of a test")]
    let seed = std::env::var("LEDGER_SEED").ok();
    let seed = seed.and_then(|seed| seed.parse().ok()).unwrap_or(0);
    let outcome = Story::new(seed, Real::default()).tell();
    for line in &outcome.lines {
        println!("{line}");
    }
    assert_eq!(outcome.verdict, Ok(()), "seed {seed}");
}

/// A seed is worth nothing unless it tells the same story again.
#[test]
fn a_seed_tells_the_same_story_again() {
    for seed in 0..200 {
        let (first, second) = (
            Story::new(seed, Real::default()),
            Story::new(seed, Real::default()),
        );
        assert_eq!(first.tell().lines, second.tell().lines, "seed {seed}");
    }
}

/// The stories are about something: each thing that may happen does, in some of them.
#[test]
fn everything_happens() {
    let mut told = String::new();
    for seed in 0..300 {
        told.push_str(&Story::new(seed, Real::default()).tell().lines.join("\n"));
    }
    for what in [
        "again",
        "reused",
        "family-revoked",
        "expired",
        "subject-inactive",
        "lost",
        "died",
        "stolen",
        "clock",
        "ended by",
        "let in again",
        "late record",
    ] {
        assert!(told.contains(what), "no story tells of {what}");
    }
}

/// The store that is broken on purpose tells the same stories as the real one, as long as nothing in it is broken.
#[test]
fn what_is_not_broken_tells_the_same() {
    for seed in 0..200 {
        let real = Story::new(seed, Real::default()).tell();
        let broken = Story::new(seed, Broken::new(Mutation::None)).tell();
        assert_eq!(real.lines, broken.lines, "seed {seed}");
    }
}

/// Every mutation is caught, by the promise that it breaks.
#[test]
fn every_mutation_is_caught() {
    let mut missed = Vec::new();
    for (mutation, promises) in Mutation::ALL {
        let caught = (0..2_000).find_map(|seed| {
            let verdict = Story::new(seed, Broken::new(*mutation)).tell().verdict;
            verdict.err().map(|promise| (seed, promise))
        });
        println!("{mutation:?}: {caught:?}");
        match caught {
            Some((_, broken)) if promises.contains(&broken.promise) => {}
            other => missed.push(format!("{mutation:?}: {other:?}")),
        }
    }
    assert_eq!(missed, [""; 0]);
}
