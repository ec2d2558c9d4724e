//! The transactions of the refresh ledger: lock the family, load, ask [`accounts::ledger`], write what it says.

use accounts::family::Token;
use accounts::ledger::{
    self, Beginning, Decision, Found, NewFamily, Presented, Record, RecordRows, Recorded,
    Recording, SignsIn,
};
use accounts::{Account, Begun, Family, RevokeReason, Rotated, Rotation, Subject, TokenId, Which};
use sql_link::{Session, SqlError, Work};

use crate::{accounts_rows, family_rows, refresh_rows};

/// Whether a subject may go on.
async fn is_active(session: &mut Session, subject: &Subject) -> Result<bool, SqlError> {
    match subject {
        Subject::User(id) => {
            let account = accounts_rows::by_id(session, *id).await?;
            Ok(account.as_ref().is_some_and(Account::is_active))
        }
        // A kind that this store does not know may do nothing.
        _ => Ok(false),
    }
}

/// The account of a subject, which stays as it is until the commit.
async fn signs_in(session: &mut Session, subject: &Subject) -> Result<Option<SignsIn>, SqlError> {
    match subject {
        Subject::User(id) => {
            let account = accounts_rows::hold(session, *id).await?;
            Ok(account.as_ref().map(SignsIn::from))
        }
        // A kind that this store does not know may do nothing.
        _ => Ok(None),
    }
}

/// Somebody signs in.
pub(crate) struct Begin<'a> {
    pub(crate) new: &'a NewFamily,
    pub(crate) now_ms: i64,
}

impl Work for Begin<'_> {
    type Output = Begun;
    type Error = SqlError;

    async fn run(&self, session: &mut Session) -> Result<Begun, SqlError> {
        // The account first: of one person's sign-ins and changes, one comes after the other.
        let account = signs_in(session, &self.new.subject).await?;
        let family = family_rows::hold(session, self.new.id).await?;
        let first = refresh_rows::find(session, self.new.first).await?;
        let held = family.as_ref().map(|family| (family, first.as_ref()));
        match ledger::begin(held, self.new, account, self.now_ms) {
            Beginning::Answer(begun) => Ok(begun),
            Beginning::Begin(family, first) => {
                let (subject, now_ms) = (&family.subject, self.now_ms);
                let living = family_rows::living(session, subject, now_ms).await?;
                let surplus = ledger::surplus(living);
                if surplus > 0 {
                    family_rows::revoke_oldest(session, subject, surplus, now_ms).await?;
                }
                family_rows::insert(session, &family).await?;
                refresh_rows::insert(session, &first).await?;
                Ok(Begun::Done)
            }
        }
    }
}

/// A token is presented.
pub(crate) struct Rotate<'a> {
    pub(crate) presented: &'a Presented,
    pub(crate) now_ms: i64,
    pub(crate) grace_ms: i64,
}

impl Rotate<'_> {
    /// Loads what is held of the token, its family locked.
    async fn found(&self, session: &mut Session) -> Result<Option<Found>, SqlError> {
        let id = self.presented.token;
        // Which family it is of never changes; all else is read under the lock.
        let Some(unlocked) = refresh_rows::find(session, id).await? else {
            return Ok(None);
        };
        let Some(family) = family_rows::hold(session, unlocked.family).await? else {
            return Ok(None);
        };
        let Some(token) = refresh_rows::find(session, id).await? else {
            return Ok(None);
        };
        let successor = match token.used.and_then(|used| used.successor) {
            Some(successor) => refresh_rows::find(session, successor).await?,
            None => None,
        };
        Ok(Some(Found {
            token,
            successor,
            is_subject_active: is_active(session, &family.subject).await?,
            family,
        }))
    }
}

