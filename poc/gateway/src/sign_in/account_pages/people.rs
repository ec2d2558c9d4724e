//! Who may sign in.

use accounts::private_api::{ChangeUser, LinkKind, MakeLink, NewUser, User, UserPage, code};
use axum::Extension;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::Method;
use axum::response::Response;
use serde::Deserialize;

use crate::page::page;
use crate::pages::{self, Confirmation, Invitation, InvitationError, Notice};
use crate::proxy::Arrival;
use crate::sign_in::access::SignedIn;
use crate::sign_in::account_pages::around::{failed, forbidden, frame, may_see};
use crate::sign_in::accounts::{AccountsError, user_path};
use crate::sign_in::front_door::{FrontDoor, Shared, acting, see};

/// Accounts on a page.
const ON_A_PAGE: u32 = 50;

#[derive(Deserialize)]
pub(in crate::sign_in) struct Asked {
    page: Option<u32>,
    /// Whether an account was changed a moment ago.
    changed: Option<String>,
}

/// The fields of a form, of which one may come several times.
struct Fields(Vec<(String, String)>);

impl Fields {
    fn read(body: &[u8]) -> Self {
        Self(form_urlencoded::parse(body).into_owned().collect())
    }

    fn one(&self, name: &str) -> &str {
        let mut own = self.0.iter().filter(|(known, _)| known == name);
        own.next().map_or("", |(_, value)| value)
    }

    /// The version that was read; a text that is none is no account's.
    fn version(&self) -> Option<u64> {
        let text = Some(self.one("version")).filter(|text| !text.is_empty());
        text.map(|text| text.parse().unwrap_or_default())
    }

    fn all(&self, name: &str) -> Vec<String> {
        let own = self.0.iter().filter(|(known, _)| known == name);
        own.map(|(_, value)| value.clone()).collect()
    }
}

/// GET `/account/people`.
pub(in crate::sign_in) async fn show(
    State(door): Shared,
    Extension(arrival): Extension<Arrival>,
    Extension(person): Extension<SignedIn>,
    Query(asked): Query<Asked>,
) -> Response {
    if !may_see(&person) {
        return forbidden(&person);
    }
    // What an address says is not repeated.
    let notice = asked
        .changed
        .map(|_| Notice::Done("The account was changed."));
    let number = asked.page.unwrap_or(1);
    door.people(&person, &arrival, number, notice, &Invitation::default())
        .await
}

/// POST `/account/people`.
pub(in crate::sign_in) async fn invite(
    State(door): Shared,
    Extension(arrival): Extension<Arrival>,
    Extension(person): Extension<SignedIn>,
    body: Bytes,
) -> Response {
    if !may_see(&person) {
        return forbidden(&person);
    }
    let fields = Fields::read(&body);
    let new = NewUser {
        email: fields.one("email").to_owned(),
        name: fields.one("name").to_owned(),
        roles: fields.all("roles"),
        password: None,
    };
    let acting = acting(&person, &arrival);
    let accounts = &door.sessions.accounts;
    let made = accounts.users::<User>(acting, Method::POST, "/v1/user", Some(&new));
    let refused = match made.await {
        Ok(user) => {
            return door
                .new_link(&person, &arrival, &user, LinkKind::ChoosePassword)
                .await;
        }
        Err(refused) => refused,
    };
    let AccountsError::Refused {
        code,
        message,
        field,
        ..
    } = &refused
    else {
        return failed(&person, &refused);
    };
    let error = match field.as_deref() {
        _ if code == code::EMAIL_TAKEN => {
            Some(InvitationError::Email("Somebody has this address already."))
        }
        Some("name") => Some(InvitationError::Name(message)),
        Some("roles") => Some(InvitationError::Roles(message)),
        Some("email") => Some(InvitationError::Email(message)),
        _ => None,
    };
    let notice = error.is_none().then_some(Notice::Refused(message));
    let invitation = Invitation {
        email: &new.email,
        name: &new.name,
        roles: &new.roles,
        error,
    };
    door.people(&person, &arrival, 1, notice, &invitation).await
}

/// POST `/account/people/{id}/roles`.
pub(in crate::sign_in) async fn roles(
    State(door): Shared,
    Extension(arrival): Extension<Arrival>,
    Extension(person): Extension<SignedIn>,
    Path(id): Path<String>,
    body: Bytes,
) -> Response {
    let fields = Fields::read(&body);
    let change = ChangeUser {
        roles: Some(fields.all("roles")),
        version: fields.version(),
        ..ChangeUser::default()
    };
    door.change(&person, &arrival, &id, &change).await
}

