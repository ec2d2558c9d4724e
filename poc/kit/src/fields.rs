//! Reads the fields of a request's body, one by one, so that every mistake names its field.

use std::collections::BTreeMap;
use std::fmt;

use auth_base::secret::Secret;
use hmac_auth::credential::Change;
use hmac_propagation::peer_store::Track;
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::Value;
use zeroize::Zeroize;

use crate::problem::Problem;

/// The fields of a JSON object that were not taken yet. A secret may be among them: texts are wiped on drop.
pub struct Fields(BTreeMap<String, Value>);

impl Drop for Fields {
    fn drop(&mut self) {
        self.0.values_mut().for_each(wipe);
    }
}

impl Fields {
    /// Reads a body that may have only the `known` fields. An empty body is an empty object.
    ///
    /// # Errors
    /// A 400 [`Problem`] when it is no JSON object, repeats a field, or has another one, which is named.
    pub fn parse(body: &[u8], known: &[&str]) -> Result<Self, Problem> {
        if body.iter().all(u8::is_ascii_whitespace) {
            return Ok(Self(BTreeMap::new()));
        }
        let Members { fields, repeated } = serde_json::from_slice(body).map_err(|error| {
            Problem::invalid_json(format!("the body is not a JSON object ({})", shape(&error)))
        })?;
        let fields = Self(fields);
        if let Some(repeated) = repeated {
            return Err(Problem::invalid(repeated, "is given twice"));
        }
        match fields.0.keys().find(|name| !known.contains(&name.as_str())) {
            Some(unknown) => Err(Problem::invalid(
                unknown.clone(),
                match known {
                    [] => "is not a field of this request, which has none".to_owned(),
                    known => format!(
                        "is not a field of this request; it has {}",
                        known.join(", ")
                    ),
                },
            )),
            None => Ok(fields),
        }
    }

    /// Tells whether the field is there, null included.
    pub fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// Takes a text.
    ///
    /// # Errors
    /// When it is absent, null, or no text.
    pub fn text(&mut self, name: &str) -> Result<String, Problem> {
        self.optional_text(name)?
            .ok_or_else(|| Problem::invalid(name, "is missing"))
    }

    /// Takes a text that may be absent or null.
    ///
    /// # Errors
    /// When it is something else.
    pub fn optional_text(&mut self, name: &str) -> Result<Option<String>, Problem> {
        match self.0.remove(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(wrong(name, "a text", &other)),
        }
    }

    /// Takes a secret.
    ///
    /// # Errors
    /// As [`Self::text`].
    pub fn secret(&mut self, name: &str) -> Result<Secret, Problem> {
        self.text(name).map(Secret::new)
    }

    /// Takes a secret that may be absent or null.
    ///
    /// # Errors
    /// As [`Self::optional_text`].
    pub fn optional_secret(&mut self, name: &str) -> Result<Option<Secret>, Problem> {
        Ok(self.optional_text(name)?.map(Secret::new))
    }

    /// Takes a list of texts.
    ///
    /// # Errors
    /// When it is absent, null, or something else.
    pub fn texts(&mut self, name: &str) -> Result<Vec<String>, Problem> {
        match self.0.remove(name) {
            None | Some(Value::Null) => Err(Problem::invalid(name, "is missing")),
            Some(Value::Array(items)) => items
                .into_iter()
                .map(|item| match item {
                    Value::String(text) => Ok(text),
                    other => Err(wrong(name, "a list of texts", &other)),
                })
                .collect(),
            Some(other) => Err(wrong(name, "a list of texts", &other)),
        }
    }

    /// Takes rules: absent keeps, null and an empty list clear.
    ///
    /// # Errors
    /// When it is something else.
    pub fn change_of_texts(&mut self, name: &str) -> Result<Change<Vec<String>>, Problem> {
        match self.0.get(name) {
            None => Ok(Change::Keep),
            Some(Value::Null) => Ok(Change::Set(Vec::new())),
            Some(_) => self.texts(name).map(Change::Set),
        }
    }

    /// Takes a moment in epoch milliseconds: absent keeps, null clears.
    ///
    /// # Errors
    /// When it is something else.
    pub fn change_of_moment(&mut self, name: &str) -> Result<Change<Option<i64>>, Problem> {
        const EXPECTED: &str = "a whole number of epoch milliseconds, or null";
        match self.0.remove(name) {
            None => Ok(Change::Keep),
            Some(Value::Null) => Ok(Change::Set(None)),
            Some(Value::Number(number)) => match number.as_i64() {
                Some(moment) => Ok(Change::Set(Some(moment))),
                None => Err(wrong(name, EXPECTED, &Value::Number(number))),
            },
            Some(other) => Err(wrong(name, EXPECTED, &other)),
        }
    }

