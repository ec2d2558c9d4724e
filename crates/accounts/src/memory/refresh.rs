//! Refresh families in memory.

use std::cmp::Reverse;
use std::collections::HashSet;
use std::time::Duration;

use async_trait::async_trait;
use auth_base::store_error::StoreError;

use crate::family::{Family, MOST_SESSIONS, RevokeReason, Subject, Token};
use crate::id::{FamilyId, TokenId};
use crate::ledger::{
    self, Beginning, Begun, Decision, Found, NewFamily, Presented, Record, RecordRows, Recorded,
    Recording, Refusal,
};
use crate::memory::tables::{MemoryAccounts, Tables};
use crate::refresh_store::{RefreshStore, Rotated, Rotation, Which};

impl Tables {
    /// What is held of a token that is presented.
    fn found(&self, token: TokenId) -> Option<Found> {
        let token = *self.tokens.get(&token)?;
        let family = self.families.get(&token.family)?.clone();
        let successor = token.used.and_then(|used| used.successor);
        Some(Found {
            token,
            successor: successor.and_then(|id| self.tokens.get(&id).copied()),
            is_subject_active: self.is_active(&family.subject),
            family,
        })
    }

    /// Writes a row that must be new.
    fn insert(&mut self, token: Token) {
        self.tokens.insert(token.id, token);
    }

    /// An id is given once.
    fn check_new(&self, token: Option<TokenId>) -> Result<(), StoreError> {
        match token.is_some_and(|id| self.tokens.contains_key(&id)) {
            true => Err(StoreError::Refused("the token's id is taken".into())),
            false => Ok(()),
        }
    }

    /// The living families of a subject, the one used last first.
    fn living(&self, subject: &Subject, now_ms: i64) -> Vec<Family> {
        let living = self.families.values();
        let living = living.filter(|it| it.subject == *subject && it.is_alive(now_ms));
        let mut living: Vec<Family> = living.cloned().collect();
        living.sort_by_key(|family| (Reverse(family.last_used_at_ms), family.id));
        living
    }

    /// Ends those that are too many before another one begins.
    fn make_room(&mut self, subject: &Subject, now_ms: i64) {
        let living = self.living(subject, now_ms);
        let surplus = ledger::surplus(u64::try_from(living.len()).unwrap_or(u64::MAX));
        let surplus = usize::try_from(surplus).unwrap_or(usize::MAX);
        for family in living.iter().rev().take(surplus) {
            if let Some(ended) = ledger::revoked(family, RevokeReason::TooMany, now_ms) {
                self.families.insert(ended.id, ended);
            }
        }
    }

    fn rotated(&self, token: &Token, successor: Option<TokenId>, is_repeat: bool) -> Rotation {
        match self.families.get(&token.family).cloned() {
            Some(family) => Rotation::Rotated(Rotated {
                family,
                successor,
                is_repeat,
            }),
            None => Rotation::Refused(Refusal::NotFound),
        }
    }
}

fn is_of(family: &Family, which: &Which, of_token: Option<FamilyId>) -> bool {
    match which {
        Which::Family(id) => family.id == *id,
        Which::OfToken(_) => Some(family.id) == of_token,
        Which::AllOf(subject) => family.subject == *subject,
        Which::AllBut(subject, but) => family.subject == *subject && family.id != *but,
    }
}

#[async_trait]
impl RefreshStore for MemoryAccounts {
    async fn begin(&self, new: &NewFamily, now_ms: i64) -> Result<Begun, StoreError> {
        let mut tables = self.tables();
        let held = tables.families.get(&new.id);
        let held = held.map(|family| (family, tables.tokens.get(&new.first)));
        match ledger::begin(held, new, tables.signs_in(&new.subject), now_ms) {
            Beginning::Answer(begun) => Ok(begun),
            Beginning::Begin(family, first) => {
                tables.check_new(Some(first.id))?;
                tables.make_room(&family.subject, now_ms);
                tables.families.insert(family.id, *family);
                tables.insert(first);
                Ok(Begun::Done)
            }
        }
    }

