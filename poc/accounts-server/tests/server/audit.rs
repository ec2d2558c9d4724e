//! The audit.

use accounts_server::{Operation, Policy};
use serde_json::{Value, json};

use crate::support::{Server, Who};

fn row(at_ms: i64, actor: &str) -> Value {
    json!({ "atMs": at_ms, "actor": actor, "action": "ensure", "subject": "client-1", "outcome": "done",
        "peer": "authority", "requestId": "r" })
}

#[tokio::test]
async fn rows_are_added_once_and_read_by_pages() {
    let server = Server::sqlite(Policy::default()).await;
    let rows: Vec<Value> = (1..=5).map(|at| row(at, "clt_1")).collect();
    let body = json!({ "rows": rows });
    for _ in 0..2 {
        let added = server
            .call(&Who::System, Operation::AppendAudit, &body)
            .await;
        assert_eq!(added, (204, Value::Null));
    }
    let forged = json!({ "rows": [row(6, "somebody-else")] });
    let added = server
        .call(&Who::Admin, Operation::AppendAudit, &forged)
        .await;
    assert_eq!(added.0, 204);
    let read = |query: String| {
        let server = &server;
        async move {
            let uri = format!("/internal/audit?{query}");
            server
                .call_at(&Who::Admin, Operation::Audit, &uri, &Value::Null)
                .await
        }
    };
    let (status, first) = read("peer=authority&limit=4".to_owned()).await;
    assert_eq!(status, 200, "{first}");
    let times = |page: &Value| -> Vec<i64> {
        let rows = page["rows"].as_array().unwrap().iter();
        rows.map(|row| row["atMs"].as_i64().unwrap()).collect()
    };
    assert_eq!(times(&first), [6, 5, 4, 3]);
    assert_eq!(
        first["rows"][0]["actor"], "root@example.org",
        "who the token names"
    );
    assert_eq!(first["rows"][1], row(5, "clt_1"));
    let next = first["next"].as_str().unwrap();
    let (_, second) = read(format!("peer=authority&limit=4&after={next}")).await;
    assert_eq!((times(&second), second.get("next")), (vec![2, 1], None));
    let (_, some) = read("actor=clt_1&fromMs=2&untilMs=4&outcome=done".to_owned()).await;
    assert_eq!(times(&some), [3, 2]);
    for query in ["outcome=maybe", "after=x", "limit=x", "who=a", "fromMs=x"] {
        assert_eq!(read(query.to_owned()).await.0, 400, "{query}");
    }
}

#[tokio::test]
async fn a_call_adds_all_rows_or_none() {
    let server = Server::memory().await;
    let many: Vec<Value> = (0..101).map(|at| row(at, "a")).collect();
    let mut wrong = row(2, "a");
    wrong["outcome"] = "maybe".into();
    for (rows, field) in [(many, "rows"), (vec![row(1, "a"), wrong], "outcome")] {
        let body = json!({ "rows": rows });
        let (status, refused) = server
            .call(&Who::System, Operation::AppendAudit, &body)
            .await;
        assert_eq!((status, &refused["field"]), (400, &json!(field)));
    }
    assert!(server.audit("").await.is_empty());
}
