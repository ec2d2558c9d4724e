//! Signing in and out with plain forms.

use accounts::private_api::{LookAtLink, Person, RedeemLink, Validate, code};
use axum::Extension;
use axum::extract::rejection::FormRejection;
use axum::extract::{Form, Query, State};
use axum::http::HeaderMap;
use axum::response::Response;
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::page::page;
use crate::pages::{self, Frame, LinkError, Login, LoginError};
use crate::proxy::Arrival;
use crate::sign_in::accounts::AccountsError;
use crate::sign_in::front_door::{FrontDoor, Shared, local, see, seen};
use crate::sign_in::sessions::{AnswerHeaders, Seen};

/// What stands in the address of the page.
#[derive(Deserialize)]
pub(super) struct Asked {
    next: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct LoginForm {
    #[serde(default)]
    email: String,
    #[serde(default)]
    password: Zeroizing<String>,
    next: Option<String>,
    remember: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct LinkAddress {
    #[serde(default)]
    token: Zeroizing<String>,
}

#[derive(Deserialize)]
pub(super) struct LinkForm {
    #[serde(default)]
    token: Zeroizing<String>,
    password: Option<Zeroizing<String>>,
    again: Option<Zeroizing<String>>,
}

/// GET `/login`.
pub(super) async fn show_login(Query(asked): Query<Asked>) -> Response {
    let next = local(asked.next.as_deref());
    let login = Login {
        next,
        ..Login::default()
    };
    page(200, pages::login(&login))
}

/// POST `/login`.
pub(super) async fn login(
    State(door): Shared,
    Extension(arrival): Extension<Arrival>,
    headers: HeaderMap,
    form: Result<Form<LoginForm>, FormRejection>,
) -> Response {
    let Ok(Form(form)) = form else {
        return see("/login", Vec::new());
    };
    let next = local(form.next.as_deref());
    let is_remembered = form.remember.is_some();
    let again = |error: &AccountsError| {
        let (status, error) = said(error);
        let login = Login {
            next,
            email: &form.email,
            remember: is_remembered,
            error: Some(error),
        };
        page(status, pages::login(&login))
    };
    let began = door
        .by_password(
            &form.email,
            &form.password,
            is_remembered,
            false,
            &arrival,
            &headers,
        )
        .await;
    match began {
        Ok(answer) => see(next, answer),
        Err(error) => again(&error),
    }
}

/// What a person is told who was not let in.
fn said(error: &AccountsError) -> (u16, LoginError) {
    match error {
        AccountsError::Unavailable => (503, LoginError::Unavailable),
        AccountsError::Refused {
            status: 429,
            retry_after,
            ..
        } => {
            let retry_after_seconds = u64::from(retry_after.unwrap_or(60));
            let error = LoginError::TooManyAttempts {
                retry_after_seconds,
            };
            (429, error)
        }
        AccountsError::Refused { .. } => (401, LoginError::WrongCredentials),
    }
}

/// POST `/logout`.
pub(super) async fn logout(
    State(door): Shared,
    Extension(arrival): Extension<Arrival>,
    headers: HeaderMap,
) -> Response {
    let (is_certain, cleared) = door.sessions.sign_out(seen(&headers, &arrival)).await;
    match is_certain {
        true => see("/login", cleared),
        false => {
            let text = "You are signed out in this browser, but the accounts service could not be \
                 told. Until it is back, somebody who has copied your session could go on.";
            let mut response = page(
                503,
                pages::message(&Frame::default(), 503, "Signed out here", text),
            );
            response.headers_mut().extend(cleared);
            response
        }
    }
}

/// GET `/login/link`: shows whose link it is, and uses nothing up.
pub(super) async fn show_link(
    State(door): Shared,
    Extension(arrival): Extension<Arrival>,
    Query(address): Query<LinkAddress>,
) -> Response {
    door.link_page(&arrival, address.token, 200, None).await
}

/// POST `/login/link`: uses it up.
pub(super) async fn use_link(
    State(door): Shared,
    Extension(arrival): Extension<Arrival>,
    headers: HeaderMap,
    form: Result<Form<LinkForm>, FormRejection>,
) -> Response {
    let Ok(Form(form)) = form else {
        return page(400, pages::link_gone());
    };
    if form.password.as_deref() != form.again.as_deref() {
        let error = Some(LinkError::NotTheSame);
        return door.link_page(&arrival, form.token, 400, error).await;
    }
    let (seen, is_chosen) = (seen(&headers, &arrival), form.password.is_some());
    let asked = RedeemLink {
        token: form.token.clone(),
        password: form.password,
        browser: seen.browser(),
    };
    let redeemed = door.sessions.accounts.redeem_link(seen.request_id, &asked);
    let began = match redeemed.await {
        Ok(person) => match door.by_link(person, is_chosen, seen).await {
            // The link is used, and the password chosen: it signs in.
            Err(_) => return see("/login", Vec::new()),
            began => began,
        },
        Err(error) => Err(error),
    };
    match began {
        Ok(answer) => see("/", answer),
        Err(AccountsError::Refused {
            code,
            message,
            field,
            ..
        }) if code == code::WEAK_PASSWORD || field.as_deref() == Some("password") => {
            let error = LinkError::TooWeak(
                Some(&message)
                    .filter(|it| !it.is_empty())
                    .map(String::as_str),
            );
            door.link_page(&arrival, form.token, 400, Some(error)).await
        }
        Err(AccountsError::Refused { status: 401, .. }) => page(410, pages::link_gone()),
        Err(AccountsError::Unavailable) => {
            let text = "It is not known whether the link was used. Try to sign in with the new \
                 password; if that is refused, open the link again.";
            page(
                503,
                pages::message(&Frame::default(), 503, "Not certain", text),
            )
        }
        Err(error) => {
            let (status, error) = said(&error);
            let error = Some(LinkError::Login(error));
            door.link_page(&arrival, form.token, status, error).await
        }
    }
}

impl FrontDoor {
    /// Lets somebody in by a password. When the account was written between judging the password and beginning the session, it
    /// is judged once more.
    pub(super) async fn by_password(
        &self,
        email: &str,
        password: &Zeroizing<String>,
        is_remembered: bool,
        is_native: bool,
        arrival: &Arrival,
        headers: &HeaderMap,
    ) -> Result<AnswerHeaders, AccountsError> {
        let seen = seen(headers, arrival);
        let asked = Validate {
            email: email.to_owned(),
            password: password.clone(),
            browser: seen.browser(),
        };
        let judge = async || {
            let person = self.sessions.accounts.validate(seen.request_id, &asked);
            let person: Person = person.await.inspect_err(|error| {
                self.sessions.metrics.sign_in(match error {
                    AccountsError::Refused { .. } => "refused",
                    AccountsError::Unavailable => "unavailable",
                });
            })?;
            let sessions = &self.sessions;
            sessions.begin(person, is_remembered, is_native, seen).await
        };
        let mut began = judge().await;
        if matches!(&began, Err(AccountsError::Refused { code, .. }) if code == code::CHANGED) {
            began = judge().await;
        }
        if began.is_ok() {
            self.sessions.leave(seen).await;
            self.sessions.metrics.sign_in("done");
        }
        began
    }

    /// Lets somebody in by a link.
    async fn by_link(
        &self,
        person: Person,
        is_chosen: bool,
        seen: Seen<'_>,
    ) -> Result<AnswerHeaders, AccountsError> {
        self.sessions.leave(seen).await;
        if is_chosen {
            // Whoever knew the old password is out, here too.
            self.sessions.live.end_all(&person.id, None);
        }
        self.sessions.begin(person, false, false, seen).await
    }

    async fn link_page(
        &self,
        arrival: &Arrival,
        token: Zeroizing<String>,
        status: u16,
        error: Option<LinkError<'_>>,
    ) -> Response {
        let asked = LookAtLink {
            token: token.clone(),
        };
        let shown = self
            .sessions
            .accounts
            .look_at_link(&arrival.request_id, &asked);
        match shown.await {
            Ok(shown) => page(status, pages::link(&shown, &token, error)),
            Err(AccountsError::Refused { .. }) => page(410, pages::link_gone()),
            Err(AccountsError::Unavailable) => {
                let text = "The link cannot be looked at now. It is not used up: try again.";
                page(
                    503,
                    pages::message(&Frame::default(), 503, "Try again", text),
                )
            }
        }
    }
}
