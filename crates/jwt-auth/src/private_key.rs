//! Private keys in memory: wiped on drop, never shown.
//!
//! A key is kept in its one PKCS#8 form. Ed25519 comes in version 1 (what OpenSSL writes) and version 2 (what ring writes,
//! RFC 8410); P-256 with its public key inside, as OpenSSL, Node and Python write it: ring cannot compute that.

use std::fmt;

use auth_base::secret::Secret;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _,
};
use serde_json::Value;
use zeroize::Zeroizing;

use crate::algorithm::Algorithm;
use crate::public_jwk::{self, InvalidJwk, PublicJwk};
use crate::{der, encoding};

/// Why something is not taken as a private key. Nothing of the key is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidPrivateKey {
    /// It is no unencrypted PKCS#8 of Ed25519 or P-256 (with the public key in it), or its halves do not belong together.
    #[error("it is no unencrypted PKCS#8 of an Ed25519 or P-256 key whose halves belong together")]
    Pkcs8,
    /// It is no JWK with a good public half.
    #[error("it is no private key as a JWK: {0}")]
    Jwk(#[from] InvalidJwk),
    /// The private member `d` is not the base64url of 32 bytes, or does not belong to the public half.
    #[error("d is not the base64url of 32 bytes that belong to the public half")]
    PrivateMember,
    /// The system gave no randomness.
    #[error("the system gave no randomness")]
    Random,
}

/// A private key.
pub struct PrivateKey {
    pkcs8: Zeroizing<Vec<u8>>,
    public: PublicJwk,
}

/// A key that is ready to sign, as ring holds it.
pub(crate) enum Pair {
    Ed25519(Ed25519KeyPair),
    P256(EcdsaKeyPair),
}

impl PrivateKey {
    /// Makes a new key from the system's randomness.
    ///
    /// # Errors
    /// [`InvalidPrivateKey::Random`].
    pub fn generate(algorithm: Algorithm) -> Result<Self, InvalidPrivateKey> {
        let random = SystemRandom::new();
        let made = match algorithm {
            Algorithm::EdDsa => Ed25519KeyPair::generate_pkcs8(&random),
            Algorithm::Es256 => {
                EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random)
            }
        };
        let made = made.map_err(|_| InvalidPrivateKey::Random)?;
        Self::from_pkcs8(made.as_ref())
    }

    /// Reads an unencrypted PKCS#8 in DER (RFC 5958).
    ///
    /// # Errors
    /// [`InvalidPrivateKey::Pkcs8`].
    pub fn from_pkcs8(der: &[u8]) -> Result<Self, InvalidPrivateKey> {
        let pair = Pair::of(der).ok_or(InvalidPrivateKey::Pkcs8)?;
        let public = pair.public().ok_or(InvalidPrivateKey::Pkcs8)?;
        let number = match pair {
            Pair::Ed25519(_) => der::ed25519_seed(der),
            Pair::P256(_) => der::p256_number(der),
        };
        let number = number.ok_or(InvalidPrivateKey::Pkcs8)?;
        Self::of(&number, public).ok_or(InvalidPrivateKey::Pkcs8)
    }

    /// Reads a private JWK (RFC 7518, section 6.2.2; RFC 8037, section 2).
    ///
    /// # Errors
    /// [`InvalidPrivateKey`] says what is wrong, and nothing of the key.
    pub fn from_jwk(json: &[u8]) -> Result<Self, InvalidPrivateKey> {
        let mut members = public_jwk::members(json)?;
        let private = match members.remove("d") {
            Some(Value::String(text)) => Zeroizing::new(text),
            _ => return Err(InvalidPrivateKey::PrivateMember),
        };
        // WebCrypto says what a private key is for: not for verifying.
        members.remove("key_ops");
        let public = PublicJwk::from_members(&members)?;
        let number = encoding::decode_exactly::<32>(&private).map(Zeroizing::new);
        let number = number.ok_or(InvalidPrivateKey::PrivateMember)?;
        Self::of(&number, public).ok_or(InvalidPrivateKey::PrivateMember)
    }

    /// Calls the key `kid` instead of its thumbprint.
    ///
    /// # Errors
    /// [`InvalidJwk::Kid`].
    pub fn with_kid(self, kid: &str) -> Result<Self, InvalidJwk> {
        let public = self.public.with_kid(kid)?;
        Ok(Self { public, ..self })
    }

    /// The public half.
    pub fn public(&self) -> &PublicJwk {
        &self.public
    }

    /// Reveals the key as PKCS#8 in DER. Every call of this is a place to look at in a review.
    pub fn expose_pkcs8(&self) -> &[u8] {
        &self.pkcs8
    }

    /// Reveals the key as a private JWK.
    pub fn expose_jwk(&self) -> Secret {
        let number = match self.public.algorithm() {
            Algorithm::EdDsa => der::ed25519_seed(&self.pkcs8),
            Algorithm::Es256 => der::p256_number(&self.pkcs8),
        };
        let number = Zeroizing::new(encoding::encode(number.unwrap_or_default().as_slice()));
        let mut text = Value::Object(self.public.required_members()).to_string();
        // The text ends with the brace of an object that has members.
        text.pop();
        Secret::new(format!("{text},\"d\":\"{}\"}}", *number))
    }

    /// Gets ready to sign. ring keeps a copy of its own, which it does not wipe.
    pub(crate) fn pair(&self) -> Option<Pair> {
        Pair::of(&self.pkcs8)
    }

    /// Brings the private number into the one form, if it is that of `public`.
    fn of(number: &[u8; 32], public: PublicJwk) -> Option<Self> {
        let pkcs8 = match public.coordinates() {
            (_, None) => der::write_ed25519_pkcs8(number),
            (x, Some(y)) => der::write_p256_pkcs8(number, x, y),
        };
        let belongs = Pair::of(&pkcs8)?.public()? == public;
        belongs.then_some(Self { pkcs8, public })
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PrivateKey")
            .field("kid", &self.public.kid())
            .finish_non_exhaustive()
    }
}

