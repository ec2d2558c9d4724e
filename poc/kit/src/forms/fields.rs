//! Which fields the form of an operation has, and the JSON body they make.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use zeroize::Zeroizing;

use crate::forms::{back, decode, moment};
use crate::problem::Problem;
use crate::surface::routes::Operation;

/// A form that was read.
pub struct Form {
    /// The body the operation takes.
    pub body: Zeroizing<Vec<u8>>,
    /// What the page is told of it.
    pub kept: Kept,
}

/// A form that was refused.
pub struct Refused {
    /// Why.
    pub problem: Problem,
    /// What the page is told of it.
    pub kept: Kept,
}

/// What is kept of a form for the page it goes back to: no secret, and nothing that was not asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The page, checked.
    pub back: String,
    /// What was entered, by field.
    pub values: BTreeMap<String, Vec<String>>,
}

/// How a field is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// As it is; an empty one is the operation's to refuse.
    Text,
    /// As it is, and never kept.
    Secret,
    /// Absent when empty.
    OptionalText,
    /// Absent when empty, and never kept.
    OptionalSecret,
    /// Each time the field is given is one of a list.
    List,
    /// One text holds a list, separated by line ends, commas or blanks; absent when empty.
    Lines,
    /// A moment; absent when empty.
    Moment,
}

/// The fields of an operation's form.
pub(super) struct Fields {
    fields: &'static [(&'static str, Kind)],
    /// What `_method` must say.
    method: Option<&'static str>,
}

impl Form {
    /// Reads the form of an operation.
    ///
    /// # Errors
    /// [`Refused`], with a [`Problem`] that names the field wherever there is one.
    pub fn parse(operation: Operation, body: &[u8]) -> Result<Self, Box<Refused>> {
        let mut kept = Kept {
            back: back::DEFAULT.to_owned(),
            values: BTreeMap::new(),
        };
        let read = of(operation)
            .ok_or_else(Problem::not_json)
            .and_then(|fields| Ok((fields, decode::decode(body)?)))
            .and_then(|(fields, given)| read(&fields, given, &mut kept));
        match read {
            Ok(body) => Ok(Self { body, kept }),
            Err(problem) => Err(Box::new(Refused { problem, kept })),
        }
    }
}

/// The fields of an operation's form; `None` for an operation that takes none.
pub(super) fn of(operation: Operation) -> Option<Fields> {
    use Kind::{Lines, List, Moment, OptionalSecret, OptionalText, Secret, Text};
    let fields: &'static [(&'static str, Kind)] = match operation {
        Operation::Ensure => &[
            ("clientId", Text),
            ("secret", Secret),
            ("targets", List),
            ("track", OptionalText),
            ("allowedIps", Lines),
            ("expiresAt", Moment),
        ],
        Operation::Rotate => &[
            ("clientId", Text),
            ("secret", Secret),
            ("track", OptionalText),
        ],
        Operation::Revoke => &[
            ("clientId", Text),
            ("targets", List),
            ("track", OptionalText),
        ],
        Operation::Sync | Operation::DeleteTarget | Operation::StopPeer | Operation::StartPeer => {
            &[]
        }
        Operation::Resync => &[
            ("target", OptionalText),
            ("clientId", OptionalText),
            ("track", OptionalText),
        ],
        Operation::PutTarget => &[
            ("targetAmqpQueue", Text),
            ("propagationSecret", Secret),
            ("note", OptionalText),
        ],
        Operation::CallTarget => &[
            ("target", Text),
            ("clientId", Text),
            ("secret", OptionalSecret),
        ],
        _ => return None,
    };
    let method = (operation == Operation::DeleteTarget).then_some("DELETE");
    Some(Fields { fields, method })
}

/// One field of a form, for the documentation.
pub(crate) struct Written {
    /// Its name.
    pub(crate) name: &'static str,
    /// What is written there.
    pub(crate) meaning: &'static str,
    /// Whether it may be given more than once.
    pub(crate) list: bool,
    /// Whether it must be there.
    pub(crate) required: bool,
}

/// The fields of an operation's form, those of every form included; none for an operation that takes none.
pub(crate) fn written(operation: Operation) -> Vec<Written> {
    let Some(Fields { fields, method }) = of(operation) else {
        return Vec::new();
    };
    let own = fields.iter().map(|(name, kind)| Written {
        name,
        meaning: kind.meaning(),
        list: *kind == Kind::List,
        required: matches!(kind, Kind::Text | Kind::Secret),
    });
    let back = "The path of this site's page to go back to; / unless given";
    let always = Written {
        name: "back",
        meaning: back,
        list: false,
        required: false,
    };
    let method = method.map(|_| Written {
        name: "_method",
        meaning: "DELETE",
        list: false,
        required: true,
    });
    own.chain([always]).chain(method).collect()
}

