//! Names of accounts, families and tokens: 16 random bytes, written as 32 lower-case hex digits.

use std::fmt;

use auth_base::random::Random;

/// The text is no id: it is not 32 lower-case hex digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an id has 32 lower-case hex digits")]
pub struct InvalidId;

macro_rules! id {
    ($(#[$meta:meta])* $name:ident) => {
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; 16]);

        impl $name {
            /// Makes one that nobody has.
            pub fn random(random: &dyn Random) -> Self {
                let mut bytes = [0; 16];
                random.fill(&mut bytes);
                Self(bytes)
            }

            /// Takes bytes that were one before.
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(bytes)
            }

            /// The bytes.
            pub fn as_bytes(&self) -> &[u8; 16] {
                &self.0
            }

            /// Reads what `Display` writes, and nothing else.
            ///
            /// # Errors
            /// [`InvalidId`].
            pub fn parse(text: &str) -> Result<Self, InvalidId> {
                parse(text).map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&hex::encode(self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }
    };
}

id! {
    /// Names an account.
    AccountId
}
id! {
    /// Names a refresh family: all refresh tokens that descend from one sign-in. It is the session's id (`sid`) too.
    FamilyId
}
id! {
    /// Names one refresh token of a family (its `jti`). Alone it opens nothing: a token has a proof besides.
    TokenId
}
id! {
    /// Names a row of the audit.
    AuditId
}

fn parse(text: &str) -> Result<[u8; 16], InvalidId> {
    let mut bytes = [0; 16];
    if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Err(InvalidId);
    }
    hex::decode_to_slice(text, &mut bytes).map_err(|_| InvalidId)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_written_in_one_way() {
        let id = FamilyId::from_bytes([0xab; 16]);
        let text = "ab".repeat(16);
        assert_eq!(id.to_string(), text);
        assert_eq!(FamilyId::parse(&text), Ok(id));
        for other in [
            "",
            "AB",
            &text.to_uppercase(),
            &text[1..],
            &format!("{text}0"),
            "zz",
        ] {
            assert_eq!(FamilyId::parse(other), Err(InvalidId), "{other}");
        }
    }
}
