//! The ledger, broken on purpose: rows are loaded, decided and written as by a real store, with one mistake.

use std::collections::HashMap;

use accounts::family::{Family, Token};
use accounts::ledger::{self, Beginning, Decision, Found, RecordRows, Recording, SignsIn};
use accounts::{
    FamilyId, NewFamily, Presented, Record, Recorded, Refusal, RevokeReason, Rotated, Rotation,
    TokenId,
};

use crate::oracle::Promise;
use crate::store::Ledger;

/// What is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mutation {
    None,
    NoGrace,
    GraceWithoutEnd,
    GraceForUsedSuccessors,
    GraceFromTheClockOnly,
    NewSuccessorForEach,
    SuccessorOfTheLoserIsKept,
    TokenStaysUnused,
    SuccessorIsNotWritten,
    ReplayIsRefusedOnly,
    RevocationIsNotWritten,
    DeadFamilyRotates,
    DeadFamilyIsRecorded,
    IdleTokensLive,
    FamiliesLiveForEver,
    EachUseProlongsTheFamily,
    DisabledPeopleGoOn,
    DisabledPeopleComeBack,
    RepeatKillsWhenReplicasDiffer,
    RevokeIsForgotten,
}

impl Mutation {
    /// Each with the promises of which one must be seen broken.
    pub(crate) const ALL: &[(Self, &[Promise])] = &[
        (
            Self::NoGrace,
            &[Promise::HonestSignedOut, Promise::RefusedWithoutCause],
        ),
        (Self::GraceWithoutEnd, &[Promise::ThiefGoesOn]),
        (Self::GraceForUsedSuccessors, &[Promise::ThiefGoesOn]),
        (Self::GraceFromTheClockOnly, &[Promise::RefusedWithoutCause]),
        (Self::NewSuccessorForEach, &[Promise::OneSuccessor]),
        (Self::SuccessorOfTheLoserIsKept, &[Promise::OneSuccessor]),
        (Self::TokenStaysUnused, &[Promise::OneSuccessor]),
        (Self::SuccessorIsNotWritten, &[Promise::RefusedWithoutCause]),
        (Self::ReplayIsRefusedOnly, &[Promise::ReplayKills]),
        (
            Self::RevocationIsNotWritten,
            &[Promise::ReplayKills, Promise::DeadStaysDead],
        ),
        (Self::DeadFamilyRotates, &[Promise::DeadStaysDead]),
        (Self::DeadFamilyIsRecorded, &[Promise::DeadStaysDead]),
        (Self::IdleTokensLive, &[Promise::LivesTooLong]),
        (Self::FamiliesLiveForEver, &[Promise::LivesTooLong]),
        (Self::EachUseProlongsTheFamily, &[Promise::LivesTooLong]),
        (Self::DisabledPeopleGoOn, &[Promise::DisabledGoesOn]),
        (
            Self::DisabledPeopleComeBack,
            &[Promise::DeadStaysDead, Promise::ReplayKills],
        ),
        (
            Self::RepeatKillsWhenReplicasDiffer,
            &[Promise::RefusedWithoutCause],
        ),
        (Self::RevokeIsForgotten, &[Promise::DeadStaysDead]),
    ];
}

/// A store with one mistake.
pub(crate) struct Broken {
    mutation: Mutation,
    is_active: bool,
    families: HashMap<FamilyId, Family>,
    tokens: HashMap<TokenId, Token>,
}

impl Broken {
    pub(crate) fn new(mutation: Mutation) -> Self {
        Self {
            mutation,
            is_active: true,
            families: HashMap::new(),
            tokens: HashMap::new(),
        }
    }

    fn is(&self, mutation: Mutation) -> bool {
        self.mutation == mutation
    }

    fn found(&self, token: TokenId) -> Option<Found> {
        let token = *self.tokens.get(&token)?;
        let successor = token.used.and_then(|used| used.successor);
        let found = Found {
            token,
            family: self.families.get(&token.family)?.clone(),
            successor: successor.and_then(|id| self.tokens.get(&id).copied()),
            is_subject_active: self.is_active,
        };
        Some(found)
    }

    /// What is loaded wrongly.
    fn misread(&self, found: &mut Found, now_ms: i64, grace_ms: &mut i64) {
        let used_at = found.token.used.map_or(now_ms, |used| used.at_ms);
        match self.mutation {
            Mutation::NoGrace => *grace_ms = 0,
            Mutation::GraceWithoutEnd if *grace_ms > 0 => *grace_ms = i64::MAX,
            Mutation::GraceForUsedSuccessors => {
                if let Some(successor) = &mut found.successor {
                    successor.used = None;
                }
            }
            Mutation::GraceFromTheClockOnly if used_at > now_ms => *grace_ms = 0,
            Mutation::DeadFamilyRotates => found.family.revoked = None,
            Mutation::IdleTokensLive => found.token.expires_at_ms = i64::MAX,
            Mutation::FamiliesLiveForEver => {
                found.family.absolute_until_ms = i64::MAX;
                found.token.expires_at_ms = found.token.issued_at_ms + found.family.idle_ms;
            }
            Mutation::DisabledPeopleGoOn => found.is_subject_active = true,
            Mutation::RepeatKillsWhenReplicasDiffer if used_at % 2 != now_ms % 2 => *grace_ms = 0,
            _ => {}
        }
    }

