//! What the routes of sign-in share, and what is asked before each of them.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use accounts::private_api::code;
use axum::extract::{FromRequestParts, Request, State};
use axum::http::header::{CACHE_CONTROL, LOCATION, RETRY_AFTER};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use jwt_auth::SubjectKind;
use mesh_api::permission::Permission;
use mesh_api::problem::{Problem, REQUEST_LIMIT};
use mesh_management::guard;
use tokio::time::timeout;

use crate::page::accepts_html;
use crate::proxy::{Arrival, Flood, Refusal, Speaker};
use crate::sign_in::access::SignedIn;
use crate::sign_in::accounts::{AccountsClient, AccountsError, Acting, query};
use crate::sign_in::sessions::{AnswerHeaders, Seen, Sessions};
use crate::sign_in::{native_answers as native, who};

/// Attempts to prove who one is are counted over this time.
pub(super) const ATTEMPTS_WINDOW: Duration = Duration::from_secs(15 * 60);

/// The routes' state.
pub(super) struct FrontDoor {
    pub(super) sessions: Arc<Sessions>,
    /// How often one address may prove who it is.
    pub(super) attempts: Flood,
    /// The same as a number, in [`ATTEMPTS_WINDOW`].
    pub(super) limit: NonZeroU32,
    /// Where browsers find the gateway, without a slash at its end.
    pub(super) url: String,
}

pub(super) type Shared = State<Arc<FrontDoor>>;

impl FrontDoor {
    /// The address of a one-time link's page.
    pub(super) fn link_url(&self, token: &str) -> String {
        format!("{}/login/link?{}", self.url, query(&[("token", token)]))
    }
}

/// What of a request tells whose session it has.
pub(super) fn seen<'a>(headers: &'a HeaderMap, arrival: &'a Arrival) -> Seen<'a> {
    Seen {
        headers,
        address: arrival.address,
        request_id: &arrival.request_id,
    }
}

/// Somebody who has signed in, at a route behind [`signed_in`].
pub(super) struct Visitor {
    pub(super) door: Arc<FrontDoor>,
    pub(super) arrival: Arrival,
    pub(super) person: SignedIn,
}

impl FromRequestParts<Arc<FrontDoor>> for Visitor {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, door: &Arc<FrontDoor>) -> Result<Self, Refusal> {
        let (arrival, person) = (parts.extensions.get(), parts.extensions.get());
        match (arrival.cloned(), person.cloned()) {
            (Some(arrival), Some(person)) => Ok(Self {
                door: Arc::clone(door),
                arrival,
                person,
            }),
            _ => Err(Refusal::auth_unavailable()),
        }
    }
}

impl Visitor {
    /// In the visitor's name.
    pub(super) fn acting(&self) -> Acting<'_> {
        let speaker = Speaker {
            subject: &self.person.id,
            kind: SubjectKind::User,
            name: Some(&self.person.email),
            permissions: &self.person.permissions,
            session: None,
        };
        Acting {
            speaker,
            request_id: &self.arrival.request_id,
        }
    }

    pub(super) fn accounts(&self) -> &AccountsClient {
        &self.door.sessions.accounts
    }

    /// Whether the visitor may act on others.
    pub(super) fn is_admin(&self) -> bool {
        self.person.permissions.contains(&Permission::AccountsWrite)
    }
}

/// No page of another site changes anything here, and nobody keeps a connection by sending slowly.
pub(super) async fn guarded(request: Request, next: Next) -> Response {
    let site = request
        .extensions()
        .get::<Arrival>()
        .map(|it| it.site.clone());
    if !guard::is_safe(request.method().as_str())
        && let Some(Err(problem)) = site
    {
        return Refusal::from(problem).into_response();
    }
    let answered = timeout(REQUEST_LIMIT, next.run(request)).await;
    answered.unwrap_or_else(|_| {
        Refusal::from(Problem::new(
            408,
            "REQUEST_TIMEOUT",
            "the request did not come in time",
        ))
        .into_response()
    })
}

/// Counts attempts of an address to prove who it is.
pub(super) async fn counted(State(door): Shared, request: Request, next: Next) -> Response {
    let address = request.extensions().get::<Arrival>().map(|it| it.address);
    let checked = address.map(|address| door.attempts.check(address));
    let (mut response, left) = match checked {
        Some(Err(refusal)) => (too_many(refusal, &request), Some((0, ATTEMPTS_WINDOW))),
        Some(Ok(left)) => {
            let left = left.map(|left| (left.remaining, left.reset));
            (next.run(request).await, left)
        }
        None => (next.run(request).await, None),
    };
    if let Some((remaining, reset)) = left {
        // As draft 7 of the RateLimit header fields has them.
        let (limit, window) = (door.limit, ATTEMPTS_WINDOW.as_secs());
        let reset = reset.as_secs();
        let left = format!("limit={limit}, remaining={remaining}, reset={reset}");
        let policy = format!("{limit};w={window}");
        for (name, value) in [("ratelimit", left), ("ratelimit-policy", policy)] {
            if let Ok(value) = HeaderValue::try_from(value) {
                response.headers_mut().insert(name, value);
            }
        }
    }
    response
}

