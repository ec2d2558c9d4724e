//! The simulation over a propagation that is broken on purpose. `cargo mutations` adds this program to its copy of the
//! simulation; on its output each line is `name<TAB>invariant`, for a person there are words on the error output.

use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};

use clap::Parser;
use hmac_propagation::mutation::{ALL, switch};
use simulation::history::Trace;
use simulation::run::story;

/// Seeds that are run with every mutation switched off: nothing may be caught then.
const UNBROKEN: u64 = 300;

#[derive(Parser)]
struct Options {
    /// Only the mutation of this name.
    #[arg(long)]
    only: Option<String>,
    /// Tell the story of this seed under it, step by step.
    #[arg(long, requires = "only")]
    seed: Option<u64>,
    /// Seeds in which each must be caught.
    #[arg(long)]
    seeds: u64,
    /// Say only what is not caught.
    #[arg(long)]
    quiet: bool,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let is_meant = |name: &str| options.only.as_deref().is_none_or(|only| only == name);
    let chosen: Vec<usize> = (0..ALL.len()).filter(|at| is_meant(ALL[*at].0)).collect();
    if chosen.is_empty() {
        eprintln!("there is no mutation of this name");
        return ExitCode::FAILURE;
    }
    if let Some(seed) = options.seed {
        switch(Some(chosen[0]));
        let story = story(seed, Trace::On);
        story.lines.iter().for_each(|line| println!("{line}"));
        return ExitCode::SUCCESS;
    }
    if caught(None, UNBROKEN.min(options.seeds), true) && run(&chosen, &options) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Runs each mutation, as many at once as there are processors; tells whether all were caught.
fn run(chosen: &[usize], options: &Options) -> bool {
    let (next, missed) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(place) = chosen.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if !caught(Some(*place), options.seeds, options.quiet) {
                        missed.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    missed.into_inner() == 0
}

/// Runs seeds until one breaks a promise; tells whether the outcome is the wanted one: broken under a mutation, unbroken without.
fn caught(place: Option<usize>, seeds: u64, quiet: bool) -> bool {
    let name = place.map_or("no mutation", |place| ALL[place].0);
    switch(place);
    let found = (0..seeds).find_map(|seed| Some((seed, story(seed, Trace::Off).violation?)));
    match (&found, place) {
        (Some((seed, violation)), Some(_)) => {
            if !quiet {
                eprintln!("{name}: seed {seed}: {violation}");
            }
            println!("{name}\t{:?}", violation.invariant);
        }
        (Some((seed, violation)), None) => eprintln!("{name}, and seed {seed} is broken: {violation}"),
        (None, Some(_)) => eprintln!("{name} is NOT caught within {seeds} seeds"),
        (None, None) => {}
    }
    found.is_some() == place.is_some()
}
