//! What stands around every page: the head, the navigation, what was just done, the foot.

use maud::{DOCTYPE, Markup, html};
use mesh_api::permission::Permission;
use url::form_urlencoded::byte_serialize;

use crate::pages::assets::{ICON_PATH, STYLE_PATH};

/// What every page of somebody signed in shows beside its own matter.
#[derive(Clone, Copy, Debug, Default)]
pub struct Frame<'a> {
    /// The e-mail address; nobody is signed in without one.
    pub signed_in_as: Option<&'a str>,
    /// What the person may do: decides which pages are named.
    pub may: &'a [Permission],
    /// What the request before this page did.
    pub notice: Option<Notice<'a>>,
}

/// What was just done, or why it was not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice<'a> {
    /// It was done.
    Done(&'a str),
    /// It was not.
    Refused(&'a str),
}

/// The page that is shown, for the navigation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Here {
    Sessions,
    People,
    Audit,
    Elsewhere,
}

/// A whole document of somebody signed in. `title` is the page's name in the window's title; `content` has the one `h1`.
pub(super) fn framed(frame: &Frame<'_>, here: Here, title: &str, content: &Markup) -> String {
    let top = html! {
        @if let Some(name) = frame.signed_in_as {
            (navigation(frame.may, here))
            div.person {
                p { span.unseen { "Signed in as " } bdi title=(name) { (name) } }
                form method="post" action="/logout" { button.quiet type="submit" { "Sign out" } }
            }
        }
    };
    let main = html! { (notice(frame.notice)) (content) };
    document(title, "", &top, &main)
}

/// A whole document of nobody: one card in the middle.
pub(super) fn card(title: &str, content: &Markup) -> String {
    document(
        title,
        "narrow",
        &html! {},
        &html! { div.card { (content) } },
    )
}

fn document(title: &str, class: &str, top: &Markup, main: &Markup) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="referrer" content="same-origin";
                meta name="robots" content="noindex";
                title { (title) " · hmac-mesh" }
                link rel="icon" href=(ICON_PATH);
                link rel="stylesheet" href=(STYLE_PATH);
            }
            body {
                a.skip href="#main" { "Skip to the content" }
                header.top { (brand()) (top) }
                main #main tabindex="-1" class=[(!class.is_empty()).then_some(class)] { (main) }
                footer { p { "All times are UTC." } }
            }
        }
    };
    page.into_string()
}

fn brand() -> Markup {
    html! {
        a.brand href="/" {
            svg.shape viewBox="0 0 20 20" aria-hidden="true" focusable="false" {
                path.line d="M5 5h10v10H5ZM5 5l10 10M15 5 5 15" {}
                @for (x, y) in [(5, 5), (15, 5), (5, 15), (15, 15)] {
                    circle.fill cx=(x) cy=(y) r="3" {}
                }
            }
            span { "hmac-mesh" }
        }
    }
}

fn navigation(may: &[Permission], here: Here) -> Markup {
    let pages = [
        ("/", "Dashboard", Here::Elsewhere, true),
        ("/account/sessions", "Your sessions", Here::Sessions, true),
        ("/account/people", "People", Here::People, false),
        ("/account/audit", "Audit", Here::Audit, false),
    ];
    let admin = may.contains(&Permission::AccountsWrite);
    html! {
        nav aria-label="Pages" {
            @for (address, name, page, everybody) in pages {
                @if everybody || admin {
                    a href=(address) aria-current=[(page == here && page != Here::Elsewhere).then_some("page")] { (name) }
                }
            }
        }
    }
}

fn notice(notice: Option<Notice<'_>>) -> Markup {
    html! {
        @match notice {
            Some(Notice::Done(text)) => p.notice.done role="status" { (text) },
            Some(Notice::Refused(text)) => p.notice.refused role="alert" { (text) },
            None => {},
        }
    }
}

/// Writes one segment of a path: whatever it holds, it stays one segment.
pub(super) fn segment(text: &str) -> String {
    let encoded: String = byte_serialize(text.as_bytes()).collect();
    // `+` is a space in queries alone.
    encoded.replace('+', "%20")
}
