//! Who may call, what for, and how often.

use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;

use auth_base::secret::Secret;
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use subtle::{Choice, ConditionallySelectable as _, ConstantTimeEq as _};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// So many failed attempts to come in are answered and logged a second, of whomever. The others are only turned away.
const FAILURES_PER_SECOND: NonZeroU32 = NonZeroU32::MIN.saturating_add(9);

/// So many calls of one caller are under way at once.
const MAX_CALLS: usize = 64;

/// So many callers there may be.
const MAX_CALLERS: usize = 256;

/// What a caller may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// `kms:sign`: sign, and see public keys.
    Sign,
    /// `kms:wrap`: wrap and unwrap keys of others.
    Wrap,
    /// `kms:admin`: make, take, see and delete keys.
    Admin,
}

impl Scope {
    /// `kms:sign`, `kms:wrap` or `kms:admin`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sign => "kms:sign",
            Self::Wrap => "kms:wrap",
            Self::Admin => "kms:admin",
        }
    }

    fn parse(name: &str) -> Option<Self> {
        [Self::Sign, Self::Wrap, Self::Admin]
            .into_iter()
            .find(|it| it.name() == name)
    }
}

/// Why a caller is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// No token, several, or an unknown one.
    Unauthorized,
    /// The caller may not do this.
    Forbidden,
    /// The caller calls too often, or has too many calls under way.
    TooMany,
    /// Too many callers are unknown.
    TooManyStrangers,
}

impl Rejection {
    /// Logs it, unless there are so many that the log would tell nothing else.
    pub(crate) fn log(self, method: &str, path: &str) {
        match self {
            Self::Unauthorized | Self::Forbidden => {
                tracing::warn!(why = ?self, method, path, "a caller was refused");
            }
            Self::TooMany | Self::TooManyStrangers => {}
        }
    }
}

/// A caller that is let in.
pub struct Admitted<'a> {
    /// What it is called.
    pub caller: &'a str,
    /// Its place among its calls that are under way: it is given back when this goes.
    pub place: OwnedSemaphorePermit,
}

/// Who may call.
#[derive(Debug)]
pub struct Credentials {
    callers: Vec<Caller>,
    failures: DefaultDirectRateLimiter,
}

struct Caller {
    name: String,
    token_sha256: [u8; 32],
    scopes: Vec<Scope>,
    calls: DefaultDirectRateLimiter,
    places: Arc<Semaphore>,
}

impl fmt::Debug for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Caller")
            .field("name", &self.name)
            .field("scopes", &self.scopes)
            .finish_non_exhaustive()
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Listed {
    name: String,
    token: String,
    scopes: Vec<String>,
}

