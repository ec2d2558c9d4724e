//! Who did what.

use accounts::private_api::{AuditQuery, AuditRows};
use axum::extract::RawQuery;
use axum::http::HeaderValue;
use axum::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse as _, Response};

use crate::page::page;
use crate::pages;
use crate::sign_in::accounts::{AccountsError, Answer};
use crate::sign_in::front_door::Visitor;

/// Rows of one page.
const ON_A_PAGE: u32 = 100;
/// Rows of one call for an export, and calls at most.
const IN_A_CALL: u32 = 500;
const MOST_CALLS: usize = 40;

/// GET `/account/audit`.
pub(in crate::sign_in) async fn show(visitor: Visitor, RawQuery(query): RawQuery) -> Response {
    let query = AuditQuery {
        limit: Some(ON_A_PAGE),
        ..read(query.as_deref())
    };
    let accounts = visitor.accounts();
    match accounts.audit(visitor.acting(), &query).await {
        Ok(rows) => page(200, pages::audit(&visitor.frame(None), &query, &rows)),
        Err(error) => visitor.failed(&error),
    }
}

/// GET `/account/audit.csv`: what matches, up to 20,000 rows; the newest first.
pub(in crate::sign_in) async fn csv(visitor: Visitor, RawQuery(query): RawQuery) -> Response {
    match visitor.all(read(query.as_deref())).await {
        Ok(all) => file(
            pages::audit_csv(&all.rows),
            "text/csv; charset=utf-8",
            "audit.csv",
        ),
        Err(error) => visitor.failed(&error),
    }
}

/// GET `/account/audit.json`: the same, with `next` where there is more.
pub(in crate::sign_in) async fn json(visitor: Visitor, RawQuery(query): RawQuery) -> Response {
    let all = visitor.all(read(query.as_deref())).await;
    let text = all.and_then(|all| {
        let text = serde_json::to_string_pretty(&all);
        text.map_err(|_| AccountsError::Unavailable)
    });
    match text {
        Ok(text) => file(text, "application/json", "audit.json"),
        Err(error) => visitor.failed(&error),
    }
}

impl Visitor {
    async fn all(&self, query: AuditQuery) -> Answer<AuditRows> {
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
            let rows = self.accounts().audit(self.acting(), &query).await?;
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
