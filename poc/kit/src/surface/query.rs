//! Reads a request's query.

use std::collections::BTreeMap;

use url::form_urlencoded;

use crate::problem::Problem;

/// The parameters that were not taken yet.
#[derive(Debug)]
pub struct Query(BTreeMap<String, String>);

impl Query {
    /// Reads a query that may have only the `known` parameters.
    ///
    /// # Errors
    /// A 400 [`Problem`] that names an unknown or repeated one.
    pub fn parse(query: Option<&str>, known: &[&str]) -> Result<Self, Problem> {
        let mut parameters = BTreeMap::new();
        for (name, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
            if !known.contains(&name.as_ref()) {
                return Err(Problem::invalid(name, "is not a parameter of this route"));
            }
            if parameters
                .insert(name.to_string(), value.into_owned())
                .is_some()
            {
                return Err(Problem::invalid(name, "is given twice"));
            }
        }
        Ok(Self(parameters))
    }

    /// Takes a text.
    pub fn take(&mut self, name: &str) -> Option<String> {
        self.0.remove(name)
    }

    /// Takes a whole number of `min..=max`.
    ///
    /// # Errors
    /// A 400 [`Problem`] that names the parameter.
    pub fn number(&mut self, name: &str, min: usize, max: usize) -> Result<Option<usize>, Problem> {
        let Some(text) = self.take(name) else {
            return Ok(None);
        };
        match text.parse() {
            Ok(number) if (min..=max).contains(&number) => Ok(Some(number)),
            _ => Err(Problem::invalid(
                name,
                format!("must be a whole number of {min} to {max}"),
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_known_given_once_and_in_range() {
        let mut query = Query::parse(Some("limit=5&cursor=a%20b"), &["cursor", "limit"]).unwrap();
        assert_eq!(query.number("limit", 1, 10).unwrap(), Some(5));
        assert_eq!(query.take("cursor").unwrap(), "a b");
        assert_eq!(
            Query::parse(Some("x=1"), &["limit"])
                .unwrap_err()
                .field
                .unwrap(),
            "x"
        );
        assert_eq!(
            Query::parse(Some("a=1&a=2"), &["a"])
                .unwrap_err()
                .field
                .unwrap(),
            "a"
        );
        for wrong in ["limit=0", "limit=11", "limit=-1", "limit=", "limit=ten"] {
            let mut query = Query::parse(Some(wrong), &["limit"]).unwrap();
            assert_eq!(
                query.number("limit", 1, 10).unwrap_err().field.unwrap(),
                "limit"
            );
        }
    }
}
