//! The one text of a JSON message (wire contract 1.1): what the original's `JSON.stringify` prints after it sorted every
//! object's keys.
//!
//! - Keys sort by the ICU root collation (`localeCompare`), stably; keys that are array indices come first, by number.
//! - Numbers are read as doubles and print as JavaScript prints them; strings escape as JavaScript escapes them, lone
//!   surrogates included (which is why this crate reads JSON itself).
//! - Of a key that comes twice the last value counts; `__proto__` is lost, as it is in the original: do not put anything
//!   there that must be signed.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::LazyLock;

use icu_collator::options::CollatorOptions;
use icu_collator::{CollatorBorrowed, CollatorPreferences};

use self::marks::has_long_run;
use self::reader::Reader;

mod marks;
mod reader;

/// How deep arrays and objects may nest.
pub const MAX_DEPTH: usize = 128;

/// How many combining marks may follow each other in an object's key: as many as in Unicode's stream-safe text (UAX #15).
/// Collating a longer run takes time that grows with its square: 64 KiB of them keep a core busy for minutes.
pub const MAX_MARKS: usize = 30;

/// A message that is not JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidMessage {
    /// The text breaks the grammar of JSON.
    #[error("not JSON at byte {at}")]
    NotJson {
        /// Where.
        at: usize,
    },
    /// Arrays and objects nest deeper than [`MAX_DEPTH`].
    #[error("JSON nests deeper than {MAX_DEPTH} levels")]
    TooDeep,
    /// More than [`MAX_MARKS`] combining marks follow each other in an object's key.
    #[error("a key has more than {MAX_MARKS} combining marks in a row")]
    TooManyMarks,
}

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

/// Orders two keys as the original does (`localeCompare`). Different keys can be equal in it; then the earlier comes first.
///
/// Takes keys as they are: whoever did not make them keeps to [`MAX_MARKS`].
pub fn compare_keys(left: &str, right: &str) -> Ordering {
    compare_plain(left.as_bytes(), right.as_bytes())
        .unwrap_or_else(|| COLLATOR.compare(left, right))
}

#[expect(clippy::expect_used, reason = "the root collation is compiled in")]
static COLLATOR: LazyLock<CollatorBorrowed<'static>> = LazyLock::new(|| {
    CollatorBorrowed::try_new(CollatorPreferences::default(), CollatorOptions::default())
        .expect("the root collation is compiled in")
});

/// The printable ASCII characters in the order of the root collation; a letter's two cases differ only when all else is
/// equal.
const ASCII_ORDER: &[u8; 95] =
    b" _-,;:!?.'\"()[]{}@*/\\&#%`^+<=>|~$0123456789aAbBcCdDeEfFgGhHiIjJkKlLmMnNoOpPqQrRsStTuUvVwWxXyYzZ";

/// The rank of each printable ASCII character, the same for both cases; 0 for all others.
const RANKS: [u8; 256] = {
    let mut ranks = [0; 256];
    let (mut at, mut rank) = (0, 1);
    while at < ASCII_ORDER.len() {
        ranks[ASCII_ORDER[at] as usize] = rank;
        if !ASCII_ORDER[at].is_ascii_lowercase() {
            rank += 1;
        }
        at += 1;
    }
    ranks
};

/// Compares two keys of printable ASCII; `None` for others.
fn compare_plain(left: &[u8], right: &[u8]) -> Option<Ordering> {
    let rank = |byte: u8| RANKS[usize::from(byte)];
    if !left.iter().chain(right).all(|&byte| rank(byte) != 0) {
        return None;
    }
    let by_rank = left
        .iter()
        .map(|&byte| rank(byte))
        .cmp(right.iter().map(|&byte| rank(byte)));
    let by_case = || {
        let mut pairs = left.iter().zip(right);
        // Lower case comes first, and is the larger byte.
        pairs
            .find(|(left, right)| left != right)
            .map_or(Ordering::Equal, |(left, right)| right.cmp(left))
    };
    Some(by_rank.then_with(by_case))
}

/// One member of an object: where its quoted key and its value stand in the text written so far.
struct Member {
    key: Range<usize>,
    value: Range<usize>,
}

