//! The four headers of a signed request as they arrive: present once, not blank, readable (wire contract 1.3, checks 1 to 5).

use crate::credential::{ClientId, has_control};
use crate::header::{self, Headers};
use crate::rejection::Rejection;

const MAX_NONCE_BYTES: usize = 256;

/// What the four headers say.
pub(crate) struct SignedHead<'a> {
    /// `None` for an id that nobody can have (too long, not text): unknown in its turn, not missing.
    pub(crate) client_id: Option<ClientId>,
    pub(crate) signature: &'a [u8],
    pub(crate) timestamp_ms: i64,
    pub(crate) nonce: &'a str,
}

impl<'a> SignedHead<'a> {
    /// Runs checks 1 to 5, in their order.
    pub(crate) fn read<H: Headers>(headers: &'a H) -> Result<Self, Rejection> {
        let client_id = only_value(headers, header::CLIENT_ID).ok_or(Rejection::MissingClientId)?;
        let client_id = std::str::from_utf8(client_id).ok();
        if client_id.is_some_and(|client_id| client_id.trim().is_empty()) {
            return Err(Rejection::MissingClientId);
        }
        let signature =
            only_value(headers, header::SIGNATURE).ok_or(Rejection::MissingSignature)?;
        let timestamp =
            only_value(headers, header::TIMESTAMP).ok_or(Rejection::MissingTimestamp)?;
        let nonce = only_value(headers, header::NONCE)
            .and_then(parse_nonce)
            .ok_or(Rejection::MissingNonce)?;
        let timestamp_ms = std::str::from_utf8(timestamp)
            .ok()
            .and_then(parse_timestamp)
            .ok_or(Rejection::InvalidTimestamp)?;
        Ok(Self {
            client_id: client_id.and_then(|client_id| ClientId::parse(client_id.trim()).ok()),
            signature,
            timestamp_ms,
            nonce,
        })
    }
}

/// Reads `x-timestamp`: a decimal integer of epoch milliseconds that fits 64 bits. White space around it is no part of a
/// header's value. (The original takes whatever JavaScript reads as a finite number.)
pub fn parse_timestamp(text: &str) -> Option<i64> {
    let text = text.trim_ascii();
    let digits = text.strip_prefix('-').unwrap_or(text);
    let decimal = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    decimal.then(|| text.parse().ok()).flatten()
}

fn only_value<'a, H: Headers>(headers: &'a H, name: &'static str) -> Option<&'a [u8]> {
    let mut values = headers.values(name);
    let value = values.next()?.trim_ascii();
    (values.next().is_none() && !value.is_empty()).then_some(value)
}

fn parse_nonce(nonce: &[u8]) -> Option<&str> {
    let nonce = std::str::from_utf8(nonce).ok()?;
    (nonce.len() <= MAX_NONCE_BYTES && !has_control(nonce)).then_some(nonce)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_timestamp_is_an_integer_or_refused(text: String) {
            parse_timestamp(&text);
        }

        #[test]
        fn every_integer_is_read_back(timestamp: i64) {
            prop_assert_eq!(parse_timestamp(&format!(" {timestamp}\t")), Some(timestamp));
        }

        #[test]
        fn any_headers_are_read_or_refused(pairs in proptest::collection::vec(
            ("x-(client-id|signature|timestamp|nonce)", proptest::collection::vec(any::<u8>(), 0..300)), 0..6,
        )) {
            if let Ok(head) = SignedHead::read(&pairs) {
                prop_assert!(head.nonce.len() <= MAX_NONCE_BYTES);
                prop_assert_eq!(pairs.len(), 4);
            }
        }
    }
}