impl Credentials {
    /// Reads a JSON list of `{name, token, scopes}`. Each caller may call `rate` times a second.
    ///
    /// # Errors
    /// A line for each mistake. No token is told.
    pub fn parse(json: &[u8], rate: NonZeroU32) -> Result<Self, Vec<String>> {
        let listed: Vec<Listed> = serde_json::from_slice(json).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            vec![format!(
                "must be a list of {{name, token, scopes}}: line {line}, column {column}"
            )]
        })?;
        let mut mistakes = Vec::new();
        if !(1..=MAX_CALLERS).contains(&listed.len()) {
            mistakes.push(format!("must list 1 to {MAX_CALLERS} callers"));
        }
        let mut callers: Vec<Caller> = Vec::new();
        for (at, listed) in listed.into_iter().enumerate().take(MAX_CALLERS) {
            match caller(listed, rate) {
                Ok(caller) => {
                    if callers
                        .iter()
                        .any(|it| it.name == caller.name || it.token_sha256 == caller.token_sha256)
                    {
                        mistakes.push(format!(
                            "[{at}]: has the name or the token of an earlier caller"
                        ));
                    }
                    callers.push(caller);
                }
                Err(problems) => {
                    mistakes.extend(problems.into_iter().map(|it| format!("[{at}].{it}")));
                }
            }
        }
        match mistakes.is_empty() {
            true => Ok(Self {
                callers,
                failures: RateLimiter::direct(Quota::per_second(FAILURES_PER_SECOND)),
            }),
            false => Err(mistakes),
        }
    }

    /// Lets a caller in, if it has one of `scopes`. The token comes as `Authorization: Bearer` or as `x-api-key`, once. Who
    /// guesses tokens stops no caller that has one.
    ///
    /// # Errors
    /// [`Rejection`].
    pub fn admit(&self, headers: &HeaderMap, scopes: &[Scope]) -> Result<Admitted<'_>, Rejection> {
        let caller = presented(headers).and_then(|token| self.find(token));
        let Some(caller) = caller else {
            return Err(match self.failures.check() {
                Ok(()) => Rejection::Unauthorized,
                Err(_) => Rejection::TooManyStrangers,
            });
        };
        if caller.calls.check().is_err() {
            return Err(Rejection::TooMany);
        }
        if !caller.scopes.iter().any(|scope| scopes.contains(scope)) {
            return Err(Rejection::Forbidden);
        }
        let place = Arc::clone(&caller.places).try_acquire_owned();
        Ok(Admitted {
            caller: &caller.name,
            place: place.map_err(|_| Rejection::TooMany)?,
        })
    }

    /// Compares with every caller, whichever it is.
    fn find(&self, token: &[u8]) -> Option<&Caller> {
        let presented = Sha256::digest(token);
        let mut found = u32::MAX;
        for (at, caller) in (0..).zip(&self.callers) {
            let is_it: Choice = caller.token_sha256.ct_eq(&presented);
            found.conditional_assign(&at, is_it);
        }
        self.callers.get(usize::try_from(found).ok()?)
    }
}

fn caller(listed: Listed, rate: NonZeroU32) -> Result<Caller, Vec<String>> {
    let mut problems = Vec::new();
    if listed.name.is_empty() || listed.name.chars().any(char::is_control) {
        problems.push("name: must not be empty".to_owned());
    }
    let token = Secret::new(listed.token);
    if let Err(invalid) = token.check(32..=512) {
        problems.push(format!("token: {invalid}"));
    }
    let scopes: Option<Vec<Scope>> = listed.scopes.iter().map(|it| Scope::parse(it)).collect();
    let scopes = scopes.filter(|scopes| !scopes.is_empty());
    if scopes.is_none() {
        problems
            .push("scopes: must list one or more of kms:sign, kms:wrap and kms:admin".to_owned());
    }
    match (problems.is_empty(), scopes) {
        (true, Some(scopes)) => Ok(Caller {
            name: listed.name,
            token_sha256: Sha256::digest(token.expose()).into(),
            scopes,
            calls: RateLimiter::direct(Quota::per_second(rate)),
            places: Arc::new(Semaphore::new(MAX_CALLS)),
        }),
        _ => Err(problems),
    }
}

/// The one token of a request.
fn presented(headers: &HeaderMap) -> Option<&[u8]> {
    let bearer = headers.get_all(AUTHORIZATION).iter().map(|value| {
        let (scheme, token) = value.as_bytes().split_at_checked(7)?;
        scheme.eq_ignore_ascii_case(b"bearer ").then_some(token)
    });
    let key = headers
        .get_all("x-api-key")
        .iter()
        .map(|value| Some(value.as_bytes()));
    let mut all = bearer.chain(key);
    match (all.next(), all.next()) {
        (Some(token), None) => token,
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_file_of_callers_is_read_or_refused(
            bytes: Vec<u8>,
            text in "[\\[\\]{},:\"a-z0-9]{0,60}",
            token in "[!-~]{0,600}",
            scope in "(kms:(sign|admin|all))?",
        ) {
            let listed = serde_json::json!([{ "name": "a", "token": token, "scopes": [scope] }]).to_string();
            for json in [bytes.as_slice(), text.as_bytes(), listed.as_bytes()] {
                match Credentials::parse(json, NonZeroU32::MIN) {
                    Ok(credentials) => prop_assert!((1..=MAX_CALLERS).contains(&credentials.callers.len())),
                    Err(mistakes) => {
                        prop_assert!(!mistakes.is_empty());
                        let told = mistakes.join("; ");
                        prop_assert!(token.len() < 24 || !told.contains(&token), "{told}");
                    }
                }
            }
        }
    }
}
