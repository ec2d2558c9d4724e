//! Reads requests: a JSON body, the fields of a form, or a query.
//!
//! Whatever it is written in, a request is read into its struct by one deserializer of our own, whose mistakes are values and not
//! texts: a mistake names its field, says what was wanted and of what kind the thing found is, and repeats nothing of
//! it, for it may be a secret.

pub mod form;

mod given;
mod mistake;
mod moment;

use form_urlencoded::parse;
use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, MapAccess, Visitor};
use serde_json::Value;
use serde_json::error::Category;

use crate::decode::given::{Given, members};
use crate::decode::mistake::Mistake;
use crate::problem::Problem;

/// Reads a JSON object. An empty body is an empty object. A byte order mark before it is passed over, as RFC 8259 allows and
/// the original does.
///
/// # Errors
/// A 400 [`Problem`]: `INVALID_JSON` when it is no JSON object, else one that names the field.
pub fn json<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    let members: Members = match body.iter().all(u8::is_ascii_whitespace) {
        true => Members(Vec::new()),
        false => serde_json::from_slice(body).map_err(|error| {
            Problem::invalid_json(format!("the body is not a JSON object ({})", shape(&error)))
        })?,
    };
    let given = members.0.into_iter();
    read(
        given
            .map(|(name, value)| (name, Given::Json(value)))
            .collect(),
    )
    .map_err(|mistake| mistake.of_json())
}

/// Reads a query, without its question mark.
///
/// # Errors
/// A 400 [`Problem`] that names the parameter.
pub fn query<T: DeserializeOwned>(query: Option<&str>) -> Result<T, Problem> {
    let given = parse(query.unwrap_or_default().as_bytes()).into_owned();
    read(
        given
            .map(|(name, text)| (name, Given::Text(text)))
            .collect(),
    )
    .map_err(|mistake| mistake.of_query())
}

fn read<T: DeserializeOwned>(given: Vec<(String, Given)>) -> Result<T, Mistake> {
    T::deserialize(members::<T>(given))
}

/// Says where and how JSON is wrong without repeating any of it.
fn shape(error: &serde_json::Error) -> String {
    let what = match error.classify() {
        Category::Syntax => "not well-formed",
        Category::Data => "another type",
        Category::Eof => "it ends too early",
        Category::Io => "it cannot be read",
    };
    format!("{what}, line {} column {}", error.line(), error.column())
}

