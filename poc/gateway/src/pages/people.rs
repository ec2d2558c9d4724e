//! Who may sign in, and who is let in next.

use accounts::private_api::{User, UserPage};
use maud::{Markup, html};

use crate::pages::field::{Field, hidden, roles};
use crate::pages::frame::{Frame, Here, framed, segment};
use crate::pages::login::title;
use crate::pages::moment::time;

/// What the form to invite somebody is filled with.
#[derive(Clone, Copy, Debug, Default)]
pub struct Invitation<'a> {
    /// The e-mail address that was typed.
    pub email: &'a str,
    /// The name that was typed.
    pub name: &'a str,
    /// The roles that were ticked.
    pub roles: &'a [String],
    /// Why nobody was invited.
    pub error: Option<InvitationError<'a>>,
}

/// Which field of an invitation is wrong, each with the text to show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvitationError<'a> {
    /// The e-mail address: taken, or none.
    Email(&'a str),
    /// The name.
    Name(&'a str),
    /// The roles.
    Roles(&'a str),
}

/// The page at `/account/people`. `me` is the id of the account that looks. Its forms post
///
/// - `email`, `name` and any number of `roles` to `/account/people`,
/// - `version` and any number of `roles` to `/account/people/{id}/roles`,
/// - `version` to `/account/people/{id}/disable` and `/account/people/{id}/enable`,
/// - `kind`, a [`LinkKind`](accounts::private_api::LinkKind) as JSON names it, to `/account/people/{id}/link`.
pub fn people(frame: &Frame<'_>, page: &UserPage, me: &str, invitation: &Invitation<'_>) -> String {
    let content = html! {
        div.with-panel {
            div {
                div.headline {
                    div {
                        h1 { "People" }
                        p.lead { (count(page.total)) ", by e-mail address. What they may do is in their roles." }
                    }
                }
                @if page.users.is_empty() {
                    div.empty { h2 { "Nobody on this page" } p { a href="/account/people" { "To the first page" } } }
                } @else {
                    (table(&page.users, me))
                }
                (pager(page))
            }
            section.panel aria-labelledby="invite" { (invite(invitation)) }
        }
    };
    framed(
        frame,
        Here::People,
        &title("People", invitation.error.is_some()),
        &content,
    )
}

fn count(total: u64) -> String {
    if total == 1 {
        "1 person".to_owned()
    } else {
        format!("{total} people")
    }
}

fn table(users: &[User], me: &str) -> Markup {
    html! {
        div.scroll {
            table.cards {
                caption.unseen { "People, by e-mail address" }
                thead { tr { @for head in ["Person", "Roles", "State", "Actions"] { th scope="col" { (head) } } } }
                tbody { @for user in users { (row(user, user.id == me)) } }
            }
        }
    }
}

fn row(user: &User, is_me: bool) -> Markup {
    html! {
        tr {
            th scope="row" {
                bdi.who { (user.email) }
                @if is_me { " " span.tag.this { "You" } }
                @if !user.name.is_empty() { span.hint { bdi { (user.name) } } }
            }
            td data-label="Roles" {
                @if user.roles.is_empty() { span.soft { "none" } }
                @for role in &user.roles { span.tag { (role) } " " }
            }
            td data-label="State" { (state(user)) }
            td.act { div.actions { (actions(user, is_me)) } }
        }
    }
}

fn state(user: &User) -> Markup {
    html! {
        @if let Some(since) = user.disabled_at_ms {
            span.state.bad { "Disabled" } span.hint { "since " (time(since)) }
        } @else if user.has_password {
            span.state.ok { "Active" }
        } @else {
            span.state.late { "No password yet" }
        }
    }
}

fn actions(user: &User, is_me: bool) -> Markup {
    let (path, of) = (
        format!("/account/people/{}", segment(&user.id)),
        segment(&user.id),
    );
    let unseen = html! { span.unseen { ": " (user.email) } };
    let version = user.version.to_string();
    html! {
        @if user.disabled_at_ms.is_none() {
            details {
                summary { "Roles" (unseen) }
                form.form method="post" action={ (path) "/roles" } {
                    (hidden("version", &version))
                    (roles(&format!("of-{of}"), &user.roles, None))
                    div { button.primary type="submit" { "Save roles" } }
                }
            }
            details {
                summary { "New link" (unseen) }
                form.form method="post" action={ (path) "/link" } {
                    p.hint { "A link works once, and is shown once." }
                    div.choices {
                        button.quiet type="submit" name="kind" value="choose-password" { "To choose a password" }
                        button.quiet type="submit" name="kind" value="sign-in" { "To sign in once" }
                    }
                }
            }
            a.button.quiet href={ "/account/sessions?of=" (of) } { "Sessions" (unseen) }
        }
        @if user.disabled_at_ms.is_some() {
            (act(&format!("{path}/enable"), &version, "quiet", "Enable", &unseen))
        } @else if !is_me {
            (act(&format!("{path}/disable"), &version, "danger", "Disable", &unseen))
        }
    }
}

fn act(action: &str, version: &str, class: &str, name: &str, unseen: &Markup) -> Markup {
    html! {
        form method="post" action=(action) {
            (hidden("version", version))
            button class=(class) type="submit" { (name) (unseen) }
        }
    }
}

fn invite(invitation: &Invitation<'_>) -> Markup {
    let (mut email, mut name, mut role) = (None, None, None);
    match invitation.error {
        Some(InvitationError::Email(text)) => email = Some(text),
        Some(InvitationError::Name(text)) => name = Some(text),
        Some(InvitationError::Roles(text)) => role = Some(text),
        None => {}
    }
    html! {
        form.form method="post" action="/account/people" {
            h2 #invite { "Invite somebody" }
            p.purpose { "You then get a link, with which the person chooses a password." }
            (Field {
                name: "email", label: "E-mail address", kind: "email", value: invitation.email, autocomplete: "off",
                error: email, required: true, first: email.is_some(), ..Field::default()
            }.markup())
            (Field {
                name: "name", label: "Name", kind: "text", value: invitation.name, autocomplete: "off",
                error: name, required: true, first: name.is_some(), ..Field::default()
            }.markup())
            (roles("new", invitation.roles, role))
            p.hint { "A viewer sees the mesh, an operator also changes it, an admin also says who may." }
            button.primary type="submit" { "Invite" }
        }
    }
}

fn pager(page: &UserPage) -> Markup {
    let pages = page.total.div_ceil(u64::from(page.limit.max(1))).max(1);
    let to = |number: u32| format!("/account/people?page={number}&limit={}", page.limit);
    html! {
        @if pages > 1 {
            nav.pager aria-label="Pages of people" {
                p { "Page " (page.page) " of " (pages) }
                @if page.page > 1 { a.button.quiet rel="prev" href=(to(page.page - 1)) { "Previous" } }
                @if u64::from(page.page) < pages { a.button.quiet rel="next" href=(to(page.page + 1)) { "Next" } }
            }
        }
    }
}
