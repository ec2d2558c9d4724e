//! `cargo simulate`: one seed in words, or many.

use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;

use crate::history::Trace;
use crate::invariants::Invariant;
use crate::run::story;

/// Seeds when nothing is said.
const SEEDS: u64 = 1_000;

/// The command line.
#[derive(Debug, Parser)]
#[command(about = "Tells the stories of seeds: the mesh under faults, held against its promises.")]
pub struct Options {
    /// Tell the story of this seed, step by step.
    #[arg(long)]
    seed: Option<u64>,
    /// Run this many seeds; the first broken promise ends it.
    #[arg(long, default_value_t = SEEDS)]
    seeds: u64,
    /// Begin with this seed.
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// List what is held against every step.
    #[arg(long)]
    list: bool,
}

/// Runs the command line.
#[expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "this is a command line"
)]
pub fn main() -> ExitCode {
    let options = Options::parse();
    if options.list {
        for invariant in Invariant::ALL {
            println!("{invariant:?} ({}): {invariant}", invariant.promise());
        }
        return ExitCode::SUCCESS;
    }
    if let Some(seed) = options.seed {
        let story = story(seed, Trace::On);
        story.lines.iter().for_each(|line| println!("{line}"));
        println!("{} steps, hash {:016x}", story.steps, story.hash);
        return story
            .violation
            .map_or(ExitCode::SUCCESS, |_| ExitCode::FAILURE);
    }
    let begin = Instant::now();
    for seed in options.from..options.from.saturating_add(options.seeds) {
        if let Some(violation) = story(seed, Trace::Off).violation {
            eprintln!("seed {seed}: {violation}\n  cargo simulate --seed {seed}");
            return ExitCode::FAILURE;
        }
    }
    println!(
        "{} seeds, nothing broken, {:.1} s",
        options.seeds,
        begin.elapsed().as_secs_f64()
    );
    ExitCode::SUCCESS
}

/// Runs seeds and fails with the first broken promise, for tests.
///
/// # Panics
/// When a promise is broken: with the seed, the promise, and the command that tells the story.
#[expect(clippy::panic, reason = "a test stops where a promise is broken")]
pub fn check(seeds: impl Iterator<Item = u64>) {
    for seed in seeds {
        if let Some(violation) = story(seed, Trace::Off).violation {
            panic!("seed {seed}: {violation}\n  cargo simulate --seed {seed}");
        }
    }
}
