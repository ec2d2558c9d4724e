//! What a form did, as its page shows it. Never with a secret.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::problem::Problem;
use crate::routes::Operation;

/// What a form did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// Which operation was asked for.
    pub operation: Operation,
    /// Whether it was done.
    pub ok: bool,
    /// What happened, in words.
    pub message: String,
    /// Which field is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// The code of the problem.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
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
                code: Some(problem.error.clone().into_owned()),
                values,
                answer: None,
            },
        }
    }

    /// The first text that was entered in a field.
    pub fn value(&self, field: &str) -> Option<&str> {
        self.values.get(field)?.first().map(String::as_str)
    }

    /// About how much memory it takes, in bytes.
    pub fn size(&self) -> usize {
        let texts = self.values.values().flatten();
        let names: usize = self.values.keys().map(String::len).sum();
        let values: usize = texts.map(|text| size_of::<String>() + text.len()).sum();
        let answer = self.answer.as_ref().map(Value::to_string);
        let others = [answer.as_ref(), self.field.as_ref(), Some(&self.message)];
        512 + names + values + others.into_iter().flatten().map(String::len).sum::<usize>()
    }
}

/// Says in words what was done.
fn done(operation: Operation, answer: &Value) -> String {
    let text = |name: &str| answer[name].as_str().unwrap_or_default();
    let number = |name: &str| answer[name].as_u64().unwrap_or_default();
    let created = text("op").ends_with(".create");
    match operation {
        Operation::Ensure if created => format!("client {} is created", text("clientId")),
        Operation::Ensure => format!("client {} is updated", text("clientId")),
        Operation::Rotate => format!("client {} has a new secret", text("clientId")),
        Operation::Revoke => format!("client {} is revoked", text("clientId")),
        Operation::Sync | Operation::Resync => {
            let (read, sent) = (number("propagationsRead"), number("targetsPublished"));
            format!("{sent} of {read} waiting changes were sent")
        }
        Operation::PutTarget if created => format!("target {} is added", text("targetAmqpQueue")),
        Operation::PutTarget => format!("target {} is changed", text("targetAmqpQueue")),
        Operation::DeleteTarget => format!("target {} is deleted", text("targetAmqpQueue")),
        Operation::StopPeer => format!("peer {} is stopped", text("name")),
        Operation::StartPeer => format!("peer {} is ready", text("name")),
        Operation::CallTarget => format!("the peer answered {}", number("status")),
        Operation::State
        | Operation::Hash
        | Operation::LocalClients
        | Operation::Mesh
        | Operation::MeshHealth
        | Operation::Timeline => "done".to_owned(),
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
