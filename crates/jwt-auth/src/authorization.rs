//! The header `Authorization` with a token in it (RFC 6750, section 2.1; RFC 9449, section 7.1).

/// How a token is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// Whoever has the token may use it.
    Bearer,
    /// Only who holds the key that the token is bound to.
    Dpop,
}

impl Scheme {
    /// The name, as it is written.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bearer => "Bearer",
            Self::Dpop => "DPoP",
        }
    }

    /// Reads a name, in any case (RFC 9110, section 11.1).
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Bearer, Self::Dpop]
            .into_iter()
            .find(|scheme| scheme.name().eq_ignore_ascii_case(name))
    }
}

/// What is wrong with the headers called `Authorization`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidAuthorization {
    /// There is none, or one of another scheme.
    #[error("no token was sent")]
    NoToken,
    /// There is more than one, or the token is none (RFC 9110, section 11.2: `token68`).
    #[error("the header Authorization is malformed")]
    Malformed,
}

/// A token and how it is shown. It has no `Debug`: a token is never shown.
#[derive(Clone, Copy)]
pub struct Credentials<'a> {
    /// How it is shown.
    pub scheme: Scheme,
    /// The token.
    pub token: &'a str,
}

impl<'a> Credentials<'a> {
    /// Reads the values of all headers called `Authorization`.
    ///
    /// # Errors
    /// [`InvalidAuthorization`].
    pub fn read(values: &[&'a [u8]]) -> Result<Self, InvalidAuthorization> {
        let value = match values {
            [] => return Err(InvalidAuthorization::NoToken),
            [value] => value,
            _ => return Err(InvalidAuthorization::Malformed),
        };
        let text = std::str::from_utf8(value).map_err(|_| InvalidAuthorization::Malformed)?;
        let text = text.trim_matches([' ', '\t']);
        let (name, token) = text.split_once(' ').unwrap_or((text, ""));
        let scheme = Scheme::parse(name).ok_or(InvalidAuthorization::NoToken)?;
        let token = token.trim_start_matches(' ');
        let of_token = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
        match !token.is_empty() && token.bytes().all(of_token) {
            true => Ok(Self { scheme, token }),
            false => Err(InvalidAuthorization::Malformed),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(values: &[&str]) -> Result<(Scheme, String), InvalidAuthorization> {
        let values: Vec<&[u8]> = values.iter().map(|value| value.as_bytes()).collect();
        Credentials::read(&values).map(|read| (read.scheme, read.token.to_owned()))
    }

    #[test]
    fn the_scheme_is_read_in_any_case() {
        for (value, scheme) in [
            ("Bearer a.b-c_d", Scheme::Bearer),
            ("bearer  a.b-c_d", Scheme::Bearer),
            ("BEARER a.b-c_d ", Scheme::Bearer),
            ("DPoP a.b-c_d", Scheme::Dpop),
            ("dpop a.b-c_d", Scheme::Dpop),
        ] {
            assert_eq!(
                read(&[value]),
                Ok((scheme, "a.b-c_d".to_owned())),
                "{value}"
            );
        }
    }

    #[test]
    fn what_is_no_token_is_told_apart_from_a_malformed_one() {
        for none in [&[][..], &["Basic YTpi"], &[""], &["a.b.c"]] {
            assert_eq!(read(none), Err(InvalidAuthorization::NoToken), "{none:?}");
        }
        for wrong in [
            &["Bearer"][..],
            &["Bearer "],
            &["Bearer a b"],
            &["Bearer a,b"],
            &["Bearer é"],
            &["Bearer a", "Bearer a"],
            &["Basic YTpi", "Bearer a"],
        ] {
            assert_eq!(
                read(wrong),
                Err(InvalidAuthorization::Malformed),
                "{wrong:?}"
            );
        }
        assert!(Credentials::read(&[b"Bearer \xff"]).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes: Vec<u8>, text in "(?i)(bearer|dpop) .{0,20}") {
            for value in [bytes.as_slice(), text.as_bytes()] {
                if let Ok(read) = Credentials::read(&[value]) {
                    prop_assert!(!read.token.is_empty() && read.token.is_ascii());
                }
            }
        }
    }
}
