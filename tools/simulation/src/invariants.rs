//! What must hold, one name for each promise.

macro_rules! invariants {
    ($($(#[doc = $promise:literal])+ $name:ident: $text:literal,)*) => {
        /// A promise that was broken.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
        pub enum Invariant { $($(#[doc = $promise])+ #[error($text)] $name,)* }

        impl Invariant {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The promise of `docs/guarantees.md` that is broken with it.
            pub fn promise(self) -> &'static str {
                match self { $(Self::$name => concat!($($promise),+).trim_ascii(),)* }
            }
        }
    };
}

invariants! {
    /// an_accepted_change_reaches_every_target
    ChangeLost: "a target does not hold what was accepted for it last",
    /// an_ack_is_never_lost
    RowStuck: "a row has not come to success although nothing is in its way any more",
    /// one_bad_message_blocks_nobody
    QueueStuck: "messages wait in a queue whose peer is well",
    /// a_success_row_means_the_target_has_it
    SuccessWithoutTheChange: "a row says success while its target holds something older",
    /// a_success_row_means_the_target_has_it
    SuccessWithdrawn: "a row that said success says something else, without a new change or a reopening",
    /// an_older_change_never_overwrites_a_newer_one
    OlderOverwroteNewer: "an apply wrote something older than the store held",
    /// revoked_stays_revoked
    RevokedCameBack: "a revoked credential was written again by something older",
    /// an_older_change_never_overwrites_a_newer_one
    CursorWentBack: "a cursor went back",
    /// a_crash_anywhere_is_recovered
    CursorApartFromCredential: "a cursor says one change, the credential beside it is another",
    /// an_older_change_never_overwrites_a_newer_one
    TsDoesNotRise: "a change was accepted under a ts that is not larger than every earlier one",
    /// an_older_change_never_overwrites_a_newer_one
    RetryOvertakes: "a retry took a ts that may be larger than a later change's",
    /// an_older_change_never_overwrites_a_newer_one
    ResyncOverwritesNewer: "a resync repeats what another source has changed since",
    /// an_ack_is_never_lost
    PublishedUnbooked: "an event was published before it was booked",
    /// an_ack_is_never_lost
    LedgerForgets: "the ledger does not know an event that waits for its answer",
    /// an_ack_is_never_lost
    ReplacedStays: "an event that a newer one has replaced, or whose change was applied, still keeps its credential pending",
    /// an_ack_is_never_lost
    AckLost: "an answer was settled before it was booked to the end",
    /// an_ack_is_never_lost
    CompletedEarly: "the ledger says that nothing is pending while something is",
    /// an_ack_is_never_lost
    DiscardedEarly: "an event was forgotten before its credential was marked as propagated",
    /// a_success_row_means_the_target_has_it
    AnsweredUnapplied: "a target answered applied to what it had not applied",
    /// shutdown_loses_nothing
    SettledUnapplied: "an event was settled that was neither applied nor refused",
    /// an_ack_is_never_lost
    SettledUnanswered: "an event was settled whose answer the broker had not confirmed",
    /// an_accepted_change_reaches_every_target
    SentWithoutConfirm: "a row was marked as sent whose event the broker had not confirmed",
    /// overlapping_syncs_publish_once
    ClaimedTwice: "a row was claimed that another claimer held, or that was not due",
    /// overlapping_syncs_publish_once
    PublishedTwice: "an event was published twice, or a row's change in two events without a fault",
    /// a_crash_anywhere_is_recovered
    OwnStoreBehind: "a source's own store does not hold what it accepted last",
    /// a_crash_anywhere_is_recovered
    OwnStoreForgotten: "a change was booked as held by the source's own store, which does not hold it",
    /// drift_is_found_and_healed
    DriftStays: "a store that was damaged does not hold what was accepted for it last",
    /// drift_is_found_and_healed
    DriftWithoutCause: "a row was opened again whose target was not seen to have lost it, in two looks",
    /// one_bad_row_blocks_nobody
    BadRowUnexplained: "a row that cannot be sent does not say why",
    /// a_failing_store_slows_it_does_not_spin
    HotLoop: "a process calls its seams in a hot loop",
    /// a_failing_store_slows_it_does_not_spin
    HeldUp: "a peer whose database alone is away does not apply what others send",
    /// no_call_hangs
    CallHangs: "a helper did not return within its timeouts",
    /// shutdown_loses_nothing
    ShutdownHangs: "a shutdown did not return within its bound",
}

/// A broken promise and where it broke.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{invariant:?}: {invariant} ({detail}, at {at_ms} ms)")]
pub struct Violation {
    /// Which.
    pub invariant: Invariant,
    /// Whose row, store or message.
    pub detail: String,
    /// When, in simulated milliseconds since the beginning.
    pub at_ms: u64,
}
