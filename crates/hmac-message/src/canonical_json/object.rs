//! The text of an object: its members in their order.

use std::collections::HashMap;
use std::ops::Range;

use crate::canonical_json::keys::SortKey;
use crate::canonical_json::marks::has_long_run;
use crate::invalid_message::InvalidMessage;

/// One member of an object: where its quoted key and its value stand in the text written so far.
pub(super) struct Member {
    pub(super) key: Range<usize>,
    pub(super) value: Range<usize>,
}

/// Brings an object's members in their order: the last value of each key, without `__proto__`.
pub(super) fn object_text(written: &str, members: &[Member]) -> Result<String, InvalidMessage> {
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
