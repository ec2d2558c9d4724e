//! base64url without padding (RFC 7515, section 2), and SHA-256 in it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest;

/// Encodes without padding.
pub(crate) fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Decodes the one spelling of some bytes: no padding, no white space, no bits left over.
pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

/// Decodes exactly `N` bytes.
pub(crate) fn decode_exactly<const N: usize>(text: &str) -> Option<[u8; N]> {
    // A longer text is not decoded at all.
    (text.len() == (N * 4).div_ceil(3))
        .then(|| decode(text)?.try_into().ok())
        .flatten()
}

/// The SHA-256 of `bytes`: 43 characters.
pub(crate) fn sha256(bytes: impl AsRef<[u8]>) -> String {
    encode(digest::digest(&digest::SHA256, bytes.as_ref()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn other_spellings_are_refused() {
        assert_eq!(decode("AQ"), Some(vec![1]));
        for wrong in ["AQ==", "AQ=", "AR", "A", " AQ", "AQ\n", "+/8", "A.Q"] {
            assert_eq!(decode(wrong), None, "{wrong}");
        }
        assert_eq!(decode_exactly::<1>("AQ"), Some([1]));
        assert_eq!(decode_exactly::<2>("AQ"), None);
        assert_eq!(decode_exactly::<32>(&encode([0; 33])), None);
        assert_eq!(decode_exactly::<32>(&encode([0; 31])), None);
    }

    proptest! {
        #[test]
        fn what_is_decoded_is_encoded_the_same(text in "[A-Za-z0-9_=-]{0,12}") {
            if let Some(bytes) = decode(&text) {
                prop_assert_eq!(encode(bytes), text);
            }
        }
    }
}
