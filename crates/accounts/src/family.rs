//! A refresh family: one sign-in of one browser, and all refresh tokens that descend from it. It is what a person knows as a
//! session.

use auth_base::text::seen;

use crate::id::{AccountId, FamilyId, TokenId};

/// Bytes of the agent that are kept.
pub const LONGEST_AGENT: usize = 256;
/// Bytes of the address that are kept.
pub const LONGEST_ADDRESS: usize = 64;

/// Living families of one subject at most: whoever signs in once more ends the one that was used longest ago.
pub const MOST_SESSIONS: u32 = 200;

/// Who is signed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Subject {
    /// A person with an account.
    User(AccountId),
}

impl Subject {
    /// What kind it is, as stores keep it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::User(_) => "user",
        }
    }

    /// Its id, as stores keep it.
    pub fn id(&self) -> String {
        match self {
            Self::User(id) => id.to_string(),
        }
    }

    /// Reads what [`Self::kind`] and [`Self::id`] tell.
    pub fn from_parts(kind: &str, id: &str) -> Option<Self> {
        match kind {
            "user" => AccountId::parse(id).ok().map(Self::User),
            _ => None,
        }
    }
}

/// What was seen of the browser, for the page that lists sessions. Nothing is decided by it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    agent: String,
    address: String,
}

impl Seen {
    /// Takes what the browser calls itself (256 bytes are kept) and its address (64 bytes). What nobody sees is taken out.
    pub fn new(agent: &str, address: &str) -> Self {
        Self {
            agent: seen(agent, LONGEST_AGENT),
            address: seen(address, LONGEST_ADDRESS),
        }
    }

    /// What the browser calls itself.
    pub fn agent(&self) -> &str {
        &self.agent
    }

    /// Where it was seen.
    pub fn address(&self) -> &str {
        &self.address
    }
}

/// Why a family lives no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RevokeReason {
    /// A used token was presented again: somebody has a copy.
    Reused,
    /// The account was disabled or is no more.
    SubjectInactive,
    /// The person signed out.
    SignedOut,
    /// The person ended it from another session.
    EndedElsewhere,
    /// An admin ended it.
    EndedByAdmin,
    /// The password was changed.
    PasswordChanged,
    /// The person signed in once more than [`MOST_SESSIONS`] times, and this one was used longest ago.
    TooMany,
}

impl RevokeReason {
    /// All there are.
    pub const ALL: [Self; 7] = [
        Self::Reused,
        Self::SubjectInactive,
        Self::SignedOut,
        Self::EndedElsewhere,
        Self::EndedByAdmin,
        Self::PasswordChanged,
        Self::TooMany,
    ];

    /// Its name, as stores keep it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Reused => "reused",
            Self::SubjectInactive => "subject-inactive",
            Self::SignedOut => "signed-out",
            Self::EndedElsewhere => "ended-elsewhere",
            Self::EndedByAdmin => "ended-by-admin",
            Self::PasswordChanged => "password-changed",
            Self::TooMany => "too-many",
        }
    }

    /// Reads what [`Self::as_str`] tells.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == text)
    }
}

/// When and why a family was revoked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Revoked {
    /// When, in epoch milliseconds.
    pub at_ms: i64,
    /// Why.
    pub reason: RevokeReason,
}

/// A refresh family. Times are epoch milliseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Family {
    /// Its id, and the session's.
    pub id: FamilyId,
    /// Who is signed in.
    pub subject: Subject,
    /// When it began.
    pub created_at_ms: i64,
    /// How long it lives unused, in milliseconds.
    pub idle_ms: i64,
    /// When it ends unless it is used before.
    pub idle_until_ms: i64,
    /// When it ends, however much it is used.
    pub absolute_until_ms: i64,
    /// Once set it stays: a dead family never lives again.
    pub revoked: Option<Revoked>,
    /// What was seen of the browser when it was used last.
    pub seen: Seen,
    /// When a token of it was used last.
    pub last_used_at_ms: i64,
}

impl Family {
    /// Tells whether its newest token would be taken at `now_ms`.
    pub fn is_alive(&self, now_ms: i64) -> bool {
        let ends_at = self.idle_until_ms.min(self.absolute_until_ms);
        self.revoked.is_none() && now_ms < ends_at
    }

    /// When it ended, or will end unless it is used before.
    pub fn ended_at_ms(&self) -> i64 {
        let ends_at = self.idle_until_ms.min(self.absolute_until_ms);
        self.revoked
            .map_or(ends_at, |revoked| revoked.at_ms.min(ends_at))
    }
}

/// What became of a token that was used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Used {
    /// When, in epoch milliseconds.
    pub at_ms: i64,
    /// The one that follows it; `None` until it was recorded.
    pub successor: Option<TokenId>,
}

/// One refresh token of a family. Times are epoch milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    /// Its id.
    pub id: TokenId,
    /// The family it is of.
    pub family: FamilyId,
    /// The one it followed; `None` for the first.
    pub parent: Option<TokenId>,
    /// When it was made.
    pub issued_at_ms: i64,
    /// When it is taken no more.
    pub expires_at_ms: i64,
    /// `None` while nobody used it.
    pub used: Option<Used>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        for reason in RevokeReason::ALL {
            assert_eq!(RevokeReason::parse(reason.as_str()), Some(reason));
        }
        assert_eq!(RevokeReason::parse("Reused"), None);
        let subject = Subject::User(AccountId::from_bytes([3; 16]));
        let read = Subject::from_parts(subject.kind(), &subject.id());
        assert_eq!(read, Some(subject));
        assert_eq!(Subject::from_parts("system", &subject.id()), None);
    }

    #[test]
    fn what_a_browser_says_of_itself_is_cut() {
        let seen = Seen::new(&format!("Fire\u{1b}[31mfox{}", "\u{e4}".repeat(400)), "::1");
        assert!(seen.agent().starts_with("Fire[31mfox"));
        assert!(seen.agent().len() <= LONGEST_AGENT);
        assert_eq!(seen.address(), "::1");
    }
}
