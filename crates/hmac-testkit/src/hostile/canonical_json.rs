//! JSON messages: their one text, compared with one that is made the long way.

use std::cmp::Ordering;
use std::fmt;

use hmac_message::canonical_json::canonical_json as canonical;
use hmac_message::canonical_json::keys::compare_keys;
use hmac_message::invalid_message::InvalidMessage;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// Takes a message. It is canonical exactly if `serde_json` takes it for JSON; then its text is the one made with `serde_json`,
/// [`compare_keys`] for every pair of keys and numbers printed by the letter of ECMAScript; and that text is its own canonical
/// text.
///
/// # Panics
/// Where that does not hold.
pub fn canonical_json(bytes: &[u8]) {
    let Ok(json) = std::str::from_utf8(bytes) else {
        return;
    };
    let ours = canonical(json);
    if matches!(
        ours,
        Err(InvalidMessage::TooDeep | InvalidMessage::TooManyMarks)
    ) {
        return;
    }
    let raw = serde_json::from_str::<&RawValue>(json).ok();
    assert_eq!(
        ours.is_ok(),
        raw.is_some(),
        "whether this is JSON: {json:?}"
    );
    let (Ok(ours), Some(raw)) = (ours, raw) else {
        return;
    };
    // `serde_json` knows no lone surrogates: then there is nothing to compare with.
    let Ok(theirs) = LongWay.document(raw) else {
        return;
    };
    assert_eq!(ours, theirs, "the canonical text of {json:?}");
    if raw.get().starts_with(['[', '{']) {
        assert_eq!(
            canonical(&ours).as_deref(),
            Ok(ours.as_str()),
            "the canonical text of canonical text"
        );
    }
}

type Text = Result<String, serde_json::Error>;

struct LongWay;

impl LongWay {
    fn document(&self, raw: &RawValue) -> Text {
        match raw.get().as_bytes().first() {
            Some(b'n') => Ok(String::new()),
            Some(b'"') => serde_json::from_str(raw.get()),
            _ => self.value(raw),
        }
    }

    fn value(&self, raw: &RawValue) -> Text {
        let text = raw.get();
        match text.as_bytes().first() {
            Some(b'{') => self.object(serde_json::from_str(text)?),
            Some(b'[') => {
                let items: Vec<&RawValue> = serde_json::from_str(text)?;
                let items: Result<Vec<_>, _> =
                    items.into_iter().map(|item| self.value(item)).collect();
                Ok(format!("[{}]", items?.join(",")))
            }
            Some(b'"') => {
                serde_json::from_str::<String>(text).and_then(|text| serde_json::to_string(&text))
            }
            Some(b'-' | b'0'..=b'9') => Ok(text.parse().map_or_else(|_| String::new(), number)),
            _ => Ok(text.to_owned()),
        }
    }

    fn object(&self, members: Members<'_>) -> Text {
        let mut unique: Vec<(String, &RawValue)> = Vec::new();
        let mut places = std::collections::BTreeMap::new();
        for (key, value) in members.0.into_iter().filter(|(key, _)| key != "__proto__") {
            let at = *places.entry(key.clone()).or_insert(unique.len());
            match unique.get_mut(at) {
                Some(earlier) => earlier.1 = value,
                None => unique.push((key, value)),
            }
        }
        unique.sort_by(|(left, _), (right, _)| self.compare(left, right));
        let members: Result<Vec<_>, serde_json::Error> = unique
            .into_iter()
            .map(|(key, value)| {
                Ok(format!(
                    "{}:{}",
                    serde_json::to_string(&key)?,
                    self.value(value)?
                ))
            })
            .collect();
        Ok(format!("{{{}}}", members?.join(",")))
    }

    fn compare(&self, left: &str, right: &str) -> Ordering {
        match (index(left), index(right)) {
            (Some(left), Some(right)) => left.cmp(&right),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => compare_keys(left, right),
        }
    }
}

/// An integer that prints as the key, below 2^32 - 1.
fn index(key: &str) -> Option<u32> {
    key.parse()
        .ok()
        .filter(|index: &u32| *index < u32::MAX && index.to_string() == key)
}

/// `Number::toString` of ECMAScript, from the shortest digits.
fn number(number: f64) -> String {
    if number == 0.0 {
        return "0".to_owned();
    }
    if number.is_infinite() {
        return "null".to_owned();
    }
    let scientific = format!("{:e}", number.abs());
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let digits = even(number.abs(), digits.replace('.', ""));
    let point = exponent.parse::<isize>().unwrap_or_default() + 1;
    let count = isize::try_from(digits.len()).unwrap_or(isize::MAX);
    let zeros = |count: isize| "0".repeat(count.unsigned_abs());
    let sign = if number < 0.0 { "-" } else { "" };
    match point {
        1..=21 if count <= point => format!("{sign}{digits}{}", zeros(point - count)),
        1..=21 => {
            let (whole, fraction) = digits.split_at(point.unsigned_abs());
            format!("{sign}{whole}.{fraction}")
        }
        -5..=0 => format!("{sign}0.{}{digits}", zeros(point)),
        _ => {
            let (first, others) = digits.split_at(1);
            let dot = if others.is_empty() { "" } else { "." };
            format!("{sign}{first}{dot}{others}e{:+}", point - 1)
        }
    }
}

/// Of two shortest texts that are equally near, ECMAScript takes the even one, and Rust the larger.
fn even(number: f64, digits: String) -> String {
    let exact = format!("{number:.40e}").replace('.', "");
    let (lower, rest) = exact.split_at(digits.len());
    let is_tie = rest
        .split('e')
        .next()
        .is_some_and(|rest| rest.trim_end_matches('0') == "5");
    let is_even = lower.bytes().last().is_some_and(|digit| digit % 2 == 0);
    if is_tie && is_even {
        lower.to_owned()
    } else {
        digits
    }
}

/// The members of an object, all of them, in their order.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct All;
        impl<'de> Visitor<'de> for All {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(All)
    }
}
