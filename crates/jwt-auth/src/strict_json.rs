//! JSON objects that can be read in one way only: no member twice, at any depth (RFC 7515, section 4; RFC 7519, section 4).

use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

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
pub(crate) fn object(bytes: &[u8]) -> Result<Map<String, Value>, Fault> {
    let twice = Cell::new(false);
    let strict = Strict {
        depth: DEPTH,
        twice: &twice,
    };
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let read = strict
        .deserialize(&mut json)
        .and_then(|value| json.end().map(|()| value));
    match read {
        Ok(Value::Object(members)) => Ok(members),
        Err(_) if twice.get() => Err(Fault::Twice),
        _ => Err(Fault::Syntax),
    }
}

#[derive(Clone, Copy)]
struct Strict<'a> {
    depth: u8,
    twice: &'a Cell<bool>,
}

impl Strict<'_> {
    fn deeper<E: serde::de::Error>(self) -> Result<Self, E> {
        let depth = self.depth.checked_sub(1);
        let depth = depth.ok_or_else(|| E::custom("nested too deep"))?;
        Ok(Self { depth, ..self })
    }
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Value, D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Value, A::Error> {
        let below = self.deeper()?;
        let mut items = Vec::new();
        while let Some(item) = sequence.next_element_seed(below)? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let below = self.deeper()?;
        let mut members = Map::new();
        while let Some(name) = map.next_key::<String>()? {
            if members.contains_key(&name) {
                self.twice.set(true);
                return Err(A::Error::custom("a member twice"));
            }
            members.insert(name, map.next_value_seed(below)?);
        }
        Ok(Value::Object(members))
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
