//! Key sets.

use std::collections::HashSet;

use jwt_auth::Jwks;
use jwt_auth::jwks::MAX_KEYS;
use serde_json::Value;

use crate::hostile::jwk::same;

/// Takes a key set. It is refused, or each listed key is used or skipped for a reason; what is used has a name of its own, is
/// found by it, and is published without a private member.
///
/// # Panics
/// Where that does not hold.
pub fn jwks(bytes: &[u8]) {
    let Ok((set, skipped)) = Jwks::parse_and_tell(bytes) else {
        return;
    };
    let given: Value = serde_json::from_slice(bytes).unwrap_or_default();
    let listed = given["keys"].as_array().map_or(0, Vec::len);
    assert_eq!(set.keys().len() + skipped.len(), listed);
    assert!(listed <= MAX_KEYS);
    let names: HashSet<&str> = set.keys().iter().map(|key| key.kid()).collect();
    assert_eq!(names.len(), set.keys().len(), "two keys of one name");
    for key in set.keys() {
        same(key);
        assert_eq!(set.find(key.kid()), Some(key));
    }
    let published = set.to_json();
    for key in published["keys"].as_array().into_iter().flatten() {
        let members = key.as_object().into_iter().flat_map(|key| key.keys());
        for name in members {
            let public = ["alg", "crv", "kid", "kty", "use", "x", "y"];
            assert!(public.contains(&name.as_str()), "{name} is published");
        }
    }
    let again = Jwks::parse(published.to_string().as_bytes());
    assert!(again.is_err() || again == Ok(set), "{published}");
}
