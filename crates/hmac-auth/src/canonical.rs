//! Which bytes are signed (wire contract 1.1): the path in its one form, the payload, and the digests.

use std::borrow::Cow;
use std::fmt::Write as _;

use sha2::{Digest, Sha256};
use url::Url;

use crate::secret_hash::SecretHash;

/// Hashes a body: `SHA-256` of its raw bytes in lower-case hex. An empty body has the digest of the empty string.
///
/// The original hashes a lossy decoding of what is not valid UTF-8; for everything else the two are the same.
pub fn hash_body(body: &[u8]) -> String {
    hex::encode(Sha256::digest(body))
}

/// Joins what is signed: `METHOD \n PATH \n TIMESTAMP \n NONCE \n hash_body`, the method in upper case, the path as
/// [`normalize_target`] returns it.
pub fn signing_payload(
    method: &str,
    path: &str,
    timestamp_ms: i64,
    nonce: &str,
    body_hash: &str,
) -> String {
    let mut payload = SigningHead::new(method, path, timestamp_ms, nonce).text;
    payload.push_str(body_hash);
    payload
}

/// Signs a payload: `HMAC-SHA256` in lower-case hex. The key is the 64-character text of the hash, not its 32 bytes.
pub fn sign_request(secret_hash: &SecretHash, payload: &str) -> String {
    hex::encode(secret_hash.sign(&[payload.as_bytes()]))
}

/// Brings a request target into the one form that is signed, PATH: `pathname + search` of the WHATWG URL that `target`
/// names when it is resolved against `http://localhost`, as Node 20 computes it: `^` stays, which today's standard encodes.
///
/// # Errors
/// [`InvalidTarget`] when it names none.
pub fn normalize_target(target: &str) -> Result<Cow<'_, str>, InvalidTarget> {
    if is_normal(target) {
        return Ok(Cow::Borrowed(target));
    }
    let base = Url::parse("http://localhost").map_err(|_| InvalidTarget)?;
    let url = base
        .join(&with_two_slashes(target))
        .map_err(|_| InvalidTarget)?;
    let mut path = url.path().to_owned();
    if let Some(query) = url.query().filter(|query| !query.is_empty()) {
        path.push('?');
        path.push_str(query);
    }
    Ok(Cow::Owned(path))
}

/// Brings a received request target into the form that is signed, and refuses one that this would send elsewhere: a dot
/// segment, a backslash or a fragment, an authority, a leading `//`, or white space. A router sees the target as it was
/// sent, so what was signed and what is served would differ (wire contract 1.1, deliberate refusal).
///
/// # Errors
/// [`InvalidTarget`] when the target is refused or cannot be normalised.
pub fn normalize_received_target(target: &str) -> Result<Cow<'_, str>, InvalidTarget> {
    if is_normal(target) {
        return Ok(Cow::Borrowed(target));
    }
    if changes_route(target) {
        return Err(InvalidTarget);
    }
    normalize_target(target)
}

/// The request target cannot be read as a URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the request target is not a valid URL")]
pub struct InvalidTarget;

/// A reference that starts with more than two slashes starts with two: so the URL standard says, and the `url` crate does
/// it for absolute URLs only.
fn with_two_slashes(target: &str) -> Cow<'_, str> {
    let start = target.trim_start_matches(|character| character <= ' ');
    let rest = start.trim_start_matches(['/', '\\', '\t', '\n', '\r']);
    let slashes = start
        .bytes()
        .take(start.len() - rest.len())
        .filter(|byte| matches!(byte, b'/' | b'\\'));
    if slashes.count() > 2 {
        Cow::Owned(format!("//{rest}"))
    } else {
        Cow::Borrowed(target)
    }
}

/// What is signed, but for the body's hash: `METHOD \n PATH \n TIMESTAMP \n NONCE \n`, in one allocation.
#[derive(Clone, Debug)]
pub(crate) struct SigningHead {
    text: String,
    method_end: usize,
    path_end: usize,
    nonce_start: usize,
}

