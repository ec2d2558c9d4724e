//! Texts of people: normalised, bounded, without what nobody sees.

use icu_normalizer::ComposingNormalizerBorrowed;

/// Composes a text (Unicode NFC), so that it is the same bytes however it was typed.
pub(crate) fn composed(text: &str) -> String {
    ComposingNormalizerBorrowed::new_nfc()
        .normalize(text)
        .into_owned()
}

/// Tells whether a character is one that a reader does not see, or that turns the direction of what follows.
pub(crate) fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// Tells whether a character joins or parts its neighbours: nobody sees it, and names in many scripts need it.
pub(crate) fn is_joiner(character: char) -> bool {
    matches!(character, '\u{200c}' | '\u{200d}')
}

/// Cuts a text to at most `most` bytes, between two characters.
pub(crate) fn clipped(text: &str, most: usize) -> &str {
    &text[..text.floor_char_boundary(most)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_between_characters() {
        assert_eq!(clipped("äöü", 6), "äöü");
        assert_eq!(clipped("äöü", 5), "äö");
        assert_eq!(clipped("äöü", 0), "");
    }

    #[test]
    fn one_text_however_it_was_typed() {
        assert_eq!(composed("u\u{308}"), "\u{fc}");
        assert_eq!(composed("A\u{30a}"), composed("\u{212b}"));
    }
}
