//! What must hold for any configuration, over arbitrary variables, over the committed corpus of the fuzz target and over what
//! is near it.

#![expect(clippy::expect_used, reason = "without a corpus the test must fail")]

#[path = "hostile/configuration.rs"]
mod configuration;

use std::fs;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use peer_kit::config::variable::VARIABLES;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::FileFailurePersistence;

use crate::configuration::configuration;

/// The inputs of the corpus, each with its file's name.
static CORPUS: LazyLock<Vec<(String, String)>> = LazyLock::new(|| {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/configuration");
    let files = folder
        .read_dir()
        .expect("the corpus is there")
        .flatten()
        .map(|file| file.path());
    let read = |file: PathBuf| {
        (
            file.display().to_string(),
            fs::read(file).unwrap_or_default(),
        )
    };
    let inputs = files
        .map(read)
        .map(|(file, bytes)| (file, String::from_utf8_lossy(&bytes).into_owned()));
    inputs.collect()
});

#[test]
fn every_input_of_the_corpus_keeps_its_property() {
    assert!(CORPUS.len() > 10, "{} inputs", CORPUS.len());
    let fails = |input: &str| catch_unwind(|| configuration(input.as_bytes())).is_err();
    let broken: Vec<_> = CORPUS
        .iter()
        .filter(|(_, input)| fails(input))
        .map(|(file, _)| file)
        .collect();
    assert!(
        broken.is_empty(),
        "cargo +nightly fuzz run configuration <file> says why: {broken:#?}"
    );
}

/// A value of the kind that some variable wants, or nearly.
fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        "\\PC{0,24}",
        "[0-9]{1,9}|true|false|json|pretty|amqps|::1?|0\\.0\\.0\\.0|10\\.0\\.0\\.0/8",
        "(amqps?|rediss?|mysql|https?|sqlite):(//)?([!-~]{0,4}(:%S)?@)?[a-z0-9.:\\[\\]]{0,8}(/[a-z%?#]{0,6})?",
        "([a-zA-Z-]{1,6}=[!-~]{0,4}%S(,|\\\\n)?){1,3}",
        "%S|demo-only-%S|AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=(,%S)?",
        "(info|hmac|=|,|\\[|\\]|\\{|\\}|debug|/|\\*|\\(){1,8}",
    ]
}

proptest! {
    // A failing input is kept beside this file, with the seed that made it.
    #![proptest_config(ProptestConfig {
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("regressions"))),
        ..ProptestConfig::default()
    })]

    #[test]
    fn arbitrary_bytes_keep_the_property(bytes: Vec<u8>, text: String) {
        configuration(&bytes);
        configuration(text.as_bytes());
    }

    #[test]
    fn what_is_near_the_corpus_keeps_the_property(
        first: Index,
        changes in proptest::collection::vec((0..VARIABLES.len(), any::<u8>(), value()), 1..4),
    ) {
        let mut input = first.get(&CORPUS).1.clone();
        for (variable, kind, value) in changes {
            let suffix = if kind < 16 { "_FILE" } else { "" };
            input.push_str(&format!("\n{}{suffix}={value}", VARIABLES[variable].name));
        }
        configuration(input.as_bytes());
    }
}
