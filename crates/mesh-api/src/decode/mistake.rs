//! What is wrong with a request, as a value: no text of the body is in it but the name of a field.

use std::fmt;

use serde::de::{Error, Expected, Unexpected};

use crate::fields::{Field, Kind};
use crate::problem::Problem;

/// What is wrong, and with which field.
#[derive(Debug)]
pub(super) struct Mistake {
    field: Option<String>,
    what: What,
}

#[derive(Debug)]
enum What {
    /// There is no such field, but these.
    Unknown(&'static [&'static str]),
    /// It holds something of this kind.
    Type(&'static str),
    /// In words.
    Said(String),
}

impl Mistake {
    pub(super) fn said(message: impl Into<String>) -> Self {
        Self {
            field: None,
            what: What::Said(message.into()),
        }
    }

    /// Names the field, and what it wants.
    pub(super) fn at(self, name: &str, field: Option<&Field>) -> Self {
        let what = match (self.what, field) {
            (What::Type(found), Some(field)) => {
                What::Said(format!("must be {}, not {found}", wanted(field)))
            }
            (what, _) => what,
        };
        Self {
            field: self.field.or_else(|| Some(name.to_owned())),
            what,
        }
    }

    pub(super) fn of_json(self) -> Problem {
        self.problem(|known| match known {
            [] => "is not a field of this request, which has none".to_owned(),
            known => format!(
                "is not a field of this request; it has {}",
                known.join(", ")
            ),
        })
    }

    pub(super) fn of_query(self) -> Problem {
        self.problem(|_| "is not a parameter of this route".to_owned())
    }

    pub(super) fn of_form(self) -> Problem {
        self.problem(|_| "is not a field of this form".to_owned())
    }

    fn problem(self, unknown: impl FnOnce(&[&str]) -> String) -> Problem {
        let message = match self.what {
            What::Unknown(known) => unknown(known),
            What::Type(found) => format!("must not be {found}"),
            What::Said(message) => message,
        };
        match self.field {
            Some(field) => Problem::invalid(field, message),
            None => Problem::new(400, "INVALID_OPTIONS", message),
        }
    }
}

/// What a field wants, in words.
fn wanted(field: &Field) -> &'static str {
    match field.kind {
        Kind::Text | Kind::Secret | Kind::Choice(_) => "a text",
        Kind::List => "a list of texts",
        Kind::Moment => "a whole number of epoch milliseconds, or null",
        Kind::Count => "a whole number",
    }
}

impl Error for Mistake {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::said(message.to_string())
    }

    fn invalid_type(found: Unexpected<'_>, _: &dyn Expected) -> Self {
        let found = match found {
            Unexpected::Bool(_) => "true or false",
            Unexpected::Unsigned(_) | Unexpected::Signed(_) => "a number",
            Unexpected::Float(_) => "a number that is not whole",
            Unexpected::Unit | Unexpected::Option => "null",
            Unexpected::Seq => "a list",
            Unexpected::Map => "an object",
            _ => "a text",
        };
        Self {
            field: None,
            what: What::Type(found),
        }
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::invalid_type(found, expected)
    }

    fn unknown_variant(_: &str, words: &'static [&'static str]) -> Self {
        let words = words.iter().copied().filter(|word| !word.is_empty());
        Self::said(format!(
            "must be {}",
            words.collect::<Vec<_>>().join(" or ")
        ))
    }

    fn unknown_field(name: &str, known: &'static [&'static str]) -> Self {
        Self {
            field: Some(name.chars().take(64).collect()),
            what: What::Unknown(known),
        }
    }

    fn missing_field(name: &'static str) -> Self {
        Self::said("is missing").at(name, None)
    }

    fn duplicate_field(name: &'static str) -> Self {
        Self::said("is given twice").at(name, None)
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

impl std::error::Error for Mistake {}
