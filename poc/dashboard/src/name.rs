//! Clients' names, so that the eye tells each from every other.

/// Shows a name. What nobody sees, what turns the direction of its neighbours, what joins the character before it, a blank at
/// an end or beside another: each stands as its number, `\u{202e}`; and a backslash is doubled.
pub(crate) fn shown(name: &str) -> String {
    let mut shown = String::with_capacity(name.len());
    let mut is_after_blank = true;
    let mut characters = name.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            ' ' if is_after_blank || characters.peek().is_none() => shown.push_str("\\u{20}"),
            '"' | '\'' => shown.push(character),
            _ => shown.extend(character.escape_debug()),
        }
        is_after_blank = character == ' ';
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_look_alike_are_shown_apart() {
        for (name, expected) in [
            ("billing", "billing"),
            ("My App's \"one\"", "My App's \"one\""),
            ("café 日本", "café 日本"),
            ("cafe\u{301}", "cafe\\u{301}"),
            ("a\u{202e}gnp.exe", "a\\u{202e}gnp.exe"),
            (" lead", "\\u{20}lead"),
            ("tail ", "tail\\u{20}"),
            ("a  b", "a \\u{20}b"),
            ("a\u{a0}b\u{200b}\u{feff}", "a\\u{a0}b\\u{200b}\\u{feff}"),
            ("\\u{20}lead", "\\\\u{20}lead"),
        ] {
            assert_eq!(shown(name), expected);
        }
    }
}
