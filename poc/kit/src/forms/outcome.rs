//! What a form did, as its page shows it. Never with a secret.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use crate::problem::Problem;
use crate::surface::routes::Operation;

/// What a form did.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Outcome {
    /// Which operation was asked for.
    pub operation: &'static str,
    /// Whether it was done.
    pub ok: bool,
    /// What happened, in words.
    pub message: String,
    /// Which field is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// The code of the problem.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<&'static str>,
    /// What was entered, secrets aside.
    pub values: BTreeMap<String, Vec<String>>,
    /// The operation's answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answer: Option<Value>,
}

impl Outcome {
    /// Tells what an operation answered; `values` must hold no secret.
    pub fn new(
        operation: Operation,
        answered: &Result<Value, Problem>,
        values: BTreeMap<String, Vec<String>>,
    ) -> Self {
        let operation = operation.as_str();
        match answered {
            Ok(answer) => Self {
                operation,
                ok: true,
                message: done(operation, answer),
                field: None,
                code: None,
                values,
                answer: Some(answer.clone()),
            },
            Err(problem) => Self {
                operation,
                ok: false,
                message: problem.message.clone(),
                field: problem.field.clone(),
                code: Some(problem.error),
                values,
                answer: None,
            },
        }
    }

    /// About how much memory it takes, in bytes.
    pub(crate) fn size(&self) -> usize {
        let values: usize = self
            .values
            .iter()
            .map(|(name, texts)| name.len() + size_of_texts(texts))
            .sum();
        let answer = self
            .answer
            .as_ref()
            .map_or(0, |answer| answer.to_string().len());
        512 + self.message.len() + self.field.as_ref().map_or(0, String::len) + values + answer
    }
}

fn size_of_texts(texts: &[String]) -> usize {
    texts
        .iter()
        .map(|text| size_of::<String>() + text.len())
        .sum()
}

/// Says in words what was done.
fn done(operation: &str, answer: &Value) -> String {
    let text = |name: &str| answer[name].as_str().unwrap_or_default();
    let number = |name: &str| answer[name].as_u64().unwrap_or_default();
    let created = text("op").ends_with(".create");
    match operation {
        "ensure" if created => format!("client {} is created", text("clientId")),
        "ensure" => format!("client {} is updated", text("clientId")),
        "rotate" => format!("client {} has a new secret", text("clientId")),
        "revoke" => format!("client {} is revoked", text("clientId")),
        "sync" | "resync" => {
            let (read, sent) = (number("propagationsRead"), number("targetsPublished"));
            format!("{sent} of {read} waiting changes were sent")
        }
        "putTarget" if created => format!("target {} is added", text("targetAmqpQueue")),
        "putTarget" => format!("target {} is changed", text("targetAmqpQueue")),
        "deleteTarget" => format!("target {} is deleted", text("targetAmqpQueue")),
        "stopPeer" => format!(
            "{} is stopped; what is changed meanwhile waits for it",
            text("name")
        ),
        "startPeer" => format!("{} is started, and catches up", text("name")),
        "callTarget" => format!("the peer answered {}", number("status")),
        _ => "done".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn message(operation: Operation, answer: Value) -> String {
        Outcome::new(operation, &Ok(answer), BTreeMap::new()).message
    }

    #[test]
    fn what_was_done_is_said_in_words() {
        let ensured = json!({ "clientId": "a", "op": "credential.create" });
        assert_eq!(message(Operation::Ensure, ensured), "client a is created");
        let ensured = json!({ "clientId": "a", "op": "credential.update" });
        assert_eq!(message(Operation::Ensure, ensured), "client a is updated");
        let put = json!({ "targetAmqpQueue": "b", "op": "target.create" });
        assert_eq!(message(Operation::PutTarget, put), "target b is added");
        let synced = json!({ "propagationsRead": 3, "targetsPublished": 2 });
        assert_eq!(
            message(Operation::Sync, synced),
            "2 of 3 waiting changes were sent"
        );
        assert_eq!(
            message(Operation::CallTarget, json!({ "status": 401 })),
            "the peer answered 401"
        );
    }

    #[test]
    fn a_mistake_names_its_field() {
        let problem = Problem::invalid("clientId", "is missing");
        let outcome = Outcome::new(Operation::Revoke, &Err(problem), BTreeMap::new());
        assert_eq!(
            json!(outcome),
            json!({
                "operation": "revoke", "ok": false, "message": "is missing", "field": "clientId",
                "code": "INVALID_OPTIONS", "values": {}
            })
        );
    }
}