/// POST `/account/people/{id}/disable`: asks first.
pub(in crate::sign_in) async fn disable(
    State(door): Shared,
    Extension(arrival): Extension<Arrival>,
    Extension(person): Extension<SignedIn>,
    Path(id): Path<String>,
    body: Bytes,
) -> Response {
    if !may_see(&person) {
        return forbidden(&person);
    }
    let fields = Fields::read(&body);
    let version = fields.one("version");
    if fields.one("sure") == "yes" {
        let change = ChangeUser {
            disabled: Some(true),
            version: fields.version(),
            ..ChangeUser::default()
        };
        return door.change(&person, &arrival, &id, &change).await;
    }
    let user = match door.user(&person, &arrival, &id).await {
        Ok(user) => user,
        Err(error) => return failed(&person, &error),
    };
    let asked = Confirmation {
        title: &format!("Disable {}?", user.email),
        sentence: "This person is signed out everywhere at once, and cannot sign in until an admin \
                   enables the account again.",
        action: &format!("/account/people/{}/disable", user.id),
        fields: &[("version", version), ("sure", "yes")],
        button: "Disable",
        back: "/account/people",
    };
    page(200, pages::confirm(&frame(&person, None), &asked))
}

/// POST `/account/people/{id}/enable`.
pub(in crate::sign_in) async fn enable(
    State(door): Shared,
    Extension(arrival): Extension<Arrival>,
    Extension(person): Extension<SignedIn>,
    Path(id): Path<String>,
    body: Bytes,
) -> Response {
    let change = ChangeUser {
        disabled: Some(false),
        version: Fields::read(&body).version(),
        ..ChangeUser::default()
    };
    door.change(&person, &arrival, &id, &change).await
}

/// POST `/account/people/{id}/link`.
pub(in crate::sign_in) async fn link(
    State(door): Shared,
    Extension(arrival): Extension<Arrival>,
    Extension(person): Extension<SignedIn>,
    Path(id): Path<String>,
    body: Bytes,
) -> Response {
    if !may_see(&person) {
        return forbidden(&person);
    }
    let kind = match Fields::read(&body).one("kind") {
        "sign-in" => LinkKind::SignIn,
        _ => LinkKind::ChoosePassword,
    };
    match door.user(&person, &arrival, &id).await {
        Ok(user) => door.new_link(&person, &arrival, &user, kind).await,
        Err(error) => failed(&person, &error),
    }
}

impl FrontDoor {
    async fn user(
        &self,
        person: &SignedIn,
        arrival: &Arrival,
        id: &str,
    ) -> Result<User, AccountsError> {
        let path = user_path(id);
        let acting = acting(person, arrival);
        let accounts = &self.sessions.accounts;
        accounts
            .users(acting, Method::GET, &path, None::<&()>)
            .await
    }

    async fn people(
        &self,
        person: &SignedIn,
        arrival: &Arrival,
        number: u32,
        notice: Option<Notice<'_>>,
        invitation: &Invitation<'_>,
    ) -> Response {
        let path = format!("/v1/user/paged?page={number}&limit={ON_A_PAGE}");
        let acting = acting(person, arrival);
        let accounts = &self.sessions.accounts;
        let listed = accounts.users::<UserPage>(acting, Method::GET, &path, None::<&()>);
        let status = match invitation.error.is_some() || matches!(notice, Some(Notice::Refused(_)))
        {
            true => 400,
            false => 200,
        };
        match listed.await {
            Ok(listed) => {
                let frame = frame(person, notice);
                page(
                    status,
                    pages::people(&frame, &listed, &person.id, invitation),
                )
            }
            Err(error) => failed(person, &error),
        }
    }

    /// Changes an account. What is open of it ends, so that its rights are asked for anew.
    async fn change(
        &self,
        person: &SignedIn,
        arrival: &Arrival,
        id: &str,
        change: &ChangeUser,
    ) -> Response {
        if !may_see(person) {
            return forbidden(person);
        }
        let path = user_path(id);
        let acting = acting(person, arrival);
        let accounts = &self.sessions.accounts;
        let changed = accounts.users::<User>(acting, Method::PUT, &path, Some(change));
        match changed.await {
            Ok(user) => {
                self.sessions.live.end_all(&user.id, None);
                see("/account/people?changed=1", Vec::new())
            }
            Err(AccountsError::Refused { code, .. }) if code == code::CHANGED => {
                let text =
                    "Somebody else has changed this account meanwhile. Look at it, and try again.";
                let notice = Some(Notice::Refused(text));
                self.people(person, arrival, 1, notice, &Invitation::default())
                    .await
            }
            Err(AccountsError::Refused { code, .. }) if code == code::LAST_ADMIN => {
                let text = "Nobody would be left who can let people in. Make somebody else an admin first.";
                let notice = Some(Notice::Refused(text));
                self.people(person, arrival, 1, notice, &Invitation::default())
                    .await
            }
            Err(error) => {
                if error == AccountsError::Unavailable {
                    // It may have been done.
                    self.sessions.live.end_all(id, None);
                }
                failed(person, &error)
            }
        }
    }

    async fn new_link(
        &self,
        person: &SignedIn,
        arrival: &Arrival,
        user: &User,
        kind: LinkKind,
    ) -> Response {
        let asked = MakeLink {
            user_id: user.id.clone(),
            kind,
        };
        let accounts = &self.sessions.accounts;
        let made = accounts.make_link(acting(person, arrival), &asked).await;
        match made {
            Ok(made) => {
                let url = self.link_url(&made.token);
                let frame = frame(person, None);
                let html = pages::link_made(&frame, &user.email, &url, made.expires_at_ms, kind);
                page(200, html)
            }
            Err(error) => failed(person, &error),
        }
    }
}
