//! A compact JWS (RFC 7515, section 7.1), taken apart once and believed in nothing.

use serde_json::{Map, Value};

use crate::algorithm::Algorithm;
use crate::open_error::OpenError;
use crate::public_jwk::{MAX_KID_BYTES, PublicJwk};
use crate::{encoding, strict_json};

/// The parts of a token.
pub(crate) struct Compact<'a> {
    header: Map<String, Value>,
    signed: &'a str,
    payload: &'a str,
    signature: &'a str,
}

impl<'a> Compact<'a> {
    /// Takes a token of at most `most` bytes apart, and reads its header.
    pub(crate) fn read(token: &'a str, most: usize) -> Result<Self, OpenError> {
        if token.len() > most {
            return Err(OpenError::TooLarge);
        }
        let malformed = || OpenError::Malformed;
        let (signed, signature) = token.rsplit_once('.').ok_or_else(malformed)?;
        let (header, payload) = signed.split_once('.').ok_or_else(malformed)?;
        if payload.contains('.') {
            return Err(OpenError::Malformed);
        }
        let header = encoding::decode(header).ok_or_else(malformed)?;
        let header = strict_json::object(&header).map_err(|fault| match fault {
            strict_json::Fault::Syntax => OpenError::Malformed,
            strict_json::Fault::Twice => OpenError::HeaderTwice,
        })?;
        if header.contains_key("crit") || header.contains_key("b64") {
            return Err(OpenError::Extension);
        }
        Ok(Self {
            header,
            signed,
            payload,
            signature,
        })
    }

    /// `typ`: absent, or a text.
    pub(crate) fn typ(&self) -> Result<Option<&str>, OpenError> {
        match self.header.get("typ") {
            None => Ok(None),
            Some(Value::String(typ)) => Ok(Some(typ)),
            Some(_) => Err(OpenError::Type),
        }
    }

    /// `alg`, if it is one of ours.
    pub(crate) fn algorithm(&self) -> Result<Algorithm, OpenError> {
        let name = self.header.get("alg").and_then(Value::as_str);
        name.and_then(Algorithm::parse).ok_or(OpenError::Algorithm)
    }

    /// `kid`: absent, or a text that a key can have.
    pub(crate) fn kid(&self) -> Result<Option<&str>, OpenError> {
        match self.header.get("kid") {
            None => Ok(None),
            Some(Value::String(kid)) if (1..=MAX_KID_BYTES).contains(&kid.len()) => Ok(Some(kid)),
            Some(_) => Err(OpenError::KeyId),
        }
    }

    /// `jwk`, if it is an object.
    pub(crate) fn jwk(&self) -> Option<&Map<String, Value>> {
        self.header.get("jwk").and_then(Value::as_object)
    }

    /// Verifies the signature with `key`, whose algorithm must be that of the header.
    pub(crate) fn verify(&self, key: &PublicJwk) -> Result<(), OpenError> {
        if self.algorithm()? != key.algorithm() {
            return Err(OpenError::AlgorithmOfKey);
        }
        let signature = encoding::decode_exactly::<64>(self.signature);
        let signature = signature.ok_or(OpenError::Signature)?;
        let verified = key.verify(self.signed.as_bytes(), &signature);
        verified.map_err(|_| OpenError::Signature)
    }

    /// The claims. Before [`Self::verify`] nobody has said them.
    pub(crate) fn claims(&self) -> Result<Map<String, Value>, OpenError> {
        let payload = encoding::decode(self.payload).ok_or(OpenError::Claims)?;
        strict_json::object(&payload).map_err(|fault| match fault {
            strict_json::Fault::Syntax => OpenError::Claims,
            strict_json::Fault::Twice => OpenError::ClaimTwice,
        })
    }
}
