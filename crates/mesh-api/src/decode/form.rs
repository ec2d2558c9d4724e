//! Reads `application/x-www-form-urlencoded`, strictly: a secret must arrive as it was typed or not at all.

use std::collections::BTreeMap;

use form_urlencoded::parse;
use percent_encoding::percent_decode;
use serde::de::DeserializeOwned;

use crate::decode::given::{Given, items};
use crate::decode::read;
use crate::fields::{Field, Kind};
use crate::problem::{BODY_LIMIT, Problem};

/// A form has at most this many fields, repeated ones counted.
pub const MAX_FIELDS: usize = 1_024;

/// Decodes the fields, in their order.
///
/// # Errors
/// A 400 [`Problem`] for bytes that are no form, and 413 for too many of them.
pub fn decode(body: &[u8]) -> Result<Vec<(String, String)>, Problem> {
    if body.len() > BODY_LIMIT {
        return Err(Problem::too_large());
    }
    if percent_decode(body).decode_utf8().is_err() {
        return Err(malformed("it is not UTF-8"));
    }
    let mut after_percents = body.split(|byte| *byte == b'%').skip(1);
    let is_escape = |rest: &[u8]| matches!(rest, [one, other, ..] if one.is_ascii_hexdigit() && other.is_ascii_hexdigit());
    if !after_percents.all(is_escape) {
        return Err(malformed("a percent sign without two hex digits"));
    }
    let fields: Vec<_> = parse(body).into_owned().take(MAX_FIELDS + 1).collect();
    if fields.len() > MAX_FIELDS {
        return Err(malformed(&format!("it has more than {MAX_FIELDS} fields")));
    }
    Ok(fields)
}

/// Makes a request of the fields of its form: an empty field is as if it were not there, where it may be absent.
///
/// # Errors
/// A 400 [`Problem`] that names the field.
pub fn request<T: DeserializeOwned>(
    fields: &[Field],
    given: Vec<(String, String)>,
) -> Result<T, Problem> {
    let find = |name: &str| fields.iter().find(|field| field.name == name);
    let mut all = Vec::new();
    let lists = fields.iter().filter(|field| is_list(field));
    let mut lists: BTreeMap<&str, Vec<String>> =
        lists.map(|field| (field.name, Vec::new())).collect();
    for (name, text) in given {
        match (lists.get_mut(name.as_str()), find(&name)) {
            (Some(list), _) => list.push(text),
            (None, Some(field)) if is_absent(field, &text) => {}
            (None, _) => all.push((name, Given::Field(text))),
        }
    }
    let lists = lists.into_iter();
    all.extend(lists.map(|(name, texts)| (name.to_owned(), Given::List(texts))));
    read(all).map_err(|mistake| mistake.of_form())
}

/// Of a list that must be there, each time the field is given is one item, and none at all is an empty list.
fn is_list(field: &Field) -> bool {
    field.kind == Kind::List && !field.optional
}

/// Tells whether an empty field stands for none.
fn is_absent(field: &Field, text: &str) -> bool {
    field.optional
        && match field.kind {
            Kind::List => items(text).next().is_none(),
            Kind::Moment => text.trim().is_empty(),
            Kind::Text | Kind::Secret | Kind::Choice(_) | Kind::Count => text.is_empty(),
        }
}

fn malformed(what: &str) -> Problem {
    Problem::new(
        400,
        "INVALID_FORM",
        format!("the body is not a form ({what})"),
    )
}

#[cfg(test)]
mod tests {
    use form_urlencoded::Serializer;
    use proptest::prelude::*;
    use serde::Serialize;
    use serde_json::{Value, json};

    use super::*;
    use crate::call::Call;
    use crate::credential::{Ensure, Rotate};
    use crate::fields;
    use crate::sync::Nothing;