    async fn rotate(
        &self,
        presented: &Presented,
        now_ms: i64,
        grace: Duration,
    ) -> Result<Rotation, StoreError> {
        let grace_ms = i64::try_from(grace.as_millis()).unwrap_or(i64::MAX);
        let mut tables = self.tables();
        let found = tables.found(presented.token);
        match ledger::decide(found.as_ref(), presented, now_ms, grace_ms) {
            Decision::Refuse(refusal) => Ok(Rotation::Refused(refusal)),
            Decision::Revoke { family, refusal } => {
                tables.families.insert(family.id, *family);
                Ok(Rotation::Refused(refusal))
            }
            Decision::Repeat(token) => Ok(tables.rotated(&token, Some(token.id), true)),
            Decision::Advance {
                used,
                successor,
                family,
            } => {
                tables.check_new(presented.successor)?;
                tables.families.insert(family.id, *family);
                tables.insert(used);
                if let Some(successor) = successor {
                    tables.insert(successor);
                }
                Ok(tables.rotated(&used, presented.successor, false))
            }
        }
    }

    async fn record(&self, record: &Record, now_ms: i64) -> Result<Recorded, StoreError> {
        let mut tables = self.tables();
        let token = |id: TokenId| tables.tokens.get(&id).copied();
        let rows = RecordRows {
            family: tables.families.get(&record.family).cloned(),
            token: token(record.token),
            parent: record.parent.and_then(token),
        };
        match ledger::record(&rows, record, now_ms) {
            Recording::Answer(recorded) => Ok(recorded),
            Recording::Write(parent, token) => {
                tables.insert(*parent);
                tables.insert(*token);
                Ok(Recorded::Done)
            }
        }
    }

    async fn family_of(&self, token: TokenId) -> Result<Option<Family>, StoreError> {
        let tables = self.tables();
        let token = tables.tokens.get(&token);
        Ok(token.and_then(|token| tables.families.get(&token.family).cloned()))
    }

    async fn family(&self, id: FamilyId) -> Result<Option<Family>, StoreError> {
        Ok(self.tables().families.get(&id).cloned())
    }

    async fn revoke(
        &self,
        which: &Which,
        reason: RevokeReason,
        now_ms: i64,
    ) -> Result<u64, StoreError> {
        let mut tables = self.tables();
        let of_token = match which {
            Which::OfToken(id) => tables.tokens.get(id).map(|token| token.family),
            _ => None,
        };
        let mut count = 0;
        for family in tables.families.values_mut() {
            if !is_of(family, which, of_token) {
                continue;
            }
            if let Some(revoked) = ledger::revoked(family, reason, now_ms) {
                *family = revoked;
                count += 1;
            }
        }
        Ok(count)
    }

    async fn sessions(
        &self,
        subject: &Subject,
        now_ms: i64,
        most: u32,
    ) -> Result<Vec<Family>, StoreError> {
        let mut living = self.tables().living(subject, now_ms);
        living.truncate(usize::try_from(most.min(MOST_SESSIONS)).unwrap_or(usize::MAX));
        Ok(living)
    }

    async fn sweep(&self, ended_before_ms: i64, most: u32) -> Result<u64, StoreError> {
        let mut tables = self.tables();
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        let tokens = tables.tokens.values().filter(|token| {
            let family = tables.families.get(&token.family);
            let is_ended = family.is_none_or(|it| it.ended_at_ms() < ended_before_ms);
            is_ended || (token.used.is_some() && token.expires_at_ms < ended_before_ms)
        });
        let tokens: Vec<TokenId> = tokens.map(|token| token.id).take(most).collect();
        for id in &tokens {
            tables.tokens.remove(id);
        }
        let with_tokens: HashSet<FamilyId> = tables.tokens.values().map(|it| it.family).collect();
        let ended = tables
            .families
            .values()
            .filter(|it| it.ended_at_ms() < ended_before_ms && !with_tokens.contains(&it.id));
        let ended: Vec<FamilyId> = ended.map(|it| it.id).take(most - tokens.len()).collect();
        for id in &ended {
            tables.families.remove(id);
        }
        Ok(u64::try_from(tokens.len() + ended.len()).unwrap_or(u64::MAX))
    }
}
