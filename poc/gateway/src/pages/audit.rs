//! What was decided: the audit, with its filters.

use accounts::private_api::{AuditEntry, AuditQuery, AuditRows};
use maud::{Markup, html};
use url::form_urlencoded::Serializer;

use crate::pages::field::hidden;
use crate::pages::frame::{Frame, Here, framed};
use crate::pages::moment::{precise_time, to_input};

const OUTCOMES: [&str; 3] = ["done", "refused", "failed"];

/// The page at `/account/audit`. Its form and its links ask with `actor`, `action`, `subject`, `peer`, `outcome`, `from` and
/// `until` (see [`from_input`](crate::pages::from_input)), and `limit`; the link to older rows with `after` too. An empty
/// parameter is none. Links to `/account/audit.csv` and `/account/audit.json` have the same filters.
pub fn audit(frame: &Frame<'_>, query: &AuditQuery, rows: &AuditRows) -> String {
    let content = html! {
        div.headline {
            div {
                h1 { "Audit" }
                p.lead { "Who did what, to whom, and how it ended. The newest first." }
            }
            div.actions {
                a.button.quiet href=(address("/account/audit.csv", query, Page::All)) { "Export as CSV" }
                a.button.quiet href=(address("/account/audit.json", query, Page::All)) { "Export as JSON" }
            }
        }
        (filters(query))
        @if rows.rows.is_empty() {
            div.empty { h2 { "Nothing found" } p { "No row of the audit has all that was asked for." } }
        } @else {
            (table(&rows.rows))
        }
        (pager(query, rows.next.as_deref()))
    };
    framed(frame, Here::Audit, "Audit", &content)
}

fn filters(query: &AuditQuery) -> Markup {
    html! {
        form.filters role="search" aria-label="Filter the audit" method="get" action="/account/audit" {
            (text("actor", "Actor", query.actor.as_ref()))
            (text("action", "Action", query.action.as_ref()))
            (text("subject", "Subject", query.subject.as_ref()))
            (text("peer", "Peer", query.peer.as_ref()))
            (outcome(query.outcome.as_deref()))
            (moment("from", "From (UTC)", query.from_ms))
            (moment("until", "Until (UTC)", query.until_ms))
            @if let Some(limit) = query.limit { (hidden("limit", &limit.to_string())) }
            div.actions {
                button.primary type="submit" { "Filter" }
                a.button.quiet href="/account/audit" { "Clear" }
            }
        }
    }
}

fn text(name: &str, label: &str, value: Option<&String>) -> Markup {
    html! {
        div.field {
            label for=(name) { (label) }
            input id=(name) name=(name) type="text" value=[value] autocomplete="off" autocapitalize="none" spellcheck="false";
        }
    }
}

fn moment(name: &str, label: &str, at_ms: Option<i64>) -> Markup {
    html! {
        div.field {
            label for=(name) { (label) }
            input id=(name) name=(name) type="datetime-local" value=[at_ms.map(to_input)];
        }
    }
}

fn outcome(chosen: Option<&str>) -> Markup {
    // What was asked for is shown, known or not.
    let other = chosen.filter(|it| !OUTCOMES.contains(it));
    html! {
        div.field {
            label for="outcome" { "Outcome" }
            select #outcome name="outcome" {
                option value="" { "any" }
                @for outcome in OUTCOMES.into_iter().chain(other) {
                    option value=(outcome) selected[chosen == Some(outcome)] { (outcome) }
                }
            }
        }
    }
}

fn table(rows: &[AuditEntry]) -> Markup {
    let heads = [
        "Time", "Actor", "Action", "Subject", "Peer", "Outcome", "Reason", "Request", "Address",
    ];
    html! {
        div.scroll tabindex="0" role="region" aria-label="Rows of the audit" {
            table.cards.dense {
                thead { tr { @for head in heads { th scope="col" { (head) } } } }
                tbody { @for entry in rows { (row(entry)) } }
            }
        }
    }
}

fn row(entry: &AuditEntry) -> Markup {
    let cell = |label: &str, value: Option<&String>| {
        let value = value.filter(|it| !it.is_empty());
        html! { td data-label=(label) class=[value.is_none().then_some("blank")] { bdi { (value.map_or("–", String::as_str)) } } }
    };
    let tone = match entry.outcome.as_str() {
        "done" => "ok",
        "refused" => "late",
        _ => "bad",
    };
    html! {
        tr {
            th.when scope="row" { (precise_time(entry.at_ms)) }
            (cell("Actor", Some(&entry.actor)))
            (cell("Action", Some(&entry.action)))
            (cell("Subject", Some(&entry.subject)))
            (cell("Peer", entry.peer.as_ref()))
            td data-label="Outcome" { span class={ "state " (tone) } { (entry.outcome) } }
            (cell("Reason", entry.reason.as_ref()))
            (cell("Request", entry.request_id.as_ref()))
            (cell("Address", entry.address.as_ref()))
        }
    }
}

fn pager(query: &AuditQuery, next: Option<&str>) -> Markup {
    let newest = query.after.is_some();
    html! {
        @if newest || next.is_some() {
            nav.pager aria-label="Pages of the audit" {
                @if newest { a.button.quiet href=(address("/account/audit", query, Page::First)) { "Newest" } }
                @if let Some(next) = next {
                    a.button.quiet rel="next" href=(address("/account/audit", query, Page::After(next))) { "Older" }
                }
            }
        }
    }
}

/// Which rows a link leads to.
#[derive(Clone, Copy)]
enum Page<'a> {
    First,
    After(&'a str),
    /// For an export, which has no pages.
    All,
}

fn address(path: &str, query: &AuditQuery, page: Page<'_>) -> String {
    let limit = query.limit.filter(|_| !matches!(page, Page::All));
    let after = match page {
        Page::After(after) => Some(after.to_owned()),
        Page::First | Page::All => None,
    };
    let parameters = [
        ("actor", query.actor.clone()),
        ("action", query.action.clone()),
        ("subject", query.subject.clone()),
        ("peer", query.peer.clone()),
        ("outcome", query.outcome.clone()),
        ("from", query.from_ms.map(to_input)),
        ("until", query.until_ms.map(to_input)),
        ("limit", limit.map(|it| it.to_string())),
        ("after", after),
    ];
    let mut encoded = Serializer::new(String::new());
    for (name, value) in parameters {
        if let Some(value) = value {
            encoded.append_pair(name, &value);
        }
    }
    match encoded.finish() {
        query if query.is_empty() => path.to_owned(),
        query => format!("{path}?{query}"),
    }
}
