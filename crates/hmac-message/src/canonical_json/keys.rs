//! The order of an object's keys.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::sync::LazyLock;

use icu_collator::options::{CollatorOptions, Strength};
use icu_collator::{CollatorBorrowed, CollatorPreferences};

use crate::canonical_json::escapes::unescape_units;
use crate::canonical_json::han::{is_respelled, respell};

/// Orders two keys as the original does (`localeCompare`). Different keys can be equal in it; then the earlier comes first.
///
/// Takes keys as they are: whoever did not make them keeps to [`MAX_MARKS`](crate::invalid_message::MAX_MARKS).
pub fn compare_keys(left: &str, right: &str) -> Ordering {
    SortKey::of_text(left).compare(&SortKey::of_text(right))
}

/// What a key is sorted by.
pub(super) enum SortKey<'a> {
    /// An array index.
    Index(u32),
    /// A key without escapes and without Han characters.
    Plain(&'a str),
    /// Any other, decoded; it may hold lone surrogates.
    Respelled { units: Vec<u16>, spelled: String },
}

impl<'a> SortKey<'a> {
    pub(super) fn of(quoted: &'a str) -> Self {
        let key = &quoted[1..quoted.len() - 1];
        if key.contains('\\') {
            Self::respelled(unescape_units(key))
        } else if let Some(index) = array_index(key) {
            Self::Index(index)
        } else {
            Self::of_text(key)
        }
    }

    fn of_text(key: &'a str) -> Self {
        if key.chars().any(is_respelled) {
            Self::respelled(key.encode_utf16().collect())
        } else {
            Self::Plain(key)
        }
    }

    fn respelled(units: Vec<u16>) -> Self {
        let spelled = respell(&units);
        Self::Respelled { units, spelled }
    }

    pub(super) fn compare(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Index(left), Self::Index(right)) => left.cmp(right),
            (Self::Index(_), _) => Ordering::Less,
            (_, Self::Index(_)) => Ordering::Greater,
            (Self::Plain(left), Self::Plain(right)) => {
                let plain = compare_plain(left.as_bytes(), right.as_bytes());
                plain.unwrap_or_else(|| COLLATOR.compare(left, right))
            }
            // Where the spelled ones have the same primary weights, so have the keys themselves.
            (left, right) => PRIMARY
                .compare(left.spelled(), right.spelled())
                .then_with(|| COLLATOR.compare_utf16(&left.units(), &right.units())),
        }
    }

    fn spelled(&self) -> &str {
        match self {
            Self::Index(_) => "",
            Self::Plain(text) => text,
            Self::Respelled { spelled, .. } => spelled,
        }
    }

    fn units(&self) -> Cow<'_, [u16]> {
        match self {
            Self::Index(_) => [].as_slice().into(),
            Self::Plain(text) => text.encode_utf16().collect::<Vec<_>>().into(),
            Self::Respelled { units, .. } => units.as_slice().into(),
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

pub(super) static COLLATOR: LazyLock<CollatorBorrowed<'static>> =
    LazyLock::new(|| collator(Strength::Tertiary));
static PRIMARY: LazyLock<CollatorBorrowed<'static>> = LazyLock::new(|| collator(Strength::Primary));

#[expect(clippy::expect_used, reason = "the root collation is compiled in")]
fn collator(strength: Strength) -> CollatorBorrowed<'static> {
    let mut options = CollatorOptions::default();
    options.strength = Some(strength);
    CollatorBorrowed::try_new(CollatorPreferences::default(), options)
        .expect("the root collation is compiled in")
}

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
pub(super) fn compare_plain(left: &[u8], right: &[u8]) -> Option<Ordering> {
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