/// An object's members in their order, repeated ones too.
struct Members(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;

        impl<'de> Visitor<'de> for Object {
            type Value = Members;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(Object)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::change::Change;
    use crate::credential::{Ensure, Rotate};
    use crate::mesh::{MeshQuery, Show};
    use crate::state::StateQuery;
    use crate::sync::{Nothing, Resync};
    use crate::timeline::TimelineQuery;

    /// Field and message of a refused body.
    fn refused<T: DeserializeOwned + std::fmt::Debug>(body: &str) -> (String, String) {
        let problem = json::<T>(body.as_bytes()).unwrap_err();
        assert_eq!((problem.status, &*problem.error), (400, "INVALID_OPTIONS"));
        (problem.field.unwrap(), problem.message)
    }

    #[test]
    fn a_mistake_names_its_field_in_words() {
        for (body, field, message) in [
            ("{}", "clientId", "is missing"),
            (r#"{"clientId":null}"#, "clientId", "is missing"),
            (
                r#"{"clientId":"a","clientId":"b"}"#,
                "clientId",
                "is given twice",
            ),
            (
                r#"{"clientId":7}"#,
                "clientId",
                "must be a text, not a number",
            ),
            (
                r#"{"clientId":{"a":1}}"#,
                "clientId",
                "must be a text, not an object",
            ),
            (
                r#"{"targets":"s3cr3t"}"#,
                "targets",
                "must be a list of texts, not a text",
            ),
            (
                r#"{"targets":["a",1]}"#,
                "targets",
                "must be a list of texts, not a number",
            ),
            (
                r#"{"targets":[null]}"#,
                "targets",
                "must be a list of texts, not null",
            ),
            (r#"{"track":"tcp"}"#, "track", "must be http or message"),
            (r#"{"track":""}"#, "track", "must be http or message"),
            (
                r#"{"track":true}"#,
                "track",
                "must be a text, not true or false",
            ),
            (
                r#"{"allowedIps":"a"}"#,
                "allowedIps",
                "must be a list of texts, not a text",
            ),
        ] {
            assert_eq!(
                refused::<Ensure>(body),
                (field.to_owned(), message.to_owned()),
                "{body}"
            );
        }
        let unknown = "is not a field of this request; it has clientId, secret, track";
        assert_eq!(
            refused::<Rotate>(r#"{"secert":1}"#),
            ("secert".to_owned(), unknown.to_owned())
        );
        let unknown = "is not a field of this request, which has none";
        assert_eq!(
            refused::<Nothing>(r#"{"now":1}"#),
            ("now".to_owned(), unknown.to_owned())
        );
    }

    #[test]
    fn numbers_must_be_whole_and_fit() {
        let wanted = "must be a whole number of epoch milliseconds, or null, not";
        for (number, found) in [
            ("1.5", "a number that is not whole"),
            ("1e300", "a number that is not whole"),
            ("9223372036854775808", "a number"),
            ("\"soon\"", "a text"),
            ("[]", "a list"),
        ] {
            let (field, message) = refused::<Ensure>(&format!(r#"{{"expiresAt":{number}}}"#));
            assert_eq!(
                (&*field, message),
                ("expiresAt", format!("{wanted} {found}"))
            );
        }
    }

    #[test]
    fn absent_null_and_value_differ_where_it_matters() {
        let ensure = |more: &str| {
            let body = format!(r#"{{"clientId":"a","secret":"b","targets":[]{more}}}"#);
            json::<Ensure>(body.as_bytes()).unwrap()
        };
        let absent = ensure("");
        assert_eq!(
            (absent.allowed_ips, absent.expires_at),
            (Change::Keep, Change::Keep)
        );
        let null = ensure(r#","allowedIps":null,"expiresAt":null,"track":null"#);
        assert_eq!(
            (null.allowed_ips, null.expires_at),
            (Change::Clear, Change::Clear)
        );
        assert_eq!(null.track, None);
        let value = ensure(r#","allowedIps":[],"expiresAt":5"#);
        assert_eq!(
            (value.allowed_ips, value.expires_at),
            (Change::Set(vec![]), Change::Set(5))
        );
        assert!(json::<Resync>(br#"{"track":null}"#).unwrap().track == Change::Clear);
        assert!(json::<Resync>(b" \n").unwrap().track.is_keep());
    }

    #[test]
    fn what_is_no_object_is_refused_without_repeating_it() {
        for body in [
            "[1]",
            "\"secret-value\"",
            "{\"clientId\":secret-value}",
            "{\"a\"}",
            "{",
            "nul",
            "1",
            "{\"clientId\":\"a\"} x",
        ] {
            let problem = json::<Rotate>(body.as_bytes()).unwrap_err();
            assert_eq!(
                (problem.status, &*problem.error),
                (400, "INVALID_JSON"),
                "{body}"
            );
            assert!(!problem.message.contains("secret-value"));
        }
        assert_eq!(
            json::<Rotate>(b"\xff\xfe").unwrap_err().error,
            "INVALID_JSON"
        );
    }

    #[test]
    fn parameters_are_known_given_once_and_in_range() {
        let state: StateQuery = query(Some("limit=5&cursor=a%20b")).unwrap();
        assert_eq!(state.limit.unwrap().count(), 5);
        assert_eq!(state.cursor.unwrap(), "a b");
        let said = |text: &str| query::<StateQuery>(Some(text)).unwrap_err();
        assert_eq!(said("x=1").message, "is not a parameter of this route");
        assert_eq!(said("limit=1&limit=2").message, "is given twice");
        for wrong in ["limit=0", "limit=501", "limit=-1", "limit=", "limit=ten"] {
            let problem = said(wrong);
            assert_eq!(problem.field.as_deref(), Some("limit"));
            assert_eq!(
                problem.message, "must be a whole number of 1 to 500",
                "{wrong}"
            );
        }
        let mesh: MeshQuery = query(Some("show=&sort=changed&filter=")).unwrap();
        assert_eq!(
            (mesh.show, mesh.filter.as_deref()),
            (Some(Show::All), Some(""))
        );
        let problem = query::<MeshQuery>(Some("show=sideways")).unwrap_err();
        assert_eq!(problem.message, "must be all or attention");
        let problem = query::<TimelineQuery>(Some("clientId=a&before=x")).unwrap_err();
        assert_eq!(problem.message, "is not the id of an entry");
        assert_eq!(
            query::<TimelineQuery>(None).unwrap_err().message,
            "is missing"
        );
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_are_read_or_refused(body in proptest::collection::vec(any::<u8>(), 0..512)) {
            if let Err(problem) = json::<Ensure>(&body) {
                prop_assert_eq!(problem.status, 400);
            }
        }
    }
}