/// Too many attempts, for whoever reads it: a page, or as the original says it.
fn too_many(refusal: Refusal, request: &Request) -> Response {
    if accepts_html(request.headers()) {
        return refusal.into_page();
    }
    if !request.uri().path().starts_with("/api/v1/auth/") {
        return refusal.into_response();
    }
    let mut response = native::too_many();
    response.headers_mut().extend(refusal.headers);
    response
}

/// Lets in whoever has signed in, and renews the cookies on the way.
pub(super) async fn signed_in(State(door): Shared, mut request: Request, next: Next) -> Response {
    let Some(arrival) = request.extensions().get::<Arrival>().cloned() else {
        return Refusal::auth_unavailable().into_response();
    };
    let seen = seen(request.headers(), &arrival);
    let identified = match door.sessions.identify(seen).await {
        Ok(identified) => identified,
        Err(stranger) => {
            let refusal = who::refuse(stranger, request.method(), &arrival.target, &seen);
            return answer(refusal, &request);
        }
    };
    request.extensions_mut().insert(identified.person);
    let mut response = tokio::select! {
        response = next.run(request) => response,
        () = identified.ended.cancelled() => return Refusal::session_over().into_response(),
    };
    if !identified.answer.is_empty() {
        let no_store = HeaderValue::from_static("no-store");
        response.headers_mut().insert(CACHE_CONTROL, no_store);
    }
    for (name, value) in identified.answer {
        response.headers_mut().append(name, value);
    }
    response
}

/// A refusal, as a page for whoever opens one.
fn answer(refusal: Refusal, request: &Request) -> Response {
    let is_page = refusal.problem.status >= 400 && accepts_html(request.headers());
    match is_page && request.method() == Method::GET {
        true => refusal.into_page(),
        false => refusal.into_response(),
    }
}

/// Leads a browser on.
pub(super) fn see(to: &str, answer: AnswerHeaders) -> Response {
    let mut response = StatusCode::SEE_OTHER.into_response();
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Ok(to) = HeaderValue::try_from(to) {
        headers.insert(LOCATION, to);
    }
    for (name, value) in answer {
        headers.append(name, value);
    }
    response
}

/// Where a browser is led after it has signed in: a path of this site, or its first page.
pub(super) fn local(next: Option<&str>) -> &str {
    let is_local = |path: &&str| {
        let mut bytes = path.bytes();
        // "//host" and "/\host" are other sites.
        bytes.next() == Some(b'/')
            && !matches!(bytes.next(), Some(b'/' | b'\\'))
            && path
                .bytes()
                .all(|byte| byte.is_ascii_graphic() && byte != b'\\')
            && path.len() <= 2048
            && !path.starts_with("/login")
            && !path.starts_with("/logout")
    };
    next.filter(is_local).unwrap_or("/")
}

/// What the accounts service refuses or does not answer, as a problem.
pub(super) fn problem(error: AccountsError) -> Refusal {
    match error {
        AccountsError::Unavailable => Refusal::auth_unavailable(),
        AccountsError::Refused {
            status,
            code,
            message,
            field,
            retry_after,
        } => {
            let code = code::ALL.into_iter().find(|known| *known == code);
            let mut refusal = Refusal::from(Problem {
                field,
                ..Problem::new(status, code.unwrap_or("ACCOUNTS_REFUSED"), message)
            });
            let retry_after = retry_after.map(HeaderValue::from);
            let retry_after = retry_after.map(|value| (RETRY_AFTER, value));
            refusal.headers.extend(retry_after);
            refusal
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_is_led_to_this_site_alone() {
        for path in ["/", "/clients/x?y=1", "/account/audit"] {
            assert_eq!(local(Some(path)), path);
        }
        for path in [
            "",
            "//evil.example",
            "/\\evil.example",
            "https://evil.example",
            "/a\\b",
            "/a b",
            "/login?next=/",
            "/logout",
            "/a\r\nset-cookie: x",
        ] {
            assert_eq!(local(Some(path)), "/", "{path}");
        }
        assert_eq!(local(None), "/");
    }
}