    /// What is decided wrongly.
    fn misjudge(
        &self,
        decision: Decision,
        found: &Found,
        presented: &Presented,
        now_ms: i64,
    ) -> Decision {
        match (self.mutation, decision) {
            (Mutation::NewSuccessorForEach, Decision::Repeat(token)) => Decision::Repeat(Token {
                id: presented.successor.unwrap_or(token.id),
                ..token
            }),
            (Mutation::SuccessorOfTheLoserIsKept, Decision::Repeat(_)) => {
                let unused = Token {
                    used: None,
                    ..found.token
                };
                let again = Found {
                    token: unused,
                    ..found.clone()
                };
                ledger::decide(Some(&again), presented, now_ms, 1)
            }
            (
                Mutation::TokenStaysUnused,
                Decision::Advance {
                    successor, family, ..
                },
            ) => Decision::Advance {
                used: found.token,
                successor,
                family,
            },
            (Mutation::ReplayIsRefusedOnly, Decision::Revoke { refusal, .. })
                if refusal == Refusal::Reused =>
            {
                Decision::Refuse(refusal)
            }
            (Mutation::RevocationIsNotWritten, Decision::Revoke { refusal, .. }) => {
                Decision::Refuse(refusal)
            }
            (Mutation::DisabledPeopleComeBack, Decision::Revoke { refusal, .. })
                if refusal == Refusal::SubjectInactive =>
            {
                Decision::Refuse(refusal)
            }
            (
                Mutation::EachUseProlongsTheFamily,
                Decision::Advance {
                    used,
                    successor,
                    family,
                },
            ) => {
                let mut family = family;
                family.absolute_until_ms += family.idle_ms;
                Decision::Advance {
                    used,
                    successor,
                    family,
                }
            }
            (_, decision) => decision,
        }
    }

    fn insert(&mut self, token: Token) {
        self.tokens.insert(token.id, token);
    }

    fn rotated(&self, token: &Token, successor: Option<TokenId>, is_repeat: bool) -> Rotation {
        Rotation::Rotated(Rotated {
            family: self.families[&token.family].clone(),
            successor,
            is_repeat,
        })
    }
}

impl Ledger for Broken {
    fn begin(&mut self, new: &NewFamily, now_ms: i64) {
        let account = SignsIn {
            is_active: self.is_active,
            version: new.account_version,
        };
        let beginning = ledger::begin(None, new, Some(account), now_ms);
        if let Beginning::Begin(family, first) = beginning {
            self.families.insert(family.id, *family);
            self.insert(first);
        }
    }

    fn rotate(&mut self, presented: &Presented, now_ms: i64, grace_ms: i64) -> Rotation {
        let mut grace_ms = grace_ms;
        let Some(mut found) = self.found(presented.token) else {
            return Rotation::Refused(Refusal::NotFound);
        };
        self.misread(&mut found, now_ms, &mut grace_ms);
        let decision = ledger::decide(Some(&found), presented, now_ms, grace_ms);
        match self.misjudge(decision, &found, presented, now_ms) {
            Decision::Refuse(refusal) => Rotation::Refused(refusal),
            Decision::Revoke { family, refusal } => {
                self.families.insert(family.id, *family);
                Rotation::Refused(refusal)
            }
            Decision::Repeat(token) => self.rotated(&token, Some(token.id), true),
            Decision::Advance {
                used,
                successor,
                family,
            } => {
                self.families.insert(family.id, *family);
                self.insert(used);
                if let Some(successor) =
                    successor.filter(|_| !self.is(Mutation::SuccessorIsNotWritten))
                {
                    self.insert(successor);
                }
                self.rotated(&used, presented.successor, false)
            }
        }
    }

    fn record(&mut self, record: &Record, now_ms: i64) -> Recorded {
        let mut rows = RecordRows {
            family: self.families.get(&record.family).cloned(),
            token: self.tokens.get(&record.token).copied(),
            parent: record.parent.and_then(|id| self.tokens.get(&id).copied()),
        };
        if self.is(Mutation::DeadFamilyIsRecorded)
            && let Some(family) = &mut rows.family
        {
            family.revoked = None;
        }
        match ledger::record(&rows, record, now_ms) {
            Recording::Answer(recorded) => recorded,
            Recording::Write(parent, token) => {
                self.insert(*parent);
                self.insert(*token);
                Recorded::Done
            }
        }
    }

    fn revoke(&mut self, family: FamilyId, now_ms: i64) {
        if self.is(Mutation::RevokeIsForgotten) {
            return;
        }
        if let Some(family) = self.families.get_mut(&family)
            && let Some(dead) = ledger::revoked(family, RevokeReason::EndedByAdmin, now_ms)
        {
            *family = dead;
        }
    }

    fn is_dead(&self, family: FamilyId) -> bool {
        self.families[&family].revoked.is_some()
    }

    fn set_active(&mut self, is_active: bool, _: i64) {
        self.is_active = is_active;
    }
}
