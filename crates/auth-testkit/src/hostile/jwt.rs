//! Tokens that are shown to a door.

use std::sync::Arc;

use jwt_auth::access_token::AccessTokenVerifier;
use jwt_auth::{
    ClientAssertionVerifier, DpopVerifier, InternalRequest, InternalTokenVerifier, Jwks,
    MemoryKeySource, PendingAssertion, Signer as _,
};
use serde_json::Value;

use crate::hostile::judge::{
    NOW, SIGNERS, at_once, clock, genuine, hides, published, replay, write,
};

const ISSUER: &str = "https://login.example";
const RESOURCE: &str = "https://orders.example";
const URI: &str = "/v1/orders?page=2";

/// Takes a token, or a header, a line break and claims, which it signs. Every door that lets a token in does so for a genuine
/// one of its kind, which `serde_json` and ring find genuine too, in its time, of its issuer, for its audience, once; no
/// refusal shows it.
///
/// # Panics
/// Where that does not hold.
pub fn jwt(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    show(text);
    if let Some((header, claims)) = text.split_once('\n') {
        show(&write(header, claims));
    }
}

fn show(token: &str) {
    let clock = clock();
    let keys = Jwks::new(SIGNERS.iter().map(|signer| signer.key().clone()));
    let source = Arc::new(MemoryKeySource::new(keys.clone()));
    let proofs = DpopVerifier::new(replay(&clock)).clock(clock.clone());
    let access = AccessTokenVerifier::new(source.clone(), proofs, ISSUER, RESOURCE);
    match at_once(access.clock(clock.clone()).read(token)) {
        Ok(_) => accepted(token, &["at+jwt", "application/at+jwt"], ISSUER, RESOURCE),
        Err(error) => hides(&format!("{error:?} {error}"), token),
    }

    let internal = InternalTokenVerifier::new(source, replay(&clock), "orders");
    let internal = internal.clock(clock);
    let request = InternalRequest {
        tokens: &[token.as_bytes()],
        method: "GET",
        uri: URI,
    };
    match at_once(internal.verify(request)) {
        Ok(_) => {
            accepted(token, &["int+jwt"], "gateway", "orders");
            let again = at_once(internal.verify(request));
            assert!(again.is_err(), "it was used before: {token}");
        }
        Err(error) => hides(&format!("{error:?} {error}"), token),
    }
    let compat = internal.compat(SIGNERS[0].key().clone(), "api");
    if at_once(compat.verify(request)).is_ok() && genuine(token, published).is_none() {
        let key = |_: &Value| Some(SIGNERS[0].key().to_json());
        let read = genuine(token, key);
        let fits = read.is_some_and(|(header, claims)| {
            header.get("typ").is_none() && claims["iss"] == "gateway" && claims["aud"] == "api"
        });
        assert!(fits, "not in the original's form: {token}");
    }
    assertion(token, &keys);
}

fn assertion(token: &str, keys: &Jwks) {
    let clock = clock();
    let verifier = ClientAssertionVerifier::new(replay(&clock), [ISSUER]).clock(clock);
    let pending = match PendingAssertion::read(token) {
        Ok(pending) => pending,
        Err(error) => return hides(&format!("{error:?} {error}"), token),
    };
    hides(&format!("{pending:?}"), token);
    if let Ok(key) = at_once(verifier.verify(pending, keys)) {
        let (header, claims) = genuine(token, |_| Some(key.to_json())).unwrap_or_default();
        let typ = header.get("typ").map(|typ| typ.as_str());
        let is_typ = matches!(typ, None | Some(Some("JWT" | "client-authentication+jwt")));
        let fits = is_typ && claims["iss"] == claims["sub"] && is_live(&claims);
        assert!(fits, "not an assertion: {token}");
    }
}

fn accepted(token: &str, types: &[&str], issuer: &str, audience: &str) {
    let (header, claims) = genuine(token, published).unwrap_or_default();
    let is_typ = header["typ"]
        .as_str()
        .is_some_and(|typ| types.contains(&typ));
    let names = claims["aud"].as_array();
    let is_for = claims["aud"] == audience
        || names.is_some_and(|names| names.iter().any(|name| name == audience));
    let fits = is_typ && is_for && claims["iss"] == issuer && is_live(&claims);
    assert!(fits, "not a good token: {token}");
}

fn is_live(claims: &Value) -> bool {
    #[expect(clippy::cast_precision_loss, reason = "the time is far below 2^53")]
    let now = NOW as f64;
    let begins = [&claims["iat"], &claims["nbf"]];
    claims["exp"].as_f64().is_some_and(|exp| exp > now - 5.0)
        && begins
            .iter()
            .all(|it| it.as_f64().is_none_or(|it| it < now + 6.0))
}
