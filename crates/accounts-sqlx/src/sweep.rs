//! Forgetting refresh families that have ended, a bounded number of rows at a time: a family may have more tokens than one
//! transaction should delete.

use sql_link::{Session, SqlError, Statement, Value, Work};

/// The tokens of families that have ended, then families without tokens, then what living families need no more.
pub(crate) const STEPS: [Statement; 3] = [TOKENS_OF_ENDED, ENDED, USED];

/// MariaDB takes no LIMIT under IN, and reads the whole table for an IN of a DELETE: so it joins.
const TOKENS_OF_ENDED: Statement = Statement {
    mariadb: "DELETE gone FROM refresh_tokens gone JOIN \
              (SELECT t.jti FROM refresh_families f JOIN refresh_tokens t ON t.family_id = f.id \
              WHERE f.ended_at < ? ORDER BY f.ended_at LIMIT ?) ended ON ended.jti = gone.jti",
    sqlite: "DELETE FROM refresh_tokens WHERE jti IN \
             (SELECT t.jti FROM refresh_families f JOIN refresh_tokens t ON t.family_id = f.id \
             WHERE f.ended_at < ? ORDER BY f.ended_at LIMIT ?)",
};
const ENDED: Statement = Statement {
    mariadb: "DELETE FROM refresh_families WHERE ended_at < ? AND NOT EXISTS \
              (SELECT 1 FROM refresh_tokens t WHERE t.family_id = refresh_families.id) ORDER BY ended_at LIMIT ?",
    sqlite: "DELETE FROM refresh_families WHERE id IN \
             (SELECT f.id FROM refresh_families f WHERE f.ended_at < ? AND NOT EXISTS \
             (SELECT 1 FROM refresh_tokens t WHERE t.family_id = f.id) ORDER BY f.ended_at LIMIT ?)",
};
const USED: Statement = Statement {
    mariadb: "DELETE FROM refresh_tokens WHERE expires_at < ? AND used_at IS NOT NULL ORDER BY expires_at LIMIT ?",
    sqlite: "DELETE FROM refresh_tokens WHERE jti IN (SELECT jti FROM refresh_tokens \
             WHERE expires_at < ? AND used_at IS NOT NULL ORDER BY expires_at LIMIT ?)",
};

/// One step: its statement takes a moment and how many rows.
pub(crate) struct Sweep<'a> {
    pub(crate) statement: &'a Statement,
    pub(crate) ended_before_ms: i64,
    pub(crate) most: u64,
}

impl Work for Sweep<'_> {
    type Output = u64;
    type Error = SqlError;

    async fn run(&self, session: &mut Session) -> Result<u64, SqlError> {
        let values = [
            Value::Int(self.ended_before_ms),
            Value::Int(i64::try_from(self.most).unwrap_or(i64::MAX)),
        ];
        session.execute_as(self.statement, &values).await
    }
}
