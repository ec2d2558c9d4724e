//! What must hold for any configuration, over arbitrary variables, over the committed corpus of the fuzz target and over what
//! is near it.

#![expect(clippy::panic, reason = "a property that is broken fails the test")]

#[path = "hostile/configuration.rs"]
mod configuration;
#[expect(
    dead_code,
    reason = "what is near an input is made in its own way here"
)]
#[path = "../../../fuzz/corpus.rs"]
mod corpus;

use std::sync::LazyLock;

use peer_kit::config::variable::VARIABLES;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::FileFailurePersistence;

use crate::configuration::configuration;
use crate::corpus::{Inputs, Property, all_keep, corpus};

/// The inputs of the corpus.
static CORPUS: LazyLock<[(Property, Inputs); 1]> =
    LazyLock::new(|| [(configuration, corpus("configuration"))]);

#[test]
fn every_input_of_the_corpus_keeps_its_property() {
    all_keep(&*CORPUS);
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
        let [(_, inputs)] = &*CORPUS;
        let mut input = String::from_utf8_lossy(&first.get(inputs).1).into_owned();
        for (variable, kind, value) in changes {
            let suffix = if kind < 16 { "_FILE" } else { "" };
            input.push_str(&format!("\n{}{suffix}={value}", VARIABLES[variable].name));
        }
        configuration(input.as_bytes());
    }
}
