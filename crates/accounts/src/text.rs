//! Texts of people: normalised, bounded, without what nobody sees.

use auth_base::text::is_hidden;
use icu_normalizer::ComposingNormalizerBorrowed;

/// Composes a text (Unicode NFC), so that it is the same bytes however it was typed.
pub(crate) fn composed(text: &str) -> String {
    ComposingNormalizerBorrowed::new_nfc()
        .normalize(text)
        .into_owned()
}

/// Tells whether a character leaves ink: it is neither hidden nor blank.
pub(crate) fn is_visible(character: char) -> bool {
    // The Braille pattern of no dots is a letter, and looks like a blank.
    !is_hidden(character) && !character.is_whitespace() && character != '\u{2800}'
}

/// Tells whether a character joins or parts its neighbours: nobody sees it, and names in many scripts need it.
pub(crate) fn is_joiner(character: char) -> bool {
    matches!(character, '\u{200c}' | '\u{200d}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_sees_is_hidden() {
        let hidden = [
            '\0',
            '\u{ad}',
            '\u{34f}',
            '\u{61c}',
            '\u{115f}',
            '\u{1160}',
            '\u{17b5}',
            '\u{180e}',
            '\u{200b}',
            '\u{200f}',
            '\u{202e}',
            '\u{2065}',
            '\u{2069}',
            '\u{3164}',
            '\u{fe0f}',
            '\u{feff}',
            '\u{ffa0}',
            '\u{fff0}',
            '\u{1bca0}',
            '\u{1d173}',
            '\u{e0001}',
            '\u{e0100}',
            '\u{e0fff}',
        ];
        for character in hidden {
            assert!(is_hidden(character), "{character:?}");
            assert!(!is_visible(character), "{character:?}");
        }
        for character in ['a', '\u{e4}', '\u{627}', '\u{1f980}', '\u{301}'] {
            assert!(is_visible(character), "{character:?}");
        }
        for blank in [' ', '\u{a0}', '\u{3000}', '\u{2800}'] {
            assert!(!is_visible(blank) && !is_hidden(blank), "{blank:?}");
        }
    }

    #[test]
    fn one_text_however_it_was_typed() {
        assert_eq!(composed("u\u{308}"), "\u{fc}");
        assert_eq!(composed("A\u{30a}"), composed("\u{212b}"));
    }
}
