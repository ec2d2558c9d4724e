//! Texts that carry what is written in them, and are stored nowhere: a prefix, and the base64url form of the claims and of their
//! HMAC-SHA256 under a key that one service has.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use subtle::{Choice, ConstantTimeEq as _};
use zeroize::Zeroizing;

/// Bytes of a key, and of a proof.
const KEY: usize = 32;

/// A kind of such texts, with claims of `N` bytes.
pub(crate) struct Sealed<const N: usize> {
    /// What each begins with.
    pub(crate) prefix: &'static str,
    /// Keeps a proof of one kind from being one of another.
    pub(crate) label: &'static [u8],
}

impl<const N: usize> Sealed<N> {
    /// Characters after the prefix.
    pub(crate) const CHARACTERS: usize = ((N + KEY) * 4).div_ceil(3);

    /// Writes claims: the same text at each call.
    pub(crate) fn seal(&self, key: &[u8; KEY], claims: &[u8; N]) -> Zeroizing<String> {
        let mut bytes = Zeroizing::new(Vec::with_capacity(N + KEY));
        bytes.extend_from_slice(claims);
        bytes.extend_from_slice(&*self.proof(key, claims));
        let length = self.prefix.len() + Self::CHARACTERS;
        let mut text = Zeroizing::new(String::with_capacity(length));
        text.push_str(self.prefix);
        URL_SAFE_NO_PAD.encode_string(bytes.as_slice(), &mut text);
        text
    }

    /// Tells the claims of a text that one of `keys` has sealed, and `None` of everything else: a text has one form only.
    pub(crate) fn open<'a>(
        &self,
        keys: impl IntoIterator<Item = &'a Zeroizing<[u8; KEY]>>,
        presented: &str,
    ) -> Option<Zeroizing<[u8; N]>> {
        let text = presented.strip_prefix(self.prefix)?;
        if text.len() != Self::CHARACTERS {
            return None;
        }
        let bytes = Zeroizing::new(URL_SAFE_NO_PAD.decode(text).ok()?);
        let (claims, presented) = bytes.split_at_checked(N)?;
        let claims = Zeroizing::new(<[u8; N]>::try_from(claims).ok()?);
        let mut is_genuine = Choice::from(0);
        for key in keys {
            is_genuine |= self.proof(key, &claims).ct_eq(presented);
        }
        bool::from(is_genuine).then_some(claims)
    }

    #[expect(
        clippy::expect_used,
        reason = "HMAC takes keys of any length: there is no such error"
    )]
    fn proof(&self, key: &[u8; KEY], claims: &[u8; N]) -> Zeroizing<[u8; KEY]> {
        let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
        mac.update(self.label);
        mac.update(claims);
        Zeroizing::new(mac.finalize().into_bytes().into())
    }
}
