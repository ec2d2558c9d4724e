//! What must hold, checked at each answer of the store. It knows nothing of rows: only what was asked and answered, and when.

use std::collections::BTreeMap;
use std::fmt;

use accounts::{Presented, Record, Recorded, Refusal, Rotation, TokenId};

/// What is promised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Promise {
    /// A person is not signed out by tabs that refresh at once, nor by an answer that got lost, within the grace.
    HonestSignedOut,
    /// Whoever is refused has a token that is over, unknown, used too long ago, or of a dead family.
    RefusedWithoutCause,
    /// A used token is taken again within the grace only, and only while nobody used its successor: so of two who hold a
    /// token, one goes on for no longer than one rotation after it.
    ThiefGoesOn,
    /// A token has one successor, and a family one unused token at most.
    OneSuccessor,
    /// A real replay ends the family.
    ReplayKills,
    /// A dead family never lives again.
    DeadStaysDead,
    /// No token and no family outlives its time.
    LivesTooLong,
    /// Who is disabled does not go on.
    DisabledGoesOn,
}

/// A promise that was broken, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BrokenPromise {
    pub(crate) promise: Promise,
    pub(crate) how: String,
}

impl fmt::Display for BrokenPromise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.promise, self.how)
    }
}

fn broken<T>(promise: Promise, how: impl Into<String>) -> Result<T, BrokenPromise> {
    Err(BrokenPromise {
        promise,
        how: how.into(),
    })
}

/// A token that was handed out.
#[derive(Clone, Copy)]
struct Issued {
    expires_at: i64,
    used: Option<(i64, TokenId)>,
}

/// The story's own book.
pub(crate) struct Oracle {
    idle: i64,
    until: i64,
    tokens: BTreeMap<TokenId, Issued>,
    is_dead: bool,
    is_active: bool,
    /// Something happened that may sign an honest person out: a thief, a set clock, an admin, an answer that came too late.
    pub(crate) is_excused: bool,
}

impl Oracle {
    pub(crate) fn new(first: TokenId, now: i64, idle: i64, absolute: i64) -> Self {
        let until = now + absolute;
        let first = (
            first,
            Issued {
                expires_at: (now + idle).min(until),
                used: None,
            },
        );
        Self {
            idle,
            until,
            tokens: BTreeMap::from([first]),
            is_dead: false,
            is_active: true,
            is_excused: false,
        }
    }

    pub(crate) fn revoked(&mut self) {
        self.is_dead = true;
    }

    pub(crate) fn set_active(&mut self, is_active: bool) {
        self.is_active = is_active;
    }

    /// When a token was used first, by the store's clock.
    pub(crate) fn used_at(&self, token: TokenId) -> Option<i64> {
        let used = self.tokens.get(&token)?.used;
        used.map(|(at, _)| at)
    }

    /// The token that follows another.
    pub(crate) fn successor(&self, token: TokenId) -> Option<TokenId> {
        let used = self.tokens.get(&token)?.used;
        used.map(|(_, successor)| successor)
    }

    pub(crate) fn tokens(&self) -> Vec<TokenId> {
        self.tokens.keys().copied().collect()
    }

    /// Whether a used token may still be answered with its successor.
    fn is_repeatable(&self, (at, successor): (i64, TokenId), now: i64, grace: i64) -> bool {
        let is_recent = grace > 0 && now - at <= grace;
        let is_unused = self
            .tokens
            .get(&successor)
            .is_some_and(|it| it.used.is_none() && now < it.expires_at);
        is_recent && is_unused
    }

    /// Checks an answer, and writes it down.
    pub(crate) fn rotated(
        &mut self,
        presented: &Presented,
        rotation: &Rotation,
        is_honest: bool,
        (now, grace): (i64, i64),
    ) -> Result<(), BrokenPromise> {
        let Some(held) = self.tokens.get(&presented.token).copied() else {
            return match rotation {
                Rotation::Refused(Refusal::NotFound | Refusal::FamilyRevoked) => Ok(()),
                other => broken(
                    Promise::OneSuccessor,
                    format!("an unknown token: {other:?}"),
                ),
            };
        };
        match rotation {
            Rotation::Refused(refusal) => self.refused(held, *refusal, is_honest, (now, grace)),
            Rotation::Rotated(rotated) => {
                let Some(successor) = rotated.successor else {
                    return broken(Promise::OneSuccessor, "no successor");
                };
                self.may_live(held, (now, grace))?;
                match held.used {
                    Some(used) => self.repeated(used, successor, (now, grace)),
                    None => self.advanced(presented, successor, now),
                }
            }
        }
    }

