//! Han characters in the order that Node gives them: by radical and stroke.
//!
//! ICU's root collation comes with two orders of Han characters, and is the same in all else. Node has the one by radical
//! and stroke, `icu_collator` has the one by code point compiled in. So a key is spelled with other Han characters before
//! it is compared: each gives way to the one that stands in the second order where it stands in the first.

use std::sync::LazyLock;

use icu_normalizer::DecomposingNormalizerBorrowed;

/// All that is assigned, in Node's order; `data/key-order.js` writes it, and says how.
static ORDER: &[u8] = include_bytes!("../../data/key-order.bin");

/// Tells whether a character has to give way, or may be written with one that has: as radical, in a circle, as an older code.
pub(super) fn is_respelled(character: char) -> bool {
    matches!(
        character,
        '\u{2e80}'..='\u{303f}' | '\u{3190}'..='\u{319f}' | '\u{3200}'..='\u{9fff}' | '\u{f900}'..='\u{faff}'
            | '\u{16ff0}'..='\u{16fff}' | '\u{1f200}'..='\u{1f2ff}' | '\u{20000}'..='\u{3ffff}'
    )
}

/// Spells a key as its primary weights are compared. A lone surrogate has the place of its number in Node; here it would be
/// U+FFFD, so it becomes the last code point before the surrogates and one for its number.
pub(super) fn respell(units: &[u16]) -> String {
    let mut text = String::with_capacity(3 * units.len());
    for unit in char::decode_utf16(units.iter().copied()) {
        match unit {
            Ok(character) if is_respelled(character) => respell_one(character, &mut text),
            Ok(character) => text.push(character),
            Err(lone) => {
                let number = u32::from(lone.unpaired_surrogate() - 0xd800);
                text.push('\u{d7ff}');
                text.extend(char::from_u32(0x4e00 + number));
            }
        }
    }
    text
}

fn respell_one(character: char, text: &mut String) {
    let parts = match counterpart(character) {
        Some(other) => return text.push(other),
        None => decomposed(character),
    };
    if parts.iter().any(|part| counterpart(*part).is_some()) {
        text.extend(parts.iter().map(|part| counterpart(*part).unwrap_or(*part)));
    } else {
        text.push(character);
    }
}

fn decomposed(character: char) -> Vec<char> {
    let nfkd = DecomposingNormalizerBorrowed::new_nfkd();
    nfkd.normalize_iter([character].into_iter()).collect()
}

/// The Han character that a character gives way to.
fn counterpart(character: char) -> Option<char> {
    static COUNTERPARTS: LazyLock<Vec<(char, char)>> = LazyLock::new(counterparts);
    let at = COUNTERPARTS.binary_search_by_key(&character, |(of, _)| *of);
    at.ok().map(|at| COUNTERPARTS[at].1)
}

fn counterparts() -> Vec<(char, char)> {
    let mut by_radical = Vec::new();
    // A radical without a decomposition comes right after the character that it stands for, and gives way to the same.
    let mut attached = Vec::new();
    for (character, _) in order() {
        if is_unified(character) {
            by_radical.push(character);
        } else if !by_radical.is_empty()
            && is_respelled(character)
            && decomposed(character) == [character]
        {
            attached.push((character, by_radical.len() - 1));
        }
    }
    let mut by_code_point = by_radical.clone();
    // The first block, and the twelve that stand apart from it, come before the extensions.
    let is_extension =
        |character: char| !matches!(character, '\u{4e00}'..='\u{9fff}' | '\u{fa00}'..='\u{faff}');
    by_code_point.sort_unstable_by_key(|character| (is_extension(*character), *character));
    let attached = attached
        .into_iter()
        .map(|(character, at)| (character, by_code_point[at]));
    let mut counterparts: Vec<(char, char)> = attached.collect();
    counterparts.extend(by_radical.into_iter().zip(by_code_point));
    counterparts.sort_unstable();
    counterparts
}

/// Unicode's `Unified_Ideograph`, of what is assigned.
fn is_unified(character: char) -> bool {
    const APART: &str = "﨎﨏﨑﨓﨔﨟﨡﨣﨤﨧﨨﨩";
    let is_older_code = matches!(character, '\u{2f800}'..='\u{2fa1f}');
    matches!(character, '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{20000}'..='\u{3ffff}')
        && !is_older_code
        || APART.contains(character)
}

/// Every assigned code point, and whether it compares equal to the one before it.
fn order() -> impl Iterator<Item = (char, bool)> {
    let mut bytes = ORDER.iter();
    let mut number = move || {
        let (mut number, mut shift) = (0_u32, 0);
        for byte in bytes.by_ref() {
            number |= u32::from(byte & 0x7f) << shift;
            shift += 7;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    };
    let mut end = 0;
    let runs = std::iter::from_fn(move || {
        let (distance, length) = (number()?, number()?);
        let first = match distance % 2 {
            0 => end + distance / 2,
            _ => end - distance.div_ceil(2),
        };
        end = first + length / 2 + 1;
        Some((first..end).map(move |code| (code, length % 2 == 1)))
    });
    runs.flatten()
        .filter_map(|(code, equal)| Some((char::from_u32(code)?, equal)))
}

#[cfg(test)]
mod tests {
    use std::cmp::Ordering;

    use super::*;
    use crate::canonical_json::canonical_json;
    use crate::canonical_json::keys::compare_keys;

    /// Of all assigned code points, as Node 20.20.2 compares them.
    #[test]
    fn every_code_point_has_the_place_that_node_gives_it() {
        let (mut before, mut seen) = ('\0', 0);
        for (character, equal) in order() {
            let expected = match equal {
                true => Ordering::Equal,
                false => Ordering::Less,
            };
            if seen > 0 {
                let found = compare_keys(&before.to_string(), &character.to_string());
                assert_eq!(found, expected, "{before:?} {character:?}");
            }
            (before, seen) = (character, seen + 1);
        }
        assert_eq!(seen, 159_866);
    }

    /// As Node 20.20.2 sorts them: with radicals, circles, squares, older codes, and halves of characters.
    #[test]
    fn keys_with_han_characters_are_ordered_as_node_orders_them() {
        let keys = [
            "㈠",
            "1日",
            "1月",
            "㋀",
            "a汉",
            "a漢",
            "e汉",
            "é漢",
            "zurich",
            "한漢",
            "かな漢",
            "カナ漢",
            "一",
            "⼀",
            "㊀",
            "𪛙丁",
            "丁𪛙",
            "𠀀",
            "⺀",
            "义",
            "义a",
            "义務",
            "丹",
            "丹\u{301}",
            "丹a",
            "乙",
            "儿",
            "𖿲",
            "⺁乙",
            "平",
            "平戌",
            "平成",
            "㍻",
            "成",
            "手",
            "🈐",
            "更",
            "汉",
            "汉字",
            "漢",
            "漢字",
            "義",
            "義务",
            "豈",
            "\u{d7ff}",
            "\\ud800",
            "\\ud800a",
            "\\ud801",
            "\\udfff",
            "\u{e000}",
            "\u{fffd}",
        ];
        let object = |keys: &mut dyn Iterator<Item = &str>| {
            let members: Vec<String> = keys.map(|key| format!("\"{key}\":1")).collect();
            format!("{{{}}}", members.join(","))
        };
        let ordered = object(&mut keys.into_iter());
        let reversed = object(&mut keys.into_iter().rev());
        assert_eq!(canonical_json(&reversed).as_ref(), Ok(&ordered));
    }
}
