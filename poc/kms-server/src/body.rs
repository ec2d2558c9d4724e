//! Bodies of the contract.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jwt_auth::{Algorithm, PrivateKey};
use kms::KeyId;
use kms::wrapping_key::WRAPPING_ALGORITHM;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use crate::answer::Refusal;

#[derive(Deserialize)]
struct Generate {
    kid: Option<Value>,
    alg: Option<Value>,
}

#[derive(Deserialize)]
struct Sign {
    data: Option<Value>,
    alg: Option<Value>,
}

/// A text of its own where it holds escapes.
#[derive(Deserialize)]
struct Wrap<'a> {
    #[serde(borrow)]
    data: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Unwrap {
    wrapped: Option<String>,
}

#[derive(Deserialize)]
struct Import<'a> {
    #[serde(borrow, rename = "privateJwk")]
    private_jwk: Option<&'a RawValue>,
    alg: Option<Value>,
}

/// What a key is made for.
pub(crate) enum Use {
    Signing(Algorithm),
    Wrapping,
}

/// Reads `{kid, alg?}`.
pub(crate) fn generate(body: &[u8]) -> Result<(KeyId, Use), Refusal> {
    let body: Generate = read(body)?;
    let kid = body.kid.as_ref().and_then(Value::as_str);
    let kid = kid.and_then(|kid| KeyId::parse(kid).ok());
    let kid = kid.ok_or_else(|| Refusal::bad_request("kid is required"))?;
    let alg = body.alg.as_ref();
    match alg.and_then(Value::as_str) == Some(WRAPPING_ALGORITHM) {
        true => Ok((kid, Use::Wrapping)),
        false => Ok((kid, Use::Signing(algorithm(alg)?))),
    }
}

/// Reads `{data}`, a key to wrap.
pub(crate) fn wrap(body: &[u8]) -> Result<Zeroizing<Vec<u8>>, Refusal> {
    let body: Wrap<'_> = read(body)?;
    let data = body.data.filter(|data| !data.is_empty());
    let data = data.ok_or_else(|| Refusal::bad_request("data is required"))?;
    let data = Zeroizing::new(data.into_owned());
    let data = STANDARD.decode(&*data).map(Zeroizing::new);
    data.map_err(|_| Refusal::bad_request("data must be valid Base64"))
}

/// Reads `{wrapped}`.
pub(crate) fn unwrap(body: &[u8]) -> Result<String, Refusal> {
    let body: Unwrap = read(body)?;
    let wrapped = body.wrapped.filter(|wrapped| !wrapped.is_empty());
    wrapped.ok_or_else(|| Refusal::bad_request("wrapped is required"))
}

/// Reads `{data, alg?}`.
pub(crate) fn sign(body: &[u8]) -> Result<(Vec<u8>, Algorithm), Refusal> {
    let body: Sign = read(body)?;
    let data = body
        .data
        .as_ref()
        .and_then(Value::as_str)
        .filter(|data| !data.is_empty());
    let data = data.ok_or_else(|| Refusal::bad_request("data is required"))?;
    let data = STANDARD.decode(data);
    let data = data.map_err(|_| Refusal::bad_request("data must be valid Base64"))?;
    Ok((data, algorithm(body.alg.as_ref())?))
}

/// Reads `{privateJwk, alg?}`. Without `alg`, the key says it.
pub(crate) fn import(body: &[u8]) -> Result<PrivateKey, Refusal> {
    let body: Import<'_> = read(body)?;
    let jwk = body.private_jwk.filter(|jwk| jwk.get() != "null");
    let jwk = jwk.ok_or_else(|| Refusal::bad_request("privateJwk is required"))?;
    let key = PrivateKey::from_jwk(jwk.get().as_bytes());
    let key =
        key.map_err(|invalid| Refusal::bad_request(format!("Invalid privateJwk: {invalid}")))?;
    let alg = body
        .alg
        .as_ref()
        .map(|alg| algorithm(Some(alg)))
        .transpose()?;
    match alg.is_none_or(|alg| alg == key.public().algorithm()) {
        true => Ok(key),
        false => Err(Refusal::bad_request(
            "Invalid privateJwk: alg is not that of the key",
        )),
    }
}

fn read<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Refusal> {
    // A list would be read as an object whose members have no names.
    let is_object = body.trim_ascii_start().starts_with(b"{");
    let read = is_object
        .then(|| serde_json::from_slice(body).ok())
        .flatten();
    read.ok_or_else(|| Refusal::bad_request("Invalid JSON"))
}

/// `ES256` unless something else is said.
fn algorithm(alg: Option<&Value>) -> Result<Algorithm, Refusal> {
    let name = match alg {
        None => return Ok(Algorithm::Es256),
        Some(Value::String(name)) => name.as_str(),
        Some(_) => "not a text",
    };
    Algorithm::parse(name).ok_or_else(|| {
        let name: String = name
            .chars()
            .filter(|it| !it.is_control())
            .take(32)
            .collect();
        Refusal::bad_request(format!("Unsupported algorithm: {name}"))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What each of the three bodies is read as, or refused with.
    fn read_all(bytes: &[u8]) {
        let refused = [
            generate(bytes).map(|(kid, _)| assert!(kid.as_str().len() <= KeyId::MAX_BYTES)),
            sign(bytes).map(|(data, _)| assert!(data.len() <= bytes.len())),
            import(bytes).map(drop),
        ];
        for refusal in refused.into_iter().filter_map(Result::err) {
            let shown = format!("{refusal:?}");
            assert!(shown.contains("status: 400"), "{shown}");
            assert!(shown.len() < 512, "{shown}");
        }
    }

    proptest! {
        #[test]
        fn any_body_is_read_or_refused(bytes: Vec<u8>) {
            read_all(&bytes);
        }

        #[test]
        fn any_members_are_read_or_refused(
            values in proptest::collection::vec(
                prop_oneof![
                    "\\PC{0,300}".prop_map(Value::from),
                    Just(Value::Null),
                    any::<i64>().prop_map(Value::from),
                    "[A-Za-z0-9+/]{0,40}={0,2}".prop_map(Value::from),
                    Just(Value::from("ES256")),
                    Just(serde_json::json!({ "kty": "OKP", "crv": "Ed25519", "x": "AA", "d": "AA" })),
                ],
                4,
            ),
        ) {
            let names = ["kid", "alg", "data", "privateJwk"];
            let members = names.map(str::to_owned).into_iter().zip(values);
            read_all(Value::Object(members.collect()).to_string().as_bytes());
        }
    }

    #[test]
    fn no_private_key_is_shown_by_a_refusal() {
        let key = PrivateKey::generate(Algorithm::EdDsa).unwrap();
        let jwk = key.expose_jwk();
        let jwk: Value = serde_json::from_str(jwk.expose()).unwrap();
        let secret = jwk["d"].as_str().unwrap().to_owned();
        for (name, value) in [
            ("x", "AA"),
            ("crv", "P-256"),
            ("kty", "EC"),
            ("d", &format!("{secret}A")),
        ] {
            let mut wrong = jwk.clone();
            wrong[name] = value.into();
            let body = serde_json::json!({ "privateJwk": wrong }).to_string();
            let refusal = import(body.as_bytes()).unwrap_err();
            assert!(!format!("{refusal:?}").contains(&secret), "{name}");
        }
    }
}
