//! The names of what happens to a delivery, as an audit has them.

/// What happened to a delivery, or to a credential as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "named as the arrows of the module's picture")]
pub enum Transition {
    Ensured,
    Rotated,
    Revoked,
    Rebooked,
    Reopened,
    Claimed,
    Unsendable,
    NotSent,
    Sent,
    Success,
    Error,
    Propagated,
}

impl Transition {
    /// The word for it in an audit.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ensured => "ensured",
            Self::Rotated => "rotated",
            Self::Revoked => "revoked",
            Self::Rebooked => "rebooked",
            Self::Reopened => "reopened",
            Self::Claimed => "claimed",
            Self::Unsendable => "unsendable",
            Self::NotSent => "not sent",
            Self::Sent => "sent",
            Self::Success => "success",
            Self::Error => "error",
            Self::Propagated => "propagated",
        }
    }
}

/// A transition that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Which.
    pub transition: Transition,
    /// When, epoch milliseconds.
    pub at_ms: i64,
    /// Why, where there is more to say.
    pub reason: Option<String>,
}
