//! A page that says one thing, and a page that asks whether something is meant.

use maud::html;

use crate::pages::field::hidden;
use crate::pages::frame::{Frame, Here, card, framed};

/// A page that only says something: what is forbidden, missing, or cannot be checked now.
pub fn message(frame: &Frame<'_>, status: u16, title: &str, text: &str) -> String {
    let content = html! {
        p.tag { "Status " (status) }
        h1 { (title) }
        p { (text) }
        @if frame.signed_in_as.is_some() {
            p { a.button.quiet href="/" { "To the dashboard" } }
        } @else {
            p { a.button.quiet href="/login" { "To the sign-in page" } }
        }
    };
    if frame.signed_in_as.is_none() && frame.notice.is_none() {
        return card(title, &content);
    }
    framed(
        frame,
        Here::Elsewhere,
        title,
        &html! { div.sheet { (content) } },
    )
}

/// What is asked before it is done.
#[derive(Clone, Copy)]
pub struct Confirmation<'a> {
    /// The question: `Disable ada@example.org?`.
    pub title: &'a str,
    /// What will happen.
    pub sentence: &'a str,
    /// Where the form posts to: a path of ours.
    pub action: &'a str,
    /// What it posts, names and values.
    pub fields: &'a [(&'a str, &'a str)],
    /// What the button says.
    pub button: &'a str,
    /// Where the way back leads: a path of ours.
    pub back: &'a str,
}

/// A page that asks whether something is meant.
pub fn confirm(frame: &Frame<'_>, asked: &Confirmation<'_>) -> String {
    let content = html! {
        div.sheet {
            h1 { (asked.title) }
            p { (asked.sentence) }
            form.actions method="post" action=(asked.action) {
                @for (name, value) in asked.fields { (hidden(name, value)) }
                button.danger type="submit" { (asked.button) }
                a.button.quiet href=(asked.back) { "Back" }
            }
        }
    };
    framed(frame, Here::Elsewhere, asked.title, &content)
}
