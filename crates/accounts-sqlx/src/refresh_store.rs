//! Refresh families in a database.

use std::time::Duration;

use accounts::family::MOST_SESSIONS;
use accounts::ledger::{NewFamily, Presented, Record, Recorded};
use accounts::refresh_store::RefreshStore;
use accounts::{Begun, Family, FamilyId, RevokeReason, Rotation, Subject, TokenId, Which};
use async_trait::async_trait;
use auth_base::store_error::StoreError;
use sql_link::{Mode, Session, SqlError, Value, Work};

use crate::database::SqlAccounts;
use crate::family_rows::{self, select};
use crate::refresh_work::{Begin, RecordIt, Revoke, Rotate};
use crate::sweep::{self, Sweep};

const SESSIONS: &str = select!(
    "WHERE f.subject_kind = ? AND f.subject_id = ? AND f.revoked_at IS NULL AND f.ended_at > ? \
     ORDER BY f.last_used_at DESC, f.id LIMIT ?"
);
#[async_trait]
impl RefreshStore for SqlAccounts {
    async fn begin(&self, new: &NewFamily, now_ms: i64) -> Result<Begun, StoreError> {
        let begin = Begin { new, now_ms };
        match self.run(&begin).await {
            // The same was asked for at the same time: now it is there.
            Err(error) if error.is_duplicate() => Ok(self.run(&begin).await?),
            outcome => Ok(outcome?),
        }
    }

    async fn rotate(
        &self,
        presented: &Presented,
        now_ms: i64,
        grace: Duration,
    ) -> Result<Rotation, StoreError> {
        let grace_ms = i64::try_from(grace.as_millis()).unwrap_or(i64::MAX);
        let rotate = Rotate {
            presented,
            now_ms,
            grace_ms,
        };
        Ok(self.run(&rotate).await?)
    }

    async fn record(&self, record: &Record, now_ms: i64) -> Result<Recorded, StoreError> {
        Ok(self.run(&RecordIt { record, now_ms }).await?)
    }

    async fn family_of(&self, token: TokenId) -> Result<Option<Family>, StoreError> {
        Ok(self.run(&OfToken(token)).await?)
    }

    async fn family(&self, id: FamilyId) -> Result<Option<Family>, StoreError> {
        Ok(self.run(&ById(id)).await?)
    }

    async fn revoke(
        &self,
        which: &Which,
        reason: RevokeReason,
        now_ms: i64,
    ) -> Result<u64, StoreError> {
        let revoke = Revoke {
            which,
            reason,
            now_ms,
        };
        Ok(self.run(&revoke).await?)
    }

    async fn sessions(
        &self,
        subject: &Subject,
        now_ms: i64,
        most: u32,
    ) -> Result<Vec<Family>, StoreError> {
        let sessions = Sessions {
            subject,
            now_ms,
            most: most.min(MOST_SESSIONS),
        };
        Ok(self.run(&sessions).await?)
    }

    async fn sweep(&self, ended_before_ms: i64, most: u32) -> Result<u64, StoreError> {
        let mut forgotten = 0;
        for statement in &sweep::STEPS {
            let sweep = Sweep {
                statement,
                ended_before_ms,
                most: u64::from(most).saturating_sub(forgotten),
            };
            forgotten += self.run(&sweep).await?;
        }
        Ok(forgotten)
    }
}

struct ById(FamilyId);

impl Work for ById {
    type Output = Option<Family>;
    type Error = SqlError;
    const MODE: Mode = Mode::Read;

    async fn run(&self, session: &mut Session) -> Result<Option<Family>, SqlError> {
        family_rows::by_id(session, self.0).await
    }
}

struct OfToken(TokenId);

impl Work for OfToken {
    type Output = Option<Family>;
    type Error = SqlError;
    const MODE: Mode = Mode::Read;

    async fn run(&self, session: &mut Session) -> Result<Option<Family>, SqlError> {
        family_rows::by_token(session, self.0).await
    }
}

struct Sessions<'a> {
    subject: &'a Subject,
    now_ms: i64,
    most: u32,
}

impl Work for Sessions<'_> {
    type Output = Vec<Family>;
    type Error = SqlError;
    const MODE: Mode = Mode::Read;

    async fn run(&self, session: &mut Session) -> Result<Vec<Family>, SqlError> {
        let id = self.subject.id();
        let values = [
            Value::Text(self.subject.kind()),
            Value::Text(&id),
            Value::Int(self.now_ms),
            Value::Int(self.most.into()),
        ];
        family_rows::families(&session.fetch(SESSIONS, &values).await?)
    }
}
