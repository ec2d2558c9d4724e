//! The committed corpus of the fuzz targets, for the tests of every crate that has a property: what is kept must hold, and what
//! is near it.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use proptest::sample::Index;
use proptest::test_runner::{Config, FileFailurePersistence};

/// Panics for bytes that break what must hold.
pub(crate) type Property = fn(&[u8]);

/// Inputs, each with its file's name.
pub(crate) type Inputs = Vec<(String, Vec<u8>)>;

/// The inputs that are kept of a fuzz target.
pub(crate) fn corpus(target: &str) -> Inputs {
    // Of the crate whose test this is.
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../fuzz/corpus")
        .join(target);
    let files = folder
        .read_dir()
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let paths = files.flatten().map(|file| file.path());
    let mut inputs: Inputs = paths
        .map(|path| {
            (
                path.display().to_string(),
                fs::read(path).unwrap_or_default(),
            )
        })
        .collect();
    inputs.sort();
    assert!(inputs.len() > 10, "{target} has {} inputs", inputs.len());
    inputs
}

/// A failing input is kept beside the test, with the seed that made it.
pub(crate) fn cases(cases: u32) -> Config {
    let persistence = FileFailurePersistence::WithSource("regressions");
    Config {
        cases,
        failure_persistence: Some(Box::new(persistence)),
        ..Config::default()
    }
}

/// Fails with the names of the inputs that break a property.
pub(crate) fn all_keep(kept: &[(Property, Inputs)]) {
    let mut broken = Vec::new();
    for (property, inputs) in kept {
        let fails = |input: &[u8]| catch_unwind(AssertUnwindSafe(|| property(input))).is_err();
        let failing = inputs.iter().filter(|(_, input)| fails(input));
        broken.extend(failing.map(|(file, _)| file.as_str()));
    }
    assert!(
        broken.is_empty(),
        "cargo +nightly fuzz run <target> <file> says why:\n{}",
        broken.join("\n")
    );
}

/// An input that is near one of the corpus: a few bytes of it replaced by other bytes or by a piece of another input.
pub(crate) fn near(
    inputs: &Inputs,
    picks: &[(Index, Index, Index, Vec<u8>)],
    first: Index,
) -> Vec<u8> {
    let mut input = first.get(inputs).1.clone();
    for (from, to, other, piece) in picks {
        let (start, end) = (from.index(input.len() + 1), to.index(input.len() + 1));
        let other = &other.get(inputs).1;
        let piece = if piece.is_empty() {
            &other[from.index(other.len() + 1)..]
        } else {
            piece.as_slice()
        };
        let end = end.clamp(start, (start + 8).min(input.len()).max(start));
        input.splice(start..end, piece.iter().copied());
    }
    input
}

/// How long this thread has computed: on Linux its own time, so that a busy machine makes no difference, elsewhere the clock's.
pub(crate) fn busy() -> Duration {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    let times = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let own = times
        .split(' ')
        .next()
        .and_then(|time| time.parse().ok())
        .map(Duration::from_nanos);
    own.unwrap_or_else(|| START.elapsed())
}
