//! The one text of a JSON message (wire contract 1.1): what the original's `JSON.stringify` prints after it sorted every
//! object's keys.
//!
//! - Keys sort by the ICU root collation as Node has it (`localeCompare`; Han characters by radical and stroke), stably; keys
//!   that are array indices come first, by number.
//! - Numbers are read as doubles and print as JavaScript prints them; strings escape as JavaScript escapes them, lone
//!   surrogates included (which is why this crate reads JSON itself).
//! - Of a key that comes twice the last value counts; `__proto__` is lost, as it is in the original: do not put anything
//!   there that must be signed.

use crate::canonical_json::escapes::unescape;
use crate::canonical_json::reader::Reader;
use crate::invalid_message::InvalidMessage;

mod escapes;
mod han;
pub mod keys;
mod marks;
mod object;
mod reader;

/// Brings JSON into its canonical text. A message that is one string stands for itself, `null` for the empty text.
///
/// # Errors
/// [`InvalidMessage`] when `json` is not JSON, nests too deep, or has a key with too many combining marks in a row.
pub fn canonical_json(json: &str) -> Result<String, InvalidMessage> {
    let mut out = String::with_capacity(json.len());
    Reader::new(json).document(&mut out)?;
    // An infinite number prints as `null` too, and stays.
    if json.trim_ascii_start().starts_with('n') {
        out.clear();
    } else if out.starts_with('"') {
        out = unescape(&out);
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use std::cmp::Ordering;
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use serde_json::value::RawValue;

    use super::*;
    use crate::canonical_json::keys::{COLLATOR, compare_keys, compare_plain};
    use crate::invalid_message::{MAX_DEPTH, MAX_MARKS};

    #[test]
    fn what_is_not_json_is_an_error() {
        for text in [
            "",
            " ",
            "nul",
            "nulll",
            "tru",
            "+1",
            "01",
            "1.",
            ".5",
            "1e",
            "-",
            "--1",
            "0x1",
            "NaN",
            "Infinity",
            "'a'",
            "\"",
            "\"\\x\"",
            "\"\\u12\"",
            "\"\\u+123\"",
            "\"\n\"",
            "[1,]",
            "[,]",
            "[1 2]",
            "{\"a\"}",
            "{\"a\":}",
            "{a:1}",
            "{\"a\":1,}",
            "{,}",
            "[",
            "{",
            "]",
            "1 2",
            "[]]",
            "\u{feff}1",
            "\u{a0}1",
            "//x",
        ] {
            assert!(
                matches!(canonical_json(text), Err(InvalidMessage::NotJson { .. })),
                "{text:?}"
            );
        }
    }

    #[test]
    fn the_corners_of_json_print_as_javascript_prints_them() {
        for (json, canonical) in [
            (" \t\r\n[ 1 , { \"a\" : null } ] ", "[1,{\"a\":null}]"),
            ("1e400", "null"),
            ("-1e400", "null"),
            ("-0.0", "0"),
            ("5e-324", "5e-324"),
            ("1.51350305047926e-309", "1.51350305047926e-309"),
            ("1E+2", "100"),
            ("\"\\ud800\"", "\u{fffd}"),
            ("[\"\\ud83d\\udd10\\ud83d\"]", "[\"🔐\\ud83d\"]"),
            (
                "[\"\\udd10\\ud83d\\ud83d\\udd10\"]",
                "[\"\\udd10\\ud83d🔐\"]",
            ),
            ("[\"\\ud83d\\n\"]", "[\"\\ud83d\\n\"]"),
            (
                "[\"\\u0041\\/\\u001F\\b\\f\\u007f\"]",
                "[\"A/\\u001f\\b\\f\u{7f}\"]",
            ),
            ("\"\\u0041\\n\"", "A\n"),
            ("{\"a\":1,\"b\":2,\"a\":3}", "{\"a\":3,\"b\":2}"),
            ("{\"b\":1,\"\\u0061\":2,\"a\":3}", "{\"a\":3,\"b\":1}"),
            ("{\"\\u005f_proto__\":1}", "{}"),
            ("{\"\\u0000a\":1,\"a\":2}", "{\"\\u0000a\":1,\"a\":2}"),
            ("{\"a\":2,\"\\u0000a\":1}", "{\"a\":2,\"\\u0000a\":1}"),
            ("{\"a\":{},\"4294967294\":1}", "{\"4294967294\":1,\"a\":{}}"),
        ] {
            assert_eq!(canonical_json(json).as_deref(), Ok(canonical), "{json}");
        }
    }

    #[test]
    fn depth_is_bounded() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(canonical_json(&nested(MAX_DEPTH)).is_ok());
        assert_eq!(
            canonical_json(&nested(MAX_DEPTH + 1)),
            Err(InvalidMessage::TooDeep)
        );
        assert_eq!(
            canonical_json(&"{\"a\":".repeat(100_000)),
            Err(InvalidMessage::TooDeep)
        );
    }

    #[test]
    fn marks_in_a_row_are_bounded() {
        let object = |marks: usize| format!("{{\"a{}\":1,\"b\":[{{}}]}}", "\u{f71}".repeat(marks));
        let canonical = canonical_json(&object(MAX_MARKS));
        assert_eq!(canonical.as_deref(), Ok(object(MAX_MARKS).as_str()));
        assert_eq!(
            canonical_json(&object(MAX_MARKS + 1)),
            Err(InvalidMessage::TooManyMarks)
        );
        // Nobody compares values.
        assert!(canonical_json(&format!("[\"{}\"]", "\u{f71}".repeat(100))).is_ok());
    }

    fn any_json() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<i32>().prop_map(Into::into),
            any::<f64>().prop_map(Into::into),
            any::<String>().prop_map(Into::into),
        ];
        leaf.prop_recursive(4, 32, 6, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..6).prop_map(Into::into),
                proptest::collection::vec(("[ -~é]{0,6}|[0-9]{1,3}", inner), 0..6)
                    .prop_map(|members| serde_json::Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn any_text_is_canonical_or_an_error(text: String, json in "[\\[\\]{}\",:\\\\udDbn0189eE+. -]{0,40}") {
            let _ = canonical_json(&text);
            if let Ok(canonical) = canonical_json(&format!("[{json}]")) {
                prop_assert_eq!(canonical_json(&canonical).unwrap(), canonical);
            }
        }

        #[test]
        fn what_this_accepts_serde_accepts_and_the_other_way_round(json in "[\\[\\]{}\",:a019eE+. -]{0,16}") {
            let theirs = serde_json::from_str::<serde_json::Value>(&json);
            // It refuses numbers beyond a double, which JavaScript reads as infinite.
            let infinite = matches!(&theirs, Err(error) if error.to_string().contains("out of range"));
            prop_assert!(infinite || theirs.is_ok() == canonical_json(&json).is_ok(), "{:?}", theirs);
        }

        #[test]
        fn canonical_text_is_its_own_canonical_text_and_means_the_same(value in any_json()) {
            let json = serde_json::to_string(&[&value]).unwrap();
            let canonical = canonical_json(&json).unwrap();
            prop_assert_eq!(&canonical_json(&canonical).unwrap(), &canonical);
            let back: Vec<&RawValue> = serde_json::from_str(&canonical).unwrap();
            prop_assert!(means(back[0], &value), "{} {}", canonical, json);
        }

        #[test]
        fn the_order_of_members_does_not_matter(mut members in proptest::collection::btree_map("[a-zA-Z0-9_-]{1,5}", 0u8..9, 0..12)
            .prop_map(|members| members.into_iter().collect::<Vec<_>>()).prop_shuffle()) {
            let text = |members: &[(String, u8)]| {
                let members: Vec<_> = members.iter().map(|(key, value)| format!("\"{key}\":{value}")).collect();
                canonical_json(&format!("{{{}}}", members.join(","))).unwrap()
            };
            let shuffled = text(&members);
            members.sort();
            prop_assert_eq!(text(&members), shuffled);
        }

        #[test]
        fn plain_keys_compare_as_the_collator_compares_them(left in "[ -~]{0,6}", right in "[ -~]{0,6}") {
            prop_assert_eq!(compare_plain(left.as_bytes(), right.as_bytes()), Some(COLLATOR.compare(&left, &right)));
        }

        #[test]
        fn the_order_is_total(keys in proptest::collection::vec("[aAbé\u{0}\u{200b}\u{301}1-]{0,3}", 3)) {
            use Ordering::Greater;
            let [a, b, c] = &keys[..] else { unreachable!() };
            prop_assert_eq!(compare_keys(a, b), compare_keys(b, a).reverse());
            prop_assert!(compare_keys(a, b) == Greater || compare_keys(b, c) == Greater || compare_keys(a, c) != Greater);
        }
    }

    /// Whether the text means the value. The numbers of the text are read here, and exactly: `serde_json` reads some of
    /// them a few units off.
    fn means(text: &RawValue, value: &serde_json::Value) -> bool {
        use serde_json::Value::{Array, Number, Object};
        match value {
            Array(values) => {
                let texts: Vec<&RawValue> = serde_json::from_str(text.get()).unwrap();
                texts.len() == values.len()
                    && texts
                        .iter()
                        .zip(values)
                        .all(|(text, value)| means(text, value))
            }
            Object(values) => {
                let texts: BTreeMap<String, &RawValue> = serde_json::from_str(text.get()).unwrap();
                texts.len() == values.len()
                    && texts.iter().all(|(key, text)| means(text, &values[key]))
            }
            Number(number) => text.get().parse().ok() == number.as_f64(),
            _ => serde_json::from_str::<serde_json::Value>(text.get()).unwrap() == *value,
        }
    }
}
