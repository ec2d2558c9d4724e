//! What must hold for whatever comes from outside (`auth_testkit::hostile`), over arbitrary bytes, over the committed corpus of
//! the fuzz targets, and over what is near it.

#![expect(clippy::panic, reason = "a property that is broken fails the test")]

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use auth_testkit::hostile::{self, PROPERTIES, Property};
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::FileFailurePersistence;

type Inputs = Vec<(String, Vec<u8>)>;

/// The inputs that are kept of each property's fuzz target, each with its file's name.
static CORPUS: LazyLock<Vec<(Property, Inputs)>> = LazyLock::new(|| {
    let read = PROPERTIES
        .iter()
        .map(|(name, property)| (*property, corpus(name)));
    read.collect()
});

fn corpus(name: &str) -> Inputs {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../fuzz/corpus")
        .join(name);
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
    assert!(inputs.len() > 10, "{name} has {} inputs", inputs.len());
    inputs
}

/// A failing input is kept beside this file, with the seed that made it.
fn cases(cases: u32) -> ProptestConfig {
    let persistence = FileFailurePersistence::WithSource("regressions");
    ProptestConfig {
        cases,
        failure_persistence: Some(Box::new(persistence)),
        ..ProptestConfig::default()
    }
}

#[test]
fn every_input_of_the_corpus_keeps_its_property() {
    let mut broken = Vec::new();
    for (property, inputs) in &*CORPUS {
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

/// Each is what takes a careless parser time that grows with the square of the length.
#[test]
fn an_input_as_large_as_can_be_is_done_with_in_time() {
    const LENGTH: usize = 64 * 1024;
    let filled = |piece: &str| piece.repeat(LENGTH / piece.len());
    let inputs: Vec<(Property, String)> = vec![
        (hostile::jwt, filled(".")),
        (hostile::jwt, filled("e30.")),
        (hostile::jwt, format!("{{\"a\":{}", filled("["))),
        (hostile::jwt, format!("{{}}\n{}", filled("{\"a\":"))),
        (hostile::dpop, filled(".")),
        (hostile::dpop, format!("https://a/{}", filled("../"))),
        (hostile::jwk, filled("{\"kty\":")),
        (hostile::jwks, format!("{{\"keys\":[{}0]}}", filled("{},"))),
        (
            hostile::jwks,
            format!("{{{}\"keys\":[]}}", filled("\"a\":1,")),
        ),
        (hostile::pem, filled("-----BEGIN PRIVATE KEY-----\n")),
        (hostile::pem, filled("\\")),
        (hostile::pem, filled("\\n")),
        (hostile::pem, filled("\"'")),
    ];
    for (property, input) in inputs {
        let before = Instant::now();
        property(input.as_bytes());
        let took = before.elapsed();
        let beginning: String = input.chars().take(60).collect();
        assert!(took < Duration::from_secs(10), "{took:?}: {beginning}...");
    }
}

/// An input that is near one of the corpus: a few bytes of it replaced by other bytes or by a piece of another input.
fn near(inputs: &Inputs, picks: &[(Index, Index, Index, Vec<u8>)], first: Index) -> Vec<u8> {
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

proptest! {
    #![proptest_config(cases(256))]

    #[test]
    fn arbitrary_bytes_keep_every_property(bytes: Vec<u8>, text: String) {
        for (_, property) in PROPERTIES {
            property(&bytes);
            property(text.as_bytes());
        }
    }

    #[test]
    fn what_is_near_the_corpus_keeps_every_property(
        first: Index,
        picks in proptest::collection::vec(
            (any::<Index>(), any::<Index>(), any::<Index>(), proptest::collection::vec(any::<u8>(), 0..4)), 1..4,
        ),
    ) {
        for (property, inputs) in &*CORPUS {
            property(&near(inputs, &picks, first));
        }
    }
}
