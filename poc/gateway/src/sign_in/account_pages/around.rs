//! What stands around a page, and pages instead of one.

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use mesh_api::permission::Permission;

use crate::page::page;
use crate::pages::{self, Frame, Notice};
use crate::sign_in::accounts::AccountsError;
use crate::sign_in::front_door::Visitor;

/// Lets in whoever may act on others.
pub(super) async fn admins(visitor: Visitor, request: Request, next: Next) -> Response {
    match visitor.is_admin() {
        true => next.run(request).await,
        false => visitor.forbidden(),
    }
}

impl Visitor {
    /// What stands around a page.
    pub(super) fn frame<'a>(&'a self, notice: Option<Notice<'a>>) -> Frame<'a> {
        Frame {
            signed_in_as: Some(&self.person.email),
            may: &self.person.permissions,
            notice,
        }
    }

    /// A page instead of one that the visitor may not see.
    pub(super) fn forbidden(&self) -> Response {
        let needed = Permission::AccountsWrite;
        let text = format!("Only people with {needed} may see this page.");
        self.message(403, "Not for you", &text)
    }

    /// A page instead of one that cannot be made.
    pub(super) fn failed(&self, error: &AccountsError) -> Response {
        match error {
            AccountsError::Unavailable => {
                let text = "The accounts service does not answer. You stay signed in: try again.";
                self.message(503, "Not possible now", text)
            }
            AccountsError::Refused {
                status, message, ..
            } => self.message(*status, "That was refused", message),
        }
    }

    fn message(&self, status: u16, title: &str, text: &str) -> Response {
        let html = pages::message(&self.frame(None), status, title, text);
        page(status, html)
    }
}