fn read(
    known: &Fields,
    given: Vec<(String, String)>,
    kept: &mut Kept,
) -> Result<Zeroizing<Vec<u8>>, Problem> {
    let mut texts: BTreeMap<&'static str, Vec<String>> = BTreeMap::new();
    let mut refused = None;
    for (name, text) in given {
        match known.find(&name) {
            Some(name) => texts.entry(name).or_default().push(text),
            None => drop(refused.get_or_insert_with(|| unknown(&name))),
        }
    }
    // What was entered is shown again whatever is wrong with the rest, so it is taken down first.
    for (name, kind) in known.fields {
        if let Some(texts) = texts.get(name).filter(|_| !kind.is_secret()) {
            kept.values.insert((*name).to_owned(), texts.clone());
        }
    }
    if let Some(back) = single(&mut texts, "back")?.filter(|back| !back.is_empty()) {
        back::check(&back)?;
        kept.back = back;
    }
    if let Some(problem) = refused {
        return Err(problem);
    }
    let method = single(&mut texts, "_method")?;
    if method.as_deref() != known.method {
        return Err(Problem::invalid("_method", "must be DELETE to delete"));
    }
    let mut body = Map::new();
    for (name, kind) in known.fields {
        if let Some(value) = value(&mut texts, name, *kind)? {
            body.insert((*name).to_owned(), value);
        }
    }
    Ok(Zeroizing::new(Value::Object(body).to_string().into_bytes()))
}

fn value(
    texts: &mut BTreeMap<&'static str, Vec<String>>,
    name: &'static str,
    kind: Kind,
) -> Result<Option<Value>, Problem> {
    if kind == Kind::List {
        let list = texts.remove(name).unwrap_or_default();
        return Ok(Some(Value::from(list)));
    }
    let Some(text) = single(texts, name)? else {
        return Ok(None);
    };
    Ok(match kind {
        Kind::Text | Kind::Secret => Some(Value::from(text)),
        Kind::OptionalText | Kind::OptionalSecret => {
            Some(text).filter(|text| !text.is_empty()).map(Value::from)
        }
        Kind::Moment if text.trim().is_empty() => None,
        Kind::Moment => match moment::parse(&text) {
            Some(moment) => Some(Value::from(moment)),
            None => {
                return Err(Problem::invalid(
                    name,
                    "must be a moment such as 2030-12-31T23:59 (UTC)",
                ));
            }
        },
        Kind::Lines | Kind::List => {
            let list: Vec<&str> = text
                .split(|c: char| c == ',' || c.is_whitespace())
                .filter(|item| !item.is_empty())
                .collect();
            Some(list).filter(|list| !list.is_empty()).map(Value::from)
        }
    })
}

/// Takes a field that is given at most once.
fn single(
    texts: &mut BTreeMap<&'static str, Vec<String>>,
    name: &'static str,
) -> Result<Option<String>, Problem> {
    let mut texts = texts.remove(name).unwrap_or_default();
    match texts.len() {
        0 | 1 => Ok(texts.pop()),
        _ => Err(Problem::invalid(name, "is given twice")),
    }
}

fn unknown(name: &str) -> Problem {
    let name: String = name.chars().take(64).collect();
    Problem::invalid(name, "is not a field of this form")
}

impl Fields {
    fn find(&self, name: &str) -> Option<&'static str> {
        let always = ["back", "_method"];
        let own = self.fields.iter().map(|(known, _)| *known);
        own.chain(always).find(|known| *known == name)
    }
}

impl Kind {
    fn is_secret(self) -> bool {
        matches!(self, Self::Secret | Self::OptionalSecret)
    }