    fn pair(name: &str, value: &str) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }

    fn read_form<T: DeserializeOwned>(form: &str) -> Result<T, Problem> {
        request(&fields::of::<T>(), decode(form.as_bytes())?)
    }

    /// The body that a program would send for the same.
    fn body<T: DeserializeOwned + Serialize>(form: &str) -> Value {
        json!(read_form::<T>(form).unwrap())
    }

    #[test]
    fn a_form_makes_the_request_that_a_program_would_send() {
        let form = "clientId=a+b&secret=s%2B1&targets=x&targets=y&track=&allowedIps=10.0.0.0%2F8%0D%0A%0D%0A::1,+1.2.3.4\
                    &expiresAt=2027-01-01T00:00";
        let expected = json!({
            "clientId": "a b", "secret": "s+1", "targets": ["x", "y"],
            "allowedIps": ["10.0.0.0/8", "::1", "1.2.3.4"], "expiresAt": 1_798_761_600_000_i64
        });
        assert_eq!(body::<Ensure>(form), expected);
        let empty = "clientId=&secret=&allowedIps=+%0D%0A&expiresAt=";
        assert_eq!(
            body::<Ensure>(empty),
            json!({ "clientId": "", "secret": "", "targets": [] })
        );
        assert_eq!(body::<Nothing>(""), json!({}));
        assert_eq!(
            body::<Call>("target=a&clientId=b&secret="),
            json!({ "target": "a", "clientId": "b" })
        );
    }

    #[test]
    fn mistakes_are_named() {
        for (form, field, message) in [
            (
                "clientId=a&secret=b&targets=c",
                "targets",
                "is not a field of this form",
            ),
            ("clientId=a&clientId=b", "clientId", "is given twice"),
            ("clientId=a", "secret", "is missing"),
        ] {
            let problem = read_form::<Rotate>(form).unwrap_err();
            assert_eq!(
                (problem.field.unwrap(), &*problem.message),
                (field.to_owned(), message)
            );
        }
        let problem = read_form::<Ensure>("expiresAt=tomorrow").unwrap_err();
        assert_eq!(
            problem.message,
            "must be a moment such as 2030-12-31T23:59 (UTC)"
        );
    }

    #[test]
    fn fields_are_decoded_in_their_order() {
        let expected = [
            pair("a", "1 2&=+"),
            pair("b", ""),
            pair("c", ""),
            pair("ä", "€"),
            pair("a", "="),
        ];
        assert_eq!(
            decode(b"a=1+2%26%3d%2B&b=&c&&%C3%A4=%E2%82%ac&a==").unwrap(),
            expected
        );
        assert!(decode(b"").unwrap().is_empty());
    }

    #[test]
    fn what_would_be_changed_is_refused() {
        for bad in [
            &b"a=%"[..],
            b"a=%4",
            b"a=%4g",
            b"a=%+1",
            b"a=%ff",
            b"\xff=1",
        ] {
            assert_eq!(decode(bad).unwrap_err().error, "INVALID_FORM", "{bad:?}");
        }
    }

    #[test]
    fn bodies_are_bounded() {
        assert_eq!(decode(&vec![b'a'; BODY_LIMIT + 1]).unwrap_err().status, 413);
        assert!(decode("a&".repeat(MAX_FIELDS).as_bytes()).is_ok());
        assert_eq!(
            decode("a&".repeat(MAX_FIELDS + 1).as_bytes())
                .unwrap_err()
                .status,
            400
        );
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_are_decoded_or_refused(body in proptest::collection::vec(any::<u8>(), 0..512)) {
            if let Ok(fields) = decode(&body) {
                let again = Serializer::new(String::new()).extend_pairs(&fields).finish();
                prop_assert_eq!(decode(again.as_bytes()).unwrap(), fields);
            }
        }

        #[test]
        fn what_a_browser_writes_is_read_back(value in "\\PC*|[ -~\\r\\n\\t]*") {
            let body = Serializer::new(String::new()).append_pair("a", &value).finish();
            prop_assert_eq!(decode(body.as_bytes()).unwrap(), [pair("a", &value)]);
        }
    }
}
