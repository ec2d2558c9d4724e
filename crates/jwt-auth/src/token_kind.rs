//! The kinds of tokens, told apart by `typ` (RFC 8725, section 3.11): a token of one kind opens no door of another.

/// A kind of token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TokenKind {
    /// `at+jwt`: what a client shows to a service (RFC 9068).
    Access,
    /// `int+jwt`: what the gateway tells a service behind it about one request.
    Internal,
    /// `client-authentication+jwt`: how a client proves to the authorization server who it is (RFC 7523).
    ClientAssertion,
    /// `dpop+jwt`: the proof that the sender of a request holds a key (RFC 9449).
    DpopProof,
}

impl TokenKind {
    /// The `typ` that is written.
    pub const fn typ(self) -> &'static str {
        match self {
            Self::Access => "at+jwt",
            Self::Internal => "int+jwt",
            Self::ClientAssertion => "client-authentication+jwt",
            Self::DpopProof => "dpop+jwt",
        }
    }

    /// Tells whether a token with this `typ` is of the kind. Upper and lower case differ.
    ///
    /// An access token may spell its type out (RFC 9068, section 4). The clients of today send assertions with `JWT` or with
    /// no `typ`; no other kind may go without.
    pub fn accepts(self, typ: Option<&str>) -> bool {
        match (self, typ) {
            (Self::Access, Some("application/at+jwt"))
            | (Self::ClientAssertion, None | Some("JWT")) => true,
            (_, typ) => typ == Some(self.typ()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_typ_is_taken_for_two_kinds() {
        let kinds = [
            TokenKind::Access,
            TokenKind::Internal,
            TokenKind::ClientAssertion,
            TokenKind::DpopProof,
        ];
        let written = kinds.map(|kind| Some(kind.typ()));
        let others = [
            None,
            Some("JWT"),
            Some("application/at+jwt"),
            Some("AT+JWT"),
            Some(""),
        ];
        for typ in written.into_iter().chain(others) {
            let takers = kinds.iter().filter(|kind| kind.accepts(typ)).count();
            let nobodys = matches!(typ, Some("AT+JWT" | ""));
            assert_eq!(takers, usize::from(!nobodys), "{typ:?}");
        }
        for kind in kinds {
            assert!(kind.accepts(Some(kind.typ())));
        }
    }
}
