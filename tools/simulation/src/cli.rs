//! `cargo simulate`: one seed in words, or many.

use std::io::{self, Write as _};
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

/// Runs the command line. Who reads it may leave before its end, which is no reason for words.
pub fn main() -> ExitCode {
    run(&Options::parse()).unwrap_or(ExitCode::FAILURE)
}

fn run(options: &Options) -> io::Result<ExitCode> {
    let mut out = io::stdout().lock();
    if options.list {
        for invariant in Invariant::ALL {
            writeln!(out, "{invariant:?} ({}): {invariant}", invariant.promise())?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(seed) = options.seed {
        let story = story(seed, Trace::On);
        for line in &story.lines {
            writeln!(out, "{line}")?;
        }
        writeln!(out, "{} steps, hash {:016x}", story.steps, story.hash)?;
        return Ok(match story.violation {
            Some(_) => ExitCode::FAILURE,
            None => ExitCode::SUCCESS,
        });
    }
    let begin = Instant::now();
    for seed in options.from..options.from.saturating_add(options.seeds) {
        if let Some(violation) = story(seed, Trace::Off).violation {
            let command = "cargo simulate --seed";
            writeln!(io::stderr(), "seed {seed}: {violation}\n  {command} {seed}")?;
            return Ok(ExitCode::FAILURE);
        }
    }
    let (seeds, seconds) = (options.seeds, begin.elapsed().as_secs_f64());
    writeln!(out, "{seeds} seeds, nothing broken, {seconds:.1} s")?;
    Ok(ExitCode::SUCCESS)
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