    /// Whether a token's time is over. One that was used is answered by its successor, which is younger.
    fn is_over(&self, held: Issued, (now, grace): (i64, i64)) -> bool {
        let is_repeatable = held
            .used
            .is_some_and(|used| self.is_repeatable(used, now, grace));
        now >= self.until || (now >= held.expires_at && !is_repeatable)
    }

    fn may_live(&self, held: Issued, at: (i64, i64)) -> Result<(), BrokenPromise> {
        if self.is_dead {
            return broken(Promise::DeadStaysDead, "a dead family rotates");
        }
        if !self.is_active {
            return broken(Promise::DisabledGoesOn, "who is disabled goes on");
        }
        match self.is_over(held, at) {
            true => broken(Promise::LivesTooLong, "a token is taken that is over"),
            false => Ok(()),
        }
    }

    fn repeated(
        &self,
        used: (i64, TokenId),
        successor: TokenId,
        (now, grace): (i64, i64),
    ) -> Result<(), BrokenPromise> {
        if successor != used.1 {
            return broken(Promise::OneSuccessor, "a second successor");
        }
        match self.is_repeatable(used, now, grace) {
            true => Ok(()),
            false => broken(Promise::ThiefGoesOn, "a used token is taken again"),
        }
    }

    fn advanced(
        &mut self,
        presented: &Presented,
        successor: TokenId,
        now: i64,
    ) -> Result<(), BrokenPromise> {
        if presented.successor != Some(successor) {
            return broken(Promise::OneSuccessor, "a successor that nobody named");
        }
        if let Some(token) = self.tokens.get_mut(&presented.token) {
            token.used = Some((now, successor));
        }
        let next = Issued {
            expires_at: (now + self.idle).min(self.until),
            used: None,
        };
        self.tokens.insert(successor, next);
        let unused = self.tokens.values().filter(|token| token.used.is_none());
        match unused.count() {
            1 => Ok(()),
            count => broken(Promise::OneSuccessor, format!("{count} unused tokens")),
        }
    }

    fn refused(
        &mut self,
        held: Issued,
        refusal: Refusal,
        is_honest: bool,
        (now, grace): (i64, i64),
    ) -> Result<(), BrokenPromise> {
        let is_over = self.is_over(held, (now, grace));
        let is_replay = held
            .used
            .is_some_and(|used| !self.is_repeatable(used, now, grace));
        let has_cause = self.is_dead || is_over || !self.is_active || is_replay;
        let is_end = matches!(refusal, Refusal::Reused | Refusal::SubjectInactive);
        if !has_cause {
            return broken(Promise::RefusedWithoutCause, refusal.as_str());
        }
        if is_honest && !self.is_excused && !is_over {
            return broken(Promise::HonestSignedOut, refusal.as_str());
        }
        if !self.is_dead && !is_over && !is_end {
            return broken(Promise::ReplayKills, format!("{} only", refusal.as_str()));
        }
        self.is_dead |= is_end;
        Ok(())
    }

    /// Checks that the store holds a family for dead that must be.
    pub(crate) fn held(&self, is_dead: bool) -> Result<(), BrokenPromise> {
        match self.is_dead && !is_dead {
            true => broken(Promise::ReplayKills, "the family was not ended"),
            false => Ok(()),
        }
    }

    /// Checks an answer to a late record. Nothing new is ever recorded in these stories: all successors were named.
    pub(crate) fn recorded(
        &self,
        record: &Record,
        recorded: Recorded,
    ) -> Result<(), BrokenPromise> {
        match (recorded, self.tokens.contains_key(&record.token)) {
            (Recorded::Refused, _) => Ok(()),
            (Recorded::Done, _) if self.is_dead => {
                broken(Promise::DeadStaysDead, "a dead family is recorded to")
            }
            (Recorded::Done, true) => Ok(()),
            (Recorded::Done, false) => broken(Promise::OneSuccessor, "a token beside the chain"),
        }
    }
}
