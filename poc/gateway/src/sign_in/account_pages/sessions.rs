//! Where somebody is signed in.

use accounts::private_api::{EndSessions, User};
use axum::Extension;
use axum::extract::rejection::FormRejection;
use axum::extract::{Form, Query, State};
use axum::http::Method;
use axum::response::Response;
use serde::Deserialize;

use crate::page::page;
use crate::pages::{self, Notice, Whose};
use crate::proxy::Arrival;
use crate::sign_in::access::SignedIn;
use crate::sign_in::account_pages::around::{failed, forbidden, frame, may_see};
use crate::sign_in::accounts::{query, user_path};
use crate::sign_in::front_door::{Shared, acting, see};

#[derive(Deserialize)]
pub(in crate::sign_in) struct Asked {
    /// Somebody else's id.
    of: Option<String>,
    /// Whether some were ended a moment ago.
    ended: Option<String>,
}

#[derive(Deserialize)]
pub(in crate::sign_in) struct Ending {
    sid: Option<String>,
    but: Option<String>,
    all: Option<String>,
    of: Option<String>,
}

/// GET `/account/sessions`.
pub(in crate::sign_in) async fn show(
    State(door): Shared,
    Extension(arrival): Extension<Arrival>,
    Extension(person): Extension<SignedIn>,
    Query(asked): Query<Asked>,
) -> Response {
    let (acting, accounts) = (acting(&person, &arrival), &door.sessions.accounts);
    let of = asked.of.filter(|of| *of != person.id);
    if of.is_some() && !may_see(&person) {
        return forbidden(&person);
    }
    let id = of.as_deref().unwrap_or(&person.id);
    let other = match &of {
        None => None,
        Some(id) => {
            let path = user_path(id);
            let found = accounts.users::<User>(acting, Method::GET, &path, None::<&()>);
            match found.await {
                Ok(user) => Some(user),
                Err(error) => return failed(&person, &error),
            }
        }
    };
    let listed = match accounts.sessions(acting, id).await {
        Ok(listed) => listed.sessions,
        Err(error) => return failed(&person, &error),
    };
    let whose = other.as_ref().map(|user| Whose {
        id: &user.id,
        email: &user.email,
    });
    // What an address says is not repeated.
    let notice = asked.ended.map(|ended| match ended.as_str() {
        "0" => Notice::Done("There was no session to end."),
        _ => Notice::Done("What you chose was ended."),
    });
    let frame = frame(&person, notice);
    page(200, pages::sessions(&frame, &listed, &person.sid, whose))
}

/// POST `/account/sessions/end`.
pub(in crate::sign_in) async fn end(
    State(door): Shared,
    Extension(arrival): Extension<Arrival>,
    Extension(person): Extension<SignedIn>,
    form: Result<Form<Ending>, FormRejection>,
) -> Response {
    let Ok(Form(form)) = form else {
        return see("/account/sessions", Vec::new());
    };
    let of = form.of.filter(|of| *of != person.id);
    if of.is_some() && !may_see(&person) {
        return forbidden(&person);
    }
    let asks = form.sid.is_some() || form.but.is_some() || form.all.is_some();
    if !asks {
        return see("/account/sessions", Vec::new());
    }
    let ending = EndSessions {
        user_id: of.clone().unwrap_or_else(|| person.id.clone()),
        // Of one's own sessions, all means all others: this one is ended by signing out.
        but: (form.sid.is_none() && of.is_none()).then(|| person.sid.clone()),
        sid: form.sid,
    };
    let ended = door.sessions.end(acting(&person, &arrival), &ending).await;
    match ended {
        Ok(ended) => {
            let count = ended.to_string();
            let pairs = of.as_deref().map(|of| ("of", of));
            let pairs: Vec<_> = pairs.into_iter().chain([("ended", &*count)]).collect();
            see(&format!("/account/sessions?{}", query(&pairs)), Vec::new())
        }
        Err(error) => failed(&person, &error),
    }
}
