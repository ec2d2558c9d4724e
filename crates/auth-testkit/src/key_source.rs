//! What every [`KeySource`] must do; [`crate::key_source_cases`] makes a test of each case.
#![expect(clippy::expect_used, reason = "a conformance suite fails by panicking")]

use jwt_auth::{KeySource, PublicJwk};

/// Makes a test of each case. The expression makes a source and tells two keys that it knows:
/// `key_source_cases!(memory, (source(), keys()));`.
#[macro_export]
macro_rules! key_source_cases {
    ($implementation:ident, $make:expr) => {
        $crate::cases! {
            $implementation, $make, key_source {
                a_key_is_found_by_its_kid,
                an_unknown_key_is_none,
                any_kid_is_answered,
            }
        }
    };
}

/// Each key is found under its own `kid`.
pub async fn a_key_is_found_by_its_kid((source, keys): (impl KeySource, [PublicJwk; 2])) {
    for key in &keys {
        let found = source.key(key.kid()).await.expect("the source answers");
        let found = found.expect("the key is known");
        assert_eq!((&found, found.kid()), (key, key.kid()));
    }
}

/// What nobody is called is absent, and no error.
pub async fn an_unknown_key_is_none((source, keys): (impl KeySource, [PublicJwk; 2])) {
    let kid = keys[0].kid();
    let near = [kid.to_lowercase(), kid.to_uppercase(), format!("{kid} ")];
    let near = near.iter().map(String::as_str).chain([&kid[1..], "nobody"]);
    for other in near.filter(|other| keys.iter().all(|key| key.kid() != *other)) {
        let found = source.key(other).await.expect("the source answers");
        assert_eq!(found, None, "{other:?}");
    }
}

/// A `kid` is written by whoever sends a token.
pub async fn any_kid_is_answered((source, _): (impl KeySource, [PublicJwk; 2])) {
    let long = "k".repeat(256);
    for kid in [
        "",
        " ",
        "\0",
        "\n",
        "../../etc/passwd",
        "%2e%2e",
        "*",
        "'; --",
        "é",
        &long,
    ] {
        let found = source.key(kid).await.expect("the source answers");
        assert_eq!(found, None, "{kid:?}");
    }
}