    fn meaning(self) -> &'static str {
        match self {
            Self::Text => "A text",
            Self::Secret => "A secret; it is never shown again",
            Self::OptionalText => "A text; empty is as if it were not there",
            Self::OptionalSecret => "A secret, never shown again; empty is as if it were not there",
            Self::List => "Given once for each",
            Self::Lines => {
                "Separated by line ends, commas or blanks; empty is as if it were not there"
            }
            Self::Moment => "Such as 2030-12-31T23:59, UTC; empty is as if it were not there",
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    const OPERATIONS: [Operation; 8] = [
        Operation::Ensure,
        Operation::Rotate,
        Operation::Revoke,
        Operation::Sync,
        Operation::Resync,
        Operation::PutTarget,
        Operation::DeleteTarget,
        Operation::CallTarget,
    ];

    fn body(operation: Operation, form: &str) -> Value {
        let form = Form::parse(operation, form.as_bytes()).ok().unwrap();
        serde_json::from_slice(&form.body).unwrap()
    }

    fn refused(operation: Operation, form: &str) -> (String, Kept) {
        let refused = Form::parse(operation, form.as_bytes()).err().unwrap();
        (refused.problem.field.unwrap_or_default(), refused.kept)
    }

    #[test]
    fn a_form_makes_the_body_that_a_program_would_send() {
        let form = "clientId=a+b&secret=s%2B1&targets=x&targets=y&track=&allowedIps=10.0.0.0%2F8%0D%0A%0D%0A::1,+1.2.3.4\
                    &expiresAt=2027-01-01T00:00&back=/targets";
        let expected = json!({
            "clientId": "a b", "secret": "s+1", "targets": ["x", "y"],
            "allowedIps": ["10.0.0.0/8", "::1", "1.2.3.4"], "expiresAt": 1_798_761_600_000_i64
        });
        assert_eq!(body(Operation::Ensure, form), expected);
        let empty = "clientId=&secret=&allowedIps=+%0D%0A&expiresAt=";
        assert_eq!(
            body(Operation::Ensure, empty),
            json!({ "clientId": "", "secret": "", "targets": [] })
        );
        assert_eq!(body(Operation::Sync, ""), json!({}));
        assert_eq!(
            body(Operation::DeleteTarget, "_method=DELETE&back=%2F"),
            json!({})
        );
        assert_eq!(
            body(Operation::CallTarget, "target=a&clientId=b&secret="),
            json!({ "target": "a", "clientId": "b" })
        );
    }

    #[test]
    fn unknown_and_repeated_fields_are_named() {
        for (operation, form, field) in [
            (
                Operation::Rotate,
                "clientId=a&secret=b&targets=c",
                "targets",
            ),
            (Operation::Rotate, "clientId=a&clientId=b", "clientId"),
            (Operation::Sync, "back=/&back=/", "back"),
            (Operation::Sync, "back=//evil.example", "back"),
            (Operation::Sync, "_method=DELETE", "_method"),
            (Operation::DeleteTarget, "", "_method"),
            (Operation::DeleteTarget, "_method=delete", "_method"),
            (Operation::Ensure, "expiresAt=tomorrow", "expiresAt"),
        ] {
            assert_eq!(refused(operation, form).0, field, "{form}");
        }
    }

    #[test]
    fn what_was_entered_is_kept_but_no_secret() {
        let (field, kept) = refused(
            Operation::Ensure,
            "clientId=a&secret=s3cr3t&targets=x&targets=y&oops=s3cr3t&back=/c",
        );
        assert_eq!((field.as_str(), kept.back.as_str()), ("oops", "/c"));
        let values = json!({ "clientId": ["a"], "targets": ["x", "y"] });
        assert_eq!(json!(kept.values), values);
        for operation in OPERATIONS {
            for name in ["secret", "propagationSecret"] {
                let form = format!("{name}=s3cr3t&clientId=a");
                let kept = match Form::parse(operation, form.as_bytes()) {
                    Ok(form) => form.kept,
                    Err(refused) => {
                        assert!(!refused.problem.body().contains("s3cr3t"));
                        refused.kept
                    }
                };
                assert!(!format!("{kept:?}").contains("s3cr3t"));
            }
        }
    }

    #[test]
    fn only_changes_take_forms() {
        assert!(of(Operation::State).is_none());
        assert!(of(Operation::LocalClients).is_none());
        assert!(OPERATIONS.iter().all(|operation| of(*operation).is_some()));
    }

    proptest! {
        #[test]
        fn arbitrary_forms_are_read_or_refused(
            index in 0..OPERATIONS.len(),
            form in prop_oneof![
                proptest::collection::vec(any::<u8>(), 0..512),
                "((clientId|secret|targets|track|expiresAt|back|_method|x)=[a-z0-9%/+:,-]{0,6}&?){0,6}"
                    .prop_map(String::into_bytes),
            ],
        ) {
            match Form::parse(OPERATIONS[index], &form) {
                Ok(form) => prop_assert!(serde_json::from_slice::<Map<String, Value>>(&form.body).is_ok()),
                Err(refused) => prop_assert!((400..500).contains(&refused.problem.status)),
            }
        }
    }
}
