//! Sessions of a person: they are listed, and ended.

use accounts::family::MOST_SESSIONS;
use accounts::private_api::{EndSessions, Session, SessionList, SessionsEnded};
use accounts::{AccountId, Family, FamilyId, RevokeReason, Subject, Which};

use crate::service::accounts::Accounts;
use crate::service::caller::Caller;
use crate::service::problem::Problem;
use crate::service::record::Record;
use crate::service::refresh::parse;

impl Accounts {
    /// Lists the living sessions of a person, the one used last first.
    ///
    /// # Errors
    /// [`Problem::Missing`], [`Problem::Invalid`]; [`Problem::Denied`] for another person without the right to change accounts.
    pub async fn sessions(&self, caller: &Caller, user_id: &str) -> Result<SessionList, Problem> {
        if user_id.is_empty() {
            return Err(Problem::Missing("Missing userId"));
        }
        let user = parse("userId", user_id, AccountId::parse)?;
        caller.require_access_to(user)?;
        if !caller.is(user) {
            self.require_admin(caller).await?;
        }
        let (subject, now_ms) = (Subject::User(user), self.clock.now_ms());
        let families = self
            .stores
            .refresh
            .sessions(&subject, now_ms, MOST_SESSIONS);
        let sessions = families.await?.iter().map(session).collect();
        Ok(SessionList { sessions })
    }

    /// Ends one session of a person, all, or all but one, and tells how many.
    ///
    /// # Errors
    /// As for [`Self::sessions`]; [`Problem::NotFound`] for a session that is not this person's.
    pub async fn end_sessions(
        &self,
        caller: &Caller,
        asked: &EndSessions,
    ) -> Result<SessionsEnded, Problem> {
        let user = parse("userId", &asked.user_id, AccountId::parse)?;
        caller.require_access_to(user)?;
        if !caller.is(user) {
            self.require_admin(caller).await?;
        }
        let subject = Subject::User(user);
        let which = match (&asked.sid, &asked.but) {
            (Some(_), Some(_)) => return Err(Problem::invalid("but", "not together with sid")),
            (Some(sid), None) => {
                // What no session is called is no session of theirs.
                let sid = FamilyId::parse(sid).map_err(|_| Problem::NotFound)?;
                let family = self.stores.refresh.family(sid).await?;
                let own = family.filter(|family| family.subject == subject);
                Which::Family(own.ok_or(Problem::NotFound)?.id)
            }
            (None, Some(but)) => Which::AllBut(subject, parse("but", but, FamilyId::parse)?),
            (None, None) => Which::AllOf(subject),
        };
        let reason = match caller.is(user) {
            true => RevokeReason::EndedElsewhere,
            false => RevokeReason::EndedByAdmin,
        };
        let now_ms = self.clock.now_ms();
        let ended = self.stores.refresh.revoke(&which, reason, now_ms).await?;
        if ended > 0 {
            let name = self.name_of(user).await;
            let record = Record {
                reason: Some(reason.as_str()),
                ..Record::done(caller.actor(), "sessions.end", &name)
            };
            self.write_down(caller, record).await;
        }
        Ok(SessionsEnded { ended })
    }
}

fn session(family: &Family) -> Session {
    Session {
        sid: family.id.to_string(),
        created_at_ms: family.created_at_ms,
        last_used_at_ms: family.last_used_at_ms,
        idle_until_ms: family.idle_until_ms,
        until_ms: family.absolute_until_ms,
        agent: family.seen.agent().to_owned(),
        address: family.seen.address().to_owned(),
    }
}
