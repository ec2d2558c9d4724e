//! Who may sign in.

use accounts::private_api::{ChangeUser, LinkKind, MakeLink, NewUser, User, UserPage, code};
use axum::body::Bytes;
use axum::extract::{Path, Query};
use axum::http::Method;
use axum::response::Response;
use serde::{Deserialize, Serialize};

use crate::page::page;
use crate::pages::{self, Confirmation, Invitation, InvitationError, Notice};
use crate::sign_in::accounts::{AccountsError, Answer, user_path};
use crate::sign_in::front_door::{Visitor, see};

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
pub(in crate::sign_in) async fn show(visitor: Visitor, Query(asked): Query<Asked>) -> Response {
    // What an address says is not repeated.
    let notice = asked
        .changed
        .map(|_| Notice::Done("The account was changed."));
    let number = asked.page.unwrap_or(1);
    visitor.people(number, notice, &Invitation::default()).await
}

/// POST `/account/people`.
pub(in crate::sign_in) async fn invite(visitor: Visitor, body: Bytes) -> Response {
    let fields = Fields::read(&body);
    let new = NewUser {
        email: fields.one("email").to_owned(),
        name: fields.one("name").to_owned(),
        roles: fields.all("roles"),
        password: None,
    };
    let made = visitor.user(Method::POST, "/v1/user", Some(&new)).await;
    let refused = match made {
        Ok(user) => return visitor.new_link(&user, LinkKind::ChoosePassword).await,
        Err(refused) => refused,
    };
    let AccountsError::Refused {
        code,
        message,
        field,
        ..
    } = &refused
    else {
        return visitor.failed(&refused);
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
    visitor.people(1, notice, &invitation).await
}

/// POST `/account/people/{id}/roles`.
pub(in crate::sign_in) async fn roles(
    visitor: Visitor,
    Path(id): Path<String>,
    body: Bytes,
) -> Response {
    let fields = Fields::read(&body);
    let change = ChangeUser {
        roles: Some(fields.all("roles")),
        version: fields.version(),
        ..ChangeUser::default()
    };
    visitor.change(&id, &change).await
}

/// POST `/account/people/{id}/disable`: asks first.
pub(in crate::sign_in) async fn disable(
    visitor: Visitor,
    Path(id): Path<String>,
    body: Bytes,
) -> Response {
    let fields = Fields::read(&body);
    let version = fields.one("version");
    if fields.one("sure") == "yes" {
        let change = ChangeUser {
            disabled: Some(true),
            version: fields.version(),
            ..ChangeUser::default()
        };
        return visitor.change(&id, &change).await;
    }
    let user = match visitor.person(&id).await {
        Ok(user) => user,
        Err(error) => return visitor.failed(&error),
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
    page(200, pages::confirm(&visitor.frame(None), &asked))
}

/// POST `/account/people/{id}/enable`.
pub(in crate::sign_in) async fn enable(
    visitor: Visitor,
    Path(id): Path<String>,
    body: Bytes,
) -> Response {
    let change = ChangeUser {
        disabled: Some(false),
        version: Fields::read(&body).version(),
        ..ChangeUser::default()
    };
    visitor.change(&id, &change).await
}

/// POST `/account/people/{id}/link`.
pub(in crate::sign_in) async fn link(
    visitor: Visitor,
    Path(id): Path<String>,
    body: Bytes,
) -> Response {
    let kind = match Fields::read(&body).one("kind") {
        "sign-in" => LinkKind::SignIn,
        _ => LinkKind::ChoosePassword,
    };
    match visitor.person(&id).await {
        Ok(user) => visitor.new_link(&user, kind).await,
        Err(error) => visitor.failed(&error),
    }
}

impl Visitor {
    async fn user(
        &self,
        method: Method,
        path: &str,
        body: Option<&impl Serialize>,
    ) -> Answer<User> {
        let accounts = self.accounts();
        accounts.users(self.acting(), method, path, body).await
    }

    /// Finds an account.
    pub(super) async fn person(&self, id: &str) -> Answer<User> {
        self.user(Method::GET, &user_path(id), None::<&()>).await
    }

    async fn people(
        &self,
        number: u32,
        notice: Option<Notice<'_>>,
        invitation: &Invitation<'_>,
    ) -> Response {
        let path = format!("/v1/user/paged?page={number}&limit={ON_A_PAGE}");
        let (acting, accounts) = (self.acting(), self.accounts());
        let listed = accounts.users::<UserPage>(acting, Method::GET, &path, None::<&()>);
        let is_refused = invitation.error.is_some() || matches!(notice, Some(Notice::Refused(_)));
        let status = if is_refused { 400 } else { 200 };
        match listed.await {
            Ok(listed) => {
                let (frame, me) = (self.frame(notice), &self.person.id);
                page(status, pages::people(&frame, &listed, me, invitation))
            }
            Err(error) => self.failed(&error),
        }
    }

    /// Changes an account. What is open of it ends, so that its rights are asked for anew.
    async fn change(&self, id: &str, change: &ChangeUser) -> Response {
        let live = &self.door.sessions.live;
        let changed = self.user(Method::PUT, &user_path(id), Some(change)).await;
        let error = match changed {
            Ok(user) => {
                live.end_all(&user.id, None);
                return see("/account/people?changed=1", Vec::new());
            }
            Err(error) => error,
        };
        let text = match &error {
            AccountsError::Refused { code, .. } if code == code::CHANGED => {
                "Somebody else has changed this account meanwhile. Look at it, and try again."
            }
            AccountsError::Refused { code, .. } if code == code::LAST_ADMIN => {
                "Nobody would be left who can let people in. Make somebody else an admin first."
            }
            error => {
                if *error == AccountsError::Unavailable {
                    // It may have been done.
                    live.end_all(id, None);
                }
                return self.failed(error);
            }
        };
        let notice = Some(Notice::Refused(text));
        self.people(1, notice, &Invitation::default()).await
    }

    async fn new_link(&self, user: &User, kind: LinkKind) -> Response {
        let asked = MakeLink {
            user_id: user.id.clone(),
            kind,
        };
        match self.accounts().make_link(self.acting(), &asked).await {
            Ok(made) => {
                let url = self.door.link_url(&made.token);
                let (frame, until_ms) = (self.frame(None), made.expires_at_ms);
                page(
                    200,
                    pages::link_made(&frame, &user.email, &url, until_ms, kind),
                )
            }
            Err(error) => self.failed(&error),
        }
    }
}
