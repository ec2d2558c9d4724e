//! Who did what.

use accounts::private_api::{AuditQuery, AuditRows};
use axum::Extension;
use axum::extract::{RawQuery, State};
use axum::http::HeaderValue;
use axum::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse as _, Response};

use crate::page::page;
use crate::pages;
use crate::proxy::Arrival;
use crate::sign_in::access::SignedIn;
use crate::sign_in::account_pages::around::{failed, forbidden, frame, may_see};
use crate::sign_in::accounts::AccountsError;
use crate::sign_in::front_door::{FrontDoor, Shared, acting};

/// Rows of one page.
const ON_A_PAGE: u32 = 100;
/// Rows of one call for an export, and calls at most.
const IN_A_CALL: u32 = 500;
const MOST_CALLS: usize = 40;

/// GET `/account/audit`.
pub(in crate::sign_in) async fn show(
    State(door): Shared,
    Extension(arrival): Extension<Arrival>,
    Extension(person): Extension<SignedIn>,
    RawQuery(query): RawQuery,
) -> Response {
    if !may_see(&person) {
        return forbidden(&person);
    }
    let query = AuditQuery {
        limit: Some(ON_A_PAGE),
        ..read(query.as_deref())
    };
    let accounts = &door.sessions.accounts;
    match accounts.audit(acting(&person, &arrival), &query).await {
        Ok(rows) => page(200, pages::audit(&frame(&person, None), &query, &rows)),
        Err(error) => failed(&person, &error),
    }
}

/// GET `/account/audit.csv`: what matches, up to 20,000 rows; the newest first.
pub(in crate::sign_in) async fn csv(
    State(door): Shared,
    Extension(arrival): Extension<Arrival>,
    Extension(person): Extension<SignedIn>,
    RawQuery(query): RawQuery,
) -> Response {
    if !may_see(&person) {
        return forbidden(&person);
    }
    match door.all(&person, &arrival, read(query.as_deref())).await {
        Ok(all) => file(
            pages::audit_csv(&all.rows),
            "text/csv; charset=utf-8",
            "audit.csv",
        ),
        Err(error) => failed(&person, &error),
    }
}

/// GET `/account/audit.json`: the same, with `next` where there is more.
pub(in crate::sign_in) async fn json(
    State(door): Shared,
    Extension(arrival): Extension<Arrival>,
    Extension(person): Extension<SignedIn>,
    RawQuery(query): RawQuery,
) -> Response {
    if !may_see(&person) {
        return forbidden(&person);
    }
    let all = door.all(&person, &arrival, read(query.as_deref())).await;
    let text = all.and_then(|all| {
        let text = serde_json::to_string_pretty(&all);
        text.map_err(|_| AccountsError::Unavailable)
    });
    match text {
        Ok(text) => file(text, "application/json", "audit.json"),
        Err(error) => failed(&person, &error),
    }
}

impl FrontDoor {
    async fn all(
        &self,
        person: &SignedIn,
        arrival: &Arrival,
        query: AuditQuery,
    ) -> Result<AuditRows, AccountsError> {
        let mut all = AuditRows {
            rows: Vec::new(),
            next: query.after.clone(),
        };
        for _ in 0..MOST_CALLS {
            let query = AuditQuery {
                limit: Some(IN_A_CALL),
                after: all.next.take(),
                ..query.clone()
            };
            let accounts = &self.sessions.accounts;
            let rows = accounts.audit(acting(person, arrival), &query).await?;
            all.rows.extend(rows.rows);
            all.next = rows.next;
            if all.next.is_none() {
                break;
            }
        }
        Ok(all)
    }
}

/// Reads the fields of the form: an empty one asks for nothing, times are UTC.
fn read(query: Option<&str>) -> AuditQuery {
    let mut asked = AuditQuery::default();
    let pairs = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
    for (name, value) in pairs.filter(|(_, value)| !value.is_empty()) {
        let text = Some(value.clone().into_owned());
        match &*name {
            "actor" => asked.actor = text,
            "action" => asked.action = text,
            "subject" => asked.subject = text,
            "outcome" => asked.outcome = text,
            "peer" => asked.peer = text,
            "after" => asked.after = text,
            "from" => asked.from_ms = pages::from_input(&value),
            "until" => asked.until_ms = pages::from_input(&value),
            _ => {}
        }
    }
    asked
}

fn file(content: String, kind: &'static str, name: &str) -> Response {
    let mut response = content.into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let disposition = format!("attachment; filename=\"{name}\"");
    if let Ok(disposition) = HeaderValue::try_from(disposition) {
        headers.insert(CONTENT_DISPOSITION, disposition);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_asks_for_what_is_filled_in() {
        let asked = read(Some(
            "actor=ada%40example.org&peer=&from=2026-12-01T02%3A30&x=1",
        ));
        let wanted = AuditQuery {
            actor: Some("ada@example.org".to_owned()),
            from_ms: Some(1_796_092_200_000),
            ..AuditQuery::default()
        };
        assert_eq!(asked, wanted);
        assert_eq!(read(None), AuditQuery::default());
    }
}
