//! The four statuses, and what each means for a claim.

/// How far a delivery has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum DeliveryStatus {
    /// Waits to be sent, or is being sent.
    Pending,
    /// The broker has it; the target has not answered yet.
    Sent,
    /// The target has it.
    Success,
    /// The target refused it, or it cannot be sent.
    Error,
}

/// When a delivery may be claimed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// As soon as no lease is on it.
    AtOnce,
    /// Once it has waited for [`crate::management::PendingQuery::resend_after_ms`].
    WhenOverdue,
    /// Not until a change, a resync or a check for drift makes it pending.
    Never,
}

impl DeliveryStatus {
    /// Every status.
    pub const ALL: [Self; 4] = [Self::Pending, Self::Sent, Self::Success, Self::Error];

    /// The word for it in tables and answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Sent => "sent",
            Self::Success => "success",
            Self::Error => "error",
        }
    }

    /// Reads the word.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }

    /// When a delivery of this status may be claimed.
    pub fn turn(self) -> Turn {
        match self {
            Self::Pending => Turn::AtOnce,
            Self::Sent | Self::Error => Turn::WhenOverdue,
            Self::Success => Turn::Never,
        }
    }

    /// Tells whether the target is known to hold what it should.
    pub fn is_done(self) -> bool {
        self == Self::Success
    }
}
