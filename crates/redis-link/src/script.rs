//! Lua scripts, one for each decision, many calls in one round trip.

use auth_base::store_error::StoreError;
use redis::{Cmd, Pipeline, RedisError, ServerErrorKind, Value};

use crate::failure::store_error;
use crate::link::RedisLink;

/// At most this many calls travel together, so that one round trip stays well within the response timeout.
const PIPELINE: usize = 512;

/// A script and its digest.
pub struct Script(redis::Script, String);

/// One call of a script.
#[derive(Clone, Default)]
pub struct Call {
    keys: Vec<String>,
    arguments: Vec<String>,
}

impl Call {
    /// Adds a key.
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.keys.push(key.into());
        self
    }

    /// Adds an argument.
    pub fn argument(mut self, argument: impl Into<String>) -> Self {
        self.arguments.push(argument.into());
        self
    }
}

impl Script {
    /// Joins `parts` to one script.
    pub fn new(parts: &[&str]) -> Self {
        let source = parts.join("\n");
        Self(redis::Script::new(&source), source)
    }

    /// Calls the script once.
    ///
    /// # Errors
    /// [`StoreError`] of the connection or of this call.
    pub async fn call(&self, link: &RedisLink, call: Call) -> Result<Value, StoreError> {
        self.call_all(link, &[call])
            .await
            .pop()
            .unwrap_or(Ok(Value::Nil))
    }

    /// Calls the script for each of `calls`, in order, in one round trip (one for each 512). Each call is an atomic step
    /// of its own, and its failure leaves the others alone.
    pub async fn call_all(
        &self,
        link: &RedisLink,
        calls: &[Call],
    ) -> Vec<Result<Value, StoreError>> {
        let mut results = Vec::with_capacity(calls.len());
        for calls in calls.chunks(PIPELINE) {
            match self.round_trip(link, calls).await {
                Ok(answers) => results.extend(
                    answers
                        .into_iter()
                        .map(|answer| answer.extract_error().map_err(store_error)),
                ),
                Err(error) => results.extend(calls.iter().map(|_| Err(store_error(error.clone())))),
            }
        }
        results
    }

    async fn round_trip(&self, link: &RedisLink, calls: &[Call]) -> Result<Vec<Value>, RedisError> {
        // The first call of several brings the script with it: the server cannot then miss it in the middle, which would
        // carry out the rest before the beginning.
        let mut answers = link
            .raw_query(&self.pipeline(calls.iter(), calls.len() > 1))
            .await?;
        let missed: Vec<usize> = (0..answers.len())
            .filter(|&i| is_no_script(&answers[i]))
            .collect();
        if !missed.is_empty() {
            let pipeline = self.pipeline(missed.iter().map(|&i| &calls[i]), true);
            for (i, answer) in missed.into_iter().zip(link.raw_query(&pipeline).await?) {
                answers[i] = answer;
            }
        }
        Ok(answers)
    }

    fn pipeline<'a>(&self, calls: impl Iterator<Item = &'a Call>, with_source: bool) -> Pipeline {
        let mut pipeline = redis::pipe();
        for (i, call) in calls.enumerate() {
            let mut command = if i == 0 && with_source {
                let mut command = Cmd::new();
                command.arg("EVAL").arg(&self.1);
                command
            } else {
                let mut command = Cmd::new();
                command.arg("EVALSHA").arg(self.0.get_hash());
                command
            };
            command
                .arg(call.keys.len())
                .arg(&call.keys)
                .arg(&call.arguments);
            pipeline.add_command(command);
        }
        pipeline
    }
}

/// The text of a value, if it is one.
pub fn text(value: &Value) -> Option<&str> {
    match value {
        Value::BulkString(bytes) => std::str::from_utf8(bytes).ok(),
        Value::SimpleString(text) | Value::VerbatimString { text, .. } => Some(text),
        _ => None,
    }
}

fn is_no_script(answer: &Value) -> bool {
    matches!(answer, Value::ServerError(error) if error.kind() == Some(ServerErrorKind::NoScript))
}
