//! One-time links: using one, one that is gone, and one that was just made.

use accounts::private_api::{LinkKind, LinkShown};
use maud::{Markup, html};

use crate::pages::field::{Field, hidden};
use crate::pages::frame::{Frame, Here, card, framed};
use crate::pages::login::{LoginError, title};
use crate::pages::moment;

/// Why a link was not used. It still works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkError<'a> {
    /// The password may not be chosen; the text says why, if the accounts service did.
    TooWeak(Option<&'a str>),
    /// The two passwords differ.
    NotTheSame,
    /// Nobody could be signed in, for a reason that the sign-in page knows too.
    Login(LoginError),
}

/// The page that a one-time link opens. Its form posts `token`, and for a new password `password` and `again`, to `/login/link`.
pub fn link(shown: &LinkShown, token: &str, error: Option<LinkError<'_>>) -> String {
    let name = match shown.kind {
        LinkKind::SignIn => "Sign in",
        LinkKind::ChoosePassword => "Choose a password",
    };
    let problem = match error {
        Some(LinkError::Login(error)) => Some(error.text()),
        _ => None,
    };
    let content = html! {
        h1 { (name) }
        @if let Some(problem) = &problem { p.problem role="alert" { (problem) } }
        form.form method="post" action="/login/link" {
            (hidden("token", token))
            @match shown.kind {
                LinkKind::SignIn => {
                    p { "This link signs you in once, without a password." }
                    button.primary type="submit" { "Sign in as " bdi { (shown.email) } }
                }
                LinkKind::ChoosePassword => {
                    (passwords(&shown.email, error))
                    button.primary type="submit" { "Save and sign in" }
                }
            }
        }
        p.hint { "The link works once, until " (moment::time(shown.expires_at_ms)) "." }
    };
    card(&title(name, error.is_some()), &content)
}

/// Whose password it will be, for password managers too, and the password twice.
fn passwords(email: &str, error: Option<LinkError<'_>>) -> Markup {
    let weak = match error {
        Some(LinkError::TooWeak(why)) => Some(
            why.unwrap_or("This password is too short, or too easily guessed. Choose another."),
        ),
        _ => None,
    };
    let differ =
        (error == Some(LinkError::NotTheSame)).then_some("The two passwords are not the same.");
    html! {
        div.field {
            label for="email" { "E-mail address" }
            input id="email" type="email" value=(email) autocomplete="username" readonly;
        }
        (Field {
            name: "password", label: "New password", kind: "password", autocomplete: "new-password",
            hint: Some("12 characters or more, and not easily guessed. Several unusual words are good."),
            error: weak, required: true, first: true, ..Field::default()
        }.markup())
        (Field {
            name: "again", label: "The same password again", kind: "password", autocomplete: "new-password",
            error: differ, required: true, ..Field::default()
        }.markup())
    }
}

/// The page of a link that was used, is too old, or never was one.
pub fn link_gone() -> String {
    let content = html! {
        h1 { "This link no longer works" }
        p { "It was used already, or it is too old. A link works once, and not for long." }
        p { "Ask whoever sent it for a new one. If you have a password, you can sign in with it." }
        p { a.button.primary href="/login" { "Sign in" } }
    };
    card("This link no longer works", &content)
}

/// The page that shows a new one-time link, once. `url` is the whole address with the token.
pub fn link_made(
    frame: &Frame<'_>,
    email: &str,
    url: &str,
    expires_at_ms: i64,
    kind: LinkKind,
) -> String {
    let purpose = match kind {
        LinkKind::SignIn => "Whoever opens it signs in, once, without a password.",
        LinkKind::ChoosePassword => "Whoever opens it chooses a password, and is signed in.",
    };
    let content = html! {
        div.sheet {
            h1 { "A link for " bdi { (email) } }
            p.lead { (purpose) }
            div.field {
                label for="link" { "One-time link" }
                textarea.secret #link rows="3" readonly autofocus spellcheck="false" aria-describedby="link-hint" { (url) }
                p.hint #link-hint { "It works once, until " (moment::time(expires_at_ms)) "." }
            }
            p.problem { strong { "It is shown only now." } " Copy it, and send it to this person alone." }
            p { a.button.quiet href="/account/people" { "Back to people" } }
        }
    };
    framed(frame, Here::People, "A one-time link", &content)
}
