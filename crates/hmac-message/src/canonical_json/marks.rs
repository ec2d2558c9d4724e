//! Combining marks, of which a key may have only so many in a row.

use icu_normalizer::properties::CanonicalCombiningClassMapBorrowed;

use crate::invalid_message::MAX_MARKS;

/// Tells whether more than [`MAX_MARKS`] combining marks follow each other.
pub(super) fn has_long_run(key: &str) -> bool {
    // A mark has two bytes or more.
    if key.len() <= 2 * MAX_MARKS || key.is_ascii() {
        return false;
    }
    let classes = CanonicalCombiningClassMapBorrowed::new();
    let mut run = 0;
    key.chars().any(|character| {
        run = if is_mark(&classes, character) {
            run + 1
        } else {
            0
        };
        run > MAX_MARKS
    })
}

/// A character with a combining class, or one of those without that are taken apart into such. Unicode promises to add none.
fn is_mark(classes: &CanonicalCombiningClassMapBorrowed<'_>, character: char) -> bool {
    !character.is_ascii()
        && (classes.get_u8(character) != 0
            || matches!(character, '\u{f73}' | '\u{f75}' | '\u{f81}'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_marks_in_a_row_count() {
        for mark in [
            "\u{301}",
            "\u{f71}",
            "\u{f73}",
            "\u{f81}",
            "\u{344}",
            "\u{1d165}",
        ] {
            assert!(!has_long_run(&mark.repeat(MAX_MARKS)), "{mark:?}");
            assert!(has_long_run(&mark.repeat(MAX_MARKS + 1)), "{mark:?}");
            assert!(
                !has_long_run(&format!("é{}", mark.repeat(MAX_MARKS)).repeat(9)),
                "{mark:?}"
            );
        }
        for plain in ["a", "é", "漢", "\u{e40}", "\u{1100}\u{1161}", "🔐"] {
            assert!(!has_long_run(&plain.repeat(100)), "{plain:?}");
        }
    }
}
