//! JSON with everything that is in it: members that come twice too.

use std::collections::BTreeSet;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use zeroize::Zeroizing;

/// A value. It may hold secrets: it has no `Debug`, and texts are wiped.
pub(crate) enum Node {
    Null,
    Flag(bool),
    Number,
    Text(Zeroizing<String>),
    /// A text with a placeholder whose variable is not set.
    Unresolved,
    List(Vec<Node>),
    Object(Vec<(String, Node)>),
}

/// A placeholder that does not end, or names no variable.
pub(crate) struct BadPlaceholder;

impl Node {
    /// What it is, for a complaint.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Flag(_) => "a boolean",
            Self::Number => "a number",
            Self::Text(_) | Self::Unresolved => "a text",
            Self::List(_) => "a list",
            Self::Object(_) => "an object",
        }
    }

    /// Puts variables in the place of `${NAME}`, in texts. `bad` is told where a placeholder is none.
    pub(crate) fn resolve(
        &mut self,
        path: &str,
        variables: &dyn Fn(&str) -> Option<String>,
        missing: &mut BTreeSet<String>,
        bad: &mut dyn FnMut(&str),
    ) {
        match self {
            Self::Text(text) => match resolved(text, variables, missing) {
                Ok(Some(text)) => *self = Self::Text(text),
                Ok(None) => *self = Self::Unresolved,
                Err(BadPlaceholder) => {
                    *self = Self::Unresolved;
                    bad(path);
                }
            },
            Self::List(items) => {
                for (index, item) in items.iter_mut().enumerate() {
                    item.resolve(&element(path, index), variables, missing, bad);
                }
            }
            Self::Object(members) => {
                for (name, value) in members {
                    value.resolve(&member(path, name), variables, missing, bad);
                }
            }
            Self::Null | Self::Flag(_) | Self::Number | Self::Unresolved => {}
        }
    }
}

/// The path to a member.
pub(crate) fn member(path: &str, name: &str) -> String {
    // A name is the document's: a long or strange one is not repeated whole.
    let name: String = name
        .chars()
        .take(64)
        .filter(|it| !it.is_control())
        .collect();
    match path.is_empty() {
        true => name,
        false => format!("{path}.{name}"),
    }
}

/// The path to an item of a list.
pub(crate) fn element(path: &str, index: usize) -> String {
    format!("{path}[{index}]")
}

/// The text with its variables; `None` when one is missing. What a variable holds is not looked into again.
fn resolved(
    text: &str,
    variables: &dyn Fn(&str) -> Option<String>,
    missing: &mut BTreeSet<String>,
) -> Result<Option<Zeroizing<String>>, BadPlaceholder> {
    let mut whole = Zeroizing::new(String::new());
    let mut is_whole = true;
    let mut rest = text;
    while let Some((before, placeholder)) = rest.split_once("${") {
        let (name, after) = placeholder.split_once('}').ok_or(BadPlaceholder)?;
        if !is_variable(name) {
            return Err(BadPlaceholder);
        }
        whole.push_str(before);
        match variables(name).map(Zeroizing::new) {
            Some(value) => whole.push_str(&value),
            None => {
                is_whole = false;
                missing.insert(name.to_owned());
            }
        }
        rest = after;
    }
    whole.push_str(rest);
    Ok(is_whole.then_some(whole))
}

fn is_variable(name: &str) -> bool {
    let of_a_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    (1..=128).contains(&name.len())
        && name.bytes().all(of_a_name)
        && !name.starts_with(|first: char| first.is_ascii_digit())
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        json.deserialize_any(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Node, E> {
        Ok(Node::Flag(flag))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Node, E> {
        Ok(Node::Number)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Node, E> {
        Ok(Node::Number)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Node, E> {
        Ok(Node::Number)
    }

    fn visit_str<E>(self, text: &str) -> Result<Node, E> {
        Ok(Node::Text(Zeroizing::new(text.to_owned())))
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Node, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = sequence.next_element()? {
            items.push(item);
        }
        Ok(Node::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(Node::Object(members))
    }
}
