//! JSON objects that can be read in one way only: no member twice, at any depth (RFC 7515, section 4; RFC 7519, section 4).

use std::cell::Cell;
use std::collections::HashSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// So deep may objects and arrays be nested.
const DEPTH: u8 = 16;

/// What is wrong with a text that should be an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// No JSON, no object, or nested too deep.
    Syntax,
    /// A member comes twice.
    Twice,
}

/// Reads one object.
///
/// Its names are checked before it is read: how `serde_json` hands numbers to a visitor depends on features that another crate
/// of a program may turn on.
pub(crate) fn object(bytes: &[u8]) -> Result<Map<String, Value>, Fault> {
    let twice = Cell::new(false);
    let names = Names {
        depth: DEPTH,
        twice: &twice,
    };
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let checked = names.deserialize(&mut json).and_then(|()| json.end());
    match (checked, serde_json::from_slice(bytes)) {
        (Ok(()), Ok(Value::Object(members))) => Ok(members),
        (Err(_), _) if twice.get() => Err(Fault::Twice),
        _ => Err(Fault::Syntax),
    }
}

/// Passes over a value, and stops where a name comes twice.
#[derive(Clone, Copy)]
struct Names<'a> {
    depth: u8,
    twice: &'a Cell<bool>,
}

impl Names<'_> {
    fn deeper<E: serde::de::Error>(self) -> Result<Self, E> {
        let depth = self.depth.checked_sub(1);
        let depth = depth.ok_or_else(|| E::custom("nested too deep"))?;
        Ok(Self { depth, ..self })
    }
}

impl<'de> DeserializeSeed<'de> for Names<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Names<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<(), A::Error> {
        let below = self.deeper()?;
        while sequence.next_element_seed(below)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let below = self.deeper()?;
        let mut names = HashSet::new();
        while let Some(name) = map.next_key::<String>()? {
            if !names.insert(name) {
                self.twice.set(true);
                return Err(A::Error::custom("a member twice"));
            }
            map.next_value_seed(below)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_member_may_come_once_at_any_depth() {
        for twice in [
            r#"{"a":1,"a":1}"#,
            r#"{"a":1,"\u0061":2}"#,
            r#"{"a":{"b":1,"b":2}}"#,
            r#"{"a":[{"b":1},{"c":1,"c":null}]}"#,
        ] {
            assert_eq!(object(twice.as_bytes()), Err(Fault::Twice), "{twice}");
        }
        assert!(object(br#" {"a":{"b":1},"c":[{"b":1},{"b":2}]} "#).is_ok());
    }

    #[test]
    fn only_a_whole_object_is_one() {
        let deep = |depth: usize| format!("{{\"a\":{}1{}}}", "[".repeat(depth), "]".repeat(depth));
        assert!(object(deep(15).as_bytes()).is_ok());
        assert_eq!(object(deep(16).as_bytes()), Err(Fault::Syntax));
        for wrong in [
            "",
            "[]",
            "1",
            "null",
            "{",
            "{}x",
            "{} {}",
            "{\"a\":NaN}",
            "{\"a\":1,}",
            "{'a':1}",
            "{\"a\":\"\\ud800\"}",
            "\u{feff}{}",
            "{\"a\":1e999}",
        ] {
            assert_eq!(object(wrong.as_bytes()), Err(Fault::Syntax), "{wrong}");
        }
        assert_eq!(object(b"{\"a\":\"\xff\"}"), Err(Fault::Syntax));
    }

    proptest! {
        #[test]
        fn what_is_read_is_what_serde_json_reads(bytes: Vec<u8>, text in "[{}\\[\\]\",:a1 ]{0,40}") {
            for input in [bytes.as_slice(), text.as_bytes()] {
                if let Ok(members) = object(input) {
                    prop_assert_eq!(serde_json::from_slice::<Value>(input).unwrap(), Value::Object(members));
                }
            }
        }
    }
}
