//! A data key that only a key provider can read: what stands in a configuration instead of the key itself.
//!
//! The text is `kms:<name of the wrapping key>:<check>:<wrapped>`, the last two in base64url. It is no secret. The check is a
//! part of a digest of the data key: a provider that unwraps to anything else is found out, before a secret is sealed with
//! what nobody can make again.

use std::fmt;

use auth_base::random::{Random, SystemRandom};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use crate::error::KmsError;
use crate::key_id::KeyId;
use crate::key_management::KeyManagement;
use crate::wrapping_key::{MAX_WRAPPED_BYTES, is_wrapped_text};

/// What the text begins with.
pub const PREFIX: &str = "kms:";

const CHECK_BYTES: usize = 16;
const LABEL: &[u8] = b"hmac-mesh data key check\0";

/// A data key of 32 bytes, wrapped.
#[derive(Clone, PartialEq, Eq)]
pub struct WrappedKey {
    kid: KeyId,
    check: [u8; CHECK_BYTES],
    wrapped: String,
}

/// The text is no wrapped key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidWrappedKey {
    /// It is none at all.
    #[error("a wrapped key is kms:<key>:<check>:<wrapped>, as `kms-server wrap` prints it")]
    Malformed,
    /// A name with a colon or a comma cannot stand in it.
    #[error("the name of a wrapping key has no colon and no comma")]
    Name,
}

impl WrappedKey {
    /// Makes a data key, and has it wrapped with the key `kid`. The data key itself is forgotten.
    ///
    /// # Errors
    /// What `kms` answers; [`KmsError::Unsupported`] for a name that cannot stand in the text.
    pub async fn make(kms: &dyn KeyManagement, kid: &KeyId) -> Result<Self, KmsError> {
        if !is_plain_name(kid) {
            return Err(KmsError::Unsupported("such a name for a wrapping key"));
        }
        let mut key = Zeroizing::new([0; 32]);
        SystemRandom.fill(&mut *key);
        Ok(Self {
            wrapped: kms.wrap(kid, &*key).await?,
            check: check(&*key),
            kid: kid.clone(),
        })
    }

    /// Reads the text.
    ///
    /// # Errors
    /// [`InvalidWrappedKey`].
    pub fn parse(text: &str) -> Result<Self, InvalidWrappedKey> {
        let malformed = InvalidWrappedKey::Malformed;
        let parts = text.strip_prefix(PREFIX).ok_or(malformed)?;
        let mut parts = parts.split(':');
        let (Some(kid), Some(check), Some(wrapped), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(malformed);
        };
        let kid = KeyId::parse(kid).map_err(|_| malformed)?;
        if !is_plain_name(&kid) {
            return Err(InvalidWrappedKey::Name);
        }
        if wrapped.len() > MAX_WRAPPED_BYTES * 2 {
            return Err(malformed);
        }
        let decode = |text: &str| URL_SAFE_NO_PAD.decode(text).map_err(|_| malformed);
        let check = decode(check)?.try_into().map_err(|_| malformed)?;
        let wrapped = String::from_utf8(decode(wrapped)?).map_err(|_| malformed)?;
        match is_wrapped_text(&wrapped) {
            true => Ok(Self {
                kid,
                check,
                wrapped,
            }),
            false => Err(malformed),
        }
    }

    /// The name of the key that it is wrapped with.
    pub fn kid(&self) -> &KeyId {
        &self.kid
    }

    /// The data key, as `kms` unwraps it.
    ///
    /// # Errors
    /// What `kms` answers; [`KmsError::WrongWrapping`] when that is not the key that was wrapped.
    pub async fn open(&self, kms: &dyn KeyManagement) -> Result<Zeroizing<[u8; 32]>, KmsError> {
        let plain = kms.unwrap(&self.kid, &self.wrapped).await?;
        let wrong = || KmsError::WrongWrapping(self.kid.clone());
        let key = <[u8; 32]>::try_from(plain.as_slice());
        let key = Zeroizing::new(key.map_err(|_| wrong())?);
        match check(&*key).ct_eq(&self.check).into() {
            true => Ok(key),
            false => Err(wrong()),
        }
    }
}

/// The others would not be found again in a list of keys.
fn is_plain_name(kid: &KeyId) -> bool {
    !kid.as_str().contains([':', ','])
}

fn check(key: &[u8]) -> [u8; CHECK_BYTES] {
    let digest = Sha256::new()
        .chain_update(LABEL)
        .chain_update(key)
        .finalize();
    let mut check = [0; CHECK_BYTES];
    check.copy_from_slice(&digest[..CHECK_BYTES]);
    check
}

impl fmt::Display for WrappedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let check = URL_SAFE_NO_PAD.encode(self.check);
        let wrapped = URL_SAFE_NO_PAD.encode(&self.wrapped);
        write!(f, "{PREFIX}{}:{check}:{wrapped}", self.kid)
    }
}

impl fmt::Debug for WrappedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WrappedKey({})", self.kid)
    }
}
