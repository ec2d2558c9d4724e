//! Reads the answer of a token endpoint.

use std::time::Duration;

use auth_base::secret::Secret;
use serde_json::{Map, Value};

use crate::access_token::AccessToken;
use crate::token_error::TokenError;

/// An answer may have so many bytes.
pub(crate) const MAX_ANSWER_BYTES: usize = 64 * 1024;

/// A token may have so many bytes.
const MAX_TOKEN_BYTES: usize = 16 * 1024;

/// How long a token lasts whose answer does not say it.
const LIFE: Duration = Duration::from_secs(900);

/// No life is taken for longer than this, and none for shorter than a second.
const LONGEST: Duration = Duration::from_secs(86_400);

/// Reads an answer to a request that was sent at `asked_at_ms`.
pub(crate) fn read(status: u16, body: &[u8], asked_at_ms: i64) -> Result<AccessToken, TokenError> {
    let members = match serde_json::from_slice(body) {
        Ok(Value::Object(members)) => Ok(members),
        Ok(_) => Err(None),
        Err(error) => Err(Some(error)),
    };
    if status != 200 {
        let code = members.as_ref().ok().and_then(error_code);
        return Err(TokenError::Refused { status, code });
    }
    let mut members = members.map_err(TokenError::Syntax)?;
    let token = match members.remove("access_token") {
        Some(Value::String(token)) => Secret::new(token),
        _ => return Err(TokenError::NoToken),
    };
    let text = token.expose();
    let fits = (1..=MAX_TOKEN_BYTES).contains(&text.len());
    if !fits || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(TokenError::NoToken);
    }
    let kind = members.get("token_type").and_then(Value::as_str);
    if !kind.is_some_and(|kind| kind.eq_ignore_ascii_case("bearer")) {
        return Err(TokenError::Type);
    }
    let scope = members.get("scope").and_then(Value::as_str);
    let life = life(members.get("expires_in"));
    Ok(AccessToken::new(
        token,
        scope.map(str::to_owned),
        asked_at_ms,
        life,
    ))
}

/// `expires_in` is a number, or a text that is one.
fn life(expires_in: Option<&Value>) -> Duration {
    let seconds = match expires_in {
        Some(Value::Number(number)) => number.as_f64(),
        Some(Value::String(text)) => text.trim().parse().ok(),
        _ => None,
    };
    let life =
        seconds.map(|it: f64| Duration::try_from_secs_f64(it.clamp(1.0, LONGEST.as_secs_f64())));
    life.and_then(Result::ok).unwrap_or(LIFE)
}

/// The codes that are repeated: those of RFC 6749 (sections 4.1.2.1 and 5.2), RFC 8707 (section 2) and RFC 9449 (sections 5
/// and 8). Another word could be anything, a secret too.
const CODES: [&str; 11] = [
    "invalid_request",
    "invalid_client",
    "invalid_grant",
    "unauthorized_client",
    "unsupported_grant_type",
    "invalid_scope",
    "server_error",
    "temporarily_unavailable",
    "invalid_target",
    "invalid_dpop_proof",
    "use_dpop_nonce",
];

/// `error` as a text (RFC 6749, section 5.2), or as an object with a `code`.
fn error_code(members: &Map<String, Value>) -> Option<&'static str> {
    let error = members.get("error")?;
    let code = error.as_str().or_else(|| error.get("code")?.as_str())?;
    CODES.into_iter().find(|known| *known == code)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(status: u16, body: &str) -> Result<AccessToken, String> {
        read(status, body.as_bytes(), 1_000).map_err(|error| error.to_string())
    }

    #[test]
    fn a_life_is_a_number_or_a_text_that_is_one() {
        for (said, seconds) in [
            ("60", 60),
            ("\"60\"", 60),
            ("\"x\"", 900),
            ("null", 900),
            ("0", 1),
            ("-5", 1),
            ("1e300", 86_400),
            ("[]", 900),
            ("\"NaN\"", 900),
        ] {
            let body =
                format!(r#"{{"access_token":"t","token_type":"bearer","expires_in":{said}}}"#);
            assert_eq!(
                of(200, &body).unwrap().expires_at_ms(),
                1_000 + seconds * 1000,
                "{said}"
            );
        }
    }

    #[test]
    fn what_is_no_token_is_told() {
        for (status, body, error) in [
            (
                401,
                r#"{"error":"invalid_client"}"#,
                "Token request failed (401 invalid_client).",
            ),
            (
                400,
                r#"{"error":{"code":"invalid_scope"}}"#,
                "Token request failed (400 invalid_scope).",
            ),
            (400, r#"{"error":"s3cret"}"#, "Token request failed (400)."),
            (
                400,
                r#"{"error":{"code":"use_dpop_nonce"}}"#,
                "Token request failed (400 use_dpop_nonce).",
            ),
            (502, "<html>", "Token request failed (502)."),
            (302, "", "Token request failed (302)."),
            (
                400,
                r#"{"error":"with blanks and secrets"}"#,
                "Token request failed (400).",
            ),
            (
                200,
                "[]",
                "the answer of the token endpoint is no JSON object",
            ),
            (
                200,
                "{}",
                "the answer of the token endpoint has no access_token",
            ),
            (
                200,
                r#"{"access_token":""}"#,
                "the answer of the token endpoint has no access_token",
            ),
            (
                200,
                r#"{"access_token":"a b"}"#,
                "the answer of the token endpoint has no access_token",
            ),
            (
                200,
                r#"{"access_token":"t","token_type":"DPoP"}"#,
                "the token endpoint answered a token of another type than Bearer",
            ),
        ] {
            assert_eq!(of(status, body).unwrap_err(), error);
        }
    }

    proptest! {
        #[test]
        fn no_answer_panics(status in 100_u16..600, bytes: Vec<u8>) {
            let _ = read(status, &bytes, 0);
        }
    }
}