    /// Takes the track; `http` when absent or null.
    ///
    /// # Errors
    /// When it is neither `http` nor `message`.
    pub fn track(&mut self) -> Result<Track, Problem> {
        match self.optional_text("track")? {
            None => Ok(Track::Http),
            Some(text) => Track::parse(&text)
                .ok_or_else(|| Problem::invalid("track", "must be http or message")),
        }
    }
}

/// One level deep is enough for what this surface takes, and for a secret that was put into a list by mistake.
fn wipe(value: &mut Value) {
    match value {
        Value::String(text) => text.zeroize(),
        Value::Array(items) => items
            .iter_mut()
            .filter(|item| item.is_string())
            .for_each(wipe),
        _ => {}
    }
}

fn wrong(name: &str, expected: &str, found: &Value) -> Problem {
    let found = match found {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(number) if number.is_f64() => "a number that is not whole",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    };
    Problem::invalid(name, format!("must be {expected}, not {found}"))
}

/// Says where and how JSON is wrong without repeating any of it (it may hold a secret).
fn shape(error: &serde_json::Error) -> String {
    let what = match error.classify() {
        serde_json::error::Category::Syntax => "not well-formed",
        serde_json::error::Category::Data => "another type",
        serde_json::error::Category::Eof => "it ends too early",
        serde_json::error::Category::Io => "it cannot be read",
    };
    format!("{what}, line {} column {}", error.line(), error.column())
}

/// An object's members; the first repeated name is noted.
struct Members {
    fields: BTreeMap<String, Value>,
    repeated: Option<String>,
}

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MembersVisitor;

        impl<'de> Visitor<'de> for MembersVisitor {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Members {
                    fields: BTreeMap::new(),
                    repeated: None,
                };
                while let Some((name, value)) = map.next_entry::<String, Value>()? {
                    if members.fields.insert(name.clone(), value).is_some() {
                        members.repeated.get_or_insert(name);
                    }
                }
                Ok(members)
            }
        }

        deserializer.deserialize_map(MembersVisitor)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn field_of(result: Result<Fields, Problem>) -> Option<String> {
        result.err().unwrap().field
    }

    #[test]
    fn unknown_and_repeated_fields_are_named() {
        assert_eq!(
            field_of(Fields::parse(br#"{"secert":1}"#, &["secret"])).unwrap(),
            "secert"
        );
        assert_eq!(
            field_of(Fields::parse(br#"{"a":1,"a":2}"#, &["a"])).unwrap(),
            "a"
        );
    }

    #[test]
    fn what_is_no_object_is_refused_without_repeating_it() {
        for body in [
            "[1]",
            "\"secret-value\"",
            "{\"a\":secret-value}",
            "{",
            "nul",
            "1",
        ] {
            let problem = Fields::parse(body.as_bytes(), &["a"]).err().unwrap();
            assert_eq!(
                (problem.status, problem.error),
                (400, "INVALID_JSON"),
                "{body}"
            );
            assert!(!problem.message.contains("secret-value"));
        }
    }

    #[test]
    fn absent_null_and_value_differ_where_it_matters() {
        let mut fields =
            Fields::parse(br#"{"a":null,"b":5,"c":[]}"#, &["a", "b", "c", "d"]).unwrap();
        assert_eq!(fields.change_of_moment("a").unwrap(), Change::Set(None));
        assert_eq!(fields.change_of_moment("b").unwrap(), Change::Set(Some(5)));
        assert_eq!(fields.change_of_texts("c").unwrap(), Change::Set(vec![]));
        assert_eq!(fields.change_of_texts("d").unwrap(), Change::Keep);
        assert_eq!(fields.text("d").unwrap_err().field.unwrap(), "d");
    }

    #[test]
    fn numbers_must_be_whole_and_fit() {
        for number in ["1.5", "1e300", "9223372036854775808"] {
            let body = format!(r#"{{"expiresAt":{number}}}"#);
            let mut fields = Fields::parse(body.as_bytes(), &["expiresAt"]).unwrap();
            assert_eq!(
                fields.change_of_moment("expiresAt").unwrap_err().status,
                400
            );
        }
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_are_parsed_or_refused(body in proptest::collection::vec(any::<u8>(), 0..512)) {
            match Fields::parse(&body, &["clientId"]) {
                Ok(mut fields) => { let _ = fields.text("clientId"); }
                Err(problem) => prop_assert_eq!(problem.status, 400),
            }
        }
    }
}
