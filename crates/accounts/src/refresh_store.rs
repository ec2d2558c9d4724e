//! Where refresh families are kept.
//!
//! # Contract
//! - Every call is one transaction, and what it writes is what [`crate::ledger`] says of the rows that the store holds at that
//!   moment. Of many who present one token at once, one makes the successor.
//! - `rotate` tells what [`crate::ledger::decide`] decided. An `Err` decides nothing: the client keeps its token, and may
//!   present it again.
//! - `begin` begins nothing of an account that was written since its password was verified: what it compares stays true until
//!   the family is written.
//! - A subject has [`MOST_SESSIONS`](crate::family::MOST_SESSIONS) living families at most: `begin` ends those that
//!   [`crate::ledger::surplus`] says, the ones that were used longest ago (of those used at once the one with the largest
//!   id), in the same transaction.
//! - A dead family never lives again, whatever comes late.
//! - `revoke` tells how many families lived until then: revoked ones are not counted, and keep their first reason.
//!   However many they are, it is one statement of a database.
//! - `sessions` tells the living families of a subject, the one used last first.
//! - `sweep` forgets families that ended before a moment, their tokens first, and used tokens of others that expired before
//!   it; nothing else. It counts rows, tokens and families alike, so that a family of many tokens is forgotten in several
//!   calls. A token that is forgotten is one that was never there.
//! - What is corrupt is an `Err`.
//!
//! # Implementing
//! Lock the family's row first, in every call that writes, and in `begin` the account's before it; then load, decide, write. [`crate::MemoryAccounts`] is the complete
//! model to compare with. Prove yours with `auth_testkit::refresh_store_cases!`.

use std::time::Duration;

use async_trait::async_trait;
use auth_base::store_error::StoreError;

use crate::family::{Family, RevokeReason, Subject};
use crate::id::{FamilyId, TokenId};
use crate::ledger::{Begun, NewFamily, Presented, Record, Recorded, Refusal};

/// Keeps refresh families. The module says what must hold.
#[async_trait]
pub trait RefreshStore: Send + Sync + 'static {
    /// Begins a family. The same call again changes nothing, so that a lost answer may be asked for again.
    ///
    /// # Errors
    /// [`StoreError`] when the store is broken. It may have begun all the same.
    async fn begin(&self, new: &NewFamily, now_ms: i64) -> Result<Begun, StoreError>;

    /// Presents a token.
    ///
    /// # Errors
    /// [`StoreError`] when the store is broken, or the successor's id is taken: nothing is decided, though it may have been
    /// written.
    async fn rotate(
        &self,
        presented: &Presented,
        now_ms: i64,
        grace: Duration,
    ) -> Result<Rotation, StoreError>;

    /// Records a successor that was not named when its parent was presented; one that was named is known already.
    ///
    /// # Errors
    /// [`StoreError`] when the store is broken.
    async fn record(&self, record: &Record, now_ms: i64) -> Result<Recorded, StoreError>;

    /// Finds the family that a token is of, dead or alive.
    ///
    /// # Errors
    /// [`StoreError`] when the store is broken.
    async fn family_of(&self, token: TokenId) -> Result<Option<Family>, StoreError>;

    /// Finds a family, dead or alive.
    ///
    /// # Errors
    /// [`StoreError`] when the store is broken.
    async fn family(&self, id: FamilyId) -> Result<Option<Family>, StoreError>;

    /// Revokes families, and tells how many.
    ///
    /// # Errors
    /// [`StoreError`] when the store is broken.
    async fn revoke(
        &self,
        which: &Which,
        reason: RevokeReason,
        now_ms: i64,
    ) -> Result<u64, StoreError>;

    /// Tells the living families of a subject, at most `most` of them and [`crate::family::MOST_SESSIONS`].
    ///
    /// # Errors
    /// [`StoreError`] when the store is broken.
    async fn sessions(
        &self,
        subject: &Subject,
        now_ms: i64,
        most: u32,
    ) -> Result<Vec<Family>, StoreError>;

    /// Forgets tokens and families that ended (revoked, idle or old) before `ended_before_ms`, at most `most` rows of both
    /// together, and tells how many rows. Zero says that there is nothing more to forget (for a `most` of at least 1).
    ///
    /// # Errors
    /// [`StoreError`] when the store is broken.
    async fn sweep(&self, ended_before_ms: i64, most: u32) -> Result<u64, StoreError>;
}

/// What presenting a token did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rotation {
    /// The session goes on.
    Rotated(Rotated),
    /// It does not.
    Refused(Refusal),
}

/// The session goes on with this token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rotated {
    /// The family, as it is now.
    pub family: Family,
    /// The token that follows; `None` when the gateway records it in a second call.
    pub successor: Option<TokenId>,
    /// Whether the successor was made before, for an answer that got lost or a second tab.
    pub is_repeat: bool,
}

/// Which families are revoked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// This one.
    Family(FamilyId),
    /// The one that a token is of.
    OfToken(TokenId),
    /// All of a subject.
    AllOf(Subject),
    /// All of a subject but one.
    AllBut(Subject, FamilyId),
}