impl SigningHead {
    pub(crate) fn new(method: &str, path: &str, timestamp_ms: i64, nonce: &str) -> Self {
        const TIMESTAMP_AND_HASH: usize = 20 + 64 + 4;
        let mut text =
            String::with_capacity(method.len() + path.len() + nonce.len() + TIMESTAMP_AND_HASH);
        if method.is_ascii() {
            text.push_str(method);
            text.make_ascii_uppercase();
        } else {
            text.push_str(&method.to_uppercase());
        }
        let method_end = text.len();
        text.push('\n');
        text.push_str(path);
        let path_end = text.len();
        // Writing into a `String` cannot fail.
        let _ = writeln!(text, "\n{timestamp_ms}");
        let nonce_start = text.len();
        text.push_str(nonce);
        text.push('\n');
        Self {
            text,
            method_end,
            path_end,
            nonce_start,
        }
    }

    pub(crate) fn method(&self) -> &str {
        &self.text[..self.method_end]
    }

    pub(crate) fn path(&self) -> &str {
        &self.text[self.method_end + 1..self.path_end]
    }

    pub(crate) fn timestamp(&self) -> &str {
        &self.text[self.path_end + 1..self.nonce_start - 1]
    }

    pub(crate) fn nonce(&self) -> &str {
        &self.text[self.nonce_start..self.text.len() - 1]
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.text.as_bytes()
    }
}

/// Reads 64 lower-case digits: the one spelling a signature has.
pub fn read_hex(text: &[u8]) -> Option<[u8; 32]> {
    let mut digest = [0; 32];
    let lower_case = !text.iter().any(u8::is_ascii_uppercase);
    (lower_case && hex::decode_to_slice(text, &mut digest).is_ok()).then_some(digest)
}

/// Tells quickly whether a target is already in normal form: an absolute path of plain ASCII without dot segments, and
/// a query, if any, that is not empty. A `false` only means that the long way must be gone.
fn is_normal(target: &str) -> bool {
    let bytes = target.as_bytes();
    if bytes.first() != Some(&b'/') || matches!(bytes.get(1), Some(b'/')) {
        return false;
    }
    let path_end = bytes
        .iter()
        .position(|&byte| byte == b'?')
        .unwrap_or(bytes.len());
    let (path, query) = bytes.split_at(path_end);
    all_stay(path, 1) && !has_dot_segment(path) && query.len() != 1 && all_stay(query, 2)
}

/// For each byte, whether it stays as it is in a path (bit 0) and in a query (bit 1).
const STAYS: [u8; 256] = {
    let mut stays = [0; 256];
    let mut byte = b'!';
    while byte <= b'~' {
        let nowhere = matches!(byte, b'"' | b'#' | b'<' | b'>');
        let in_path = !nowhere && !matches!(byte, b'?' | b'`' | b'{' | b'}' | b'\\');
        let in_query = !nowhere && byte != b'\'';
        stays[byte as usize] = in_path as u8 | (in_query as u8) << 1;
        byte += 1;
    }
    stays
};

fn all_stay(bytes: &[u8], bit: u8) -> bool {
    bytes
        .iter()
        .fold(bit, |all, &byte| all & STAYS[usize::from(byte)])
        != 0
}

fn has_dot_segment(path: &[u8]) -> bool {
    path.windows(2)
        .enumerate()
        .filter(|(_, pair)| matches!(pair, [b'/', b'.' | b'%']))
        .any(|(at, _)| {
            let rest = &path[at + 1..];
            is_dot_segment(rest.split(|&byte| byte == b'/').next().unwrap_or_default())
        })
}

/// `.` or `..`, each dot plain or as `%2e`.
fn is_dot_segment(segment: &[u8]) -> bool {
    fn strip_dot(segment: &[u8]) -> Option<&[u8]> {
        match segment {
            [b'.', rest @ ..] | [b'%', b'2', b'e' | b'E', rest @ ..] => Some(rest),
            _ => None,
        }
    }
    strip_dot(segment)
        .is_some_and(|rest| rest.is_empty() || strip_dot(rest).is_some_and(<[u8]>::is_empty))
}

