//! What a form did.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What a form did. Never with a secret.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Outcome {
    /// Which operation was asked for.
    pub operation: String,
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

/// A refusal or failure of the surface.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Problem {
    /// A stable code.
    pub error: String,
    /// What is wrong, in words.
    pub message: String,
    /// Which field is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
}

impl Outcome {
    /// The first text that was entered in a field.
    pub fn value(&self, field: &str) -> Option<&str> {
        self.values.get(field)?.first().map(String::as_str)
    }
}