impl Pair {
    fn of(pkcs8: &[u8]) -> Option<Self> {
        if let Ok(pair) = Ed25519KeyPair::from_pkcs8_maybe_unchecked(pkcs8) {
            return Some(Self::Ed25519(pair));
        }
        let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let pair = EcdsaKeyPair::from_pkcs8(algorithm, pkcs8, &SystemRandom::new());
        pair.ok().map(Self::P256)
    }

    /// ring computed or checked this half itself, so it is on the curve.
    fn public(&self) -> Option<PublicJwk> {
        match self {
            Self::Ed25519(pair) => {
                PublicJwk::ed25519(pair.public_key().as_ref().try_into().ok()?).ok()
            }
            Self::P256(pair) => {
                let (x, y) = pair.public_key().as_ref().get(1..)?.split_at_checked(32)?;
                PublicJwk::p256(x.try_into().ok()?, y.try_into().ok()?).ok()
            }
        }
    }

    /// Signs: 64 bytes, `R` and `S` of EdDSA, `r` and `s` of ECDSA. `None` when the system gave no randomness for ECDSA.
    pub(crate) fn sign(&self, input: &[u8]) -> Option<[u8; 64]> {
        let signature = match self {
            Self::Ed25519(pair) => pair.sign(input),
            Self::P256(pair) => pair.sign(&SystemRandom::new(), input).ok()?,
        };
        signature.as_ref().try_into().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `openssl genpkey -algorithm ED25519`: version 1. The key of RFC 8037, appendix A.
    const SEED: &str = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A";
    const X: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";

    fn seed() -> [u8; 32] {
        encoding::decode_exactly(SEED).unwrap()
    }

    #[test]
    fn both_versions_of_pkcs8_and_the_jwk_are_the_same_key() {
        let version_1 = der::write_ed25519_pkcs8(&seed());
        let x: [u8; 32] = encoding::decode_exactly(X).unwrap();
        let mut version_2 = version_1.to_vec();
        version_2[1] += 35;
        version_2[4] = 1;
        version_2.extend([0x81, 0x21, 0x00]);
        version_2.extend(x);
        let jwk = format!(r#"{{"kty":"OKP","crv":"Ed25519","d":"{SEED}","x":"{X}"}}"#);
        let keys = [
            PrivateKey::from_pkcs8(&version_1).unwrap(),
            PrivateKey::from_pkcs8(&version_2).unwrap(),
            PrivateKey::from_jwk(jwk.as_bytes()).unwrap(),
        ];
        for key in &keys {
            assert_eq!(key.expose_pkcs8(), &version_1[..]);
            assert_eq!(
                key.public().thumbprint(),
                "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k",
                "RFC 8037, appendix A.3"
            );
        }
        // The halves of version 2 must belong together.
        *version_2.last_mut().unwrap() ^= 1;
        assert_eq!(
            PrivateKey::from_pkcs8(&version_2).unwrap_err(),
            InvalidPrivateKey::Pkcs8
        );
    }

    #[test]
    fn every_form_is_read_back() {
        for algorithm in [Algorithm::EdDsa, Algorithm::Es256] {
            let key = PrivateKey::generate(algorithm).unwrap();
            let again = PrivateKey::from_jwk(key.expose_jwk().expose().as_bytes()).unwrap();
            assert_eq!(again.public(), key.public());
            assert_eq!(again.expose_pkcs8(), key.expose_pkcs8());
            let again = PrivateKey::from_pkcs8(key.expose_pkcs8()).unwrap();
            assert_eq!(again.public(), key.public());
            let signature = again.pair().unwrap().sign(b"input").unwrap();
            assert_eq!(key.public().verify(b"input", &signature), Ok(()));
            assert!(key.public().verify(b"other", &signature).is_err());
        }
    }

    #[test]
    fn halves_that_do_not_belong_together_are_refused() {
        for algorithm in [Algorithm::EdDsa, Algorithm::Es256] {
            let one = PrivateKey::generate(algorithm).unwrap().expose_jwk();
            let other = PrivateKey::generate(algorithm).unwrap().expose_jwk();
            let (_, d) = other.expose().split_once(",\"d\"").unwrap();
            let (public, _) = one.expose().split_once(",\"d\"").unwrap();
            let mixed = format!("{public},\"d\"{d}");
            assert_eq!(
                PrivateKey::from_jwk(mixed.as_bytes()).unwrap_err(),
                InvalidPrivateKey::PrivateMember
            );
            let public = format!("{public}}}");
            assert_eq!(
                PrivateKey::from_jwk(public.as_bytes()).unwrap_err(),
                InvalidPrivateKey::PrivateMember
            );
        }
    }

    #[test]
    fn nothing_of_a_key_is_shown() {
        let key = PrivateKey::from_pkcs8(&der::write_ed25519_pkcs8(&seed())).unwrap();
        let shown = format!("{key:?} {:?}", key.expose_jwk());
        assert!(!shown.contains(SEED) && !shown.contains("157"), "{shown}");
    }
}
