//! Request targets: the path that is signed, and what the verifier refuses.

use hmac_auth::canonical::{normalize_received_target, normalize_target};
use url::Url;

/// Takes a request target. The signed form is what the `url` crate makes of it, the fast path included; the verifier refuses
/// exactly what would go elsewhere, agrees with the signer on all else, and leaves every segment what it was.
///
/// # Panics
/// Where that does not hold.
pub fn path(bytes: &[u8]) {
    let Ok(target) = std::str::from_utf8(bytes) else {
        return;
    };
    let expected = by_the_url_crate(target);
    let signed = normalize_target(target).ok();
    assert_eq!(
        signed.as_deref(),
        expected.as_deref(),
        "the signed form of {target:?}"
    );

    let received = normalize_received_target(target).ok();
    let refused = expected.is_none() || goes_elsewhere(target);
    assert_eq!(received.is_none(), refused, "whether {target:?} is refused");
    let Some(received) = received else { return };
    assert_eq!(
        Some(&received),
        signed.as_ref(),
        "signer and verifier on {target:?}"
    );
    let again = normalize_received_target(&received).ok();
    assert_eq!(again.as_ref(), Some(&received), "{target:?} a second time");
    assert_eq!(
        normalize_target(&received).ok(),
        again,
        "{target:?} a second time"
    );
    assert_eq!(
        segments(&received),
        segments(target),
        "the route of {target:?}"
    );
}

/// `pathname + search` as the URL standard resolves a reference against `http://localhost`.
fn by_the_url_crate(target: &str) -> Option<String> {
    let start = target.trim_start_matches(|character| character <= ' ');
    let mut rest = start
        .chars()
        .filter(|character| !matches!(character, '\t' | '\n' | '\r'));
    let names_authority = matches!(
        (rest.next(), rest.next()),
        (Some('/' | '\\'), Some('/' | '\\'))
    );
    // As an absolute URL: of a reference with more than two slashes the crate makes something else than the standard.
    let url = match names_authority {
        true => Url::parse(&format!("http:{start}")),
        false => Url::parse("http://localhost").and_then(|base| base.join(target)),
    };
    let url = url.ok()?;
    let query = url.query().filter(|query| !query.is_empty());
    Some(query.map_or_else(
        || url.path().to_owned(),
        |query| format!("{}?{query}", url.path()),
    ))
}

fn goes_elsewhere(target: &str) -> bool {
    let path = target.split('?').next().unwrap_or_default();
    let is_relative = !path.is_empty() && !path.starts_with('/');
    let is_dot = |segment: &str| {
        matches!(
            segment.to_ascii_lowercase().replace("%2e", ".").as_str(),
            "." | ".."
        )
    };
    is_relative
        || path.starts_with("//")
        || path.contains('\\')
        || path.split('/').any(is_dot)
        || target.contains(|character| character <= ' ' || character == '#')
}

/// The segments as a router sees them, percent signs decoded.
fn segments(target: &str) -> Vec<Vec<u8>> {
    let path = target.split('?').next().unwrap_or_default();
    let path = if path.is_empty() { "/" } else { path };
    path.split('/').map(decoded).collect()
}

fn decoded(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let digits = after
            .get(..2)
            .filter(|digits| *first == b'%' && digits.iter().all(u8::is_ascii_hexdigit));
        let digits = digits.and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    bytes
}
