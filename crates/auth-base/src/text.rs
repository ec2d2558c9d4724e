//! Texts that somebody else wrote, where people read them: bounded, and without what nobody sees.

/// Tells whether a character is one that a reader does not see, or that turns the direction of what follows: a control
/// character, a line or paragraph separator, or of Unicode's properties Default_Ignorable_Code_Point and Bidi_Control.
pub fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{ad}'
                | '\u{34f}'
                | '\u{61c}'
                | '\u{115f}'..='\u{1160}'
                | '\u{17b4}'..='\u{17b5}'
                | '\u{180b}'..='\u{180f}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{3164}'
                | '\u{fe00}'..='\u{fe0f}'
                | '\u{feff}'
                | '\u{ffa0}'
                | '\u{fff0}'..='\u{fff8}'
                | '\u{1bca0}'..='\u{1bca3}'
                | '\u{1d173}'..='\u{1d17a}'
                | '\u{e0000}'..='\u{e0fff}'
        )
}

/// Cuts a text to at most `most` bytes, between two characters.
pub fn clipped(text: &str, most: usize) -> &str {
    &text[..text.floor_char_boundary(most)]
}

/// What is seen of a text: without hidden characters, and at most `most` bytes of it. No more than four times as many are
/// looked at.
pub fn seen(text: &str, most: usize) -> String {
    let seen: String = clipped(text, most.saturating_mul(4))
        .chars()
        .filter(|it| !is_hidden(*it))
        .collect();
    clipped(&seen, most).to_owned()
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
    fn only_what_is_seen_is_left() {
        assert_eq!(seen("ada\r\n\u{202e}@example.org", 254), "ada@example.org");
        assert_eq!(seen("\u{200b}\0", 254), "");
        assert_eq!(seen("\u{200b}äöü", 5), "äö");
        assert_eq!(seen(&"x".repeat(1_000), 254).len(), 254);
    }
}