fn changes_route(target: &str) -> bool {
    let bytes = target.as_bytes();
    let path_end = bytes
        .iter()
        .position(|&byte| byte == b'?')
        .unwrap_or(bytes.len());
    let path = &bytes[..path_end];
    let absolute = path.is_empty() || (path[0] == b'/' && path.get(1) != Some(&b'/'));
    !absolute
        || path.contains(&b'\\')
        || has_dot_segment(path)
        || bytes.iter().any(|&byte| byte <= b' ' || byte == b'#')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_fast_path_takes_plain_targets() {
        for target in [
            "/",
            "/a",
            "/a//b",
            "/.well-known/x?y='".trim_end_matches('\''),
            "/a?x=..",
        ] {
            assert!(is_normal(target), "{target}");
            assert!(
                matches!(normalize_target(target), Ok(Cow::Borrowed(_))),
                "{target}"
            );
        }
    }

    #[test]
    fn a_target_whose_route_would_change_is_refused() {
        for target in [
            "/a/../b",
            "/a/./b",
            "/..",
            "/.",
            "/%2e%2E/b",
            "/.%2e",
            "/a/%2E",
            "//host/a",
            "//",
            "///a",
            "/\\host/b",
            "/a\\b",
            "\\a",
            "http://h/p",
            "a/b",
            "a:b",
            "*",
            "/a#f",
            "/a?b#f",
            "/a\tb",
            " /a",
            "/a ",
            "/a?b\n",
        ] {
            assert_eq!(
                normalize_received_target(target),
                Err(InvalidTarget),
                "{target:?}"
            );
        }
    }

    #[test]
    fn a_target_that_is_only_spelled_otherwise_is_accepted() {
        for (target, path) in [
            ("", "/"),
            ("?x=1", "/?x=1"),
            ("/a?", "/a"),
            ("/é", "/%C3%A9"),
            ("/...", "/..."),
            ("/a?b=/../\\", "/a?b=/../\\"),
            ("/a{}", "/a%7B%7D"),
            ("/a^", "/a^"),
            ("/^é", "/^%C3%A9"),
            ("/.a/%2f", "/.a/%2f"),
            ("/a?b='", "/a?b=%27"),
        ] {
            assert_eq!(
                normalize_received_target(target).as_deref(),
                Ok(path),
                "{target:?}"
            );
        }
    }

    #[test]
    fn the_head_gives_back_its_parts() {
        let head = SigningHead::new("post", "/a?b", -7, "n");
        assert_eq!((head.method(), head.path()), ("POST", "/a?b"));
        assert_eq!((head.timestamp(), head.nonce()), ("-7", "n"));
        assert_eq!(head.text, "POST\n/a?b\n-7\nn\n");
    }

    #[test]
    fn hex_is_read_in_one_spelling() {
        let digest: [u8; 32] = std::array::from_fn(|at| (at * 9) as u8);
        let text = hex::encode(digest).into_bytes();
        assert_eq!(read_hex(&text), Some(digest));
        assert_eq!(read_hex(&text.to_ascii_uppercase()), None);
        assert_eq!(read_hex(&text[1..]), None);
        assert_eq!(read_hex(&[b'g'; 64]), None);
    }

    fn slow(target: &str) -> String {
        let url = Url::parse("http://localhost")
            .unwrap()
            .join(target)
            .unwrap();
        let query = url.query().filter(|query| !query.is_empty());
        query.map_or_else(
            || url.path().to_owned(),
            |query| format!("{}?{query}", url.path()),
        )
    }

    proptest! {
        #[test]
        fn any_target_is_normalised_or_refused(target: String) {
            let _ = normalize_target(&target);
            let _ = normalize_received_target(&target);
        }

        #[test]
        fn the_fast_path_is_the_long_way(target in "/[ -~]{0,12}|(/|\\.|%2e|%2E|a|\\?|%|\\\\){0,8}") {
            if is_normal(&target) {
                prop_assert_eq!(slow(&target), target);
            }
        }

        #[test]
        fn normalising_twice_changes_nothing(target in "/[a./%2eE?#é \\\\{}'\"^|:;]{0,16}") {
            if let Ok(path) = normalize_received_target(&target) {
                prop_assert_eq!(normalize_received_target(&path).unwrap(), path.as_ref());
            }
        }

        #[test]
        fn an_accepted_target_keeps_its_segments(target in "/?(a|/|\\.|%2e|%2E|\\?|#|é|\\\\| |\t|:|@|\\*|http){0,10}") {
            if let Ok(path) = normalize_received_target(&target) {
                let raw = target.split('?').next().unwrap().replace('é', "%C3%A9");
                let raw = if raw.is_empty() { "/".to_owned() } else { raw };
                prop_assert_eq!(path.split('?').next().unwrap(), raw);
            }
        }
    }
}
