//! The forms of a browser on the surface: the same operations, their fields url-encoded, answered by a redirect back to the page,
//! which then says what happened. A program that posts a form is answered in JSON.
//!
//! No secret is kept: what a form brought in a secret field goes to the operation and nowhere else.

pub mod accept;
pub mod flash;

mod back;

use std::collections::BTreeMap;
use std::sync::Arc;

use auth_base::clock::Clock;
use auth_base::random::Random;
use mesh_api::decode::form;
use mesh_api::fields::{self, Field, Kind};
use mesh_api::outcome::Outcome;
use mesh_api::problem::Problem;
use mesh_api::routes::Operation;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::form::flash::FlashStore;

/// What forms did, until their pages have shown it.
pub struct Forms {
    flash: FlashStore,
}

impl Forms {
    /// Nothing happened yet.
    pub fn new(clock: Arc<dyn Clock>, random: Arc<dyn Random>) -> Self {
        Self {
            flash: FlashStore::new(clock, random),
        }
    }

    /// Takes the outcome that a page's query asks for (`said`); no other page is shown it then.
    pub fn outcome(&self, query: Option<&str>) -> Option<Outcome> {
        self.flash.take(back::said(query?)?.as_ref())
    }

    /// Keeps what an operation answered; returns the place of the page that shows it.
    pub(crate) fn keep(
        &self,
        operation: Operation,
        answered: &Result<Value, Problem>,
        kept: Kept,
    ) -> String {
        let id = self
            .flash
            .keep(Outcome::new(operation, answered, kept.values));
        back::location(&kept.back, &id)
    }
}

/// What is kept of a form for the page it goes back to: no secret, and nothing that was not asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Kept {
    /// The page, checked.
    back: String,
    /// What was entered, by field.
    values: BTreeMap<String, Vec<String>>,
}

/// Reads the form of an operation. The [`Problem`] names the field wherever there is one.
pub(crate) fn read<T: DeserializeOwned>(
    operation: Operation,
    body: &[u8],
) -> (Result<T, Problem>, Kept) {
    let mut kept = Kept {
        back: back::DEFAULT.to_owned(),
        values: BTreeMap::new(),
    };
    let read = form::decode(body).and_then(|given| request(operation, given, &mut kept));
    (read, kept)
}

fn request<T: DeserializeOwned>(
    operation: Operation,
    given: Vec<(String, String)>,
    kept: &mut Kept,
) -> Result<T, Problem> {
    let fields = fields::of::<T>();
    // What was entered is shown again whatever is wrong with the rest, so it is taken down first.
    for (name, text) in &given {
        if fields.iter().any(|field| is_shown(field, name)) {
            let texts = kept.values.entry(name.clone()).or_default();
            texts.push(text.clone());
        }
    }
    let (of_form, given): (Vec<_>, Vec<_>) = given
        .into_iter()
        .partition(|(name, _)| matches!(name.as_str(), "back" | "_method"));
    if let Some(back) = single(&of_form, "back")?.filter(|back| !back.is_empty()) {
        back::check(back)?;
        kept.back = back.to_owned();
    }
    let wanted = (operation == Operation::DeleteTarget).then_some("DELETE");
    if single(&of_form, "_method")? != wanted {
        return Err(Problem::invalid("_method", "must be DELETE to delete"));
    }
    form::request(&fields, given)
}

fn is_shown(field: &Field, name: &str) -> bool {
    field.name == name && field.kind != Kind::Secret
}

/// A field that is given at most once.
fn single<'a>(given: &'a [(String, String)], wanted: &str) -> Result<Option<&'a str>, Problem> {
    let mut texts = given.iter().filter(|(name, _)| name == wanted);
    match (texts.next(), texts.next()) {
        (found, None) => Ok(found.map(|(_, text)| text.as_str())),
        (_, Some(_)) => Err(Problem::invalid(wanted, "is given twice")),
    }
}

#[cfg(test)]
mod tests {
    use mesh_api::credential::{Ensure, Rotate};
    use mesh_api::sync::Nothing;
    use mesh_api::target::Target;
    use serde_json::json;

    use super::*;

    fn refused<T: DeserializeOwned>(operation: Operation, form: &str) -> (String, Kept) {
        let (read, kept) = read::<T>(operation, form.as_bytes());
        (read.err().unwrap().field.unwrap_or_default(), kept)
    }

    #[test]
    fn unknown_and_repeated_fields_are_named() {
        let rotate = |form| refused::<Rotate>(Operation::Rotate, form).0;
        assert_eq!(rotate("clientId=a&secret=b&targets=c"), "targets");
        assert_eq!(rotate("clientId=a&clientId=b"), "clientId");
        let sync = |form| refused::<Nothing>(Operation::Sync, form).0;
        assert_eq!(sync("back=/&back=/"), "back");
        assert_eq!(sync("back=//evil.example"), "back");
        assert_eq!(sync("_method=DELETE"), "_method");
        for form in ["", "_method=delete"] {
            let delete = refused::<Nothing>(Operation::DeleteTarget, form);
            assert_eq!(delete.0, "_method");
        }
        let form = b"_method=DELETE&back=%2F";
        assert!(read::<Nothing>(Operation::DeleteTarget, form).0.is_ok());
    }

    #[test]
    fn what_was_entered_is_kept_but_no_secret() {
        let form = "clientId=a&secret=s3cr3t&targets=x&targets=y&oops=s3cr3t&back=/c";
        let (field, kept) = refused::<Ensure>(Operation::Ensure, form);
        assert_eq!((field.as_str(), kept.back.as_str()), ("oops", "/c"));
        let values = json!({ "clientId": ["a"], "targets": ["x", "y"] });
        assert_eq!(json!(kept.values), values);
        let form = b"propagationSecret=s3cr3t&secret=s3cr3t&note=a";
        let (read, kept) = read::<Target>(Operation::PutTarget, form);
        assert!(!read.err().unwrap().body().contains("s3cr3t"));
        assert!(!format!("{kept:?}").contains("s3cr3t"));
    }
}