impl Work for Rotate<'_> {
    type Output = Rotation;
    type Error = SqlError;

    async fn run(&self, session: &mut Session) -> Result<Rotation, SqlError> {
        let found = self.found(session).await?;
        let decision = ledger::decide(found.as_ref(), self.presented, self.now_ms, self.grace_ms);
        match (decision, found) {
            (Decision::Refuse(refusal), _) => Ok(Rotation::Refused(refusal)),
            (Decision::Revoke { family, refusal }, _) => {
                family_rows::update(session, &family).await?;
                Ok(Rotation::Refused(refusal))
            }
            (Decision::Repeat(token), Some(found)) => Ok(Rotation::Rotated(Rotated {
                family: found.family,
                successor: Some(token.id),
                is_repeat: true,
            })),
            (Decision::Repeat(_), None) => Err(SqlError::corrupt("refresh_tokens", "no family")),
            (
                Decision::Advance {
                    used,
                    successor,
                    family,
                },
                _,
            ) => advance(session, &used, successor.as_ref(), *family).await,
        }
    }
}

async fn advance(
    session: &mut Session,
    used: &Token,
    successor: Option<&Token>,
    family: Family,
) -> Result<Rotation, SqlError> {
    refresh_rows::update(session, used).await?;
    if let Some(successor) = successor {
        refresh_rows::insert(session, successor).await?;
    }
    family_rows::update(session, &family).await?;
    Ok(Rotation::Rotated(Rotated {
        family,
        successor: successor.map(|token| token.id),
        is_repeat: false,
    }))
}

/// A successor is recorded that its gateway made.
pub(crate) struct RecordIt<'a> {
    pub(crate) record: &'a Record,
    pub(crate) now_ms: i64,
}

impl Work for RecordIt<'_> {
    type Output = Recorded;
    type Error = SqlError;

    async fn run(&self, session: &mut Session) -> Result<Recorded, SqlError> {
        let family = family_rows::hold(session, self.record.family).await?;
        let parent = match self.record.parent {
            Some(parent) => refresh_rows::find(session, parent).await?,
            None => None,
        };
        let rows = RecordRows {
            family,
            token: refresh_rows::find(session, self.record.token).await?,
            parent,
        };
        match ledger::record(&rows, self.record, self.now_ms) {
            Recording::Answer(recorded) => Ok(recorded),
            Recording::Write(parent, token) => {
                refresh_rows::update(session, &parent).await?;
                refresh_rows::insert(session, &token).await?;
                Ok(Recorded::Done)
            }
        }
    }
}

/// Families are revoked.
pub(crate) struct Revoke<'a> {
    pub(crate) which: &'a Which,
    pub(crate) reason: RevokeReason,
    pub(crate) now_ms: i64,
}

impl Revoke<'_> {
    async fn one(&self, session: &mut Session, family: Option<Family>) -> Result<u64, SqlError> {
        let revoked = family.and_then(|it| ledger::revoked(&it, self.reason, self.now_ms));
        match revoked {
            Some(family) => {
                family_rows::update(session, &family).await?;
                Ok(1)
            }
            None => Ok(0),
        }
    }

    async fn of_token(&self, session: &mut Session, token: TokenId) -> Result<u64, SqlError> {
        let family = match refresh_rows::find(session, token).await? {
            Some(token) => family_rows::hold(session, token.family).await?,
            None => None,
        };
        self.one(session, family).await
    }
}

impl Work for Revoke<'_> {
    type Output = u64;
    type Error = SqlError;

    async fn run(&self, session: &mut Session) -> Result<u64, SqlError> {
        match self.which {
            Which::Family(id) => {
                let family = family_rows::hold(session, *id).await?;
                self.one(session, family).await
            }
            Which::OfToken(token) => self.of_token(session, *token).await,
            Which::AllOf(subject) => {
                let ended = (self.reason, self.now_ms);
                family_rows::revoke_all(session, subject, None, ended).await
            }
            Which::AllBut(subject, but) => {
                let ended = (self.reason, self.now_ms);
                family_rows::revoke_all(session, subject, Some(*but), ended).await
            }
        }
    }
}
