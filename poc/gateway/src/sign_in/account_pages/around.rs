//! What stands around a page, and pages instead of one.

use axum::response::Response;
use mesh_api::permission::Permission;

use crate::page::page;
use crate::pages::{self, Frame, Notice};
use crate::sign_in::access::SignedIn;
use crate::sign_in::accounts::AccountsError;

/// What stands around a page.
pub(super) fn frame<'a>(person: &'a SignedIn, notice: Option<Notice<'a>>) -> Frame<'a> {
    Frame {
        signed_in_as: Some(&person.email),
        may: &person.permissions,
        notice,
    }
}

/// A page instead of one that the person may not see.
pub(super) fn forbidden(person: &SignedIn) -> Response {
    let text = format!(
        "Only people with {} may see this page.",
        Permission::AccountsWrite
    );
    let html = pages::message(&frame(person, None), 403, "Not for you", &text);
    page(403, html)
}

pub(super) fn may_see(person: &SignedIn) -> bool {
    person.permissions.contains(&Permission::AccountsWrite)
}

/// A page instead of one that cannot be made.
pub(super) fn failed(person: &SignedIn, error: &AccountsError) -> Response {
    let frame = frame(person, None);
    match error {
        AccountsError::Unavailable => {
            let text = "The accounts service does not answer. You stay signed in: try again.";
            page(503, pages::message(&frame, 503, "Not possible now", text))
        }
        AccountsError::Refused {
            status, message, ..
        } => page(
            *status,
            pages::message(&frame, *status, "That was refused", message),
        ),
    }
}
