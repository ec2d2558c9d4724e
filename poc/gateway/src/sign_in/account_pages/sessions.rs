//! Where somebody is signed in.

use accounts::private_api::EndSessions;
use axum::extract::rejection::FormRejection;
use axum::extract::{Form, Query};
use axum::response::Response;
use serde::Deserialize;

use crate::page::page;
use crate::pages::{self, Notice, Whose};
use crate::sign_in::accounts::query;
use crate::sign_in::front_door::{Visitor, see};

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
pub(in crate::sign_in) async fn show(visitor: Visitor, Query(asked): Query<Asked>) -> Response {
    let of = asked.of.filter(|of| *of != visitor.person.id);
    if of.is_some() && !visitor.is_admin() {
        return visitor.forbidden();
    }
    let other = match &of {
        None => None,
        Some(id) => match visitor.person(id).await {
            Ok(user) => Some(user),
            Err(error) => return visitor.failed(&error),
        },
    };
    let id = of.as_deref().unwrap_or(&visitor.person.id);
    let listed = match visitor.accounts().sessions(visitor.acting(), id).await {
        Ok(listed) => listed.sessions,
        Err(error) => return visitor.failed(&error),
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
    let (frame, this) = (visitor.frame(notice), &visitor.person.sid);
    page(200, pages::sessions(&frame, &listed, this, whose))
}

/// POST `/account/sessions/end`.
pub(in crate::sign_in) async fn end(
    visitor: Visitor,
    form: Result<Form<Ending>, FormRejection>,
) -> Response {
    let Ok(Form(form)) = form else {
        return see("/account/sessions", Vec::new());
    };
    let person = &visitor.person;
    let of = form.of.filter(|of| *of != person.id);
    if of.is_some() && !visitor.is_admin() {
        return visitor.forbidden();
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
    let sessions = &visitor.door.sessions;
    match sessions.end(visitor.acting(), &ending).await {
        Ok(ended) => {
            let count = ended.to_string();
            let pairs = of.as_deref().map(|of| ("of", of));
            let pairs: Vec<_> = pairs.into_iter().chain([("ended", &*count)]).collect();
            see(&format!("/account/sessions?{}", query(&pairs)), Vec::new())
        }
        Err(error) => visitor.failed(&error),
    }
}
