//! What may strike a call, and at which seam.

/// Which seam.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The peer's own store.
    Store,
    /// The database.
    Management,
    /// The broker.
    Broker,
    /// A peer's store, read by a source that looks for drift.
    View,
}

/// What happens to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strike {
    /// Nothing.
    Nothing,
    /// It fails without an effect.
    FailBefore,
    /// It has its effect, and the answer is lost.
    FailAfter,
    /// It hangs without an effect.
    HangBefore,
    /// It has its effect and hangs.
    HangAfter,
    /// The process dies before it.
    DieBefore,
    /// The process dies after its effect.
    DieAfter,
}
