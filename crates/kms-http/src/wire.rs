//! The bodies of the HTTP contract.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use jwt_auth::{Algorithm, PrivateKey, PublicJwk};
use kms::wrapping_key::is_wrapped_text;
use kms::{KeyId, KmsError};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::error::Complainant;

/// What stays as it is in one segment of a path (RFC 3986, section 2.3).
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// What a server says may be repeated up to so many characters.
const MAX_REPEATED: usize = 200;

#[derive(Deserialize)]
struct Made<'a> {
    #[serde(borrow, rename = "publicJwk")]
    public_jwk: Option<&'a RawValue>,
}

/// Whether a key says what it is called.
#[derive(Deserialize)]
struct Named {
    kid: Option<Value>,
}

#[derive(Deserialize)]
struct Signed {
    signature: Option<String>,
}

#[derive(Deserialize)]
struct Wrapped {
    wrapped: String,
}

/// A text of its own where it holds escapes.
#[derive(Deserialize)]
struct Unwrapped<'a> {
    #[serde(borrow)]
    data: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Healthy {
    ok: Option<bool>,
    #[serde(rename = "keyCount")]
    key_count: Option<u64>,
}

#[derive(Deserialize)]
struct Refused {
    error: Option<String>,
}

/// A name as one segment of a path.
pub(crate) fn segment(kid: &KeyId) -> String {
    utf8_percent_encode(kid.as_str(), SEGMENT).to_string()
}

pub(crate) fn generate_body(kid: &KeyId, algorithm: &str) -> Zeroizing<String> {
    Zeroizing::new(json!({ "kid": kid.as_str(), "alg": algorithm }).to_string())
}

