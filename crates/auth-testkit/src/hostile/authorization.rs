//! The headers `Authorization` of a request.

use jwt_auth::authorization::{Credentials, InvalidAuthorization, Scheme};

/// Takes the values of headers called `Authorization`, one a line. A token is read of one value only, which is a scheme in any
/// case, blanks, and one word that no header can misread; written anew, it is read the same. Whoever sent no value of these
/// schemes, sent no token.
///
/// # Panics
/// Where that does not hold.
pub fn authorization(bytes: &[u8]) {
    let values: Vec<&[u8]> = match bytes {
        [] => Vec::new(),
        _ => bytes.split(|byte| *byte == b'\n').collect(),
    };
    match Credentials::read(&values) {
        Ok(read) => {
            assert_eq!(values.len(), 1);
            let words: Vec<&[u8]> = values[0]
                .split(|byte| matches!(byte, b' ' | b'\t'))
                .filter(|word| !word.is_empty())
                .collect();
            assert_eq!(words.len(), 2);
            let (name, token) = (words[0], words[1]);
            assert!(name.eq_ignore_ascii_case(read.scheme.name().as_bytes()));
            assert_eq!(token, read.token.as_bytes());
            let is_plain =
                |byte: &u8| byte.is_ascii_graphic() && !b"\"(),:;<>?@[\\]{}".contains(byte);
            assert!(token.iter().all(is_plain), "a delimiter in a token");
            let anew = format!("{} {}", read.scheme.name(), read.token);
            let again = Credentials::read(&[anew.as_bytes()]);
            let again = again.map(|it| (it.scheme, it.token.to_owned()));
            assert_eq!(again, Ok((read.scheme, read.token.to_owned())));
        }
        Err(InvalidAuthorization::NoToken) => {
            assert!(values.len() <= 1, "several values are never none");
            for scheme in [Scheme::Bearer, Scheme::Dpop] {
                let begins = format!("{} ", scheme.name());
                let beginning = values.first().and_then(|it| it.get(..begins.len()));
                let is_of_scheme =
                    beginning.is_some_and(|it| it.eq_ignore_ascii_case(begins.as_bytes()));
                assert!(!is_of_scheme || std::str::from_utf8(values[0]).is_err());
            }
        }
        Err(error) => assert!(
            !format!("{error} {error:?}").contains("ey"),
            "a token is shown"
        ),
    }
}
