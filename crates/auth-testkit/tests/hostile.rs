//! What must hold for whatever comes from outside (`auth_testkit::hostile`), over arbitrary bytes, over the committed corpus of
//! the fuzz targets, and over what is near it.

#![expect(clippy::panic, reason = "a property that is broken fails the test")]

#[path = "../../../fuzz/corpus.rs"]
mod corpus;

use std::sync::LazyLock;
use std::time::Duration;

use auth_testkit::hostile::{self, PROPERTIES, Property};
use proptest::prelude::*;
use proptest::sample::Index;

use crate::corpus::{Inputs, all_keep, busy, cases, corpus, near};

/// The inputs that are kept of each property's fuzz target.
static CORPUS: LazyLock<Vec<(Property, Inputs)>> = LazyLock::new(|| {
    let read = PROPERTIES
        .iter()
        .map(|(name, property)| (*property, corpus(name)));
    read.collect()
});

#[test]
fn every_input_of_the_corpus_keeps_its_property() {
    all_keep(&CORPUS);
}

/// Each is what takes a careless parser time that grows with the square of the length.
#[test]
fn an_input_as_large_as_can_be_is_done_with_in_time() {
    const LENGTH: usize = 64 * 1024;
    let filled = |piece: &str| piece.repeat(LENGTH / piece.len());
    let inputs: Vec<(Property, String)> = vec![
        (hostile::jwt, filled(".")),
        (hostile::kms_config, filled("${A")),
        (hostile::kms_config, format!("{{{}", filled("\"a\":1,"))),
        (
            hostile::kms_config,
            format!("{{\"a\":\"{}\"}}", filled("${A}${B1}")),
        ),
        (
            hostile::kms_config,
            format!("{{{}\"b\":1}}", filled("\"a\":1,")),
        ),
        (hostile::jwt, filled("e30.")),
        (hostile::jwt, format!("{{\"a\":{}", filled("["))),
        (hostile::jwt, format!("{{}}\n{}", filled("{\"a\":"))),
        (hostile::authorization, format!("Bearer {}", filled(" "))),
        (hostile::authorization, filled("DPoP a\n")),
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
        (hostile::sign_in, filled("a@")),
        (hostile::sign_in, filled("\u{301}")),
        (hostile::sign_in, filled("viewer,")),
    ];
    for (property, input) in inputs {
        let before = busy();
        property(input.as_bytes());
        let took = busy().saturating_sub(before);
        let beginning: String = input.chars().take(60).collect();
        assert!(took < Duration::from_secs(10), "{took:?}: {beginning}...");
    }
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