/// Brings an object's members in their order: the last value of each key, without `__proto__`.
fn object_text(written: &str, members: &[Member]) -> Result<String, InvalidMessage> {
    let mut positions: HashMap<&str, usize> = HashMap::with_capacity(members.len());
    let mut unique: Vec<(SortKey<'_>, &str, &str)> = Vec::with_capacity(members.len());
    for member in members {
        let (key, value) = (&written[member.key.clone()], &written[member.value.clone()]);
        if key == "\"__proto__\"" {
            continue;
        }
        if has_long_run(key) {
            return Err(InvalidMessage::TooManyMarks);
        }
        let at = *positions.entry(key).or_insert(unique.len());
        match unique.get_mut(at) {
            Some(earlier) => earlier.2 = value,
            None => unique.push((SortKey::of(key), key, value)),
        }
    }
    unique.sort_by(|left, right| left.0.compare(&right.0));
    let mut text = String::with_capacity(written.len().min(1 << 16));
    text.push('{');
    for (index, (_, key, value)) in unique.iter().enumerate() {
        if index > 0 {
            text.push(',');
        }
        text.push_str(key);
        text.push(':');
        text.push_str(value);
    }
    text.push('}');
    Ok(text)
}

/// What a key is sorted by.
enum SortKey<'a> {
    /// An array index.
    Index(u32),
    /// A key without escapes.
    Plain(&'a str),
    /// A key with escapes, decoded; it may hold lone surrogates.
    Units(Vec<u16>),
}

impl<'a> SortKey<'a> {
    fn of(quoted: &'a str) -> Self {
        let key = &quoted[1..quoted.len() - 1];
        if key.contains('\\') {
            Self::Units(unescape_units(key))
        } else if let Some(index) = array_index(key) {
            Self::Index(index)
        } else {
            Self::Plain(key)
        }
    }

    fn compare(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Index(left), Self::Index(right)) => left.cmp(right),
            (Self::Index(_), _) => Ordering::Less,
            (_, Self::Index(_)) => Ordering::Greater,
            (Self::Plain(left), Self::Plain(right)) => compare_keys(left, right),
            (left, right) => COLLATOR.compare_utf16(&left.units(), &right.units()),
        }
    }

    fn units(&self) -> std::borrow::Cow<'_, [u16]> {
        match self {
            Self::Index(_) => [].as_slice().into(),
            Self::Plain(text) => text.encode_utf16().collect::<Vec<_>>().into(),
            Self::Units(units) => units.as_slice().into(),
        }
    }
}

/// JavaScript's array indices: decimal without leading zeros, below 2^32 - 1.
fn array_index(key: &str) -> Option<u32> {
    let canonical =
        key == "0" || (key.bytes().all(|byte| byte.is_ascii_digit()) && !key.starts_with('0'));
    let index = canonical.then(|| key.parse().ok()).flatten()?;
    (index != u32::MAX).then_some(index)
}

/// Decodes a quoted canonical string; a lone surrogate becomes U+FFFD, as it does when JavaScript writes UTF-8.
fn unescape(quoted: &str) -> String {
    let inner = &quoted[1..quoted.len() - 1];
    if inner.contains('\\') {
        String::from_utf16_lossy(&unescape_units(inner))
    } else {
        inner.to_owned()
    }
}

/// Decodes what the reader escaped, so every escape is whole.
fn unescape_units(text: &str) -> Vec<u16> {
    let mut units = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((plain, escaped)) = rest.split_once('\\') {
        units.extend(plain.encode_utf16());
        let (unit, length) = match escaped.as_bytes().first() {
            Some(b'b') => (8, 1),
            Some(b't') => (9, 1),
            Some(b'n') => (10, 1),
            Some(b'f') => (12, 1),
            Some(b'r') => (13, 1),
            Some(b'u') => (u16::from_str_radix(&escaped[1..5], 16).unwrap_or(0xfffd), 5),
            Some(&other) => (u16::from(other), 1),
            None => break,
        };
        units.push(unit);
        rest = &escaped[length..];
    }
    units.extend(rest.encode_utf16());
    units
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use serde_json::value::RawValue;

    use super::*;

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