pub(crate) fn wrap_body(plain: &[u8]) -> Zeroizing<String> {
    around(r#"{"data":""#, plain, r#""}"#)
}

/// The same for the Transit engine, with the first version of a key.
pub(crate) fn encrypt_body(plain: &[u8]) -> Zeroizing<String> {
    around(r#"{"key_version":1,"plaintext":""#, plain, r#""}"#)
}

/// Bytes in base64 within a body that is put together by hand, as [`import_body`].
fn around(before: &str, plain: &[u8], after: &str) -> Zeroizing<String> {
    let data = Zeroizing::new(STANDARD.encode(plain));
    let length = before.len() + data.len() + after.len();
    let mut body = Zeroizing::new(String::with_capacity(length));
    for part in [before, &data, after] {
        body.push_str(part);
    }
    body
}

pub(crate) fn unwrap_body(wrapped: &str) -> Zeroizing<String> {
    Zeroizing::new(json!({ "wrapped": wrapped }).to_string())
}

pub(crate) fn sign_body(algorithm: Algorithm, input: &[u8]) -> Zeroizing<String> {
    let data = STANDARD.encode(input);
    Zeroizing::new(json!({ "alg": algorithm.name(), "data": data }).to_string())
}

/// Put together by hand: a `Value` would leave the private key behind in memory.
pub(crate) fn import_body(key: &PrivateKey) -> Zeroizing<String> {
    let (alg, jwk) = (key.public().algorithm().name(), key.expose_jwk());
    // A text that grows leaves what it held behind.
    let mut body = Zeroizing::new(String::with_capacity(64 + jwk.expose().len()));
    for part in [r#"{"alg":""#, alg, r#"","privateJwk":"#, jwk.expose(), "}"] {
        body.push_str(part);
    }
    body
}

/// Reads `{publicJwk}`. A key that does not say what it is called is called as it was asked for.
pub(crate) fn public_jwk(
    body: &[u8],
    kid: &KeyId,
    complainant: &Complainant,
) -> Result<PublicJwk, KmsError> {
    let none = || complainant.unreadable("remote service returned no publicJwk");
    let made: Made<'_> = serde_json::from_slice(body).map_err(|_| none())?;
    let text = made.public_jwk.ok_or_else(none)?.get();
    let key = PublicJwk::parse(text.as_bytes()).map_err(KmsError::PublicKey)?;
    let named: Option<Named> = serde_json::from_str(text).ok();
    match named.and_then(|named| named.kid) {
        Some(_) => Ok(key),
        None => key.with_kid(kid.as_str()).map_err(KmsError::PublicKey),
    }
}

/// Reads `{signature}`: 64 bytes in base64url or base64, with padding or without.
pub(crate) fn signature(body: &[u8], complainant: &Complainant) -> Result<[u8; 64], KmsError> {
    let none = || complainant.unreadable("remote service returned empty signature");
    let signed: Signed = serde_json::from_slice(body).map_err(|_| none())?;
    let text = signed
        .signature
        .filter(|text| !text.is_empty())
        .ok_or_else(none)?;
    signature_of(&text, complainant)
}

/// Reads a signature of 64 bytes in any base64.
pub(crate) fn signature_of(text: &str, complainant: &Complainant) -> Result<[u8; 64], KmsError> {
    let lenient =
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let alphabets = [&base64::alphabet::URL_SAFE, &base64::alphabet::STANDARD];
    let read = alphabets.into_iter().find_map(|alphabet| {
        let engine = GeneralPurpose::new(alphabet, lenient);
        engine.decode(text).ok()
    });
    let bytes = read.ok_or_else(|| {
        complainant.unreadable("remote service returned a signature that is no base64")
    })?;
    let length = bytes.len();
    bytes
        .try_into()
        .map_err(|_| KmsError::SignatureLength(length))
}

/// Reads `{wrapped}`.
pub(crate) fn wrapped(body: &[u8], complainant: &Complainant) -> Result<String, KmsError> {
    let read: Option<Wrapped> = object(body);
    let wrapped = read.map(|it| it.wrapped).filter(|it| is_wrapped_text(it));
    wrapped.ok_or_else(|| complainant.unreadable("remote service returned nothing wrapped"))
}

/// Reads `{data}`.
pub(crate) fn unwrapped(
    body: &[u8],
    complainant: &Complainant,
) -> Result<Zeroizing<Vec<u8>>, KmsError> {
    let read: Option<Unwrapped<'_>> = object(body);
    let plain = read.and_then(|it| plain(it.data));
    plain.ok_or_else(|| complainant.unreadable("remote service returned nothing unwrapped"))
}

/// Reads a key in base64.
pub(crate) fn plain(text: Cow<'_, str>) -> Option<Zeroizing<Vec<u8>>> {
    let text = Zeroizing::new(text.into_owned());
    STANDARD.decode(&*text).ok().map(Zeroizing::new)
}

/// Reads `{ok, keyCount?}`. Only `true` is well.
pub(crate) fn health(body: &[u8]) -> Result<Option<u64>, KmsError> {
    let healthy: Option<Healthy> = serde_json::from_slice(body).ok();
    match healthy {
        Some(Healthy {
            ok: Some(true),
            key_count,
        }) => Ok(key_count),
        _ => Err(KmsError::Unhealthy),
    }
}

/// Reads an object. A list would be read as an object whose members have no names.
pub(crate) fn object<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Option<T> {
    let is_object = body.trim_ascii_start().starts_with(b"{");
    is_object
        .then(|| serde_json::from_slice(body).ok())
        .flatten()
}

/// Reads `{error}`, if there is one.
pub(crate) fn error_text(body: &[u8]) -> Option<String> {
    let refused: Refused = object(body)?;
    let text = refused.error?;
    let text: String = text
        .chars()
        .filter(|it| !it.is_control())
        .take(MAX_REPEATED)
        .collect();
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::URL_SAFE;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_signature_is_read_in_every_base64() {
        let complainant = Complainant::new("a");
        let bytes = [0xfb; 64];
        for text in [
            URL_SAFE.encode(bytes),
            STANDARD.encode(bytes),
            URL_SAFE.encode(bytes).replace('=', ""),
        ] {
            let body = json!({ "signature": text }).to_string();
            assert_eq!(signature(body.as_bytes(), &complainant).unwrap(), bytes);
        }
        for (body, told) in [
            (
                "{}",
                "HttpKmsAdapter[a]: remote service returned empty signature",
            ),
            (
                r#"{"signature":""}"#,
                "HttpKmsAdapter[a]: remote service returned empty signature",
            ),
            (
                r#"{"signature":"AA"}"#,
                "the provider returned a signature of 1 bytes, not 64",
            ),
            (
                r#"{"signature":"?"}"#,
                "HttpKmsAdapter[a]: remote service returned a signature that is no base64",
            ),
        ] {
            let error = signature(body.as_bytes(), &complainant).unwrap_err();
            assert_eq!(error.to_string(), told);
        }
    }

    /// PHP writes `\/` for `/`, and .NET `\u002B` for `+`.
    #[test]
    fn an_unwrapped_key_is_read_however_it_is_escaped() {
        let complainant = Complainant::new("a");
        for text in ["+/+/", r"+\/+\/", r"\u002B/\u002b\u002F"] {
            let body = format!(r#"{{"data":"{text}"}}"#);
            let plain = unwrapped(body.as_bytes(), &complainant).unwrap();
            assert_eq!(*plain, [0xfb, 0xff, 0xbf], "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_answer_panics(bytes: Vec<u8>, text in "\\PC{0,40}") {
            let (complainant, kid) = (Complainant::new("a"), KeyId::parse("first").unwrap());
            let answer = json!({ "publicJwk": { "kty": "EC", "x": text }, "signature": text, "error": text, "ok": text, "wrapped": text, "data": text });
            for body in [bytes.as_slice(), text.as_bytes(), answer.to_string().as_bytes()] {
                prop_assert!(public_jwk(body, &kid, &complainant).is_err());
                let _ = signature(body, &complainant);
                prop_assert!(health(body).is_err());
                let _ = wrapped(body, &complainant);
                let _ = unwrapped(body, &complainant);
                let _ = error_text(body);
            }
        }

        #[test]
        fn a_name_is_one_segment(name in "[!-~]{1,60}") {
            if let Ok(kid) = KeyId::parse(&name) {
                let url = url::Url::parse(&format!("https://kms/keys/{}/sign", segment(&kid))).unwrap();
                let segments: Vec<&str> = url.path_segments().unwrap().collect();
                prop_assert_eq!(segments.len(), 3);
                let decoded = percent_encoding::percent_decode_str(segments[1]).decode_utf8().unwrap();
                prop_assert_eq!(decoded, name);
                prop_assert!(url.query().is_none() && url.fragment().is_none());
            }
        }
    }
}
