//! Where somebody is signed in.

use accounts::private_api::Session;
use maud::{Markup, html};

use crate::pages::agent;
use crate::pages::field::hidden;
use crate::pages::frame::{Frame, Here, framed};
use crate::pages::moment::time;

/// Another person, whose sessions an admin sees.
#[derive(Clone, Copy, Debug)]
pub struct Whose<'a> {
    /// The account's id.
    pub id: &'a str,
    /// The e-mail address.
    pub email: &'a str,
}

/// The page at `/account/sessions`. Its forms post to `/account/sessions/end`: `sid` for one session, `but=this` for all but
/// the one that asks, `all=yes` for all of somebody else. With `whose`, each also posts `of`, that person's id.
pub fn sessions(
    frame: &Frame<'_>,
    rows: &[Session],
    this_sid: &str,
    whose: Option<Whose<'_>>,
) -> String {
    let is_this = |session: &Session| whose.is_none() && session.sid == this_sid;
    let others = rows.iter().filter(|session| !is_this(session)).count();
    let title = whose.map_or("Your sessions".to_owned(), |whose| {
        format!("Sessions of {}", whose.email)
    });
    let content = html! {
        div.headline {
            div {
                @if let Some(whose) = whose {
                    p.crumbs { a href="/account/people" { "People" } }
                    h1 { "Sessions of " bdi { (whose.email) } }
                    p.lead { "Every browser in which this person is signed in." }
                } @else {
                    h1 { "Your sessions" }
                    p.lead { "Every browser in which you are signed in. Sign out where it is not you." }
                }
            }
            @if others > 0 { (end_others(whose)) }
        }
        @if rows.is_empty() {
            div.empty { h2 { "No sessions" } p { "This person is not signed in anywhere." } }
        } @else {
            (table(rows, &is_this, whose))
        }
    };
    let here = if whose.is_some() {
        Here::People
    } else {
        Here::Sessions
    };
    framed(frame, here, &title, &content)
}

fn end_others(whose: Option<Whose<'_>>) -> Markup {
    html! {
        form method="post" action="/account/sessions/end" {
            @if let Some(whose) = whose {
                (hidden("of", whose.id)) (hidden("all", "yes"))
                button.danger type="submit" { "Sign out everywhere" }
            } @else {
                (hidden("but", "this"))
                button.danger type="submit" { "Sign out everywhere else" }
            }
        }
    }
}

fn table(rows: &[Session], is_this: &dyn Fn(&Session) -> bool, whose: Option<Whose<'_>>) -> Markup {
    html! {
        div.scroll {
            table.cards {
                caption.unseen { "Sessions, the one used last first" }
                thead {
                    tr {
                        @for head in ["Browser", "Address", "Signed in", "Last used", "Ends"] { th scope="col" { (head) } }
                        th scope="col" { span.unseen { "Sign out" } }
                    }
                }
                tbody { @for session in rows { (row(session, is_this(session), whose)) } }
            }
        }
    }
}

fn row(session: &Session, is_this: bool, whose: Option<Whose<'_>>) -> Markup {
    let short = agent::short(&session.agent);
    html! {
        tr {
            th scope="row" {
                @if session.agent.is_empty() { span.who { (short) } } @else {
                    details.more { summary { bdi { (short) } } p.hint { bdi { (session.agent) } } }
                }
                @if is_this { " " span.tag.this { "This browser" } }
            }
            td data-label="Address" { bdi { (session.address) } }
            td data-label="Signed in" { (time(session.created_at_ms)) }
            td data-label="Last used" { (time(session.last_used_at_ms)) }
            td data-label="Ends" {
                (time(session.until_ms.min(session.idle_until_ms)))
                @if session.idle_until_ms < session.until_ms { span.hint { "unless it is used before" } }
            }
            td.act {
                @if !is_this {
                    form method="post" action="/account/sessions/end" {
                        @if let Some(whose) = whose { (hidden("of", whose.id)) }
                        (hidden("sid", &session.sid))
                        button.quiet type="submit" {
                            "Sign out there" span.unseen { ": " (short) ", " (session.address) }
                        }
                    }
                }
            }
        }
    }
}
