//! Reads JSON and writes its canonical text in one pass.

use crate::canonical_json::object::{Member, object_text};
use crate::invalid_message::{InvalidMessage, MAX_DEPTH};

/// A place in the text that is read.
pub(super) struct Reader<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
}

type Read<T> = Result<T, InvalidMessage>;

impl<'a> Reader<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self {
            text,
            at: 0,
            depth: 0,
        }
    }

    /// Reads the whole text as one value.
    pub(super) fn document(mut self, out: &mut String) -> Read<()> {
        self.value(out)?;
        self.skip_space();
        if self.at == self.text.len() {
            Ok(())
        } else {
            self.fail()
        }
    }

    fn value(&mut self, out: &mut String) -> Read<()> {
        self.skip_space();
        match self.peek() {
            Some(b'{') => self.nested(|reader| reader.object(out)),
            Some(b'[') => self.nested(|reader| reader.array(out)),
            Some(b'"') => self.string(out),
            Some(b'-' | b'0'..=b'9') => self.number(out),
            Some(b't') => self.literal("true", out),
            Some(b'f') => self.literal("false", out),
            Some(b'n') => self.literal("null", out),
            _ => self.fail(),
        }
    }

    fn nested(&mut self, read: impl FnOnce(&mut Self) -> Read<()>) -> Read<()> {
        if self.depth == MAX_DEPTH {
            return Err(InvalidMessage::TooDeep);
        }
        self.depth += 1;
        self.at += 1;
        read(self)?;
        self.depth -= 1;
        Ok(())
    }

    fn array(&mut self, out: &mut String) -> Read<()> {
        out.push('[');
        self.skip_space();
        if !self.take(b']') {
            loop {
                self.value(out)?;
                self.skip_space();
                if self.take(b']') {
                    break;
                }
                self.expect(b',')?;
                out.push(',');
            }
        }
        out.push(']');
        Ok(())
    }

    fn object(&mut self, out: &mut String) -> Read<()> {
        let start = out.len();
        let mut members = Vec::new();
        self.skip_space();
        if !self.take(b'}') {
            loop {
                members.push(self.member(out)?);
                self.skip_space();
                if self.take(b'}') {
                    break;
                }
                self.expect(b',')?;
            }
        }
        let text = object_text(out, &members)?;
        out.truncate(start);
        out.push_str(&text);
        Ok(())
    }

    fn member(&mut self, out: &mut String) -> Read<Member> {
        self.skip_space();
        let start = out.len();
        if self.peek() != Some(b'"') {
            return self.fail();
        }
        self.string(out)?;
        let key_end = out.len();
        self.skip_space();
        self.expect(b':')?;
        self.value(out)?;
        Ok(Member {
            key: start..key_end,
            value: key_end..out.len(),
        })
    }

    fn literal(&mut self, literal: &str, out: &mut String) -> Read<()> {
        if !self.text[self.at..].starts_with(literal) {
            return self.fail();
        }
        self.at += literal.len();
        out.push_str(literal);
        Ok(())
    }

    fn number(&mut self, out: &mut String) -> Read<()> {
        let start = self.at;
        self.take(b'-');
        if !self.take(b'0') {
            self.digits()?;
        }
        if self.take(b'.') {
            self.digits()?;
        }
        if self.take(b'e') || self.take(b'E') {
            let _signed = self.take(b'+') || self.take(b'-');
            self.digits()?;
        }
        let Ok(number) = self.text[start..self.at].parse::<f64>() else {
            return self.fail();
        };
        if number == 0.0 {
            out.push('0');
        } else if number.is_finite() {
            out.push_str(ryu_js::Buffer::new().format_finite(number));
        } else {
            out.push_str("null");
        }
        Ok(())
    }

    fn digits(&mut self) -> Read<()> {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        if self.at > start { Ok(()) } else { self.fail() }
    }

    fn string(&mut self, out: &mut String) -> Read<()> {
        self.at += 1;
        out.push('"');
        loop {
            let rest = &self.text[self.at..];
            let Some(stop) = rest
                .bytes()
                .position(|byte| byte < b' ' || matches!(byte, b'"' | b'\\'))
            else {
                self.at = self.text.len();
                return self.fail();
            };
            out.push_str(&rest[..stop]);
            self.at += stop;
            if self.take(b'"') {
                out.push('"');
                return Ok(());
            }
            self.expect(b'\\')?;
            self.escape(out)?;
        }
    }

    fn escape(&mut self, out: &mut String) -> Read<()> {
        let Some(kind) = self.peek() else {
            return self.fail();
        };
        let character = match kind {
            b'"' | b'\\' | b'/' => char::from(kind),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => return self.unicode_escape(out),
            _ => return self.fail(),
        };
        self.at += 1;
        push_escaped(character, out);
        Ok(())
    }

    fn unicode_escape(&mut self, out: &mut String) -> Read<()> {
        let unit = self.code_unit()?;
        if let Some(character) = char::from_u32(u32::from(unit)) {
            push_escaped(character, out);
            return Ok(());
        }
        let after_first = self.at;
        if unit < 0xdc00 && self.take(b'\\') && self.peek() == Some(b'u') {
            let pair = [unit, self.code_unit()?];
            if let Some(Ok(character)) = char::decode_utf16(pair).next() {
                out.push(character);
                return Ok(());
            }
        }
        self.at = after_first;
        out.push_str("\\u");
        out.push_str(&format!("{unit:04x}"));
        Ok(())
    }

    /// Reads `uXXXX`.
    fn code_unit(&mut self) -> Read<u16> {
        let digits = self
            .text
            .as_bytes()
            .get(self.at + 1..self.at + 5)
            .unwrap_or_default();
        if digits.len() != 4 || !digits.iter().all(u8::is_ascii_hexdigit) {
            return self.fail();
        }
        let unit = digits.iter().fold(0_u16, |unit, &digit| {
            let value = match digit {
                b'0'..=b'9' => digit - b'0',
                _ => (digit | 0x20) - b'a' + 10,
            };
            (unit << 4) | u16::from(value)
        });
        self.at += 5;
        Ok(unit)
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> bool {
        let there = self.peek() == Some(byte);
        if there {
            self.at += 1;
        }
        there
    }

    fn expect(&mut self, byte: u8) -> Read<()> {
        if self.take(byte) { Ok(()) } else { self.fail() }
    }

    fn fail<T>(&self) -> Read<T> {
        Err(InvalidMessage::NotJson { at: self.at })
    }
}

/// Writes a character as `JSON.stringify` does.
fn push_escaped(character: char, out: &mut String) {
    match character {
        '"' => out.push_str("\\\""),
        '\\' => out.push_str("\\\\"),
        '\u{8}' => out.push_str("\\b"),
        '\t' => out.push_str("\\t"),
        '\n' => out.push_str("\\n"),
        '\u{c}' => out.push_str("\\f"),
        '\r' => out.push_str("\\r"),
        control if control < ' ' => out.push_str(&format!("\\u{:04x}", u32::from(control))),
        other => out.push(other),
    }
}
