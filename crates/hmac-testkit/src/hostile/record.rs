//! Stored records.

use hmac_auth::credential::Credential;
use hmac_auth::record::{decode, encode};

/// Takes a stored value. It is a record or corrupt; a record that was read is the same after it was written and read again, and
/// shows no more than the beginning of its hash.
///
/// # Panics
/// Where that does not hold.
pub fn record(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let Ok(credential) = decode(text) else { return };
    let hash = credential.secret_hash.expose();
    assert!(text.contains(hash), "a hash that was not stored");
    assert!(
        !format!("{credential:?}").contains(&hash[8..]),
        "a hash is shown"
    );

    let written = encode(&credential);
    let again = decode(&written);
    let is_same = again
        .as_ref()
        .is_ok_and(|again| same(again, &credential) && *encode(again) == *written);
    assert!(is_same, "{again:?} was {credential:?}");
}

fn same(left: &Credential, right: &Credential) -> bool {
    let times = |credential: &Credential| {
        (
            credential.created_at,
            credential.updated_at,
            credential.expires_at,
        )
    };
    left.secret_hash.matches(&right.secret_hash)
        && times(left) == times(right)
        && left.allowed_ips.rules() == right.allowed_ips.rules()
        && left.allowed_ips.is_empty() == right.allowed_ips.is_empty()
        && left.allowed_ips.denies_everyone() == right.allowed_ips.denies_everyone()
}
