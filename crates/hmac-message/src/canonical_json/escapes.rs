//! Escapes in a canonical string.

/// Decodes a quoted canonical string; a lone surrogate becomes U+FFFD, as it does when JavaScript writes UTF-8.
pub(super) fn unescape(quoted: &str) -> String {
    let inner = &quoted[1..quoted.len() - 1];
    if inner.contains('\\') {
        String::from_utf16_lossy(&unescape_units(inner))
    } else {
        inner.to_owned()
    }
}

/// Decodes what the reader escaped, so every escape is whole.
pub(super) fn unescape_units(text: &str) -> Vec<u16> {
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
