//! Reads `application/x-www-form-urlencoded`, strictly: a secret must arrive as it was typed or not at all.

use crate::problem::{BODY_LIMIT, Problem};

/// A form has at most this many fields, repeated ones counted.
pub const MAX_FIELDS: usize = 1_024;

/// Decodes the fields, in their order.
///
/// # Errors
/// A 400 [`Problem`] for bytes that are no form, and 413 for too many of them.
pub fn decode(body: &[u8]) -> Result<Vec<(String, String)>, Problem> {
    if body.len() > BODY_LIMIT {
        return Err(Problem::too_large());
    }
    let mut fields = Vec::new();
    for pair in body
        .split(|byte| *byte == b'&')
        .filter(|pair| !pair.is_empty())
    {
        if fields.len() == MAX_FIELDS {
            return Err(malformed(&format!("it has more than {MAX_FIELDS} fields")));
        }
        let end_of_name = pair
            .iter()
            .position(|byte| *byte == b'=')
            .unwrap_or(pair.len());
        let name = text(&pair[..end_of_name])?;
        let value = text(pair.get(end_of_name + 1..).unwrap_or_default())?;
        fields.push((name, value));
    }
    Ok(fields)
}

fn text(encoded: &[u8]) -> Result<String, Problem> {
    let mut bytes = Vec::with_capacity(encoded.len());
    let mut rest = encoded.iter().copied();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digits = rest.next().and_then(hex).zip(rest.next().and_then(hex));
                let (high, low) =
                    digits.ok_or_else(|| malformed("a percent sign without two hex digits"))?;
                high << 4 | low
            }
            byte => byte,
        });
    }
    String::from_utf8(bytes).map_err(|_| malformed("it is not UTF-8"))
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|value| u8::try_from(value).ok())
}

fn malformed(what: &str) -> Problem {
    Problem::new(
        400,
        "INVALID_FORM",
        format!("the body is not a form ({what})"),
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use url::form_urlencoded;

    use super::*;

    fn pair(name: &str, value: &str) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }

    #[test]
    fn fields_are_decoded_in_their_order() {
        let expected = [
            pair("a", "1 2&=+"),
            pair("b", ""),
            pair("c", ""),
            pair("ä", "€"),
            pair("a", "="),
        ];
        assert_eq!(
            decode(b"a=1+2%26%3d%2B&b=&c&&%C3%A4=%E2%82%ac&a==").unwrap(),
            expected
        );
        assert!(decode(b"").unwrap().is_empty());
    }

    #[test]
    fn what_would_be_changed_is_refused() {
        for bad in [
            &b"a=%"[..],
            b"a=%4",
            b"a=%4g",
            b"a=%+1",
            b"a=%ff",
            b"\xff=1",
        ] {
            assert_eq!(decode(bad).unwrap_err().error, "INVALID_FORM", "{bad:?}");
        }
    }

    #[test]
    fn bodies_are_bounded() {
        assert_eq!(decode(&vec![b'a'; BODY_LIMIT + 1]).unwrap_err().status, 413);
        assert!(decode("a&".repeat(MAX_FIELDS).as_bytes()).is_ok());
        assert_eq!(
            decode("a&".repeat(MAX_FIELDS + 1).as_bytes())
                .unwrap_err()
                .status,
            400
        );
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_are_decoded_or_refused(body in proptest::collection::vec(any::<u8>(), 0..512)) {
            if let Ok(fields) = decode(&body) {
                let lossy: Vec<(String, String)> = form_urlencoded::parse(&body).into_owned().collect();
                prop_assert_eq!(fields, lossy);
            }
        }

        #[test]
        fn what_a_browser_writes_is_read_back(value in "\\PC*|[ -~\\r\\n\\t]*") {
            let body = form_urlencoded::Serializer::new(String::new()).append_pair("a", &value).finish();
            prop_assert_eq!(decode(body.as_bytes()).unwrap(), [pair("a", &value)]);
        }
    }
}
