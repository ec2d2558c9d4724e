//! Ten thousand stories, in parts that run beside each other.

use simulation::cli::check;
use simulation::history::Trace;
use simulation::run::story;

/// The seeds of one part.
const PART: u64 = 1_250;

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
    seeds_from_1250: 1,
    seeds_from_2500: 2,
    seeds_from_3750: 3,
    seeds_from_5000: 4,
    seeds_from_6250: 5,
    seeds_from_7500: 6,
    seeds_from_8750: 7,
}

/// A seed is worth nothing unless it tells the same story again.
#[test]
fn a_seed_tells_the_same_story_again() {
    for seed in 0..150 {
        let (first, second) = (story(seed, Trace::Off), story(seed, Trace::Off));
        assert_eq!(
            (first.hash, first.steps),
            (second.hash, second.steps),
            "seed {seed}"
        );
    }
}

/// Keeping the steps in words changes none of them.
#[test]
fn a_trace_changes_nothing() {
    for seed in 0..50 {
        let (told, silent) = (story(seed, Trace::On), story(seed, Trace::Off));
        assert_eq!(told.hash, silent.hash, "seed {seed}");
        assert!(!told.lines.is_empty());
    }
}
